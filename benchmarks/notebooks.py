"""Seconds that each notebook takes from start to end, solved and with nothing solved: `python benchmarks/notebooks.py`.

Each runs in a kernel of its own, pinned to two cores where the system can, with nothing else running. Writes
results/notebooks.json, from which `course build` makes the README's table.
"""

import json
import os
import platform
import sys
import time
from pathlib import Path

import nbformat
import torch
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "notebooks.json"


def machine() -> str:
    """The processor, as a reader would name it, and the two cores used of it."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        name = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), name)
    return f"2 cores of {name}, {platform.system()}, Python {platform.python_version()}, PyTorch {torch.__version__}"


def seconds(path: Path) -> float:
    """Wall time of a whole run, kernel start included."""
    os.environ.update(COURSE_HEADLESS="1", COURSE_PRESET="laptop")
    client = NotebookClient(nbformat.read(path, 4), timeout=600, resources={"metadata": {"path": str(path.parent)}})
    began = time.perf_counter()
    client.execute()
    return round(time.perf_counter() - began, 1)


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    table = {}
    for lecture in sorted((ROOT / "lectures").glob("*.ipynb")):
        table[lecture.stem] = {"solved": seconds(ROOT / "solutions" / lecture.name), "unsolved": seconds(lecture)}
        print(lecture.stem, table[lecture.stem], file=sys.stderr, flush=True)
    result = {"command": "python benchmarks/notebooks.py", "machine": machine(), "seconds": table}
    draft = RESULT.with_suffix(".part")
    draft.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    os.replace(draft, RESULT)


if __name__ == "__main__":
    main()
