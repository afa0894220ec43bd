"""Lost modes: how many parts of a mixture a generator reaches, and how many of its samples are any good."""

from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.data.toys import Gaussians


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
