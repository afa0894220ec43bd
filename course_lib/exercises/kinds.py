"""The kinds of exercise: a function of arrays, a sampler, an nn.Module class, a value, a choice, an open challenge.

`@function(id, draw=..., hints=...)`, `@sampler`, `@module`, and `@challenge` turn the reference below them into an exercise;
`choice` and `value` make one from their answer.
"""

import inspect
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from course_lib.device import generator
from course_lib.exercises.spec import Exercise, Mistake, Nonsense, Outputs, as_tensor, difference
from course_lib.metrics import energy_distance


def _copy(arg: Any, wants_gradient: bool) -> Any:
    if not isinstance(arg, Tensor):
        return arg
    arg = arg.detach().clone()
    # a clone of the leaf, so that a change in place is caught below and not by autograd
    return arg.requires_grad_().clone() if wants_gradient and arg.is_floating_point() else arg


def _slopes(outputs: Iterable[Tensor], inputs: list[Tensor]) -> list[Tensor]:
    """d(weighted sum of the outputs)/d(input) for every input; an empty tensor where no gradient arrives."""
    roots = [o for o in outputs if o.requires_grad]
    if not roots or not inputs:
        return [torch.empty(0)] * len(inputs)
    # fixed unequal weights: a plain sum would hide errors that cancel
    total = sum((o * torch.cos(torch.arange(o.numel(), dtype=o.dtype).view(o.shape))).sum() for o in roots)
    return [torch.empty(0) if s is None else s for s in torch.autograd.grad(total, inputs, allow_unused=True)]


@dataclass
class Function(Exercise):
    """Arrays in, arrays out. Cases are drawn afresh; values, shape, dtype, and wanted gradients must agree with the reference."""

    gradients: Sequence[str] = ()  # names of arguments that the gradient must reach
    rtol: float = 1e-6
    atol: float = 1e-9

    def run(self, answer, args):
        if not callable(answer):
            raise Nonsense(f"`{self.name}` is a {type(answer).__name__}, not a function.")
        before = dict(zip(inspect.signature(self.reference).parameters, args, strict=True))
        mine = {name: _copy(arg, name in self.gradients) for name, arg in before.items()}
        result = answer(*mine.values())
        if isinstance(result, tuple):
            outputs = {f"Result {i} of {len(result)}": as_tensor(r, f"At place {i} it") for i, r in enumerate(result, 1)}
        else:
            outputs = {"The result": as_tensor(result)}
        wanted = [name for name in self.gradients if isinstance(mine[name], Tensor)]
        slopes = _slopes(outputs.values(), [mine[name] for name in wanted])
        outputs |= {f"The gradient with respect to {name}": slope for name, slope in zip(wanted, slopes, strict=True)}
        for name, arg in before.items():
            if isinstance(arg, Tensor) and not torch.equal(arg, mine[name].detach()):
                raise Nonsense(f"The function changed its argument `{name}` in place. Compute a new tensor instead.")
        return {name: value.detach().cpu() for name, value in outputs.items()}

    def judge(self, got, expected):
        results = [name for name in expected if "gradient" not in name]
        mine = [name for name in got if "gradient" not in name]
        if mine != results:
            return f"It returned {_count(mine)}; {_count(results)} {'is' if len(results) == 1 else 'are'} wanted."
        for name, wanted in expected.items():
            value = got[name]
            if "gradient" in name and value.numel() == 0 and wanted.numel():
                return f"{name} does not arrive: a .detach(), .item(), torch.no_grad() or torch.tensor(...) cuts the graph."
            if trouble := difference(value, wanted, self.rtol, self.atol, name):
                return trouble
            if value.dtype != wanted.dtype and value.ndim:
                short = [str(d).removeprefix("torch.") for d in (value.dtype, wanted.dtype)]
                return f"{name} has dtype {short[0]}; the inputs' {short[1]} is wanted. Did torch.zeros or torch.tensor make it?"
        return ""


def _count(names: Collection) -> str:
    return "one tensor" if len(names) == 1 else f"{len(names)} tensors"


@dataclass
class Sampler(Exercise):
    """Random draws, judged by distribution: energy distance to the reference's samples at most `limit`.

    The answer takes the case's arguments, a number of samples, and a torch.Generator: same seed, same samples.
    """

    limit: float = 0.02
    samples: int = 1000

    def cases(self, seed):
        return {label: (*args, seed + 7 * i + 1) for i, (label, args) in enumerate(super().cases(seed).items())}

    def run(self, answer, args):
        *args, seed = args
        if answer is self.reference:  # compared with a learner's draws, it must not be the very same ones
            seed += 1_000_003
        draws = [as_tensor(answer(*args, self.samples, generator(s))) for s in (seed, seed, seed + 1)]
        if not all(d.is_floating_point() for d in draws):
            raise Nonsense("The samples are not floating-point numbers.")
        repeats, varies = torch.equal(draws[0], draws[1]), not torch.equal(draws[0], draws[2])
        return {"samples": draws[0].detach().cpu(), "repeats and varies": torch.tensor([repeats, varies])}

    def judge(self, got, expected):
        if trouble := self._distance(got["samples"], expected["samples"]):
            return trouble
        repeats, varies = got["repeats and varies"].tolist()
        if not repeats:
            return "Two calls with equally seeded generators gave different samples: pass `generator` on to every random call."
        if not varies:
            return "Another seed gave the very same samples: nothing random is drawn from `generator`."
        return ""

    def _distance(self, a: Tensor, b: Tensor) -> str:
        """Empty where both sets of samples follow the same distribution, as far as they can tell."""
        if a.shape != b.shape:
            return f"The samples have shape {tuple(a.shape)}; {tuple(b.shape)} is wanted."
        if not torch.isfinite(a).all():
            return "Some samples are NaN or infinite."
        a, b = (t.double().reshape(len(t), -1) for t in (a, b))
        distance = energy_distance(a, b)
        if distance <= self.limit:
            return ""
        measured = f"energy distance {distance:.3f} (at most {self.limit:g})"
        means = " and ".join(f"{t.mean().item():.2f} ± {t.std().item():.2f}" for t in (a, b))
        return f"The samples follow another distribution: {measured}; mean ± std of all coordinates, yours and wanted: {means}."

    def matches(self, got, other):
        same = torch.equal(got["repeats and varies"], other["repeats and varies"])
        return same and not self._distance(got["samples"], other["samples"])


@dataclass
class Module(Exercise):
    """An nn.Module class: built and called by the case's (constructor arguments, input); judged by what any right net shares.

    Shapes of the outputs, number of parameters, a gradient at every parameter, rows of a batch that do not mix.
    """

    def run(self, answer, args):
        if not (isinstance(answer, type) and issubclass(answer, nn.Module)):
            raise Nonsense(f"`{self.name}` is not a class that inherits from nn.Module.")
        build, x = args
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = answer(*build).to(x.device, x.dtype)
        outputs = self._call(net, x)
        parameters = list(net.parameters())
        slopes = _slopes(outputs, parameters)  # before another call, which may change the net's buffers
        pairs = zip(outputs, self._call(net, x[:1]), strict=True)  # the whole batch, and its first row alone
        figures = {
            "The number of parameters": sum(p.numel() for p in parameters),
            "parameters without gradient": sum(not slope.any() for slope in slopes),
            "rows mix": any(not torch.allclose(o[:1], a, atol=1e-6) for o, a in pairs if o.shape[1:] == a.shape[1:]),
            "not finite": not all(torch.isfinite(o).all() for o in outputs),
        }
        figures |= {f"The shape of output {i}": o.shape for i, o in enumerate(outputs, 1)}
        return {name: torch.tensor(figure) for name, figure in figures.items()}

    @staticmethod
    def _call(net: nn.Module, x: Tensor) -> list[Tensor]:
        result = net(x)
        return [as_tensor(r, "The forward pass") for r in (result if isinstance(result, tuple) else (result,))]

    def judge(self, got, expected):
        mine, wanted = ({k: tuple(v.tolist()) for k, v in d.items() if k.startswith("The shape")} for d in (got, expected))
        if mine.keys() != wanted.keys():
            return f"The forward pass returned {_count(mine)}; {_count(wanted)} are wanted."
        for name in wanted:
            if mine[name] != wanted[name]:
                return f"{name} is {mine[name]}; {wanted[name]} is wanted."
        count, wanted = (int(d["The number of parameters"]) for d in (got, expected))
        if count != wanted:
            return f"The net has {count} parameters; {wanted} are wanted. A layer, a bias, or a size differs."
        if got["parameters without gradient"]:
            return f"{int(got['parameters without gradient'])} parameter tensors get no gradient: a layer is made but not used."
        if got["rows mix"]:
            return "A row's output depends on the other rows of the batch. Nothing here should mix them."
        return "The output is NaN or infinite." if got["not finite"] else ""


@dataclass
class Value(Exercise):
    """One number, within a relative tolerance."""

    tolerance: float = 1e-3

    def run(self, answer, args):
        value = as_tensor(answer, "Your answer is wrong in kind: it")
        if value.numel() != 1:
            raise Nonsense(f"One number is wanted, not {value.numel()}.")
        return {"value": value.detach().cpu().double().reshape(())}

    def judge(self, got, expected):
        value, wanted = got["value"].item(), expected["value"].item()
        if math.isclose(value, wanted, rel_tol=self.tolerance, abs_tol=1e-12):
            return ""
        return f"{value:.6g} is too {'large' if value > wanted else 'small'}." if value == value else "Your answer is NaN."


def value(exercise_id: str, name: str, answer: float, *, wrong: dict[float, str], spellings: Sequence = (), **options) -> Value:
    """A number to be found; `wrong` maps tempting numbers to the sentence each earns."""
    mistakes = [Mistake(sentence, number) for number, sentence in wrong.items()]
    return Value(exercise_id, name, answer, mistakes=mistakes, spellings=[answer, *spellings], **options)


@dataclass
class Choice(Exercise):
    """One letter out of several; every wrong one has its sentence."""

    letters: Sequence[str] = ()
    why: str = ""  # shown with the right answer

    def run(self, answer, args):
        letter = answer.strip().lower().rstrip(").") if isinstance(answer, str) else ""
        if letter not in self.letters:
            raise Nonsense(f"Answer with one letter in quotes, one of: {', '.join(self.letters)}.")
        return {"choice": torch.tensor(self.letters.index(letter))}

    def judge(self, got, expected):
        return "" if got["choice"] == expected["choice"] else "That is not it."

    def praise(self, got):
        return self.why


def choice(exercise_id: str, name: str, answer: str, *, why: str, wrong: dict[str, str], **options) -> Choice:
    """A question with lettered answers: the right letter with its reason, and a sentence for every wrong one."""
    letters, spellings = sorted([answer, *wrong]), [answer.upper(), f" {answer}) "]
    mistakes = [Mistake(sentence, letter) for letter, sentence in wrong.items()]
    return Choice(exercise_id, name, answer, letters=letters, why=why, mistakes=mistakes, spellings=spellings, **options)


@dataclass
class Challenge(Exercise):
    """An open task: the answer makes an artefact (a tensor), a metric scores it; smaller is better, `goal` earns all points."""

    metric: Callable[[Tensor], float] = None
    goal: float = 0.0
    half: float = math.inf  # earns half the points
    unit: str = ""
    ask: tuple = ()  # arguments of the learner's function
    shape: tuple[int, ...] | None = None  # of the artefact; where it is not given, the reference runs to tell
    seconds: float = 20.0
    scored: bool = True

    def run(self, answer, args):
        if not callable(answer):
            raise Nonsense(f"`{self.name}` is a {type(answer).__name__}, not a function.")
        artefact = as_tensor(answer(*self.ask)).detach().cpu().double()
        wanted = self.reference(*self.ask).shape if self.shape is None else self.shape
        if artefact.shape != wanted:
            raise Nonsense(f"The result has shape {tuple(artefact.shape)}; {tuple(wanted)} is wanted.")
        if not torch.isfinite(artefact).all():
            raise Nonsense("The result holds NaN or infinite numbers.")
        return {"artefact": artefact}

    def judge(self, got, expected):
        figure = self.figure(got)
        if figure <= self.goal:
            return ""
        return f"Your {self.unit} is {figure:.4g}; the goal is {self.goal:g} or less."

    def expect(self, args):
        return {}  # open: the metric alone judges

    def share(self, passed, got):
        return 0.5 if got is not None and self.figure(got) <= self.half else 0.0

    def praise(self, got):
        return f"Your {self.unit} is {self.figure(got):.3g}; the goal was {self.goal:g}."

    def figure(self, got: Outputs) -> float:
        """The metric of an attempt; infinite where it has none."""
        value = self.metric(got["artefact"])
        return value if value == value else math.inf


function, sampler, module, challenge = Function.on, Sampler.on, Module.on, Challenge.on
