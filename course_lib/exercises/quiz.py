"""A vote: the letters of a choice exercise as radio buttons, for "predict before you run" in a room or alone."""

import html

import ipywidgets as W
from IPython import get_ipython

from course_lib.exercises.feedback import LOOKS
from course_lib.exercises.kinds import Choice
from course_lib.exercises.registry import find


class Quiz(W.VBox):
    """Radio buttons, one per letter, and what the chosen one earns; without widgets it says how to vote in text."""

    def __init__(self, exercise: Choice):
        self.exercise = exercise
        self.buttons = W.RadioButtons(options=exercise.letters, value=None, orientation="horizontal", layout=W.Layout(width="auto"))
        self.answer = W.HTML()
        super().__init__([W.HTML("<b>Vote:</b>"), self.buttons, self.answer])
        self.add_class("course-quiz")
        self.buttons.observe(lambda change: self._say(change["new"]), "value")

    def _say(self, letter: str) -> None:
        right, words = explain(self.exercise, letter)
        sign, colour, _ = LOOKS["correct" if right else "wrong"]
        style = f"border-left:6px solid {colour};padding:2px 14px;line-height:1.4;white-space:normal"
        self.answer.value = f'<div role="status" style="{style}"><b>{sign} ({letter})</b> {html.escape(words)}</div>'

    def __repr__(self) -> str:
        name = self.exercise.id
        return f'<vote: {", ".join(self.exercise.letters)}; without buttons, quiz("{name}", "{self.exercise.letters[0]}") votes>'

    def _repr_mimebundle_(self, **kwargs) -> dict:
        bundle = super()._repr_mimebundle_(**kwargs)
        bundle = dict(bundle[0] if isinstance(bundle, tuple) else bundle)
        letters = " &emsp; ".join(f"○ {letter}" for letter in self.exercise.letters)
        return bundle | {"text/plain": repr(self), "text/html": f"<b>Vote:</b> &emsp; {letters}"}


def explain(exercise: Choice, letter: str) -> tuple[bool, str]:
    """(right?, the sentence) for a letter."""
    if letter == exercise.reference:
        return True, exercise.why
    return False, next(m.sentence for m in exercise.mistakes if m.variant == letter)


def quiz(exercise_id: str, letter: str | None = None):
    """Show the vote on a choice exercise; with a letter, print what that letter earns (where no widgets run).

    Nothing is stored or scored: an answer that counts is written into the exercise's own cell.
    """
    exercise = find(exercise_id)
    if not isinstance(exercise, Choice):
        raise ValueError(f"{exercise_id} is no multiple choice, so there is nothing to vote on.")
    if letter is None and get_ipython() is not None:
        return Quiz(exercise)
    chosen = "" if letter is None else letter.strip().lower()
    if chosen not in exercise.letters:
        print(f'Vote with quiz("{exercise_id}", letter), one of: {", ".join(exercise.letters)}.')
        return None
    right, words = explain(exercise, chosen)
    print(f"{LOOKS['correct' if right else 'wrong'][0]} ({chosen}) {words}")
    return None
