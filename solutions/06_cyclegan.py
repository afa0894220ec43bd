# ---
# jupyter:
#   course:
#     measures: "unpaired T1w → T2w with the pairs withheld: error, retrieval, and realism of every arm; a perfect map that is wrong"
#     slides: 19–24
#     title: CycleGAN
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # 06 · CycleGAN
#
# *Slides 19–24.* Two archives: heads scanned with T1 weighting, other heads scanned with T2 weighting. Nobody was scanned
# twice. Can a net learn to turn a T1w image into *that patient's* T2w image, without ever seeing a pair?
#
# After this hour you can
# - measure what a GAN alone guarantees about a translation;
# - write CycleGAN's objective (Zhu et al. 2017), train it, and say what the cycle adds, in figures;
# - say what “it comes home” proves about a translation, and what it does not;
# - say what that means for a lesion.

# %% slideshow={"slide_type": "skip"}
import os
from pathlib import Path

import torch

from course_lib import adam, check, data, fit, generator, hint, linear_decay, metrics, nets, pick, quiz, score, setup, show, solution
from course_lib.data import phantoms
from course_lib.losses import adversarial

print(setup(seed=0))

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 60 minutes in all; this page 1. No pairs 9 (with the exercise), the naive GAN 6, a generator that cannot look away 4,
# the cycle 15 (with two exercises), does coming home prove it 12 (with the vote), prevalence 6, knobs 3, the rescue 2, what you
# measured 2. The buffer and the challenge are homework.
#
# **Ask:** "Why would a hospital have two archives and no pairs?" (Protocols change, consent, time in the scanner; CT and MR of the
# same day are rare.)
#
# **Goes wrong:** three trainings of up to half a minute each. Start each one before you talk, not after: the predictions fill
# the time.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## No pairs
#
# Set A holds T1w images x, set B holds T2w images y, of *different* heads. The heads are procedural phantoms, so we own what no
# hospital has: the T2w image that belongs to each x. **Training never sees it.** It is kept to grade the result.

# %% [markdown] slideshow={"slide_type": "skip"}
# The cell runs on your own pictures as well: set `DATA` to a folder that holds `trainA` and `trainB` (and `testA`, `testB`),
# as `horse2zebra` does, or set the environment variable `COURSE_FOLDERS`. Without true partners the error columns are left
# out.

# %% slideshow={"slide_type": "skip"}
DATA = os.environ.get("COURSE_FOLDERS")  # None: the phantoms. Or the path of a folder with trainA and trainB
SIZE, count = 32, pick(laptop=1500, gpu=6000, smoke=80)

if DATA:
    x, y = data.files.two_folders(DATA, SIZE)
    x_test = data.files.two_folders(DATA, SIZE, "test")[0][:300] if (Path(DATA) / "testA").is_dir() else x[:300]
    truth, described = None, torch.nn.functional.adaptive_avg_pool2d(y, 4).flatten(1)
else:
    heads, others, held_out = phantoms.heads(2 * count, SIZE, seed=1), slice(count, None), phantoms.heads(300, SIZE, seed=77)
    x, y = heads[:count].images("T1w", seed=1), heads[others].images("T2w", seed=2)
    x_test, truth = held_out.images("T1w", seed=4), held_out.images("T2w", scanner=None)  # the true partners, free of noise
    described = torch.stack([heads.lesion_load, heads.ventricle_size, *(heads.knob(k) for k in ("width", "length", "level"))], 1)[others]

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# The two archives
chart, axes = show.figure(2, width=5.6, height=2.7, title=f"{len(x)} images of A, {len(y)} of B, and no image of B belongs to one of A")
for ax, images, name in zip(axes, (x, y), ("A: T1w", "B: T2w") if truth is not None else "AB", strict=True):
    show.grid(images[:24], 8, ax=ax, title=name)
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# In T1w the ventricles are dark and fat is bright; in T2w fluid is bright. About half of the heads have a lesion, in A as in
# B.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Four figures, because one would lie
#
# - **MAE**: mean absolute difference to the true partner (free of noise), as a share of the intensity range. **SSIM**
#   compares local mean, contrast, and pattern; 1 is perfect.
# - **Retrieval**: is the output nearest to the partner of *its own* input, among 200 candidates? Guessing gives 0.005.
# - **FCD**: how far the *set* of outputs is from real T2w images (Fréchet distance of a small net's features). It says whether
#   outputs look real, and nothing about whose they are. Small is good; the floor, real against real, is not 0.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: retrieval
#
# *Difficulty ●●○○○ · importance ●●●●● · 5 minutes*
#
# Write `retrieval(fake, truth)`: both are (n, C, H, W), row i of one belongs to row i of the other. Return the share of rows of
# `fake` whose nearest row of `truth` (Euclidean distance) is their own.
#
# <!-- hints: cyclegan.retrieval -->


# %% nbgrader={"grade": false, "grade_id": "cyclegan-retrieval", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def retrieval(fake, truth):
    """Share of rows of fake whose nearest row of truth is their own; both (n, ...), the result () in fake's dtype."""
    ### BEGIN SOLUTION
    nearest = torch.cdist(fake.flatten(1), truth.flatten(1)).argmin(1)
    return (nearest == torch.arange(len(fake), device=fake.device)).to(fake.dtype).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cyclegan-retrieval-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
retrieval = check("cyclegan.retrieval")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Yardsticks that need no net
#
# The input itself; the grey values of B, darkest for darkest (histogram match); the best grey
# curve, fitted on pairs (each value of T1w becomes the median of T2w there); B's mean image, always; and the truth, without
# and with noise.

# %% slideshow={"slide_type": "skip"}
features = metrics.features(y, described, steps=300)  # a small net that learned to read off B what is known of it


def judge(name, fake, back=None):
    """One row of figures for translations of x_test; what needs true partners is left out where there are none."""
    row = {"arm": name}
    if truth is not None:
        row |= {"MAE": (fake - truth).abs().mean().item() / 2, "SSIM": metrics.ssim(fake, truth), "retrieval": retrieval(fake[:200], truth[:200]).item()}
    row["FCD"] = metrics.fcd(features, y, fake).value
    if back is not None:
        row["x → G → F"] = (back - x_test).abs().mean().item() / 2
    return row


def rows(*judged):
    """A table of such rows; a column that an arm has no figure for says –."""
    columns = dict.fromkeys(key for row in judged for key in row)
    digits = {"FCD": 1, "MAE": 3, "x → G → F": 3, "SSIM": 2, "retrieval": 3}
    cell = lambda row, key: "–" if key not in row else row[key] if key == "arm" else show.about(row[key], digits[key])
    return show.table([{key: cell(row, key) for key in columns} for row in judged])


def matched(images):
    """The grey values of B in the order of each value's rank in A."""
    levels = torch.linspace(0, 1, 1001)
    of_x, of_y = (torch.quantile(t[:300].flatten()[:200_000], levels) for t in (x, y))
    return of_y[torch.searchsorted(of_x, images.contiguous()).clamp(0, 1000)]


def best_curve(x, partners, images, bins=100):
    """The curve of grey values with the smallest MAE: each value of x becomes the median of its partners there."""
    place = lambda t: ((t + 1) / 2 * bins).long().clamp(0, bins - 1)
    found = [partners[place(x) == k] for k in range(bins)]
    return torch.stack([values.median() if len(values) else partners.median() for values in found])[place(images)]


# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true} tags=["nbval-check-output"]
# All four figures for each yardstick
floor = metrics.fcd(features, y, y[:300]).floor
live = {"as it is": judge("input as it is", x_test), "matched": judge("histogram match", matched(x_test))}
if truth is not None:
    live["curve"] = judge("best grey curve, fitted on pairs", best_curve(x, heads[:count].images("T2w", seed=3), x_test))
live["mean"] = judge("mean image of B", y.mean(0, keepdim=True).expand_as(x_test))
if truth is not None:
    live["truth"], live["noisy"] = judge("truth, noise-free", truth), judge("truth with noise", held_out.images("T2w", seed=5))
print("FCD of real images of B:", show.about(floor, 1))
rows(*live.values())

# %% [markdown] slideshow={"slide_type": "fragment"}
# **The mean image has a smaller error than the input**, and is nobody's head (retrieval at chance, a large FCD). No
# *increasing* curve makes T2w of T1w: what is dark in T1w is bright in T2w. The best curve of all finds most partners:
# retrieval proves kept geometry, and FCD gives it away. The noise-free truth has the worse FCD of the two, because B is
# noisy. Read all columns.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 9 minutes, 5 of them for the exercise.
#
# **Ask:** "Which of the four figures could you compute in a hospital?" (Only FCD. That is why papers on unpaired translation show
# it, and why it is dangerous to show it alone.)
#
# **Goes wrong:** people expect MAE to rank as the eye does. The mean image is the cure.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The naive approach: one GAN
#
# G turns an x into an image. A discriminator $D_Y$, called *critic* here, sees real images of B and the G(x), and tells them
# apart (lecture 02). If G wins, its outputs look like T2w images. Slide 20: *no guarantee that the output looks similar to
# the input*.
#
# Take a G that could draw other heads than the one it is given: an encoder squeezes x into 32 numbers (standardised, so that
# they cannot shrink to a constant), a decoder draws an image from them.
#
# **Predict:** G sees x, and $D_Y$ is satisfied in the end. For how many of 200 heads is G(x) nearest to their own T2w image:
# about 1, about 100, or nearly 200?

# %% slideshow={"slide_type": "skip"}
def unpaired(size):
    """Batches (x, y) that have nothing to do with each other."""
    size = min(size, len(x), len(y))
    return zip(data.shuffled(x, size=size, seed=0), data.shuffled(y, size=size, seed=50), strict=True)


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### G against one critic, and nothing else
#
# Lecture 02's two turns. Nowhere does the code compare G(x) with x.

# %% slideshow={"slide_type": "fragment"}
def naive(G, objective="LSGAN", r1=0.0, lr=2e-3, ratio=1, betas=(0.5, 0.99), size=8, steps=600):
    """Train G: A → B against a critic of B, and nothing else."""
    of_D, of_G = adversarial.OBJECTIVES[objective]
    D_Y, turn = nets.critic(SIZE), iter(range(steps))
    for_G, for_D = adam(G.parameters(), lr, betas), adam(D_Y.parameters(), ratio * lr, betas)

    def step(x, y):
        fake_y = G(x)
        loss_D = of_D(D_Y(y), D_Y(fake_y.detach()))
        if r1 and next(turn) % 2 == 0:
            loss_D = loss_D + r1 * adversarial.r1(D_Y, y)  # lecture 03's penalty, every second step
        for_D.zero_grad()
        loss_D.backward()
        for_D.step()
        loss_G = of_G(D_Y(fake_y))
        for_G.zero_grad()
        loss_G.backward(inputs=list(G.parameters()))
        for_G.step()
        return {"D_Y": loss_D.detach(), "G": loss_G.detach()}

    fit(step, unpaired(size), steps, schedulers=[linear_decay(o, steps) for o in (for_G, for_D)], watch=lambda: show.grid(G(x_test[:8]), title="G(x) after the last step"), capture=False)
    return G.eval()


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Training the bottleneck
#
# Write down your prediction while it trains: about 1, about 100, or nearly 200 of 200?

# %% slideshow={"slide_type": "fragment"}
torch.manual_seed(0)
dreamer = naive(nets.bottleneck(SIZE, code=32), "non-saturating", r1=10, lr=1e-3, ratio=2, betas=(0, 0.99), size=32, steps=800)
with torch.no_grad():
    dreamt = dreamer(x_test)
live["dreamer"] = judge("bottleneck G, naive", dreamt)

# %% slideshow={"slide_type": "skip"}
def sheet(title, columns=8, **strips):
    """Rows of images, each with its name; what is None is left out."""
    strips = {name: images for name, images in strips.items() if images is not None}
    chart, axes = show.figure(1, len(strips), width=9.2, height=1.15 * 8 / columns, title=title)
    for ax, (name, images) in zip(axes, strips.items(), strict=True):
        show.grid(images[:columns], columns, ax=ax)
        ax.set_axis_on()
        ax.set_anchor("E")
        ax.spines[:].set_visible(False)
        ax.set(xticks=[], yticks=[])
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=13)
    return chart


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What it draws

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# What the bottleneck draws, beside the truth
found = f"FCD {live['dreamer']['FCD']:.1f}, down from {live['as it is']['FCD']:.1f}"
found = f"{found}; retrieval {live['dreamer']['retrieval']:.3f}" if truth is not None else found
sheet(f"The outputs look like B ({found})" if truth is None else f"Near T2w as a set: {found}", **{"x": x_test, "G(x)": dreamt, "truth": truth})

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
rows(live["as it is"], live["mean"], live["dreamer"])

# %% [markdown] slideshow={"slide_type": "fragment"}
# The outputs are rough T2w heads: dark outside, bright folds, often bright ventricles, though hardly a skull. They differ
# from one another, and FCD falls to a tenth. Yet **they are not the patients'**: retrieval is about that of a blind guess,
# and the error is larger than that of the mean image. The loss has no complaint about that. $D_Y$ asks for an image of B and
# gets one. No term asks *whose*.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 6 minutes. The training takes about 25 s: let them discuss the prediction meanwhile.
#
# **Ask:** "For how many of 200 heads is G(x) nearest to its own partner?" (About 1: chance. Most expect nearly all, since G sees x.)
#
# **Goes wrong:** "It has not trained long enough." Longer training improves FCD; retrieval has no reason to move.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A generator that cannot look away
#
# CycleGAN's own G is convolutional: here its convolutions reach 26 × 26 pixels at most (the normalisation also sees each
# whole image's mean and spread). Moving a ventricle would be hard work for it: part of the guarantee is built into the *net*.
# Train this G naively, twice: with the least-squares loss, as CycleGAN will be trained below (LSGAN: ½(D − 1)² instead of
# logarithms), and with a steadier GAN, the non-saturating loss and a penalty on the critic's slope (NS + R1, lecture 03).

# %% slideshow={"slide_type": "fragment"}
torch.manual_seed(1)
local = naive(nets.translator())  # LSGAN, 600 steps of 8 images: as CycleGAN below, but for the cycle
torch.manual_seed(1)
steady = naive(nets.translator(), "non-saturating", r1=1.0, betas=(0, 0.99))
with torch.no_grad():
    plain = steady(x_test)
    live["naive"], live["steady"] = judge("local G, naive", local(x_test)), judge("local G, naive, NS + R1", plain)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Whose image comes out now?
#
# The bottleneck and the mean image once more, and below them the two local G:

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
rows(live["mean"], live["dreamer"], live["naive"], live["steady"])

# %% [markdown] slideshow={"slide_type": "fragment"}
# Now about half of the outputs of the first, and most of the second, are nearest to their own partner. No loss asked for
# that; the convolutions did it. So **never judge a loss by comparing two different G**: from here on the net stays the same.
# The first GAN looks less real (FCD): part of its error is plain bad training. (Seeds 0 to 4 gave retrieval 0.55 to 0.83, FCD
# 4 to 17; seed 1, shown here, has the worst FCD.)

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 4 minutes, half a minute of it training.
#
# **Ask:** "Same loss, other net: what will retrieval say?" (About half, and most with the steadier GAN. The net's reach does it, not
# the loss.)
#
# **Goes wrong:** "So a convolutional G is the answer." It is half of one: ask again when the lesion is on the screen.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The cycle
#
# Slides 22–24: add a second generator F from B to A with a critic $D_X$ of its own, and ask for the way home:
#
# $$x \to G(x) \to F(G(x)) \approx x, \qquad y \to F(y) \to G(F(y)) \approx y.$$
#
# An output that belongs to another head has forgotten x, and F cannot guess it. The hope: to come home, G has to keep x.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: the cycle loss
#
# *Difficulty ●●○○○ · importance ●●●●● · 4 minutes*
#
# Write `cycle_loss(G, F, x, y)`: the mean absolute difference between x and F(G(x)), plus the same for y. The two batches need
# not be of one size.
#
# <!-- hints: cyclegan.cycle_loss -->


# %% nbgrader={"grade": false, "grade_id": "cyclegan-cycle_loss", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def cycle_loss(G, F, x, y):
    """L1 of both ways round; G maps A to B, F maps B to A; x (n, ...) from A, y (m, ...) from B -> ()."""
    ### BEGIN SOLUTION
    return (F(G(x)) - x).abs().mean() + (G(F(y)) - y).abs().mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cyclegan-cycle_loss-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
cycle_loss = check("cyclegan.cycle_loss")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: the whole objective
#
# *Difficulty ●●●○○ · importance ●●●●● · 5 minutes*
#
# Zhu et al. 2017 minimise, over both generators, $\;L_\text{GAN}(G, D_Y) + L_\text{GAN}(F, D_X) + \lambda\, L_\text{cycle}(G,
# F)$, with λ = 10 and least-squares GAN losses (ours carry a factor ½: without it, the same balance would be λ = 20). Write
# `objective(G, F, D_X, D_Y, x, y, lam)` with `adversarial.lsgan_generator(logits)`. Compute each fake once: you need it
# twice.
#
# <!-- hints: cyclegan.objective -->


# %% nbgrader={"grade": false, "grade_id": "cyclegan-objective", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def objective(G, F, D_X, D_Y, x, y, lam):
    """What G: A -> B and F: B -> A minimise; D_X judges images of A, D_Y of B; x (n, ...), y (m, ...), lam a number -> ()."""
    ### BEGIN SOLUTION
    fake_y, fake_x = G(x), F(y)
    fooled = adversarial.lsgan_generator(D_Y(fake_y)) + adversarial.lsgan_generator(D_X(fake_x))
    return fooled + lam * ((F(fake_y) - x).abs().mean() + (G(fake_x) - y).abs().mean())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cyclegan-objective-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
objective = check("cyclegan.objective")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Both directions at once
#
# The critics' loss is the one of before, twice; G and F minimise your `objective`:

# %% slideshow={"slide_type": "fragment"}
def cyclegan(G, F, lam=10.0, size=8, steps=600):
    """Train G: A → B and F: B → A on the whole objective."""
    D_X, D_Y = nets.critic(SIZE), nets.critic(SIZE)
    players, critics = [*G.parameters(), *F.parameters()], [*D_X.parameters(), *D_Y.parameters()]
    for_G, for_D = (adam(group, 2e-3, (0.5, 0.99)) for group in (players, critics))

    def step(x, y):
        with torch.no_grad():
            fake_y, fake_x = G(x), F(y)
        loss_D = adversarial.lsgan_discriminator(D_Y(y), D_Y(fake_y)) + adversarial.lsgan_discriminator(D_X(x), D_X(fake_x))
        for_D.zero_grad()
        loss_D.backward()
        for_D.step()
        loss_G = objective(G, F, D_X, D_Y, x, y, lam)
        for_G.zero_grad()
        loss_G.backward(inputs=players)
        for_G.step()
        return {"D_X, D_Y": loss_D.detach(), "G, F": loss_G.detach()}

    return fit(step, unpaired(size), steps, schedulers=[linear_decay(o, steps) for o in (for_G, for_D)], watch=lambda: show.grid(G(x_test[:8]), title="G(x) after the last step"), capture=False)


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Train it
#
# **Predict** while it trains: what will the cycle improve, retrieval, FCD, or both?

# %% slideshow={"slide_type": "fragment"}
torch.manual_seed(1)
G, F = nets.translator(), nets.translator()
cyclegan(G, F)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### There and home again
#
# Compare G(x) with the truth, head by head; then with the last row, the same G without the cycle.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# There, home, and what the same G does without a cycle
with torch.no_grad():
    there = G(x_test)
    back = F(there)
live["cycle"] = judge("local G, cycle", there, back)
sheet(f"There and home again: F(G(x)) is within {live['cycle']['x → G → F']:.1%} of x on average",
      **{"x": x_test, "G(x)": there, "truth": truth, "F(G(x))": back, "naive,\nNS + R1": plain})  # the steadier of the two naive ones

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The paired bound
#
# The best that this G could do? Give it what we withheld, the pairs, and the plain L1 loss (the **paired bound**).

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
torch.manual_seed(1)
if truth is not None:
    paired = nets.translator()
    optimizer = adam(paired.parameters(), 2e-3, (0.9, 0.99))

    def step(x, y):
        loss = (paired(x) - y).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"L1": loss.detach()}

    partners = heads[:count].images("T2w", seed=3)
    fit(step, data.shuffled(x, partners, size=16), 600, schedulers=[linear_decay(optimizer, 600)])
    with torch.no_grad():
        live["paired"] = judge("local G, paired", paired(x_test))
rows(*(live[arm] for arm in ("mean", "naive", "steady", "cycle", "paired") if arm in live))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Eight seeds
#
# One run is one run. The same arms over eight seeds (all other stored arms: three), stored by `benchmarks/cyclegan.py` (mean
# ± sd). Last columns: the net behind FCD also reads ventricle size and lesion load off G(x); r is the correlation with the
# head's true ones (−1: turned round).

# %% slideshow={"slide_type": "skip"}
stored = data.stored("cyclegan")
arms = {name: {key: torch.tensor(values) for key, values in arm.items()} for name, arm in stored["arms"].items()}


def seeds(arm, key, digits=3):
    """Mean ± sd over the stored seeds: eight of the arms compared here, three of all others."""
    return f"{arms[arm][key].mean():.{digits}f} ± {arms[arm][key].std():.{digits}f}".replace("-", "−")


def table(*names):
    return show.table([{"arm": n, "MAE": seeds(n, "mae"), "SSIM": seeds(n, "ssim", 2), "retrieval": seeds(n, "retrieval", 2), "FCD": seeds(n, "fcd", 1), "x → G → F": seeds(n, "cycle") if "cycle" in arms[n] else "–", "ventricles (r)": seeds(n, "ventricle size", 2), "lesion load (r)": seeds(n, "lesion load", 2)} for n in names])


# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
table("naive", "cycle", "naive, NS + R1", "cycle, NS + R1", "paired")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Same net, same data, same number of steps (but twice the nets, and nearly three times the computing): without the cycle the
# error is 1.3 times as large, and retrieval falls from 0.96 to 0.66. But the naive runs are also the worse GANs (FCD 7.7
# against 2.1). The cycle does two things: it keeps G faithful, and steadies the training. Where the GAN is steadier by itself
# (NS + R1) every cycle run still beats every naive run; the ratio is 1.22 ± 0.01 (standard error). Pairs give the smallest
# error. FCD says nothing against them: B is noisy, L1 averages the noise away, and the noise-free truth itself has FCD 3.1.
# Mind the last column: the lesion load that can be read off G(x) correlates with the true one by r = 0.32 (naive 0.14, with pairs
# 0.42; off the true T2w 0.87).

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A head you can change
#
# Widen the ventricles (half their width), grow a lesion (its radius). Which translation follows?

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# One head and its translations, for every setting anew
views = [name for name in ("x", "truth", "cycle", "naive, NS + R1", "bottleneck", "F(G(x))") if name != "truth" or truth is not None]
chart, ax = show.figure(width=1.75 * len(views), height=2.4, title=" ")
ax.set(xlim=(-0.5, (SIZE + 1) * len(views) - 1.5), ylim=(SIZE - 0.5, -0.5), aspect="equal")
ax.set_axis_off()
for place, name in enumerate(views):
    ax.text((SIZE + 1) * place, -2, name, fontsize=13)


@torch.no_grad()
def draw(chart, ventricles, lesion):
    if truth is None:  # your own pictures: the sliders choose one
        one, own = x_test[int(10 * ventricles + lesion) % len(x_test)][None], None
    else:
        head = phantoms.heads(1, SIZE, seed=12, level=0.35, ventricles=ventricles, lesion=lesion, lesion_depth=0.5, lesion_angle=40)
        one, own = head.images("T1w", seed=5), head.images("T2w", scanner=None)
    sent_there = {"cycle": G(one), "naive": steady(one), "bottleneck": dreamer(one)}
    shown_now = [one, own, *sent_there.values(), F(sent_there["cycle"])]
    show.grid(torch.cat([image for image in shown_now if image is not None]), len(views), ax=chart.axes[0])
    if own is not None:
        chart.finding("Error to the truth (MAE): " + ", ".join(f"{name} {(image - own).abs().mean() / 2:.3f}" for name, image in sent_there.items()))


show.explore(draw, "one head and its translations, by ventricle width and lesion radius", chart, ventricles=(2, 9, 0.5, 7, "mm"), lesion=(0, 20, 1, 18, "mm"))

# %% [markdown] slideshow={"slide_type": "fragment"}
# The two local G follow the ventricles; the bottleneck's head changes as well, but not as told. And the lesion, the part you would
# be asked about: bright with a dark core in the truth (upper right of the ventricles), it is grey tissue in both local G(x).

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 15 minutes, 9 of them for the two exercises, 2 for the slider.
#
# **Ask:** "Why is the paired arm best in MAE and not in FCD?" (B is noisy, L1 draws no noise: the noise-free truth itself scores
# worse.) With the slider: "Where is the lesion?" (Bright in the truth; hardly there in any translation.)
#
# **Goes wrong:** F(G(x)) ≈ x is read as a proof that G(x) is right. The next section is about that.
#
# **The slider** goes beyond the training heads, half widths 1 to 6.5 mm: above that all nets extrapolate.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Does coming home prove it?
#
# The cycle closes. Is the translation *right*, then? Take a world small enough to see all of it. Every patient is a point. Two
# groups of equal size, healthy and lesion, form two round clouds. Scanner A shows them left and right; scanner B shows the same
# patients turned by 90°: lesion up. G has to find the turn from unpaired clouds.

# %% slideshow={"slide_type": "fragment"}
A, B = data.Gaussians([[-1.5, 0], [1.5, 0]], 0.4), data.Gaussians([[0, -1.5], [0, 1.5]], 0.4)  # healthy, lesion


def partner(x):
    """The truth: where scanner B shows the patient whom scanner A shows at x; a quarter turn."""
    return torch.stack([-x[..., 1], x[..., 0]], -1)


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: predict
#
# *Difficulty ●●○○○ · importance ●●●●● · 3 minutes*
#
# Many pairs G, F are trained on these clouds with GAN and cycle loss, until the critics see no difference and every point comes
# home. **How many of the G keep healthy patients healthy?**
#
# - (a) all: a point that comes home has been translated correctly
# - (b) none: the losses prefer to swap the groups
# - (c) about half: the losses cannot tell a swap from the truth
# - (d) all but a few, for which F cannot undo a swap
# - (e) all: a swap would leave the distribution of B, and $D_Y$ would see it
#
# <!-- hints: cyclegan.predict -->

# %% slideshow={"slide_type": "fragment"}
quiz("cyclegan.predict")

# %% nbgrader={"grade": false, "grade_id": "cyclegan-predict", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
prediction = ...  # one letter in quotes, such as "a"
### BEGIN SOLUTION
prediction = "c"
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "cyclegan-predict-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
check("cyclegan.predict")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### First with paper and pencil
#
# Four maps, each with its inverse as F; for each the distance of the density of G(x) from that of
# B on a grid (all densities are known exactly), the cycle loss, and who is kept:

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
maps = {"quarter turn to the left (the truth)": [[0, 1], [-1, 0]], "quarter turn to the right": [[0, -1], [1, 0]],
        "left turn, then left-right mirrored": [[0, 1], [1, 0]], "right turn, then left-right mirrored": [[0, -1], [-1, 0]]}
patients = A.sample(2000, generator(1)).double()
square = torch.cartesian_prod(*[torch.linspace(-4, 4, 81, dtype=torch.float64)] * 2)
exact = []
for name, matrix in maps.items():
    M = torch.tensor(matrix, dtype=torch.float64)  # x -> x M keeps areas: the density of G(x) at y is that of A at y M^-1
    gap = (A.log_prob(square @ M.inverse()) - B.log_prob(square)).abs().max()
    cycle = (patients @ M @ M.inverse() - patients).abs().mean()
    kept = ((patients @ M)[:, 1] > 0) == (partner(patients)[:, 1] > 0)
    exact += [(bool(gap < 1e-9), bool(cycle < 1e-12), kept.double().mean().item())]
    print(f"{name:37} same density as B: {exact[-1][0]}; comes home: {exact[-1][1]}; correct group: {exact[-1][2]:.0%}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# All four are optimal for both losses, to the last digit: since the densities are equal, the best critic answers ½ everywhere
# (lecture 02; least squares agrees). Two of the four swap the groups. No other linear map is optimal; bent ones, which slide
# points along within the cloud, are infinitely many, for any data.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Now let nets find their own way
#
# Thirty pairs at once, six for each of five λ:

# %% slideshow={"slide_type": "fragment"}
def translate_points(A, B, lam, steps=700, size=64):
    """Train len(lam) pairs G, F at once; lam (S, 1, 1) has a λ for each. Returns G and F."""
    S = len(lam)
    torch.manual_seed(0)
    (G, F), (D_X, D_Y) = ([nets.mlp(2, 32, 32, out, seeds=S) for _ in range(2)] for out in (2, 1))
    players, critics = [*G.parameters(), *F.parameters()], [*D_X.parameters(), *D_Y.parameters()]
    for_G, for_D = adam(players, 2e-3), adam(critics, 4e-3)

    def step(x, y):
        fake_y, fake_x = G(x), F(y)
        loss_D = adversarial.lsgan_discriminator(D_Y(y), D_Y(fake_y.detach())) + adversarial.lsgan_discriminator(D_X(x), D_X(fake_x.detach()))
        for_D.zero_grad()
        loss_D.backward()
        for_D.step()
        fooled = adversarial.lsgan_generator(D_Y(fake_y)) + adversarial.lsgan_generator(D_X(fake_x))
        loss_G = fooled + (lam * ((F(fake_y) - x).abs() + (G(fake_x) - y).abs())).mean()
        for_G.zero_grad()
        loss_G.backward(inputs=players)
        for_G.step()

    draw = lambda gen: (A.sample((S, size), gen), B.sample((S, size), gen))
    fit(step, data.Batches(draw, seed=1), steps, schedulers=[linear_decay(o, steps) for o in (for_G, for_D)])
    return G, F


LAMBDAS, RUNS = (0.0, 0.02, 0.1, 1.0, 10.0), 6
G_toy, F_toy = translate_points(A, B, torch.tensor(LAMBDAS).repeat_interleave(RUNS).view(-1, 1, 1))

# %% slideshow={"slide_type": "skip"}
people = A.sample(1000, generator(2))
with torch.no_grad():
    sent = G_toy(people.expand(len(LAMBDAS) * RUNS, -1, -1))
    home = F_toy(sent)
came_home = (home - people).abs().mean((1, 2))
kept = ((sent[..., 1] > 0) == (people[:, 0] > 0)).float().mean(1)
distance = [metrics.jsd(s, B, bins=20) for s in sent]
perfect = [bool(came_home[i] < 0.05 and distance[i].value < 0.06) for i in range(len(sent))]  # thresholds of ours
swapped = [bool(kept[i] < 0.05) for i in range(len(sent))]
both = sum(p and s for p, s in zip(perfect, swapped, strict=True))



def cloud(ax, i, n=60):
    """Patients of A (blue), where pair i sends them (orange), with arrows; circles are healthy, triangles have a lesion."""
    lesion = people[:n, 0] > 0
    ax.quiver(*people[:n].T.tolist(), *(sent[i, :n] - people[:n]).T.tolist(), angles="xy", scale_units="xy", scale=1, color="#cccccc", width=0.003)
    for points, color in ((people[:n], show.REAL), (sent[i, :n], show.FAKE)):
        for group, mark in ((~lesion, "o"), (lesion, "^")):
            ax.plot(*points[group].T.tolist(), mark, color=color, markersize=6, alpha=0.8)


def plane(ax):
    """The axes that such clouds are drawn on."""
    ax.set(xlim=(-3.1, 3.1), ylim=(-3.1, 3.1), xticks=[-2, 0, 2], yticks=[-2, 0, 2], xlabel="x₁ or y₁", ylabel="x₂ or y₂", aspect="equal")


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Two of the trained pairs

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# One that is true, one that is swapped
best = [min((i for i in range(len(sent)) if swapped[i] == wrong), key=lambda i: came_home[i] + distance[i].value, default=0) for wrong in (False, True)]
chart, axes = show.figure(2, width=5, height=4.6, title=f"Of {sum(perfect)} perfect pairs {both} swap healthy (○) and lesion (△)")
for ax, i, name in zip(axes, best, ("a true one", "a swapped one"), strict=True):
    plane(ax)
    cloud(ax, i)
    ax.set_title(f"{name}: home to {came_home[i]:.3f}, JSD {distance[i].value:.3f}")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Blue points are patients in A, orange ones their translations to B; lesions should arrive at the top. The G of the panel on
# the right sends every one of them to the bottom. Its cycle error and its JSD (distance of the orange cloud from B, in nats)
# are as good. **No loss, no critic, and no further training tells these two apart.** "Perfect": home within 0.05, JSD below
# 0.06 (thresholds of ours).

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### λ and the cycle
#
# Choose λ and one of the six pairs. Crosses mark where F brings the points home. **Find** a pair that is swapped at λ = 10.
# Is there one at λ = 0 whose points come home?

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# Patients, where a pair sends them, and where they come home
chart, ax = show.figure(width=7.6, height=4.5, title=" ")
plane(ax)
for color, mark, label in (
    (show.REAL, "o", "healthy, in A"), (show.REAL, "^", "lesion, in A"), (show.FAKE, "o", "healthy, sent to B"),
    (show.FAKE, "^", "lesion, sent to B"), (show.EXACT, "x", "brought home by F"),
):
    ax.plot([], [], mark, color=color, markersize=6, label=label)
ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))


def draw(chart, λ, pair):
    i = [f"{lam:g}" for lam in LAMBDAS].index(λ) * RUNS + int(pair) - 1
    cloud(chart.axes[0], i, 40)
    chart.axes[0].plot(*home[i, :40].T.tolist(), "x", color=show.EXACT, markersize=6)
    chart.finding(f"λ = {λ}: {kept[i]:.0%} keep their group; home to {came_home[i]:.3f}, JSD {distance[i].value:.3f}")


show.explore(draw, "where a trained pair sends the patients, by λ and start", chart, λ=[f"{lam:g}" for lam in reversed(LAMBDAS)], pair=(1, RUNS, 1, 3))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What λ does, and what it does not
#
# Medians over the six pairs of each λ. *Swapped*: fewer than 5 % of the patients keep their group.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true} tags=["nbval-check-output"]
# The thirty pairs, by λ
about = show.about
groups = [slice(k * RUNS, (k + 1) * RUNS) for k in range(len(LAMBDAS))]
print("JSD of as many samples of B itself:", about(distance[0].floor, 3))
show.table([{"λ": f"{lam:g}", "cycle error, median": about(came_home[g].median().item(), 3), "JSD to B, median": about(sorted(d.value for d in distance[g])[RUNS // 2], 3),
             "swapped": f"{about(sum(swapped[g]), 0)} of {RUNS}"} for lam, g in zip(LAMBDAS, groups, strict=True)])

# %% [markdown] slideshow={"slide_type": "fragment"}
# The cycle does what it says: with λ from 0.1 on the crosses sit on the blue points, and as a by-product the GAN itself
# trains better (JSD; 0.02 is too little for either: at this seed worse than none). It makes G *invertible*. It does not make
# G *right*: invertible wrong maps exist for any data; where these have a symmetry they are the simplest maps there are. On
# heads, what has protected us so far is a G that works locally more than the loss; and even that can fail.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 12 minutes: the vote 3, paper and pencil 2, the trained pairs 4, λ 3.
#
# **Ask:** "What would break the tie?" (One pair. Groups of different shape, or of different size with the same shares in A and B.
# A G that may only change intensities.)
#
# **Goes wrong:** "JSD is not zero, so it is not perfect." Point at the exact maps: there it is.
#
# **The vote:** take it before the exact maps are shown; the answer is (c). Whoever chose (a) or (e) should say why.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Prevalence: lesions that have to be invented
#
# In the toy both scanners saw equally many lesions. Archives do not: A may come from screening, B from a tumour clinic. But $D_Y$
# wants the *distribution* of B, its prevalence included. What does that force G to do?
#
# ### Exercise: who must change
#
# *Difficulty ●●○○○ · importance ●●●●● · 4 minutes*
#
# Shares of K groups of patients: p in A, q in B, both (K,), both sum to 1. If G(x) has exactly B's shares, which share of all
# patients *must* leave their group, at the very least? Write `must_change(p, q)`.
#
# <!-- hints: cyclegan.must_change -->


# %% nbgrader={"grade": false, "grade_id": "cyclegan-must_change", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def must_change(p, q):
    """Smallest share of patients that must change group when shares p (K,) are turned into shares q (K,) -> ()."""
    ### BEGIN SOLUTION
    return (p - q).clamp(min=0).sum()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cyclegan-must_change-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
must_change = check("cyclegan.must_change")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 20 % in A, 60 % in B
#
# Let 20 % of A have a lesion, and 60 % of B. Eight pairs with a light cycle, eight with a heavier one (the clouds are wider, so
# that a net can cut through one):

# %% slideshow={"slide_type": "fragment"}
screening = data.Gaussians(A.centers, 0.6, torch.tensor([0.8, 0.2], device=A.centers.device))
clinic = data.Gaussians(B.centers, 0.6, torch.tensor([0.4, 0.6], device=B.centers.device))
G_shift, F_shift = translate_points(screening, clinic, torch.tensor([0.02, 1.0]).repeat_interleave(8).view(-1, 1, 1), steps=1200)
people_shift = screening.sample(2000, generator(3))
with torch.no_grad():
    arrived = G_shift(people_shift.expand(16, -1, -1))
ill_before, ill_after = people_shift[:, 0] > 0, arrived[..., 1] > 0
invented, lost = ((~ill_before & ill_after).float().mean(1), (ill_before & ~ill_after).float().mean(1))
changed, seen = invented + lost, ill_after.float().mean(1)  # who changed group; how many have a lesion in G(x)
least = must_change(screening.weights, clinic.weights).item()
off = torch.tensor([metrics.jsd(points, clinic, bins=20).value for points in arrived])
for name, group in (("λ = 0.02", off[:8]), ("λ = 1, swapped (> 90 % changed)", off[8:][changed[8:] > 0.9]), ("λ = 1, kept (< 10 % changed)", off[8:][changed[8:] < 0.1])):
    print(f"JSD to B, {name}: {about(group.mean().item(), 2) if len(group) else '–'} over {len(group)} pairs")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Who changes group?

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# Who changes group, pair by pair
chart, axes = show.figure(2, width=5, height=3.9, sharey=True, title=f"G(x) has {seen[:8].mean():.0%} lesions under the light cycle, {seen[8:].min():.0%} to {seen[8:].max():.0%} under the heavier one")
for ax, part, name in zip(axes, (slice(0, 8), slice(8, 16)), ("λ = 0.02", "λ = 1"), strict=True):
    order = changed[part].argsort()
    one, two = invented[part][order].tolist(), lost[part][order].tolist()
    ax.bar(range(1, 9), one, color=show.FAKE, label="healthy, shown with a lesion")
    ax.bar(range(1, 9), two, bottom=one, color="white", edgecolor=show.FAKE, hatch="///", label="lesion, shown healthy")
    ax.axhline(least, color=show.EXACT, linestyle="--", label=f"needed for 60 %: {least:.2f}")
    ax.set(xlabel="trained pair, sorted", ylim=(0, 1.45), xticks=range(1, 9), yticks=[0, 0.2, 0.4, 0.6, 0.8, 1], title=f"{name}: {changed[part].min():.0%} to {changed[part].max():.0%} change group")
axes[0].set_ylabel("share of all patients")
axes[0].legend(loc="upper left", fontsize=10)
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Left, a light cycle: the critic gets its way, six of ten G(x) have a lesion, and so about 40 % of the patients or more have
# changed group (80 % or so where the groups are swapped on top). Right, a heavier cycle: a smooth, invertible G cannot cut a
# cloud in two, and most pairs keep A's cloud sizes. Many are swapped: 80 % lesions are nearer to 60 % than 20 % are, so the
# critic *prefers* the wrong map (JSD above). The two losses contradict each other, and **the optimum of the GAN loss is a map
# that paints lesions into healthy patients**. Cohen et al. (2018) reported it on brain MRI.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 6 minutes, 4 of them for the exercise. For a radiologist, the most important ones of the hour.
#
# **Ask:** "You translate healthy volunteers' T1w into FLAIR with a net trained on a tumour clinic. What do you expect, and how would
# you notice?" (Tumours, invented, and in none of the volunteers' other images. Not from the losses, not from FCD: from a few
# pairs, or by comparing with x.)
#
# **Goes wrong:** "Then take a larger λ." With λ = 1 most clouds keep A's sizes, but more than half of the pairs are swapped.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Knobs: λ, identity loss, a memory of fakes
#
# Back to the heads. Two more parts of the published recipe:
# - **identity loss**: G should leave an image of B alone, $|G(y) - y|$, and F an image of A. It keeps colours where A and B
#   share them.
# - **image buffer** (Shrivastava et al. 2017): the critics see, half of the time, an *older* fake from a memory of 50, so that
#   G cannot win by running in circles.
#
# **Predict:** which of λ, identity loss, and buffer matters most for T1w → T2w, and does one of them do harm?

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: the buffer
#
# *Difficulty ●●●○○ · importance ●●○○○ · 8 minutes, good homework*
#
# Write `replay(buffer, fresh, u, slots)`. For image i of the batch, in order: if u[i] < 0.5, show the critic what now lies in
# slot slots[i] of the buffer and put fresh[i] there; otherwise show fresh[i]. Return what is shown, and the buffer as it is
# afterwards. Leave the arguments unchanged.
#
# <!-- hints: cyclegan.replay -->


# %% nbgrader={"grade": false, "grade_id": "cyclegan-replay", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def replay(buffer, fresh, u, slots):
    """buffer (K, ...), fresh (n, ...), u (n,) in [0, 1), slots (n,) integers below K -> (shown (n, ...), buffer (K, ...))."""
    ### BEGIN SOLUTION
    kept, shown = buffer.clone(), []
    for image, chance, slot in zip(fresh, u, slots, strict=True):
        if chance < 0.5:
            shown.append(kept[slot].clone())
            kept[slot] = image
        else:
            shown.append(image)
    return torch.stack(shown), kept
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cyclegan-replay-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
replay = check("cyclegan.replay")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How old are the fakes?
#
# A slot is overwritten with probability ½ · 1/50 per image: after 12.5 batches of 8, on average.

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
gen, memory, ages = generator(0), torch.arange(50.0), []
for start in range(50, pick(laptop=20_000, smoke=400), 8):
    fresh = torch.arange(start, start + 8.0)
    shown, memory = replay(memory, fresh, torch.rand(8, generator=gen), torch.randint(50, (8,), generator=gen))
    ages.append(fresh - shown)
ages = torch.cat(ages)[1000 if len(ages) > 200 else 0 :]
print(f"older than the batch: {about((ages > 0).float().mean().item(), 2)} of all; their mean age: {about(ages[ages > 0].mean().item() / 8, 1)} batches")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How much cycle?
#
# The weight λ, from none to five times the paper's, in stored runs:

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# Error and FCD by λ, stored runs
sweep = {0.0: "naive", **{lam: f"cycle, λ = {lam:g}" for lam in (0.1, 0.5, 2, 5, 20, 50)}, 10.0: "cycle"}
lams = sorted(sweep)
chart, axes = show.figure(2, width=5, height=3.9)
shown_at = [0.03 if lam == 0 else lam for lam in lams]
for ax, key, label, color, mark in ((axes[0], "mae", "error to the true partner (MAE)", show.FAKE, "o-"), (axes[1], "fcd", "distance from real images (FCD)", show.OTHER, "s--")):
    means = torch.stack([arms[sweep[lam]][key].mean() for lam in lams])
    for lam, at in zip(lams, shown_at, strict=True):
        runs = arms[sweep[lam]][key].tolist()
        ax.plot([at] * len(runs), runs, ".", color=color, alpha=0.6, markersize=9)
    ax.plot(shown_at[:1], means[:1].tolist(), mark[0], color=color, markersize=7)
    ax.plot(shown_at[1:], means[1:].tolist(), mark, color=color, markersize=7)
    ax.set(xscale="log", xlabel="λ, weight of the cycle (dots: seeds; line: mean)", ylabel=label)
    ax.set_xticks(shown_at, [f"{lam:g}" for lam in lams])
    ax.minorticks_off()
    ax.set_ylim(0)
axes[0].axhline(arms["paired"]["mae"].mean(), color=show.EXACT, linestyle=":")
axes[0].text(0.03, arms["paired"]["mae"].mean() - 0.001, "paired", va="top")
axes[1].axhline(stored["baselines"]["FCD of real images"], color=show.EXACT, linestyle=":")
axes[1].text(0.03, stored["baselines"]["FCD of real images"] + 0.15, "real images")
axes[0].set_title(f"Error: least from λ = 5 to 20, about {arms['cycle']['mae'].mean():.2f}")
axes[1].set_title(f"FCD: {arms['naive']['fcd'].mean():.1f} without, {arms['cycle']['fcd'].mean():.1f} at λ = 10")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# A cycle that weighs too little (0.1) is no better than none; from 5 to 20 all is well, and the paper's 10 lies in the middle;
# at 50 both get worse and the runs differ widely.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Identity, buffer, and a cycle without critics
#
# Each part added to the full recipe (λ = 10), or the critics taken away:

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
table("cycle", "cycle + identity", "cycle + buffer", "cycle alone")

# %% [markdown] slideshow={"slide_type": "fragment"}
# The **buffer** changes nothing here. The **identity loss** (weight 5) does harm: it pulls G towards leaving every grey value as it is, and here a dark ventricle must
# become bright. Retrieval falls to 0.02, that of the untranslated image, and the ventricles' r is 0.56, −0.30, −0.02 over the
# three seeds. The **cycle alone** comes home best of all, by a translation of which no term asks that G(x) looks like B.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 3 minutes: the parts, the figure, the table. The exercise is homework.
#
# **Ask:** before the table, "What does a cycle alone, without critics, learn?" (Anything invertible: no term compares G(x) with B.)
#
# **Goes wrong:** the recipe is copied whole. An identity loss assumes that A and B share their colours; T1w and T2w do not.
#
# **Stored:** three seeds of each point in the figure; eight of λ = 0 and 10.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Can the cycle rescue the dreamer?
#
# Give the bottleneck G, too, F, $D_X$, and the cycle: now F has to find x again from G(x). Does G(x) become the patient's?
# Stored, three seeds each (*shared code*: both encoders end, both decoders begin in the same layers, Liu et al. 2017):

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true} tags=["nbval-check-output"]
# Five ways to help the dreamer, stored runs
rescue = {
    "bottleneck, λ = 5": "the cycle, nothing else",
    "bottleneck, λ = 20, long": "λ = 20, 2.5 times the steps",
    "shared code, long": "both directions through one shared code",
    "bottleneck, identity start": "start from G(x) = x and F(y) = y",
    "bottleneck, 128 numbers, identity start": "the same, with a code of 128 numbers",
}
show.table([{"what was tried": "no cycle (naive)", "cycle error": "–", "FCD": seeds("bottleneck, naive", "fcd", 1), "retrieval": seeds("bottleneck, naive", "retrieval"), "head width (r)": seeds("bottleneck, naive", "head width", 2), "ventricles (r)": seeds("bottleneck, naive", "ventricle size", 2)},
    *({"what was tried": what, "cycle error": seeds(n, "cycle"), "FCD": seeds(n, "fcd", 1), "retrieval": seeds(n, "retrieval"), "head width (r)": seeds(n, "head width", 2), "ventricles (r)": seeds(n, "ventricle size", 2)} for n, what in rescue.items())])

# %% [markdown] slideshow={"slide_type": "fragment"}
# **Not to any use.** In all five tries the way home closes about as well as for the local G (0.036), the outputs look real
# (the last two have the best FCD of the whole lecture), and retrieval is 0.10 on average at best (one run of the shared code
# 0.22; chance 0.005). It is the toy again: F and G agree among themselves, and nothing makes them right. Most telling is the
# start from "leave it as it is": head widths survive (r = 0.65), and ventricles arrive **turned round** (r = −0.52 ± 0.05):
# wide ones tend to come out narrow, narrow ones wide, and F turns them back. Probably the start has the wrong sign
# (ventricles are dark in T1w, bright in T2w); no loss ever objects. What helps is not in these losses: a local G (most of the
# time), or pairs.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 2 minutes: one look at the table, then the ventricles that are turned round.
#
# **Ask:** "The cycle closes and the outputs look real. What is retrieval?" (0.10 at best: F and G have agreed on a code of their own.)
#
# **Goes wrong:** "With more steps it would work." The second row had 2.5 times as many.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Open challenge: break the tie
#
# *Difficulty ●●●●○ · importance ●●●○○ · 15 minutes and more, good homework*
#
# The toy again: two clouds of 500 unpaired points. Now **four patients were scanned twice**, with noisy B points (0.5 each way):
# too rough to fit a map, enough to choose one. Write `untangle(a, b, pairs_a, pairs_b, test)`: translate 300 test points of A.
# Graded is the mean distance to the true partners: **0.2 earns all points**, 0.4 half; a map fitted to the pairs alone gets about
# 0.49, the swapped map 3.
#
# <!-- hints: cyclegan.untangle -->


# %% nbgrader={"grade": false, "grade_id": "cyclegan-untangle", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def untangle(a, b, pairs_a, pairs_b, test):
    """Translate test (300, 2) from A to B; a (500, 2) and b (500, 2) are unpaired, pairs_a and pairs_b (4, 2) belong together."""
    ### BEGIN SOLUTION
    (var_a, axes_a), (var_b, axes_b) = (torch.linalg.eigh(cloud.T.cov()) for cloud in (a, b))
    best, error = None, float("inf")
    for signs in ([1, 1], [1, -1], [-1, 1], [-1, -1]):
        matrix = axes_a @ torch.diag(torch.tensor(signs).to(a) * (var_b / var_a).sqrt()) @ axes_b.T
        y = b.mean(0) + (torch.cat([pairs_a, test]) - a.mean(0)) @ matrix
        off = (y[: len(pairs_a)] - pairs_b).norm(dim=1).mean()
        if off < error:
            best, error = y[len(pairs_a) :], off
    return best
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cyclegan-untangle-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
untangle = check("cyclegan.untangle")

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 0 minutes: homework.
#
# **Ask:** "How many maps are left once the unpaired clouds have spoken?" (Four, but for small errors: four rough pairs choose.)
#
# **Goes wrong:** people train G on the four pairs alone, and fit their noise.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you measured

# %% jupyter={"source_hidden": true} tags=["nbval-check-output"] slideshow={"slide_type": "fragment"}
# With and without the cycle
def times(worse, better):
    """Ratio of the mean errors of two arms, with its standard error over the seeds."""
    means, errors = zip(*((m.mean(), m.std() / len(m) ** 0.5) for m in (arms[worse]["mae"], arms[better]["mae"])), strict=True)
    return (means[0] / means[1]).item(), (means[0] / means[1] * ((errors[0] / means[0]) ** 2 + (errors[1] / means[1]) ** 2).sqrt()).item()


(ratio, ratio_error), (steady_ratio, steady_error) = times("naive", "cycle"), times("naive, NS + R1", "cycle, NS + R1")
dream, untouched = arms["bottleneck, naive"], stored["baselines"]["T1w as it is"]["fcd"]
show.measured(
    show.Claim(
        "A GAN alone gives no guarantee that the output resembles the input (slide 20; ours: FCD at most a quarter of untranslated images', retrieval ≤ 0.03, chance 0.005)",
        f"bottleneck G, three seeds: FCD {seeds('bottleneck, naive', 'fcd', 1)} (untranslated {untouched:.0f}, real {stored['baselines']['FCD of real images']:.1f}), retrieval {seeds('bottleneck, naive', 'retrieval')}",
        "Zhu et al. 2017, Cityscapes, photo → labels: GAN alone collapsed to one label map for all inputs (not here: our code cannot become constant)",
        bool(dream["fcd"].max() < untouched / 4 and dream["retrieval"].max() <= 0.03),
    ),
    show.Claim(
        "The cycle makes it work without pairs (ours: MAE ≤ 0.065, SSIM ≥ 0.74)",
        f"eight seeds: MAE {seeds('cycle', 'mae')}, SSIM {seeds('cycle', 'ssim', 2)}, FCD {seeds('cycle', 'fcd', 1)}; without the cycle SSIM {seeds('naive', 'ssim', 2)}",
        "– (Zhu et al. 2017 grade other images by other figures)",
        bool(arms["cycle"]["mae"].max() <= 0.065 and arms["cycle"]["ssim"].min() >= 0.74),
    ),
    show.Claim(
        "The same G without a cycle is worse (ours: MAE ≥ 1.2 times)",
        f"{ratio:.2f} ± {ratio_error:.2f} times ({seeds('naive', 'mae')}), and less real: FCD {seeds('naive', 'fcd', 1)}",
        "Zhu et al. 2017, Cityscapes, photo → labels: GAN alone, and with the forward cycle only, collapsed",
        bool(ratio >= 1.2),
    ),
    show.Claim(
        "… also where the GAN itself is trained steadily (NS + R1; ours: ≥ 1.2 times)",
        f"{steady_ratio:.2f} ± {steady_error:.2f} times (standard error, eight seeds): {seeds('naive, NS + R1', 'mae')} against {seeds('cycle, NS + R1', 'mae')}",
        "– (not tried there)",
        bool(steady_ratio >= 1.2),
    ),
    show.Claim(
        "Pairs are still better (ours: MAE ≤ 0.05 with them)",
        f"MAE {seeds('paired', 'mae')}; but FCD {seeds('paired', 'fcd', 1)} (the noise-free truth: {stored['baselines']['truth, noise-free']['fcd']:.1f})",
        "Zhu et al. 2017, Cityscapes labels → photo, per-pixel accuracy: CycleGAN 0.52, pix2pix with pairs 0.71",
        bool(arms["paired"]["mae"].max() <= 0.05 and arms["paired"]["mae"].max() < arms["cycle"]["mae"].min()),
    ),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What you measured: what the losses cannot see

# %% jupyter={"source_hidden": true} tags=["nbval-check-output"] slideshow={"slide_type": "fragment"}
# The way home, prevalence, and the rescue
saved = max((arms[name]["retrieval"].mean().item(), name) for name in rescue)
show.measured(
    show.Claim(
        "Common belief: what comes home through F was translated correctly",
        f"four maps optimal for GAN and cycle, {sum(k == 0 for *_, k in exact)} swap all patients; trained: {about(both, 0)} of {about(sum(perfect), 0)} perfect pairs swap",
        "– (exact, derived here)",
        not (both and all(d and c for d, c, _ in exact) and min(k for *_, k in exact) == 0),
    ),
    show.Claim(
        "Where the critic gets its way (λ = 0.02, toy), unequal prevalence makes G invent or remove lesions (20 % to 60 %: at least 0.40 of the patients change group; tolerances 0.06 and 0.1 ours)",
        f"{about(changed[:8].min().item(), 2)} to {about(changed[:8].max().item(), 2)} over eight pairs where G(x) reaches {about(seen[:8].mean().item(), 2)}; with λ = 1 it does not reach it ({about(seen[8:].min().item(), 2)} to {about(seen[8:].max().item(), 2)})",
        "Cohen et al. 2018: reported on brain MRI",
        bool(changed[:8].min() > least - 0.06 and (seen[:8] - 0.6).abs().max() < 0.1),
    ),
    show.Claim(
        "The cycle rescues a generator that can ignore its input (ours: retrieval ≥ 0.5)",
        f"best of {len(rescue)} ways: {saved[1]}, retrieval {seeds(saved[1], 'retrieval', 2)}, cycle error {seeds(saved[1], 'cycle')}",
        "–",
        saved[0] >= 0.5,
    ),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Take home
#
# - A GAN matches **sets**. Whose image comes out is decided by the net's structure, its start, and luck.
# - The cycle asks for a way home: G becomes **invertible**, training becomes steadier. Invertible is not right.
# - A translation without a flaw in either loss can move a patient to another group; a symmetry of the data, or unequal
#   prevalence, makes that easy. Never read a diagnosis off a translated image unless pairs have shown that you may.
# - Judge unpaired translation on a few pairs. If you have them, also train on them.
#
# **Read on:** Zhu, Park, Isola, Efros (2017), *Unpaired image-to-image translation using cycle-consistent adversarial networks*
# · Cohen, Luck, Honari (2018), *Distribution matching losses can hallucinate features in medical image translation* · Liu,
# Breuel, Kautz (2017), *Unsupervised image-to-image translation networks* (a shared code) · Shrivastava et al. (2017) on the
# buffer · next: lecture 12, a latent code with a likelihood.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 2 minutes.
#
# **Ask:** "Which row would you have bet against at the start of the hour?" (No right answer. If nobody names the way home, name it yourself: it is the belief that does not hold.)
#
# **Goes wrong:** "CycleGAN is useless, then." It is not: unpaired translation with a local G finds nearly every partner here. It is
# no diagnosis.

# %% slideshow={"slide_type": "fragment"}
score()
