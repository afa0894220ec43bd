"""Image metrics against torchmetrics, scikit-learn, and closed forms."""

import math

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)
from torchmetrics.image.fid import _compute_fid

from course_lib import data, metrics


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def blur(x):
    return torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def gaussian(rows):
    return rows.mean(0), rows.T.cov()


@pytest.fixture(scope="module")
def digits():
    return data.digits.load(16)


@pytest.fixture(scope="module")
def net(digits):
    return metrics.features(digits.x, digits.y, steps=150)


# images against images


@pytest.mark.parametrize("size", [12, 28])
def test_ssim_and_psnr_are_those_of_torchmetrics(size):
    a, b = (normal(300, 1, size, size, seed=s, dtype=torch.float32).tanh() for s in (1, 2))
    exact = structural_similarity_index_measure(a, b, data_range=2.0).item()
    assert metrics.ssim(a, b) == pytest.approx(exact, abs=1e-5)
    each = metrics.psnr(a, b, reduction="none")
    assert each.shape == (300,)
    assert each[7].item() == pytest.approx(peak_signal_noise_ratio(a[7:8], b[7:8], data_range=2.0).item(), abs=1e-5)
    assert metrics.psnr(a, b) == pytest.approx(each.mean().item())
    assert metrics.ssim(a, b, reduction="none").mean().item() == pytest.approx(exact, abs=1e-5)


def test_psnr_in_closed_form():
    a = torch.zeros(3, 1, 8, 8)
    assert metrics.psnr(a, a + 0.2) == pytest.approx(20, abs=1e-4)  # 10 log10(2² / 0.2²)
    assert metrics.psnr(a, a) == math.inf


def test_shifted_noisy_and_blurred_images_are_worse(digits):
    x = data.digits.load(28, "test").x
    assert metrics.ssim(x, x) == pytest.approx(1, abs=1e-6)
    soft = blur(x)
    for measure in (metrics.ssim, metrics.psnr):
        assert measure(x, soft) > measure(x, blur(blur(soft))) > measure(x, x.roll(4, -1))
    assert metrics.gradient_energy(x) > 1.3 * metrics.gradient_energy(soft)


@pytest.mark.parametrize("measure", [metrics.ssim, metrics.psnr])
def test_images_that_do_not_pair_get_a_sentence(measure):
    a = torch.zeros(2, 1, 16, 16)
    for wrong in (a[:1], a[:, 0], torch.zeros(2, 1, 16, 15)):
        with pytest.raises(ValueError, match="one shape"):
            measure(a, wrong)
    with pytest.raises(ValueError, match="'mean' or 'none'"):
        measure(a, a, reduction="sum")


def test_ssim_says_how_small_an_image_may_be():
    with pytest.raises(ValueError, match="12 pixels"):
        metrics.ssim(torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8))


def test_gradient_energy_in_closed_form():
    ramp = torch.arange(6.0).expand(2, 1, 6, 6)
    assert metrics.gradient_energy(ramp) == pytest.approx(1)
    assert metrics.gradient_energy(ramp + 3 * ramp.mT) == pytest.approx(10)
    assert metrics.gradient_energy(normal(50, 1, 32, 32)) == pytest.approx(4, rel=0.02)  # white noise: 2 σ² a direction


def test_the_spectrum_of_a_wave_and_of_white_noise():
    wave = torch.cos(2 * math.pi * 5 / 32 * torch.arange(32.0)).expand(3, 1, 32, 32) + 7
    frequency, power = metrics.radial_spectrum(wave)
    assert frequency.numpy() == pytest.approx([k / 32 for k in range(1, 17)])
    assert power.argmax() == 4 and power[5:].max() < 1e-9 * power[4]
    cells = sum(round(math.hypot(i, j)) == 5 for i in range(-16, 16) for j in range(-16, 16))
    assert power[4].item() == pytest.approx(2 * (32 * 32 / 2) ** 2 / 32**2 / cells, rel=1e-6)  # two peaks in the ring
    assert metrics.radial_spectrum(0.5 * normal(400, 1, 24, 32))[1].numpy() == pytest.approx(0.25, rel=0.05)


# Frechet


def test_frechet_of_diagonal_gaussians_in_closed_form():
    a, b, m = normal(6, seed=1).exp(), normal(6, seed=2).exp(), normal(6, seed=3)
    exact = m.square().sum() + (a.sqrt() - b.sqrt()).square().sum()
    assert metrics.frechet(m, a.diag(), 0 * m, b.diag()) == pytest.approx(exact.item(), abs=1e-10)


@pytest.mark.parametrize("rows", [400, 10])
def test_frechet_is_that_of_torchmetrics_also_for_singular_covariances(rows):
    a, b = gaussian(normal(rows, 32)), gaussian(normal(rows, 32, seed=1) * 1.5 + 0.3)
    assert metrics.frechet(*a, *b) == pytest.approx(_compute_fid(*a, *b).item(), abs=1e-4)
    assert metrics.frechet(*a, *a) == pytest.approx(0, abs=1e-6)


def test_frechet_of_a_point_and_of_nonsense():
    zero, one = torch.zeros(3), torch.eye(3)
    assert metrics.frechet(zero, 0 * one, zero + 2, one) == pytest.approx(15)
    assert math.isnan(metrics.frechet(zero, one, zero, one * math.nan))


# features


def test_features_know_the_digits(net, digits):
    test = data.digits.load(16, "test")
    assert net(test.x).shape == (397, 32)
    assert not net(test.x).requires_grad and not any(p.requires_grad for p in net.parameters())
    assert (net.outputs(test.x).argmax(1) == test.y).float().mean() > 0.9


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (2, 64, 64), (1, 40, 24)])
def test_features_of_any_size_and_channels(shape):
    x = normal(20, *shape, dtype=torch.float32)
    net = metrics.features(x, torch.arange(20) % 3, steps=2)
    assert net(x).shape == (20, 32) and net.outputs(x).shape == (20, 3)
    with pytest.raises(ValueError, match="trained on"):
        net(x[..., 1:])


def test_regression_is_in_the_units_of_the_labels():
    level = 2 * torch.rand(600, 1, generator=torch.Generator().manual_seed(0)) - 1
    x = (level[:, :, None, None] + 0.1 * normal(600, 1, 8, 8)).float()
    labels = torch.cat([1000 + 50 * level, -0.01 * level], 1).double()
    net = metrics.features(x[:500], labels[:500], steps=200)
    error = (net.outputs(x[500:]) - labels[500:]).square().mean(0).sqrt() / labels.std(0)
    assert error.max() < 0.15


def test_features_repeat_with_the_seed_and_leave_the_random_state_alone(digits):
    before = torch.get_rng_state()
    a, b, c = (metrics.features(digits.x, digits.y, steps=3, seed=s)(digits.x[:9]) for s in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("labels", [torch.zeros(3, dtype=torch.long), torch.zeros(20), torch.zeros(20, 2, dtype=torch.long)])
def test_labels_that_do_not_fit_get_a_sentence(labels):
    with pytest.raises(ValueError, match=r"long \(N,\) or float \(N, K\)"):
        metrics.features(torch.zeros(20, 1, 8, 8), labels)


def test_fcd_is_the_distance_of_scaled_features_at_equal_size(net, digits):
    x = digits.x
    found = metrics.fcd(net, x, x[700:1000])
    seen = net(x).double()
    scale = seen[:600].var(0).mean().sqrt()
    first, fake, held = (gaussian(rows / scale) for rows in (seen[:300], seen[700:1000], seen[300:600]))
    assert found.value == pytest.approx(_compute_fid(*first, *fake).item(), abs=1e-4)
    assert found.floor == pytest.approx(_compute_fid(*first, *held).item(), abs=1e-4)


def test_fcd_orders_good_bad_and_noise(net, digits):
    noise = torch.rand(700, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    same, soft, wild = (metrics.fcd(net, digits.x, fake) for fake in (digits.x[700:], blur(digits.x[700:]), noise))
    assert same.value < 1.5 * same.floor
    assert same.value < 0.5 * soft.value < 0.5 * wild.value
    assert metrics.fcd(net, digits.x, digits.x[:1].expand(700, -1, -1, -1)).value > 10 * same.value  # one digit for ever
    assert math.isnan(metrics.fcd(net, digits.x, noise * math.nan).value)
    with pytest.raises(ValueError, match="at least 4 real"):
        metrics.fcd(net, digits.x, digits.x[:1])


# detection


@pytest.mark.parametrize("levels", [None, 4], ids=["no ties", "ties"])
def test_auroc_is_that_of_scikit_learn(levels):
    labels = (torch.rand(300, generator=torch.Generator().manual_seed(1)) < 0.3).long()
    scores = normal(300) + labels
    scores = scores if levels is None else (scores * levels / 2).round()
    assert metrics.auroc(scores, labels).value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


def test_the_interval_is_the_plain_bootstrap_over_images():
    masks = torch.zeros(40, 1, 12, 12)
    masks[:20, :, 3:6, 3:7] = 1
    scores = normal(40, 1, 12, 12) + masks * (1 + normal(40, 1, 1, 1, seed=5))
    scores[scores < 0.3] = 0.3  # many ties, just below what is rare
    found = metrics.auroc(scores, masks, seed=3)
    drawn = torch.randint(40, (200, 40), generator=torch.Generator().manual_seed(3))
    plain = torch.tensor([roc_auc_score(masks[i].flatten(), scores[i].flatten()) for i in drawn])
    assert found.value == pytest.approx(roc_auc_score(masks.flatten(), scores.flatten()), abs=1e-12)
    exact = plain.double().quantile(torch.tensor([0.025, 0.975]).double())
    assert (found.low, found.high) == pytest.approx(tuple(exact.tolist()), abs=1e-3)
    as_pixels = metrics.auroc(scores.flatten(), masks.flatten())
    assert as_pixels.high - as_pixels.low < found.high - found.low  # pixels are no independent witnesses


def test_auroc_of_chance_perfect_and_repeated():
    labels = torch.arange(200) % 2
    assert metrics.auroc(labels.float(), labels) == metrics.Interval(1.0, 1.0, 1.0)
    assert metrics.auroc(torch.zeros(200), labels) == metrics.Interval(0.5, 0.5, 0.5)
    chance = metrics.auroc(normal(200), labels.bool())
    assert chance.low < 0.5 < chance.high
    assert chance == metrics.auroc(normal(200), labels) != metrics.auroc(normal(200), labels, seed=1)
    assert metrics.auroc(normal(6), torch.tensor([1, 0, 0, 0, 0, 0])).low >= 0  # draws of one class are left out


@pytest.mark.parametrize(
    ("scores", "labels", "sentence"),
    [
        (torch.zeros(4), torch.ones(4), "one only"),
        (torch.zeros(4), torch.zeros(4), "one only"),
        (torch.zeros(4), torch.tensor([0, 1, 0]), "same shape"),
        (torch.zeros(2), torch.tensor([0, 0.5]), r"mask > 0\.5"),
        (torch.tensor([0, math.nan]), torch.tensor([0, 1]), "without NaN"),
    ],
)
def test_what_auroc_refuses(scores, labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        metrics.auroc(scores, labels)
