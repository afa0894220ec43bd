"""What an exercise is. `attempt` calls the learner's answer and keeps plain arrays; `judge` compares arrays and never calls it.

That split is what lets a grader run the first in a sandbox and the second outside it. No exercise is defined here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from course_lib.device import default_device

Outputs = dict[str, Tensor]


class Nonsense(Exception):
    """The answer ran, but what it returned is not of the right kind; the text is the sentence for the learner."""


@dataclass(frozen=True)
class Mistake:
    """A known misconception: the sentence it earns, and an answer that makes it.

    An answer is recognised by giving the variant's outputs, or by `sign(outputs)` where that is said.
    """

    sentence: str
    variant: Any
    sign: Callable[[Outputs], bool] | None = None


class Draw:
    """Random inputs in float64, the same on every device."""

    def __init__(self, seed: int):
        self.generator = torch.Generator("cpu").manual_seed(seed)

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        return (scale * torch.randn(shape, generator=self.generator, dtype=torch.float64, device="cpu")).to(default_device())

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        share = torch.rand(shape, generator=self.generator, dtype=torch.float64, device="cpu")
        return (low + (high - low) * share).to(default_device())

    def number(self, low: float, high: float) -> float:
        return self.uniform(low=low, high=high).item()

    def integer(self, low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=self.generator, device="cpu"))


@dataclass(frozen=True)
class Affine:
    """A callable argument described by data: x -> x A^T + b. Exercises that take a function are handed one of these."""

    A: Tensor
    b: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return x @ self.A.T + self.b


@dataclass(frozen=True)
class Normal:
    """A callable argument described by data: the density of N(mean, std^2) on the line."""

    mean: float
    std: float

    def __call__(self, x: Tensor) -> Tensor:
        return torch.exp(-0.5 * ((x - self.mean) / self.std) ** 2) / (self.std * math.sqrt(2 * math.pi))


@dataclass
class Exercise:
    """Common to all kinds: an id, the name the learner's answer has in the notebook, points, hints, and the catalogue."""

    id: str
    name: str
    reference: Any
    points: int = 1
    hints: Sequence[str] = ()
    mistakes: list[Mistake] = field(default_factory=list)
    spellings: list[Any] = field(default_factory=list)
    draw: Callable[["Draw"], dict[str, tuple]] | None = None
    seconds: float = 3.0  # the soft limit of a whole check
    scored: bool = False  # a metric's figure is part of every answer

    @classmethod
    def on(cls, exercise_id: str, **options) -> Callable[[Any], "Exercise"]:
        """A decorator that turns the reference below it into an exercise of this kind."""
        return lambda reference: cls(exercise_id, reference.__name__, reference, **options)

    def mistake(self, sentence: str, variant: Any, sign: Callable[[Outputs], bool] | None = None) -> None:
        """Add a known misconception to the catalogue."""
        self.mistakes.append(Mistake(sentence, variant, sign))

    def known(self, right: list, wrong: dict[str, Any]) -> None:
        """Add other right spellings, and mistakes: sentence -> variant, or sentence -> (variant, sign)."""
        self.spellings += right
        for sentence, made in wrong.items():
            self.mistake(sentence, *(made if isinstance(made, tuple) else (made,)))

    def cases(self, seed: int) -> dict[str, tuple]:
        """Arguments by property, the most important first: `{"values": (mu, logvar), "one row": ...}`."""
        return self.draw(Draw(seed)) if self.draw else {"the answer": ()}

    def run(self, answer: Any, args: tuple) -> Outputs:
        """Call the answer on one case and return plain arrays; Nonsense where it gives none."""
        raise NotImplementedError

    def expect(self, args: tuple) -> Outputs:
        """What a right answer gives on one case."""
        return self.run(self.reference, args)

    def judge(self, got: Outputs, expected: Outputs) -> str:
        """Empty where `got` is right, else what is wrong with it, in one or two sentences."""
        raise NotImplementedError

    def matches(self, got: Outputs, other: Outputs) -> bool:
        """True where two answers came to the same arrays, NaN equal to NaN, so that they make the same mistake."""

        def same(a: Tensor, b: Tensor) -> bool:
            return a.shape == b.shape and a.dtype == b.dtype and torch.allclose(a.double(), b.double(), 1e-5, equal_nan=True)

        return got.keys() == other.keys() and all(same(got[name], other[name]) for name in got)

    def share(self, passed: list[tuple[str, bool]], got: Outputs | None) -> float:
        """Share of the points: none where the first, main property fails."""
        return sum(ok for _, ok in passed) / len(passed) if passed[0][1] else 0.0

    def praise(self, got: Outputs) -> str:
        """What to say of a right answer besides that it is right."""
        return ""


def as_tensor(value: Any, where: str = "It") -> Tensor:
    """The returned value as a tensor; Nonsense with a helpful sentence where it is something else."""
    if isinstance(value, Tensor):
        if value.is_complex():
            raise Nonsense(f"{where} returned complex numbers; real ones are wanted.")
        return value
    if isinstance(value, (bool, int, float)):
        return torch.tensor(float(value), dtype=torch.float64)
    if value is None:
        raise Nonsense(f"{where} returned nothing (None). Is the `return` missing?")
    if isinstance(value, str):
        raise Nonsense(f"{where} returned text ({value[:30]!r}), where a tensor is wanted.")
    if isinstance(value, (list, tuple, set, dict)):
        kind = type(value).__name__
        raise Nonsense(f"{where} returned a {kind}. Return a tensor, or a tuple `a, b` where several results are asked for.")
    if type(value).__module__ == "numpy":
        raise Nonsense(f"{where} returned a NumPy {type(value).__name__}, which carries no gradient. Stay in torch.")
    raise Nonsense(f"{where} returned a {type(value).__name__}, where a tensor is wanted.")


def difference(got: Tensor, expected: Tensor, rtol: float, atol: float, what: str = "The result") -> str:
    """Empty where two tensors agree, else the first thing wrong: shape, type, NaN, or the worst element."""
    if got.shape != expected.shape:
        return f"{what} has shape {tuple(got.shape)}; {tuple(expected.shape)} is wanted."
    if got.dtype == torch.bool:
        return f"{what} has dtype bool; real numbers are wanted."
    error = (got.double() - expected.double()).abs()
    error = torch.where(got.double() == expected.double(), 0.0, error)  # equal infinities agree
    bad = ~(error <= atol + rtol * expected.double().abs())
    if not bad.any():
        return ""
    worst = torch.where(bad, error.nan_to_num(nan=math.inf), -1.0).argmax()
    index = [int(i) for i in torch.unravel_index(worst, got.shape)]
    where = f" at index {index}" if index else ""
    value, wanted = got.flatten()[worst].item(), expected.flatten()[worst].item()
    return f"{what}{where} is {value:.6g}; {wanted:.6g} is wanted."
