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


def memory() -> float | None:
    """Free memory in GB; None where the system does not say."""
    try:
        text = Path("/proc/meminfo").read_text()
        return int(re.search(r"MemAvailable:\s+(\d+)", text)[1]) / 1e6
    except (OSError, TypeError):
        return None


def report() -> tuple[list[str], bool]:
    """(lines to print, whether all is well)."""
    lines, troubles = [f"Python {platform.python_version()} at {sys.executable}"], []
    wanted = pins()
    for name in SHOWN:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            troubles.append(f"{name} is not installed. Run `make lab` again.")
            continue
        lines.append(f"{name} {version}")
        if version.split("+")[0] != wanted.get(name):
            troubles.append(f"{name} is {version}, tested with {wanted.get(name)}. Run `make lab` again if something misbehaves.")
    if not any("torch is not" in t for t in troubles):
        lines += _hardware(troubles)
    free = shutil.disk_usage(ROOT).free / 1e9
    lines.append(f"{free:.1f} GB of disk free")
    if free < NEEDED_DISK:
        troubles.append(f"Only {free:.1f} GB of disk is free; saving a notebook may fail.")
    return lines + [""] + ([f"✗ {t}" for t in troubles] or ["✓ All is well."]), not troubles


def _hardware(troubles: list[str]) -> list[str]:
    import torch

    from course_lib.device import cores, preset, setup

    setup()
    lines = [f"{cores()} CPU cores, {torch.get_num_threads()} thread in use (small nets gain nothing from more)"]
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        lines.append(f"GPU {torch.cuda.get_device_name()}, {free / 1e9:.0f} of {total / 1e9:.0f} GB free")
    else:
        lines.append("No GPU that PyTorch can use; the lectures are made for that.")
    free = memory()
    lines.append("free memory unknown" if free is None else f"{free:.1f} GB of memory free")
    if free is not None and free < NEEDED_MEMORY:
        troubles.append(f"Only {free:.1f} GB of memory is free; close other programs, or a kernel may die.")
    return [*lines, f"preset '{preset()}'"]
