"""Calls a learner's code in this process so that nothing it does can stop the notebook: loops, floods of text, exit().

This guards against accidents, not against malice: grading runs elsewhere.
"""

import builtins
import contextlib
import ctypes
import io
import signal
import sys
import threading
import warnings
from collections.abc import Callable

import torch
from IPython import get_ipython


class TimeLimit(BaseException):
    """Raised inside code that ran too long; a BaseException, so that `except Exception` lets it through."""


class Sink(io.TextIOBase):
    """A text stream that keeps the first 2000 characters and counts the rest."""

    kept, length = "", 0

    def write(self, text: str) -> int:
        self.kept += text[: 2000 - len(self.kept)]
        self.length += len(text)
        return len(text)

    def text(self) -> str:
        dropped = self.length - len(self.kept)
        return self.kept.rstrip() + (f"\n… and {dropped} more characters" if dropped else "")


@contextlib.contextmanager
def time_limit(seconds: float):
    """Raise TimeLimit in this thread after `seconds`, again every second, and at every line if that is swallowed too."""
    if hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread():
        yield from _by_signal(seconds)
    else:
        yield from _by_thread(seconds)


def _by_signal(seconds: float):
    fired = 0

    def at_every_line(frame, event, arg):
        # the first line after the swallowed exception is its handler; raising there gets out of the `try`
        if event == "line" and frame.f_code.co_filename != __file__:
            raise TimeLimit
        return at_every_line

    def alarm(signum, frame):
        nonlocal fired
        fired += 1
        if fired > 1:  # a bare `except:` ate the first: from now on its own handler raises as well
            while frame is not None and frame.f_code.co_filename != __file__:
                frame.f_trace = at_every_line
                frame = frame.f_back
            sys.settrace(at_every_line)
        raise TimeLimit

    tracer, before = sys.gettrace(), signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.settrace(tracer)
        signal.signal(signal.SIGALRM, before)


def _by_thread(seconds: float):
    target, done = threading.get_ident(), threading.Event()

    def watch(wait=seconds):
        while not done.wait(wait):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(target), ctypes.py_object(TimeLimit))
            wait = 1.0

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def _no_exit():
    """`exit()` and `quit()` raise SystemExit; in a notebook they would take the kernel along."""

    def leave(code=None):
        raise SystemExit(code)

    places = [vars(builtins)] + ([shell.user_ns] if (shell := get_ipython()) else [])
    saved = [(place, name, place[name]) for place in places for name in ("exit", "quit") if name in place]
    for place, name, _ in saved:
        place[name] = leave
    try:
        yield
    finally:
        for place, name, old in saved:
            place[name] = old


def call(body: Callable[[], object], seconds: float) -> tuple[object, BaseException | None, str]:
    """(result, exception, what was printed) of `body()`, run quietly for at most `seconds`; never raises.

    Random state, warnings filters, and gradient mode are put back.
    """
    sink = Sink()
    try:
        with (
            contextlib.redirect_stdout(sink),
            contextlib.redirect_stderr(sink),
            warnings.catch_warnings(action="ignore"),
            torch.random.fork_rng(),
            torch.enable_grad(),
            _no_exit(),
            time_limit(seconds),
        ):
            return body(), None, sink.text()
    except BaseException as error:  # whatever a learner's code raises is something to show, not to pass on
        return None, error, sink.text()
