"""Distributions in one and two dimensions whose density is known exactly: what a model learns can be checked against truth."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from course_lib.data.batches import Batches
from course_lib.device import default_device

LOG_2PI = math.log(2 * math.pi)


class Toy:
    """A distribution on R^d with `sample`, `log_prob`, and a `box` (low, high) that holds practically all its mass."""

    dim: int = 2
    box: tuple[float, float]

    def sample(self, shape, generator: torch.Generator | None = None) -> Tensor:
        """Draw points: an int n gives (n, d), a tuple (S, n) gives (S, n, d)."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        where = {"generator": generator, "device": generator.device if generator else default_device()}
        return self._draw(math.prod(shape), where).view(*shape, self.dim)

    def _draw(self, n: int, where: dict) -> Tensor:
        """n points (n, d); `where` goes to every random call."""
        raise NotImplementedError

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats: (..., d) to (...)."""
        raise NotImplementedError

    def batches(self, shape, seed: int = 0) -> Batches:
        """Fresh samples for ever: every batch is new data."""
        return Batches(lambda generator: self.sample(shape, generator), seed)


@dataclass(eq=False)
class Gaussians(Toy):
    """A mixture of K isotropic Gaussians: centers (K, d), one std, weights (K,) that sum to 1."""

    centers: Tensor
    std: float
    weights: Tensor | None = None

    def __post_init__(self):
        self.centers = torch.as_tensor(self.centers, dtype=torch.get_default_dtype(), device=default_device())
        if self.centers.ndim != 2 or self.std <= 0:
            raise ValueError("A mixture needs centers of shape (K, d) and a positive std.")
        count, self.dim = self.centers.shape
        if self.weights is None:
            self.weights = torch.full((count,), 1 / count, device=self.centers.device)
        reach = self.centers.abs().max().item() + 5 * self.std
        self.box = (-reach, reach)

    def _draw(self, n, where):
        which = torch.multinomial(self.weights, n, replacement=True, generator=where["generator"])
        return self.centers[which] + self.std * torch.randn(n, self.dim, **where)

    def log_prob(self, x):
        squared = (x.unsqueeze(-2) - self.centers.to(x)).square().sum(-1) / self.std**2
        log_parts = self.weights.to(x).log() - 0.5 * squared
        return torch.logsumexp(log_parts, -1) - self.dim * (math.log(self.std) + 0.5 * LOG_2PI)


def normal(mean: float = 0.0, std: float = 1.0) -> Gaussians:
    """The normal distribution on the line, as a mixture of one."""
    return Gaussians([[mean]], std)


def ring(modes: int = 8, radius: float = 1.0, std: float = 0.1) -> Gaussians:
    """`modes` equal Gaussians on a circle: the field's test for lost modes."""
    angle = 2 * math.pi * torch.arange(modes) / modes
    return Gaussians(radius * torch.stack([angle.cos(), angle.sin()], 1), std)


def grid(side: int = 5, spacing: float = 1.0, std: float = 0.1) -> Gaussians:
    """side x side equal Gaussians on a square grid, centred at the origin."""
    ticks = spacing * (torch.arange(side) - (side - 1) / 2)
    return Gaussians(torch.cartesian_prod(ticks, ticks), std)


@dataclass(eq=False)
class Curves(Toy):
    """Points spread evenly in the parameter t over some curves, plus isotropic Gaussian noise.

    `curves(t)` maps t in [0, 1] of shape (n,) to (C, n, 2), one row per curve. The density is the integral over t,
    taken by Gauss-Legendre quadrature: exact to rounding while the noise is wider than the distance of the nodes.
    """

    curves: callable
    std: float

    def __post_init__(self):
        t, weight = np.polynomial.legendre.leggauss(400)
        points = self.curves(torch.as_tensor((t + 1) / 2))
        self._points = points.flatten(0, 1).to(default_device())
        self._log_weight = torch.as_tensor(weight / 2 / len(points), device=default_device()).log().repeat(len(points))
        reach = self._points.abs().max().item() + 5 * self.std
        self.box = (-reach, reach)

    def _draw(self, n, where):
        curves = self.curves(torch.rand(n, **where))
        which = torch.randint(len(curves), (n,), **where)
        return curves[which, torch.arange(n, device=curves.device)] + self.std * torch.randn(n, 2, **where)

    def log_prob(self, x):
        squared = torch.cdist(x.reshape(-1, 2), self._points.to(x), compute_mode="donot_use_mm_for_euclid_dist").square()
        log_p = torch.logsumexp(self._log_weight.to(x) - 0.5 * squared / self.std**2, -1)
        return (log_p - 2 * math.log(self.std) - LOG_2PI).view(x.shape[:-1])


def moons(std: float = 0.08) -> Curves:
    """Two interleaved half circles, centred at the origin."""

    def curves(t):
        upper = torch.stack([(math.pi * t).cos(), (math.pi * t).sin()], -1)
        lower = torch.stack([1 - (math.pi * t).cos(), 0.5 - (math.pi * t).sin()], -1)
        return torch.stack([upper, lower]) - torch.tensor([0.5, 0.25]).to(upper)

    return Curves(curves, std)


def spirals(std: float = 0.05, turns: float = 1.25) -> Curves:
    """Two arms that wind out of the origin, half a turn apart."""

    def curves(t):
        angle, radius = 2 * math.pi * turns * t, 0.1 + 1.1 * t
        arm = torch.stack([radius * angle.cos(), radius * angle.sin()], -1)
        return torch.stack([arm, -arm])

    return Curves(curves, std)


@dataclass(eq=False)
class Pinwheel(Toy):
    """A wheel of bent arms, far from Gaussian: elongated Gaussians, every point turned by an angle that grows with its radius.

    Such a turn keeps areas (its Jacobian has determinant 1), so the density is the unturned one: exact.
    """

    arms: int = 5
    twist: float = 1.5

    radial, tangential, distance = 0.25, 0.08, 0.75

    def __post_init__(self):
        self.angles = 2 * math.pi * torch.arange(self.arms, device=default_device()) / self.arms
        reach = self.distance + 5 * self.radial
        self.box = (-reach, reach)

    @staticmethod
    def _turn(x, angle):
        cos, sin = angle.cos(), angle.sin()
        return torch.stack([cos * x[..., 0] - sin * x[..., 1], sin * x[..., 0] + cos * x[..., 1]], -1)

    def _draw(self, n, where):
        noise = torch.randn(n, 2, **where)
        straight = torch.stack([self.distance + self.radial * noise[:, 0], self.tangential * noise[:, 1]], -1)
        arm = torch.randint(self.arms, (n,), **where)
        return self._turn(straight, self.angles[arm] + self.twist * straight.norm(dim=-1))

    def log_prob(self, x):
        unturned = self._turn(x, -self.twist * x.norm(dim=-1))
        arms = self._turn(unturned.unsqueeze(-2), -self.angles.to(x))
        squared = ((arms[..., 0] - self.distance) / self.radial).square() + (arms[..., 1] / self.tangential).square()
        log_norm = math.log(self.arms * self.radial * self.tangential) + LOG_2PI
        return torch.logsumexp(-0.5 * squared, -1) - log_norm


pinwheel = Pinwheel  # called as its sisters are
