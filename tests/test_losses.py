"""Adversarial losses against closed forms, and at logits where careless ones overflow."""

import math

import pytest
import torch

from course_lib.losses import adversarial as A

REAL = torch.tensor([-2.0, 0.5, 3.0], dtype=torch.float64)
FAKE = torch.tensor([1.0, -1.5, 0.0, 2.0], dtype=torch.float64)


def test_values_in_probabilities():
    d_real, d_fake = REAL.sigmoid(), FAKE.sigmoid()
    value = d_real.log().mean() + (1 - d_fake).log().mean()
    assert A.discriminator(REAL, FAKE) == pytest.approx(-value.item(), abs=1e-12)
    assert A.minimax(FAKE) == pytest.approx((1 - d_fake).log().mean().item(), abs=1e-12)
    assert A.nonsaturating(FAKE) == pytest.approx(-d_fake.log().mean().item(), abs=1e-12)
    assert A.discriminator(torch.zeros(3), torch.zeros(4)) == pytest.approx(math.log(4))


def test_least_squares_wasserstein_and_hinge():
    assert A.lsgan_discriminator(REAL, FAKE) == pytest.approx((((REAL - 1) ** 2).mean() + (FAKE**2).mean()).item() / 2)
    assert A.lsgan_generator(FAKE) == pytest.approx(((FAKE - 1) ** 2).mean().item() / 2)
    assert A.wgan_critic(REAL, FAKE) == pytest.approx((FAKE.mean() - REAL.mean()).item())
    assert A.wgan_generator(FAKE) == pytest.approx(-FAKE.mean().item())
    assert A.hinge_discriminator(torch.tensor([2.0]), torch.tensor([-2.0])) == 0
    assert A.hinge_discriminator(torch.zeros(1), torch.zeros(1)) == 2


@pytest.mark.parametrize("logit", [-80.0, 80.0, -800.0, 800.0])
@pytest.mark.parametrize("name", A.OBJECTIVES)
def test_stable_at_extreme_logits(name, logit):
    d_loss, g_loss = A.OBJECTIVES[name]
    real, fake = (torch.full((4,), logit, requires_grad=True) for _ in range(2))
    total = d_loss(real, fake) + g_loss(fake)
    gradients = torch.autograd.grad(total, (real, fake))
    assert torch.isfinite(total) and all(torch.isfinite(g).all() for g in gradients)


def test_generator_gradients_are_d_and_one_minus_d():
    logit = torch.tensor([-3.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    (saturating,) = torch.autograd.grad(A.minimax(logit) * 3, logit)
    (non_saturating,) = torch.autograd.grad(A.nonsaturating(logit) * 3, logit)
    assert torch.allclose(saturating, -logit.sigmoid(), atol=1e-12)
    assert torch.allclose(non_saturating, logit.sigmoid() - 1, atol=1e-12)


def test_penalties_on_a_linear_critic():
    """A linear critic has the slope |w| everywhere: R1 is |w|^2 / 2, the gradient penalty (|w| - 1)^2."""
    weight = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)

    def critic(x):
        return x @ weight

    x, y = torch.randn(7, 2, dtype=torch.float64), torch.randn(7, 2, dtype=torch.float64)
    assert A.r1(critic, x).item() == pytest.approx(12.5)
    assert A.gradient_penalty(critic, x, y).item() == pytest.approx(16.0)
    (slope,) = torch.autograd.grad(A.r1(critic, x), weight)
    assert torch.allclose(slope, weight)


def test_penalties_count_samples_along_the_batch_dimensions():
    def critic(x):
        return (x**2).sum(-1, keepdim=True)

    x = torch.randn(3, 5, 2, dtype=torch.float64)
    expected = 0.5 * (2 * x).square().sum(-1).mean()
    assert A.r1(critic, x, batch_dims=2).item() == pytest.approx(expected.item())


def test_the_penalty_survives_a_flat_critic():
    weight = torch.zeros(2, requires_grad=True)
    loss = A.gradient_penalty(lambda x: x @ weight, torch.randn(4, 2), torch.randn(4, 2))
    assert torch.isfinite(torch.autograd.grad(loss, weight)[0]).all()
