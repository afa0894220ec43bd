"""That nbval really compares: a changed figure fails, the last digits of a trained one (≈) do not, untagged cells may differ."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("stored", "tags", "passes"),
    [
        ("V = -1.386, W = ≈0.31\n", ["nbval-check-output"], True),
        ("V = -1.385, W = ≈0.30\n", ["nbval-check-output"], False),
        ("V = -1.385\n", [], True),
    ],
)
def test_what_is_compared(stored, tags, passes, tmp_path):
    cell = nbformat.v4.new_code_cell('print("V = -1.386, W = ≈0.30")', execution_count=1, metadata={"tags": tags})
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=stored)]
    book = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": {"name": "made-elsewhere", "display_name": "x"}})
    nbformat.write(book, tmp_path / "book.ipynb")
    sanitizer = f"--nbval-sanitize-with={ROOT / 'tests' / 'sanitize.cfg'}"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--nbval-lax",
        "--nbval-current-env",
        sanitizer,
        "book.ipynb",
    ]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode == 0) == passes, done.stdout
