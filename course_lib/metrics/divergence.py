"""Samples against an exact density (JSD, lost modes), and against other samples (energy distance)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.data.toys import Gaussians, Toy


@dataclass(frozen=True)
class JSD:
    """Jensen-Shannon divergence in nats (0 to log 2), beside the value that exact samples of the same size get."""

    value: float
    floor: float


def _cells(samples: Tensor, box: tuple[float, float], bins: int) -> Tensor:
    """Share of the samples (n, 2) in every cell of a bins x bins grid over the box, and outside it: (bins^2 + 1,)."""
    low, high = box
    column = ((samples - low) / (high - low) * bins).floor()
    inside = ((column >= 0) & (column < bins)).all(1)  # a NaN is outside
    index = (column[inside, 0] * bins + column[inside, 1]).long()
    counts = torch.bincount(index, minlength=bins * bins)
    outside = (~inside).sum().reshape(1)
    return torch.cat([counts, outside]).double() / len(samples)


def _masses(density: Toy, bins: int, fine: int = 8) -> Tensor:
    """Exact mass of every cell by fine^2 midpoints each, and the rest outside the box: (bins^2 + 1,)."""
    low, high = density.box
    step = (high - low) / (bins * fine)
    ticks = low + step * (torch.arange(bins * fine, dtype=torch.float64) + 0.5)
    mass = density.log_prob(torch.cartesian_prod(ticks, ticks)).exp() * step**2
    mass = mass.view(bins, fine, bins, fine).sum((1, 3)).flatten()
    return torch.cat([mass, (1 - mass.sum()).clamp(min=0).reshape(1)])


def _jsd(p: Tensor, q: Tensor) -> float:
    middle = (p + q) / 2
    parts = [torch.special.xlogy(d, d / middle).nan_to_num().sum() for d in (p, q)]
    return (0.5 * sum(parts)).item()


def jsd(samples: Tensor, density: Toy, bins: int = 40, seed: int = 0) -> JSD:
    """JSD between the histogram of `samples` (n, 2) and the exact cell masses of `density`, with the sampling floor."""
    if samples.ndim != 2 or samples.shape[1] != 2 or density.dim != 2:
        raise ValueError(f"jsd wants samples of shape (n, 2), not {tuple(samples.shape)}.")
    exact = _masses(density, bins)
    generator = torch.Generator(exact.device).manual_seed(seed)
    ideal = _cells(density.sample(len(samples), generator), density.box, bins)
    return JSD(_jsd(_cells(samples, density.box, bins), exact), _jsd(ideal, exact))


@dataclass(frozen=True)
class Coverage:
    """`count` modes found of `total`; `quality`, the share of samples within 3 sigma of some mode."""

    count: int
    total: int
    quality: float


def modes(samples: Tensor, mixture: Gaussians, share: float = 0.01) -> Coverage:
    """Modes of `mixture` that receive at least `share` of the samples (n, d) within 3 sigma, and the high-quality share.

    The convention of the ring-of-Gaussians literature (Metz et al. 2017). Even exact samples in 2-D have a
    high-quality share of 1 - exp(-9/2) = 0.989.
    """
    if samples.ndim != 2 or samples.shape[1] != mixture.dim:
        raise ValueError(f"modes wants samples of shape (n, {mixture.dim}), not {tuple(samples.shape)}.")
    distance, nearest = torch.cdist(samples, mixture.centers.to(samples)).min(1)
    good = distance <= 3 * mixture.std  # a NaN is not good
    hits = torch.bincount(nearest[good], minlength=len(mixture.centers))
    return Coverage(int((hits >= share * len(samples)).sum()), len(mixture.centers), good.double().mean().item())


def energy_distance(a: Tensor, b: Tensor) -> float:
    """Energy distance 2 E|a - b| - E|a - a'| - E|b - b'| between samples (n, d) and (m, d), unbiased, so it may dip below 0.

    Szekely and Rizzo 2013. Zero in expectation only where both follow the same distribution.
    """
    n, m = len(a), len(b)
    between = torch.cdist(a, b).mean()
    within = torch.cdist(a, a).sum() / (n * (n - 1)) + torch.cdist(b, b).sum() / (m * (m - 1))
    return (2 * between - within).item()
