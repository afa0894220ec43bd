"""Where exercises are found: `gan_objective.value` is the exercise with that id in `exercises/02_gan_objective.py`."""

import difflib
import functools
import importlib.util
import sys
from pathlib import Path

from course_lib.exercises.spec import Exercise

FOLDER = Path(__file__).resolve().parents[2] / "exercises"  # content, beside the library: one file per lecture


def lectures() -> dict[str, Path]:
    """Catalogue files by topic, the first part of every exercise id."""
    return {path.stem[3:]: path for path in sorted(FOLDER.glob("[0-9][0-9]_*.py"))}


@functools.cache
def exercises(topic: str) -> dict[str, Exercise]:
    """All exercises of a lecture by id, in the order of the file."""
    name = f"course_exercises_{topic}"
    spec = importlib.util.spec_from_file_location(name, lectures()[topic])
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {e.id: e for e in vars(module).values() if isinstance(e, Exercise)}


def find(exercise_id: str) -> Exercise:
    """The exercise with this id; KeyError with the nearest known id where there is none."""
    topic = str(exercise_id).partition(".")[0]
    known = exercises(topic) if topic in lectures() else {}
    if exercise_id in known:
        return known[exercise_id]
    near = difflib.get_close_matches(str(exercise_id), known or [e for t in lectures() for e in exercises(t)], n=1, cutoff=0)
    raise KeyError(f"There is no exercise {exercise_id!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
