"""The training loop: records, repeats, stops cleanly, and tells when a CUDA graph would be unsafe."""

import contextlib
import itertools
import signal

import pytest
import torch

from course_lib import adam, data, fit, linear_decay, nets


def problem(seed=0):
    """A net to train on a line, and one step of it."""
    torch.manual_seed(seed)
    net = nets.mlp(1, 8, 1)
    optimizer = adam(net.parameters(), lr=1e-2)

    def step(x):
        loss = (net(x) - 2 * x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss}

    return net, optimizer, step


def lines(seed=0):
    return data.normal().batches(64, seed)


def test_learns_and_records():
    _, _, step = problem()
    log = fit(step, lines(), steps=200)
    assert log.steps == 200 and log.stopped == "finished" and log["loss"].shape == (200,)
    assert log["loss"][-20:].mean() < 0.1 * log["loss"][:5].mean()
    assert log.seconds > 0 and "finished after 200 steps" in repr(log)


def test_same_numbers_with_and_without_a_watcher():
    runs = []
    for watch in (None, lambda: pytest.fail("nobody watches outside a notebook")):
        _, _, step = problem()
        runs.append(fit(step, lines(), steps=30, watch=watch)["loss"])
    assert torch.equal(*runs)


def test_interrupt_keeps_what_there_is(capsys):
    _, _, step = problem()
    calls = []

    def interrupted(x):
        calls.append(0)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return step(x)

    log = fit(interrupted, lines(), steps=50)
    assert log.stopped == "interrupted" and log.steps == 7 and len(log["loss"]) == 7
    assert "7 steps are kept" in capsys.readouterr().err


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_stops_at_a_loss_that_is_not_finite(bad, capsys):
    count = 0

    def step():
        nonlocal count
        count += 1
        return {"fine": torch.tensor(1.0), "D": torch.tensor(bad if count >= 5 else 1.0)}

    log = fit(step, steps=20)
    assert "'D' is no longer finite at step 5" in log.stopped and log.steps == 5
    assert "no longer finite" in capsys.readouterr().err


def test_other_errors_pass_through():
    with pytest.raises(ZeroDivisionError):
        fit(lambda: 1 / 0, steps=3)


@pytest.mark.parametrize(("returned", "words"), [({"D": 1.0}, "0-d tensors"), ({"D": torch.zeros(2)}, "0-d tensors")])
def test_steps_that_return_something_else_get_a_sentence(returned, words):
    with pytest.raises(TypeError, match=words):
        fit(lambda: returned, steps=2)


def test_no_losses_finite_batches_and_no_steps():
    assert fit(lambda: None, steps=3).losses == {}
    log = fit(lambda x: {"x": x.sum()}, [torch.ones(2)] * 3, steps=9)
    assert log.stopped == "out of batches" and log.steps == 3
    with pytest.raises(ValueError, match="at least one step"):
        fit(lambda: None, steps=0)


def test_smoke_preset_takes_a_few_steps(monkeypatch):
    monkeypatch.setenv("COURSE_PRESET", "smoke")
    assert fit(lambda: None, steps=1000).steps == 3


def test_schedulers_are_stepped_to_zero():
    _, optimizer, step = problem()
    rates = []

    def watched(x):
        rates.append(optimizer.param_groups[0]["lr"])
        return step(x)

    fit(watched, lines(), steps=10, schedulers=[linear_decay(optimizer, 10)])
    assert rates[:6] == [1e-2] * 6 and rates[-1] == pytest.approx(2e-3) and optimizer.param_groups[0]["lr"] == 0


def test_three_seeds_at_once_are_three_separate_trainings():
    """Gradients of one member do not reach another, and member 0 alone would have learned the same."""
    torch.manual_seed(0)
    together = nets.mlp(2, 6, 1, seeds=3)
    x = torch.randn(3, 5, 2)
    together(x)[1].sum().backward()
    slopes = together[0].weight.grad
    assert slopes[1].abs().sum() > 0 and slopes[0].abs().sum() == slopes[2].abs().sum() == 0
    first = torch.nn.functional.linear(x[0], together[0].weight[0].T, together[0].bias[0, 0])
    assert torch.allclose(first, together[0](x)[0], atol=1e-6)
    with pytest.raises(ValueError, match="input and an output"):
        nets.mlp(3)


class FakeGraph:
    """Stands in for torch.cuda.CUDAGraph: replays by running what `capture` saw once more, into the same loss tensor."""

    captured = None

    def replay(self):
        step, static, losses = self.captured
        losses["loss"].data.copy_(step(static)["loss"].detach())


@pytest.fixture
def fake_cuda(monkeypatch):
    """torch.cuda as far as `fit` touches it; gives the list of captured graphs."""
    graphs = []

    @contextlib.contextmanager
    def capture(graph):
        graphs.append(graph)
        yield

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    return graphs


def sgd_step(change=lambda i, loss: loss):
    """One step of plain gradient descent on three weights; `change(i, loss)` may make step i different."""
    weight, count = torch.ones(3, requires_grad=True), itertools.count()

    def step(x):
        loss = change(next(count), (weight * x - 1).square().mean())
        (slope,) = torch.autograd.grad(loss, weight)
        with torch.no_grad():
            weight.sub_(0.1 * slope)
        return {"loss": loss}

    return weight, step


def test_a_steady_step_is_captured_and_replayed_on_fresh_batches(fake_cuda):
    """Nine steps, four of them eager: the same losses as without a graph. (A fake graph executes while it captures.)"""
    xs = [torch.full((3,), 1.0 + i) / 9 for i in range(9)]
    _, plain = sgd_step()
    expected = torch.stack([plain(x)["loss"] for x in [*xs[:5], xs[4], *xs[5:]]]).detach()
    _, step = sgd_step()

    def spy(x):
        losses = step(x)
        if fake_cuda and fake_cuda[0].captured is None:
            fake_cuda[0].captured = (step, x, losses)
        return losses

    log = fit(spy, iter(xs), steps=9)
    assert log.graph == "captured" and len(fake_cuda) == 1
    assert torch.allclose(log["loss"][4:], expected[5:])


def test_a_step_that_changes_or_reads_back_is_not_captured(fake_cuda):
    _, alternating = sgd_step(lambda i, loss: loss * 2 if i % 2 else loss)
    log = fit(alternating, iter([torch.ones(3)] * 9), steps=9)
    assert "different things at different steps" in log.graph and not fake_cuda
    _, reading = sgd_step(lambda i, loss: loss + 0 * loss.item())
    log = fit(reading, iter([torch.ones(3)] * 9), steps=9)
    assert "not captured" in log.graph and not fake_cuda
    _, steady = sgd_step()
    assert fit(steady, iter([torch.ones(3)] * 9), steps=9, capture=False).graph == "capture=False"


LIVE = """
import time, torch
from course_lib import fit, show
def step():
    time.sleep(0.002)
    return {"D": torch.rand(())}
log = fit(step, steps=300, watch=lambda: show.curves([0, 1], {"x": torch.rand(2)}, title="alive"))
print(log)
"""


@pytest.mark.parametrize("headless", ["0", "1"])
def test_the_picture_in_a_notebook_is_one_display(headless, monkeypatch):
    """Watched or not, a training leaves one picture with a stable text; watched, it was redrawn in place."""
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("COURSE_HEADLESS", headless)
    updates = []

    class Spy(NotebookClient):
        def process_message(self, message, cell, index):
            updates.append(message["msg_type"] == "update_display_data")
            return super().process_message(message, cell, index)

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(LIVE)])
    Spy(book, timeout=120, kernel_name="python3").execute()
    shown = [o for o in book.cells[0].outputs if "image/png" in o.get("data", {})]
    assert [o.data["text/plain"] for o in shown] == ["<figure: alive>"]
    assert "finished after 300 steps" in book.cells[0].outputs[-1].text
    assert sum(updates) >= 1 if headless == "0" else sum(updates) == 0


def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(capsys):
    """The step in hand is finished first, so that not even half an update is lost or done twice."""

    def train(interrupt_at):
        net, _, step = problem()
        calls = []

        def interrupted(x):
            calls.append(0)
            if len(calls) == interrupt_at:
                signal.raise_signal(signal.SIGINT)
            return step(x)

        return net, fit(interrupted, lines(), steps=40)

    whole_net, whole = train(interrupt_at=None)
    net, log = train(interrupt_at=12)
    assert (log.stopped, log.steps) == ("interrupted", 12) and "log.resume()" in capsys.readouterr().err
    assert log.resume() is log and (log.stopped, log.steps) == ("finished", 40)
    assert torch.equal(log["loss"], whole["loss"])
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), whole_net.parameters(), strict=True))
    with pytest.raises(RuntimeError, match="finished after 40 steps"):
        log.resume()


def test_two_interrupts_stop_a_step_that_hangs():
    def endless():
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
        pytest.fail("the second interrupt should have ended this step")

    before = signal.getsignal(signal.SIGINT)
    log = fit(endless, steps=5)
    assert (log.stopped, log.steps) == ("interrupted", 0) and signal.getsignal(signal.SIGINT) is before
