"""Results of runs too long for a lecture, stored as JSON with the machine and the command that made them."""

import json
import os
from pathlib import Path

FOLDER = Path(__file__).parent / "results"


def stored(name: str) -> dict:
    """The stored result `name`; KeyError with the known names where there is none."""
    path = FOLDER / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.json"))) or "none"
        raise KeyError(f"No stored result {name!r}; there are: {known}.")
    return json.loads(path.read_text(encoding="utf-8"))


def store(name: str, result: dict) -> Path:
    """Write a result whole or not at all; `result` must name its machine and command."""
    missing = {"command", "machine"} - result.keys()
    if missing:
        raise ValueError(f"A stored result names its {' and '.join(sorted(missing))}.")
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(draft, path)
    return path
