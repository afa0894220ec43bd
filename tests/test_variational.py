"""Variational terms in float64 against closed forms, torch.distributions, and quadrature."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, ContinuousBernoulli, Normal, kl_divergence

from course_lib import nets
from course_lib.losses import variational as V


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_kl_in_closed_form_and_by_monte_carlo():
    mu, logvar = draw(5, 3), draw(5, 3, seed=1)
    q, p = Normal(mu, (0.5 * logvar).exp()), Normal(torch.zeros_like(mu), 1.0)
    exact = V.kl_normal(mu, logvar)
    assert exact.shape == (5,)
    torch.testing.assert_close(exact, kl_divergence(q, p).sum(-1), rtol=1e-12, atol=1e-12)
    z = mu + (0.5 * logvar).exp() * draw(200_000, 5, 3, seed=2)
    ratio = V.gaussian(z, mu, logvar, batch_dims=2) - V.gaussian(z, torch.zeros_like(z), batch_dims=2)
    assert ((ratio.mean(0) - exact).abs() < 4 * ratio.std(0) / 200_000**0.5).all()


def test_kl_keeps_its_digits_near_zero_and_its_gradient_at_extremes():
    tiny = torch.tensor([[1e-6]], dtype=torch.float64)
    assert V.kl_normal(0 * tiny, tiny).item() == pytest.approx(0.25e-12, rel=1e-5)
    logvar = torch.tensor([[-800.0, -80.0, 80.0]], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(V.kl_normal(torch.zeros_like(logvar), logvar).sum(), logvar)
    assert torch.isfinite(slope).all() and slope[0, 0] == -0.5


def test_free_bits_bound_the_mean_of_an_entry_and_stop_its_gradient():
    entries = torch.tensor([[0.1, 2.0], [0.3, 4.0]], dtype=torch.float64, requires_grad=True)
    total = V.free_bits(entries, 0.5)
    assert total.item() == pytest.approx(3.5)
    (slope,) = torch.autograd.grad(total, entries)
    assert slope.tolist() == [[0.0, 0.5], [0.0, 0.5]]
    assert V.free_bits(entries, 0.0).item() == pytest.approx(entries.sum(1).mean().item())


def test_log_likelihoods_against_torch_distributions():
    x, mean, logvar = draw(4, 1, 3, 3), draw(4, 1, 3, 3, seed=1), draw(1, 1, 3, 3, seed=2)
    wanted = Normal(mean, (0.5 * logvar).exp()).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(V.gaussian(x, mean, logvar), wanted, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(V.gaussian(x, mean), Normal(mean, 1.0).log_prob(x).sum((1, 2, 3)), rtol=1e-12, atol=1e-12)
    bits, grey = (x > 0).double(), x.sigmoid()
    torch.testing.assert_close(V.bernoulli(bits, mean), Bernoulli(logits=mean).log_prob(bits).sum((1, 2, 3)))
    wanted = ContinuousBernoulli(logits=mean).log_prob(grey).sum((1, 2, 3))
    torch.testing.assert_close(V.continuous_bernoulli(grey, mean), wanted, rtol=1e-6, atol=1e-6)  # theirs cuts at 0.499
    assert V.gaussian(x.expand(5, 4, 1, 3, 3), mean, logvar, batch_dims=2).shape == (5, 4)


@pytest.mark.parametrize("logit", [0.0, 1e-9, 1e-3, 0.0999, 0.1001, -2.5, 12.0, -80.0, 80.0])
def test_continuous_bernoulli_is_a_density(logit):
    """Its integral over [0, 1] is 1, by Gauss-Legendre quadrature on 40 panels."""
    nodes, weights = (torch.tensor(a) for a in np.polynomial.legendre.leggauss(30))
    x = ((nodes + 1) / 2 + torch.arange(40)[:, None]).flatten() / 40
    density = V.continuous_bernoulli(x[:, None], torch.full((len(x), 1), logit, dtype=torch.float64)).exp()
    assert (density * weights.repeat(40) / 80).sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_likelihoods_and_their_gradients_are_finite_and_smooth(dtype):
    """Finite at extremes; the slope of log C is 1/l - 1/sinh(l)."""
    logits = torch.tensor([-800, -80, -0.2, -0.05, -1e-8, 0, 1e-8, 0.05, 0.2, 80, 800], dtype=dtype, requires_grad=True)
    for x in (0.0, 0.3, 1.0):
        for density in (V.bernoulli, V.continuous_bernoulli):
            value = density(torch.full((11, 1), x, dtype=dtype), logits[:, None])
            (slope,) = torch.autograd.grad(value.sum(), logits)
            assert torch.isfinite(value).all() and torch.isfinite(slope).all()
    (slope,) = torch.autograd.grad(V._log_normaliser(logits).sum(), logits)
    exact = [1 / v - 1 / math.sinh(v) if 1e-3 < abs(v) < 100 else v / 6 if abs(v) < 1 else 1 / v for v in logits.tolist()]
    torch.testing.assert_close(slope, torch.tensor(exact, dtype=dtype), rtol=1e-4 if dtype == torch.float32 else 1e-8, atol=1e-9)


def test_log_normaliser_has_no_seam():
    either_side = V._log_normaliser(torch.tensor([0.1 - 1e-9, 0.1 + 1e-9], dtype=torch.float64))
    assert (either_side[1] - either_side[0]).item() == pytest.approx(2e-9 / 60, rel=1e-3)
    small = torch.tensor([1e-4], dtype=torch.float64)
    assert V._log_normaliser(small).item() == pytest.approx(math.log(2) + 1e-8 / 12, abs=1e-16)


def curved(z):
    """A decoder whose posterior is no Gaussian: z (..., 1) to means (..., 2)."""
    return torch.cat([2 * torch.sin(1.5 * z), z.square()], -1)


def test_elbo_below_iwae_below_log_p_by_quadrature():
    x, k, repeats = torch.tensor([[0.5, 1.0]], dtype=torch.float64), (1, 2, 5, 20, 200), 4000
    ticks = torch.linspace(-9, 9, 20_001, dtype=torch.float64)[:, None, None]
    joint = V.gaussian(x, curved(ticks), batch_dims=2) + V.gaussian(ticks, torch.zeros_like(ticks), batch_dims=2)
    log_p = torch.logsumexp(joint[:, 0] + math.log(18 / 20_000), 0).item()
    mu, logvar = torch.full((1, 1), 0.4, dtype=torch.float64), torch.full((1, 1), -0.5, dtype=torch.float64)
    z = mu + (0.5 * logvar).exp() * draw(repeats * 200, 1, 1)
    weights = V.log_weights(V.gaussian(x, curved(z), batch_dims=2), z, mu, logvar)[:, 0]
    bounds = [V.iwae(weights.view(-1, n), dim=1) for n in k]
    means = [b.mean().item() for b in bounds]
    assert means == sorted(means) and means[0] < means[-1] - 0.2
    assert means[-1] <= log_p + 4 * (bounds[-1].std() / len(bounds[-1]) ** 0.5).item()
    assert V.iwae(weights).item() == pytest.approx(log_p, abs=0.01)
    # one draw is the ELBO, and its gap is KL(q || posterior)
    likelihood = V.gaussian(x, curved(z), batch_dims=2)[:, 0]
    closed = V.elbo(likelihood.mean(), V.kl_normal(mu, logvar)[0])
    assert means[0] == pytest.approx(closed.item(), abs=0.01)
    log_q = V.gaussian(ticks, mu, logvar, batch_dims=2)[:, 0]
    gap = (log_q.exp() * (log_q - joint[:, 0] + log_p)).sum() * 18 / 20_000
    assert log_p - closed.item() == pytest.approx(gap.item(), abs=0.01)


def test_elbo_with_beta():
    ll, kl = draw(6), draw(6, seed=1).abs()
    torch.testing.assert_close(V.elbo(ll, kl), ll - kl)
    torch.testing.assert_close(V.elbo(ll, kl, beta=4.0), ll - 4 * kl)


@pytest.mark.parametrize("seeds", [None, 3])
def test_vae_shapes_and_gradients(seeds):
    torch.manual_seed(0)
    vae, lead = nets.VAE(12, 2, 8, seeds=seeds), (() if seeds is None else (seeds,))
    x = torch.rand(*lead, 5, 12)
    logits, mu, logvar = vae(x)
    assert logits.shape == x.shape and mu.shape == logvar.shape == (*lead, 5, 2)
    batch = len(lead) + 1
    V.elbo(V.bernoulli(x, logits, batch), V.kl_normal(mu, logvar)).mean().backward()
    assert all(p.grad.abs().sum() > 0 for p in vae.parameters())


def test_the_examples_net_has_its_number_of_parameters():
    assert sum(p.numel() for p in nets.VAE(784, 20, 400).parameters()) == 652_824
