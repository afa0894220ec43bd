"""Where exercises are found: the id `gan_objective.value` lives in `catalogue/gan_objective.py` under the name `value`."""

import difflib
import importlib
import pkgutil

from course_lib.exercises import catalogue
from course_lib.exercises.spec import Exercise


def lectures() -> list[str]:
    """Names of the catalogue files, which are the first part of every exercise id."""
    return sorted(module.name for module in pkgutil.iter_modules(catalogue.__path__))


def exercises(lecture: str) -> dict[str, Exercise]:
    """All exercises of a lecture by id, in the order of the file."""
    module = importlib.import_module(f"{catalogue.__name__}.{lecture}")
    return {e.id: e for e in vars(module).values() if isinstance(e, Exercise)}


def find(exercise_id: str) -> Exercise:
    """The exercise with this id; KeyError with the nearest known id where there is none."""
    lecture = str(exercise_id).partition(".")[0]
    known = exercises(lecture) if lecture in lectures() else {}
    if exercise_id in known:
        return known[exercise_id]
    everything = known or [e for name in lectures() for e in exercises(name)]
    near = difflib.get_close_matches(str(exercise_id), everything, n=1, cutoff=0)
    raise KeyError(f"There is no exercise {exercise_id!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
