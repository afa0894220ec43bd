"""Make .venv with the pinned packages: `python tools/install.py [lab|test] [--torch cpu]`. Standard library only.

Does nothing where all is in place. What goes wrong ends in one sentence, with pip's own words in .venv/install.log.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
STAMP = VENV / "installed.txt"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
OLDEST = (3, 11)


def python_trouble(version, executable):
    """Why this Python cannot be used, or empty."""
    if tuple(version[:2]) >= OLDEST:
        return ""
    found = ".".join(str(v) for v in version[:2])
    return f"This course needs Python 3.11 or newer, and {executable} is {found}. Name another one: make lab PYTHON=python3.12"


def needed_space(torch):
    """GB that the installation needs: PyTorch for Linux brings CUDA along unless told not to."""
    return 8.0 if sys.platform.startswith("linux") and torch != "cpu" and shutil.which("nvidia-smi") else 2.5


def explain(output):
    """pip's output, as the one sentence that says what to do."""
    low = output.lower()
    if "no space left" in low or "errno 28" in low or "disk quota" in low:
        return "The disk is full: free some space and run the command again; it goes on where it stopped."
    if "requires a different python" in low or "requires-python" in low:
        return "A pinned package does not support this Python. Name another one: make lab PYTHON=python3.12"
    signs = ("connection", "name resolution", "timed out", "max retries", "network is unreachable", "getaddrinfo", "proxy", "ssl")
    signs += ("from versions: none",)  # what pip says of an index that did not answer
    if any(sign in low for sign in signs):
        return "The package index cannot be reached: is there a network connection? Run the command again when there is."
    return "pip could not install the packages; its own words are in .venv/install.log."


def fingerprint(kind, torch):
    """What an installation follows from."""
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "constraints.txt"))
    return " ".join([kind, torch or "default", sys.version.split()[0], hashlib.sha256(text.encode()).hexdigest()[:16], str(ROOT)])


def installed(kind, torch):
    """True where .venv is complete; an installation for tests serves for the lab as well."""
    if not STAMP.exists() or not (BIN / ("course.exe" if os.name == "nt" else "course")).exists():
        return False
    return STAMP.read_text(encoding="utf-8") in (fingerprint(kind, torch), fingerprint("test", torch))


def run(*command):
    """Run a command, its output into the log; the sentence where it fails."""
    with open(VENV / "install.log", "a", encoding="utf-8") as log:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
        log.write(done.stdout)
    if done.returncode:
        sys.exit("✗ " + explain(done.stdout))


def main(arguments):
    kind = "test" if "test" in arguments else "lab"
    torch = "cpu" if arguments[-1:] == ["cpu"] else ""
    trouble = python_trouble(sys.version_info, sys.executable)
    if trouble:
        sys.exit("✗ " + trouble)
    if installed(kind, torch):
        return
    free, needed = shutil.disk_usage(ROOT).free / 1e9, needed_space(torch)
    if free < needed:
        sys.exit(
            f"✗ Only {free:.1f} GB of disk is free, and the course needs about {needed:.1f} GB. Free some space and try again."
        )
    print("Installing the pinned packages into .venv; this takes a few minutes, once.", flush=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True, stdout=subprocess.DEVNULL)
    except (subprocess.CalledProcessError, OSError):
        sys.exit("✗ .venv could not be made: is the disk full, or (on Debian and Ubuntu) is the package python3-venv missing?")
    STAMP.unlink(missing_ok=True)
    python = str(BIN / "python")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar=off", "-c", "constraints.txt"]
    index = ["--extra-index-url", CPU_INDEX] if torch == "cpu" else []
    run(*pip, *index, "torch", "setuptools")
    run(*pip, "--no-build-isolation", "-e", ".[test]" if kind == "test" else ".")
    run(python, "-m", "ipykernel", "install", "--sys-prefix", "--name", "python3")
    STAMP.write_text(fingerprint(kind, torch), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
