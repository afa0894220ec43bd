"""Lecture 12: the two sides of the ELBO, the likelihood of grey levels, tighter bounds, free bits, and inference without a net."""

import math

import torch
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn.functional import softplus

from course_lib.exercises.kinds import challenge, choice, function
from course_lib.exercises.spec import Draw

# tables: a mistake and its sentence on a line each
# fmt: off


predict = choice(
    "elbo_vae.predict", "prediction", "b",
    why="Noise only hurts the reconstruction, so without a price the encoder turns it off (σ → 0) and spreads its codes wherever it likes: a plain autoencoder. The run with β = 0 below measures both.",
    wrong={
        "a": "Does a wide σ help or hurt the decoder? It must rebuild x from a shaken z.",
        "c": "That is what the KL term alone would do: pull every q(z|x) onto the prior. Which term is left here?",
        "d": "The reparametrization still passes its gradient, to σ as well. What does the reconstruction term want σ to be?",
        "e": "A term that is removed cannot push. Reconstruction gets easier. What is lost lies on the other side, where you draw z yourself.",
    },
    hints=("Ask of each parameter what makes the reconstruction better: a larger σ or a smaller one?", "And is there any reason left for the codes of all x together to look like N(0, 1)?"),
)

def _code(g, *shape):
    return g.normal(*shape), g.normal(*shape)

@function("elbo_vae.kl_normal", points=2, gradients=("mu", "logvar"),
    draw=lambda g: {"values": _code(g, 5, 3), "one row": _code(g, 1, 2), "one entry": _code(g, 4, 1), "log σ² of −800": (g.normal(2, 3), g.normal(2, 3) * 0 - 800)},
    hints=("Write it for one entry first: which of the four terms needs `exp`?", "σ² is `logvar.exp()`.", "Entries are independent, so their KLs add: `.sum(1)`."))
def kl_normal(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)

kl_normal.known([
    lambda mu, logvar: kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0)).sum(1) if logvar.min() > -100 else -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(-1),
    lambda mu, logvar: -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1), lambda mu, logvar: torch.einsum("bl->b", (mu.square() + torch.expm1(logvar) - logvar) / 2),
], {
    "You read logvar as log σ: σ² is exp(logvar) here, not its square.": lambda m, v: (0.5 * (m**2 + (2 * v).exp() - 1) - v).sum(1),
    "Where σ = 1 and μ = 0 a KL must be 0. A constant is missing.": lambda m, v: 0.5 * (m**2 + v.exp() - v).sum(1),
    "The mean over the latent entries. Independent entries add up: with the mean, the price would not grow with their number.": lambda m, v: 0.5 * (m**2 + v.exp() - 1 - v).mean(1),
    "One number for the whole batch. Keep one KL per row, shape (B,).": lambda m, v: 0.5 * (m**2 + v.exp() - 1 - v).sum(),
    "One KL per latent entry. Sum over the entries, so that one number per row remains.": lambda m, v: 0.5 * (m**2 + v.exp() - 1 - v),
    "This is negative: the formula is here, and its sign is turned. A KL is never below 0.": lambda m, v: -0.5 * (m**2 + v.exp() - 1 - v).sum(1),
    "That is KL(prior ‖ q). The average has to run over q: the other order.": lambda m, v: 0.5 * ((1 + m**2) * (-v).exp() - 1 + v).sum(1),
    "The ½ is missing.": lambda m, v: (m**2 + v.exp() - 1 - v).sum(1),
})

def _picture(g, b, d, size=2.0):
    return (g.uniform(b, d) > 0.5).double(), size * g.normal(b, d), g.normal(b, 2), g.normal(b, 2)

def _elbo(x, logits, mu, logvar, likelihood=lambda x, a: (x * a - softplus(a)).sum(1), kl=lambda m, v: kl_normal.reference(m, v)):
    return likelihood(x, logits) - kl(mu, logvar)

@function("elbo_vae.elbo", points=2, gradients=("logits", "mu", "logvar"),
    draw=lambda g: {"values": _picture(g, 4, 6), "one picture": _picture(g, 1, 3), "one pixel": _picture(g, 3, 1), "logits near ±800": _picture(g, 3, 4, 800.0)},
    hints=("ELBO = log-likelihood − KL, each summed per picture.", "With p = sigmoid(a), log p = −softplus(−a) and log(1 − p) = −softplus(a). So x·log p + (1 − x)·log(1 − p) = x·a − softplus(a).", "The left side is `(x * logits - softplus(logits)).sum(1)`. Subtract the KL of the exercise before."))
def elbo(x, logits, mu, logvar):
    log_likelihood = (x * logits - softplus(logits)).sum(1)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
    return log_likelihood - kl

elbo.known([
    lambda x, logits, mu, logvar: _elbo(x, logits, mu, logvar, lambda x, a: -torch.nn.functional.binary_cross_entropy_with_logits(a, x, reduction="none").sum(1)),
    lambda x, logits, mu, logvar: _elbo(x, logits, mu, logvar, lambda x, a: Bernoulli(logits=a).log_prob(x).sum(-1)),
    lambda x, logits, mu, logvar: _elbo(x, logits, mu, logvar, lambda x, a: (-x * softplus(-a) - (1 - x) * softplus(a)).sum(1)),
], {
    "The mean over the pixels. A log-likelihood sums them. With the mean over D pixels the KL weighs D times too much: the classic way to a collapsed VAE.": lambda *args: _elbo(*args, lambda x, a: (x * a - softplus(a)).mean(1)),
    "The KL is a price: it is subtracted.": lambda *args: _elbo(*args, kl=lambda m, v: -kl_normal.reference(m, v)),
    "This is the loss, −ELBO. The bound itself is asked for.": lambda *args: -_elbo(*args),
    "The KL is missing: this is the reconstruction side only.": lambda *args: _elbo(*args, kl=lambda m, v: 0),
    "The logits are used as if they were probabilities.": lambda *args: _elbo(*args, lambda x, a: (x * a + (1 - x) * (1 - a)).sum(1)),
    "One number for the batch. Return one bound per picture, shape (B,).": lambda *args: _elbo(*args).mean(),
    "Right for moderate logits. At ±800 the sigmoid rounds to 0 or 1, and its logarithm is −∞: stay with the logits and softplus.": lambda *args: _elbo(*args, lambda x, a: torch.where(x > 0, a.sigmoid().log(), (1 - a.sigmoid()).log()).sum(1)),
    "Where x is 0 the model has a say too: the term (1 − x)·log(1 − p) is missing.": lambda *args: _elbo(*args, lambda x, a: -(x * softplus(-a)).sum(1)),
})

def _both(a):
    return torch.cat([a, -a])

def _constant(a):
    return torch.log(a / torch.tanh(a / 2))

@function("elbo_vae.log_normaliser", points=2, gradients=("logits",), rtol=1e-5, atol=1e-8,
    draw=lambda g: {"values": (g.uniform(6, low=0.5, high=6) * torch.sign(g.normal(6)),), "a picture": (1 + g.uniform(2, 3),), "logits of ±800": (_both(g.uniform(2, low=720, high=900)),), "a logit of exactly 0": (g.normal(3) * 0,)},
    hints=("For a ≠ 0 write the quotient as it stands: that earns most of the points. At 0 it is 0/0.", "Near 0, a / tanh(a/2) ≈ 2 + a²/6. Choose between the two with `torch.where`; but `where` lets a NaN gradient of the branch it does not take through.", "So give the branch that is not taken a harmless logit: `safe = torch.where(near, torch.ones_like(logits), logits)`."))
def log_normaliser(logits):
    near = logits.abs() < 1e-3
    safe = torch.where(near, torch.ones_like(logits), logits)
    return torch.where(near, math.log(2) + logits**2 / 12, torch.log(safe / torch.tanh(safe / 2)))

log_normaliser.known([
    lambda logits: torch.where(n := logits.abs() < 1e-4, math.log(2) + logits.square() / 12, (s := torch.where(n, 1.0, logits)).abs().log() - (s.abs() / 2).tanh().log()),
    lambda logits: torch.where(n := logits.abs() < 1e-3, (2 + logits**2 / 6).log(), (s := torch.where(n, 1.0, logits.abs())).log() + torch.log1p(torch.exp(-s)) - torch.log(-torch.expm1(-s))),
    lambda logits: torch.where(n := logits.abs() < 1e-3, math.log(2) + (logits / 2) ** 2 / 3, -torch.log(torch.tanh((s := torch.where(n, 1.0, logits)) / 2) / s)),
], {
    "Right, but at a logit of 0 this is 0/0, and one NaN ends a training. The quotient has a limit there: what is it?": _constant,
    "The value at 0 is repaired, its gradient is not: `torch.where` multiplies the unused branch's infinite slope by 0, which is NaN. Make the unused branch's input harmless.": lambda a: torch.where(a == 0, math.log(2), _constant(a)),
    "That is the logarithm of the integral, −log C: turn the sign.": lambda a: -_constant(torch.where(a.abs() < 1e-6, 1e-6, a)),
    "This is C. The log-likelihood wants its logarithm.": lambda a: a / torch.tanh(a / 2),
    "The tangent hyperbolic takes half the logit: check the value for a logit of 2 against the integral.": lambda a: torch.log(a / torch.tanh(a)),
    "For a negative logit, a/tanh(a/2) is a quotient of two negative numbers; taking the logarithm of each alone gives NaN. Use the magnitude.": lambda a: a.log() - torch.tanh(a / 2).log(),
    "Right for moderate logits, but exp(800) overflows. Write the quotient with tanh, which does not.": lambda a: torch.log(a * (a.exp() + 1) / (a.exp() - 1)),
})

@function("elbo_vae.iwae", points=2, gradients=("log_w",),
    draw=lambda g: {"values": (g.normal(5, 4),), "one draw": (g.normal(1, 3),), "log weights near −2000": (g.normal(4, 2) - 2000,), "log weights near 2000": (g.normal(3, 2) + 2000,)},
    hints=("Mean of the weights first, logarithm last. The weights themselves are too small for a float: they stay logarithms.", "`torch.logsumexp(log_w, 0)` is log Σ w. What turns a sum of K into a mean, after the logarithm?", "`- math.log(len(log_w))`"))
def iwae(log_w):
    return torch.logsumexp(log_w, 0) - math.log(len(log_w))

iwae.known([
    lambda log_w: (log_w - (top := log_w.max(0).values)).exp().mean(0).log() + top, lambda log_w: torch.logsumexp(log_w - math.log(log_w.shape[0]), dim=0),
    lambda log_w: log_w[0] - log_w.log_softmax(0)[0] - math.log(len(log_w)),
], {
    "That is the mean of the logarithms: the ELBO again, with K draws. Here the weights are averaged *before* the logarithm.": lambda w: w.mean(0),
    "The sum of the weights; a mean divides by K, which is a subtraction after the logarithm.": lambda w: torch.logsumexp(w, 0),
    "Right on paper, but exp(−2000) is 0 and exp(2000) infinite in floating point: keep logarithms (logsumexp).": lambda w: w.exp().mean(0).log(),
    "This averages over the pictures. The K draws for one picture lie along the first axis.": lambda w: torch.logsumexp(w, 1) - math.log(w.shape[1]),
    "log K is added. Dividing by K makes the logarithm smaller.": lambda w: torch.logsumexp(w, 0) + math.log(len(w)),
    "That is the mean weight itself. The bound is on log p(x).": lambda w: w.exp().mean(0),
    "The best draw alone. A mean counts the other K − 1 too.": lambda w: w.max(0).values,
})

@function("elbo_vae.free_bits", points=1, gradients=("entries",),
    draw=lambda g: {"values": (g.uniform(6, 4, high=1.2), 0.6), "all below": (g.uniform(3, 2, high=0.4), 0.5), "one picture": (g.uniform(1, 5), 0.4), "nothing free": (g.uniform(4, 3), 0.0)},
    hints=("Three steps, in this order: mean over the batch, at least `floor`, sum over the entries.", "`x.clamp(min=floor)` is max(x, floor), with gradient 0 where the floor holds."))
def free_bits(entries, floor):
    return entries.mean(0).clamp(min=floor).sum()

free_bits.known([
    lambda entries, floor: torch.maximum(m := entries.mean(0), torch.full_like(m, floor)).sum(), lambda entries, floor: (torch.relu(entries.sum(0) / len(entries) - floor) + floor).sum(),
    lambda entries, floor: sum(torch.clamp(column.mean(), min=floor) for column in entries.T),
], {
    "The floor is laid under every picture's KL. A picture may well need nothing of an entry; only the mean over the batch is held up.": lambda e, f: e.clamp(min=f).mean(0).sum(),
    "The floor is laid under the sum of all entries: one busy entry then pays for all the others, and they may collapse.": lambda e, f: e.mean(0).sum().clamp(min=f),
    "clamp(max=…) cuts the large ones off. The floor holds the small ones up.": lambda e, f: e.mean(0).clamp(max=f).sum(),
    "The floor is subtracted: the gradient is right, but every entry's price comes out `floor` too small. Return the KL, at least `floor` per entry.": lambda e, f: torch.relu(e.mean(0) - f).sum(),
    "One number is wanted: sum over the latent entries at the end.": lambda e, f: e.mean(0).clamp(min=f),
    "The mean over the latent entries; their KLs add up.": lambda e, f: e.mean(0).clamp(min=f).mean(),
    "The sum over the batch instead of its mean: the floor would shrink with the batch.": lambda e, f: e.sum(0).clamp(min=f).sum(),
})

def log_joint(x, z):
    """log p(x, z) of the challenge's model: z (..., N), x (N, 2)."""
    mean = torch.stack([2 * torch.sin(1.5 * z), z**2], -1)
    return -0.5 * (z**2 + ((x - mean) / 0.5).square().sum(-1)) - 1.5 * math.log(2 * math.pi) - 2 * math.log(0.5)

def _seen(n=64):
    g = Draw(12)
    z = g.normal(n)
    return torch.stack([2 * torch.sin(1.5 * z), z**2], -1) + 0.5 * g.normal(n, 2)

_x = _seen()
_grid = torch.linspace(-6, 6, 4801, dtype=torch.float64, device=_x.device)
_joint = log_joint(_x, _grid[:, None].expand(-1, len(_x)))
_log_p = torch.logsumexp(_joint, 0) + math.log(12 / 4800)

def gap(code):
    """Mean KL(q || posterior) in nats by quadrature; code (N, 2) holds mu and log sigma^2."""
    mu, logvar = code.to(_x).T
    logvar = logvar.clamp(-8, 4)  # what the grid can carry
    log_q = -0.5 * ((_grid[:, None] - mu).square() / logvar.exp() + logvar + math.log(2 * math.pi))
    return ((log_q.exp() * (log_q - _joint + _log_p)).sum(0) * 12 / 4800).mean().item()

@challenge("elbo_vae.infer", points=2, ask=(_x,), shape=(64, 2), goal=0.04, half=0.4, unit="mean gap log p(x) − ELBO in nats", metric=gap,
    hints=("Make mu and logvar leaf tensors with `requires_grad_()`, and climb the mean of log_joint(x, z) − log q(z) over fixed ε with Adam.", "The posterior may have two hills, and a q that starts between them climbs the nearer one. Start several q's per x, such as mu from −2.5 to 2.5, and keep the best.", "Instead of random ε, take the quantiles of N(0, 1) at (i + ½)/n, `torch.special.ndtri`: no noise, and 50 suffice."))
def infer(x):
    eps = torch.special.ndtri((torch.arange(50).to(x) + 0.5) / 50)[:, None, None]
    mu = torch.linspace(-2.5, 2.5, 7).to(x)[:, None].repeat(1, len(x)).requires_grad_()  # seven starts for every x
    logvar = torch.full_like(mu, -3.0).requires_grad_()
    optimizer = torch.optim.Adam([mu, logvar], 0.05)
    for _ in range(250):
        bound = log_joint(x, mu + torch.exp(0.5 * logvar) * eps).mean(0) + 0.5 * logvar  # the entropy of q, but for a constant
        optimizer.zero_grad()
        (-bound.sum()).backward()
        optimizer.step()
    best = bound.argmax(0, keepdim=True)
    return torch.stack([mu.gather(0, best)[0], logvar.gather(0, best)[0]], 1)

def _by_grid(x, one_hill):
    log_p = log_joint(x, _grid[:, None].expand(-1, len(x)))
    p = torch.softmax(log_p, 0)
    top = _grid[log_p.argmax(0)]
    near = torch.where((_grid[:, None] - top).abs() < (0.6 if one_hill else 99), p, 0.0)
    near = near / near.sum(0)
    mean = (near * _grid[:, None]).sum(0)
    return torch.stack([mean, (near * (_grid[:, None] - mean) ** 2).sum(0).log()], 1)

def _climb(x, start=0.0, wide=-3.0, entropy=0.5):
    eps = torch.special.ndtri((torch.arange(20).to(x) + 0.5) / 20)[:, None]
    mu, logvar = (torch.full((len(x),), v).to(x).requires_grad_() for v in (start, wide))
    optimizer = torch.optim.Adam([mu, logvar], 0.1)
    for _ in range(150):
        bound = log_joint(x, mu + torch.exp(0.5 * logvar) * eps).mean(0) + entropy * logvar
        optimizer.zero_grad()
        (-bound.sum()).backward()
        optimizer.step()
    return torch.stack([mu, logvar], 1).detach()

def _best(x, starts):
    codes = [_climb(x, start) for start in starts]
    eps = torch.special.ndtri((torch.arange(99).to(x) + 0.5) / 99)[:, None]
    bounds = torch.stack([log_joint(x, m + (0.5 * v).exp() * eps).mean(0) + 0.5 * v for m, v in (c.T for c in codes)])
    return torch.stack(codes)[bounds.argmax(0), torch.arange(len(x))]

infer.known([lambda x: _by_grid(x, True), lambda x: _best(x, (-2.2, -1.1, 0.0, 1.1, 2.2)), lambda x: _best(x, (-1.6, -0.6, 0.6, 1.6))], {
    "That is the prior for every x: it has not looked at x at all.": lambda x: torch.zeros(len(x), 2).to(x),
    "Without the entropy ½·log σ² the bound wants σ → 0: every q shrinks to the top of its hill. Subtract log q(z).": lambda x: _climb(x, entropy=0.0),
    "One narrow q per x that starts at 0 climbs the nearest hill, which is not always the highest. Start several.": lambda x: _climb(x),
    "Mean and variance of the whole posterior: where it has two hills, this q covers the valley between them. KL(q ‖ posterior) would rather have one hill.": lambda x: _by_grid(x, False),
    "The second column holds σ. log σ² is asked for.": lambda x: torch.stack([(c := _by_grid(x, True))[:, 0], (0.5 * c[:, 1]).exp()], 1),
})
