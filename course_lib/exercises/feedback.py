"""The five outcomes of a check, as HTML that also reads as text. Wording only: nothing is decided here."""

import html
import re
import traceback
from dataclasses import dataclass, field

from course_lib.exercises.guard import TimeLimit
from course_lib.exercises.spec import Exercise

# outcome -> sign, colour of the bar (readable on white and on black), heading
LOOKS = {
    "correct": ("✓", "#009E73", "correct"),
    "partly": ("◐", "#E69F00", "partly right"),
    "wrong": ("✗", "#D55E00", "not right yet"),
    "error": ("!", "#D55E00", "your code stopped with an error"),
    "open": ("○", "#0072B2", "not started"),
}


@dataclass
class Feedback:
    """One check's outcome: what to show, and the share of the points."""

    exercise: Exercise
    outcome: str
    message: str
    passed: list[tuple[str, bool]] = field(default_factory=list)
    trace: str = ""
    printed: str = ""
    share: float = 0.0
    goes_on: str = ""

    def heading(self) -> str:
        sign, _, words = LOOKS[self.outcome]
        score = self.share * self.exercise.points
        points = "point" if self.exercise.points == 1 else "points"
        return f"{sign} {self.exercise.id}: {words} ({score:.2g} of {self.exercise.points} {points})"

    def properties(self) -> str:
        if self.outcome in ("open", "error") or len(self.passed) < 2 or all(ok for _, ok in self.passed):
            return ""
        return "Tried on " + ", ".join(f"{label} {'✓' if ok else '✗'}" for label, ok in self.passed) + "."

    def __str__(self) -> str:
        lines = [self.heading(), self.message, self.properties(), self.trace, self.printed, self.goes_on]
        return "\n".join(line for line in lines if line)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        _, colour, _ = LOOKS[self.outcome]

        def block(tag: str, text: str, style: str = "margin:4px 0") -> str:
            inside = html.escape(text)
            inside = inside if tag == "pre" else re.sub(r"`([^`]+)`", r"<code>\1</code>", inside)
            return f'<{tag} style="{style}">{inside}</{tag}>' if text else ""

        code = "margin:4px 0;padding:6px 10px;background:#8882;white-space:pre-wrap;overflow-wrap:anywhere;font-size:90%"
        return (
            f'<div role="status" style="border-left:6px solid {colour};padding:2px 14px;margin:6px 0;max-width:62em">'
            + f"<b>{html.escape(self.heading())}</b>"
            + block("p", self.message)
            + block("p", self.properties(), "margin:4px 0;opacity:.85")
            + block("pre", self.trace, code)
            + block("pre", self.printed, code)
            + block("p", self.goes_on, "margin:4px 0;opacity:.85")
            + "</div>"
        )


def explain_error(error: BaseException, seconds: float) -> tuple[str, str]:
    """(a sentence, a trimmed traceback) for an exception out of a learner's code."""
    if isinstance(error, TimeLimit):
        return f"It was still running after {seconds:g} s and was stopped. Is there a loop that never ends?", ""
    if isinstance(error, SystemExit):
        return "It called exit(). Return the result instead; nothing needs to exit here.", ""
    if isinstance(error, KeyboardInterrupt):
        return "The check was interrupted. Run the cell again when you like.", ""
    if isinstance(error, RecursionError):
        return "The function calls itself without end.", ""
    text = str(error).strip() or "without a message"
    lines = []  # of the learner's own cells on the way to the exception, the deepest last
    for frame in traceback.extract_tb(error.__traceback__):
        inside = "course_lib" in frame.filename or "site-packages" in frame.filename or frame.filename.startswith("<frozen")
        if frame.line and not inside:
            lines.append(f"line {frame.lineno} of {frame.name}:  {frame.line[:200]}")
    return f"{type(error).__name__}: {text[:400]}", "\n".join(lines[-4:])
