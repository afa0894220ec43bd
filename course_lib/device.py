"""The machine: device, seeds, threads, and the preset (laptop, gpu, smoke). Nothing here knows of data or nets."""

import contextlib
import ctypes
import os
import random
import sys

import numpy as np
import torch

PRESETS = ("laptop", "gpu", "smoke")


def preset() -> str:
    """Size of the experiments: COURSE_PRESET if set, else 'gpu' where CUDA is, else 'laptop'."""
    wanted = os.environ.get("COURSE_PRESET", "")
    if wanted and wanted not in PRESETS:
        raise ValueError(f"COURSE_PRESET is {wanted!r}; it can be one of {', '.join(PRESETS)}.")
    return wanted or ("gpu" if torch.cuda.is_available() else "laptop")


def pick(laptop, gpu=None, smoke=None):
    """The value for this machine's preset; `laptop` where the other is not given."""
    value = {"laptop": laptop, "gpu": gpu, "smoke": smoke}[preset()]
    return laptop if value is None else value


def headless() -> bool:
    """True where nobody watches (builds, tests): displays are then plain, final, and stable."""
    return os.environ.get("COURSE_HEADLESS", "") not in ("", "0")


def default_device() -> torch.device:
    """CUDA where it is, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def generator(seed: int) -> torch.Generator:
    """A seeded random generator on the default device."""
    return torch.Generator(default_device()).manual_seed(seed)


def cores() -> int:
    """CPU cores that this process may use (its affinity and, in a container, its quota may be below the machine's)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep_memory() -> None:
    """Stop glibc from handing freed memory back after every step: convolutional nets spend less time in page faults."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):  # another C library: nothing to tell it
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD
            mallopt(-4, 0)  # M_MMAP_MAX


def setup(seed: int = 0, threads: int = 1) -> str:
    """Seed Python, NumPy, and PyTorch, choose threads and device; returns a sentence on what was found.

    One thread is the default: small nets gain nothing from a second one, and sums then have the same
    rounding on two and on sixteen cores.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    keep_memory()
    where = f"{cores()} CPU cores ({threads} used)"
    if torch.cuda.is_available():
        torch.set_default_device("cuda")  # on a CPU this would only add work to every call
        where = torch.cuda.get_device_name()
    return f"PyTorch {torch.__version__}, Python {sys.version.split()[0]}, {where}, preset '{preset()}'."
