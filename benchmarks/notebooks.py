"""Seconds that each notebook takes from start to end, solved and with nothing solved: `python benchmarks/notebooks.py`.

Each runs in a kernel of its own, pinned to two cores where the system can, with nothing else running. Writes
results/notebooks.json, from which `course build` makes the README's table.
"""

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from results import machine, store

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "notebooks.json"


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
    store(RESULT, "python benchmarks/notebooks.py", {"seconds": table}, f"2 cores of {machine()}")


if __name__ == "__main__":
    main()
