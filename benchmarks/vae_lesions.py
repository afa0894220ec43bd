"""Lecture 12's lesion detection over three seeds and four settings: contrasts, heads as scanned or aligned.

    python benchmarks/vae_lesions.py

Writes course_lib/data/results/vae_lesions.json in under ten minutes on one core. AUROC of pixels inside the brain and of
heads; every method gets the same mask, the same 3 x 3 mean, and the largest pixel as a head's score. Phantoms.
"""

import os
import time

import torch
from results import machine, store

from course_lib import adam, data, fit, generator, linear_decay, metrics, nets, setup
from course_lib.data import phantoms
from course_lib.data.stored import FOLDER
from course_lib.losses import variational

COMMAND = "python benchmarks/vae_lesions.py"
SIZE, LATENT, HIDDEN, STEPS, BATCH, TRAIN, TEST = 32, 16, 512, 1300, 64, 3000, 600  # as in the lecture
SETTINGS = (("T2w", "as scanned"), ("T2w", "aligned"), ("FLAIR", "as scanned"), ("GE", "as scanned"))
NETS = ("VAE", "autoencoder with σ", "plain autoencoder")
KL = torch.tensor([1.0, 0.0, 0.0])[:, None]  # weight of the KL, and whether noise is added


def scans(n: int, seed: int, lesions: float, contrast: str, pose: str):
    """Heads and their images (n, SIZE²) in [0, 1]; as scanned: tilted by up to 25°, shifted by up to 12 mm."""
    u = (2 * torch.rand(3, n, generator=generator(seed)) - 1) * (pose == "as scanned")
    heads = phantoms.heads(n, SIZE, seed=seed, lesions=lesions, tilt=25 * u[0], right=12 * u[1], up=5 * u[2])
    return heads, heads.images(contrast, seed=seed).flatten(1) / 2 + 0.5


def train(x: torch.Tensor, seed: int):
    """The three nets, side by side: rows (B, D) to (reconstruction, log sigma^2), each (3, B, D)."""
    torch.manual_seed(seed)
    vae = nets.VAE(SIZE**2, LATENT, HIDDEN, seeds=len(NETS), outputs=2 * SIZE**2)
    optimizer = adam(vae.parameters(), 2e-3, (0.9, 0.999))
    knows = torch.tensor([1.0, 1.0, 0.0])[:, None, None]  # the last net's σ is fixed: least squares

    def decode(z):
        mean, logvar = vae.decode(z).chunk(2, -1)
        return mean.sigmoid(), (knows * logvar - 4).clamp(min=-8)

    def step(x):
        mu, logvar = vae.encode(x.expand(len(NETS), -1, -1))
        z = mu + KL[..., None] * torch.exp(0.5 * logvar) * torch.randn_like(mu)
        bound = variational.gaussian(x, *decode(z), batch_dims=2) - KL * variational.kl_normal(mu, logvar)
        loss = -bound.mean(1).sum() / SIZE**2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss}

    fit(step, data.shuffled(x, size=BATCH, seed=seed), steps=STEPS, schedulers=[linear_decay(optimizer, STEPS)])
    return lambda y: decode(vae.encode(y.expand(len(NETS), -1, -1))[0])


@torch.no_grad()
def scores(x: torch.Tensor, y: torch.Tensor, rebuild) -> dict[str, torch.Tensor]:
    """Suspicion per pixel (N, D) of every method."""
    centre, (_, _, axes) = x.mean(0), torch.linalg.svd(x - x.mean(0), full_matrices=False)
    axes = axes[:LATENT]

    def residual(v):
        return (v - centre - (v - centre) @ axes.T @ axes).abs()

    rms = residual(x).square().mean(0).sqrt() + 0.02  # the simplest σ: one map for all heads; the 0.02 is ours
    found = {"brightness": y, "pPCA": residual(y), "pPCA, over its rms map": residual(y) / rms}
    mean, logvar = rebuild(y)
    for i, name in enumerate(NETS):
        found[name] = (y - mean[i]).abs()
        if i < 2:
            found[f"{name}, over its σ"] = found[name] / torch.exp(0.5 * logvar[i])
    return found


def judge(score: torch.Tensor, heads: phantoms.Heads, at: torch.Tensor) -> dict[str, float]:
    """AUROC of 200 brain pixels per head, and of heads."""
    brain = heads.mask(*phantoms.BRAIN, "ventricles", "CSF").flatten(1) > 0.5
    inside = torch.where(brain, score, 0.0).view(-1, 1, SIZE, SIZE)
    inside = torch.nn.functional.avg_pool2d(inside, 3, 1, 1).flatten(1)
    lesion = (heads.lesion.flatten(1) > 0.5).float()
    pixels = metrics.auroc(inside.gather(1, at), lesion.gather(1, at), resamples=2)
    whole = metrics.auroc(torch.where(brain, inside, -1.0).amax(1), (heads.knob("lesion") > 0).float(), resamples=2)
    return {"pixels": round(pixels.value, 4), "heads": round(whole.value, 4)}


def run(contrast: str, pose: str, seed: int) -> dict[str, dict[str, float]]:
    """One seed draws the training heads, the test heads, and the nets."""
    setup(seed)
    _, x = scans(TRAIN, 10 * seed + 1, 0.0, contrast, pose)
    heads, y = scans(TEST, 10 * seed + 2, 0.5, contrast, pose)
    brain = heads.mask(*phantoms.BRAIN, "ventricles", "CSF").flatten(1) > 0.5
    at = torch.multinomial(brain.float(), 200, generator=generator(seed))
    found = scores(x, y, train(x, seed))
    return {name: judge(score, heads, at) for name, score in found.items()}


def main() -> None:
    os.environ["COURSE_HEADLESS"] = "1"
    began, result = time.time(), {}
    for contrast, pose in SETTINGS:
        runs = [run(contrast, pose, seed) for seed in range(3)]
        result[f"{contrast}, {pose}"] = {m: {k: [r[m][k] for r in runs] for k in ("pixels", "heads")} for m in runs[0]}
        print(contrast, pose, {m: v["heads"] for m, v in result[f"{contrast}, {pose}"].items()}, flush=True)
    about = {"minutes": round((time.time() - began) / 60, 1), "train": TRAIN, "test": TEST, "steps": STEPS, "latent": LATENT}
    store(FOLDER / "vae_lesions.json", COMMAND, about | {"auroc": result}, f"1 thread on {machine()}")


if __name__ == "__main__":
    main()
