"""Seconds that each notebook takes from start to end, solved and with nothing solved: `python benchmarks/notebooks.py`.

Each runs in a kernel of its own, pinned to two cores where the system can, with nothing else running. Writes
results/notebooks.json, from which `course build` makes the README's table.
"""

import os
import sys
from pathlib import Path

from results import machine, store

from course_lib.lab.warm import seconds

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "notebooks.json"


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    table = {}
    for lecture in sorted((ROOT / "lectures").glob("*.ipynb")):
        both = {"solved": ROOT / "solutions" / lecture.name, "unsolved": lecture}
        table[lecture.stem] = {kind: round(seconds(path, COURSE_PRESET="laptop"), 1) for kind, path in both.items()}
        print(lecture.stem, table[lecture.stem], file=sys.stderr, flush=True)
    store(RESULT, "python benchmarks/notebooks.py", {"seconds": table}, f"2 cores of {machine()}")


if __name__ == "__main__":
    main()
