"""Every exercise: right spellings pass, every known mistake earns its own sentence, a stub earns nothing."""

import ast

import pytest

from course_lib.exercises.check import assess, source
from course_lib.exercises.kinds import Challenge, Choice, Value
from course_lib.exercises.registry import exercises, lectures

EVERY = {e.id: e for topic in lectures() for e in exercises(topic).values()}
each = pytest.mark.parametrize("exercise", EVERY.values(), ids=EVERY.keys())
SEEDS = range(200)


def seeds(exercise):
    """Challenges have no random inputs, and train: a few times will do."""
    return range(3) if isinstance(exercise, Challenge) else SEEDS


@each
def test_reference_passes_on_all_seeds(exercise):
    for seed in seeds(exercise):
        feedback = assess(exercise, exercise.reference, seed)
        assert feedback.outcome == "correct", f"seed {seed}: {feedback}"


@each
def test_other_right_spellings_pass(exercise):
    assert len(exercise.spellings) >= 2
    for number, spelling in enumerate(exercise.spellings):
        for seed in list(seeds(exercise))[:20]:
            feedback = assess(exercise, spelling, seed)
            assert feedback.outcome == "correct", f"spelling {number}, seed {seed}: {feedback}"


@each
def test_every_mistake_earns_its_own_sentence(exercise):
    sentences = [m.sentence for m in exercise.mistakes]
    assert len(set(sentences)) == len(sentences) >= 4
    for mistake in exercise.mistakes:
        for seed in list(seeds(exercise))[:20]:
            feedback = assess(exercise, mistake.variant, seed)
            assert feedback.outcome in ("wrong", "partly", "error"), f"seed {seed} passes the mistake: {mistake.sentence}"
            assert mistake.sentence in feedback.message, f"seed {seed}: {mistake.sentence!r} but {feedback.message!r}"
            assert feedback.share < 1


@each
def test_a_stub_earns_nothing(exercise):
    def stub(*args, **kwargs):
        raise NotImplementedError

    for answer in (..., None) if isinstance(exercise, (Choice, Value)) else (..., stub):
        feedback = assess(exercise, answer, 0)
        assert (feedback.outcome, feedback.share) in (("open", 0), ("wrong", 0))


@each
def test_answers_of_no_kind_never_raise(exercise):
    for answer in ("text", 3.0, float("nan"), [1, 2], {}, int, lambda *a: "text", lambda *a: None, lambda *a: [1.0], lambda: 0):
        feedback = assess(exercise, answer, 0)
        assert feedback.outcome != "correct" or answer == exercise.reference
        assert feedback.message
        assert str(feedback) and feedback._repr_html_()


@each
def test_has_hints_and_a_solution_to_show(exercise):
    assert len(exercise.hints) >= 2
    tree = ast.parse(source(exercise))
    if not isinstance(exercise, (Choice, Value)):
        assert tree.body[0].name == exercise.name
        assert exercise.reference.__doc__ is None  # the notebook's stub has the docstring


def test_every_kind_is_used_or_tested():
    kinds = {type(e).__name__ for e in EVERY.values()}
    assert kinds == {"Function", "Sampler", "Module", "Value", "Choice", "Challenge"} and len(EVERY) >= 16
