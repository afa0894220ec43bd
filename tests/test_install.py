"""Setting up: what can go wrong gets one sentence. The installation itself is what CI does first."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[1] / "tools" / "install.py"
spec = importlib.util.spec_from_file_location("install", PATH)
install = importlib.util.module_from_spec(spec)
spec.loader.exec_module(install)


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A project folder without an installation."""
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    venv = tmp_path / ".venv"
    binaries = venv / ("Scripts" if sys.platform == "win32" else "bin")
    for name, value in {"ROOT": tmp_path, "VENV": venv, "BIN": binaries, "STAMP": venv / "installed.txt"}.items():
        monkeypatch.setattr(install, name, value)
    return tmp_path


def sentence(*arguments):
    with pytest.raises(SystemExit) as stop:
        install.main(list(arguments))
    assert stop.value.code.startswith("✗ ") and "\n" not in stop.value.code
    return stop.value.code


def test_an_old_python(fresh, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert "3.11 or newer" in sentence("lab") and "is 3.9" in sentence("lab")


def test_a_full_disk(fresh, monkeypatch):
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 3e8}))
    assert "Only 0.3 GB" in sentence("lab")


def test_no_network(fresh, monkeypatch):
    """A real pip with an index nobody answers."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    (fresh / "constraints.txt").write_text("")
    assert "cannot be reached" in sentence("lab")
    assert not install.installed("lab", "") and (fresh / ".venv" / "install.log").read_text()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("Failed to establish a new connection: [Errno -3] Temporary failure in name resolution", "network"),
        ("ERROR: Package 'x' requires a different Python: 3.10.1 not in '>=3.11'", "does not support this Python"),
        ("ERROR: something else", "install.log"),
    ],
)
def test_pips_words_become_one_sentence(output, words):
    assert words in install.explain(output)


def test_a_second_time_does_nothing(fresh, monkeypatch):
    ran = []
    monkeypatch.setattr(
        install.subprocess, "run", lambda command, **_: ran.append(command) or subprocess.CompletedProcess(command, 0, "")
    )
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 9e10}))
    install.BIN.mkdir(parents=True)
    (install.BIN / "course").touch()
    install.main(["test", "cpu"])
    assert any(install.CPU_INDEX in command for command in ran) and any(".[test]" in command for command in ran)
    count = len(ran)
    install.main(["test", "cpu"])
    install.main(["lab", "cpu"])  # what the tests need includes what the lab needs
    assert len(ran) == count
    (fresh / "constraints.txt").write_text("changed")
    install.main(["lab"])
    assert len(ran) > count
