"""Terms of variational inference, in nats: KL, log-likelihoods, ELBO, free bits, and the importance-weighted bound.

Likelihoods and KL give one number per sample: they sum over what lies behind the first `batch_dims` dimensions. Everything
is to be maximised but the KL. `logvar` is log sigma^2.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

LOG_2PI = math.log(2 * math.pi)


def kl_entries(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, 1)) of every latent entry, same shape as mu. Kingma and Welling 2014, appendix B."""
    return 0.5 * (mu.square() + torch.expm1(logvar) - logvar)  # expm1: no digits lost where sigma is near 1


def kl_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(q || N(0, I)) of a Gaussian q with independent entries: (..., L) to (...)."""
    return kl_entries(mu, logvar).sum(-1)


def free_bits(entries: Tensor, floor: float) -> Tensor:
    """The KL with `floor` nats per latent entry for free: entries (B, L) to a 0-d tensor.

    An entry's KL, averaged over the batch, counts as at least `floor`, so below it nothing pushes it further down.
    Kingma et al. 2016 (IAF), appendix C.8, with one entry per group.
    """
    return entries.mean(0).clamp(min=floor).sum()


def gaussian(x: Tensor, mean: Tensor, logvar: Tensor | float = 0.0, batch_dims: int = 1) -> Tensor:
    """log N(x; mean, sigma^2); the arguments broadcast, such as (B, D), (K, B, D), () with batch_dims=2 to (K, B)."""
    logvar = torch.as_tensor(logvar, dtype=x.dtype, device=x.device)
    parts = -0.5 * ((x - mean).square() * torch.exp(-logvar) + logvar + LOG_2PI)
    return parts.flatten(batch_dims).sum(-1)


def bernoulli(x: Tensor, logits: Tensor, batch_dims: int = 1) -> Tensor:
    """x log p + (1 - x) log(1 - p) with p = sigmoid(logits), stable at any logit.

    A log-probability where every x is 0 or 1; for grey levels between, it is not normalised.
    """
    return (x * logits - softplus(logits)).flatten(batch_dims).sum(-1)


def continuous_bernoulli(x: Tensor, logits: Tensor, batch_dims: int = 1) -> Tensor:
    """Log-density of the continuous Bernoulli on [0, 1]: `bernoulli` plus the normaliser it lacks for grey levels.

    Loaiza-Ganem and Cunningham 2019, eq. 6-7.
    """
    return (x * logits - softplus(logits) + _log_normaliser(logits)).flatten(batch_dims).sum(-1)


def _log_normaliser(logits: Tensor) -> Tensor:
    """log C = log(l / tanh(l / 2)), from a series round l = 0, where the quotient is 0 / 0."""
    half = logits / 2
    near = half.abs() < 0.05
    square = torch.where(near, half, 0.0).square()
    series = square * (1 / 3 - square * (7 / 90 - square * (62 / 2835)))
    far = torch.where(near, 1.0, half.abs())
    return math.log(2) + torch.where(near, series, far.log() - far.tanh().log())


def elbo(log_likelihood: Tensor, kl: Tensor, beta: float = 1.0) -> Tensor:
    """E_q log p(x|z) - beta KL(q(z|x) || p(z)) per sample. Kingma and Welling 2014, eq. 3; beta: Higgins et al. 2017, eq. 4.

    A lower bound of log p(x) only where beta >= 1.
    """
    return log_likelihood - beta * kl


def log_weights(log_likelihood: Tensor, z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """log p(x|z) + log p(z) - log q(z|x), for K draws z (K, B, L) from q = N(mu, sigma^2) with mu, logvar (B, L): (K, B)."""
    return log_likelihood + gaussian(z, torch.zeros_like(z), batch_dims=2) - gaussian(z, mu, logvar, batch_dims=2)


def iwae(weights: Tensor, dim: int = 0) -> Tensor:
    """log of the mean of K weights, from log weights: the ELBO for K = 1, log p(x) as K grows. Burda et al. 2016, eq. 8."""
    return torch.logsumexp(weights, dim) - math.log(weights.shape[dim])
