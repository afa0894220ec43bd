"""The long runs of lecture 14: VAE, VAE with more steps, GAN, and VAE-GAN on digits and on head phantoms, over several seeds.

    python benchmarks/vaegan.py [--workers 2] [--only heads]

Writes course_lib/data/results/vaegan.json in about 20 minutes of CPU time; with --only, the arms named so.
A job's seed depends on the job alone, so any number of workers gives the same result. The steps are those of the notebook.
"""

import argparse
import dataclasses
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import torch
from results import machine, store
from torch import Tensor

from course_lib import adam, data, fit, linear_decay, losses, metrics, nets, pick, setup
from course_lib.data.stored import FOLDER

COMMAND = "python benchmarks/vaegan.py"
SEEDS = pick(laptop=5, smoke=1)
LATENT, WIDTH = 16, 16


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one model is trained; the defaults are the lecture's on digits."""

    arm: str = "VAE-GAN"  # "VAE", "GAN", or "VAE-GAN"
    images: str = "digits"  # or "heads"
    batch: int = 64
    steps: int = 500
    first: int = 0  # steps of a pixel VAE before
    variance: float = 0.45  # of the pixel likelihood
    beta: float = 2.0  # weight of the KL beside the Dis_l likelihood
    gamma: float = 0.05  # weight of that likelihood in the generator
    layer: int = 1  # l, counted from 0
    r1: float = 1.0
    lr: float = 3e-3


HEADS = Recipe(images="heads", batch=32, steps=300, first=800, variance=0.035, beta=0.6, gamma=0.1, r1=5.0, lr=2e-3)


@cache
def study(name: str) -> tuple[Tensor, Tensor, Tensor, metrics.Features]:
    """Training images, test images, truth of the training and then the test images, and a frozen net trained on the truth."""
    if name == "digits":
        train, test = data.digits.load(16), data.digits.load(16, "test")
        return train.x, test.x, torch.cat([train.y, test.y]), metrics.features(train.x, train.y)
    heads = head_study()
    x, truth = heads.images("FLAIR"), torch.stack([heads.ventricle_size, heads.lesion_load, heads.knob("width")], 1)
    return x[:1600], x[1600:], truth, metrics.features(x[:1600], truth[:1600])


def head_study(n: int = 3200):
    """Heads of one level, half of them with a lesion in the frontal lobes of varying size; the lecture's own."""
    draw = torch.rand(3, n, generator=torch.Generator().manual_seed(0))
    radius = (draw[0] < 0.5) * (10 + 12 * draw[1])
    fixed = {"level": 0.35, "tilt": 0.0, "right": 0.0, "up": 0.0, "lesion_depth": 0.6}
    return data.phantoms.heads(n, 32, seed=1, lesion=radius, lesion_angle=80 * draw[2] - 40, **fixed)


def pixel_nll(x: Tensor, fake: Tensor, variance: float) -> Tensor:
    return ((x - fake).square() / (2 * variance)).flatten(1).sum(1).mean()


def dis_l_nll(real: Tensor, fake: Tensor, pixels: int) -> Tensor:
    return pixels * (0.5 * (real - fake).square() / real.var(correction=0)).mean()


class Model:
    """Encoder, generator, discriminator, their optimisers, and one step of every arm."""

    def __init__(self, recipe: Recipe, size: int):
        self.recipe, self.size = recipe, size
        self.E, self.G = nets.ConvEncoder(size, LATENT, WIDTH), nets.ConvGenerator(size, LATENT, WIDTH)
        self.D = nets.ConvDiscriminator(size, WIDTH)

    def optimise(self, lr: float, steps: int) -> list:
        """Fresh optimisers; their schedulers."""
        self.opts = [adam(net.parameters(), lr, (b, 0.99)) for net, b in ((self.E, 0.5), (self.G, 0.5), (self.D, 0.0))]
        return [linear_decay(opt, steps) for opt in self.opts]

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = self.E(x)
        return mu + (0.5 * logvar).exp() * torch.randn_like(mu), losses.variational.kl_normal(mu, logvar).mean()

    def vae(self, x: Tensor) -> dict[str, Tensor]:
        z, prior = self.encode(x)
        loss = pixel_nll(x, self.G(z), self.recipe.variance) + prior
        for opt in self.opts:
            opt.zero_grad()
        loss.backward()
        for opt in self.opts[:2]:
            opt.step()
        return {"KL": prior}

    def adversarial(self, x: Tensor) -> dict[str, Tensor]:
        """One step of the GAN or the VAE-GAN: a pass through every net, gradients routed by hand."""
        r, b, whole = self.recipe, len(x), self.recipe.arm == "VAE-GAN"
        z, prior = self.encode(x) if whole else (x.new_zeros(0, LATENT), x.new_zeros(()))
        fakes = self.G(torch.cat([z, torch.randn(b, LATENT)]))
        seen = fakes.detach().requires_grad_()
        logits, layers = self.D.layers(torch.cat([x, seen]))
        # half a batch will do for the penalty
        gan_D = losses.adversarial.discriminator(logits[:b], logits[b:]) + r.r1 * losses.adversarial.r1(self.D, x[: b // 2])
        (to_gan,) = torch.autograd.grad(losses.adversarial.nonsaturating(logits[b:]), seen, retain_graph=True)
        to_like = 0
        if whole:
            like = dis_l_nll(layers[r.layer][:b], layers[r.layer][b : 2 * b], self.size**2)
            (to_like,) = torch.autograd.grad(like, seen, retain_graph=True)
        for opt in self.opts:
            opt.zero_grad()
        gan_D.backward(inputs=list(self.D.parameters()))
        if whole:
            torch.autograd.backward([fakes, r.beta * prior], [to_like, None], inputs=list(self.E.parameters()), retain_graph=True)
        fakes.backward(r.gamma * to_like + to_gan, inputs=list(self.G.parameters()))
        for opt in self.opts if whole else self.opts[1:]:
            opt.step()
        return {"KL": prior}


def train(recipe: Recipe, seed: int) -> Model:
    """A trained model."""
    images = study(recipe.images)[0]
    torch.manual_seed(seed)
    model, batches = Model(recipe, images.shape[-1]), data.shuffled(images, size=recipe.batch, seed=seed)
    if recipe.first:
        fit(model.vae, batches, recipe.first, schedulers=model.optimise(recipe.lr, recipe.first))
    step = model.vae if recipe.arm == "VAE" else model.adversarial
    fit(step, batches, recipe.steps, schedulers=model.optimise(recipe.lr, recipe.steps))
    return model


def measure(job: tuple[str, Recipe, int]) -> dict[str, float]:
    """Everything the lecture says of one model, on test images, and the CPU seconds of its training."""
    setup()
    _, recipe, seed = job
    study(recipe.images)
    began = time.process_time()
    model = train(recipe, seed)
    seconds = time.process_time() - began
    with torch.no_grad():
        return {name: round(value, 4) for name, value in {**judge(model, recipe), "seconds": seconds}.items()}


def judge(model: Model, recipe: Recipe) -> dict[str, float]:
    """Samples against real images; and, where there is an encoder, reconstructions against test images."""
    _, test, everyone, features = study(recipe.images)
    truth = everyone[-len(test) :]
    torch.manual_seed(1000)
    real = data.digits.load(16, "all").x if recipe.images == "digits" else test
    samples = model.G(torch.randn(len(real) // 2, LATENT))
    found = {"fcd": metrics.fcd(features, real, samples).value, "sharp": sharp(samples, test)}
    if recipe.arm == "GAN":
        return found
    mu, logvar = model.E(test)
    again = model.G(mu + (0.5 * logvar).exp() * torch.randn_like(mu))
    found |= {"kl": losses.variational.kl_normal(mu, logvar).mean().item(), "mse": (again - test).square().mean().item()}
    found |= {"again sharp": sharp(again, test), "again fcd": metrics.fcd(features, torch.cat([test, test]), again).value}
    if recipe.images == "heads":
        error = (features.outputs(again) - truth).square().mean(0) / truth.var(0, correction=0)
        found |= {f"kept {name}": 1 - e for name, e in zip(("ventricles", "lesion", "width"), error.tolist(), strict=True)}
        found |= arithmetic(model)
    return found


def arithmetic(model: Model) -> dict[str, float]:
    """The ventricle and the lesion vector, added once to the codes of test heads that lack the attribute.

    rise: the attribute's change as a share of the true difference of the groups; leak: largest change of another one, in sd;
    again: the difference of the groups' reconstructions, as a share of the true one.
    """
    x, test, truth, features = study("heads")
    train, new = truth[: len(x)], truth[len(x) :]
    codes, base, found = model.E(x)[0], model.E(test)[0], {}
    rules = {"ventricles": lambda t: t[:, 0] > train[:, 0].median(), "lesion": lambda t: t[:, 1] > 0}
    for i, (name, rule) in enumerate(rules.items()):
        vector = codes[rule(train)].mean(0) - codes[~rule(train)].mean(0)
        lacking = base[~rule(new)][:400]
        before, after = (features.outputs(model.G(z)).mean(0) for z in (lacking, lacking + vector))
        change = (after - before) / truth.std(0)
        wanted = (new[rule(new)].mean(0) - new[~rule(new)].mean(0)) / truth.std(0)
        found[f"{name} rise"] = (change[i] / wanted[i]).item()
        groups = (features.outputs(model.G(base[mask])).mean(0) for mask in (rule(new), ~rule(new)))
        found[f"{name} again"] = ((next(groups) - next(groups))[i] / truth.std(0)[i] / wanted[i]).item()
        found[f"{name} leak"] = change[[j for j in range(3) if j != i]].abs().max().item()
    return found


def sharp(images: Tensor, real: Tensor) -> float:
    """Gradient energy as a share of the real images'."""
    return metrics.gradient_energy(images) / metrics.gradient_energy(real)


def jobs() -> dict[str, Recipe]:
    """Every arm by its name in the stored result."""
    vae, head_vae = Recipe("VAE"), dataclasses.replace(HEADS, arm="VAE", first=0)
    arms = {"VAE": vae, "VAE, equal compute": dataclasses.replace(vae, steps=2000), "GAN": Recipe("GAN"), "VAE-GAN": Recipe()}
    for variance in (0.08, 0.2, 0.8, 1.4):
        arms[f"VAE, variance {variance}"] = dataclasses.replace(vae, variance=variance)
    for beta in (0.5, 1.0, 4.0):
        arms[f"VAE-GAN, beta {beta}"] = Recipe(beta=beta)
    for layer in (0, 2):
        arms[f"VAE-GAN, Dis_{layer + 1}"] = Recipe(layer=layer)
    arms["heads: VAE"] = dataclasses.replace(head_vae, steps=800)
    arms["heads: VAE, equal compute"] = dataclasses.replace(head_vae, steps=2100)
    arms["heads: VAE-GAN"] = HEADS
    arms["heads: VAE-GAN from scratch"] = dataclasses.replace(HEADS, first=0, steps=500)
    return arms


def run(workers: int, only: str = "") -> dict[str, list[dict]]:
    """All arms over all seeds."""
    arms = {name: recipe for name, recipe in jobs().items() if only in name}
    todo = [(name, recipe, seed) for name, recipe in arms.items() for seed in range(SEEDS)]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        results = iter(list(pool.map(measure, todo)))
    return {name: [next(results) for _ in range(SEEDS)] for name in arms}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="processes side by side")
    parser.add_argument("--only", default="", help="run the arms whose name holds this; the others stay as stored")
    workers, only, command = parser.parse_args().workers, parser.parse_args().only, COMMAND
    os.environ["COURSE_HEADLESS"] = "1"
    result = run(workers, only)
    if only:
        before = data.stored("vaegan")
        result, command = before["arms"] | result, f"{before['command']}; then --only {only!r}"
    real = {"digits": data.digits.load(16, "all").x, "heads": study("heads")[1]}
    floors = {name: round(metrics.fcd(study(name)[3], x, x).floor, 4) for name, x in real.items()}
    recipes = {name: dataclasses.asdict(recipe) for name, recipe in jobs().items()}
    seconds = sum(run["seconds"] for seeds in result.values() for run in seeds)
    about = {"CPU minutes of training": round(seconds / 60, 1), "recipes": recipes, "floors": floors, "arms": result}
    store(FOLDER / "vaegan.json", command, about, f"{workers} workers with 1 thread each on {machine()}")


if __name__ == "__main__":
    main()
