"""The instant check as learners meet it: five outcomes, no way to stop the notebook."""

import builtins
import signal
import sys
import threading
import time

import pytest
import torch

from course_lib import check, hint, quiz, score, solution
from course_lib.exercises import find
from course_lib.exercises.guard import TimeLimit, call, time_limit
from course_lib.exercises.kinds import challenge, module, sampler, value
from course_lib.exercises.quiz import Quiz

ID = "start_here.logistic"
check_module = sys.modules["course_lib.exercises.check"]


def outcome(answer, exercise_id=ID):
    """(outcome, text) of checking an answer as a notebook does: by its name in the caller's globals."""
    name = find(exercise_id).name
    scope = {"check": check, name: answer}
    exec(f'result = check("{exercise_id}")', scope)
    feedback = check_module._latest[exercise_id]
    own = scope["result"] is answer
    assert own == (feedback.outcome == "correct")
    return feedback.outcome, str(feedback)


def sigmoid(logit):
    return torch.sigmoid(logit)


def misspelt(logit):
    return logit + undefined_name  # noqa: F821


def test_five_outcomes():
    assert outcome(sigmoid)[0] == "correct"
    assert outcome(lambda logit: 1 / (1 + torch.exp(-logit)))[0] == "partly"
    assert outcome(lambda logit: logit)[0] == "wrong"
    assert outcome(lambda logit: logit.nope)[0] == "error"
    assert outcome(...)[0] == "open"


def test_a_missing_answer_is_not_started():
    scope = {"check": check}
    exec(f'result = check("{ID}")', scope)
    assert check_module._latest[ID].outcome == "open" and scope["result"] is find(ID).reference


def test_the_courses_own_version_does_not_count():
    scope = {"check": check, "logistic": find(ID).reference}
    exec(f'check("{ID}")', scope)
    feedback = check_module._latest[ID]
    assert feedback.outcome == "open" and "course's own version" in feedback.message and feedback.share == 0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: None, "`return` missing"),
        (lambda x: "text", "returned text"),
        (lambda x: [1.0], "returned a list"),
        (lambda x: x.detach().numpy(), "NumPy"),
        (lambda x: x * float("nan"), "is nan"),
        (lambda x: x[..., :1], "has shape"),
        (lambda x: torch.sigmoid(x).float(), "dtype float32"),
        (lambda x: (torch.sigmoid(x), x), "2 tensors"),
        (lambda x: torch.sigmoid(x) + 0j, "complex"),
        (lambda x: x.sigmoid_(), "in place"),
        (lambda: 1, "positional argument"),
        (lambda x: exit(), "called exit()"),
        (lambda x: sys.exit(1), "called exit()"),
        (lambda x: x / [], "TypeError"),
        (7, "not a function"),
        ("text", "not a function"),
    ],
)
def test_nonsense_gets_a_sentence(answer, words):
    state, text = outcome(answer)
    assert state in ("wrong", "error", "partly") and words in text


def test_floods_of_text_are_cut():
    state, text = outcome(lambda x: print("x" * 10**7) or torch.sigmoid(x))
    assert state == "correct" and "more characters" in text and len(text) < 5000


def test_the_traceback_shows_the_learners_line_only():
    _, text = outcome(misspelt)
    assert "NameError" in text and "of misspelt:  return logit + undefined_name" in text
    assert "course_lib" not in text and "Traceback" not in text


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(find(ID), "seconds", 0.4)


def forever():
    while True:
        pass


def swallowing():
    while True:
        try:  # noqa: SIM105
            time.sleep(0.01)
        except:  # noqa: E722
            pass


@pytest.mark.parametrize("loop", [forever, swallowing, lambda: time.sleep(60)])
def test_endless_loops_are_stopped(loop, quick):
    began = time.perf_counter()
    state, text = outcome(lambda x: loop())
    assert state == "error" and "never ends" in text
    assert time.perf_counter() - began < 10
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0 and sys.gettrace() is None


def test_the_limit_without_signals():
    """As on Windows, or off the main thread."""
    caught = []

    def work():
        try:
            with time_limit(0.2):
                forever()
        except TimeLimit:
            caught.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert caught == [True]


def test_nothing_is_left_changed():
    before, state = (builtins.exit, sys.stdout, signal.getsignal(signal.SIGALRM)), torch.get_rng_state()
    outcome(lambda x: torch.manual_seed(3) and exit())
    assert (builtins.exit, sys.stdout, signal.getsignal(signal.SIGALRM)) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert call(lambda: 1 / 0, 1)[1].__class__ is ZeroDivisionError
    assert isinstance(call(lambda: (_ for _ in ()).throw(KeyboardInterrupt), 1)[1], KeyboardInterrupt)


def test_html_escapes_what_the_learner_wrote():
    def bad(logit):
        raise ValueError("<script>alert(1)</script>")

    outcome(bad)
    page = check_module._latest[ID]._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_an_unknown_id_names_the_nearest():
    with pytest.raises(KeyError, match=r"start_here\.logistic"):
        check("start_here.logistik")
    with pytest.raises(KeyError, match="Did you mean"):
        check("star_here.logistic")


def test_hints_go_deeper_and_the_solution_is_shown(capsys):
    check_module._hints_shown.clear()
    for level in (1, 2, 3, 3):
        hint(ID)
        assert f"Hint {level} of 3" in capsys.readouterr().out
    solution(ID)
    assert "return torch.sigmoid(logit)" in capsys.readouterr().out
    outcome(sigmoid)
    score()
    assert "correct" in capsys.readouterr().out


def assess(exercise, answer, seed=0):
    return check_module.assess(exercise, answer, seed)


def register(monkeypatch, exercise):
    """Let a made-up exercise be found by its id."""
    monkeypatch.setattr(check_module, "find", lambda _id: exercise)
    return exercise


def test_samplers_are_judged_by_distribution(monkeypatch):
    @sampler("test.normal", draw=lambda g: {"samples": (g.number(1, 2),)}, samples=800)
    def normal(scale, n, generator):
        return scale * torch.randn(n, 2, generator=generator)

    register(monkeypatch, normal)
    normal.mistake("That is the variance.", lambda s, n, generator: s**0.5 * torch.randn(n, 2, generator=generator))
    for seed in range(30):
        assert assess(normal, lambda s, n, g: torch.randn(n, 2, generator=g) * s, seed).outcome == "correct"
    assert "another distribution" in assess(normal, lambda s, n, g: 3 + torch.randn(n, 2, generator=g)).message
    assert "seeded" in assess(normal, lambda s, n, g: s * torch.randn(n, 2)).message
    fixed = torch.randn(800, 2, generator=torch.Generator().manual_seed(0))
    assert "nothing random" in assess(normal, lambda s, n, g: s * fixed).message
    assert "shape" in assess(normal, lambda s, n, g: torch.randn(n, 3, generator=g)).message
    assert "NaN" in assess(normal, lambda s, n, g: torch.full((n, 2), float("nan"))).message


def test_modules_are_judged_by_what_right_ones_share(monkeypatch):
    @module("test.net", draw=lambda g: {"a batch": ((3, 2), g.normal(5, 3))})
    class Net(torch.nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.layer = torch.nn.Linear(inputs, outputs)

        def forward(self, x):
            return self.layer(x)

    register(monkeypatch, Net)
    linear = torch.nn.Linear

    class Unused(linear):
        def __init__(self, i, o):
            super().__init__(i, o, bias=False)
            self.extra = torch.nn.Parameter(torch.zeros(o))

    class Mixing(linear):
        def forward(self, x):
            return super().forward(x - x.mean(0))

    assert assess(Net, linear).outcome == "correct"
    assert "parameters" in assess(Net, lambda: 0).message or "nn.Module" in assess(Net, lambda: 0).message
    assert (
        "8 are wanted"
        in assess(Net, type("Small", (linear,), {"__init__": lambda s, i, o: linear.__init__(s, i, o, False)})).message
    )
    assert "no gradient" in assess(Net, Unused).message
    assert "other rows" in assess(Net, Mixing).message
    assert "shape" in assess(Net, type("Wide", (linear,), {"forward": lambda s, x: linear.forward(s, x).repeat(1, 2)})).message


def test_values_and_challenges(monkeypatch):
    exercise = register(monkeypatch, value("test.value", "v", 30.0, wrong={15.0: "You forgot a factor 2."}))
    assert assess(exercise, 30).outcome == assess(exercise, torch.tensor(30.001)).outcome == "correct"
    assert assess(exercise, 15).message == "You forgot a factor 2."
    assert "too large" in assess(exercise, 31).message and "One number" in assess(exercise, torch.ones(2)).message

    @challenge("test.challenge", metric=lambda t: t.abs().max().item(), goal=0.1, half=1.0, unit="error")
    def zeros():
        return torch.zeros(4)

    register(monkeypatch, zeros)
    assert assess(zeros, lambda: torch.full((4,), 0.05)).outcome == "correct"
    half = assess(zeros, lambda: torch.full((4,), 0.5))
    assert (half.outcome, half.share) == ("partly", 0.5) and "error is 0.5" in half.message
    assert assess(zeros, lambda: torch.full((4,), float("nan"))).share == 0
    assert "shape" in assess(zeros, lambda: torch.zeros(5)).message


def test_a_vote_explains_every_letter_with_and_without_buttons(capsys):
    exercise = find("gan_objective.predict")
    vote = Quiz(exercise)
    assert repr(vote) == '<vote: a, b, c, d, e; without buttons, quiz("gan_objective.predict", "a") votes>'
    assert "○ a" in vote._repr_mimebundle_()["text/html"]
    said = set()
    for letter in exercise.letters:
        vote.buttons.value = letter
        right = letter == exercise.reference
        assert ("✓" in vote.answer.value) is right and ("✗" in vote.answer.value) is not right
        assert 'role="status"' in vote.answer.value
        said.add(vote.answer.value)
        assert quiz("gan_objective.predict", f" {letter.upper()}") is None
        assert capsys.readouterr().out.startswith(f"{'✓' if right else '✗'} ({letter}) ")
    assert len(said) == 5
    quiz("gan_objective.predict", "z")
    assert "one of: a, b, c, d, e" in capsys.readouterr().out
    quiz("gan_objective.predict")  # no notebook, so no buttons
    assert "Vote with quiz(" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no multiple choice"):
        quiz("gan_objective.value")
