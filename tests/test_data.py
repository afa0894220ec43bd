"""Exact distributions, digits, batches, stored results."""

import math

import pytest
import torch

from course_lib import data

TOYS = {
    "ring": data.ring(),
    "grid": data.grid(),
    "moons": data.moons(),
    "spirals": data.spirals(),
    "pinwheel": data.pinwheel(),
}
each = pytest.mark.parametrize("toy", TOYS.values(), ids=TOYS.keys())


def square(toy, ticks=240):
    low, high = toy.box
    step = (high - low) / ticks
    line = low + step * (torch.arange(ticks, dtype=torch.float64) + 0.5)
    return torch.cartesian_prod(line, line), step**2


@each
def test_density_integrates_to_one(toy):
    where, area = square(toy)
    assert toy.log_prob(where).exp().sum().item() * area == pytest.approx(1, abs=2e-4)


@each
def test_samples_follow_the_density(toy):
    """The mean of -log p over samples is the entropy, which quadrature gives as well."""
    where, area = square(toy)
    log_p = toy.log_prob(where)
    entropy = -(log_p.exp() * log_p).sum().item() * area
    samples = toy.sample(40_000, torch.Generator().manual_seed(0)).double()
    surprise = -toy.log_prob(samples)
    error = surprise.std().item() / math.sqrt(len(samples))
    assert surprise.mean().item() == pytest.approx(entropy, abs=5 * error)
    assert samples.mean(0).numpy() == pytest.approx((where * log_p.exp()[:, None]).sum(0).numpy() * area, abs=0.03)


@each
def test_shapes_and_seeds(toy):
    def draw(seed, shape):
        return toy.sample(shape, torch.Generator().manual_seed(seed))

    assert draw(0, 5).shape == (5, 2)
    assert draw(0, (3, 5)).shape == (3, 5, 2)
    assert torch.equal(draw(0, 5), draw(0, 5))
    assert not torch.equal(draw(0, 5), draw(1, 5))
    assert toy.log_prob(draw(0, (3, 5))).shape == (3, 5)


def test_gaussian_log_density_in_closed_form():
    p = data.normal(1.0, 2.0)
    x = torch.tensor([[1.0], [3.0]], dtype=torch.float64)
    expected = torch.distributions.Normal(1.0, 2.0).log_prob(x.squeeze(1))
    assert torch.allclose(p.log_prob(x), expected, atol=1e-7)
    assert data.ring(8).centers.norm(dim=1).numpy() == pytest.approx(1.0, abs=1e-6)
    assert len(data.grid(5).centers) == 25


def test_mixture_refuses_nonsense():
    with pytest.raises(ValueError, match="positive std"):
        data.ring(std=0)
    with pytest.raises(ValueError, match="centers"):
        data.Gaussians([1.0, 2.0], 1.0)


@pytest.mark.parametrize("size", [8, 16, 28, 32])
def test_digits(size):
    train, test = data.digits.load(size), data.digits.load(size, "test")
    assert train.x.shape == (1400, 1, size, size)
    assert len(test.x) == 397
    assert train.x.min() >= -1 and train.x.max() <= 1
    assert set(train.y.tolist()) == set(range(10))


def test_digits_splits_do_not_overlap_and_are_named():
    train, test = data.digits.load(8), data.digits.load(8, "test")
    assert torch.cdist(test.x.flatten(1), train.x.flatten(1)).min() > 0
    with pytest.raises(ValueError, match="pixels"):
        data.digits.load(10)
    with pytest.raises(ValueError, match="train, test"):
        data.digits.load(8, "valid")


def test_batches_cover_an_epoch_and_repeat_with_the_seed():
    rows = torch.arange(10)
    batches = data.shuffled(rows, size=5, seed=3)
    assert sorted(torch.cat([next(batches), next(batches)]).tolist()) == list(range(10))
    again = data.shuffled(rows, size=5, seed=3)
    first = [next(again).tolist() for _ in range(4)]
    assert first[:2] != first[2:]
    pair = next(data.shuffled(rows, rows * 2, size=4))
    assert torch.equal(pair[0] * 2, pair[1])
    with pytest.raises(ValueError, match="does not fit"):
        data.shuffled(rows, size=11)


def test_digit_batches_with_labels():
    images = data.digits.load(8)
    assert next(images.batches(16)).shape == (16, 1, 8, 8)
    x, y = next(images.batches(16, labels=True))
    assert len(x) == len(y) == 16


def test_stored_results_are_found_and_name_their_origin():
    assert {"command", "machine"} <= data.stored("ring_sweep").keys()
    with pytest.raises(KeyError, match=r"there are: .*ring_sweep"):
        data.stored("rum")
