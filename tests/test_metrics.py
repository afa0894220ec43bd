"""Metrics against distributions whose score is known."""

import math

import pytest
import torch

from course_lib import data, metrics

GENERATOR = torch.Generator()


def exact(n=20_000, seed=0):
    return data.ring().sample(n, GENERATOR.manual_seed(seed))


def test_exact_samples_find_all_modes_with_the_known_quality():
    found = metrics.modes(exact(), data.ring())
    assert (found.count, found.total) == (8, 8)
    assert found.quality == pytest.approx(1 - math.exp(-4.5), abs=0.003)


def test_collapse_and_noise_are_seen():
    ring = data.ring()
    one = ring.centers[:1] + 0.1 * torch.randn(5000, 2, generator=GENERATOR.manual_seed(1))
    assert metrics.modes(one, ring).count == 1
    assert metrics.modes(torch.full((100, 2), 9.0), ring) == metrics.Coverage(0, 8, 0.0)
    assert metrics.modes(torch.full((100, 2), float("nan")), ring).count == 0


def test_jsd_of_exact_samples_is_its_floor():
    score = metrics.jsd(exact(seed=5), data.ring())
    assert score.value == pytest.approx(score.floor, rel=0.15)
    assert score.floor < 0.02


def test_jsd_of_known_cases():
    ring = data.ring()
    assert metrics.jsd(torch.full((1000, 2), 50.0), ring).value == pytest.approx(math.log(2), abs=1e-3)
    half = exact()
    half = half[half[:, 0] > 0]
    assert metrics.jsd(half, ring).value == pytest.approx(0.2157, abs=0.02)  # half of the mass: ¾ log 4/3


def test_energy_distance():
    a, b = exact(1000, 0).double(), exact(1000, 1).double()
    assert abs(metrics.energy_distance(a, b)) < 0.01
    assert metrics.energy_distance(a, b + 1) > 0.3
    shifted = torch.zeros(50, 1, dtype=torch.float64)
    assert metrics.energy_distance(shifted, shifted + 2) == pytest.approx(4.0)


@pytest.mark.parametrize("metric", [lambda x: metrics.modes(x, data.ring()), lambda x: metrics.jsd(x, data.ring())])
def test_wrong_shapes_get_a_sentence(metric):
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        metric(torch.zeros(5, 3))
