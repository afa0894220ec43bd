"""What machine this is, and what is wrong with it, in plain words."""

import importlib.metadata
import platform
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHOWN = ("torch", "jupyterlab", "ipywidgets", "matplotlib", "numpy", "scikit-learn")
NEEDED_MEMORY, NEEDED_DISK = 3.0, 1.0  # GB


def pins() -> dict[str, str]:
    """Package -> pinned version, as the constraints file says."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {m[1].lower(): m[2] for line in lines if (m := re.match(r"([\w.-]+)==([\w.+!-]+)", line))}


def memory() -> float:
    """Free memory in GB."""
    import psutil  # with ipykernel; only here, so that the absence of all is a sentence

    return psutil.virtual_memory().available / 1e9


def report() -> tuple[list[str], bool]:
    """(lines to print, whether all is well)."""
    lines, troubles, wanted = [f"Python {platform.python_version()} at {sys.executable}"], [], pins()
    for name in SHOWN:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return [*lines, f"✗ {name} is not installed. Run `make lab` again."], False
        lines.append(f"{name} {version}")
        if version.split("+")[0] != wanted.get(name):
            troubles.append(f"{name} is {version}, tested with {wanted.get(name)}. Run `make lab` again if something misbehaves.")
    import torch  # only here, so that its absence is a sentence

    from course_lib.device import setup

    lines.append(setup())
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        lines.append(f"{free / 1e9:.0f} of {total / 1e9:.0f} GB of GPU memory free")
    else:
        lines.append("No GPU that PyTorch can use; the lectures are made for that.")
    disk, ram = shutil.disk_usage(ROOT).free / 1e9, memory()
    lines.append(f"{ram:.1f} GB of memory free, {disk:.1f} GB of disk free")
    if disk < NEEDED_DISK:
        troubles.append(f"Only {disk:.1f} GB of disk is free; saving a notebook may fail.")
    if ram < NEEDED_MEMORY:
        troubles.append(f"Only {ram:.1f} GB of memory is free; close other programs, or a kernel may die.")
    return lines + ([f"✗ {t}" for t in troubles] or ["✓ All is well."]), not troubles
