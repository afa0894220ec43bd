# ---
# jupyter:
#   course:
#     measures: "a trained D against the best D there is, V against −log 4 + 2·JSD, both generator gradients, first GANs"
#     slides: 8–13
#     title: The GAN objective
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
# # 02 · The GAN objective
#
# *Slides 8–13.* A **generator** G turns noise z into samples G(z). A **discriminator** D looks at an x and says how probable it is
# that x is real. They play for one number, $V(D, G)$: D wants it large, G wants it small (Goodfellow et al. 2014).
#
# After this hour you can
# - write $V$ and say what each of its terms wants from whom;
# - name the best D there is, and check that a trained net finds it;
# - say what $V$ measures then: how far the generated distribution is from the real one;
# - explain why G is usually trained with another loss than the one in $V$;
# - train a GAN, and read its $V$ without panic.

# %% slideshow={"slide_type": "skip"}
import copy
import math

import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from torch.nn.functional import softplus

from course_lib import adam, check, data, fit, generator, hint, linear_decay, nets, pick, quiz, score, setup, show, solution
from course_lib.exercises import find
from course_lib.losses import adversarial
from course_lib.show.figures import array

print(setup(seed=0))


def minus(value, digits=2):
    """A number for a title, with a minus sign of full length."""
    return f"{value:.{digits}f}".replace("-", "−")

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 60 minutes in all; this page 1. Two players 10 (with the first exercise), the best D 11, what V measures 9, from below 3, two losses
# for G 13, the slider 3, the first GAN 6, digits 2, what you measured 2. The challenge is homework.
#
# **Ask:** "A forger and a bank clerk: what does each learn from the other?" (The forger what gives a note away, the clerk what the latest fakes
# look like. Keep the answers; the two terms of V are those answers.)
#
# **Goes wrong:** exercises eat the hour. Each has its minutes; when they are over, show the solution and go on: `check` hands out a working one.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Two players, one number
#
# The real data have a density $p(x)$; the samples $x = G(z)$ have a density $q(x)$, which for a net nobody can write down.
# D ends in one number per x, the **logit** $l(x)$, and $D(x) = \sigma(l(x))$ lies between 0 and 1.
#
# $$V(D, G) = \underbrace{\mathbb E_{x\sim p}\,\big[\log D(x)\big]}_{\text{term 1}} + \underbrace{\mathbb E_{z}\,\big[\log(1 - D(G(z)))\big]}_{\text{term 2}}$$
#
# A logarithm (natural, so V is in nats) of a probability is at most 0, and so is V. **Predict: which of the two terms can G change at all?**

# %% [markdown] slideshow={"slide_type": "fragment"}
# Twelve real samples, twelve fakes, and a discriminator made by hand are enough to see it:

# %% slideshow={"slide_type": "fragment"}
torch.manual_seed(0)
real_toy, fake_toy = data.normal(0, 1), data.normal(1.5, 1.2)  # on the line, with exact densities
x_real, x_fake = real_toy.sample(12).squeeze(-1), fake_toy.sample(12).squeeze(-1)


def by_hand(x):
    """A discriminator made by hand: the further left, the more probably real."""
    return torch.sigmoid(1.5 - 1.5 * x)


term_1 = torch.log(by_hand(x_real)).mean()
term_2 = torch.log(1 - by_hand(x_fake)).mean()

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What each of them wants
#
# Slides 11, 12, and 13 in one row: the vertical lines show how far each sample's D(x) is from what the player wants.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# Both terms of V, sample by sample
ticks = torch.linspace(-4, 5, 200)
chart, axes = show.figure(3, width=4.2, height=3.7, sharey=True, title=f"V = term 1 + term 2 = {minus(term_1 + term_2, 3)}")
for ax, x, target, color, mark, who, title in zip(
    axes,
    (x_real, x_fake, x_fake),
    (1, 0, 1),
    (show.REAL, show.FAKE, show.FAKE),
    "o^^",
    ("real x", "fake x = G(z)", "fake x = G(z)"),
    (f"1: D wants D(real) → 1\nterm 1 = {minus(term_1, 3)}", f"2: D wants D(fake) → 0\nterm 2 = {minus(term_2, 3)}", "3: G wants D(fake) → 1\nso G pushes term 2 down"),
    strict=True,
):
    ax.plot(array(ticks), array(by_hand(ticks)), color=show.CRITIC, label="D(x)")
    ax.vlines(array(x), array(by_hand(x)), target, color=color, linewidth=1.2, alpha=0.6)
    ax.plot(array(x), array(by_hand(x)), mark, color=color, label=who)
    ax.axhline(target, color=color, linestyle=":", linewidth=1.5)
    ax.set(xlabel="x", title=title, ylim=(-0.05, 1.05))
    ax.legend(loc="center left" if target == 0 else "lower left", fontsize=10)
axes[0].set_ylabel("D(x), probability of real")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# D can shorten the blue lines of panel 1 and the orange ones of panel 2 by bending its green curve. G cannot bend the curve: it moves
# the triangles along it, in panel 3 up. Only term 2 depends on G. And both players own the same triangles, with opposite wishes.
#
# *Take care:* programs minimise. D's **loss** is −V.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: V from logits
#
# *Difficulty ●●○○○ · importance ●●●●● · 6 minutes*
#
# Write `value(real, fake)`: the logits of a batch of real samples and of a batch of fakes in, the number V out. A trained D is often
# very sure, so it has to survive logits of ±800, and a gradient has to get through.
#
# <!-- hints: gan_objective.value -->


# %% nbgrader={"grade": false, "grade_id": "gan_objective-value", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def value(real, fake):
    """V(D, G), estimated from D's logits for real samples (n,) and for fakes (m,): one number."""
    ### BEGIN SOLUTION
    return -softplus(-real).mean() - softplus(fake).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gan_objective-value-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
value = check("gan_objective.value")

# %% [markdown] slideshow={"slide_type": "subslide"}
# Three discriminators that need no training. **Predict their V:** one never commits itself, one is sure and right, one is sure and wrong.

# %% tags=["nbval-check-output"] slideshow={"slide_type": "fragment"}
sure = torch.full((100,), 10.0, dtype=torch.float64)  # a logit of 10: D = 0.99995
for says, real, fake in (("½ to everything", 0 * sure, 0 * sure), ("sure and right", sure, -sure), ("sure and wrong", -sure, sure)):
    print(f"{says:16} V = {minus(value(real, fake), 6):>10}")
print(f"{'−log 4':16}   = {minus(-math.log(4), 6):>10}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# Saying ½ to everything is worth exactly $2\log\frac12 = -\log 4 = -1.386$. Remember this number. Being right brings V up to nearly 0;
# being wrong and sure of it costs without limit. So daring pays only where D is right; how sure should it be? Next section.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 10 minutes, 6 of them for the exercise.
#
# **Ask:** "In panel 3, which way do the triangles move along x?" (Left, to where D is high. G knows that only through D.)
#
# **Goes wrong:** log(sigmoid(l)) instead of softplus: let someone run it at l = −800 in float32 and look at the gradient. And people say
# "G minimises V" and then train with another loss: park it, section "Two losses for G" is about that.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The best D there is
#
# Hold G still. As integrals over x, both terms meet at every x:
#
# $$V(D, G) = \int \Big[\,p(x)\log D(x) + q(x)\log\big(1 - D(x)\big)\Big]\,dx$$
#
# D may choose its value at every x separately, so the best D maximises the bracket for each x on its own. **Predict:** where p = 2q, what
# should D say? "Real", that is 1, or something else?

# %% slideshow={"slide_type": "subslide"} jupyter={"source_hidden": true}
# What D earns at one x, for three pairs p, q
d = torch.linspace(0.005, 0.995, 400)
chart, ax = show.figure(width=6.6, height=3.7)
for p_here, q_here, style in ((2, 1, "-"), (1, 1, "--"), (0.3, 1.2, ":")):
    bracket = p_here * torch.log(d) + q_here * torch.log(1 - d)
    ax.plot(array(d), array(bracket), style, color=show.CRITIC, label=f"p = {p_here:g}, q = {q_here:g}")
    ax.plot([p_here / (p_here + q_here)], [bracket.max().item()], "o", color=show.EXACT)
    ax.annotate(f"{p_here / (p_here + q_here):.2f}", (p_here / (p_here + q_here), bracket.max() - 0.15), ha="center", va="top")
ax.set(xlabel="D, the answer at this x", ylabel="p log D + q log(1 − D)  (nats)", ylim=(-5, 0.2), title="Where p = 2q, the best answer is ⅔, not 1")
ax.legend(loc="lower center")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Each curve has one top, and it lies at $p/(p+q)$: 0.67, 0.50, 0.20. At an x that is real twice out of three times, ⅔ is the honest
# answer, and the one that V pays best. That is Proposition 1 of the paper: $D^*(x) = \dfrac{p(x)}{p(x) + q(x)}$.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: the optimal discriminator
#
# *Difficulty ●●○○○ · importance ●●●●● · 5 minutes*
#
# Write `optimal_discriminator(x, p, q)`. Here `p` and `q` are functions: `p(x)` is the density at every element of x. Far out both
# densities underflow to exactly 0; nothing is known there, so return ½.
#
# <!-- hints: gan_objective.optimal_discriminator -->


# %% nbgrader={"grade": false, "grade_id": "gan_objective-optimal_discriminator", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def optimal_discriminator(x, p, q):
    """D*(x) for densities p and q, given as functions; the shape of x is kept."""
    ### BEGIN SOLUTION
    real, fake = p(x), q(x)
    return torch.where(real + fake > 0, real / (real + fake), 0.5)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gan_objective-optimal_discriminator-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
optimal_discriminator = check("gan_objective.optimal_discriminator")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Does a trained D find it?
#
# D sees samples only, never a density. You can check it against the exact densities p = N(0, 1) and q = N(1.5, 1.2²). Nothing
# needs to be sampled for that: on a grid of x, the expectation of f is a sum of f × density × width.

# %% slideshow={"slide_type": "fragment"}
x = torch.linspace(-12, 14, 2601, dtype=torch.float64)
width = 0.01


def density(toy):
    """The exact density of a distribution, as a function of x."""
    return lambda x: toy.log_prob(x if toy.dim > 1 else x.unsqueeze(-1)).exp()


def exact_value(logit, p, q, weight):
    """V(D, G) for logits and densities at the nodes of a grid: two integrals, no samples."""
    return -(weight * (p * softplus(-logit) + q * softplus(logit))).sum(-1)


p, q = density(real_toy)(x), density(fake_toy)(x)
D_best = optimal_discriminator(x, density(real_toy), density(fake_toy))
V_best = exact_value(p.log() - q.log(), p, q, width)  # the logit of D* is log p − log q

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now train D. Three nets at once, from three random starts; the loss is −V, with your `value`. After every step the exact V of each net
# is compared with the best V: the gap is noted down.

# %% slideshow={"slide_type": "fragment"}
torch.manual_seed(1)
D = nets.mlp(1, 64, 64, 1, seeds=3)
steps = 1500
optimizer = adam(D.parameters(), 2e-3, betas=(0.9, 0.99))
nodes = x[::10].float().expand(3, -1).unsqueeze(-1)  # every tenth node is enough: (3, 261, 1)


def step(real, fake):
    loss = -value(D(real), D(fake))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        gap = V_best - exact_value(D(nodes).squeeze(-1).double(), p[::10], q[::10], 10 * width)
    return {"V of the batches": -loss, "gap 1": gap[0], "gap 2": gap[1], "gap 3": gap[2]}


batches = zip(real_toy.batches((3, 256), seed=1), fake_toy.batches((3, 256), seed=2), strict=True)
log = fit(step, batches, steps, schedulers=[linear_decay(optimizer, steps, 0.3)])

# %% slideshow={"slide_type": "subslide"} jupyter={"source_hidden": true}
# D after training, beside D*
with torch.no_grad():
    D_trained = torch.sigmoid(D(x.float().expand(3, -1).unsqueeze(-1)).squeeze(-1)).double()
error_1d = (width * (p + q) / 2 * (D_trained - D_best).abs()).sum(-1)  # mean over real and fake x
chart, ax = show.figure(width=7.8, height=4, title=f"Three trained D find p/(p+q): mean error {error_1d.mean():.3f}")
ax.fill_between(array(x), array(p), color=show.REAL, alpha=0.25, label="p, real")
ax.fill_between(array(x), array(q), color=show.FAKE, alpha=0.25, hatch="///", edgecolor=show.FAKE, linewidth=0, label="q, generated")
ax.plot(array(x), array(D_best), color=show.EXACT, linewidth=4, alpha=0.5, label="D* = p/(p+q)")
for i, (line, style) in enumerate(zip(D_trained, ("-", "--", ":"), strict=True)):
    ax.plot(array(x), array(line), style, color=show.CRITIC, linewidth=1.8, label=f"trained D, start {i + 1}")
ax.set(xlim=(-6, 8), ylim=(0, 1.02), xlabel="x", ylabel="D(x); density of x")
ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Blue and orange are the densities, the broad grey line is D*, green are the nets. Where there are samples, the green lines lie on the grey
# one; the error in the title is the mean of |D − D*| over real and fake x. On the far left, where hardly any sample ever falls, D* turns
# down again (q is the wider one), and no net has heard of it: **D is right only where it has seen something.** And where p is highest,
# D does not say 1: at x = 0 more than one sample in four is a fake.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The same in two dimensions
#
# Real: a ring of eight Gaussians. Generated: one broad blob. Again three nets, samples only.

# %% slideshow={"slide_type": "fragment"}
ring, blob = data.ring(8, radius=1.0, std=0.2), data.Gaussians([[0.0, 0.0]], 0.8)
side = torch.linspace(-3.2, 3.2, 129, dtype=torch.float64)
plane = torch.cartesian_prod(side, side)  # (129², 2)
p_2d, q_2d = density(ring)(plane), density(blob)(plane)
D_best_2d = optimal_discriminator(plane, density(ring), density(blob))
torch.manual_seed(2)
D = nets.mlp(2, 64, 64, 64, 1, seeds=3)
steps = 2000
optimizer = adam(D.parameters(), 3e-3, betas=(0.9, 0.99))


def step(real, fake):
    loss = -value(D(real), D(fake))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


batches = zip(ring.batches((3, 512), seed=1), blob.batches((3, 512), seed=2), strict=True)
schedule = linear_decay(optimizer, steps, 0.2)
logits_2d = []
for count in (20, 180, 600, 1200):  # in four parts, with a look at the whole plane after each
    fit(step, batches, count, schedulers=[schedule])
    with torch.no_grad():
        logits_2d.append(D(plane.float().expand(3, -1, -1)).squeeze(-1).double())

# %% slideshow={"slide_type": "subslide"} jupyter={"source_hidden": true}
# The same in the plane
D_trained_2d = torch.sigmoid(logits_2d[-1])
cell = (side[1] - side[0]).item() ** 2
error_2d = (cell * (p_2d + q_2d) / 2 * (D_trained_2d - D_best_2d).abs()).sum(-1)
towards_real = LinearSegmentedColormap.from_list("fake to real", [show.FAKE, "white", show.REAL])
chart, axes = show.figure(3, width=4, height=3.9, title=f"In two dimensions too: mean error {error_2d.mean():.3f}")
show.points(ring.sample(700, generator(0)), ax=axes[0], color=show.REAL, label="real")
axes[0].plot(*array(blob.sample(700, generator(1))).T, "^", color=show.FAKE, markersize=3, alpha=0.5, label="generated")
axes[0].legend(loc="upper right", markerscale=2, frameon=True, framealpha=0.9, borderpad=0.2)
axes[0].set_title("What D sees")
for ax, shown, title in ((axes[1], D_best_2d, "D* = p/(p+q)"), (axes[2], D_trained_2d[0], "trained D, start 1")):
    image = ax.imshow(array(shown.view(129, 129).T), origin="lower", extent=(-3.2, 3.2, -3.2, 3.2), cmap=towards_real, vmin=0, vmax=1)
    ax.contour(array(side), array(side), array(shown.view(129, 129).T), levels=[0.5], colors=show.EXACT, linewidths=1)
    ax.set(xlabel="x₁", title=title)
for ax in axes:
    ax.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect="equal")
    ax.grid(False)
chart.colorbar(image, ax=list(axes), label="D(x)", shrink=0.8)
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Blue means "probably real", orange "probably fake"; the thin black line is D = ½. The net draws eight bumps that nobody told it of.
# A discriminator is a density ratio learned from samples: its best logit is $\log p(x) - \log q(x)$.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 11 minutes, 5 of them for the exercise.
#
# **Ask:** before the three curves, "where p = 2q, what should D say?" (⅔. Most say 1: they think of a classifier with a hard decision.)
#
# **Goes wrong:** people believe that D has to know p and q. It sees two heaps of samples; the ratio comes out of the loss.
#
# **If asked** about the tails of the 1-D figure: this is what "D is unreliable off the data" means. It returns with gradient penalties (03).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What V measures
#
# Put D* into V, and what is left depends on p and q only. With the middle $m = \frac12(p + q)$, so that $D^* = p/(2m)$:
#
# $$V(D^*, G) = -\log 4 + 2\,\mathrm{JSD}(p, q), \qquad
# \mathrm{JSD}(p, q) = \tfrac12\,\mathrm{KL}(p\,\|\,m) + \tfrac12\,\mathrm{KL}(q\,\|\,m)$$
#
# with the Kullback-Leibler divergence $\mathrm{KL}(p\,\|\,m) = \int p\log\frac pm\,dx$. The **Jensen-Shannon divergence** is 0 if p = q, and log 2 if the two never overlap.
# So $V(D^*, G)$ is $-\log 4$ at best for G, 0 at worst. G, by making V small against the best D, makes q like p.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: the Jensen-Shannon divergence
#
# *Difficulty ●●●○○ · importance ●●●●○ · 7 minutes*
#
# Write `jsd(p, q, weight)`: the densities at the nodes of a grid, and the width that each node stands for. The integral of f is
# `(weight * f).sum()`. Some densities are exactly 0 at some nodes.
#
# <!-- hints: gan_objective.jsd -->


# %% nbgrader={"grade": false, "grade_id": "gan_objective-jsd", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def jsd(p, q, weight):
    """The Jensen-Shannon divergence in nats, from densities p, q (n,) at n nodes of widths weight (n,): one number."""
    ### BEGIN SOLUTION
    middle = (p + q) / 2
    to_p = (weight * (torch.xlogy(p, p) - torch.xlogy(p, middle))).sum()
    to_q = (weight * (torch.xlogy(q, q) - torch.xlogy(q, middle))).sum()
    return (to_p + to_q) / 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gan_objective-jsd-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
jsd = check("gan_objective.jsd")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Both sides, computed apart
#
# The left side on an even grid, the right side on other nodes (Gauss-Legendre), so that neither can borrow the other's error.
# On the line and in the plane, from equal to far apart:


# %% slideshow={"slide_type": "skip"}
def even(low, high, n, dim):
    """An even grid: nodes (n^dim, dim) and their widths (n^dim,)."""
    nodes = torch.cartesian_prod(*[torch.linspace(low, high, n, dtype=torch.float64)] * dim).view(-1, dim)
    return nodes, torch.full((n**dim,), ((high - low) / (n - 1)) ** dim, dtype=torch.float64)


def gauss_legendre(low, high, n, dim):
    """Gauss-Legendre nodes (n^dim, dim) and their weights (n^dim,)."""
    line, weight = (torch.as_tensor(a * (high - low) / 2, device=x.device) for a in np.polynomial.legendre.leggauss(n))
    nodes, weights = (torch.cartesian_prod(*[values] * dim).view(-1, dim) for values in (line + (low + high) / 2, weight))
    return nodes, weights.prod(-1)


def both_sides(real, fake, rule, low, high, n):
    """(V(D*, G), −log 4 + 2·JSD, mass of q on the grid), all on the nodes of one rule."""
    at, weight = rule(low, high, n, real.dim)
    log_p, log_q = real.log_prob(at), fake.log_prob(at)
    V = exact_value(log_p - log_q, log_p.exp(), log_q.exp(), weight)
    return V.item(), -math.log(4) + 2 * jsd(log_p.exp(), log_q.exp(), weight).item(), (weight * log_q.exp()).sum().item()


# %% tags=["nbval-check-output"] slideshow={"slide_type": "fragment"}
pairs = {
    "equal: N(0, 1), N(0, 1)": (real_toy, data.normal(0, 1), -12, 14, 2601, 400),
    "near: N(0, 1), N(1.5, 1.2²)": (real_toy, fake_toy, -12, 14, 2601, 400),
    "far: N(0, 1), N(6, 0.5²)": (real_toy, data.normal(6, 0.5), -12, 14, 2601, 400),
    "2-D: ring of eight, blob": (ring, blob, -6, 6, 401, 300),
}
identity, rows = [], []
for name, (real, fake, low, high, n_even, n_gauss) in pairs.items():
    left, right = both_sides(real, fake, even, low, high, n_even)[0], both_sides(real, fake, gauss_legendre, low, high, n_gauss)[1]
    identity.append(abs(left - right))
    close = "below 1e-9" if identity[-1] < 1e-9 else "above 1e-9"
    rows.append({"p, q": name, "V(D*, G)": minus(left, 8), "−log 4 + 2·JSD": minus(right, 8), "difference": close})
show.table(rows)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The identity holds to nine decimals. Equal densities give −log 4, densities that hardly overlap give nearly 0.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A trap on the way
#
# One trap has cost many an afternoon: a grid that cuts off some mass. Here is the last pair again, on a box of ±2 instead of ±6.

# %% tags=["nbval-check-output"] slideshow={"slide_type": "fragment"}
left, right, mass = both_sides(ring, blob, even, -2, 2, 401)
print(f"V(D*, G) = {minus(left, 5)}   −log 4 + 2·JSD = {minus(right, 5)}   difference {minus(left - right, 5)}")
print(f"q's mass on the grid: {mass:.5f}   log 2 × the missing mass: {math.log(2) * (1 - mass):.5f}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# The two sides now differ by 0.017, and that is precisely log 2 times the mass of q that the grid misses. If an
# exact identity seems to fail, first integrate p and q.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 9 minutes, 7 of them for the exercise.
#
# **Ask:** "V(D*, G) for distributions that do not overlap at all?" (0, however far apart they are. So JSD has no slope there: the reason
# for Wasserstein distances, 03.)
#
# **Goes wrong:** 0·log 0 comes out as NaN; `torch.xlogy` knows better. And KL(p‖q) is written instead of KL(p‖m): it is infinite where only q is 0.
#
# **On the board:** p log(p/(p+q)) = p log(p/(2m)) = p log(p/m) − p log 2. Do the same for q; the two log 2 add up to log 4.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## From below
#
# No D scores more than D*. So the V of a net lies *below* $-\log 4 + 2\,$JSD, however well it learns:
# a discriminator never overstates how different p and q are. Back to the three nets on the line. **Predict:** will the V that was
# logged, step by step from its minibatches, stay below that bound?

# %% slideshow={"slide_type": "subslide"} jupyter={"source_hidden": true}
# V while D learns, and its gap to the bound
gaps = torch.stack([log[f"gap {i}"] for i in (1, 2, 3)])  # (3, steps)
logged = log["V of the batches"]
late = logged[len(logged) // 2 :]
share_above = (late > V_best.item()).double().mean().item()
finding = f"Exact V: always below the bound. Logged V: above it in {share_above:.0%} of the later batches"
chart, (left, right) = show.figure(2, width=5.4, height=3.9, title=finding)
count = torch.arange(1, len(logged) + 1, device="cpu")
few = torch.logspace(0, math.log10(len(logged)), 60, device="cpu").long().unique() - 1  # evenly spaced on the logarithmic axis
left.plot(array(count), array(logged), ".", color=show.OTHER, markersize=3, alpha=0.6, label="logged, 3 × 256 samples")
left.plot(array(count[1:]), array(V_best.cpu() - gaps[:, :-1].mean(0)), color=show.CRITIC, zorder=4, label="exact, mean of three")  # both before the step
left.axhline(V_best.item(), color=show.EXACT, linestyle="--", linewidth=1.2, zorder=3, label="−log 4 + 2·JSD")
left.set(xscale="log", xlabel="step", ylabel="V(D, G) (nats)", ylim=(-1.45, -0.85), title="V while D learns")
left.legend(loc="lower right")
for i, style in enumerate(("-", "--", ":")):
    right.plot(array(count[few]), array(gaps[i, few]), style, color=show.CRITIC, linewidth=1.6, label=f"start {i + 1}")
right.set(xscale="log", yscale="log", xlabel="step", ylabel="V(D*, G) − V(D, G) (nats)", title=f"The gap falls to {gaps[:, -1].mean():.0e}")
right.legend(loc="lower left")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# On the left, the exact V (green) climbs to the dashed bound; on the right, the gap on logarithmic axes falls by three orders of magnitude
# (with setbacks) and never changes sign. But the purple dots, the logged V, are above the bound in half of the later batches. That is no
# contradiction: the theorem is about expectations, and a minibatch is a handful of samples.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The gaps in numbers
#
# On the line and in the plane: how far V stays below the best V, and the smallest gap that was seen at all.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# The gaps as a table
looks = sorted({min(c, len(count)) - 1 for c in (1, 10, 100, len(count))})
gaps_2d = (exact_value(p_2d.log() - q_2d.log(), p_2d, q_2d, cell) - torch.stack([exact_value(l, p_2d, q_2d, cell) for l in logits_2d])).cpu()
show.table(
    [
        {
            "p, q": where,
            "V(D*, G) − V(D, G), mean of three nets, after steps": " · ".join(f"{step}: {gap:.1e}" for step, gap in zip(at, means.tolist(), strict=True)),
            "smallest of all": f"{smallest:.1e}",
        }
        for where, at, means, smallest in (
            ("on the line", [c + 1 for c in looks], gaps.mean(0)[looks], gaps.min()),
            ("in the plane", (20, 200, 800, 2000), gaps_2d.mean(1), gaps_2d.min()),
        )
    ]
)

# %% [markdown] slideshow={"slide_type": "fragment"}
# No gap ever changes sign, in the plane neither; yet single batches lie above the bound. **Do not read a single value of a GAN's log; read
# its mean.**

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 3 minutes.
#
# **Ask:** "Why can the exact gap be computed at all?" (Because p and q are known here. With images it cannot.)
#
# **Goes wrong:** the dots above the line are taken for a mistake. They are averages over 3 × 256 samples: they scatter about the exact V on both sides.
#
# **Worth saying:** on a *fixed* small data set a large D drives its training V to 0 by memorising. Fresh samples, as here, cannot be memorised.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Two losses for G
#
# G wants term 2 small: it minimises $\log(1 - D(G(z)))$. In practice one nearly always minimises $-\log D(G(z))$ instead. Both say
# "D(fake) → 1". Goodfellow et al. promise the same resting point, and much stronger gradients early on. How much stronger?
#
# **Predict, and write it down:** early on, D is nearly sure that a fake is fake, D = 0.01. How much harder does the second loss push on that
# sample's logit? About as much, 5 times, 10 times, 100 times, 10 000 times?

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: both generator losses
#
# *Difficulty ●●○○○ · importance ●●●●● · 5 minutes*
#
# Write `generator_losses(fake)`: from D's logits for fakes, return the **saturating** loss log(1 − D) and the **non-saturating** −log D,
# in this order, both for minimising, both stable at ±800.
#
# <!-- hints: gan_objective.generator_losses -->


# %% nbgrader={"grade": false, "grade_id": "gan_objective-generator_losses", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def generator_losses(fake):
    """(saturating, non-saturating): the means of log(1 − D) and of −log D over the logits of fakes (n,)."""
    ### BEGIN SOLUTION
    saturating = -softplus(fake).mean()
    nonsaturating = softplus(-fake).mean()
    return saturating, nonsaturating
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gan_objective-generator_losses-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
generator_losses = check("gan_objective.generator_losses")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: the sign of every gradient
#
# *Difficulty ●●●○○ · importance ●●●●● · 7 minutes*
#
# Now the slopes, by hand and in closed form. For each sample on its own (no mean), return four tensors:
# 1. d(loss of D)/d(logit of a real sample), where the loss of D is −V,
# 2. d(loss of D)/d(logit of a fake),
# 3. d(saturating loss of G)/d(logit of a fake),
# 4. d(non-saturating loss of G)/d(logit of a fake).
#
# Write the signs down before the formulas: a step goes *against* the gradient. No autograd needed; D = σ(logit) is all you need.
#
# <!-- hints: gan_objective.gradients -->


# %% nbgrader={"grade": false, "grade_id": "gan_objective-gradients", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def gradients(real, fake):
    """The four slopes above, sample by sample; from logits real (n,) and fake (m,): shapes (n,), (m,), (m,), (m,)."""
    ### BEGIN SOLUTION
    d_real, d_fake = torch.sigmoid(real), torch.sigmoid(fake)
    return d_real - 1, d_fake, -d_fake, d_fake - 1
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gan_objective-gradients-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
gradients = check("gan_objective.gradients")

# %% [markdown] slideshow={"slide_type": "subslide"}
# Autograd knows nothing of your formulas. Do the two agree, and what is the answer to the prediction?

# %% tags=["nbval-check-output"] slideshow={"slide_type": "fragment"}
logit = torch.linspace(-12, 12, 241, dtype=torch.float64, requires_grad=True)
formulas = gradients(logit.detach(), logit.detach())
saturating, nonsaturating = generator_losses(logit)
by_autograd = [torch.autograd.grad(241 * loss, logit)[0] for loss in (saturating, nonsaturating)]  # 241: undo the mean
slope_error = max((by_autograd[0] - formulas[2]).abs().max().item(), (by_autograd[1] - formulas[3]).abs().max().item())
early = torch.logit(torch.tensor([0.01], dtype=torch.float64))
_, _, weak, strong = gradients(early, early)
print("largest difference between autograd and −D, D − 1:", "below 1e-12" if slope_error < 1e-12 else "above 1e-12")
print(f"at D = 0.01: saturating {minus(weak.item(), 4)}, non-saturating {minus(strong.item(), 4)}: {strong.item() / weak.item():.1f} times as strong")

# %% slideshow={"slide_type": "subslide"} jupyter={"source_hidden": true}
# Both losses, and their slopes
chart, (left, right) = show.figure(2, width=5.2, height=3.9, title=f"At D = 0.01 the non-saturating loss pushes {strong.item() / weak.item():.0f} times as hard")
l = logit.detach()
left.plot(array(l), array(-softplus(l)), "--", color=show.OTHER, label="saturating, log(1 − D)")
left.plot(array(l), array(softplus(-l)), color=show.FAKE, label="non-saturating, −log D")
left.set(xlabel="logit of a fake", ylabel="loss of G (nats)", title="Both fall to the right …")
left.legend(loc="lower left")
d = torch.sigmoid(l)
right.plot(array(d), array(formulas[2].abs()), "--", color=show.OTHER, label="saturating: D")
right.plot(array(d), array(formulas[3].abs()), color=show.FAKE, label="non-saturating: 1 − D")
right.plot(array(d[::12]), array(by_autograd[0].abs()[::12]), "s", color=show.OTHER, markersize=5, label="squares, dots: by autograd")
right.plot(array(d[::12]), array(by_autograd[1].abs()[::12]), "o", color=show.FAKE, markersize=5)
right.plot([0.01, 0.01], [abs(weak.item()), abs(strong.item())], ":", color=show.EXACT, linewidth=2)
right.annotate(f"× {strong.item() / weak.item():.0f}", (0.008, 0.12), ha="right")
right.set(xscale="logit", yscale="log", xlabel="D(fake)", ylabel="|d loss / d logit|", title="… but with other slopes")
right.set_xticks([1e-4, 1e-2, 0.5, 0.99, 0.9999], ["0.0001", "0.01", "0.5", "0.99", "0.9999"])
right.set_xticks([], minor=True)
right.legend(loc="lower center")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Left, the losses; right, the sizes of their slopes, lines from your formulas and marks from autograd. The saturating loss pushes with
# strength D: it is flat just where G is worst. The non-saturating loss pushes with 1 − D: it lets go only when D believes the fake.
# The ratio is (1 − D)/D, 99 at D = 0.01. For one fake the *direction* is the same: logit up.
#
# And note your formulas 2 and 3: they are exactly opposite. That is what "zero-sum" means. With the non-saturating loss the game is no
# longer zero-sum; q = p stays at rest, the way there changes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Does it matter?
#
# The smallest GAN: $G(z) = \theta + z$, so q = N(θ, 1), and p = N(0, 1). D is always the exact D*; every expectation is a sum on a grid.
# G starts six standard deviations off. How many steps does it need?

# %% slideshow={"slide_type": "fragment"}
z = torch.linspace(-9, 9, 1801, dtype=torch.float64)
weight = 0.01 * torch.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)


def travel(loss_of, make_optimizer, steps=400):
    """θ step by step, from θ = 6, with the exact D* of every step."""
    theta = torch.tensor(6.0, dtype=torch.float64, requires_grad=True)
    optimizer, path = make_optimizer([theta]), []
    for _ in range(steps):
        path.append(theta.item())
        at = theta + z  # G moves its samples; D* stays what it is for the q of this step
        loss = (weight * loss_of(0.5 * (at - theta.detach()) ** 2 - 0.5 * at**2)).sum()  # logit: log p − log q
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return path


descent, moments = lambda t: torch.optim.SGD(t, lr=0.3), lambda t: torch.optim.Adam(t, lr=0.1)
paths = {
    "saturating": travel(lambda l: -softplus(l), descent),
    "non-saturating": travel(lambda l: softplus(-l), descent),
    "saturating, Adam": travel(lambda l: -softplus(l), moments),
    "non-saturating, Adam": travel(lambda l: softplus(-l), moments),
}
arrival = {name: next(i for i, theta in enumerate(path) if abs(theta) < 0.5) for name, path in paths.items()}

# %% slideshow={"slide_type": "subslide"} jupyter={"source_hidden": true}
# The way of θ under four rules
chart, ax = show.figure(width=7.6, height=3.7, title=f"Plain descent: {arrival['saturating']} steps against {arrival['non-saturating']}. Adam: {arrival['saturating, Adam']} against {arrival['non-saturating, Adam']}")
for (name, path), color, style in zip(paths.items(), (show.OTHER, show.FAKE) * 2, ("-", "-", ":", ":"), strict=True):
    ax.plot(path, style, color=color, label=f"{name}: {arrival[name]} steps")
    ax.plot([arrival[name]], [path[arrival[name]]], "s" if color == show.OTHER else "o", color=color)
ax.axhline(0, color=show.EXACT, linestyle="--", linewidth=1.2)
ax.set(xlabel="step of G", ylabel="θ, mean of q (std of p)", ylim=(-1.2, 6.3))
ax.legend(loc="upper right", title="until |θ| < ½")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Purple is the saturating loss, orange the non-saturating one; solid lines are plain gradient descent, dotted ones Adam. With plain descent
# the saturating G creeps, because D is so sure, and then falls in: the saturation that the paper warns of. Adam divides each
# gradient by its own recent size, so a weak gradient moves θ as far as a strong one; here the order even turns round, because
# the strong first gradients linger in Adam's memory. Keep both facts: the slopes are exact, what they do depends on the optimiser.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 13 minutes: 5 for the first exercise, 5 for the slopes (all together, on the board), 3 for the race.
#
# **Ask:** "Who said 10 000, who said 5?" (99 is right, (1 − D)/D. 10 000 squares the ratio, 5 compares the losses: −log 0.01 = 4.6.)
#
# **Goes wrong:** signs. Let them say aloud "D wants the real logit up, so the slope of its loss is negative".
#
# **If asked** why anyone keeps the saturating loss: with it, G minimises V itself, so the theory of JSD applies. With the other it does not.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Move q
#
# p stays N(0, 1). Where is V = −log 4, how far out is "V near 0", and what does the saturating gradient do there?
# Can V be high although the means agree?

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# D*, V, JSD, and both mean gradients, for a q to move
x_line = torch.linspace(-18, 18, 361, dtype=torch.float64)  # wide enough for every q of the sliders, or the trap would snap
log_p_line = real_toy.log_prob(x_line.unsqueeze(-1))
p_line, width_line = log_p_line.exp(), torch.full_like(x_line, 0.1)
in_view = slice(100, 261)  # the nodes from −8 to 8

chart, (left, right) = show.figure(2, width=4.6, height=3.4, title=" ", width_ratios=(1.7, 1))
left.plot(array(x_line[in_view]), array(p_line[in_view]), color=show.REAL, linewidth=5, alpha=0.4, label="p")  # broad: seen below q
for color, style, label in ((show.FAKE, "-", "q"), (show.CRITIC, "-.", "D*")):
    left.plot([], [], style, color=color, label=label)
left.set(xlim=(-7, 7), ylim=(0, 1.4), xlabel="x", ylabel="density; D*(x)", xticks=[-6, -3, 0, 3, 6], yticks=[0, 0.5, 1])
left.legend(loc="lower left", bbox_to_anchor=(0, 0.98), ncols=3)
right.set(xlim=(-0.6, 1.6), ylim=(0, 1.12), ylabel="mean |d loss / d logit|", title="Push on a fake", yticks=[0, 0.5, 1])
right.set_xticks([0, 1], ["saturating\nE D*", "non-saturating\nE (1 − D*)"])


def draw(chart, mean, std):
    left, right = chart.axes
    log_q = -0.5 * ((x_line - mean) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi))
    q, D_star = log_q.exp(), torch.sigmoid(log_p_line - log_q)
    divergence = jsd(p_line, q, width_line).item()
    push = (width_line * q * D_star).sum().item()
    chart.finding(f"V(D*, G) = {minus(2 * divergence - math.log(4), 4)} = −log 4 + 2·JSD, JSD = {divergence:.4f}")
    left.plot(array(x_line[in_view]), array(q[in_view]), color=show.FAKE)
    left.plot(array(x_line[in_view]), array(D_star[in_view]), "-.", color=show.CRITIC)
    right.bar_label(right.bar([0, 1], [push, 1 - push], color=[show.OTHER, show.FAKE]), fmt="%.2g")


show.explore(draw, "D*, V, JSD, and both generator gradients for a q you choose", chart, mean=(-6, 6, 0.1, 1.5), std=(0.3, 3, 0.1, 1.2))

# %% [markdown] slideshow={"slide_type": "fragment"}
# The start is the pair of the table: V = −1.0019. At mean 0 and std 1, V is −log 4 = −1.3863, D* is ½ everywhere, and both gradients are ½. At
# mean 6 the saturating gradient is nearly gone. With the means equal, std 0.3 still lifts V: D sees the shape too.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 3 minutes.
#
# **Ask:** for a setting before you drag: "same mean, and yet V near 0?" (Not to be had: std 0.3 lifts V, but not to 0.) "V exactly −log 4?" (Only p = q.)
#
# **Goes wrong:** the arrow keys change slides as long as no slider has the focus: click it first.
#
# **Worth saying:** the two bars always add up to 1, because D* + (1 − D*) = 1.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Your first GAN
#
# Now q is no formula: G is a net, z is four normal numbers, and D and G learn in turn. The real data are two bumps on the line, of
# unequal size. Before you train:
#
# **Predict: suppose training goes perfectly, and G's samples become like real ones, while D keeps learning. Where does V(D, G) go, and
# what does it say about D?**
#
# - (a) to 0: D has learned its task
# - (b) to −log 4: D is bad by now, it has unlearned to tell the two apart
# - (c) to −log 4: D may be as good as a discriminator can be
# - (d) towards −∞: D is fooled more and more
# - (e) to −log 2: D is right half of the time
#
# Vote, or write your letter into the cell below and run it, then the check.
#
# <!-- hints: gan_objective.predict -->

# %% slideshow={"slide_type": "fragment"}
quiz("gan_objective.predict")

# %% nbgrader={"grade": false, "grade_id": "gan_objective-predict", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
prediction = ...  # one letter in quotes, such as "a"
### BEGIN SOLUTION
prediction = "c"
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "gan_objective-predict-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
check("gan_objective.predict")

# %% [markdown] slideshow={"slide_type": "subslide"}
# The whole of GAN training: D climbs V one step, G descends its loss one step, and so on. Note the `detach`: in D's step the fakes are
# data, and nothing flows back to G. Three GANs learn side by side, each from a start of its own.

# %% slideshow={"slide_type": "fragment"}
bumps = data.Gaussians([[-1.5], [1.5]], 0.5, torch.tensor([0.3, 0.7]))


def train(which, watch=None):
    """Train three GANs; `which` is 0 for the saturating loss of G, 1 for the non-saturating one."""
    torch.manual_seed(0)
    steps = pick(laptop=2500, gpu=5000)
    G, D = nets.mlp(4, 64, 64, 1, seeds=3), nets.mlp(1, 64, 64, 1, seeds=3)
    for_G, for_D = (adam(net.parameters(), 2e-3, betas=(0.0, 0.9)) for net in (G, D))

    def step(real):
        fake = G(torch.randn(3, 256, 4))
        loss_D = -value(D(real), D(fake.detach()))
        for_D.zero_grad()
        loss_D.backward()
        for_D.step()
        loss_G = generator_losses(D(fake))[which]
        for_G.zero_grad()
        loss_G.backward()
        for_G.step()
        return {"V": -loss_D}

    decays = [linear_decay(optimizer, steps) for optimizer in (for_G, for_D)]
    log = fit(step, bumps.batches((3, 256)), steps, watch=watch and (lambda: watch(G, D)), schedulers=decays)
    return G, D, log


# %% [markdown] slideshow={"slide_type": "skip"}
# The live picture shows the first of the three GANs.

# %% slideshow={"slide_type": "skip"}
edges = torch.linspace(-4, 4, 81)


@torch.no_grad()
def bumps_now(G, D):
    """The live picture: p, the histogram of q, and D, of the first of the three GANs."""
    samples = G(torch.randn(3, 4000, 4, generator=generator(1)))[0].squeeze(-1)
    chart, ax = show.figure(width=7, height=3.7)
    ax.hist(array(samples.clamp(-4, 4)), bins=array(edges), density=True, color=show.FAKE, alpha=0.6, label="q, generated")
    ax.plot(array(edges), array(density(bumps)(edges)), color=show.REAL, label="p, real")
    ax.plot(array(edges), array(torch.sigmoid(D(edges.expand(3, -1).unsqueeze(-1)))[0, :, 0]), "--", color=show.CRITIC, label="D")
    ax.set(xlabel="x", ylabel="density; D(x)", ylim=(0, 1.05), title=f"Share of the samples in the left bump: {(samples < 0).double().mean():.2f} (real: 0.30)")
    ax.legend(loc="upper left")
    return chart

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Run it
#
# Watch p (blue), the histogram of q (orange), and D (green) in the first of the three GANs. Again? Run the cell again: it starts afresh.

# %% slideshow={"slide_type": "fragment"}
G, D, log_gan = train(which=1, watch=bumps_now)

# %% [markdown] slideshow={"slide_type": "fragment"}
# That is a GAN: noise went in, two bumps of the right sizes came out, and G never saw one real sample. D, at the end, is a nearly flat line
# at ½ where the data are. How good is it, over all three starts, and what did V do?
#
# The measure is the **Wasserstein distance**: how far, on average, q's heap has to be carried to become p's.

# %% slideshow={"slide_type": "skip"}
real_sample = bumps.sample((3, 100_000), generator(7)).squeeze(-1)
with torch.no_grad():
    fake_sample = G(torch.randn(3, 100_000, 4, generator=generator(8))).squeeze(-1)


def distance(a, b):
    """Wasserstein-1 distance of samples on the line: how far, on average, the one heap has to be carried to make the other."""
    return (a.sort(-1).values - b.sort(-1).values).abs().mean(-1)


bins = torch.linspace(-6, 6, 121, dtype=torch.float64)
bin_width = torch.full((120,), 0.1, dtype=torch.float64)


def from_samples(fake):
    """JSD of p and q for each GAN: q from a histogram of its samples, p from exact bin averages."""
    fine = torch.linspace(-6, 6, 12001, dtype=torch.float64)[:-1] + 0.0005
    p = density(bumps)(fine).view(120, 100).mean(1)
    return torch.stack([jsd(p, torch.histogram(f.cpu().double(), bins.cpu(), density=True).hist.to(p), bin_width) for f in fake])


far = distance(fake_sample, real_sample)
floor = distance(bumps.sample((3, 100_000), generator(9)).squeeze(-1), real_sample)
one_bump = real_sample.mean() + real_sample.std() * torch.randn(3, 100_000, generator=generator(10))
gaussian_fit = distance(one_bump, real_sample)
left_over = from_samples(fake_sample)
found = int(((fake_sample < 0).double().mean(1) - 0.3).abs().lt(0.1).sum())  # GANs with 0.2 to 0.4 of their samples on the left

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How good is it?
#
# Blue is p, orange is q, green is D, and the thin dark line is D*, the best answer to the samples that G makes now.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# The three GANs after training
chart, axes = show.figure(3, width=4.2, height=3.7, sharey=True, title=f"{found} of 3 GANs put 20 to 40% on the left (real: 30%)")
with torch.no_grad():
    D_final = torch.sigmoid(D(edges.expand(3, -1).unsqueeze(-1))).squeeze(-1)
for i, ax in enumerate(axes):
    ax.hist(array(fake_sample[i].clamp(-4, 4)), bins=array(edges), density=True, color=show.FAKE, alpha=0.6, label="q, generated")
    ax.plot(array(edges), array(density(bumps)(edges)), color=show.REAL, label="p, real")
    ax.plot(array(edges), array(D_final[i]), "--", color=show.CRITIC, label="D")
    middles, share = (edges[1:] + edges[:-1]).cpu() / 2, torch.histogram(fake_sample[i].cpu(), edges.cpu(), density=True).hist
    D_star = optimal_discriminator(middles, lambda x: density(bumps)(x.to(edges)).cpu(), lambda x: share)
    seen = density(bumps)(middles.to(edges)).cpu() + share > 0.03  # elsewhere too few samples for a ratio
    ax.plot(array(middles), array(D_star.where(seen, math.nan)), color=show.EXACT, linewidth=1, alpha=0.7, label="D* by histogram")
    ax.set(ylim=(0, 1), xlabel="x", title=f"start {i + 1}: Wasserstein distance {far[i]:.2f}")
axes[0].set_ylabel("density; D(x)")
axes[0].legend(loc="upper left", fontsize=10)
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Both bumps are there; look at tips, valleys, and places for what is still wrong. D* sees it; D has hardly noticed.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### And what did V do?
#
# This is the log of the run you have just watched, against the −log 4 of the vote.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# V of the minibatches
chart, ax = show.figure(width=8, height=3.6, title=f"V settles at {minus(log_gan['V'][-200:].mean(), 3)}")
ax.plot(array(log_gan["V"]), color=show.CRITIC, linewidth=0.8, label="V of the minibatches, mean of the three")
ax.axhline(-math.log(4), color=show.EXACT, linestyle="--", label="−log 4")
ax.set(xlabel="step", ylabel="V(D, G) (nats)", ylim=(-1.6, -1.0))
ax.legend(loc="upper right")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# V comes to rest at −log 4 in spite of the faults that you have just seen. What that says about D is tested two slides on.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Is it better than something simpler?
#
# Than one fitted Gaussian? How near do exact samples come? And what if G had learned with the saturating loss?

# %% slideshow={"slide_type": "fragment"}
print(f"Wasserstein distance, three GANs: {far.mean().item():.3f} ± {far.std().item():.3f}; JSD: {left_over.mean().item():.3f} ± {left_over.std().item():.3f}")
print(f"Wasserstein distance of exact samples: {floor.mean().item():.3f}; of a fitted Gaussian: {gaussian_fit.mean().item():.3f}")
G_saturating, _, log_saturating = train(which=0)
with torch.no_grad():
    far_saturating = distance(G_saturating(torch.randn(3, 100_000, 4, generator=generator(8))).squeeze(-1), real_sample)
print(f"Wasserstein distance with the saturating loss, three GANs: {far_saturating.mean().item():.3f} ± {far_saturating.std().item():.3f}")
print(f"largest V on the way: saturating {minus(log_saturating['V'].max())}, non-saturating {minus(log_gan['V'].max())}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# The distance is in units of x, where a bump has a standard deviation of 0.5. The GANs are several times nearer than a fitted Gaussian, and
# still clearly farther than exact samples. And the saturating loss does **no worse** here: V stayed far from 0 all the time, so D was never
# sure enough to starve G, and Adam rescales what is left. The famous difference needs a very sure D and plain descent, as in "Does it matter?".

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Is this D bad?
#
# V rests at −log 4, and D says ½. A bad D, or nothing left to find? Test the D you have:
# let it learn on, 600 steps, while G stands still; and then the same with G's samples pushed by one unit.


# %% slideshow={"slide_type": "fragment"}
def go_on(shift):
    """Train a copy of D further against G(z) + shift; V of the three on fresh samples, before and after, and its bound."""
    D_copy = copy.deepcopy(D)
    optimizer = adam(D_copy.parameters(), 5e-3, betas=(0.9, 0.99))

    def step(real):
        with torch.no_grad():
            fake = G(torch.randn(3, 256, 4)) + shift
        loss = -value(D_copy(real), D_copy(fake))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    @torch.no_grad()
    def V():
        logits = D_copy(real_sample.unsqueeze(-1)), D_copy((fake_sample + shift).unsqueeze(-1))
        return torch.stack([value(*pair) for pair in zip(*logits, strict=True)]).cpu()

    before = V()
    fit(step, bumps.batches((3, 256), seed=5), 600, schedulers=[linear_decay(optimizer, 600, 0.3)])
    return before, V(), 2 * from_samples(fake_sample + shift).cpu() - math.log(4)


# %% [markdown] slideshow={"slide_type": "subslide"}
# The same D before and after 600 more steps, against G's samples at rest and pushed. Every V is the mean of the three GANs on fresh
# samples; every third row is the best that any D could reach.

# %% slideshow={"slide_type": "fragment"}
torch.manual_seed(3)
rest, pushed = go_on(0.0), go_on(1.0)
rows = []
for name, (before, after, bound) in (("G(z), as trained", rest), ("G(z) + 1", pushed)):
    for when, V in (("D as training left it", before), ("the same D, 600 steps on", after), ("best possible, −log 4 + 2·JSD", bound)):
        rows.append({"samples": name, "discriminator": when, "V, mean of three": show.about(V.mean().item(), 3)})
show.table(rows)

# %% [markdown] slideshow={"slide_type": "fragment"}
# 600 steps take the same D from −1.38 to nearly the best V possible against the pushed samples: it can still learn. At rest it climbs by
# about two thirds of the 0.02 that the histogram of G's samples says is there: little was left, and D had missed it.
#
# So read V with two cautions. **V near −log 4 does not mean that D cannot learn.** And **it does not mean that G is perfect** either:
# V with a lagging D lies below $-\log 4 + 2\,$JSD, maybe far.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 6 minutes; talk while it trains.
#
# **Ask:** first the vote (c: V says how far q is from p, not how good D is). Then, before the table, "what will the same D do when the samples
# move by one unit?" (It learns on at once; most expect it to need a restart.)
#
# **Goes wrong:** a forgotten detach in D's step (PyTorch stops: "backward through the graph a second time"), or a detach in G's step
# (no error, and G never moves: a good thing to try live).
#
# **If a start looks poor** on another machine: that is GAN training; lecture 03 is about it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The same game on real images
#
# Nothing in V asks how large x is. Let x be a handwritten digit: 8×8 grey values, 1400 real ones to learn from (scikit-learn's copy
# of a UCI data set). Your `value` and your loss stay as they are. One term is new, R1: it puts a price on steep slopes of D
# at real images. Lecture 03 shows what that is good for.
#
# **Predict:** will G draw blurred averages, copies of training images, or digits that nobody wrote?

# %% [markdown] slideshow={"slide_type": "subslide"}
# Three GANs again, side by side. New against the bumps: G ends in tanh, so that grey values stay between −1 and 1, and D pays for R1.

# %% slideshow={"slide_type": "fragment"}
digits = data.digits.load(8)


def train_on_digits(watch):
    """Train three GANs on the 8×8 digits."""
    torch.manual_seed(5)
    steps = pick(laptop=2000, gpu=6000)
    G = torch.nn.Sequential(nets.mlp(16, 160, 160, 64, seeds=3), torch.nn.Tanh())
    D = nets.mlp(64, 160, 160, 1, seeds=3)
    for_G, for_D = (adam(net.parameters(), 2e-3, betas=(0.0, 0.99)) for net in (G, D))

    def step(x):
        real, fake = x.view(3, 64, 64), G(torch.randn(3, 64, 16))
        loss_D = -value(D(real), D(fake.detach())) + 0.1 * adversarial.r1(D, real, batch_dims=2)
        for_D.zero_grad()
        loss_D.backward()
        for_D.step()
        loss_G = generator_losses(D(fake))[1]
        for_G.zero_grad()
        loss_G.backward()
        for_G.step()
        return {"D": loss_D, "G": loss_G}

    decays = [linear_decay(optimizer, steps) for optimizer in (for_G, for_D)]
    log = fit(step, digits.batches(3 * 64, seed=7), steps, watch=lambda: watch(G), schedulers=decays)
    return G, log


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### From noise to digits
#
# Sixteen noises stay fixed; the live picture shows what the first G makes of them while it learns.

# %% slideshow={"slide_type": "fragment"}
noise = torch.randn(3, 400, 16, generator=generator(6))


@torch.no_grad()
def digits_now(G):
    return show.grid(G(noise)[0, :16].view(16, 1, 8, 8), title="Sixteen noises become digits")


G_digits, log_digits = train_on_digits(digits_now)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Copies?
#
# Digits, at last. Has G only learned them by heart? Put each beside the training image nearest to it, and compare the distance with that of real digits
# which G and D have never seen, and with samples of the Gaussian that has the data's mean and covariance.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# Sixteen digits and their neighbours
train_digits, unseen = digits.x.flatten(1), data.digits.load(8, "test").x.flatten(1)
with torch.no_grad():
    drawn = G_digits(noise)
spread_out = torch.distributions.MultivariateNormal(train_digits.mean(0), torch.cov(train_digits.T) + 1e-4 * torch.eye(64))
gaussian_digits = spread_out.sample((400,)).clamp(-1, 1)


def nearest(x):
    """Distance to the nearest training image, and which one that is."""
    return torch.cdist(x, train_digits).min(-1)


near = {"unseen real digits": nearest(unseen).values, "fitted Gaussian": nearest(gaussian_digits).values}
near_drawn = nearest(drawn).values  # (3, 400)
chart, ax = show.figure(width=9, height=1.7)
pairs = torch.cat([drawn[0, :16], train_digits[nearest(drawn[0, :16]).indices]]).view(32, 1, 8, 8)
show.grid(pairs, columns=16, ax=ax, title=f"Above drawn by G, below its nearest training image: {near_drawn.mean():.1f} apart, no copies")
chart

# %% tags=["nbval-check-output"] slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# The distances as a table
about = show.about
rows = [{"images": "three GANs", "mean distance": f"{about(near_drawn.mean().item(), 1)}", "smallest": about(near_drawn.min().item(), 1)}]
rows += [{"images": name, "mean distance": about(d.mean().item(), 1), "smallest": about(d.min().item(), 1)} for name, d in near.items()]
show.table(rows)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Distances are in grey values over 64 pixels. Even the closest drawing keeps its distance from every training image, much as unseen
# real digits do, while samples of the Gaussian lie farther off than either. Some drawings are still no digit: the next lectures on images
# (04 and after) are about that. You have trained a GAN on real data.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 2 minutes.
#
# **Ask:** before the neighbours, "how would you *show* that a GAN has not just memorised?" (Nearest neighbours; Goodfellow et al. 2014 do
# the same in their Figure 2.)
#
# **Goes wrong:** "no copies" is heard as "good". It is one test of two: some of the sixteen are no digit at all.
#
# **If asked:** distance in grey values is a poor eye; lecture 08 is about better ones.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Challenge: a GAN from an empty cell
#
# *Difficulty ●●●●○ · importance ●●●●○ · 15 minutes*
#
# Three bumps this time. Write `first_gan(real)`: `real` (4096, 1) is all the data there is; return 4096 samples, shape (4096, 1), of a
# generator that you train in there, within a few seconds. They are scored by the Wasserstein distance to the exact distribution:
# **0.15 or less** is the goal, 0.25 earns half. For orientation: 4096 exact samples get about 0.03, one broad Gaussian 0.31, a single
# bump 0.9 or more. Handing back `real` counts as memorising and earns nothing.
#
# <!-- hints: gan_objective.first_gan -->


# %% nbgrader={"grade": false, "grade_id": "gan_objective-first_gan", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "subslide"}
# Challenge: real samples in, samples of a generator of your own out
def first_gan(real):
    """Train a GAN on real (4096, 1) and return 4096 samples of its generator (4096, 1)."""
    ### BEGIN SOLUTION
    torch.manual_seed(0)
    G, D = nets.mlp(4, 32, 32, 1), nets.mlp(1, 32, 32, 1)
    for_G, for_D = (adam(net.parameters(), 2e-3, betas=(0.0, 0.9)) for net in (G, D))
    decays = [linear_decay(optimizer, 1500, 0.3) for optimizer in (for_G, for_D)]
    for _ in range(1500):
        x, fake = real[torch.randint(len(real), (256,))], G(torch.randn(256, 4))
        for_D.zero_grad()
        adversarial.discriminator(D(x), D(fake.detach())).backward()
        for_D.step()
        for_G.zero_grad()
        adversarial.nonsaturating(D(fake)).backward()
        for_G.step()
        for decay in decays:
            decay.step()
    with torch.no_grad():
        return G(torch.randn(len(real), 4))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gan_objective-first_gan-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
first_gan = check("gan_objective.first_gan")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What does the score look like?

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# The data, and what first_gan makes of them
task = find("gan_objective.first_gan")
samples = first_gan(*task.ask).cpu()
score_here = task.metric(samples.double())
chart, ax = show.figure(width=7, height=3.7)
ax.hist(array(task.ask[0]), bins=60, range=(-4, 4), density=True, histtype="step", color=show.REAL, linewidth=2, label="real, 4096 points")
ax.hist(array(samples.clamp(-4, 4)), bins=60, range=(-4, 4), density=True, color=show.FAKE, alpha=0.6, label="first_gan")
ax.set(xlabel="x", ylabel="density", title=f"Wasserstein distance {score_here:.2f} (goal 0.15)")
ax.legend(loc="upper left")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# The blue outline is the data, orange are the samples. A low distance says that little has to be carried far; it forgives a shallow valley.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 0 minutes: homework, or a contest outside the hour (about 15; a training takes two seconds, so people try many settings).
#
# **Ask:** the winner, "how often did you look at the score?" (Tuning on it is tuning on the test, and it shows on a new seed.)
#
# **Goes wrong:** Adam's defaults; optimisers made for the wrong net; nets from the ensemble cell, with `seeds=3`, that return (3, n, 1).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you measured

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true} tags=["nbval-check-output"]
# Claims 1 to 4, with verdicts computed from the figures
about = show.about
show.measured(
    show.Claim(
        "The best D is D* = p/(p+q), and a trained D finds it",
        f"mean |D − D*|, three nets each: {about(error_1d.mean().item(), 3)} on the line, {about(error_2d.mean().item(), 3)} in the plane",
        "proven (Goodfellow et al. 2014, Proposition 1); no figure there",
        max(error_1d.max().item(), error_2d.max().item()) < 0.05,
    ),
    show.Claim(
        "V(D*, G) = −log 4 + 2·JSD",
        f"four pairs of p, q: the sides differ by {'less' if max(identity) < 1e-9 else 'more'} than 1e-9",
        "proven (2014, Theorem 1), with minimum −log 4 at p = q",
        max(identity) < 1e-9,
    ),
    show.Claim(
        "A trained D approaches it from below",
        f"gap on the line from {about(gaps[:, 0].mean().item())} to {about(gaps[:, -1].mean().item(), 4)}; smallest of all, line and plane: {about(min(gaps.min(), gaps_2d.min()).item(), 5)}",
        "follows from Proposition 1; no figure there",
        gaps.min().item() >= 0 and gaps_2d.min().item() >= 0 and gaps[:, -1].max().item() < 0.02 * gaps[:, 0].min().item(),
    ),
    show.Claim(
        "Early on, with plain descent, the saturating loss hardly moves G",
        f"|slope| at D = 0.01: {abs(weak.item()):.2f} against {abs(strong.item()):.2f}; from 6 std: {arrival['saturating']} steps against {arrival['non-saturating']}; with Adam the reverse, {arrival['saturating, Adam']} against {arrival['non-saturating, Adam']}",
        "said in words (2014, section 3); no figure there",
        slope_error < 1e-12 and arrival["saturating"] > 5 * arrival["non-saturating"],
    ),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What you measured: the trained GANs

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true} tags=["nbval-check-output"]
# Claims 5 to 8
show.measured(
    show.Claim(
        "… so the non-saturating G always ends nearer to the data",
        f"Wasserstein distance, three GANs each, with Adam: {about(far.mean().item(), 3)} ± {about(far.std().item(), 3)} "
        f"against {about(far_saturating.mean().item(), 3)} ± {about(far_saturating.std().item(), 3)}; V never above {about(max(log_gan['V'].max(), log_saturating['V'].max()).item())}",
        "– (no such test in the paper)",
        far.mean().item() + 2 * far.std().item() < far_saturating.mean().item(),
    ),
    show.Claim(
        "A GAN learns a distribution from samples",
        f"Wasserstein distance {about(far.mean().item())} ± {about(far.std().item())}, a fitted Gaussian {about(gaussian_fit.mean().item())}",
        "– (2014: Parzen scores on images, a measure since shown to mislead)",
        far.max().item() < 0.5 * gaussian_fit.min().item(),
    ),
    show.Claim(
        "The same game works on real images",
        f"distance to the nearest training digit: three GANs {about(near_drawn.mean().item(), 1)}, unseen digits {about(near['unseen real digits'].mean().item(), 1)}, "
        f"a fitted Gaussian {about(near['fitted Gaussian'].mean().item(), 1)}",
        "2014, Figure 2: MNIST, faces, CIFAR-10, shown with their nearest training images; no figure",
        near_drawn.mean(1).max().item() < (near["unseen real digits"].mean().item() + near["fitted Gaussian"].mean().item()) / 2,
    ),
    show.Claim(
        "V near −log 4 does not mean that D cannot learn",
        f"V {about(rest[0].mean().item(), 3)} in training; samples moved by 1, same D 600 steps on: {about(pushed[1].mean().item(), 3)} (best {about(pushed[2].mean().item(), 3)})",
        "– (no such test in the paper)",
        (pushed[1] - pushed[0] > 0.9 * (pushed[2] - pushed[0])).all().item(),
    ),
)

# %% [markdown] slideshow={"slide_type": "fragment"}
# The sign ≈ marks a figure from a training: rounding on another machine changes its last digits. The thresholds of the verdicts are ours: 0.05 for
# the mean error of D, a fiftieth for the gap, five times for the steps, two standard deviations between the losses, half of the Gaussian's
# distance, nine tenths of the possible climb.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### To take home
#
# V is two averages: D pulls both up, G pushes one down. The best D is a density ratio, and with it V is
# $-\log 4 + 2\,$JSD; every D gives a bound from below. The two losses of G point the same way with strengths D and 1 − D.
# V at −log 4 is peace, not proof: look at samples, and measure them.
#
# **Not to take home:** the 2014 paper scored its images by Parzen windows (on MNIST 225 ± 2 nats, above the models beside it). Theis, van den Oord,
# and Bethge (2016) showed that such scores can rank models wrongly; nothing in this notebook is comparable to them.
#
# **Read on:** Goodfellow et al. 2014, *Generative Adversarial Nets*, sections 3 and 4: you have just measured Proposition 1 and Theorem 1. Arjovsky and
# Bottou 2017, *Towards Principled Methods for Training GANs*: what happens where p and q do not overlap. Lecture 03: why two players who
# both go downhill need not arrive.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 2 minutes.
#
# **Ask:** before you show the second table, "which of its rows will not hold?" (The first: a right slope is not yet a better result.)
#
# **Goes wrong:** the ✗ is taken for a bug. It is a finding: the famous difference needs a very sure D and plain descent.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Your points so far

# %% slideshow={"slide_type": "fragment"}
score()
