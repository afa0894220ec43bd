"""Adversarial losses, all from logits and stable at any logit. `real` and `fake` are D's logits for data and samples.

D(x) = sigmoid(logit). Every loss is to be minimised, and averages over all its elements.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus


def discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-V(D, G) = -E log D(x) - E log(1 - D(G(z))). Goodfellow et al. 2014, eq. 1."""
    return softplus(-real).mean() + softplus(fake).mean()


def minimax(fake: Tensor) -> Tensor:
    """Generator, saturating: E log(1 - D(G(z))). Goodfellow et al. 2014, eq. 1."""
    return -softplus(fake).mean()


def nonsaturating(fake: Tensor) -> Tensor:
    """Generator, non-saturating: -E log D(G(z)). Goodfellow et al. 2014, section 3."""
    return softplus(-fake).mean()


def lsgan_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Least squares with targets 1 and 0. Mao et al. 2017, eq. 2 and 9."""
    return 0.5 * (real - 1).square().mean() + 0.5 * fake.square().mean()


def lsgan_generator(fake: Tensor) -> Tensor:
    """Least squares with target 1. Mao et al. 2017, eq. 9."""
    return 0.5 * (fake - 1).square().mean()


def wgan_critic(real: Tensor, fake: Tensor) -> Tensor:
    """Critic: E f(G(z)) - E f(x); needs a Lipschitz constraint to mean anything. Arjovsky et al. 2017, eq. 2."""
    return fake.mean() - real.mean()


def wgan_generator(fake: Tensor) -> Tensor:
    """Generator of the Wasserstein and of the hinge GAN: -E f(G(z))."""
    return -fake.mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge: E max(0, 1 - real) + E max(0, 1 + fake). Lim and Ye 2017; Miyato et al. 2018, eq. 16."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def _slope(critic: Callable[[Tensor], Tensor], x: Tensor, batch_dims: int) -> Tensor:
    """Squared norm of d critic / dx for every sample; sums over the dimensions behind the first `batch_dims`."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gradient.flatten(batch_dims).square().sum(-1)


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, generator: torch.Generator | None = None, batch_dims: int = 1
) -> Tensor:
    """E (|grad f(m)| - 1)^2 at random points m between real and fake pairs. Gulrajani et al. 2017, eq. 3 (times lambda).

    The first `batch_dims` dimensions count samples; samples may share a net only along them.
    """
    share = torch.rand(real.shape[:batch_dims], generator=generator, device=real.device)
    share = share.reshape(share.shape + (1,) * (real.ndim - batch_dims))
    between = share * real.detach() + (1 - share) * fake.detach()
    # the small term keeps the square root differentiable where the slope is exactly zero
    return ((_slope(critic, between, batch_dims) + 1e-12).sqrt() - 1).square().mean()


def r1(critic: Callable[[Tensor], Tensor], real: Tensor, batch_dims: int = 1) -> Tensor:
    """E |grad f(x)|^2 / 2 on real data. Mescheder et al. 2018, eq. 9 (times gamma)."""
    return 0.5 * _slope(critic, real, batch_dims).mean()


# name -> (loss of D from real and fake logits, loss of G from fake logits)
OBJECTIVES = {
    "minimax": (discriminator, minimax),
    "non-saturating": (discriminator, nonsaturating),
    "LSGAN": (lsgan_discriminator, lsgan_generator),
    "WGAN": (wgan_critic, wgan_generator),
    "hinge": (hinge_discriminator, wgan_generator),
}
