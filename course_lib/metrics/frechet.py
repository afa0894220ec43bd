"""Frechet distance between Gaussians, and between the features that a small trained net sees in two sets of images."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from course_lib.data.batches import shuffled
from course_lib.fit import fit
from course_lib.optim import adam


def frechet(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """Squared Frechet distance |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^1/2) of Gaussians, means (d,), covariances (d, d).

    In float64, by the eigenvalues of the symmetric C_a^1/2 C_b C_a^1/2, so singular covariances are no trouble.
    NaN where an entry is not finite. Dowson and Landau 1982; Heusel et al. 2017.
    """
    mean_a, cov_a, mean_b, cov_b = (t.detach().cpu().double() for t in (mean_a, cov_a, mean_b, cov_b))
    shift = (mean_a - mean_b).square().sum()
    if not (shift + cov_a.sum() + cov_b.sum()).isfinite():
        return float("nan")
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.mT
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()
    return (shift + cov_a.trace() + cov_b.trace() - 2 * cross).clamp(min=0).item()


class Features(nn.Module):
    """A frozen net: images (N, C, H, W) -> features (N, 32); `outputs` gives its predictions. In chunks, without gradients."""

    def __init__(self, shape: tuple[int, ...], outputs: int):
        super().__init__()
        self.shape = tuple(shape)
        first = (7, 4, 3) if min(shape[1:]) > 32 else (3, 2, 1)  # large images shrink faster, so that they cost no more
        layers = [nn.Conv2d(shape[0], 16, *first), nn.SiLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.SiLU()]
        layers += [nn.Conv2d(32, 64, 3, 2, 1), nn.SiLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
        self.body = nn.Sequential(*layers, nn.Linear(64 * 4, 32), nn.SiLU())
        self.head = nn.Linear(32, outputs)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1:] != self.shape:
            raise ValueError(f"These features were trained on images of shape {self.shape}, not {tuple(images.shape[1:])}.")
        return torch.cat([self.body(part) for part in images.split(512)])

    @torch.no_grad()
    def outputs(self, images: Tensor) -> Tensor:
        """Predictions for images: logits (N, classes), or values (N, K) in the units of the labels."""
        return self.head(self(images))


def features(images: Tensor, labels: Tensor, steps: int = 400, seed: int = 0) -> Features:
    """A small CNN trained on images (N, C, H, W), then frozen: labels long (N,) are classes, float (N, K) are regressed.

    Three strided convolutions and 32 features, for images of 8 pixels or more; a few seconds on a CPU at 32.
    Regression is on standardised values. The same seed gives the same net; the global random state is left alone.
    ValueError where labels do not fit the images.
    """
    classes = labels.ndim == 1 and not labels.is_floating_point()
    if len(labels) != len(images) or not (classes or (labels.ndim == 2 and labels.is_floating_point())):
        raise ValueError(f"Labels are long (N,) or float (N, K) for the {len(images)} images, not {tuple(labels.shape)}.")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = Features(images.shape[1:], int(labels.max()) + 1 if classes else labels.shape[1]).to(images.device)
    if not classes:
        centre, scale = labels.mean(0), labels.std(0).clamp(min=1e-8)
        labels = ((labels - centre) / scale).float()
    optimizer = adam(net.parameters(), lr=3e-3, betas=(0.9, 0.99))

    def step(x, y):
        predicted = net.head(net.body(x))
        loss = F.cross_entropy(predicted, y) if classes else F.mse_loss(predicted, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"features": loss}

    fit(step, shuffled(images, labels, size=min(128, len(images)), seed=seed), steps=steps)
    net.eval().requires_grad_(False)
    if not classes:  # the head answers in the labels' own units from here on
        net.head.weight.mul_(scale[:, None])
        net.head.bias.mul_(scale).add_(centre)
    return net


@dataclass(frozen=True)
class FCD:
    """Frechet distance of a classifier's features, beside the distance of real from real images at the same sample size."""

    value: float
    floor: float


def fcd(features: Features, real: Tensor, fake: Tensor) -> FCD:
    """Frechet classifier distance of fake from real images (N, C, H, W), with its floor, at m = min(len(real) // 2, len(fake)).

    The value compares fake[:m] with real[:m], the floor real[m:2m] with real[:m], so shuffle what has an order.
    Features are divided by one number, their root mean variance over real[:2m], so that figures of different nets are
    comparable. It is no FID: that is defined on Inception's 2048 features, and the two figures must not be compared.
    ValueError under 2 images a side. Heusel et al. 2017 with the features of a net trained on the data at hand.
    """
    m = min(len(real) // 2, len(fake))
    if m < 2:
        raise ValueError(f"fcd needs at least 4 real and 2 fake images, not {len(real)} and {len(fake)}.")
    seen = features(real[: 2 * m]).double()
    scale = seen.var(0).mean().sqrt().clamp(min=1e-12)
    first, held_out, other = (rows / scale for rows in (seen[:m], seen[m:], features(fake[:m]).double()))
    value, floor = (frechet(first.mean(0), first.T.cov(), rows.mean(0), rows.T.cov()) for rows in (other, held_out))
    return FCD(value, floor)
