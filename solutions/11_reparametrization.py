# ---
# jupyter:
#   course:
#     measures: "the noise of two gradient estimators against closed forms, and where each of them fails"
#     slides: 43–49
#     title: The reparametrization trick
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
# # 11 · The reparametrization trick
#
# *Slides 43–49.* A GAN's generator gets its noise as an input, so every gradient reaches its weights. A **variational autoencoder**
# (lecture 12) does something harder: its encoder says *how* to roll the dice, with a mean μ and a width σ that are learned,
# and then the dice are rolled. How does a gradient get through a roll of the dice?
#
# After this hour you can
# - say where a derivative stops, and see it in PyTorch's own graph;
# - let it through with $z = \mu + \sigma\cdot\varepsilon$, and with two more tricks of the kind;
# - predict how noisy a gradient estimate is, to the last digit, and check the prediction;
# - name the cases in which the trick is the wrong tool.

# %% slideshow={"slide_type": "skip"}
import math

import numpy as np
import torch
from torch import nn
from torch.distributions import Normal

from course_lib import adam, check, data, fit, generator, hint, linear_decay, nets, pick, quiz, score, setup, show, solution

print(setup(seed=0))
PATH, SCORE, BASE = show.CYCLE[4], show.CYCLE[5], show.OTHER  # one colour per estimator, all through this lecture

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 60 minutes with the exercises up to the baseline; the truncated normal and the challenge are homework.
# Title and three distributions 5, where the derivative stops 8, noise as an input with the widget 9, encoder 5, two estimators 14,
# fifty dimensions 3, control variates with the baseline 6, training 4, other dice 1, Gumbel-softmax 2, no path 2, what you measured 1.
#
# **Ask:** "In a GAN, which tensor carries the randomness, and does it need a gradient?" (z, and no.)
#
# **Goes wrong:** the exercises of the two estimators take longer than planned. Then do the variance by hand together at the board,
# and show the sections from "Other dice" on by their figures alone. Run all cells before the hour: the trainings are the slow part.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Three distributions
#
# The lecture's probabilistic view needs three of them. Take a person's ventricle size $z$ (in standard deviations from the mean)
# and a measurement $x$ read off a scan:
#
# - the **prior** $p(z) = \mathcal N(0, 1)$: what we believe before any scan;
# - the **likelihood** $p_\theta(x|z) = \mathcal N(\theta z, 1)$ with θ = 2: how a scan comes about, noise included;
# - the **posterior** $p_\theta(z|x)$: what a scan tells us about $z$. Here Bayes' rule gives it; for a deep net nobody can compute it,
#   so a second net learns a stand-in, $q_\varphi(z|x)$.
#
# **Predict:** you measure x = 3, and on average x = 2z. Is z = 1.5 the best guess?

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Ask 40,000 people
#
# Draw people and their scans, and keep those who measured about 3:

# %% slideshow={"slide_type": "fragment"}
gen = generator(0)
z = torch.randn(40_000, generator=gen)  # people, drawn from the prior
x = 2 * z + torch.randn(40_000, generator=gen)  # their scans
kept = z[(x - 3).abs() < 0.1]  # everyone measured at about 3
posterior = Normal(2 * 3 / 5, (1 / 5) ** 0.5)  # by Bayes' rule: mean θx/(1 + θ²), variance 1/(1 + θ²)

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# the cloud of people, and those on the line x = 3
ticks = torch.linspace(-3.5, 3.5, 200)
chart, (left, right) = show.figure(2, width=4.8, height=3.4, title=f"Measured at x = 3: z is {kept.mean():.2f} ± {kept.std():.2f}, not 1.5")
left.plot(z[:1500].tolist(), x[:1500].tolist(), ".", color=show.FAKE, markersize=3, alpha=0.5, label="people (z, x)")
left.plot([-3.5, 3.5], [-7, 7], color=show.EXACT, linestyle="--", label="x = θz")
left.axhline(3, color=show.REAL, label="measured: x = 3")
left.set(xlabel="z (standard deviations)", ylabel="x (measurement)", xlim=(-3.5, 3.5), ylim=(-7.5, 7.5))
left.legend(loc="lower right")
right.hist(kept.tolist(), bins=30, density=True, color=show.FAKE, alpha=0.6, label="people with x ≈ 3")
right.plot(ticks.tolist(), Normal(0.0, 1.0).log_prob(ticks).exp().tolist(), color=show.EXACT, linestyle="--", label="prior p(z)")
right.plot(ticks.tolist(), posterior.log_prob(ticks).exp().tolist(), color=show.EXACT, label="posterior p(z|x=3)")
right.set(xlabel="z (standard deviations)", ylabel="density", ylim=(0, 1.35))
right.legend(loc="upper left")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Left, a cloud of people and a scan at x = 3; right, the people on that line, with prior and posterior. The best guess is 1.2:
# large ventricles are rare, so part of a large x is noise. The posterior is narrower than the prior, and its width is as much an
# answer as its mean.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What an encoder will learn
#
# An encoder learns such answers for every x at once: $q_\varphi(z|x) = \mathcal N\big(\mu_\varphi(x), \sigma_\varphi(x)^2\big)$.
# To train it, you will minimise an average cost over its own draws,
#
# $$\mathbb E_{z\sim q_\varphi}[f(z)].$$
#
# **φ sits in the distribution you draw from**, not in f. That is the whole difficulty of this lecture.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 5 minutes, the title included.
#
# **Ask:** "Why is 1.5 wrong?" (It is the maximum of the likelihood; the prior pulls.) Radiologists know this as base rates.
#
# **Goes wrong:** people take the posterior for another name of the likelihood. Point at the axes: one is a function of x, one of z.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Where the derivative stops
#
# θ is now what the draw depends on (μ and σ, not the 2 above), z the draw, and $y = f(z)$. The chain rule says
#
# $$\frac{dy}{d\theta} = \frac{\partial f}{\partial z}\cdot\frac{\partial z}{\partial\theta}.$$
#
# The first factor is ordinary backpropagation. The second asks: had θ been a little larger, how would *this* z have changed?
# A random number generator has no answer to that.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: predict
#
# *Difficulty ●○○○○ · importance ●●●●○ · 2 minutes*
#
# ```python
# mu = torch.tensor(1.0, requires_grad=True)
# z = Normal(mu, 1.0).sample((1000,))
# y = (z**2).mean()
# y.backward()
# ```
#
# E[z²] = μ² + 1 has slope 2μ = 2 at μ = 1. **What do these four lines do?**
#
# - (a) mu.grad is 2, the slope of E[z²]
# - (b) mu.grad is 0
# - (c) backward() raises an error: y has no history to go back through
# - (d) mu.grad stays None, and nothing is said
# - (e) mu.grad is near 2, with the noise of 1000 samples
#
# <!-- hints: reparametrization.predict -->

# %% slideshow={"slide_type": "fragment"}
quiz("reparametrization.predict")

# %% nbgrader={"grade": false, "grade_id": "reparametrization-predict", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
prediction = ...  # one letter in quotes, such as "a"
### BEGIN SOLUTION
prediction = "c"
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "reparametrization-predict-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
check("reparametrization.predict")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Four ways to draw, and what they bring back
#
# A thousand z from the very same $\mathcal N(\mu, \sigma^2)$ with μ = σ = 1, four times; and what arrives at μ:


# %% slideshow={"slide_type": "skip"}
def slope(way, draw):
    """Draw z, send y = mean of z² backward, and report what arrives at μ."""
    mu, sigma = torch.ones((), requires_grad=True), torch.ones((), requires_grad=True)
    z = draw(mu, sigma)
    try:
        z.square().mean().backward()
        arrives = "0, without a word" if mu.grad == 0 else show.about(mu.grad.item())
    except RuntimeError as error:
        arrives = f"error: {error}"
    return {"z drawn by": way, "requires_grad": z.requires_grad, "grad_fn": type(z.grad_fn).__name__, "slope in μ (true: 2)": arrives}


# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
torch.manual_seed(1)
show.table([
    slope("Normal(mu, sigma).sample", lambda mu, sigma: Normal(mu, sigma).sample((1000,))),
    slope("torch.normal(mu, sigma)", lambda mu, sigma: torch.normal(mu.expand(1000), sigma.expand(1000))),
    slope("Normal(mu, sigma).rsample", lambda mu, sigma: Normal(mu, sigma).rsample((1000,))),
    slope("mu + sigma * eps", lambda mu, sigma: mu + sigma * torch.randn(1000)),
])

# %% [markdown] slideshow={"slide_type": "fragment"}
# `sample` fails loudly. `torch.normal` is the dangerous one: it has a `grad_fn`, requires a gradient, and delivers **exactly 0**:
# a net trained through it stands still, and nothing tells you. (`torch.bernoulli` does the same.) The last two get
# through; they do the same and differ only in the noise they drew (the **r** in `rsample` is for reparametrized).

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The graph, from y back to the parameters
#
# PyTorch keeps a graph of the operations that `backward()` will visit. Ask for it:

# %% slideshow={"slide_type": "skip"}
mu, sigma = torch.ones((), requires_grad=True), torch.ones((), requires_grad=True)
names = {id(mu): "μ", id(sigma): "σ"}


def graph(node, depth=0):
    """Print the operations that backward() will visit."""
    leaf = getattr(node, "variable", None)
    print("   " * depth + (type(node).__name__ if leaf is None else names[id(leaf)]))
    for parent, _ in node.next_functions:
        if parent is not None:
            graph(parent, depth + 1)


# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
print("sample:  the graph of z is", Normal(mu, sigma).sample().grad_fn)
print("rsample: the graph of y = z² is")
graph(Normal(mu, sigma).rsample().square().grad_fn)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Read it from the top: a power, then a sum with two branches, one straight to μ and one through a product to σ. The other factor of
# that product is ε. It needs no gradient, so it is not even listed.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The trick in one picture

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# two ways from μ, σ to f(z)
chart, axes = show.figure(2, width=5.2, height=3.2, title="Left the way back ends at the draw; right it never meets the dice")


def box(ax, x, y, text, random=False):
    colour, shape = (show.FAKE, "ellipse") if random else (show.EXACT, "round")
    return ax.text(x, y, text, ha="center", va="center", fontsize=14, color=colour,
                   bbox={"boxstyle": f"{shape},pad=0.5", "fc": "white", "ec": colour, "lw": 2})


def arrow(ax, start, end, colour="#888888", style="-"):
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "mutation_scale": 16, "color": colour, "lw": 2, "ls": style})


for ax, trick in zip(axes, (False, True), strict=True):
    box(ax, 0.08, 0.3, "μ, σ")
    box(ax, 0.5, 0.3, "z = μ + σ·ε" if trick else "z ~ N(μ, σ²)", random=not trick)
    box(ax, 0.92, 0.3, "f(z)")
    arrow(ax, (0.16, 0.25), (0.31, 0.25))
    arrow(ax, (0.69, 0.25), (0.84, 0.25))
    arrow(ax, (0.84, 0.36), (0.69, 0.36), PATH, "--")
    ax.text(0.77, 0.44, "∂f/∂z", fontsize=14, ha="center")
    if trick:
        box(ax, 0.5, 0.85, "ε ~ N(0, 1)", random=True)
        arrow(ax, (0.5, 0.7), (0.5, 0.44))
        arrow(ax, (0.31, 0.36), (0.16, 0.36), PATH, "--")
    else:
        ax.text(0.235, 0.36, "✗", color=PATH, fontsize=24, ha="center", va="center")
    ax.text(0.235, 0.44, "∂z/∂μ, ∂z/∂σ" if trick else "", fontsize=14, ha="center")
    ax.set(xlim=(0, 1), ylim=(0.1, 1.05), title="z = g(θ; ε)" if trick else "z is drawn")
    ax.set_axis_off()
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Grey arrows compute, dashed arrows carry the derivative back, ellipses are dice. Nothing was made less random: z has the same
# distribution on both sides. **The dice have only been moved to where no derivative needs to pass.**

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 8 minutes: the vote 2, the table 3, the graph and the picture 3.
#
# **Ask:** before the table, "Which of the four would you have used?" (Most say `torch.normal`. Let the silent 0 sink in.)
#
# **Goes wrong:** "the trick makes sampling differentiable". It does not differentiate the sampling; it differentiates what is
# done to the noise. The slides write θ for the parameters; in a VAE they are the encoder's φ.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Noise as an input
#
# $$z = g(\theta;\varepsilon) = \mu + \sigma\cdot\varepsilon, \qquad \varepsilon\sim\mathcal N(0,1), \qquad
# \frac{\partial z}{\partial\mu} = 1,\quad \frac{\partial z}{\partial\sigma} = \varepsilon.$$
#
# Why should this help? Draw 10 ε, and plot the average of z² against μ: once with the *same* 10 ε for every μ, once with fresh
# draws.
# **Predict:** which of the two curves has a slope worth having?

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The same noise, or fresh noise?

# %% slideshow={"slide_type": "fragment"}
gen = generator(5)
eps, mus = torch.randn(10, generator=gen), torch.linspace(-1, 3, 121)
fixed = [(m + eps).square().mean().item() for m in mus]
fresh = [(m + torch.randn(10, generator=gen)).square().mean().item() for m in mus]
at_one = 2 * (1 + eps).mean().item()  # slope of the fixed curve at μ = 1

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# both averages against μ
chart, ax = show.figure(width=7.5, height=3.6)
ax.plot(mus.tolist(), fresh, color="#999999", linewidth=1.2, label="fresh noise for every μ")
ax.plot(mus.tolist(), fixed, color=PATH, label="the same 10 ε for every μ")
ax.plot(mus.tolist(), (mus**2 + 1).tolist(), color=show.EXACT, linestyle="--", label="E[z²] = μ² + 1")
ax.set(xlabel="μ", ylabel="mean of z² over 10 draws")
ax.set_title(f"With ε held fixed the average is smooth: slope {at_one:.2f} at μ = 1 (exact: 2)")
ax.legend(loc="upper left")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Fresh noise gives a rattling curve that has no slope; held fixed, the same kind of noise gives a parabola with one. It lies a
# little off the dashed truth, as 10 samples will, but its slope is an honest, unbiased estimate. `backward()` through
# $\mu+\sigma\varepsilon$ takes that slope.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: reparametrize
#
# *Difficulty ●●○○○ · importance ●●●●● · 4 minutes*
#
# Encoders give out $\log\sigma^2$ (called `logvar`), not σ: a logarithm may be any number, so the net needs no guard against
# negative widths. Write `reparametrize(mu, logvar, eps)`, which returns z. Shapes broadcast (B inputs, L latent entries,
# K draws for each): one row of logvar may serve many rows of eps. Gradients have to reach mu and logvar, even where logvar is
# extreme.
#
# <!-- hints: reparametrization.reparametrize -->


# %% nbgrader={"grade": false, "grade_id": "reparametrization-reparametrize", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def reparametrize(mu, logvar, eps):
    """z = mu + sigma * eps, with logvar = log sigma^2; mu, logvar, eps broadcast, such as (B, L), (B, L), (K, B, L) -> (K, B, L)."""
    ### BEGIN SOLUTION
    return mu + torch.exp(0.5 * logvar) * eps
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "reparametrization-reparametrize-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
reparametrize = check("reparametrization.reparametrize")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Move μ, stretch σ
#
# Hollow: 60 fixed ε; filled, in the same colour: their z (grey lines join some). Drag μ (the cross), move the sliders: no new
# draw.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# sixty ε stay, sixty z move
noise = torch.randn(60, 2, generator=generator(7))
hues = [tuple(0.5 + 0.4 * math.cos(math.atan2(b, a) - k * 2.1) for k in range(3)) for a, b in noise.tolist()]

chart, ax = show.figure(width=5.2, height=4.4)
ax.scatter(*noise.T.tolist(), s=26, facecolors="none", edgecolors=hues)
ax.set(xlim=(-4, 4), ylim=(-4, 4), xticks=[-4, 0, 4], yticks=[-4, 0, 4], xlabel="z₁ (hollow: ε₁)", ylabel="z₂ (hollow: ε₂)")


def draw(chart, sigma_1, sigma_2, point):
    ax = chart.axes[0]
    z = reparametrize(torch.tensor(point), 2 * torch.tensor([sigma_1, sigma_2]).log(), noise)
    ways = torch.stack([noise, z, z * math.nan], 1)[:14].reshape(-1, 2)  # from ε to z, pen up, next
    ax.plot(*ways.T.tolist(), color="#bbbbbb", linewidth=1, zorder=1)
    ax.scatter(*z.T.tolist(), s=30, c=hues, zorder=3)
    ax.plot(*point, "+", color=show.EXACT, markersize=18, markeredgewidth=3, zorder=4)
    ax.set_title(f"Mean of |z|² = {z.square().sum(1).mean():.2f}; its slope in μ₁ = {2 * z[:, 0].mean():.2f}".replace("-", "−"))


caption = "sixty z = μ + σ·ε that follow μ and σ while their ε stay"
show.explore(draw, caption, chart, point=(1.5, 1.0), sigma_1=(0.05, 2, 0.05, 0.5), sigma_2=(0.05, 2, 0.05, 1.2))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What follows, and how far
#
# - **Move μ:** every z moves exactly as far, ∂z/∂μ = 1.
# - **Change a σ:** those z move most whose ε is large, ∂z/∂σ = ε.
# - **Let both σ go to 0:** all z sit on μ. The cloud is gone, but the path back to μ is not.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 9 minutes: the two curves 2, the exercise 4, the widget 3.
#
# **Ask:** let someone drag μ in a circle: "What does the gradient of the mean of |z|² do?" (It points away from the origin.)
#
# **Goes wrong:** exp(logvar) for σ. A VAE with this slip still trains, with a wrong width, so nobody notices: the check names it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Exercise: an encoder
#
# *Difficulty ●●○○○ · importance ●●●●○ · 5 minutes*
#
# In a VAE, μ and log σ² are no parameters; they are a net's answers to x. Write the class `GaussianEncoder(inputs, hidden,
# latent)`: one hidden layer of `hidden` units with a ReLU, then **two** linear heads. `forward(x)` takes (B, inputs) and returns
# the pair `(mu, logvar)`, each (B, latent). The check sees shapes, sizes, and gradients; it takes the activations on trust.
#
# <!-- hints: reparametrization.encoder -->


# %% nbgrader={"grade": false, "grade_id": "reparametrization-encoder", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
class GaussianEncoder(nn.Module):
    """x (B, inputs) -> (mu, logvar), each (B, latent)."""

    def __init__(self, inputs, hidden, latent):
        super().__init__()
        ### BEGIN SOLUTION
        self.body = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU())
        self.mu = nn.Linear(hidden, latent)
        self.logvar = nn.Linear(hidden, latent)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        h = self.body(x)
        return self.mu(h), self.logvar(h)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "reparametrization-encoder-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
GaussianEncoder = check("reparametrization.encoder")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### From z back to the first layer
#
# Does a gradient come all the way? Sixteen real digits, a draw each, and one backward pass:

# %% tags=["nbval-check-output"] slideshow={"slide_type": "fragment"}
x = data.digits.load().x[:16].flatten(1)
encoder = GaussianEncoder(64, 32, 2)
mu, logvar = encoder(x)
z = reparametrize(mu, logvar, torch.randn_like(mu))
z.square().sum(1).mean().backward()
arrives = all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())
print(f"z: {tuple(z.shape)}; a gradient in every layer: {arrives}")

# %% [markdown] slideshow={"slide_type": "fragment"}
# It does. From here on nothing about the draw is special: the encoder trains like any other net.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 5 minutes, all of it the exercise.
#
# **Ask:** "Why does the head for log σ² have no activation?" (Any real number is a good logarithm.) "And the head for μ?" (Any
# real number is a good mean, too.)
#
# **Goes wrong:** z is drawn inside `forward`. The net should give the distribution; the draw stays outside, where you can repeat it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Two estimators of one slope
#
# The trick is not the only way. Differentiate the density instead, with $\nabla q = q\,\nabla\log q$ (and call $\nabla\log q$ the
# **score**): $\;\nabla\int f\,q\,dz = \int f\,\nabla q\,dz = \int f\,q\,\nabla\log q\,dz = \mathbb E[f\,\nabla\log q]$.
#
# | | **pathwise** (the trick) | **score function** (REINFORCE, Williams 1992) |
# | --- | --- | --- |
# | $\nabla_\mu\,\mathbb E[f(z)]\;=$ | $\mathbb E\big[\tfrac{\partial f}{\partial z}\cdot\tfrac{\partial z}{\partial\mu}\big]$ | $\mathbb E\big[f(z)\,\nabla_\mu\log q(z)\big]$ |
# | needs of f | its slope | only its value |
# | needs of q | a differentiable g(θ; ε) | a density |
#
# For smooth f both are right on average. Kingma and Welling (2014) turned the second down for its "very high variance". How high? Take
# $f(z) = z^2$, where everything can be computed: $\tfrac{d}{d\mu}\mathbb E[z^2] = 2\mu$.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: the path
#
# *Difficulty ●●○○○ · importance ●●●●○ · 3 minutes*
#
# For f(z) = z² and z = μ + σ·ε, write `pathwise(mu, sigma, eps)`: **one estimate of the slope in μ per sample**, shape (n,). No
# autograd needed: one line, by hand.
#
# <!-- hints: reparametrization.pathwise -->


# %% nbgrader={"grade": false, "grade_id": "reparametrization-pathwise", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def pathwise(mu, sigma, eps):
    """Estimates of d/dmu E[z^2] along the path z = mu + sigma * eps; mu and sigma (), eps (n,) -> (n,)."""
    ### BEGIN SOLUTION
    return 2 * (mu + sigma * eps)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "reparametrization-pathwise-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
pathwise = check("reparametrization.pathwise")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: the score function
#
# *Difficulty ●●○○○ · importance ●●●●○ · 3 minutes*
#
# The same slope from the other side: `score_function(mu, sigma, z)` gets draws from N(μ, σ²) and returns $f(z)\,\nabla_\mu\log q(z)$ for
# each, again for f(z) = z². Here z is just a number that somebody drew: nothing is differentiated through it.
#
# <!-- hints: reparametrization.score_function -->


# %% nbgrader={"grade": false, "grade_id": "reparametrization-score_function", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def score_function(mu, sigma, z):
    """Estimates of d/dmu E[z^2] from draws z ~ N(mu, sigma^2): f(z) times the score; mu and sigma (), z (n,) -> (n,)."""
    ### BEGIN SOLUTION
    return z**2 * (z - mu) / sigma**2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "reparametrization-score_function-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
score_function = check("reparametrization.score_function")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: how noisy, by hand
#
# *Difficulty ●●●○○ · importance ●●●○○ · 5 minutes*
#
# One pathwise estimate is 2(μ + σε): its variance is 4σ², so **4** at μ = σ = 1. Find the variance of one score-function estimate
# at μ = σ = 1, with paper and pencil. You need the moments of ε ~ N(0, 1): E[ε²] = 1, E[ε⁴] = 3, E[ε⁶] = 15, and 0 for odd
# powers.
#
# <!-- hints: reparametrization.score_variance -->

# %% nbgrader={"grade": false, "grade_id": "reparametrization-score_variance", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
score_variance = ...  # a number
### BEGIN SOLUTION
score_variance = 30.0
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "reparametrization-score_variance-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
score_variance = check("reparametrization.score_variance")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Measure it
#
# The same algebra for any μ and σ gives $4\sigma^2$ for the pathwise estimate and $\mu^4/\sigma^2 + 14\mu^2 + 15\sigma^2$ for the
# score function. Your two functions, on a few hundred thousand draws; a variance counts as met within 4 of its own standard
# errors:


# %% slideshow={"slide_type": "skip"}
def spread(estimates):
    """Variance of the estimates, and the standard error of that variance."""
    variance, fourth = estimates.var(), (estimates - estimates.mean()).pow(4).mean()
    return variance.item(), ((fourth - variance**2) / len(estimates)).sqrt().item()


# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true} tags=["nbval-check-output"]
# four pairs of μ and σ, both estimators
exact = {"pathwise": lambda m, s: 4 * s**2, "score function": lambda m, s: m**4 / s**2 + 14 * m**2 + 15 * s**2}
eps = torch.randn(pick(laptop=300_000, gpu=3_000_000, smoke=1000), generator=generator(1), dtype=torch.float64)
rows, within = [], []
for m, s in ((1.0, 1.0), (1.0, 0.3), (0.0, 1.0), (2.0, 0.5)):
    mu, sigma = torch.tensor([m, s], dtype=torch.float64)
    for name, g in (("pathwise", pathwise(mu, sigma, eps)), ("score function", score_function(mu, sigma, mu + sigma * eps))):
        variance, error = spread(g)
        within += [abs(variance - exact[name](m, s)) < 4 * error and abs(g.mean().item() - 2 * m) < 4 * (variance / len(g)) ** 0.5]
        rows += [{"μ": m, "σ": s, "estimator": name, "slope": 2 * m, "slope, measured": show.about(round(g.mean().item(), 2) + 0.0),
                  "variance": f"{exact[name](m, s):.2f}", "variance, measured": show.about(variance), "within 4 std. errors": within[-1]}]
show.table(rows)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Two estimators, one mean, and variances that lie far apart: 4 against 30 at μ = σ = 1, so the score function needs 7.5 times the
# samples for the same precision. Even at μ = 0, where its first terms are gone, 15σ² is 3.75 times 4σ².

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Along σ
#
# A good encoder grows *sure*: its σ shrinks. What happens to the noise of the two estimates on the way?

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# both variances against σ
sigmas = np.geomspace(0.05, 3, 100)
chart, ax = show.figure(width=7, height=3.9)
for name, colour, style in (("score function", SCORE, "--"), ("pathwise", PATH, "-")):
    ax.plot(sigmas, exact[name](1, sigmas), style, color=colour, label=f"{name}: closed form")
for i, s in enumerate((0.05, 0.1, 0.25, 0.6, 1.5, 3.0)):
    sigma, one = torch.tensor(s, dtype=torch.float64), torch.ones((), dtype=torch.float64)
    ax.plot(s, spread(score_function(one, sigma, one + sigma * eps))[0], "s", color=SCORE, markersize=8, label=None if i else "measured")
    ax.plot(s, spread(pathwise(one, sigma, eps))[0], "o", color=PATH, markersize=8, label=None if i else "measured")
sure = exact["score function"](1, 0.1) / exact["pathwise"](1, 0.1)
ax.set(xscale="log", yscale="log", xlabel="σ, the width of the encoder's answer (μ = 1)", ylabel="variance of one estimate")
ax.set_title(f"At σ = 0.1 the score has {sure:,.0f} × the path's variance")
ax.legend(loc="lower right")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# No baseline yet. The pathwise noise vanishes with σ; the score function's grows as $\mu^4/\sigma^2$:
# it must tell slopes from the differences of f between draws, and close together these differences drown in f itself.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 14 minutes: the table 2, the exercises 3 + 3 + 5, the two measurements 1.
#
# **Ask:** "Which of the two would still work if f were a simulator, or a radiologist's rating?" (The score function.)
#
# **Goes wrong:** forgetting one σ in the score; the check says so. For the by-hand task let pairs work; expect 24 (variances added
# as if ε and ε³ were uncorrelated) and 34 (the squared mean forgotten).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Fifty dimensions
#
# A latent code has more than one entry. Let $f(z) = z_1^2+\dots+z_d^2$, all entries $\mathcal N(\mu,\sigma^2)$, and ask for the
# slope in $\mu_1$ only. The pathwise estimate is $2z_1$: the other entries have no part in it, and its variance stays 4σ². The
# score function is $f(z)\,\varepsilon_1/\sigma$, and f contains **all** entries. Split $f = z_1^2 + R$ with $\mathbb E[R] =
# (d-1)(\mu^2+\sigma^2)$ and $\mathrm{Var}[R] = (d-1)(2\sigma^4+4\mu^2\sigma^2)$:
#
# $$\mathrm{Var} = \frac{\mu^4+18\mu^2\sigma^2+15\sigma^4 + 2(\mu^2+3\sigma^2)\,\mathbb E[R] + \mathbb E[R]^2 + \mathrm{Var}[R]}{\sigma^2} - 4\mu^2 .$$
#
# **Predict:** the ratio to the pathwise variance is 7.5 for d = 1. Is it 75 for d = 10?


# %% slideshow={"slide_type": "skip"}
def score_in(mu, sigma, d):
    """Closed form: variance of one score-function estimate of d/dmu_1 E[z_1^2 + ... + z_d^2]."""
    rest, noise = (d - 1) * (mu**2 + sigma**2), (d - 1) * (2 * sigma**4 + 4 * mu**2 * sigma**2)
    second = mu**4 + 18 * mu**2 * sigma**2 + 15 * sigma**4 + 2 * (mu**2 + 3 * sigma**2) * rest + rest**2 + noise
    return second / sigma**2 - 4 * mu**2


def by_quadrature(mu, sigma, d):
    """The same variance by Gauss-Hermite quadrature on a grid of d dimensions: exact, for f is a polynomial."""
    nodes, weights = map(torch.tensor, np.polynomial.hermite_e.hermegauss(8))
    grid, mass = (torch.cartesian_prod(*[t] * d).reshape(-1, d) for t in (nodes, weights / weights.sum()))
    estimate, mass = (mu + sigma * grid).square().sum(1) * grid[:, 0] / sigma, mass.prod(1)
    return ((mass * estimate**2).sum() - (mass * estimate).sum() ** 2).item()


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### From 1 to 50 dimensions
#
# First the formula against quadrature on a grid (exact, for f is a polynomial), then the estimates against the formula:

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true} tags=["nbval-check-output"]
# is the formula right?
worst = max(abs(score_in(m, s, d) / by_quadrature(m, s, d) - 1) for d in (1, 2, 3, 4) for m, s in ((1, 1), (0.7, 1.3), (-2, 0.5)))
print("formula against quadrature for d = 1 to 4, largest relative difference:", "< 1e-9" if worst < 1e-9 else worst)

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
rows, ratio, n = [], {}, pick(laptop=100_000, gpu=500_000, smoke=500)
for d in (1, 10, 50):
    e = torch.randn(n, d, generator=generator(d), dtype=torch.float64)
    z = 1 + e
    variance, error = spread(z.square().sum(1) * e[:, 0])
    within += [abs(variance - score_in(1, 1, d)) < 4 * error]
    ratio[d] = variance / spread(2 * z[:, 0])[0]
    rows += [{"d": d, "pathwise": 4, "score function": f"{score_in(1, 1, d):,.0f}", "score, measured": show.about(variance, 0),
              "within 4 std. errors": within[-1], "ratio, measured": show.about(ratio[d], 0)}]
show.table(rows)

# %% [markdown] slideshow={"slide_type": "fragment"}
# No: it is 138, and 2,678 for d = 50 (the closed forms over 4). The ratio is d² + 3.5d + 3: every entry adds its own
# share to f, and the share of the others has nothing to do with μ₁. What 100 pathwise draws achieve at d = 50 would take the
# score function more than a quarter of a million.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 3 minutes. Let them vote on 75 by a show of hands; skip the algebra of the formula.
#
# **Ask:** "Why does the ratio grow faster than d?" (f grows with d, and the estimate multiplies all of f by one ε₁: its square grows
# with d².)
#
# **Goes wrong:** "the dimension makes the problem harder". The slope in μ₁ is as easy as before; it is the estimator that looks at
# what has nothing to do with μ₁.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Control variates: subtract what you know
#
# A score has mean zero, $\mathbb E[\nabla\log q(z)] = 0$. So $b\,\nabla\log q$ is a **control variate**: subtract it for any
# fixed b, the **baseline**,
#
# $$\big(f(z) - b\big)\,\nabla_\mu\log q(z),$$
#
# and the mean stays. The variance moves; it is smallest at $b^* = \mathbb E[f\,\varepsilon_1^2]/\mathbb E[\varepsilon_1^2] =
# \mathbb E[f] + 2\sigma^2$; any other b costs $(b - b^*)^2/\sigma^2$ more. The plain mean, $b = \mathbb E[f]$, is therefore only
# 4σ² short of the best.


# %% slideshow={"slide_type": "skip"}
def best_baseline_in(mu, sigma, d):
    """Closed form: variance of the score-function estimate with the best baseline."""
    return score_in(mu, sigma, d) - (d * (mu**2 + sigma**2) + 2 * sigma**2) ** 2 / sigma**2


def baselined(d, b):
    """Score-function estimates of the slope in mu_1 with baseline b, at mu = sigma = 1."""
    e = torch.randn(pick(laptop=50_000, gpu=500_000, smoke=500), d, generator=generator(d), dtype=torch.float64)
    return ((1 + e).square().sum(1) - b) * e[:, 0]


dims = np.arange(1, 51)
lines = {  # name: (baseline at d, closed form of the variance)
    "score function": (lambda d: 0, score_in(1, 1, dims)),
    "… minus the mean of f": (lambda d: 2 * d, best_baseline_in(1, 1, dims) + 4),
    "… minus the best baseline": (lambda d: 2 * d + 2, best_baseline_in(1, 1, dims)),
}

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What a baseline buys

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# three variances against d
chart, ax = show.figure(width=7.4, height=4.2)
cut = {}
for (name, (b, form)), colour, style in zip(lines.items(), (SCORE, BASE, BASE), ("s--", "o-", "x:"), strict=True):
    ax.plot(dims, form, style[1:], color=colour, label=name)
    for d in (1, 3, 10, 25, 50):
        variance, error = spread(baselined(d, b(d)))
        within += [abs(variance - form[d - 1]) < 4 * error]
        ax.plot(d, variance, style[0], color=colour, markersize=6 if style[0] != "x" else 10)
        cut[name, d] = variance
ax.plot(dims, 4 + 0 * dims, color=PATH, label="pathwise")
ax.set(xscale="log", yscale="log", xlabel="latent dimensions d (μ = σ = 1)", ylabel="variance of one estimate")
ax.set_xticks([1, 3, 10, 25, 50], ["1", "3", "10", "25", "50"])
ax.set_title(f"At d = 50 a baseline cuts {score_in(1, 1, 50):,.0f} to {best_baseline_in(1, 1, 50) + 4:.0f}; the path has 4")
ax.legend(loc="upper left")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Lines are closed forms, points are measured. A baseline turns growth with d² into growth with d (12 + 6d for the mean, 8 + 6d
# for the best: the two pink lines nearly touch). It is the first thing to try where no path exists, and here it is no match for
# the path.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: a baseline from the batch
#
# *Difficulty ●●●○○ · importance ●●●●○ · 5 minutes*
#
# E[f] is unknown in practice. Draw K times for every x, and let the *other* draws estimate it. Write `leave_one_out(f)`: costs f
# of shape (K, B), one column for each x, in; a baseline of the same shape out. Entry (k, j) is the mean cost of column j over
# all draws but the k-th.
#
# <!-- hints: reparametrization.leave_one_out -->


# %% nbgrader={"grade": false, "grade_id": "reparametrization-leave_one_out", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def leave_one_out(f):
    """For every cost in f (K, B), the mean of the other K - 1 in its column; (K, B) -> (K, B)."""
    ### BEGIN SOLUTION
    return (f.sum(0) - f) / (len(f) - 1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "reparametrization-leave_one_out-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
leave_one_out = check("reparametrization.leave_one_out")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Why leave one out?
#
# "Any baseline is fine" holds only for a baseline that does not look at the sample it is subtracted from. Take
# the plain mean of all K instead (μ = σ = 1, slope 2):

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
rows = []
for k in (2, 4, 16):
    e = torch.randn(k, pick(laptop=400_000, smoke=4000) // k, generator=generator(k), dtype=torch.float64)
    f = (1 + e) ** 2
    own, others = ((f - f.mean(0)) * e).mean(0), ((f - leave_one_out(f)) * e).mean(0)
    errors = [4 * g.std().item() / len(g) ** 0.5 for g in (own, others)]
    within += [abs(own.mean().item() - 2 * (k - 1) / k) < errors[0], abs(others.mean().item() - 2) < errors[1]]
    rows += [{"K": k, "mean of all K": show.about(own.mean().item()), "theory 2·(K − 1)/K": f"{2 * (k - 1) / k:.3f}",
              "leave-one-out": show.about(others.mean().item()), "theory": 2, "both within 4 std. errors": all(within[-2:])}]
show.table(rows)

# %% [markdown] slideshow={"slide_type": "fragment"}
# With two draws, the mean that includes the sample itself loses half the slope. Leave-one-out is right for every K.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 6 minutes: the idea 1, the exercise 5.
#
# **Ask:** "Why does a constant not bias the estimate?" (The score integrates to zero: probabilities sum to 1 whatever μ is.)
#
# **Goes wrong:** the mean of all K draws, the sample's own among them. With large K the bias of the all-inclusive mean is small, which is why it goes unnoticed.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Does it matter for training?
#
# Back to the first section, with more dimensions: $z\in\mathbb R^d$, $x = Wz + \text{noise}$, and an encoder $q_\varphi(z|x) =
# \mathcal N(\mu_\varphi(x), \mathrm{diag}\,\sigma_\varphi^2)$. W has orthogonal columns, so the exact posterior is a Gaussian of
# just this form, and we know how far the encoder is from the truth: the average $\mathrm{KL}\big(q_\varphi(z|x)\,\|\,p(z|x)\big)$,
# in closed form (a distance; in nats, i.e. log base e). 0 is perfect.
#
# Training minimises $\mathbb E_{q_\varphi}[-\log p_\theta(x|z)] + \mathrm{KL}(q_\varphi\|p(z))$, which differs from that KL by
# a constant (lecture 12 shows why). The second term needs no draws. For the first, you choose the estimator.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Three estimators in one function
#
# It returns a scalar whose *gradient* is the chosen estimate, so that the training loop stays the same for all three:


# %% slideshow={"slide_type": "fragment"}
def surrogate(f, mu, logvar, eps, estimator):
    """A scalar whose gradient is the chosen estimate of the gradient of E[f(z)]; eps has K draws in front."""
    z = reparametrize(mu, logvar, eps)
    if estimator == "pathwise":
        return f(z).mean()
    z = z.detach()  # from here on z is just data
    cost = f(z).detach()
    if estimator == "score + leave-one-out":
        cost = cost - leave_one_out(cost.flatten(1)).view_as(cost)
    log_q = -0.5 * ((z - mu) ** 2 / logvar.exp() + logvar).sum(-1)
    return (cost * log_q).mean()


# %% slideshow={"slide_type": "skip"}
def model(d, noise):
    """W of x = W z + noise, and A, var of the exact posterior N(x A, var); W (2d, d) has orthogonal columns."""
    W = torch.linalg.qr(torch.randn(2 * d, d, generator=generator(1)))[0] * torch.linspace(0.5, 1.5, d)
    var = noise**2 / (noise**2 + W.square().sum(0))
    return W, W * var / noise**2, var


def gap(layer, logvar, W, A, var, noise):
    """KL(q(z|x) || exact posterior) in nats, averaged over all x in closed form; one number per seed."""
    off, v = layer.weight - A, logvar[:, 0].exp()
    error = (off.mT @ W).square().sum(-1) + noise**2 * off.square().sum(1) + layer.bias[:, 0] ** 2
    return 0.5 * ((v + error) / var - 1 - (v / var).log()).sum(-1)


# %% slideshow={"slide_type": "skip"}
def train(estimator, d, sampled_kl=False, noise=0.5, lr=0.01):
    """Train q(z|x) with three seeds at once; the log has the gap of every seed."""
    W, A, var = model(d, noise)
    torch.manual_seed(0)
    encoder, logvar = nets.mlp(2 * d, d, seeds=3), torch.zeros(3, 1, d, requires_grad=True)
    optimizer = adam([*encoder.parameters(), logvar], lr, betas=(0.9, 0.999))

    def step(x, eps):
        mu = encoder(x)
        reconstruct = lambda z: 0.5 * (x - z @ W.T).square().sum(-1) / noise**2  # −log p(x|z) up to a constant
        kl_of = lambda z: 0.5 * (z**2 - (z - mu) ** 2 / logvar.exp() - logvar).sum(-1)  # log q(z|x) − log p(z)
        if sampled_kl:
            loss = surrogate(lambda z: reconstruct(z) + kl_of(z), mu, logvar, eps, estimator)
        else:
            loss = surrogate(reconstruct, mu, logvar, eps, estimator) + 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {f"seed {i}": nats.detach() for i, nats in enumerate(gap(encoder[0], logvar, W, A, var, noise))}

    def draw(gen):
        z, e, eps = (torch.randn(*shape, generator=gen, device=gen.device) for shape in ((3, 64, d), (3, 64, 2 * d), (4, 3, 64, d)))
        return z @ W.T + noise * e, eps

    return fit(step, data.Batches(draw, seed=2), 1000, schedulers=[linear_decay(optimizer, 1000)])


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The same data, the same noise, three estimators
#
# Three independent encoders at once (three seeds), 4 draws per x, and 1000 steps of Adam:

# %% slideshow={"slide_type": "fragment"}
estimators = {"score function": (SCORE, "--"), "score + leave-one-out": (BASE, "-."), "pathwise": (PATH, "-")}
logs = {(name, d): train(name, d) for d in (10, 50) for name in estimators}

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# distance from the exact posterior
last = {key: torch.stack([log[f"seed {i}"][-1] for i in range(3)]) for key, log in logs.items()}
gain = [(last["score function", d].mean() / last["pathwise", d].mean()).item() for d in (10, 50)]
farther = f"The bare score ends {gain[0]:,.0f} times (d = 10) and {gain[1]:,.0f} times (d = 50) farther off than the path"
chart, axes = show.figure(2, width=5, height=3.3, sharey=True, title=farther)
for ax, d in zip(axes, (10, 50), strict=True):
    for name, (colour, style) in estimators.items():
        for i in range(3):
            log = logs[name, d]
            ax.plot(range(1, log.steps + 1), log[f"seed {i}"].tolist(), style, color=colour, linewidth=1.4, label=None if i else name)
    ax.set(yscale="log", xlabel="step", title=f"{d} latent dimensions, 3 seeds each")
axes[0].set_ylabel("KL to the exact posterior (nats)")
axes[0].legend(loc="lower left")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# The three seeds of an estimator lie almost on top of each other; the estimators do not. All follow the same slope *on average*;
# they differ in noise alone, and noise is what decides how far 1000 steps take you. At d = 50 the bare score function is no
# nearer after 1000 steps than at the start; with the baseline it learns, far behind. The factors in the title belong to this step
# size and this number of steps (`train` takes `lr`); in our trials at 0.003, 0.01, and 0.03 only the order stayed.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### One honest complication
#
# *Sample* the KL term too, so f has φ inside: $f(z) = \log q_\varphi(z|x) - \log p(z) - \log
# p_\theta(x|z)$. **Predict:** who wins now?

# %% slideshow={"slide_type": "skip"}
sampled = {name: train(name, 10, sampled_kl=True) for name in estimators}
last |= {(name, "all sampled"): torch.stack([log[f"seed {i}"][-1] for i in range(3)]) for name, log in sampled.items()}


def nats(runs):
    """Mean ± sd over the seeds."""
    mean, sd = runs.mean().item(), runs.std().item()
    digits = max(0, 1 - math.floor(math.log10(sd))) if 0 < sd < math.inf else 1  # the first two that the seeds differ in
    return f"{show.about(mean, digits)} ± {show.about(sd, digits)}"


# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
columns = {"KL (nats), d = 10": 10, "d = 50": 50, "d = 10, KL term sampled": "all sampled"}
show.table([{"estimator": name} | {label: nats(last[name, key]) for label, key in columns.items()} for name in estimators])

# %% [markdown] slideshow={"slide_type": "fragment"}
# In the last column the score function with its baseline passes the pathwise estimate. At the optimum q *is* the posterior, and
# then f(z) is the same number for every z: subtract the others' f, and nothing is left, noise included. The path, in contrast,
# still carries $\nabla\log q$, which is zero only on average; Roeder et al. (2017) drop that term and get the same effect. So
# "pathwise is better" is a rule of thumb, not a law. A sharper exception waits below.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 4 minutes. The trainings have run before; the cell can be run again alone, it starts from its own seeds.
#
# **Ask:** "Same data, same noise, same mean gradient: why is one 1000 times worse?" (Noise: each step goes astray, and 1000 steps are
# too few to average it out.)
#
# **Goes wrong:** the factors are taken for constants of nature. In our trials the order in the first two columns was the same at step sizes 0.003, 0.01, and 0.03; the factors were not: path against
# bare score at d = 10 was 3, 35, and 55 times (at 0.003 nobody has arrived after 1000 steps), and at d = 50 and 0.03 the bare score blew up.
# `train` takes `lr`: let someone try.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Other dice: the inverse CDF
#
# μ + σ·ε is one example of $z = g(\theta;\varepsilon)$. For many distributions on the line there is a recipe: draw u evenly from
# (0, 1); $z = F_\theta^{-1}(u)$, F the CDF. An **exponential** with mean θ (decay): $z = \theta e,\ e = -\log(1-u)$. For
# $\tfrac{d}{d\theta}\mathbb E[z^2] = 4\theta$ both variances are closed: 80θ² along the path, 488θ² by the score.

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
nodes, weights = map(torch.tensor, np.polynomial.laguerre.laggauss(16))  # exact for polynomials of e ~ Exp(1)
theta, exponential = 1.5, True
estimates = {"path: 2z·∂z/∂θ = 2θe²": 2 * theta * nodes**2, "score: z²·(z − θ)/θ² = θe²(e − 1)": theta * nodes**2 * (nodes - 1)}
for (name, g), wanted in zip(estimates.items(), (80 * theta**2, 488 * theta**2), strict=True):
    mean = (weights * g).sum()
    variance = (weights * (g - mean) ** 2).sum()
    agrees = bool(abs(mean / (4 * theta) - 1) < 1e-9 and abs(variance / wanted - 1) < 1e-9)
    exponential = exponential and agrees
    print(f"{name:36} slope {mean:.3f}, variance {variance:8.2f}; formulas 4θ and {wanted:.2f} agree to 1e-9: {agrees}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: a truncated normal
#
# *Difficulty ●●●●○ · importance ●●○○○ · 10 minutes, good homework*
#
# A lesion's radius cannot be negative. Write `truncated_normal(mu, sigma, low, high, u)`: N(μ, σ²) restricted to [low, high], by
# inverse CDF from u in (0, 1), so that z rises with u and gradients reach mu and sigma. `torch.special.ndtr` is the normal CDF Φ,
# `torch.special.ndtri` its inverse. The plain formula earns most of the points; the rest is for borders that lie 10σ out on
# either side, where Φ runs out of digits (`torch.special.log_ndtr` does not, on the left).
#
# <!-- hints: reparametrization.truncated_normal -->


# %% nbgrader={"grade": false, "grade_id": "reparametrization-truncated_normal", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def truncated_normal(mu, sigma, low, high, u):
    """Quantile u of N(mu, sigma^2) restricted to [low, high]; tensors that broadcast -> z of the broadcast shape."""
    ### BEGIN SOLUTION
    side = torch.where(low > mu, -1.0, 1.0)  # right of μ, work with the mirror image: Φ keeps its digits on the left
    p = torch.special.log_ndtr(side * (low - mu) / sigma).exp()
    q = torch.special.log_ndtr(side * (high - mu) / sigma).exp()
    return mu + side * sigma * torch.special.ndtri(p + u * (q - p))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "reparametrization-truncated_normal-check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
truncated_normal = check("reparametrization.truncated_normal")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How far each radius moves
#
# Radii from N(1, 1) cut to [0, 3]. As μ moves, how does each z move, and is the average of these movements the slope of E[z]?

# %% slideshow={"slide_type": "fragment"}
n = pick(laptop=50_000, smoke=500)
mu, sigma, low, high = (torch.full((n,), v, dtype=torch.float64) for v in (1.0, 1.0, 0.0, 3.0))
u = torch.rand(n, generator=generator(3), dtype=torch.float64)
z = truncated_normal(mu.requires_grad_(), sigma, low, high, u)
move = torch.autograd.grad(z.sum(), mu)[0]  # ∂z/∂μ, sample by sample

# %% slideshow={"slide_type": "skip"}
one = torch.ones((), dtype=torch.float64, requires_grad=True)
unit = Normal(torch.zeros_like(one).detach(), 1.0)
bell, below = lambda t: unit.log_prob(t).exp(), unit.cdf
mean = one + (bell(-one) - bell(3 - one)) / (below(3 - one) - below(-one))  # E[z] in closed form, σ = 1
truth = torch.autograd.grad(mean, one)[0].item()
truncated = abs(move.mean().item() - truth) < 4 * move.std().item() / n**0.5

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# the samples, and how far each moves with μ
chart, (left, right) = show.figure(2, width=4.8, height=3.4, title=f"E[z] moves by {truth:.3f} per unit of μ; the samples' own moves average {move.mean():.3f}")
ticks = torch.linspace(0, 3, 200, dtype=torch.float64)
density = Normal(1.0, 1.0).log_prob(ticks).exp() / (unit.cdf(one + 1) - unit.cdf(-one)).item()
left.hist(z.tolist(), bins=40, density=True, color=show.FAKE, alpha=0.6, label="samples")
left.plot(ticks.tolist(), density.tolist(), color=show.EXACT, label="exact density")
left.set(xlabel="z (radius, cm)", ylabel="density (1/cm)", ylim=(0, 0.62), title="N(1, 1) cut to [0, 3]")
left.legend(loc="upper right")
order = z.argsort()[:: max(1, n // 400)]
right.plot(z[order].tolist(), move[order].tolist(), color=PATH, label="∂z/∂μ of a sample")
right.axhline(1, color="#999999", linestyle=":", label="without borders: 1")
right.set(xlabel="z (radius, cm)", ylabel="∂z/∂μ", ylim=(0, 1.1), title="at a border z cannot move")
right.legend(loc="lower center")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Left, samples on the exact density; right, how far each moves with μ: 0.67 at most, and not at all at a border. Their mean
# is the slope of E[z]. Where $F^{-1}$ has no formula (Gamma, Beta), PyTorch's `rsample` still works, by implicit differentiation
# of $F(z;\theta) = u$ (Figurnov et al., 2018).

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 1 minute, as a demonstration: the recipe and the last figure; the exercise is homework.
#
# **Ask:** "Clamp a normal draw to [0, 3] instead: what is ∂z/∂μ for the clamped samples?" (0: they are lost to training.)
#
# **Goes wrong:** in the homework, borders far to the right of μ: there Φ rounds to 1 and every z becomes infinite. The hint mirrors them.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Discrete choices: Gumbel-softmax
#
# A class label is drawn by $\arg\max_k(\ell_k + G_k)$ with logits ℓ and Gumbel noise $G = -\log(-\log u)$: exact, and already of
# the form g(θ; ε). But arg max is a step: its derivative is 0. Jang et al. (2017) and Maddison et al. (2017) replace it by a
# softmax with **temperature** τ:
#
# $$y = \mathrm{softmax}\big((\ell + G)/\tau\big).$$
#
# **Predict:** what do you lose with a large τ, what with a small one?


# %% slideshow={"slide_type": "fragment"}
def gumbel_softmax(logits, u, tau):
    """A relaxed one-hot draw; logits (..., K) and u (..., K) in (0, 1) -> (..., K), rows that sum to 1."""
    return torch.softmax((logits - torch.log(-torch.log(u))) / tau, -1)


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Turn the temperature
#
# A corner is a label; a point between the corners is a mixture of labels.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# 400 relaxed labels in a triangle
shares, u3 = torch.tensor([0.5, 0.3, 0.2]), torch.rand(400, 3, generator=generator(4)).clamp(1e-6, 1 - 1e-6)
corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 0.866]])

chart, ax = show.figure(width=6, height=4.1)
ax.plot(*corners[[0, 1, 2, 0]].T.tolist(), color=show.EXACT, linewidth=1)
for (a, b), text, side in zip(corners.tolist(), ("class 1", "class 2", "class 3"), (-0.07, -0.07, 0.04), strict=True):
    ax.text(a, b + side, text, ha="center", fontsize=12)
ax.set(xlim=(-0.12, 1.12), ylim=(-0.12, 1), aspect="equal", xticks=[], yticks=[], xlabel="the same 400 noise values at every setting")
ax.spines[:].set_visible(False)


def draw(chart, temperature, log_odds):
    ax = chart.axes[0]
    y = gumbel_softmax(shares.log() + torch.tensor([log_odds, 0.0, 0.0]), u3, temperature)
    ax.plot(*(y @ corners).T.tolist(), ".", color=show.FAKE, markersize=6, alpha=0.5)
    ax.set_title(f"τ = {temperature:.2f}: {(y.max(1).values > 0.9).float().mean():.0%} of the draws are within 0.1 of a corner")


caption = "relaxed class labels in the triangle of three classes"
show.explore(draw, caption, chart, temperature=(0.05, 3, 0.05, 0.5), log_odds=(-3, 3, 0.1, 0.0))

# %% [markdown] slideshow={"slide_type": "fragment"}
# Hot, the draws huddle in the middle: smooth, but no labels. Cold, they sit in the corners: labels, but almost nothing moves any
# more, and what moves, moves violently.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A lesion, present or not
#
# So τ trades bias against variance. Measure it where the truth is known: a lesion is present (b = 1) or not (b = 0), with
# probability $p = 1/(1+e^{-\ell})$ at ℓ = −1, and the cost is $(b - t)^2$ for a target t (the toy of Tucker et al., 2017). The true
# slope of the mean cost in ℓ is
#
# $$p\,(1-p)\,(1-2t).$$
#
# The relaxed one puts y, between 0 and 1, in the place of b. **Predict:** is it right on average at t = 0? And at t = 0.45?

# %% slideshow={"slide_type": "skip"}
grid = torch.linspace(-60, 60, 120_001, dtype=torch.float64, device="cpu")  # (ℓ + logistic noise)/τ
bump = lambda s: torch.sigmoid(s) * torch.sigmoid(-s)  # density of logistic noise, the difference of two Gumbel draws
taus, logit = np.geomspace(0.05, 3, 40), -1.0


def relaxed(tau, t):
    """Mean and variance of the relaxed slope, by quadrature."""
    y, weight = torch.sigmoid(grid), bump(tau * grid - logit) * tau * (grid[1] - grid[0])
    slopes = 2 * (y - t) * y * (1 - y) / tau
    mean = (weight * slopes).sum().item()
    return mean, (weight * slopes**2).sum().item() - mean**2


def sampled_slope(tau, t):
    """The same by samples: autograd through gumbel_softmax with two classes, (mean, 4 standard errors)."""
    n = pick(laptop=100_000, smoke=500)
    logits = torch.tensor([logit, 0.0], dtype=torch.float64).repeat(n, 1).requires_grad_()
    y = gumbel_softmax(logits, torch.rand(n, 2, generator=generator(6), dtype=torch.float64), tau)[:, 0]
    slopes = torch.autograd.grad(((y - t) ** 2).sum(), logits)[0][:, 0]
    return slopes.mean().item(), 4 * slopes.std().item() / n**0.5


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Bias against variance

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# mean slope and total error against τ
p = 1 / (1 + math.exp(-logit))
true = {t: p * (1 - p) * (1 - 2 * t) for t in (0.0, 0.45)}
score_sd = (p * (1 - p) ** 2 - true[0.0] ** 2) ** 0.5  # of f(b)(b − p) with f(b) = b²
chart, (left, right) = show.figure(2, width=5.2, height=3.9, title="Cold is noisy, hot is biased; a hot slope may even point the wrong way")
for t, colour, style, mark in ((0.0, show.FAKE, "-", "o"), (0.45, show.OTHER, "--", "s")):
    left.plot(taus, [relaxed(tau, t)[0] / true[t] for tau in taus], style, color=colour, label=f"t = {t:g}: quadrature")
    for tau in (0.1, 0.3, 1.0, 2.0):
        mean, error = sampled_slope(tau, t)
        within += [abs(mean - relaxed(tau, t)[0]) < error]
        left.plot(tau, mean / true[t], mark, color=colour, markersize=7, label="draws" if tau == 0.1 else None)
left.axhline(1, color=show.EXACT, linewidth=1.2, label="unbiased")
left.axhline(0, color="#999999", linewidth=1)
left.set(xscale="log", xlabel="temperature τ", ylabel="mean slope / true slope")
left.set_ylim(-1.6, 1.15)
left.legend(loc="lower left")
for n, style in ((10, "-"), (1000, "--")):
    errors = [((relaxed(tau, 0.0)[0] - true[0.0]) ** 2 + relaxed(tau, 0.0)[1] / n) ** 0.5 for tau in taus]
    right.plot(taus, errors, style, color=show.FAKE, label=f"Gumbel-softmax, {n} draws")
    right.axhline(score_sd / n**0.5, color=SCORE, linestyle=style, label=f"score function, {n} draws")
right.set(xscale="log", yscale="log", xlabel="temperature τ", ylabel="root mean square error (t = 0)", ylim=(0.008, 1.2))
right.legend(loc="upper right", fontsize=10)
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Left, points are draws through `gumbel_softmax`, lines are exact. As τ → 0 the mean slope tends to the true one; at t = 0.45 and
# τ from 0.25 to 3 it has the **wrong sign**: the relaxed cost would like y ≈ 0.45, which no label can be. Right, the total
# error: with 10 draws (solid) a warm τ beats the unbiased score function; with 1000 draws (dashed) no τ is good enough, and the
# score function wins. The best τ depends on your budget; nobody can tell you one number.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 2 minutes: the widget 1, the figure 1.
#
# **Ask:** start the widget at τ = 3 and go down slowly: "When would you call the points labels?" (There is no such τ: fewer and fewer
# are far from a corner.) Then move log_odds at τ = 0.05: points jump between corners. That jump is the variance.
#
# **Goes wrong:** "small τ, therefore right". The slope is right on average only as τ → 0, where single slopes are huge and rare. The
# straight-through version (hard label forward, soft gradient backward) has the same bias question.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Where there is no path
#
# Some costs are steps: a segmentation threshold, a diagnosis, a count. Take $f(z) = 1$ if $z > 0$, else 0, and z ~ N(μ, 1). The
# mean of f is the probability of z > 0, and its slope in μ is the bell of the standard normal density, 0.40 at μ = 0.
#
# **Predict** what the pathwise estimate says.

# %% slideshow={"slide_type": "fragment"}
eps = torch.randn(pick(laptop=20_000, smoke=500), generator=generator(8), dtype=torch.float64)
ticks = torch.linspace(-3, 3, 121, dtype=torch.float64)
by_path, by_score, hit = [], [], []
for m in (-2.4, -1.6, -0.8, 0.0, 0.8, 1.6, 2.4):
    mu = torch.full_like(eps, m).requires_grad_()
    f = (1 + torch.sign(mu + eps)) / 2  # the step; PyTorch differentiates sign without complaint
    by_path += [torch.autograd.grad(f.sum(), mu)[0].mean().item()]
    g = f.detach() * eps  # f times the score
    by_score += [(m, g.mean().item(), 4 * g.std().item() / len(g) ** 0.5)]
    hit += [abs(by_score[-1][1] - Normal(0.0, 1.0).log_prob(torch.tensor(m)).exp().item()) < by_score[-1][2]]

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What the path says, and what the score function says

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# three answers against μ
chart, ax = show.figure(width=7.2, height=3.8)
ax.plot(ticks.tolist(), Normal(0.0, 1.0).log_prob(ticks).exp().tolist(), color=show.EXACT, label="exact: normal density at μ")
ax.errorbar(*zip(*by_score, strict=True), fmt="s", color=SCORE, capsize=4, markersize=7, label="score function ± 4 standard errors")
ax.plot([m for m, _, _ in by_score], by_path, "o", color=PATH, markersize=9, label="pathwise")
ax.set(xlabel="μ", ylabel="slope of P(z > 0) in μ", ylim=(-0.05, 0.52))
ax.set_title(f"For a step the path says {max(map(abs, by_path)):.0f} everywhere, without a warning")
ax.legend(loc="upper right", fontsize=10)
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# All 20,000 samples sit on flat ground, so every ∂f/∂z is 0; the slope of the mean comes from the few that cross the edge, and no
# derivative sees them. The score function, which only asks for values, is right everywhere. **Unbiasedness of the path needs a
# continuous f.** Write the step as `(z > 0).double()` and PyTorch at least refuses; with `sign`, `round`, or `floor` you get a
# silent 0.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### And is the path always the quieter one?
#
# Take a smooth but busy cost, $f(z) = \sin(kz)$ with z ~ N(0, 1). The path multiplies by f's slope, k·cos(kz), which grows with
# k. The score multiplies by f's value, which never exceeds 1.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# both variances against k
ks = np.geomspace(0.3, 8, 200)
slope_squared = (ks * np.exp(-(ks**2) / 2)) ** 2
path_form = ks**2 * (1 + np.exp(-2 * ks**2)) / 2 - slope_squared
score_form = (1 - (1 - 4 * ks**2) * np.exp(-2 * ks**2)) / 2 - slope_squared
crossing = ks[np.argmax(path_form > score_form)]
chart, ax = show.figure(width=7, height=3.7)
ax.plot(ks, score_form, "--", color=SCORE, label="score function: closed form")
ax.plot(ks, path_form, color=PATH, label="pathwise: closed form")
for k in (0.5, 1, 2, 5):
    for g, form, colour, mark in ((k * torch.cos(k * eps), path_form, PATH, "o"), (torch.sin(k * eps) * eps, score_form, SCORE, "s")):
        variance, error = spread(g)
        within += [abs(variance - np.interp(k, ks, form)) < 4 * error + 1e-3]
        ax.plot(k, variance, mark, color=colour, markersize=8, label="measured" if k == 0.5 else None)
ax.set(xscale="log", yscale="log", xlabel="k: how busy the cost sin(kz) is", ylabel="variance of one estimate")
ax.set_xticks([0.3, 0.5, 1, 2, 5], ["0.3", "0.5", "1", "2", "5"])
ax.minorticks_off()
ax.set_title(f"Beyond k ≈ {crossing:.1f} the score function is the quieter one")
ax.legend(loc="upper left")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Once f wiggles within a width of q, its local slope says little about the trend of its mean, and the path is the noisier
# estimate: 25 times at k = 5. Mohamed et al. (2020) map this out for many costs. For the smooth costs of a VAE the path mostly wins;
# for a simulator full of jumps, think again.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 2 minutes, a picture each. They belong together: a step is the limit of a cost that is steep in ever fewer places.
#
# **Ask:** "Your loss is one minus the Dice of a thresholded mask. Which estimator?" (Score function with a baseline, or a soft
# Dice and the path.)
#
# **Goes wrong:** "then I round in the forward pass, and PyTorch will say if that is wrong". With `round`, `sign`, or `floor` it says 0.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Open challenge: the quietest slope
#
# *Difficulty ●●●○○ · importance ●●○○○ · 10 minutes and more, good homework*
#
# The cost is $f(z) = \log(1+e^z)$, so f′ is the logistic function, and $\tfrac{d}{d\mu}\mathbb E[f(z)] = \mathbb E[f'(z)]$ has no
# closed form. Write `low_variance(mu, sigma, eps)`: eps is (200, 1000), 200 independent tries with 1000 noise values each; return
# 200 estimates of the slope, shape (200,), each from its own row.
#
# Graded is the mean squared error to the exact slope, relative to that of the plain pathwise mean: 1 is the plain mean, bias
# counts too, **0.5 or less earns all points**. Evaluate f′ wherever you like; the noise is all you get. (In one dimension quadrature
# would beat any sampler; in fifty it cannot, so use the noise.) How low can you go?
#
# <!-- hints: reparametrization.low_variance -->


# %% nbgrader={"grade": false, "grade_id": "reparametrization-low_variance", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def low_variance(mu, sigma, eps):
    """Estimates of d/dmu E[log(1 + exp z)], z ~ N(mu, sigma^2); mu and sigma (), eps (R, n) -> one estimate per row, (R,)."""
    ### BEGIN SOLUTION
    return (torch.sigmoid(mu + sigma * eps) + torch.sigmoid(mu - sigma * eps)).mean(-1) / 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "reparametrization-low_variance-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
low_variance = check("reparametrization.low_variance")

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 0 minutes: homework. Read the task aloud, and move on.
#
# **Ask:** "Where have you met noise that cancels?" (A baseline subtracts what you know; here ε and −ε can share the work.)
#
# **Goes wrong:** an estimator that is quiet because it is biased. Bias counts in the mean squared error.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you measured

# %% jupyter={"source_hidden": true} tags=["nbval-check-output"] slideshow={"slide_type": "fragment"}
# the noise of the estimators
about = show.about
drawn, passed_on = Normal(one, one).sample().grad_fn, Normal(one, one).rsample().grad_fn
closed = ", ".join(f"{score_in(1, 1, d) / 4:,.{int(d == 1)}f}" for d in ratio)
bare, helped = cut["score function", 50], cut["… minus the mean of f", 50]

show.measured(
    show.Claim(
        "A derivative stops at a sample; z = μ + σ·ε lets it through",
        f"sample: {drawn}; rsample: {type(passed_on).__name__}",
        "Kingma and Welling 2014, Rezende et al. 2014: an identity, no figure",
        drawn is None and passed_on is not None,
    ),
    show.Claim(
        "The closed forms and quadratures of this notebook, such as the variances: path 4σ², score μ⁴/σ² + 14μ² + 15σ²",
        f"{sum(within)} of {len(within)} Monte Carlo figures within 4 standard errors; the form in d dimensions right to 1e-9: {worst < 1e-9}",
        "– (derived here)",
        all(within) and worst < 1e-9,
    ),
    show.Claim(
        "The score's variance over the path's explodes with dimension: d = 1, 10, 50",
        f"{about(ratio[1], 1)}, {about(ratio[10], 0)}, {about(ratio[50], 0)} (closed form {closed})",
        "Kingma and Welling 2014: “very high variance”, no figure",
        6 < ratio[1] < 9 and ratio[10] > 80 and ratio[50] > 1000,
    ),
    show.Claim(
        "A baseline repairs most of that, not all (d = 50)",
        f"{about(bare, 0)} down to {about(helped, 0)} (closed forms {score_in(1, 1, 50):,.0f}, {best_baseline_in(1, 1, 50) + 4:.0f}); the path has 4",
        "– (closed forms, derived here)",
        4 < helped < bare / 10,
    ),
    show.Claim(
        "Other dice have a path too: exponential, truncated normal",
        f"exponential: variance 80θ² (path), 488θ² (score), both to 1e-9: {exponential}; "
        f"truncated: slope {about(move.mean().item(), 3)}, exact {truth:.3f}",
        "– (closed forms, derived here)",
        exponential and truncated,
    ),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What you measured: training, discrete draws, and two beliefs

# %% jupyter={"source_hidden": true} tags=["nbval-check-output"] slideshow={"slide_type": "fragment"}
# what the noise means in practice
apart = all(bool(last["score function", d].min() > 10 * last["pathwise", d].max()) for d in (10, 50))
bias = {tau: abs(relaxed(tau, 0.0)[0] - true[0.0]) for tau in (0.1, 1.0)}
spread_at = {tau: relaxed(tau, 0.0)[1] ** 0.5 for tau in (0.1, 1.0)}
silent, peak = max(map(abs, by_path)), Normal(0.0, 1.0).log_prob(torch.tensor(0.0)).exp().item()

show.measured(
    show.Claim(
        "The path trains a better encoder than the bare score: KL to the exact posterior in nats, 3 seeds",
        "; ".join(f"d = {d}: path {nats(last['pathwise', d])}, bare score {nats(last['score function', d])}, with leave-one-out "
                  f"{nats(last['score + leave-one-out', d])}" for d in (10, 50)),
        "– (a toy of ours; “better” = 10 times nearer than the bare score on every seed, a threshold of ours)",
        apart,
    ),
    show.Claim(
        "… and a better one than leave-one-out where the KL term is sampled (d = 10)",
        f"path {nats(last['pathwise', 'all sampled'])}, score with leave-one-out {nats(last['score + leave-one-out', 'all sampled'])}",
        "Roeder et al. 2017 name the path's leftover noise; on other models",
        bool(last["pathwise", "all sampled"].mean() < last["score + leave-one-out", "all sampled"].mean()),
    ),
    show.Claim(
        "Gumbel-softmax: colder has less bias and more noise (τ = 0.1 against 1)",
        f"bias {bias[0.1]:.3f} against {bias[1.0]:.3f}, sd {spread_at[0.1]:.2f} against {spread_at[1.0]:.2f} (true slope {true[0.0]:.3f})",
        "Jang et al. 2017, Maddison et al. 2017: the same trade, on other models",
        bias[0.1] < bias[1.0] and spread_at[0.1] > spread_at[1.0],
    ),
    show.Claim(
        "Common belief: the path is right for every cost",
        f"for a step it says {silent:.0f} where {peak:.2f} is right; the score function is within 4 standard errors at {sum(hit)} of {len(hit)} places",
        "– (an identity)",
        abs(silent - peak) < 0.1,
    ),
    show.Claim(
        "Common belief: the path is always the quieter one",
        f"not for sin(kz) beyond k ≈ {crossing:.1f}",
        "Mohamed et al. 2020: it depends on the cost",
        bool((path_form < score_form).all()),
    ),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Take home
#
# - A draw has no derivative. Write $z = g(\theta;\varepsilon)$, and the derivative goes past the dice: $dy/d\theta = \partial f/\partial z\cdot\partial z/\partial\theta$.
# - In code: `mu + torch.exp(0.5 * logvar) * eps`, or `rsample`. Never `torch.normal` or `torch.bernoulli`, which send back a silent 0.
# - If f is a sum over entries, the path has the noise of *one*; the score function that of all. A baseline helps, if it does not look at its own sample.
# - Steps and discrete draws have no path. Relax them and accept a bias, or use the score function and fight its variance.
#
# **Read on:** Kingma and Welling (2014), *Auto-encoding variational Bayes*, section 2.4 · Rezende, Mohamed, Wierstra (2014) ·
# Mohamed, Rosca, Figurnov, Mnih (2020), *Monte Carlo gradient estimation in machine learning* · Jang, Gu, Poole (2017) and
# Maddison, Mnih, Teh (2017) on discrete draws · Tucker et al. (2017), *REBAR* · Roeder, Wu, Duvenaud (2017), *Sticking the
# landing*.
# **Next:** lecture 12 joins encoder, trick, and decoder.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 1 minute.
#
# **Ask:** "Which line of the tables did you not expect?" (Often the last two: the path is neither always right nor always quieter.)
#
# **Goes wrong:** people leave with "REINFORCE is bad". It is the one that asks least of f; where f is a step, it is what you have.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Your points so far

# %% slideshow={"slide_type": "fragment"}
score()
