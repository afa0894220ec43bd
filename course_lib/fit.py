"""The one training loop. It knows nothing of losses or nets: it calls `step`, watches, records, and stops cleanly."""

import contextlib
import signal
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
SHARE = 0.03  # of the time that goes into live pictures, at most; the last picture comes on top


@dataclass
class Log:
    """What a training left: losses by name, each a CPU tensor (steps,); why it stopped; how long it took."""

    losses: dict[str, Tensor] = field(default_factory=dict)
    steps: int = 0
    seconds: float = 0.0
    stopped: str = "finished"
    graph: str = "no CUDA device"
    _training: object = field(default=None, repr=False)

    def resume(self) -> "Log":
        """Go on with a training that was interrupted, from the step after the last one; the log grows. Returns itself."""
        if self.stopped != "interrupted":
            raise RuntimeError(f"Only an interrupted training can go on; this one {self.stopped} after {self.steps} steps.")
        return self._training.go(self)

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

    An interrupt stops the training after the step in hand and keeps what it has; `Log.resume()` goes on. A loss that is
    no longer finite stops it too, with a sentence that names the loss and the step. The numbers are the same with and
    without a display.
    """
    if steps < 1:
        raise ValueError(f"fit needs at least one step, not {steps}.")
    return _Training(step, batches, steps, watch, schedulers, capture).go(Log())


class _Training:
    """All that `fit` was given, and what it needs to go on after an interrupt."""

    def __init__(self, step, batches, steps, watch, schedulers, capture):
        self.steps = pick(laptop=steps, smoke=min(steps, SMOKE_STEPS))
        self.batches = None if batches is None else iter(batches)
        self.run, self.record = _Runner(step, capture), _Record()
        self.watch, self.schedulers = watch, list(schedulers)

    def go(self, log: Log) -> Log:
        """Train from where the record ends, and write what happened into the log."""
        record, stage, began = self.record, _Stage(self.watch, self.steps, self.record.count), time.perf_counter()
        log.stopped = "finished"
        try:
            with _interrupts() as wanted:
                while record.count < self.steps:
                    record.add(self.run(() if self.batches is None else next(self.batches)))
                    for scheduler in self.schedulers:
                        scheduler.step()
                    if wanted:
                        raise KeyboardInterrupt
                    if time.perf_counter() >= stage.next:
                        if record.trouble():
                            break
                        stage.refresh(record.count)
            log.stopped = record.trouble() or "finished"
        except KeyboardInterrupt:
            log.stopped = "interrupted"
        except StopIteration:
            log.stopped = "out of batches"
        log.losses, log.steps, log.graph = record.losses(), record.count, self.run.graph
        log.seconds += time.perf_counter() - began
        log._training = self if log.stopped == "interrupted" else None  # a finished training holds on to nothing
        stage.close(log)
        return log


@contextlib.contextmanager
def _interrupts():
    """A list that is no longer empty once an interrupt was asked for: the step in hand is finished first, unless asked twice."""
    wanted: list[bool] = []

    def note(_number, _frame):
        if wanted:
            raise KeyboardInterrupt
        wanted.append(True)

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # not in the main thread: interrupts do not come here
        yield wanted
        return
    try:
        yield wanted
    finally:
        signal.signal(signal.SIGINT, before or signal.default_int_handler)


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

    def __init__(self, watch, steps: int, done: int):
        self.watch, self.live = watch, not headless()
        seen = self.live and ("ipykernel" in sys.modules or sys.stderr.isatty())
        self.bar = tqdm(total=steps, initial=done, leave=False, disable=not seen)
        self.handle, self.spent, self.began = None, 0.0, time.perf_counter()
        self.next = self.began + REFRESH

    def refresh(self, count: int) -> None:
        began = time.perf_counter()
        if self.live:
            self.bar.update(count - self.bar.n)
            self._draw()
        ended = time.perf_counter()
        self.spent += ended - began
        self.next = max(ended + REFRESH, self.began + self.spent / SHARE)

    def close(self, log: Log) -> None:
        self.bar.update(log.steps - self.bar.n)  # a bar that ends short of its total stays, in red
        self.bar.close()
        self._draw()
        if log.stopped not in ("finished", "out of batches"):
            again = " `log.resume()` goes on, where log is what fit returned." if log.stopped == "interrupted" else ""
            print(f"Training {log.stopped} (of {self.bar.total}). {log.steps} steps are kept.{again}", file=sys.stderr)

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
