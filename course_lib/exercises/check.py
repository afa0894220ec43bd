"""The instant check: find the learner's answer by name, try it on fresh inputs, say what is wrong, never raise, never block."""

import ast
import inspect
import secrets
import sys
import textwrap
from typing import Any

from IPython import get_ipython
from IPython.display import display

from course_lib.exercises.feedback import Feedback, explain_error
from course_lib.exercises.guard import call
from course_lib.exercises.registry import find
from course_lib.exercises.spec import Exercise, Mistake, Nonsense, Outputs

_latest: dict[str, Feedback] = {}
_hints_shown: dict[str, int] = {}


def _attempt(exercise: Exercise, answer: Any, args: tuple) -> Outputs | Exception:
    """One answer on one case: arrays, or what it raised (Nonsense among it), except what must stop the whole check."""
    try:
        return exercise.run(answer, args)
    except Exception as error:
        return error


def _shows(exercise: Exercise, mistake: Mistake, args: tuple, mine: Outputs | Exception) -> bool:
    """True where the learner's attempt makes this mistake."""
    if mistake.sign is not None:
        return isinstance(mine, dict) and bool(mistake.sign(mine))
    other = _attempt(exercise, mistake.variant, args)
    return exercise.matches(mine, other) if isinstance(mine, dict) and isinstance(other, dict) else repr(mine) == repr(other)


def assess(exercise: Exercise, answer: Any, seed: int) -> Feedback:
    """Judge an answer on the cases of one seed. Everything of the learner's runs in here; so guard it with `call`."""
    if answer is ... or answer is None:  # what a stub leaves behind
        return Feedback(exercise, "open", _OPEN)
    cases, passed, first = exercise.cases(seed), [], None
    for label, args in cases.items():
        expected = exercise.expect(args)  # first: a learner's code might change what the arguments hold
        mine = _attempt(exercise, answer, args)
        if isinstance(mine, NotImplementedError) and not str(mine):  # a stub's; torch gives a text with its own
            return Feedback(exercise, "open", _OPEN)
        trouble = exercise.judge(mine, expected) if isinstance(mine, dict) else str(mine) or "error"
        passed.append((label, not trouble))
        if trouble and first is None:
            first = (label, args, mine, trouble)
    if first is None:
        return Feedback(exercise, "correct", exercise.praise(mine), passed, share=1.0)
    label, args, mine, trouble = first
    share = exercise.share(passed, mine if isinstance(mine, dict) else None)
    known = next((m.sentence for m in exercise.mistakes if _shows(exercise, m, args, mine)), "")
    if isinstance(mine, Exception) and not isinstance(mine, Nonsense):
        message, trace = explain_error(mine, exercise.seconds)
        return Feedback(exercise, "error", f"{known} ({message})" if known else message, passed, trace, share=share)
    place = "" if len(cases) == 1 or passed[0][0] == label else f"On {label}: "
    message = f"{known} {trouble}" if known and exercise.scored and trouble != known else known or place + trouble
    return Feedback(exercise, "partly" if share else "wrong", message, passed, share=share)


_OPEN = "Replace the part marked YOUR CODE HERE, run that cell, then run this one again."
_MISSING = object()


def check(exercise_id: str, answer: Any = _MISSING) -> Any:
    """Check the learner's answer, show the outcome, and return what the notebook goes on with; never raises.

    The answer is found by the exercise's name in the calling notebook. If it is correct it is returned, else the
    course's own version is, so that an open exercise never blocks what follows (a number or a choice returns nothing).
    This is a practice check in your own process; grading runs elsewhere, with other inputs.
    """
    exercise = find(exercise_id)
    by_name = answer is _MISSING
    if by_name:
        answer = sys._getframe(1).f_globals.get(exercise.name, ...)
    plain = not callable(exercise.reference)  # a number or a letter: nothing that cells below could call
    if answer is exercise.reference and not plain:
        text = f"{exercise.name} is the course's own version at the moment. Run your answer cell, then this one again."
        feedback, error, printed = Feedback(exercise, "open", text), None, ""
    else:
        seed = secrets.randbelow(2**31)
        feedback, error, printed = call(lambda: assess(exercise, answer, seed), exercise.seconds)
    if error is not None:
        message, trace = explain_error(error, exercise.seconds)
        if isinstance(error, Exception):  # a learner's exceptions are caught further in: this one is ours
            message = f"The check itself failed, which is the course's fault, not yours ({message})."
        feedback = Feedback(exercise, "error", message, trace=trace)
    feedback.printed = f"Your code printed:\n{printed}" if printed else ""
    good = feedback.outcome == "correct"
    if not good and not plain:
        feedback.goes_on = f"The notebook goes on with the course's own {exercise.name}, so nothing below waits for you."
    if by_name:
        _latest[exercise_id] = feedback
    _show(feedback)
    return None if plain else answer if good else exercise.reference


def _show(thing: Any) -> None:
    """Display feedback, or text (Markdown that reads as text too); print it where there is no notebook."""
    if get_ipython() is None:
        print(thing)
        return
    text = isinstance(thing, str)
    display({"text/plain": thing, "text/markdown": thing} if text else thing, raw=text)


def hint(exercise_id: str) -> None:
    """Show the next hint; every call goes one level further."""
    exercise = find(exercise_id)
    shown = min(_hints_shown.get(exercise_id, 0) + 1, len(exercise.hints))
    _hints_shown[exercise_id] = shown
    if not shown:
        _show("This exercise has no hints.")
        return
    more = "" if shown < len(exercise.hints) else f' That was the last one; `solution("{exercise_id}")` shows an answer.'
    _show(f"**Hint {shown} of {len(exercise.hints)}.** {exercise.hints[shown - 1]}{more}")


def source(exercise: Exercise) -> str:
    """The reference answer as code, without the decorator that makes it an exercise."""
    if not callable(exercise.reference):
        return f"{exercise.name} = {exercise.reference!r}"
    text = textwrap.dedent(inspect.getsource(exercise.reference))
    start = ast.parse(text).body[0].lineno - 1
    return "\n".join(text.splitlines()[start:])


def solution(exercise_id: str) -> None:
    """Show the course's own answer."""
    _show(f"```python\n{source(find(exercise_id))}\n```")


def score() -> None:
    """Show what has been checked so far in this session, and the points."""
    if not _latest:
        _show("Nothing has been checked yet.")
        return
    lines = [f.heading() for f in _latest.values()]
    got = sum(f.share * f.exercise.points for f in _latest.values())
    total = sum(f.exercise.points for f in _latest.values())
    _show("\n".join(f"- {line}" for line in lines) + f"\n\n**{got:g} of {total} points.**")
