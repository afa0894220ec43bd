"""The VAE of the PyTorch examples on real MNIST: its net, its schedule, its test loss after 10 epochs, over three seeds.

    python benchmarks/vae_mnist.py [MNIST.npz] [--seeds 3]

MNIST.npz holds x_train (60000, 28, 28) and x_test (10000, 28, 28), grey levels 0 to 255; without it MNIST is downloaded. Writes
course_lib/data/results/vae_mnist.json. Grey levels serve as Bernoulli targets, as in the example: its loss is not a
normalised likelihood.
"""

import argparse
import os
import time

import numpy as np
import torch
from results import machine, store

from course_lib import data, fit, nets, setup
from course_lib.data.stored import FOLDER
from course_lib.losses import variational

COMMAND = "python benchmarks/vae_mnist.py [MNIST.npz]"
EPOCHS, BATCH, HIDDEN, LATENT, RATE = 10, 128, 400, 20, 1e-3
PUBLISHED = [105.59, 105.56]  # two logs of pytorch/examples/vae after 10 epochs


def read(path: str | None) -> tuple[torch.Tensor, torch.Tensor]:
    """(train, test) as rows of 784 grey levels in [0, 1]."""
    if path is None:
        train, test = ((data.files.images("mnist", split=split).x.flatten(1) + 1) / 2 for split in ("train", "test"))
        return train, test
    with np.load(path) as arrays:
        x, y = (torch.tensor(arrays[name]).flatten(1).float() / 255 for name in ("x_train", "x_test"))
    if x.shape != (60_000, 784) or y.shape != (10_000, 784):
        raise SystemExit(f"{path} holds {tuple(x.shape)} and {tuple(y.shape)}; MNIST is (60000, 784) and (10000, 784).")
    return x, y


def loss(vae: nets.VAE, x: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy, summed over pixels, plus KL: (B,)."""
    logits, mu, logvar = vae(x)
    return -variational.elbo(variational.bernoulli(x, logits), variational.kl_normal(mu, logvar))


def run(train: torch.Tensor, test: torch.Tensor, seed: int) -> dict:
    """Test loss per image after every epoch, its two parts at the end, and the seconds of the training alone."""
    setup(seed)
    vae = nets.VAE(784, LATENT, HIDDEN)
    optimizer = torch.optim.Adam(vae.parameters(), RATE, fused=True)
    order = torch.Generator("cpu").manual_seed(seed)
    curve, seconds = [], 0.0

    def step(x):
        total = loss(vae, x).mean()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()

    for _ in range(EPOCHS):
        began = time.perf_counter()
        rows = torch.randperm(len(train), generator=order).split(BATCH)
        fit(step, (train[r] for r in rows), steps=len(rows))
        seconds += time.perf_counter() - began
        with torch.no_grad():
            curve.append(round(loss(vae, test).mean().item(), 3))
    with torch.no_grad():
        kl = variational.kl_normal(*vae.encode(test)).mean().item()
    print(f"seed {seed}: {curve[-1]} in {seconds:.0f} s", flush=True)
    return {"seed": seed, "test loss": curve[-1], "kl": round(kl, 3), "curve": curve, "seconds": round(seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mnist", nargs="?", help="an .npz file with x_train and x_test")
    parser.add_argument("--seeds", type=int, default=3, help="trainings, one after the other")
    options = parser.parse_args()
    os.environ["COURSE_HEADLESS"] = "1"
    train, test = read(options.mnist)
    runs = [run(train, test, seed) for seed in range(options.seeds)]
    recipe = {"net": f"784-{HIDDEN}-{LATENT}-{HIDDEN}-784", "epochs": EPOCHS, "batch": BATCH, "adam": RATE}
    best = {"test loss": [r["test loss"] for r in runs], "published": PUBLISHED, "seconds": [r["seconds"] for r in runs]}
    store(FOLDER / "vae_mnist.json", COMMAND, {"recipe": recipe, **best, "runs": runs}, f"1 thread on {machine()}")


if __name__ == "__main__":
    main()
