"""Running lectures once before a class: caches of the machine get warm, and nobody is surprised by what a lecture takes."""

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parents[2]


def seconds(path: Path, **environment: str) -> float:
    """Wall time of a whole run of a notebook in a kernel of its own, start included; nothing is written."""
    client = NotebookClient(nbformat.read(path, 4), timeout=600, resources={"metadata": {"path": str(path.parent)}})
    began = time.perf_counter()
    client.execute(env={**os.environ, "COURSE_HEADLESS": "1", **environment}, cleanup_kc=True)
    return time.perf_counter() - began


def warm(sources: list[Path], say=print) -> int:
    """Run the solved notebook of every source, print what it took; 1 if any failed, else 0. Stops at Ctrl-C."""
    failed = 0
    try:
        for source in sources:
            print(f"{source.stem} …", end="\r", file=sys.stderr, flush=True)
            try:
                took = f"{seconds(source.with_suffix('.ipynb')):5.0f} s"
            except CellExecutionError as error:
                took, failed = f"✗ {error.ename}: {error.evalue}", 1
            say(f"{source.stem:24} {took}")
    except KeyboardInterrupt:
        return 1
    say("Run All takes about as long in JupyterLab; live pictures add at most a twentieth.")
    return failed
