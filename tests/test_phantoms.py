"""Head phantoms: physics against the signal equations, anatomy that obeys its knobs, a scanner with known statistics."""

import math

import numpy as np
import pytest
import torch

from course_lib import data
from course_lib.data import phantoms

P = phantoms
MR = ("T1w", "T2w", "PD", "FLAIR", "GE", "SWI")


def equations(p, t):
    """The textbook signals, written a second time in NumPy."""
    if isinstance(p, P.CT):
        return t.hu
    e1 = np.exp(-p.tr / t.t1)
    if isinstance(p, P.InversionRecovery):
        return t.pd * np.abs(1 - 2 * np.exp(-p.ti / t.t1) + e1) * np.exp(-p.te / t.t2)
    if not isinstance(p, P.GradientEcho):
        return t.pd * (1 - e1) * np.exp(-p.te / t.t2)
    a = p.angle * np.pi / 180
    echo = t.pd * np.sin(a) * (1 - e1) / (1 - np.cos(a) * e1) * np.exp(-p.te / t.t2s)
    if not isinstance(p, P.SusceptibilityWeighted):
        return echo
    phase = np.angle(np.exp(2j * np.pi * t.shift * p.te * 1e-3))
    return echo * (1 + phase / np.pi if phase < 0 else 1.0) ** 4


def test_every_signal_equals_its_equation():
    shares = torch.rand(2, 12, 5, 5, dtype=torch.float64)
    for p in (*P.PROTOCOLS.values(), P.SpinEcho(800.0, 30.0), P.GradientEcho(35, 4, 70), P.SusceptibilityWeighted(120, 90, 12)):
        want = sum(shares[:, k] * equations(p, P.TABLE[name]) for k, name in enumerate(P.TISSUES))
        assert (P.render(shares, p)[:, 0] - want).abs().max() < 1e-10


def test_physics_has_the_properties_it_must_have():
    csf, white = P.TABLE["CSF"], P.TABLE["white"]
    ti = P.InversionRecovery.null(csf.t1, 9000)
    assert abs(P.InversionRecovery(9000, 120, ti).signal(csf)) < 1e-12
    ernst = math.degrees(math.acos(math.exp(-50 / white.t1)))
    best = P.GradientEcho(50, 5, ernst).signal(white)
    assert all(P.GradientEcho(50, 5, ernst + d).signal(white) < best for d in (-3, 3))
    signal = {c: dict(zip(P.TISSUES, P.physics.signals([c])[0].tolist(), strict=True)) for c in P.PROTOCOLS}
    assert signal["T1w"]["white"] > signal["T1w"]["grey"] > signal["T1w"]["CSF"]
    assert signal["T2w"]["CSF"] > signal["T2w"]["oedema"] > signal["T2w"]["grey"] > signal["T2w"]["white"]
    assert signal["FLAIR"]["oedema"] > signal["FLAIR"]["grey"] > signal["FLAIR"]["white"] > 10 * signal["FLAIR"]["CSF"]
    assert signal["SWI"]["haemorrhage"] < 0.1 * signal["GE"]["haemorrhage"] < 0.1 * signal["GE"]["white"]
    assert all(signal[c]["bone"] == signal[c]["air"] == 0 for c in MR)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: P.SpinEcho(500, 600), "shorter than the repetition time"),
        (lambda: P.SpinEcho(-1, 10), "TR has to be positive"),
        (lambda: P.SpinEcho(500, float("nan")), "TE has to be positive"),
        (lambda: P.InversionRecovery(3000, 100, 2950), "TI"),
        (lambda: P.GradientEcho(50, 5, 0), "ANGLE has to be positive"),
        (lambda: P.GradientEcho(50, 5, 200), "flip angle"),
        (lambda: P.Tissue(-500, 70, 60, 1, 30), "T1, T2, and T2"),
        (lambda: P.Scanner(noise=-0.1), "noise = -0.1"),
        (lambda: P.heads(2).images("T3w"), "no contrast 'T3w'"),
        (lambda: P.heads(2, ventricle=3), "no knob 'ventricle'"),
        (lambda: P.heads(2, lesion=[1, 2, 3]), "one for each of the 2 heads"),
        (lambda: P.heads(2, lesions=3), "between 0 and 1"),
        (lambda: P.heads(0), "at least 1 head"),
    ],
)
def test_bad_input_gets_a_sentence(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("size", [28, 32, 64, 100])
def test_shares_are_shares(size):
    tissues = P.heads(60, size, seed=size).tissues
    assert tissues.shape == (60, 12, size, size)
    assert tissues.min() > -1e-6
    assert (tissues.sum(1) - 1).abs().max() < 1e-5


@pytest.mark.parametrize("end", [0, 1])
def test_shares_are_shares_at_the_ends_of_the_knobs(end):
    tissues = P.heads(4, 48, **{name: ends[end] for name, ends in P.KNOBS.items()}).tissues
    assert tissues.min() > -1e-6
    assert (tissues.sum(1) - 1).abs().max() < 1e-5
    assert tissues[:, 0, 0].min() > 0.99  # air all round: the head fits its field of view
    assert tissues[:, 0, :, 0].min() > 0.99


def test_partial_volume_is_the_mean_over_the_pixel():
    coarse, fine = (P.heads(20, n, seed=3).tissues for n in (32, 256))
    assert (coarse - torch.nn.functional.avg_pool2d(fine, 8)).abs().mean() < 0.02


@pytest.mark.parametrize(
    ("knob", "measure", "sign"),
    [
        ("ventricles", lambda h: h.ventricle_size, 1),
        ("atrophy", lambda h: h.share("CSF"), 1),
        ("cortex", lambda h: h.share("grey"), 1),
        ("skull", lambda h: h.mask("bone", "marrow").sum((1, 2, 3)), 1),
        ("scalp", lambda h: h.mask("fat").sum((1, 2, 3)), 1),
        ("lesion", lambda h: h.lesion_load, 1),
        ("lesion_core", lambda h: h.share("core", "haemorrhage"), 1),
        ("bleeding", lambda h: h.share("haemorrhage"), 1),
        ("width", lambda h: h.mask("air").sum((1, 2, 3)), -1),
        ("length", lambda h: h.mask("air").sum((1, 2, 3)), -1),
        ("sinus", lambda h: h.mask("air").sum((1, 2, 3)), 1),
        ("level", lambda h: h.share("ventricles"), -1),
    ],
)
def test_every_knob_turns_what_it_is_named_for(knob, measure, sign):
    fixed = {"level": 0.3} if knob != "level" else {}
    low, high = (measure(P.heads(50, seed=1, lesions=1, **fixed, **{knob: end})) for end in P.KNOBS[knob])
    assert (sign * (high - low)).mean() > 0
    assert (sign * (high - low) >= -1e-3 * low.abs()).double().mean() > 0.75


def test_knobs_are_returned():
    heads = P.heads(30, 32, seed=5, tilt=4.0, ventricles=torch.linspace(2, 7, 30))
    assert heads.z.shape == (30, len(P.KNOBS))
    assert torch.equal(heads.knob("ventricles"), torch.linspace(2, 7, 30))
    assert (heads.knob("tilt") == 4).all()
    assert torch.equal(heads[3:5].tissues, heads.tissues[3:5])


def test_lesions_are_there_where_they_should_be():
    heads = P.heads(400, 32, seed=2, lesions=0.25)
    sick = heads.knob("lesion") > 0
    assert 60 < sick.sum() < 140
    assert (heads.lesion[~sick] == 0).all()
    assert (heads.lesion_load[sick] > 0).double().mean() > 0.97
    assert (P.heads(50, 32, lesions=0).lesion == 0).all()
    outside = heads.mask("skin", "fat", "bone", "marrow")
    assert (heads.lesion * (outside > 0.9)).max() < 0.05


def test_the_same_seed_gives_the_same_heads_at_every_size():
    assert torch.equal(P.heads(40, 32, seed=7).tissues, P.heads(40, 32, seed=7).tissues)
    assert torch.equal(P.heads(40, 32, seed=7).z, P.heads(40, 64, seed=7).z)
    assert not torch.equal(P.heads(40, 32, seed=7).z, P.heads(40, 32, seed=8).z)
    a, b = (P.heads(5, 32, seed=7).images("T1w", seed=s) for s in (0, 1))
    assert not torch.equal(a, b)


def test_truth_is_the_scaled_signal():
    heads = P.heads(3, seed=1)
    image = heads.images("T2w", "CT", scanner=None)
    signal = P.render(heads.tissues, "T2w", "CT")
    assert torch.allclose(image[:, 0], 2 * signal[:, 0] / P.PROTOCOLS["T2w"].signal(P.TABLE["CSF"]) - 1, atol=1e-5)
    assert torch.allclose(image[:, 1], signal[:, 1] / 1000, atol=1e-5)


def test_noise_is_rician():
    s, n = 0.3, 0.1
    scanner = P.Scanner(noise=n, bias=0, blur=0, gain=0)
    for level in (0.0, s):
        x = scanner(torch.full((40, 1, 64, 64), level), [True], torch.Generator().manual_seed(0))
        assert x.square().mean().item() == pytest.approx(level**2 + 2 * n**2, rel=0.01)
        if level == 0:
            assert x.mean().item() == pytest.approx(n * math.sqrt(math.pi / 2), rel=0.01)
    ct = scanner(torch.full((40, 1, 64, 64), 0.5), [False], torch.Generator().manual_seed(0))
    assert (ct.mean().item(), ct.std().item()) == (pytest.approx(0.5, abs=1e-3), pytest.approx(n / 4, rel=0.01))


def test_bias_gain_blur_and_shift_do_what_they_say():
    gen = torch.Generator().manual_seed(0)
    flat = torch.ones(200, 2, 32, 32)
    coil = P.Scanner(noise=0, bias=0.2, blur=0, gain=0)(flat.clone(), [True, False], gen)
    assert 0.05 < (coil[:, 0] - 1).abs().amax((1, 2)).mean() <= 0.2
    assert (coil[:, 1] == 1).all()
    gain = P.Scanner(noise=0, bias=0, blur=0, gain=0.1)(flat.clone(), [True, True], gen)[:, :, 0, 0]
    assert gain.std().item() == pytest.approx(0.1, rel=0.15)
    dot = torch.zeros(200, 2, 33, 33)
    dot[:, :, 16, 16] = 1
    blurred = P.Scanner(noise=0, bias=0, blur=1.5, gain=0, shift=1.0)(dot, [True, True], gen)
    assert torch.allclose(blurred.sum((2, 3)), torch.ones(200, 2), atol=1e-3)
    ticks = torch.arange(33.0) - 16
    centre = (blurred.sum(2) * ticks).sum(2)
    assert centre[:, 0].abs().max() < 1e-3  # the first contrast is the reference
    assert centre[:, 1].std().item() == pytest.approx(1.0, rel=0.15)
    width = (blurred[:, 0].sum(1) * ticks.square()).sum(1).sqrt()
    assert width.mean().item() == pytest.approx(1.5, rel=0.01)


def test_pairs_belong_together_and_strangers_do_not():
    a, b = data.phantoms.paired("T1w", "T2w", 40, seed=1, lesions=0, scanner=None)
    heads = P.heads(40, 32, seed=1, lesions=0)
    assert torch.equal(torch.cat([a, b], 1), heads.images("T1w", "T2w", scanner=None))
    a, b = data.phantoms.unpaired("T1w", "T1w", 40, seed=1, scanner=None)
    assert torch.cdist(a.flatten(1), b.flatten(1)).min() > 1
