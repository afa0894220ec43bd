"""The long runs of lecture 06: T1w to T2w without pairs at 32 pixels, every arm over three seeds, those compared over eight.

    python benchmarks/cyclegan.py [--workers 2] [--only "naive|cycle"]

Writes course_lib/data/results/cyclegan.json, in about 40 minutes of CPU time; with --only, the arms named so.
A job depends on its arm and seed alone, so any number of workers gives the same result.
"""

import argparse
import dataclasses
import functools
import multiprocessing
import os
import re
import time
from concurrent.futures import ProcessPoolExecutor

import torch
from results import machine, store
from torch import nn

from course_lib import adam, data, fit, linear_decay, metrics, nets, pick, setup
from course_lib.data import phantoms
from course_lib.data.stored import FOLDER
from course_lib.losses import adversarial

COMMAND = "python benchmarks/cyclegan.py"
SIZE, SEEDS = 32, 3
COMPARED = {"naive", "cycle", "naive, NS + R1", "cycle, NS + R1", "paired"}  # over eight seeds: a ratio near 1.2 needs them
TRAIN, TEST = pick(laptop=1500, smoke=60), pick(laptop=300, smoke=20)


@dataclasses.dataclass(frozen=True)
class Arm:
    """How one translator is trained; the defaults are the lecture's CycleGAN."""

    lam: float = 10.0  # of the cycle; 0: no F, no D_X
    adversarial: bool = True
    identity: float = 0.0
    buffer: bool = False
    objective: str = "LSGAN"
    r1: float = 0.0  # every second step
    net: str = "local"  # "local", "bottleneck", or "shared": bottlenecks that meet in one code
    code: int = 32
    rebuild: float = 0.0  # weight of x -> code -> x, for "shared"
    latent: float = 0.0  # weight of code -> image -> code, for "shared"
    start: int = 0  # steps in which G and F first learn to leave their own input as it is
    paired: bool = False
    lr: float = 2e-3
    lr_ratio: float = 1.0  # D's rate over G's
    betas: tuple[float, float] = (0.5, 0.99)
    batch: int = 8
    steps: int = 600


KNOWN = ("lesion load", "ventricle size", "head width", "head length", "level")
NS = {"objective": "non-saturating", "betas": (0.0, 0.99)}
CODED = Arm(net="bottleneck", r1=10, lr=1e-3, lr_ratio=2, steps=800, **NS)  # lecture 04's recipe for images
ARMS = {
    "paired": Arm(lam=0, paired=True, betas=(0.9, 0.99), batch=16),
    "naive": Arm(lam=0),
    "cycle": Arm(),
    **{f"cycle, λ = {lam:g}": Arm(lam=lam) for lam in (0.1, 0.5, 2, 5, 20, 50)},
    "cycle alone": Arm(adversarial=False),
    "cycle + identity": Arm(identity=5.0),
    "cycle + buffer": Arm(buffer=True),
    "naive, NS + R1": Arm(lam=0, r1=1, **NS),
    "cycle, NS + R1": Arm(r1=1, **NS),
    "bottleneck, naive": dataclasses.replace(CODED, lam=0, batch=32),
    "bottleneck, λ = 5": dataclasses.replace(CODED, lam=5, batch=16),
    "bottleneck, λ = 20, long": dataclasses.replace(CODED, lam=20, batch=16, steps=2000),
    "shared code, long": dataclasses.replace(CODED, net="shared", lam=5, rebuild=5, latent=1, batch=16, steps=2000),
    "bottleneck, identity start": dataclasses.replace(CODED, lam=10, start=600, batch=16, steps=1000),
    "bottleneck, 128 numbers, identity start": dataclasses.replace(CODED, lam=10, code=128, start=800, batch=16, steps=1000),
}


def known(heads: phantoms.Heads) -> torch.Tensor:
    """What the features learn to read off an image, and what a translation should keep: (N, 5), in KNOWN's order."""
    return torch.stack([heads.lesion_load, heads.ventricle_size, *(heads.knob(k) for k in ("width", "length", "level"))], 1)


@functools.cache
def images() -> dict:
    """Unpaired training images x and y, test images x_test with their noise-free partners truth, and a feature net for T2w."""
    everyone = phantoms.heads(2 * TRAIN, SIZE, seed=1)
    x, others = everyone[:TRAIN].images("T1w", seed=1), everyone[TRAIN:]
    y, test = others.images("T2w", seed=2), phantoms.heads(TEST, SIZE, seed=77)
    partners = everyone[:TRAIN].images("T2w", seed=3)  # of x; for the paired arm only
    return {
        "x": x,
        "y": y,
        "partners": partners,
        "x_test": test.images("T1w", seed=4),
        "truth": test.images("T2w", scanner=None),
        "known": known(test),
        "features": metrics.features(y, known(others), steps=300),
    }


def make(arm: Arm) -> tuple[nn.Module, nn.Module]:
    """G and F. In "shared", both encoders and both decoders share their layers next to the code (Liu et al. 2017)."""
    if arm.net == "local":
        return nets.translator(), nets.translator()
    (enc_x, dec_y), (enc_y, dec_x) = (nets.bottleneck(SIZE, arm.code) for _ in "xy")
    if arm.net == "shared":
        for mine, other, places in ((enc_y, enc_x, (4, 7)), (dec_x, dec_y, (0, 4))):
            for place in places:
                mine[place] = other[place]
    return nn.Sequential(enc_x, dec_y), nn.Sequential(enc_y, dec_x)


class Buffer:
    """The last 50 fakes: every image shown to the critic is, with probability 1/2, an older one. Shrivastava et al. 2017."""

    def __init__(self, size: int = 50):
        self.size, self.kept = size, None

    def __call__(self, fresh: torch.Tensor) -> torch.Tensor:
        fresh = fresh.detach()
        if self.kept is None or len(self.kept) < self.size:
            self.kept = fresh.clone() if self.kept is None else torch.cat([self.kept, fresh])[: self.size]
            return fresh
        slots = torch.randperm(self.size)[: len(fresh)]
        old = (torch.rand(len(fresh)) < 0.5)[:, None, None, None]
        shown = torch.where(old, self.kept[slots], fresh)
        self.kept[slots] = torch.where(old, fresh, self.kept[slots])
        return shown


def l1(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a - b).abs().mean()


def extras(arm: Arm, G, F, x, y, fake_x, fake_y):
    """The terms of the generators beside the critics: cycle, identity, and the way through the shared code."""
    loss = arm.lam * (l1(F(fake_y), x) + l1(G(fake_x), y)) if arm.lam else 0.0
    if arm.identity:
        loss = loss + arm.identity * (l1(G(y), y) + l1(F(x), x))
    if arm.rebuild:
        loss = loss + arm.rebuild * (l1(F[1](G[0](x)), x) + l1(G[1](F[0](y)), y))
    if arm.latent:
        loss = loss + arm.latent * (l1(F[0](fake_y), G[0](x)) + l1(G[0](fake_x), F[0](y)))
    return loss


def train(arm: Arm, seed: int) -> tuple[nn.Module, nn.Module]:
    """G and F of one arm, in evaluation mode."""
    torch.manual_seed(seed)
    sets = images()
    G, F = make(arm)
    D_X, D_Y = nets.critic(SIZE), nets.critic(SIZE)
    both = arm.lam > 0
    players = list({id(p): p for net in ((G, F) if both else (G,)) for p in net.parameters()}.values())
    for_G = adam(players, arm.lr, arm.betas)
    for_D = adam([*D_X.parameters(), *D_Y.parameters()], arm.lr * arm.lr_ratio, arm.betas)
    of_D, of_G = adversarial.OBJECTIVES[arm.objective]
    past = [Buffer() if arm.buffer else torch.Tensor.detach for _ in "xy"]
    count = iter(range(10**9))

    def critics(x, y, fake_x, fake_y):
        loss = of_D(D_Y(y), D_Y(past[1](fake_y))) + (of_D(D_X(x), D_X(past[0](fake_x))) if both else 0)
        if arm.r1 and next(count) % 2 == 0:
            loss = loss + arm.r1 * (adversarial.r1(D_Y, y) + (adversarial.r1(D_X, x) if both else 0))
        for_D.zero_grad()
        loss.backward()
        for_D.step()

    def warm(x, y):
        loss = l1(G(x), x) + l1(F(y), y)
        for_start.zero_grad()
        loss.backward()
        for_start.step()

    def step(x, y):
        fake_y, fake_x = G(x), F(y) if both else None
        if arm.paired:
            loss = l1(fake_y, y)
        else:
            loss = extras(arm, G, F, x, y, fake_x, fake_y)
            if arm.adversarial:
                critics(x, y, fake_x, fake_y)
                loss = loss + of_G(D_Y(fake_y)) + (of_G(D_X(fake_x)) if both else 0)
        for_G.zero_grad()
        loss.backward(inputs=players)
        for_G.step()

    used = (for_G, for_D) if arm.adversarial and not arm.paired else (for_G,)
    if arm.paired:
        batches = data.shuffled(sets["x"], sets["partners"], size=arm.batch, seed=seed)
    else:
        batches = zip(*(data.shuffled(sets[k], size=arm.batch, seed=seed + s) for k, s in (("x", 0), ("y", 50))), strict=True)
    if arm.start:
        for_start = adam(players, 2e-3, (0.9, 0.99))
        fit(warm, zip(*(data.shuffled(sets[k], size=32, seed=seed) for k in "xy"), strict=True), arm.start, capture=False)
    fit(step, batches, arm.steps, schedulers=[linear_decay(o, arm.steps) for o in used], capture=False)
    return G.eval(), F.eval()


def judge(fake: torch.Tensor, back: torch.Tensor | None = None) -> dict[str, float]:
    """Error (MAE as a share of the range), SSIM, retrieval among 200, realism (FCD), variety, correlations of what should stay."""
    sets = images()
    truth, n = sets["truth"], min(200, len(fake))
    nearest = torch.cdist(fake[:n].flatten(1), truth[:n].flatten(1)).argmin(1)
    result = {
        "mae": l1(fake, truth).item() / 2,
        "ssim": metrics.ssim(fake, truth),
        "retrieval": (nearest == torch.arange(n)).double().mean().item(),
        "fcd": metrics.fcd(sets["features"], sets["y"], fake).value,
        "variety": (fake.std(0).mean() / sets["y"].std(0).mean()).item(),
    }
    read = sets["features"].outputs(fake)
    for name, of_fake, of_x in zip(KNOWN, read.T, sets["known"].T, strict=True):
        result[name] = torch.corrcoef(torch.stack([of_fake, of_x]))[0, 1].nan_to_num().item()
    if back is not None:
        result["cycle"] = l1(back, sets["x_test"]).item() / 2
    return {name: round(value, 5) for name, value in result.items()}


def measure(job: tuple[str, int]) -> dict[str, float]:
    """One arm and seed, trained and judged, with the CPU seconds it took."""
    name, seed = job
    setup(seed)
    images()
    began = time.process_time()
    G, F = train(ARMS[name], seed)
    seconds = time.process_time() - began
    with torch.no_grad():
        fake = G(images()["x_test"])
        return judge(fake, F(fake) if ARMS[name].lam else None) | {"seconds": round(seconds, 1)}


def baselines() -> dict:
    """What needs no training: leave the image alone, match histograms, answer the mean of B; and real images against real."""
    sets = images()
    x, y, x_test = sets["x"], sets["y"], sets["x_test"]
    levels = torch.linspace(0, 1, 1001)
    of_x, of_y = (torch.quantile(t[:500].flatten()[:: max(1, t[:500].numel() // 10**6 + 1)], levels) for t in (x, y))
    place = torch.searchsorted(of_x, x_test.contiguous()).clamp(0, 1000)
    return {
        "T1w as it is": judge(x_test),
        "histogram match": judge(of_y[place]),
        "mean image of B": judge(y.mean(0, keepdim=True).expand_as(x_test)),
        "truth, noise-free": judge(sets["truth"]),
        "truth with noise": judge(phantoms.heads(TEST, SIZE, seed=77).images("T2w", seed=5)),
        "FCD of real images": round(metrics.fcd(sets["features"], y, y[:TEST]).floor, 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="processes side by side")
    parser.add_argument("--only", default="", help="run the arms whose whole name matches this; the others stay as stored")
    asked, began = parser.parse_args(), time.time()
    workers, only = asked.workers, asked.only
    os.environ["COURSE_HEADLESS"] = "1"
    setup()
    names = [name for name in ARMS if re.fullmatch(only or ".*", name)]
    jobs = [(name, seed) for name in names for seed in range(8 if name in COMPARED else SEEDS)]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(measure, jobs))
    arms = {
        name: {key: [r[key] for (n, _), r in zip(jobs, results, strict=True) if n == name and key in r] for key in first}
        for (name, seed), first in zip(jobs, results, strict=True)
        if seed == 0
    }
    about = {"minutes": round((time.time() - began) / 60, 1), "arm": dataclasses.asdict(Arm()), "train": TRAIN, "test": TEST}
    command = COMMAND
    if only:
        before = data.stored("cyclegan")
        arms, command = before["arms"] | arms, f"{before['command']}; then --only {only!r}"
        about["minutes"] = round(about["minutes"] + before["minutes"], 1)
    store(FOLDER / "cyclegan.json", command, about | {"baselines": baselines(), "arms": arms}, f"{workers} workers on {machine()}")


if __name__ == "__main__":
    main()
