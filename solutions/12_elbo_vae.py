# ---
# jupyter:
#   course:
#     measures: "how far the ELBO lies below log p(x), what β does to the code, and who finds a lesion it was never shown"
#     slides: 50–52, 62–63
#     title: ELBO and the VAE
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
# # 12 · ELBO and the VAE
#
# *Slides 50–52, 62–63.* A GAN's generator makes pictures from noise z, but nobody can ask it which z belongs to *this* scan. A
# **variational autoencoder** (VAE; Kingma and Welling 2014, Rezende et al. 2014) learns both directions at once, from one
# number that it pushes up: the ELBO.
#
# After this hour you can
# - write the ELBO from memory, and say what each of its two sides wants;
# - measure how far it lies below log p(x), and tighten it;
# - train a VAE, draw its latent plane, and see when a code goes dead;
# - let a VAE that knows only healthy heads point at lesions, and say honestly what in it does the work.

# %% slideshow={"slide_type": "skip"}
import math

import torch
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import avg_pool2d, softplus

from course_lib import adam, check, data, fit, generator, linear_decay, losses, metrics, nets, pick, quiz, score, setup, show
from course_lib.data import phantoms

print(setup(seed=0))
variational = losses.variational

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 60 minutes: title and two sides with three exercises 18, grey levels 4, the gap 8, digits 8, tighter bounds 6, β and
# collapse 5, heads 4, lesions 5, challenge 1, what you measured 1. The exercises on grey levels and free bits, and the challenge,
# are homework.
#
# **Ask:** "You have an autoencoder. How do you make a new picture with it?" (You don't know where to put z. That is the hour.)
#
# **Goes wrong:** the algebra of the first section takes the time of the digits. Write the identity on the board once, and let the
# widget say the rest. Run all cells before the hour: five trainings wait in them.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Two sides of one bound
#
# Encoder $q_\varphi(z|x) = \mathcal N(\mu, \sigma^2)$ with independent entries and weights φ, decoder $p_\theta(x|z)$ with weights θ, prior
# $p(z) = \mathcal N(0, I)$. We want x to be likely: a large $\log p_\theta(x) = \log\int p_\theta(x|z)\,p(z)\,dz$, the
# **evidence**. For a deep decoder with more than a few latent entries nobody can do that integral (with two, you will).
#
# Bayes' rule says $p(x) = p(x|z)\,p(z)/p(z|x)$ at every z. Take logarithms, add and subtract $\log q(z|x)$:
#
# $$\log p(x) = \log p(x|z) - \log\frac{q(z|x)}{p(z)} + \log\frac{q(z|x)}{p(z|x)}$$
#
# Average over $z\sim q$; the left side does not notice:
#
# $$\log p(x) = \underbrace{\mathbb E_q[\log p(x|z)]}_{\text{reconstruct}} - \underbrace{\mathrm{KL}\big(q(z|x)\,\|\,p(z)\big)}_{\text{conform to the prior}}
# + \underbrace{\mathrm{KL}\big(q(z|x)\,\|\,p(z|x)\big)}_{\text{unknown, but}\;\ge 0}$$
#
# $\mathrm{KL}(q\,\|\,p) = \mathbb E_q[\log q - \log p]$ is never negative, and 0 only where q = p. The first two terms can be
# computed. They are a lower bound of the evidence, hence **ELBO**: the two sides of slide 51.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: predict
#
# *Difficulty ●●○○○ · importance ●●●●○ · 2 minutes*
#
# You train encoder and decoder on the left side only: reconstruct, no KL. The encoder may still choose σ, and
# z = μ + σ·ε is still drawn. **What happens?**
#
# - (a) σ grows: more noise explores more of the latent space
# - (b) σ shrinks towards 0, and codes drawn from N(0, I) decode to no digits
# - (c) μ goes to 0 and σ to 1 for every x
# - (d) no gradient reaches the encoder any more
# - (e) the reconstruction gets worse, for the KL term helped it
#
# <!-- hints: elbo_vae.predict -->

# %% slideshow={"slide_type": "fragment"}
quiz("elbo_vae.predict")

# %% nbgrader={"grade": false, "grade_id": "elbo_vae-predict", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
prediction = ...  # one letter in quotes, such as "a"
### BEGIN SOLUTION
prediction = "b"
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "elbo_vae-predict-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
check("elbo_vae.predict")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: the right side
#
# *Difficulty ●●○○○ · importance ●●●●● · 5 minutes*
#
# For one latent entry, the integral behind $\mathrm{KL}\big(\mathcal N(\mu,\sigma^2)\,\|\,\mathcal N(0,1)\big)$ gives
# $\tfrac12(\mu^2 + \sigma^2 - 1 - \log\sigma^2)$. Write `kl_normal(mu, logvar)`, with `logvar` = log σ² as the encoder gives
# it: **one KL per picture**, over all its latent entries. All KLs and log-likelihoods of this course are in **nats** (natural
# logarithms).
#
# <!-- hints: elbo_vae.kl_normal -->


# %% nbgrader={"grade": false, "grade_id": "elbo_vae-kl_normal", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def kl_normal(mu, logvar):
    """KL(N(mu, sigma^2) || N(0, I)) with logvar = log sigma^2; mu and logvar (B, L) -> (B,)."""
    ### BEGIN SOLUTION
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "elbo_vae-kl_normal-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
kl_normal = check("elbo_vae.kl_normal")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What a code costs
#
# By its definition the KL is the mean of log q(z) − log p(z) over draws from q: draw, and compare.

# %% slideshow={"slide_type": "fragment"} tags=["nbval-check-output"]
eps = torch.randn(pick(laptop=200_000, smoke=1000), generator=generator(1), dtype=torch.float64)
rows, agree = [], []
for m, s in ((0.0, 1.0), (1.0, 1.0), (0.0, 0.1), (2.0, 0.5), (0.5, 3.0)):
    mu, sigma = torch.tensor([[m]], dtype=torch.float64), torch.tensor([[s]], dtype=torch.float64)
    z = m + s * eps
    ratio = Normal(mu[0], sigma[0]).log_prob(z) - Normal(0.0, 1.0).log_prob(z)
    exact, error = kl_normal(mu, 2 * sigma.log()).item(), (ratio.std() / len(z) ** 0.5).item()
    agree += [abs(ratio.mean().item() - exact) <= 4 * error + 1e-12]
    rows += [{"μ": m, "σ": s, "KL, closed form": f"{exact:.4f}", "KL, by draws": show.about(ratio.mean().item()),
              "within 4 std. errors": agree[-1]}]
show.table(rows)

# %% [markdown] slideshow={"slide_type": "fragment"}
# Only q = p costs nothing. Being sure costs (σ = 0.1: 1.8 nats), being far from 0 costs, being vague costs too. **An entry pays
# for every bit it tells the decoder**; the reconstruction must be worth it.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Exercise: both sides
#
# *Difficulty ●●●○○ · importance ●●●●● · 6 minutes*
#
# The decoder gives out one **logit** a per pixel: the pixel is white with probability p = sigmoid(a) (a Bernoulli distribution).
# The left side is then $\sum x\log p + (1-x)\log(1-p)$ over the pixels, taken for one draw of z. Write
# `elbo(x, logits, mu, logvar)`: one bound per picture. It must survive logits of ±800; `softplus` (log(1 + eᵃ)) is imported.
#
# <!-- hints: elbo_vae.elbo -->


# %% nbgrader={"grade": false, "grade_id": "elbo_vae-elbo", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def elbo(x, logits, mu, logvar):
    """Bernoulli log-likelihood minus KL to N(0, I); x and logits (B, D), mu and logvar (B, L) -> (B,)."""
    ### BEGIN SOLUTION
    log_likelihood = (x * logits - softplus(logits)).sum(1)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
    return log_likelihood - kl
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "elbo_vae-elbo-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
elbo = check("elbo_vae.elbo")

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 18 minutes, the title included: the identity 4, the vote 2, the exercises 5 + 6, what a code costs 1.
#
# **Ask:** "Which side would a lazy encoder prefer?" (The right one: q = p, KL 0, and the decoder paints the mean digit.)
#
# **Goes wrong:** `.mean()` over pixels: the KL then weighs 64 (or 784) times too much, and the code dies. It is the most
# frequent bug in VAE code; the check names it. And "the KL is a regulariser": it is half of a bound, its weight is not free as
# long as nats matter.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A grey pixel is no coin
#
# A Bernoulli pixel is black or white. Much VAE code feeds it grey levels, x between 0 and 1, all the same. Is
# $p^x(1-p)^{1-x}$ a density on [0, 1]? Its integral is $1/C = \tanh(a/2)/a$: **at most ½**, never 1. Loaiza-Ganem and Cunningham
# (2019) put C back and call the result the *continuous Bernoulli*.
#
# ### Exercise: the missing constant
#
# *Difficulty ●●●●○ · importance ●●○○○ · 6 minutes*
#
# Write `log_normaliser(logits)`: $\log C = \log\frac{a}{\tanh(a/2)}$ for every logit a, with a usable gradient, at ±800 and
# **at exactly 0**, where it is log(0/0).
#
# <!-- hints: elbo_vae.log_normaliser -->


# %% nbgrader={"grade": false, "grade_id": "elbo_vae-log_normaliser", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def log_normaliser(logits):
    """log of C = a / tanh(a / 2) for every logit a, smooth through 0; logits of any shape -> the same shape."""
    ### BEGIN SOLUTION
    near = logits.abs() < 1e-3
    safe = torch.where(near, torch.ones_like(logits), logits)
    return torch.where(near, math.log(2) + logits**2 / 12, torch.log(safe / torch.tanh(safe / 2)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "elbo_vae-log_normaliser-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
log_normaliser = check("elbo_vae.log_normaliser")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What cross-entropy leaves out
#
# One pixel, all its grey levels: the integral of its "probability", for every logit a.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# the integral with C and without it
logits = torch.linspace(-12, 12, 121, dtype=torch.float64)
grey = torch.linspace(0, 1, 4001, dtype=torch.float64)[:, None]
plain = grey * logits - softplus(logits)  # what binary cross-entropy takes for a log-likelihood
area = {name: torch.trapezoid((plain + c).exp(), grey[:, 0], dim=0) for name, c in (("plain", 0), ("with C", log_normaliser(logits)))}
most = area["plain"].max().item()

chart, ax = show.figure(width=7, height=3.2)
ax.plot(logits.tolist(), area["with C"].tolist(), "--", color=show.EXACT, label="continuous Bernoulli (with C)")
ax.plot(logits.tolist(), area["plain"].tolist(), color=show.FAKE, label="cross-entropy on grey levels")
ax.set(xlabel="logit a", ylabel="integral over all grey levels", ylim=(0, 1.15))
ax.set_title(f"Without C the grey levels' probabilities add up to at most {most:.2f}")
ax.legend(loc="center right", bbox_to_anchor=(1, 0.68))
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Read as a density of grey levels, every pixel's log-likelihood is at least log 2 = 0.69 nats too small, by an amount that
# depends on a. The PyTorch VAE example feeds grey MNIST; its loss of about 105.6 (you meet it below) is no −ELBO of the *grey*
# pictures. It is one of their coin-tossed copies: cross-entropy is linear in x, so a grey level counts as the mean over black
# and white. **Here** the coin is really tossed, afresh for every batch, and the encoder sees the copy: one data set, one meaning
# of a nat.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 4 minutes: the figure, and what the PyTorch example's loss means. The exercise is homework.
#
# **Ask:** "Does the missing C change what is learned?" (Yes: C depends on a, and p is then no longer the mean grey level. How
# much it matters, we do not measure.)
#
# **Goes wrong:** `torch.where` with a NaN in the branch not taken. Let them find it; they will meet it again.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The gap has a name
#
# log p(x) − ELBO = KL(q‖posterior), says the identity. On lecture 11's model (z ~ N(0, 1), x = 2z + noise, a scan at x = 3)
# everything is known: $\log p(3)$ from N(0, 5), and the posterior, which you found.
#
# Put the two sides together for a Gaussian q, and no draw is needed:

# %% slideshow={"slide_type": "fragment"}
def bound(mu, sigma):
    """ELBO of q = N(mu, sigma^2) for x = 3 in closed form: reconstruction minus KL."""
    reconstruct = -0.5 * ((3 - 2 * mu) ** 2 + 4 * sigma**2) - 0.5 * math.log(2 * math.pi)
    return reconstruct - 0.5 * (mu**2 + sigma**2 - 1 - math.log(sigma**2))


posterior, log_p = Normal(1.2, 0.2**0.5), Normal(0.0, 5**0.5).log_prob(torch.tensor(3.0)).item()

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Close the gap
#
# Move μ and σ of q. **Predict:** what is the largest ELBO, and where?

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# your q beside the posterior, and its gap
ticks = torch.linspace(-1.5, 3.5, 201)
chart, (left, right) = show.figure(2, width=4.2, height=3.2)
left.plot(ticks.tolist(), posterior.log_prob(ticks).exp().tolist(), "--", color=show.EXACT, label="posterior")
left.plot([], [], color=show.FAKE, label="your q")
left.set(xlabel="z", ylabel="density", ylim=(0, 2.2), xlim=(-1.5, 3.5), xticks=[-1, 1, 3], yticks=[0, 1, 2])
left.legend(loc="upper left")
right.axhline(log_p, color=show.EXACT, linestyle="--")
right.text(-1.4, log_p + 0.12, "log p(3)", fontsize=12)
right.set(xlabel="μ, at this σ (solid: ELBO; bar: gap)", ylabel="nats", xlim=(-1.75, 3.75), ylim=(-9, -2), xticks=[-1, 1, 3], yticks=[-8, -5, -2])


def draw(chart, mu, sigma):
    left, right = chart.axes
    q = Normal(mu, sigma)
    left.plot(ticks.numpy(), q.log_prob(ticks).exp().numpy(), color=show.FAKE)
    right.plot(ticks.numpy(), bound(ticks, sigma).numpy(), color=show.FAKE)
    right.plot([mu, mu], [bound(mu, sigma), log_p], "o-", color=show.OTHER)
    left.set_title(f"KL(q‖posterior) = {kl_divergence(q, posterior).item():.3f}")
    right.set_title(f"log p − ELBO = {log_p - bound(mu, sigma):.3f}")


show.explore(draw, "q against the posterior, and its ELBO against log p(3)", chart, mu=(-1, 3, 0.05, 0.6), sigma=(0.1, 1.5, 0.05, 0.8))

# %% [markdown] slideshow={"slide_type": "fragment"}
# The two titles agree wherever you stand. At μ = 1.2, σ = 0.45 the bar all but closes: there q is (nearly) the posterior
# N(1.2, 0.2). **Raising the ELBO in φ is inference**; raising it in θ is learning. One number does both.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### To the last digit
#
# Four q, from poor to perfect. ELBO and KL(q‖posterior) change by nats; does their sum change at all?

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true} tags=["nbval-check-output"]
# ELBO, gap, and their sum for four q
four = lambda value: f"{value:.4f}".replace("-", "−")
rows, identity = [], 0.0
for m, s in ((0.0, 1.0), (0.6, 0.8), (1.2, 0.2**0.5), (3.0, 0.1)):
    gap = kl_divergence(Normal(torch.tensor(m, dtype=torch.float64), torch.tensor(s, dtype=torch.float64)),
                        Normal(torch.tensor(1.2, dtype=torch.float64), torch.tensor(0.2, dtype=torch.float64).sqrt())).item()
    exact = -0.5 * (9 / 5 + math.log(2 * math.pi * 5))
    identity = max(identity, abs(bound(m, s) + gap - exact))
    rows += [{"μ": m, "σ": round(s, 3), "ELBO": four(bound(m, s)), "KL(q‖posterior)": four(gap), "sum": four(bound(m, s) + gap), "log p(3)": four(exact)}]
print("largest difference between the last two columns:", "< 1e-9" if identity < 1e-9 else identity)
show.table(rows)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A VAE whose answer is known
#
# Take away every nonlinearity: mean of x linear in z, μ linear in x, one noise variance. Such a **linear VAE** is probabilistic
# PCA (pPCA), whose best possible likelihood Tipping and Bishop (1999) found from the eigenvalues of the data's covariance. Its
# posterior is Gaussian, with the same width for every x; turn the latent axes so that the decoder's columns are orthogonal, and
# its entries are independent too: nothing forces a gap. Does gradient ascent on the ELBO get there?


# %% slideshow={"slide_type": "fragment"}
def ppca(x, q):
    """Largest mean log-likelihood of pPCA with q latent entries, from the eigenvalues (Tipping and Bishop 1999)."""
    values, d = torch.linalg.eigvalsh(torch.cov(x.double().T, correction=0)).flip(0), x.shape[1]
    noise = values[q:].mean()  # the variance that q directions leave over
    return -0.5 * (d * math.log(2 * math.pi) + values[:q].log().sum() + (d - q) * noise.log() + d).item()


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Gradient ascent on its ELBO
#
# Three starts side by side. The mean of |x − rebuilt|² over q has a closed form here too, so no draw adds noise:


# %% slideshow={"slide_type": "fragment"}
def linear_vae(x, q, seeds=3, steps=1000):
    """Gap of the ELBO to the pPCA optimum at every step, (seeds, steps); x (N, D) is centred."""
    torch.manual_seed(q)
    n, d = x.shape
    decoder, encoder = (0.1 * torch.randn(seeds, a, b) for a, b in ((q, d), (d, q)))
    logvar, lognoise = torch.zeros(seeds, 1, q), torch.zeros(seeds, 1)
    weights = [t.requires_grad_() for t in (decoder, encoder, logvar, lognoise)]
    optimizer, best = adam(weights, 1e-2, (0.9, 0.999)), ppca(x, q)

    def step():
        mu = x.expand(seeds, n, d) @ encoder
        # E |x - decoder z|² over z ~ q in closed form: no draws, no noise
        error = (x - mu @ decoder).square().sum(2) + (logvar.exp() * decoder.square().sum(2)[:, None]).sum(2)
        log_likelihood = -0.5 * (error * torch.exp(-lognoise) + d * (lognoise + math.log(2 * math.pi)))
        reached = (log_likelihood - variational.kl_normal(mu, logvar.expand_as(mu))).mean(1)
        optimizer.zero_grad()
        (-reached.sum()).backward()
        optimizer.step()
        return {f"seed {s}": best - reached[s] for s in range(seeds)}

    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    return torch.stack(list(fit(step, steps=steps, schedulers=[cosine]).losses.values()))


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Does it get there?
#
# Two and ten latent entries, three starts each, on 1400 digits:

# %% slideshow={"slide_type": "fragment"}
DATA = "digits"  # or "mnist", "fashion_mnist", a folder of images; limits and figures in the text are for the digits
centred = data.files.images(DATA, size=8, split="train").x[:1400].flatten(1)
centred = centred - centred.mean(0)
gaps = {q: linear_vae(centred, q) for q in (2, 10)}

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# six gaps, step by step
chart, ax = show.figure(width=7.2, height=3.4)
for q, colour, style, bar in ((2, show.FAKE, "-", 0.005), (10, show.OTHER, "--", 0.05)):
    for s, gap in enumerate(gaps[q]):
        ax.plot(gap.clamp(min=1e-6).tolist(), style, color=colour, linewidth=1.5, label=None if s else f"q = {q}, 3 seeds")
    ax.axhline(bar, color=colour, linestyle=":", linewidth=1.5)
    ax.text(0.02 if q == 2 else 0.7, bar * 1.15, f"our limit, q = {q}: {bar:g}", fontsize=11, transform=ax.get_yaxis_transform())
ax.set(yscale="log", xlabel="step", ylabel="optimum − ELBO (nats per digit)", ylim=(3e-6, 200))
ax.set_title(f"At the end: within {gaps[2][:, -1].max():.5f} nats for q = 2, {gaps[10][:, -1].max():.4f} for q = 10")
ax.legend(loc="upper right")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Every run ends below its dotted line, a limit of ours. A VAE is PCA with nets for matrices.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 8 minutes: the widget 4, the linear VAE 4.
#
# **Ask:** "Why is the linear VAE's gap zero at the optimum, and why will a deep decoder's not be?" (Its posterior is no Gaussian
# with independent entries.)
#
# **Goes wrong:** "the ELBO is log p": only if q hits the posterior.
#
# **Widget:** have someone close the gap by hand, first μ then σ. Then ask what σ = 1.5 costs.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A VAE on digits
#
# Now with nets: 64 pixels → 200 → 200 → (μ, log σ²) of **two** entries, and back. The step holds lecture 11's trick and your
# bound, nothing else.

# %% slideshow={"slide_type": "skip"}
seen, new = (data.files.images(DATA, size=8, split=s) for s in ("train", "test"))
train, test = seen.x.flatten(1) / 2 + 0.5, new.x.flatten(1) / 2 + 0.5  # grey levels in [0, 1]
ahead = torch.randn(16, 2, generator=generator(3))


def imagined():
    """What the decoder makes of the same 16 codes from the prior, now."""
    return show.grid(vae.decode(ahead).sigmoid().view(-1, 8, 8), low=0, high=1, title="From z ~ N(0, I): probability of white")


# %% slideshow={"slide_type": "fragment"}
torch.manual_seed(0)
vae = nets.VAE(64, 2, 200, 200)
optimizer, steps = adam(vae.parameters(), 2e-3, (0.9, 0.999)), 2000


def step(grey):
    x = torch.bernoulli(grey)  # black or white, afresh every time
    mu, logvar = vae.encode(x)
    z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
    loss = -elbo(x, vae.decode(z), mu, logvar).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"−ELBO": loss}


log = fit(step, data.shuffled(train, size=128), steps=steps, schedulers=[linear_decay(optimizer, steps)], watch=imagined)

# %% slideshow={"slide_type": "skip"}
bits = torch.bernoulli(test, generator=generator(4))  # one fixed black-and-white copy of the test set
with torch.no_grad():
    rebuilt, mu, logvar = vae(bits)
    shared = Normal(0.0, 1.0).icdf(torch.linspace(0.03, 0.97, 16))
    plane = torch.stack(torch.meshgrid(shared, shared.flip(0), indexing="xy"), -1).reshape(-1, 2)
    sheet = vae.decode(plane).sigmoid()
reached = elbo(bits, rebuilt, mu, logvar).mean().item()  # for a table further down
neighbour = torch.cdist(rebuilt[:400].sigmoid(), train[:1400]).argmin(1)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What two numbers bring back

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# test digits rebuilt, and the decoded plane
print(f"of the rebuilt digits, {(seen.y[neighbour] == new.y[:400]).float().mean():.0%} lie nearest to a training digit of the right class")
chart, (left, right) = show.figure(2, width=4.5, height=4.1, title="Slide 52: two numbers lay the digits out in a plane")
rows = [test[:8], bits[:8], rebuilt[:8].sigmoid(), test[8:16], bits[8:16], rebuilt[8:16].sigmoid()]
show.grid(torch.cat(rows).view(-1, 8, 8), 8, ax=left, low=0, high=1, title="test digit · black and white · rebuilt (twice)")
show.grid(sheet.view(-1, 8, 8), 16, ax=right, low=0, high=1, title="z₁ to the right, z₂ up: quantiles 3 % to 97 %")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Left, rows in threes: a test digit, the black-and-white copy the VAE sees, what two numbers bring back: about two in three
# are still the right digit, all are soft. Right, decoded z on a lattice of equal prior probability: nearby z give similar digits,
# and there are few places without one. That is the right side at work: the codes of all digits together have to fill N(0, I).

# %% slideshow={"slide_type": "skip"}
codes, labels = mu[:200], new.y[:200]
hue = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222", "#8C564B", "#7F7F7F", "#9467BD")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Walk through the plane
#
# Small numbers: codes μ of 200 test digits, each at its place. Drag the cross, or use the arrow keys: right, what the decoder
# makes of that z. Outside the cloud it still answers, about places it has never seen: it does not warn you.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# 200 codes stay, the cross and its digit move
chart, (left, right) = show.figure(2, width=4, height=3.7)
for k in range(10):
    left.plot(*codes[labels == k].T.tolist(), linestyle="none", marker=f"${k}$", markersize=6, color=hue[k], markeredgewidth=0.2)
left.set(xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), xticks=[-3, 0, 3], yticks=[-3, 0, 3], xlabel="z₁", ylabel="z₂", title="Codes of test digits")
right.set_axis_off()


def walk(chart, point):
    left, right = chart.axes
    with torch.no_grad():
        picture = vae.decode(torch.tensor([point])).sigmoid()
    left.plot(*point, "+", color=show.EXACT, markersize=20, markeredgewidth=3)
    right.imshow(show.array(picture.view(8, 8)), cmap="gray", vmin=0, vmax=1)
    right.set_title(f"Decoded from z = ({point[0]:.1f}, {point[1]:.1f})".replace("-", "−"))


show.explore(walk, "a point in the latent plane and the digit it decodes to", chart, point=(1.5, -0.6))

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 8 minutes: the step and its training 3, rebuilt digits and plane 2, the walk 3.
#
# **Ask:** "Where would you look for a digit between 4 and 9?" (Between their two clouds. Drag there.)
#
# **Goes wrong:** people read distances in this plane as similarity of pictures; the map is bent.
#
# **Soft digits:** two numbers, and the mean over all x that share a z. That softness is what lecture 14 attacks.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Tighter bounds
#
# How far below log p does this VAE's ELBO lie? Draw K codes from q and weigh them: $w_k = p(x|z_k)\,p(z_k)/q(z_k|x)$. A
# weight's mean is p(x). So
#
# $$\mathcal L_K = \mathbb E\Big[\log\frac1K\sum_{k=1}^K w_k\Big], \qquad \text{ELBO} = \mathcal L_1\le\mathcal L_2\le\dots\le\log p(x)$$
#
# (Burda et al. 2016, the **IWAE bound**): the logarithm is concave, so averaging before it lifts the bound (Jensen). With large K
# it is how log p(x) is estimated in practice.
#
# ### Exercise: the IWAE bound
#
# *Difficulty ●●○○○ · importance ●●●●○ · 3 minutes*
#
# Write `iwae(log_w)` from log weights (K, B). A picture's weight may be e⁻²⁰⁰⁰: stay with logarithms.
#
# <!-- hints: elbo_vae.iwae -->


# %% nbgrader={"grade": false, "grade_id": "elbo_vae-iwae", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def iwae(log_w):
    """log of the mean weight over the K draws; log_w (K, B) -> (B,)."""
    ### BEGIN SOLUTION
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "elbo_vae-iwae-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
iwae = check("elbo_vae.iwae")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How many draws?
#
# With two latent entries the integral over z can be done on a fine lattice, so log p(x) is known. **Predict:** how many draws
# close half of the gap?

# %% slideshow={"slide_type": "fragment"}
few, side = bits[:100], pick(laptop=401, smoke=41)


@torch.no_grad()
def exact_log_p(x, side):
    """log p(x) by summing p(x|z) p(z) over a lattice of side x side points in [-5, 5]²."""
    ticks = torch.linspace(-5, 5, side)
    z = torch.cartesian_prod(ticks, ticks)
    logits = vae.decode(z)
    joint = logits @ x.T - softplus(logits).sum(1, keepdim=True) + Normal(0.0, 1.0).log_prob(z).sum(1, keepdim=True)
    return torch.logsumexp(joint, 0) + 2 * math.log(10 / (side - 1))


truth = exact_log_p(few, side).mean().item()
coarse = abs(truth - exact_log_p(few, side // 2 + 1).mean().item())
print(f"a lattice with half as many points a side moves log p by {coarse:.0e} nats".replace("e-", "e−"))

# %% [markdown] slideshow={"slide_type": "skip"}
# Now the bounds. (`variational` holds the course's versions of your functions.)


# %% slideshow={"slide_type": "skip"}
@torch.no_grad()
def weights(x, k, seed):
    """Log weights (K, B) of K draws from the encoder."""
    mu, logvar = vae.encode(x)
    z = mu + torch.exp(0.5 * logvar) * torch.randn(k, *mu.shape, generator=generator(seed))
    return variational.log_weights(variational.bernoulli(x, vae.decode(z), batch_dims=2), z, mu, logvar)


log_w, ks = weights(few, pick(laptop=2000, smoke=50), 5), (1, 2, 5, 10, 50, 200, 1000)
# all groups of K draws that fit, so that every bound is a mean over the same draws
bounds = [iwae(log_w[: len(log_w) // k * k].view(-1, k, len(few)).transpose(0, 1).flatten(1)).mean().item() for k in ks if k <= len(log_w)]

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### From the ELBO up to log p(x)
#
# The same draws, in groups of K:

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# the bounds against K
chart, ax = show.figure(width=7, height=3.4)
ax.plot(ks[: len(bounds)], bounds, "o-", color=show.FAKE, label="IWAE bound (K = 1: ELBO)")
ax.axhline(truth, color=show.EXACT, linestyle="--", label="log p(x), on the lattice")
ax.set(xscale="log", xlabel="K, draws per picture", ylabel="nats per digit, mean of 100", ylim=(None, truth + 0.05))
ax.set_title(f"From the ELBO, {bounds[0]:.2f}, to log p = {truth:.2f}: {truth - bounds[0]:.2f} nats of gap".replace("-", "−"))
ax.legend(loc="lower right")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Every step in K goes up, towards the dashed line: five draws close about two thirds of the gap; after a thousand about a
# hundredth of a nat is still missing (in other trainings, up to three). The ELBO's gap is the encoder's error, the averaged
# KL(q‖posterior). The challenge at the end lets you do without a net, one x at a time.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 6 minutes: the bound 1, the exercise 3, the figure 2.
#
# **Ask:** "Why not always train with K = 1000?" (Cost; and the encoder's gradient drowns in noise as K grows, Rainforth et al.
# 2018.)
#
# **Goes wrong:** averaging logs instead of weights. The check says so.
#
# **Why a gap?** Partly one Gaussian is too simple, partly one net has to guess for all x at once (Cremer et al. 2018 tell the two
# apart).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## β, and codes that die
#
# Weigh the right side: reconstruct − **β**·KL (Higgins et al. 2017). β = 1 is the ELBO, β = 0 your prediction from the start.
# Large β makes telling dear, and an entry whose news is not worth its price goes silent: q = prior for every x, KL = 0. That is
# **posterior collapse**.
#
# **Free bits** (Kingma et al. 2016) hold against it: an entry's KL, averaged over the batch, counts as at least λ nats, so
# silence saves nothing.
#
# ### Exercise: free bits
#
# *Difficulty ●●○○○ · importance ●●○○○ · 4 minutes*
#
# `entries` (B, L) holds the KL of every picture and latent entry, `floor` is λ. Write `free_bits(entries, floor)`: the KL that
# goes into the loss, one number. Mind the order of mean, floor, and sum.
#
# <!-- hints: elbo_vae.free_bits -->


# %% nbgrader={"grade": false, "grade_id": "elbo_vae-free_bits", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def free_bits(entries, floor):
    """The KL as free bits count it: every entry's batch mean, at least `floor`, summed; entries (B, L) KLs, floor a number -> ()."""
    ### BEGIN SOLUTION
    return entries.mean(0).clamp(min=floor).sum()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "elbo_vae-free_bits-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
free_bits = check("elbo_vae.free_bits")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Eight prices
#
# Eight VAEs with 16 latent entries, trained side by side on the same batches; only β and λ differ.

# %% slideshow={"slide_type": "fragment"}
names = ("β = 0", "β = ¼", "β = ½", "β = 1", "β = 2", "β = 4", "λ = 0.1", "λ = 0.5")
betas, floors = torch.tensor([0, 0.25, 0.5, 1, 2, 4, 1, 1])[:, None], (0, 0, 0, 0, 0, 0, 0.1, 0.5)
torch.manual_seed(1)
eight = nets.VAE(64, 16, 128, 128, seeds=8)
optimizer, steps = adam(eight.parameters(), 2e-3, (0.9, 0.999)), 1500


def step(grey):
    x = torch.bernoulli(grey)
    logits, mu, logvar = eight(x.expand(8, -1, -1))
    reconstruct = variational.bernoulli(x.expand(8, -1, -1), logits, batch_dims=2).mean(1)
    kl = torch.stack([free_bits(e, floor) for e, floor in zip(variational.kl_entries(mu, logvar), floors, strict=True)])
    loss = -(reconstruct - betas[:, 0] * kl).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss}


log = fit(step, data.shuffled(train, size=128), steps=steps, schedulers=[linear_decay(optimizer, steps)])

# %% slideshow={"slide_type": "skip"}
torch.manual_seed(2)
with torch.no_grad():
    x = bits.expand(8, -1, -1)
    mu8, logvar8 = eight.encode(x)
    left_side = torch.stack([variational.bernoulli(x, eight(x)[0], batch_dims=2).mean(1) for _ in range(20)]).mean(0)
    entries = variational.kl_entries(mu8, logvar8).mean(1)  # (8, 16)
    samples = eight.decode(torch.randn(8, 12, 16)).sigmoid()
true_elbo, active = left_side - entries.sum(1), (entries > 0.05).sum(1)
width = torch.exp(0.5 * logvar8).mean((1, 2))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What they bought
#
# On the test digits; "ELBO" is the honest one, with β = 1 and no free bits, whatever a net was trained on.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true} tags=["nbval-check-output"]
# both sides of the bound, eight times
about = show.about
two_entries = {"VAE": "two entries, from above", "reconstruct": "–", "KL": "–", "ELBO (test)": about(reached, 1)}
show.table([{"VAE": name, "reconstruct": about(left_side[i].item(), 1), "KL": about(entries[i].sum().item(), 1), "ELBO (test)": about(true_elbo[i].item(), 1),
             "active of 16 (KL > 0.05, ours)": about(active[i].item(), 0), "mean σ": about(width[i].item())} for i, name in enumerate(names)]
           + [two_entries | {"active of 16 (KL > 0.05, ours)": "–", "mean σ": "–"}])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Which entries speak

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# KL entry by entry, and samples
chart, (left, right) = show.figure(2, width=5, height=3.1, title="β prices the code: cheap codes miss the prior, dear ones die")
looks = {1: ("-", show.REAL, "o"), 3: ("-", show.FAKE, "s"), 4: ("--", show.OTHER, "^"), 5: (":", "#777777", "v"), 7: ("-.", show.CRITIC, "D")}
for i, (style, colour, mark) in looks.items():
    ordered = entries[i].sort(descending=True).values.clamp(min=1e-4)
    left.plot(range(1, 17), ordered.tolist(), style, color=colour, marker=mark, markersize=5, label=names[i])
left.set(yscale="log", xlabel="latent entry, busiest first", ylabel="KL (nats; 10⁻⁴: or less)", ylim=(7e-5, 8))
left.legend(loc="lower left", ncol=2)
show.grid(samples[[0, 1, 3, 5]].flatten(0, 1).view(-1, 8, 8), 12, ax=right, low=0, high=1, title="from N(0, I), by row: β = 0, ¼, 1, 4")
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# - **β = 0:** σ near 0, the best reconstruction, a huge KL (not drawn), and noise when you decode from the prior (top row):
#   answer (b).
# - **β = 1:** four or so of the 16 entries work; the curve then falls to a hundredth of a nat. This VAE has chosen its own
#   dimension, and has the best ELBO of all β.
# - **β = 2:** two entries do nearly all; two more lie just above our threshold.
# - **β = 4:** all entries dead, every sample the mean digit (bottom row).
# - **λ = 0.5:** all 16 entries carry their half nat, as promised. The ELBO is *lower* than at plain β = 1: free bits keep a code
#   alive, they do not make it pay.
#
# Collapse at β = 1 is thus no bug by itself. It is one when the first steps of a training kill entries that *would* pay. A
# decoder strong enough to do without z is a third case: there even the best ELBO may have no code.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 5 minutes: β and free bits 1, the table 2, the entries 2. The exercise is homework.
#
# **Ask:** before the table, "Which row will have the best reconstruction, which the best ELBO?" (β = 0 and β = 1: different rows.)
#
# **Goes wrong:** comparing runs with different β by their *loss*. Compare the ELBO (β = 1) or the pair (reconstruct, KL).
#
# **A hidden β:** a Gaussian decoder's fixed σ² is one: halving σ² doubles the weight of the reconstruction.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What a code keeps of a head
#
# T2-weighted head **phantoms** at 32 pixels: synthetic slices whose every knob is known. They lie as a scanner delivers them,
# tilted by up to 25° and shifted by up to 12 mm. Two nets with 16 latent entries, on **healthy** heads only: a VAE, and an
# autoencoder (no noise on z, no KL). Both decoders give out a mean *and a log σ² for every pixel*: the likelihood is Gaussian, and
# the net says itself how sure it is, where.

# %% slideshow={"slide_type": "fragment"}
def scans(n, seed, lesions):
    """n head phantoms, a share `lesions` of them with a lesion, and their T2w images (n, 1024) in [0, 1]."""
    u = 2 * torch.rand(3, n, generator=generator(seed)) - 1
    heads = phantoms.heads(n, 32, seed=seed, lesions=lesions, tilt=25 * u[0], right=12 * u[1], up=5 * u[2])
    return heads, heads.images("T2w", seed=seed).flatten(1) / 2 + 0.5


healthy, x_healthy = scans(pick(laptop=3000, smoke=300), 1, 0.0)
held, x_held = scans(500, 3, 0.0)  # healthy too, never trained on
show.grid(x_healthy[:16].view(-1, 32, 32), low=0, high=0.9, title="Healthy head phantoms, T2w, as scanned")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### With a prior and without
#
# Both nets train side by side on the same heads. Only the first draws z and pays for its KL:

# %% slideshow={"slide_type": "fragment"}
torch.manual_seed(0)
two, only_vae = nets.VAE(1024, 16, 512, seeds=2, outputs=2048), torch.tensor([1.0, 0.0])[:, None]
optimizer, steps = adam(two.parameters(), 2e-3, (0.9, 0.999)), pick(laptop=1300, gpu=3000)


def decode(z):
    mean, logvar = two.decode(z).chunk(2, -1)
    # σ starts near e⁻² and never falls below e⁻⁴: in the black background σ → 0 would pay without end
    return mean.sigmoid(), (logvar - 4).clamp(min=-8)


def step(x):
    mu, logvar = two.encode(x.expand(2, -1, -1))
    z = mu + only_vae[..., None] * torch.exp(0.5 * logvar) * torch.randn_like(mu)
    reconstruct = variational.gaussian(x, *decode(z), batch_dims=2)
    loss = -(reconstruct - only_vae * variational.kl_normal(mu, logvar)).mean(1).sum() / 1024  # a smaller step; the balance stays
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {"loss": loss}


log = fit(step, data.shuffled(x_healthy, size=64), steps=steps, schedulers=[linear_decay(optimizer, steps)])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Which knobs does the code know?
#
# Slide 63: the latent code "keeps the important features". **Predict** which: tilt, size of the ventricles, thickness of the
# cortex? For every knob, fit a straight line from the 16 codes to the knob on the training heads; R² on held-out heads is the
# share of its variance that this line explains. For comparison: a line with squares and products of the codes; pPCA's 16
# numbers; and **the image itself** (ridge regression from all pixels, or a line from 22 numbers of its histogram; the better).

# %% slideshow={"slide_type": "skip"}
with torch.no_grad():
    code, code_held = (two.encode(x.expand(2, -1, -1))[0][0] for x in (x_healthy, x_held))
centre = x_healthy.mean(0)
axes = torch.linalg.svd(x_healthy - centre, full_matrices=False)[2][:16]  # pPCA's 16 directions

knobs = {"right": "shift right", "tilt": "tilt", "up": "shift up", "level": "slice level", "width": "head width", "length": "head length",
         "egg": "egg shape", "scalp": "scalp thickness", "skull": "skull thickness", "sinus": "air in forehead", "atrophy": "atrophy",
         "cortex": "cortex thickness", "ventricles": "ventricle width"}
target, target_held = (torch.stack([h.knob(k) for k in knobs] + [h.ventricle_size], 1).double() for h in (healthy, held))


# %% slideshow={"slide_type": "fragment"}
def r2(feature, ridge=1e-3):
    """R² on held-out heads, one per knob, of a line from `feature` of (codes, images), fitted on the training heads."""
    z, z_held = feature(code, x_healthy).double(), feature(code_held, x_held).double()
    middle, mean = z.mean(0), target.mean(0)
    line = torch.linalg.solve((z - middle).T @ (z - middle) + ridge * torch.eye(z.shape[1]).to(z), (z - middle).T @ (target - mean))
    error = (z_held - middle) @ line + mean - target_held
    values = (1 - error.square().mean(0) / target_held.var(0)).clamp(min=0).tolist()
    return dict(zip([*knobs.values(), "ventricle area"], values, strict=True))


# %% slideshow={"slide_type": "skip"}
def histogram(z, x):
    """22 numbers per image: four moments of its grey levels, and the share of pixels above 18 thresholds."""
    return torch.cat([torch.stack([x.mean(1), x.std(1), (x**2).mean(1), (x**3).mean(1)], 1)]
                     + [(x > q).float().mean(1, keepdim=True) for q in torch.arange(0.05, 0.95, 0.05).tolist()], 1)


kept = r2(lambda z, x: z)
bent = r2(lambda z, x: torch.cat([z, torch.stack([z[:, i] * z[:, j] for i in range(16) for j in range(i + 1)], 1)], 1))
linear = r2(lambda z, x: (x - centre) @ axes.T)
pixels, grey_levels = r2(lambda z, x: x, ridge=10), r2(histogram)
image = {name: max(pixels[name], grey_levels[name]) for name in kept}

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Knob by knob

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# R² of every knob, four ways
order = sorted(kept, key=kept.get)
finding = f"R² from 16 numbers: ventricle area {kept['ventricle area']:.2f}, atrophy {kept['atrophy']:.2f} (image {image['atrophy']:.2f})"
chart, ax = show.figure(width=7.8, height=4.4, title=finding)
ax.barh(range(len(order)), [kept[n] for n in order], color=show.FAKE, height=0.55, label="VAE, 16 entries, a line")
ax.plot([bent[n] for n in order], range(len(order)), "s", color=show.OTHER, markersize=7, label="VAE, with squares and products")
ax.plot([linear[n] for n in order], range(len(order)), "D", color=show.EXACT, markersize=6, markerfacecolor="none", label="pPCA, 16 entries, a line")
ax.plot([image[n] for n in order], range(len(order)), "|", color=show.EXACT, markersize=16, markeredgewidth=3, label="from the whole image")
ax.set_yticks(range(len(order)), order)
ax.set(xlabel="share of the knob's variance explained, R² on 500 held-out phantoms", xlim=(-0.02, 1.02))
ax.legend(loc="lower right", ncols=2)
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Kept is what moves many pixels far: position, tilt, slice level, ventricle area. Width and length of the head are kept, but bent:
# squares and products find what the line misses. Atrophy and the thickness of scalp and skull stand in the image and are partly
# lost. Cortex, egg shape, and air in the forehead prove little: at 6 mm pixels the image itself hardly shows them. **"Important"
# means important for the likelihood, not for the diagnosis.** pPCA's 16 numbers keep pose and ventricle area just as well.

# %% slideshow={"slide_type": "skip"}
turned = ("ventricles", "tilt", "right", "level", "atrophy")
middle, direction = code.mean(0), {}
for name in turned:
    value = healthy.knob(name)
    slope = ((value - value.mean())[:, None] * (code - middle)).mean(0) / value.var()
    direction[name] = slope * value.std()

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Turn a knob in latent space
#
# The mean code, moved along the direction in which codes change with a knob. Left the decoder's mean, right its σ.

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# the decoder's mean and σ, along a knob
chart, (left, right) = show.figure(2, width=3.4, height=3.4)
left.set_axis_off()
right.set_axis_off()
right.set_title("σ, 0 (dark) to 0.2")


def traverse(chart, knob, amount):
    left, right = chart.axes
    with torch.no_grad():
        mean, logvar = decode((middle + amount * direction[knob]).expand(2, 1, -1))
    left.imshow(show.array(mean[0].view(32, 32)), cmap="gray", vmin=0, vmax=0.9)
    right.imshow(show.array(torch.exp(0.5 * logvar[0]).view(32, 32)), cmap="viridis", vmin=0, vmax=0.2)
    left.set_title(f"phantom, {knob}: {amount:+.2f} sd".replace("-", "−"))


caption = "the mean code moved along a knob's direction, decoded, and the decoder's own σ"
show.explore(traverse, caption, chart, knob=list(turned), amount=(-2, 2, 0.25, 1.5, "sd"))

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 4 minutes: phantoms and nets 1, the knobs 2, the widget 1.
#
# **Ask:** before the figure, "Which knob will sixteen numbers keep best, and which will they lose?" (Shifts and tilt: they move
# every edge. Lost: what changes few pixels, such as the cortex.)
#
# **Goes wrong:** "disentangled": no. Directions are found by regression *with* the known knobs; single entries mix them
# (Locatello et al. 2019).
#
# **Widget:** level from −2 to 2: the ventricles vanish upwards, and the head gets smaller. Nobody told the net what a slice
# level is.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Uncertainty: who finds the lesion?
#
# 600 new heads, about half with a lesion: oedema, core, sometimes a haemorrhage. The nets have never seen one. The hope (slide
# 63): a model of healthy heads cannot rebuild a lesion, so **what it fails to rebuild is suspicious**.
#
# Scores for a pixel, all inside the same brain mask (the phantom's own, CSF included) and with the same 3 × 3 mean; a head's
# score is its largest pixel:
# - its brightness: a plain threshold, since lesions are bright in T2w;
# - |x − rebuilt| of pPCA, and of each of the two nets;
# - |x − rebuilt|/σ: for the nets, their own σ at that pixel; for pPCA one fixed map, its rms residual on the healthy heads.
#
# Judged by **AUROC**: the chance that a sick pixel (or head) scores above a healthy one; 0.5 is a coin. **Predict** the
# ranking. Is the VAE or the autoencoder ahead?

# %% slideshow={"slide_type": "skip"}
patients, y = scans(pick(laptop=600, smoke=60), 2, 0.5)
brain = patients.mask(*phantoms.BRAIN, "ventricles", "CSF").flatten(1) > 0.5
lesion, sick = (patients.lesion.flatten(1) > 0.5).float(), (patients.knob("lesion") > 0).float()
with torch.no_grad():
    mean, logvar = decode(two.encode(y.expand(2, -1, -1))[0])
sigma = torch.exp(0.5 * logvar)
residual = lambda x: (x - centre - (x - centre) @ axes.T @ axes).abs()
fixed = residual(x_healthy).square().mean(0).sqrt() + 0.02  # the simplest σ; the 0.02 is ours
suspicion = {"brightness": y, "pPCA: |x − rebuilt|": residual(y), "pPCA: |x − rebuilt|/map": residual(y) / fixed}
for i, net in enumerate(("VAE", "autoencoder")):
    suspicion |= {f"{net}: |x − rebuilt|": (y - mean[i]).abs(), f"{net}: |x − rebuilt|/σ": (y - mean[i]).abs() / sigma[i]}

at = torch.multinomial(brain.float(), 200, generator=generator(0))  # 200 brain pixels of each head
found = {}
for name, raw in suspicion.items():
    smooth = avg_pool2d(torch.where(brain, raw, 0.0).view(-1, 1, 32, 32), 3, 1, 1).flatten(1)
    pixels = metrics.auroc(smooth.gather(1, at), lesion.gather(1, at))
    found[name] = pixels, metrics.auroc(torch.where(brain, smooth, -1.0).amax(1), sick)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Brightness, pPCA, and two nets

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# AUROC of pixels and of heads
by_head = {name: f"{pair[1].value:.2f}" for name, pair in found.items()}
gain = "; ".join(f"{net} {by_head[f'{net}: |x − rebuilt|']} to {by_head[f'{net}: |x − rebuilt|/σ']}" for net in ("VAE", "autoencoder"))
order = list(found)[::-1]
chart, axs = show.figure(2, width=5.4, height=3.6, sharey=True, title=f"What dividing by σ does to the AUROC of heads: {gain}")
for ax, which, label in zip(axs, (0, 1), ("pixels", "heads"), strict=True):
    for row, name in enumerate(order):
        interval = found[name][which]
        colour = show.FAKE if name.startswith("VAE") else show.OTHER if name.startswith("auto") else show.EXACT
        mark = "s" if "/" in name else "o"
        ax.plot([interval.low, interval.high], [row, row], color=colour)
        ax.plot(interval.value, row, mark, color=colour, markersize=9)
    ax.set_yticks(range(len(order)), order)
    ax.set(xlabel=f"AUROC of {label} (phantoms; 95 % over heads)", xlim=(0.6 if which else 0.9, 1.0))
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Brightness does well per pixel and poorly per head: every healthy head has something as bright, its CSF (the fluid in and round
# the brain). All models beat it, and dividing by σ (squares) lifts both nets. One fixed map does not do that for pPCA's heads: σ
# has to move with the head. But VAE and autoencoder lie within each other's intervals: **here it is σ that helps; from one training,
# no help from the prior's side shows**. See why:

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Why σ helps

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true}
# eight heads with larger lesions
shown = [int(i) for i in lesion.sum(1).argsort(descending=True)[20:100:10]]
over = suspicion["VAE: |x − rebuilt|/σ"]
rows = {"scan": y, "rebuilt": mean[0], "|x − rebuilt| × 3": 3 * suspicion["VAE: |x − rebuilt|"], "σ × 5": 5 * sigma[0], "|x − rebuilt|/(6σ)": over / 6, "lesion": lesion}
chart, ax = show.figure(width=7.2, height=4.9, title="The folds of the cortex are rebuilt badly; σ knows (phantoms)")
show.grid(torch.cat([r[shown] for r in rows.values()]).view(-1, 32, 32), len(shown), ax=ax, low=0, high=1)
for i, name in enumerate(rows):
    ax.text(-6, i * 33 + 16, name, ha="right", va="center", fontsize=12)
chart

# %% [markdown] slideshow={"slide_type": "fragment"}
# Third row: the residual is full of cortex, which 16 numbers cannot hold. Fourth row: σ is large exactly there. Divide, and the
# folds fade while most of each lesion stays (fifth row against the last; these are eight of the larger lesions).

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Is it luck, and is it T2w?
#
# The same method (1300 steps) with three seeds (new training heads, new patients, new nets), other contrasts (FLAIR; GE, a
# gradient echo), heads drawn without tilt or shift ("aligned"), and a *plain* autoencoder (least squares, no σ); stored by
# `benchmarks/vae_lesions.py`. AUROC of **heads**, mean over seeds (pixels in brackets):

# %% slideshow={"slide_type": "fragment"} jupyter={"source_hidden": true} tags=["nbval-check-output"]
# three seeds, four settings, eight scores
stored = data.stored("vae_lesions")["auroc"]
average = lambda setting, method, what: sum(stored[setting][method][what]) / 3
print("lead of the VAE over the autoencoder with σ, AUROC of heads, seed by seed:")
for setting, methods in stored.items():
    leads = {end: [a - b for a, b in zip(methods["VAE" + end]["heads"], methods["autoencoder with σ" + end]["heads"], strict=True)]
             for end in ("", ", over its σ")}
    print(f"  {setting}:", "; ".join(f"{end or ', not divided'}"[2:] + " " + ", ".join(f"{v:+.3f}" for v in lead).replace("-", "−") for end, lead in leads.items()))
show.table([{"score": m} | {s: f"{average(s, m, 'heads'):.3f} ({average(s, m, 'pixels'):.3f})" for s in stored} for m in stored["T2w, aligned"]])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What holds, and where
#
# - **T2w, GE:** every model beats brightness per head, and a net's own σ adds 0.07 to 0.15 more: a lesion is not the brightest
#   thing in the brain, but it is bright where nothing bright belongs. On aligned heads and on GE, more than half of that lead over
#   pPCA needs no net: a fixed map reaches 0.935 and 0.902. On T2w as scanned it gives nothing.
# - **VAE or autoencoder, both over their σ?** On T2w as scanned and FLAIR, now one leads, now the other. On aligned heads and on
#   GE the VAE leads with every seed, by 0.002 to 0.005; but not divided by σ, it is *behind* on GE with every seed, by 0.011 to
#   0.029.
# - **FLAIR** darkens the CSF, which leaves lesions the brightest: a threshold alone reaches 0.99 per pixel and 0.97 per head;
#   models add less than 0.01 and about 0.01.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 5 minutes: the question 1, the first figure 1, why σ helps 1, seeds and contrasts 2.
#
# **Ask:** "Would you buy this?" Then: "What is the fair baseline?" (A threshold, and an autoencoder without prior. Meissen et al.
# 2021 made the point with a threshold on FLAIR.)
#
# **Goes wrong:** an AUROC over all pixels with the background inside: everybody then looks excellent.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Open challenge: inference without an encoder
#
# A curved model: z ~ N(0, 1), and x in the plane is $(2\sin 1.5z,\; z^2)$ plus noise of standard deviation 0.5. The curve crosses
# itself: z = 2π/3 and z = −2π/3 lead to the same point, (0, 4.4). Which z made an x near it? That is the trap: **a posterior may
# have two hills**.


# %% slideshow={"slide_type": "fragment"}
def log_joint(x, z):
    """log p(x, z) of the curved model; x (N, 2), z (..., N) -> (..., N)."""
    mean = torch.stack([2 * torch.sin(1.5 * z), z**2], -1)
    return -0.5 * (z**2 + ((x - mean) / 0.5).square().sum(-1)) - 1.5 * math.log(2 * math.pi) - 2 * math.log(0.5)


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The challenge: infer z
#
# *Difficulty ●●●●○ · importance ●●●○○ · 15 minutes and more, good homework*
#
# No encoder is given. Write `infer(x)`: for 64 points x (64, 2) return the best Gaussian q for each, as (64, 2) with columns μ
# and log σ². Use `log_joint`; gradients pass through it.
#
# Graded: the mean gap log p(x) − ELBO, on a fine grid. **0.04 nats or less earns all points**, 0.4 half.
#
# <!-- hints: elbo_vae.infer -->


# %% nbgrader={"grade": false, "grade_id": "elbo_vae-infer", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "fragment"}
def infer(x):
    """Gaussian posteriors for x (N, 2) under log_joint -> (N, 2), columns mu and log sigma^2."""
    ### BEGIN SOLUTION
    eps = torch.special.ndtri((torch.arange(50).to(x) + 0.5) / 50)[:, None, None]
    mu = torch.linspace(-2.5, 2.5, 7).to(x)[:, None].repeat(1, len(x)).requires_grad_()  # seven starts for every x
    logvar = torch.full_like(mu, -3.0).requires_grad_()
    optimizer = torch.optim.Adam([mu, logvar], 0.05)
    for _ in range(250):
        bound = log_joint(x, mu + torch.exp(0.5 * logvar) * eps).mean(0) + 0.5 * logvar  # entropy + constant
        optimizer.zero_grad()
        (-bound.sum()).backward()
        optimizer.step()
    best = bound.argmax(0, keepdim=True)
    return torch.stack([mu.gather(0, best)[0], logvar.gather(0, best)[0]], 1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "elbo_vae-infer-check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "fragment"}
infer = check("elbo_vae.infer")

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 1 minute: state the task; it is homework.
#
# **Ask:** "Where on this curve can one Gaussian not be the posterior?" (Near the crossing: the posterior has two hills, and q can
# sit on one.)
#
# **Goes wrong:** one start for all x. From a start between two hills the ascent goes to either, not to the better one.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What you measured

# %% jupyter={"source_hidden": true} tags=["nbval-check-output"] slideshow={"slide_type": "fragment"}
# bounds, and codes of digits
mnist = data.stored("vae_mnist")
worst = {q: gaps[q][:, -1].max().item() for q in gaps}
rising = bounds == sorted(bounds)

show.measured(
    show.Claim(
        "KL to the prior in closed form",
        f"{sum(agree)} of {len(agree)} within 4 standard errors of draws",
        "Kingma and Welling 2014, appendix B: an identity",
        all(agree),
    ),
    show.Claim(
        "log p − ELBO = KL(q‖posterior), on a linear-Gaussian model",
        "largest difference < 1e-9" if identity < 1e-9 else f"largest difference {identity:.1e}",
        "an identity",
        identity < 1e-9,
    ),
    show.Claim(
        "A linear VAE reaches the likelihood of pPCA (3 seeds; the limits of 0.005 and 0.05 nats are ours)",
        f"worst gap {about(worst[2], 4)} nats at q = 2, {about(worst[10], 3)} at q = 10",
        "Lucas et al. 2019: the ELBO adds no bad maxima to pPCA; no figure for digits",
        worst[2] <= 0.005 and worst[10] <= 0.05,
    ),
    show.Claim(
        "ELBO ≤ IWAE bound ≤ log p(x), rising with K (same draws: it must; tolerance at log p 0.02 nats, ours)",
        f"{about(bounds[0])} (K = 1), {about(bounds[3])} (K = 10), {about(bounds[-1])} (K = 1000); log p {about(truth)}",
        "Burda et al. 2016: proved; their figures are on MNIST",
        rising and bounds[-1] < truth + 0.02,
    ),
    show.Claim(
        "The PyTorch example's VAE on MNIST: loss after 10 epochs (grey levels: a bound for their coin-tossed copies; the limit of ±1 is ours)",
        f"{', '.join(f'{v:.2f}' for v in mnist['test loss'])} (3 seeds, {max(mnist['seconds']):.0f} s each on one core, stored)",
        f"{' and '.join(str(v) for v in mnist['published'])} in two public logs of pytorch/examples",
        all(abs(v - 105.6) <= 1 for v in mnist["test loss"]),
    ),
    show.Claim(
        "A dear code dies: active entries of 16 at β = ¼, ½, 1, 2, 4 (KL > 0.05 nats, a threshold of ours; one seed)",
        ", ".join(about(n.item(), 0) for n in active[1:6]),
        "Burda et al. 2016 count units whose μ varies; on MNIST",
        bool((active[1:5] >= active[2:6]).all() and active[5] == 0),
    ),
    show.Claim(
        "Free bits keep all entries alive (λ = 0.5)",
        f"{about(active[7].item(), 0)} of 16; the price: test ELBO {about(true_elbo[7].item(), 1)} against {about(true_elbo[3].item(), 1)} (one seed)",
        "Kingma et al. 2016 use them in deep models with many levels; this one is small",
        bool(active[7] == 16),
    ),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### What you measured on heads

# %% jupyter={"source_hidden": true} tags=["nbval-check-output"] slideshow={"slide_type": "fragment"}
# codes and lesions
setting = "T2w, as scanned"
heads_of = lambda method: stored[setting][method]["heads"]
span = lambda method, s=setting, what="heads": f"{min(stored[s][method][what]):.3f} to {max(stored[s][method][what]):.3f}"

show.measured(
    show.Claim(
        "The code keeps pose and ventricle area (a line's R² ≥ 0.7 and 0.6 on held-out phantoms, limits ours)",
        f"shifts {about(kept['shift right'])} and {about(kept['shift up'])}, tilt {about(kept['tilt'])}, ventricle area {about(kept['ventricle area'])}; atrophy {about(kept['atrophy'])}, from the image {about(image['atrophy'])}",
        "– (slide 63 gives none)",
        min(kept["tilt"], kept["shift right"], kept["shift up"]) >= 0.7 and kept["ventricle area"] >= 0.6,
    ),
    show.Claim(
        "A VAE over its σ flags lesions better than a threshold, with every seed (T2w as scanned, AUROC of heads, the phantom's own brain mask)",
        f"{span('VAE, over its σ')} against {span('brightness')} (3 seeds, stored)",
        "– (phantoms; no clinical score)",
        min(heads_of("VAE, over its σ")) > max(heads_of("brightness")),
    ),
    show.Claim(
        "… also on FLAIR, where lesions are the brightest (with every seed, AUROC of pixels)",
        f"{span('VAE, over its σ', 'FLAIR, as scanned', 'pixels')} against {span('brightness', 'FLAIR, as scanned', 'pixels')}",
        "Meissen et al. 2021: a threshold on FLAIR beats many trained models",
        min(stored["FLAIR, as scanned"]["VAE, over its σ"]["pixels"]) > max(stored["FLAIR, as scanned"]["brightness"]["pixels"]),
    ),
    show.Claim(
        "… and better than an autoencoder without prior (T2w as scanned, with every seed, AUROC of heads)",
        f"{span('VAE, over its σ')} against {span('autoencoder with σ, over its σ')} with σ, {span('plain autoencoder')} without",
        "–",
        min(heads_of("VAE, over its σ")) > max(heads_of("autoencoder with σ, over its σ")),
    ),
)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Take home
#
# - ELBO = reconstruct − KL to the prior; what is missing to log p(x) is KL(q‖posterior), exactly.
# - Sum over pixels and over latent entries; average over the batch only. Say whose nats they are: cross-entropy on grey levels
#   is no density of grey levels.
# - More draws tighten the bound. A dead entry is one whose news does not pay; β sets the price.
# - The code keeps what moves many pixels. That need not be what a radiologist looks for.
# - "A VAE flags lesions": compare with a threshold and with an autoencoder before you say so. Here its σ did the work.
#
# **Read on:** Kingma and Welling (2014), *Auto-encoding variational Bayes* · Rezende, Mohamed, Wierstra (2014) · Doersch
# (2016), *Tutorial on variational autoencoders* · Burda, Grosse, Salakhutdinov (2016) · Higgins et al. (2017) · Loaiza-Ganem
# and Cunningham (2019) · Lucas et al. (2019) · Meissen, Kaissis, Rueckert (2021), *Challenging current semi-supervised anomaly
# segmentation methods for brain MRI*.
# **Next** (to come): lecture 13 gives the VAE half an image and asks for the rest; lecture 14 gives it a GAN's eyes.

# %% [markdown] slideshow={"slide_type": "notes"} tags=["notes"]
# **Timing:** 1 minute: one claim from each table; the rest is for reading.
#
# **Ask:** "Which of these verdicts surprised you?" (Most often the last: the prior does not help where they expected it to.)
#
# **Goes wrong:** "a claim that does not hold here is refuted". It was tried on phantoms, with small nets and few seeds.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ## Your points so far

# %% slideshow={"slide_type": "fragment"}
score()
