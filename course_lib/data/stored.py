"""Results of runs too long for a lecture, stored as JSON with the machine and the command that made them."""

import json
from pathlib import Path

FOLDER = Path(__file__).parent / "results"


def stored(name: str) -> dict:
    """The stored result `name`; KeyError with the known names where there is none."""
    path = FOLDER / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.json"))) or "none"
        raise KeyError(f"No stored result {name!r}; there are: {known}.")
    return json.loads(path.read_text(encoding="utf-8"))
