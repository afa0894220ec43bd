"""The long runs of lecture 03 on the ring of 8 Gaussians: every objective over ten seeds, tricks one at a time, random settings.

    python benchmarks/ring_sweep.py [--workers 3]

Writes course_lib/data/results/ring_sweep.json, in under an hour of CPU time. A job's seed depends on the job alone,
so any number of workers gives the same result.
"""

import argparse
import dataclasses
import multiprocessing
import os
import random
import time
from concurrent.futures import ProcessPoolExecutor

import torch
from results import machine, store
from torch.nn.functional import softplus

from course_lib import adam, data, fit, linear_decay, metrics, nets, pick, setup
from course_lib.data.stored import FOLDER
from course_lib.losses import adversarial

COMMAND = "python benchmarks/ring_sweep.py"
BATCH, WIDTH, NOISE, SAMPLES = 256, 64, 8, 20_000
SEEDS, SWEEP_SEEDS = 10, 3
SETTINGS = pick(laptop=40, smoke=2)  # random settings per objective
DATA = 2400  # batches of real points that every run of the sweep sees, however it shares them out
RANGES = {
    "lr": "log-uniform, 1e-4 to 1e-2",
    "beta1": "uniform, 0 to 0.95",
    "beta2": "0.9, 0.99, or 0.999",
    "critic_steps": "1, 2, 3, 4, or 5",
    "decay": "yes or no",
    "weight": "log-uniform, 0.01 to 10 (R1 and GP)",
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one GAN is trained; the defaults are the lecture's."""

    objective: str = "non-saturating"
    penalty: str = ""  # "", "R1" or "GP"
    weight: float = 0.0  # of the penalty
    lr: float = 2e-3
    lr_ratio: float = 1.0  # D's rate over G's
    beta1: float = 0.5
    beta2: float = 0.9
    critic_steps: int = 1
    decay: bool = True  # linear to zero over the second half
    average: float = 0.0  # exponential moving average of G's weights
    smooth: float = 0.0  # real labels 1 - smooth
    steps: int = 1500  # updates of G


OBJECTIVES = {
    "minimax": Recipe("minimax"),
    "non-saturating": Recipe(),
    "LSGAN": Recipe("LSGAN"),
    "hinge": Recipe("hinge"),
    "WGAN, no constraint": Recipe("WGAN"),
    "WGAN, no constraint, 4× the steps": Recipe("WGAN", steps=6000),
    "WGAN-GP": Recipe("WGAN", "GP", 0.7, critic_steps=2),
    "WGAN + R1": Recipe("WGAN", "R1", 1.0),
    "hinge + R1": Recipe("hinge", "R1", 0.1),
    "non-saturating + R1": Recipe("non-saturating", "R1", 0.1),
}
BASE = Recipe(decay=False)  # what the tricks are measured against
TRICKS = {
    "base": {},
    "step-size decay": {"decay": True},
    "weight averaging 0.99": {"average": 0.99},
    "R1, γ = 0.1": {"penalty": "R1", "weight": 0.1},
    "R1, γ = 1": {"penalty": "R1", "weight": 1.0},
    "β₁ = 0": {"beta1": 0.0},
    "β₁ = 0.9": {"beta1": 0.9},
    "β₂ = 0.999": {"beta2": 0.999},
    "two critic steps": {"critic_steps": 2},
    "D's rate × 2": {"lr_ratio": 2.0},
    "label smoothing 0.1": {"smooth": 0.1},
}
SWEPT = {
    "minimax": Recipe("minimax"),
    "non-saturating": Recipe(),
    "LSGAN": Recipe("LSGAN"),
    "hinge": Recipe("hinge"),
    "WGAN-GP": Recipe("WGAN", "GP"),
    "WGAN + R1": Recipe("WGAN", "R1"),
    "non-saturating + R1": Recipe("non-saturating", "R1"),
}


def losses_of(recipe: Recipe):
    """(loss of D from x, y and D, loss of G from fake logits), with the penalty and label smoothing in."""
    of_D, of_G = adversarial.OBJECTIVES[recipe.objective]

    def loss_D(D, x, y):
        real, fake = D(x), D(y)
        loss = of_D(real, fake) + recipe.smooth * (softplus(real) - softplus(-real)).mean()
        if recipe.penalty == "R1":
            loss = loss + recipe.weight * adversarial.r1(D, x, batch_dims=2)
        if recipe.penalty == "GP":
            loss = loss + recipe.weight * adversarial.gradient_penalty(D, x, y, batch_dims=2)
        return loss

    return loss_D, of_G


def train(recipe: Recipe, seeds: int, seed: int) -> torch.Tensor:
    """Samples (seeds, SAMPLES, 2) of independent GANs trained side by side."""
    torch.manual_seed(seed)
    G = nets.mlp(NOISE, WIDTH, WIDTH, WIDTH, 2, seeds=seeds)
    D = nets.mlp(2, WIDTH, WIDTH, WIDTH, 1, seeds=seeds)
    parameters = list(G.parameters())
    betas = (recipe.beta1, recipe.beta2)
    opt_G, opt_D = adam(parameters, recipe.lr, betas), adam(D.parameters(), recipe.lr * recipe.lr_ratio, betas)
    averaged = [p.detach().clone() for p in parameters]
    loss_D, loss_G = losses_of(recipe)

    def step(batches):
        for x in batches:
            y = G(torch.randn(seeds, BATCH, NOISE)).detach()
            of_D = loss_D(D, x, y)
            opt_D.zero_grad()
            of_D.backward()
            opt_D.step()
        of_G = loss_G(D(G(torch.randn(seeds, BATCH, NOISE))))
        opt_G.zero_grad()
        of_G.backward(inputs=parameters)
        opt_G.step()
        if recipe.average:
            torch._foreach_lerp_(averaged, [p.detach() for p in parameters], 1 - recipe.average)

    schedulers = [linear_decay(o, recipe.steps) for o in (opt_G, opt_D)] if recipe.decay else []
    batches = data.ring().batches((recipe.critic_steps, seeds, BATCH), seed)
    fit(step, batches, steps=recipe.steps, schedulers=schedulers)
    with torch.no_grad():
        if recipe.average:
            for p, mean in zip(parameters, averaged, strict=True):
                p.copy_(mean)
        return G(torch.randn(seeds, SAMPLES, NOISE))


def measure(job: tuple[Recipe, int, int]) -> dict[str, list]:
    """Modes, high-quality share, and JSD of every seed of a job (recipe, seeds, seed); a GAN that blew up has JSD log 2."""
    setup()
    ring, samples = data.ring(), train(*job)
    found = [metrics.modes(s, ring) for s in samples]
    return {
        "modes": [f.count for f in found],
        "quality": [round(f.quality, 4) for f in found],
        "jsd": [round(metrics.jsd(s, ring).value, 4) for s in samples],
    }


def random_recipes() -> list[dict]:
    """The sweep's settings: the same ones for every objective, so that luck in drawing them favours none."""
    draw = random.Random(0)
    return [
        {
            "lr": round(10 ** draw.uniform(-4, -2), 6),
            "beta1": round(draw.uniform(0, 0.95), 3),
            "beta2": draw.choice([0.9, 0.99, 0.999]),
            "critic_steps": (critic_steps := draw.randint(1, 5)),
            "decay": draw.random() < 0.5,
            "weight": round(10 ** draw.uniform(-2, 1), 4),
            "steps": DATA // critic_steps,
        }
        for _ in range(SETTINGS)
    ]


def run(workers: int) -> dict:
    """All jobs, then the best setting of every objective once more with fresh seeds."""
    settings = random_recipes()
    jobs = [(recipe, SEEDS, 100) for recipe in OBJECTIVES.values()]
    jobs += [(dataclasses.replace(BASE, **change), SEEDS, 200) for change in TRICKS.values()]
    sweep = [
        dataclasses.replace(recipe, **{k: v for k, v in setting.items() if k != "weight" or recipe.penalty})
        for recipe in SWEPT.values()
        for setting in settings
    ]
    jobs += [(recipe, SWEEP_SEEDS, 300 + i % SETTINGS) for i, recipe in enumerate(sweep)]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(measure, jobs))
        rest = iter(results)
        objectives = {name: next(rest) for name in OBJECTIVES}
        tricks = {name: next(rest) for name in TRICKS}
        swept = {name: [next(rest) for _ in settings] for name in SWEPT}
        best = {name: min(range(SETTINGS), key=lambda i: sum(runs[i]["jsd"])) for name, runs in swept.items()}
        again = pool.map(measure, [(sweep[n * SETTINGS + best[name]], SEEDS, 400) for n, name in enumerate(SWEPT)])
        again = {name: {"setting": best[name], **result} for name, result in zip(SWEPT, again, strict=True)}
    return {"objectives": objectives, "tricks": tricks, "settings": settings, "sweep": swept, "best again": again}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=min(4, os.cpu_count() or 1), help="processes side by side")
    workers, began = parser.parse_args().workers, time.time()
    os.environ["COURSE_HEADLESS"] = "1"
    result = run(workers)
    about = {
        "minutes": round((time.time() - began) / 60, 1),
        "recipe": dataclasses.asdict(Recipe()) | {"batch": BATCH, "width": WIDTH, "noise": NOISE, "samples": SAMPLES},
        "ranges": RANGES | {"real batches": DATA},
    }
    store(FOLDER / "ring_sweep.json", COMMAND, about | result, f"{workers} workers with 1 thread each on {machine()}")


if __name__ == "__main__":
    main()
