"""The one training loop. It knows nothing of losses or nets: it calls `step`, watches, records, and stops cleanly."""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from IPython import get_ipython
from IPython.display import display
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from tqdm.auto import tqdm

from course_lib.device import headless, pick

SMOKE_STEPS = 3
WARM_UP = 4  # eager steps that decide whether a CUDA graph is safe
REFRESH = 0.125  # seconds between two live pictures, at least


@dataclass
class Log:
    """What a training left: losses by name, each a CPU tensor (steps,); why it stopped; how long it took."""

    losses: dict[str, Tensor] = field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0
    stopped: str = "finished"
    graph: str = "no CUDA device"

    def __getitem__(self, name: str) -> Tensor:
        return self.losses[name]

    def __repr__(self) -> str:
        return f"<training: {self.stopped} after {self.steps} steps>"


def fit(
    step: Callable,
    batches: Iterable | None = None,
    steps: int = 1000,
    *,
    watch: Callable[[], object] | None = None,
    schedulers: Iterable = (),
    capture: bool = True,
) -> Log:
    """Call `step(batch)` (or `step()` without batches) `steps` times and record the losses it returns.

    step        one update, plain PyTorch; returns a dict of name -> 0-d tensor (never `.item()`), or None
    batches     an endless iterator, such as `data.ring().batches(256)`; a tensor or a tuple of tensors per step
    watch       returns a picture (anything with `_repr_mimebundle_`) of the state; shown live, a few times a second
    schedulers  learning-rate schedulers, stepped after every update
    capture     on CUDA, replay the step as a CUDA graph where that is safe; `Log.graph` says what was done

    An interrupt stops the training and keeps what it has. A loss that is no longer finite stops it too, with a
    sentence that names the loss and the step. The numbers are the same with and without a display.
    """
    if steps < 1:
        raise ValueError(f"fit needs at least one step, not {steps}.")
    steps = pick(laptop=steps, smoke=min(steps, SMOKE_STEPS))
    batches = None if batches is None else iter(batches)
    run = _Runner(step, capture)
    record = _Record()
    stage = _Stage(watch, steps)
    stopped, began = "finished", time.perf_counter()
    try:
        for _ in range(steps):
            record.add(run(() if batches is None else next(batches)))
            for scheduler in schedulers:
                scheduler.step()
            if time.perf_counter() >= stage.next:
                if record.trouble():
                    break
                stage.refresh(record.count)
        stopped = record.trouble() or "finished"
    except KeyboardInterrupt:
        stopped = "interrupted"
    except StopIteration:
        stopped = "out of batches"
    log = Log(record.losses(), record.count, time.perf_counter() - began, stopped, run.graph)
    stage.close(log)
    return log


class _Record:
    """Losses on the device, one row per step, without waiting for the device."""

    def __init__(self):
        self.count, self.checked, self.names, self.rows = 0, 0, (), []

    def add(self, losses: dict[str, Tensor] | None) -> None:
        losses = losses or {}
        for name, value in losses.items():
            if not (isinstance(value, Tensor) and value.ndim == 0):
                raise TypeError(f"step must return 0-d tensors; {name!r} is not one. Return the loss itself, without .item().")
        self.names = self.names if self.count else tuple(losses)
        if tuple(losses) != self.names:
            raise TypeError(f"step returned the losses {tuple(losses)}, at first {self.names}; return the same ones every time.")
        if losses:
            self.rows.append(torch.stack([value.detach().float() for value in losses.values()]))
        self.count += 1

    def trouble(self) -> str:
        """The first loss since the last look that is not finite, as a sentence; empty where all are."""
        if not self.rows[self.checked :]:
            return ""
        bad = ~torch.isfinite(torch.stack(self.rows[self.checked :]))
        if bad.any():
            row, column = (int(i) for i in bad.nonzero()[0])
            self.count = self.checked + row + 1
            return f"stopped: loss {self.names[column]!r} is no longer finite at step {self.count}"
        self.checked = self.count
        return ""

    def losses(self) -> dict[str, Tensor]:
        columns = torch.stack(self.rows[: self.count]).cpu().T if self.rows else ()
        return dict(zip(self.names, columns, strict=True))


class _Stage:
    """Progress bar and live picture; silent until the end where nobody watches."""

    def __init__(self, watch, steps: int):
        self.watch, self.live = watch, not headless()
        seen = self.live and ("ipykernel" in sys.modules or sys.stderr.isatty())
        self.bar = tqdm(total=steps, leave=False, disable=not seen)
        self.handle, self.next = None, time.perf_counter() + REFRESH

    def refresh(self, count: int) -> None:
        began = time.perf_counter()
        if self.live:
            self.bar.update(count - self.bar.n)
            self._draw()
        ended = time.perf_counter()
        self.next = ended + max(REFRESH, 20 * (ended - began))  # at most a twentieth of the time goes into pictures

    def close(self, log: Log) -> None:
        self.bar.update(log.steps - self.bar.n)  # a bar that ends short of its total stays, in red
        self.bar.close()
        self._draw()
        if log.stopped not in ("finished", "out of batches"):
            print(f"Training {log.stopped} (of {self.bar.total}). {log.steps} steps are kept.", file=sys.stderr)

    def _draw(self) -> None:
        if self.watch is None or get_ipython() is None:
            return
        bundle = self.watch()._repr_mimebundle_()
        if self.handle is None:
            self.handle = display(bundle, raw=True, display_id=True)
        else:
            self.handle.update(bundle, raw=True)


class _Runner:
    """Runs the step; on CUDA replays it as a graph once a few eager steps have shown that it always does the same."""

    def __init__(self, step, capture: bool):
        self.step, self.traces, self.replay = step, [], None
        self.graph = "no CUDA device" if not torch.cuda.is_available() else "watching" if capture else "capture=False"

    def __call__(self, batch):
        inputs = batch if isinstance(batch, tuple) else (batch,)
        if self.replay is not None:
            return self.replay(inputs)
        if self.graph != "watching":
            return self.step(*inputs)
        if len(self.traces) < WARM_UP:
            with _Trace() as trace:
                losses = self.step(*inputs)
            self.traces.append(trace.calls)
            return losses
        self.graph, self.replay = _capture(self.step, inputs, self.traces)
        return self(batch)


class _Trace(TorchDispatchMode):
    """The sequence of tensor operations with their plain arguments: two steps with equal traces do the same work."""

    def __init__(self):
        super().__init__()
        self.calls: list[tuple] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        plain = tuple(a for a in args if isinstance(a, (int, float, bool, str)))
        self.calls.append((str(func), plain))
        return func(*args, **(kwargs or {}))


def _capture(step, inputs, traces) -> tuple[str, Callable | None]:
    """(what was done, replay or None). The first trace may differ: optimisers make their state in it."""
    if any(trace != traces[1] for trace in traces[2:]):
        return "not captured: the step does different things at different steps", None
    if any("_local_scalar_dense" in call[0] for call in traces[1]):
        return "not captured: the step reads a number back (.item(), float(), or if on a tensor)", None
    graph, static = torch.cuda.CUDAGraph(), tuple(t.clone() if isinstance(t, Tensor) else t for t in inputs)
    try:
        torch.cuda.synchronize()
        with torch.cuda.graph(graph):
            losses = step(*static)
    except RuntimeError as error:
        return f"not captured: {str(error).splitlines()[0]}", None

    def replay(fresh):
        for old, new in zip(static, fresh, strict=True):
            if isinstance(old, Tensor):
                old.copy_(new)
        graph.replay()
        return losses

    return "captured", replay
