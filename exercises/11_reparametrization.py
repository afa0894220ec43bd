"""Lecture 11: from (μ, log σ²) to z, two gradient estimators, a baseline, a truncated normal, and an encoder."""

import math

import torch
from torch import nn
from torch.distributions import Normal
from torch.special import log_ndtr, ndtr, ndtri

from course_lib.exercises.kinds import challenge, choice, function, module, value
from course_lib.exercises.spec import Draw

# tables: a mistake and its sentence on a line each
# fmt: off


predict = choice(
    "reparametrization.predict", "prediction", "c",
    why="`sample` hands out numbers without a history: y has no grad_fn, and PyTorch says so. Be glad of the error: other ways to draw, met below, are silent.",
    wrong={
        "a": "2 is the slope of the expectation E[z²] = μ² + σ². But backward() knows only the operations between μ and y. Is a draw one of them?",
        "b": "A gradient of 0 needs a path from y to μ along which the slope is 0. Is there any path left after `sample`?",
        "d": "mu.grad does stay None, but not in silence: what does backward() do with a y that depends on nothing that requires a gradient?",
        "e": "That is what `rsample` would give. `sample` draws from the same distribution; what differs is what it records.",
    },
    hints=("`sample` draws under `torch.no_grad()`.", "So z is a plain tensor, as if read from a file. What can backward() do with the mean of a file?"),
)

@function("reparametrization.reparametrize", points=2, gradients=("mu", "logvar"),
    draw=lambda g: {
        "values": (g.normal(4, 3), g.normal(4, 3), g.normal(4, 3)), "five draws per row": (g.normal(4, 3), g.normal(1, 3), g.normal(5, 4, 3)),
        "one row": (g.normal(1, 2), g.normal(1, 2), g.normal(1, 2)), "log σ² of −800": (g.normal(1, 2), g.normal(1, 2) * 0 - 800, g.normal(1, 2)),
    },
    hints=("z = μ + σ·ε. You are given log σ², so σ is one exponential away.", "σ = (σ²)^½. Pull the ½ into the exponent: exp(½ · …).", "`torch.exp(0.5 * logvar)` is σ."))
def reparametrize(mu, logvar, eps):
    return mu + torch.exp(0.5 * logvar) * eps

reparametrize.known([lambda mu, logvar, eps: torch.addcmul(mu, (logvar / 2).exp(), eps), lambda mu, logvar, eps: eps * torch.e ** (logvar / 2) + mu, lambda mu, logvar, eps: eps.mul((0.5 * logvar).exp()).add(mu)], {
    "exp(logvar) is the variance σ², and the noise wants σ: you read log σ² as if it were log σ. Half a logarithm is the logarithm of the root.": lambda m, v, e: m + v.exp() * e,
    "½·σ² is not the root of σ². Where does the ½ have to stand to halve the logarithm?": lambda m, v, e: m + 0.5 * v.exp() * e,
    "logvar is a logarithm and may be negative; it cannot be a width. An exponential is missing.": lambda m, v, e: m + v * e,
    "The sign in the exponent is wrong: this multiplies by 1/σ, so the surest encoder would shake the most.": lambda m, v, e: m + (-0.5 * v).exp() * e,
    "The values are right, but σ is cut off from logvar: an encoder could never learn how sure to be. Keep logvar in the graph.": lambda m, v, e: m + (0.5 * v.detach()).exp() * e,
    "Right for moderate logvar. At −800 σ² rounds to 0, where a root is infinitely steep, and the gradient is NaN: halve the logarithm instead of taking a root.": lambda m, v, e: m + v.exp().sqrt() * e,
})

@module("reparametrization.encoder", points=2,
    draw=lambda g: {"values": ((6, 16, 3), g.normal(5, 6)), "another size": ((4, 24, 2), g.normal(7, 4)), "a batch of one": ((5, 48, 2), g.normal(1, 5))},
    hints=("One hidden layer feeds two heads: two more `nn.Linear`, both from `hidden` to `latent`.", "logvar may be any real number, so its head needs no activation.", "`h = self.body(x)`, then `return self.mu(h), self.logvar(h)`."))
class GaussianEncoder(nn.Module):
    def __init__(self, inputs, hidden, latent):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU())
        self.mu = nn.Linear(hidden, latent)
        self.logvar = nn.Linear(hidden, latent)

    def forward(self, x):
        h = self.body(x)
        return self.mu(h), self.logvar(h)

def _encoder(forward, head=nn.Linear):
    def build(self, inputs, hidden, latent):
        nn.Module.__init__(self)
        self.body, self.mu, self.logvar = nn.Linear(inputs, hidden), nn.Linear(hidden, latent), head(hidden, latent)

    return type("Net", (nn.Module,), {"__init__": build, "forward": lambda self, x: forward(self, self.body(x).tanh())})

GaussianEncoder.known([
    _encoder(lambda self, h: (self.mu(h), self.logvar(h))), _encoder(lambda self, h: (self.logvar(h), self.mu(h.relu()))),
    _encoder(lambda self, h: nn.functional.linear(h, torch.cat([self.mu.weight, self.logvar.weight]), torch.cat([self.mu.bias, self.logvar.bias])).chunk(2, -1)),
], {
    "This encoder gives one point per x. q(z|x) is a distribution: how wide it is has to come out as well.": _encoder(lambda self, h: self.mu(h)),
    "Both outputs come from one head, so logvar would equal mu for every x. Give logvar a head of its own.": _encoder(lambda self, h: (self.mu(h), self.mu(h)), lambda h, z: None),
    "z is drawn in here. Return the pair (mu, logvar), and leave the draw to `reparametrize`.": _encoder(lambda self, h: (m := self.mu(h)) + (0.5 * self.logvar(h)).exp() * torch.randn_like(m)),
    "Three tensors come out. Return only the pair (mu, logvar); z is drawn outside.": _encoder(lambda self, h: (m := self.mu(h), v := self.logvar(h), m + (0.5 * v).exp() * torch.randn_like(m))),
    "The two halves come as one tensor. Return a pair (mu, logvar), for example with `.chunk(2, -1)`.": _encoder(lambda self, h: torch.cat([self.mu(h), self.logvar(h)], -1)),
    "logvar is one number per x. Every latent dimension has its own width.": _encoder(lambda self, h: (self.mu(h), self.logvar(h)), lambda h, z: nn.Linear(h, 1)),
    "The head for logvar is made but not used: no gradient reaches it.": _encoder(lambda self, h: (self.mu(h), torch.zeros_like(self.mu(h)))),
    "The same x comes out differently alone and in a batch. Either rows are mixed, or z is drawn in here: return (mu, logvar), and draw outside.": _encoder(lambda self, h: (self.mu(h - h.mean(0)), self.logvar(h))),
})

def _three(g):
    return {label: (g.normal(), g.uniform(low=0.5, high=2), g.normal(n)) for label, n in (("values", 6), ("one sample", 1))}

@function("reparametrization.pathwise", draw=_three, hints=("Write z = μ + σ·ε and differentiate z² by the chain rule: ∂f/∂z · ∂z/∂μ.", "∂f/∂z = 2z, taken at the sample; ∂z/∂μ = 1."))
def pathwise(mu, sigma, eps):
    return 2 * (mu + sigma * eps)

pathwise.known([
    lambda mu, sigma, eps: 2 * mu + 2 * sigma * eps, lambda mu, sigma, eps: torch.autograd.grad((z := (mu + sigma * eps).requires_grad_()).square().sum(), z)[0],
    lambda mu, sigma, eps: torch.func.vmap(torch.func.grad(lambda m, e: (m + sigma * e) ** 2), (None, 0))(mu, eps),
], {
    "2μ is what the estimates average to. An estimate per sample takes the slope at its own z = μ + σ·ε.": lambda m, s, e: 2 * m + 0 * e,
    "Without μ the slope is taken at σ·ε. Take it at the sample, z = μ + σ·ε.": lambda m, s, e: 2 * s * e,
    "2ε is the slope of f at the noise. Take it at the sample, z = μ + σ·ε.": lambda m, s, e: 2 * e,
    "This is the value f(z) = z². What is its slope?": lambda m, s, e: (m + s * e) ** 2,
    "The last factor ε is ∂z/∂σ: this is the slope in σ. In μ, ∂z/∂μ is simpler.": lambda m, s, e: 2 * (m + s * e) * e,
    "The last factor σ is ∂z/∂ε. The noise is not what is learned: you need ∂z/∂μ.": lambda m, s, e: 2 * (m + s * e) * s,
    "The average is right. Return one estimate per sample, shape (n,): their spread is what this lecture measures.": lambda m, s, e: (2 * (m + s * e)).mean(),
})

@function("reparametrization.score_function", draw=_three, hints=("Differentiate log q(z) = −(z − μ)²/(2σ²) − log σ + const by μ, at fixed z.", "∂log q/∂μ = (z − μ)/σ². Weight it by f(z)."))
def score_function(mu, sigma, z):
    return z**2 * (z - mu) / sigma**2

score_function.known([lambda mu, sigma, z: (z / sigma) ** 2 * (z - mu), lambda mu, sigma, z: z.square() * ((z - mu) / sigma) / sigma, lambda mu, sigma, z: z**2 * torch.autograd.grad(Normal(m := mu.expand_as(z).clone().requires_grad_(), sigma).log_prob(z).sum(), m)[0]], {
    "A σ is missing: differentiate −(z − μ)²/(2σ²) by μ.": lambda m, s, z: z**2 * (z - m) / s,
    "The score is here, its weight f(z) is not: without f the estimates average to 0.": lambda m, s, z: (z - m) / s**2,
    "f(z) is multiplied by log q itself. Only its derivative by μ belongs here.": lambda m, s, z: z**2 * Normal(m, s).log_prob(z),
    "The sign is wrong: where z lies above μ, raising μ makes z more likely.": lambda m, s, z: z**2 * (m - z) / s**2,
    "2z is the slope of f, which the score function never needs: it weighs the score by the value f(z).": lambda m, s, z: 2 * z * (z - m) / s**2,
})

score_variance = value("reparametrization.score_variance", "score_variance", 30.0, spellings=[30, torch.tensor(30.0)], wrong={
    34: "That is the second moment E[g²]. A variance has the squared mean taken off. What is the mean here?",
    32: "The mean was taken off as it is. A variance is E[g²] − (E[g])².",
    24: "24 adds the variances of ε, 2ε², and ε³ as if these were uncorrelated. What is E[ε · ε³]?",
    4: "That is 4σ², the variance of the pathwise estimate.",
    5.477: "That is the standard deviation. The variance is wanted.",
}, hints=("At μ = σ = 1 an estimate is (1 + ε)²·ε = ε + 2ε² + ε³.", "Odd moments of ε are 0; E[ε²], E[ε⁴], E[ε⁶] are 1, 3, 15.", "E[(ε + 2ε² + ε³)²] = 1 + (4 + 2)·3 + 15 = 34. Take the squared mean off."))

@function("reparametrization.leave_one_out", points=2,
    draw=lambda g: {"values": (g.normal(5, 3),), "two draws": (g.normal(2, 4),), "one column": (g.normal(4, 1),), "costs near a million": (1e6 + g.normal(6, 2),)},
    hints=("For row k you need the sum of all rows without row k, divided by how many those are.", "`f.sum(0)` is the sum of all rows; subtract `f` and every row is taken out of its own sum.", "K − 1 rows are left: `len(f) - 1`."))
def leave_one_out(f):
    return (f.sum(0) - f) / (len(f) - 1)

leave_one_out.known([lambda f: torch.stack([torch.cat([f[:k], f[k + 1 :]]).mean(0) for k in range(len(f))]), lambda f: (1 - torch.eye(len(f)).to(f)) @ f / (len(f) - 1), lambda f: f.mean(0) + (f.mean(0) - f) / (len(f) - 1)], {
    "The mean contains the sample's own value: the baseline leans on the very draw it must be blind to, and shrinks the gradient to (K − 1)/K. Leave row k out.": lambda f: f.mean(0, keepdim=True).expand_as(f),
    "This is one number per column, shape (B,). Every draw needs a baseline of its own, without its own cost.": lambda f: f.mean(0),
    "Row k is left out of the sum, but the sum is still divided by K. How many rows are left?": lambda f: (f.sum(0) - f) / len(f),
    "This is f minus its baseline. Return the baseline itself; the notebook subtracts it.": lambda f: f - (f.sum(0) - f) / (len(f) - 1),
    "This averages along the batch, that is, over other x. The K draws for one x lie along the first axis.": lambda f: (f.sum(1, keepdim=True) - f) / (f.shape[1] - 1),
    "One number for the whole batch: every x (every column) has its own level of cost. Average along the first axis only.": lambda f: f.mean().expand_as(f),
})

def _interval(g, low, high, wide, *draws):
    mu, sigma = g.normal(12), g.uniform(12, low=0.5, high=2)
    left = mu + sigma * g.uniform(12, low=low, high=high)
    return mu, sigma, left, left + sigma * g.uniform(12, low=0.5 * wide, high=wide), g.uniform(*draws, 12, low=0.01, high=0.99)

@function("reparametrization.truncated_normal", points=3, gradients=("mu", "sigma"),
    draw=lambda g: {
        "values": _interval(g, -2, 0.5, 2), "three draws per row": _interval(g, -2, 0.5, 2, 3), "hardly cut": _interval(g, -32, -30, 120),
        "far in the left tail": _interval(g, -14, -12, 2), "far in the right tail": _interval(g, 9, 10, 2),
    },
    hints=("With p = Φ((low − μ)/σ) and q = Φ((high − μ)/σ), p + u·(q − p) lies evenly between them. Which quantile is that?", "z = μ + σ·Φ⁻¹(p + u·(q − p)); `torch.special.ndtr` is Φ and `torch.special.ndtri` is Φ⁻¹. That is most of the points.", "The tails: `torch.special.log_ndtr(x).exp()` keeps its digits far left. Far right, mirror: with s = −1 use Φ(s·(low − μ)/σ), Φ(s·(high − μ)/σ), and z = μ + s·σ·Φ⁻¹(…)."))
def truncated_normal(mu, sigma, low, high, u):
    side = torch.where(low > mu, -1.0, 1.0)  # right of μ, work with the mirror image: Φ keeps its digits on the left
    p = torch.special.log_ndtr(side * (low - mu) / sigma).exp()
    q = torch.special.log_ndtr(side * (high - mu) / sigma).exp()
    return mu + side * sigma * torch.special.ndtri(p + u * (q - p))

def _cut(phi, m, s, a, b, u):
    return m + s * ndtri(phi((a - m) / s) + u * (phi((b - m) / s) - phi((a - m) / s)))

truncated_normal.known([
    lambda mu, sigma, low, high, u: mu - (s := (low + high - 2 * mu).sign()) * sigma * ndtri(torch.lerp(log_ndtr(-s * (low - mu) / sigma).exp(), log_ndtr(-s * (high - mu) / sigma).exp(), u)),
    lambda mu, sigma, low, high, u: mu + (s := 1.0 - 2.0 * (low > mu)) * _cut(lambda x: torch.erfc(-x / 2**0.5) / 2, 0 * mu, sigma, s * (low - mu), s * (high - mu), u),
], {
    "Right, but for the far right tail: there Φ rounds to 1, and Φ⁻¹(1) is infinite. The left tail keeps its digits, and the normal distribution is symmetric.": lambda *args: _cut(lambda x: log_ndtr(x).exp(), *args),
    "Right within some 5σ of μ. Further out `ndtr`, which PyTorch computes as (1 + erf)/2, has no digits left. On the left `log_ndtr(x).exp()` keeps them; the right tail is the left one in a mirror.": lambda *args: _cut(ndtr, *args),
    "Clamping piles all the mass outside up on the two borders, and no gradient comes back from there.": lambda m, s, a, b, u: torch.minimum(torch.maximum(m + s * ndtri(u), a), b),
    "This is uniform between the borders: the bell, and with it μ and σ, has gone.": lambda m, s, a, b, u: a + u * (b - a),
    "u runs over the whole normal distribution. It has to run from Φ at the lower border to Φ at the upper one.": lambda m, s, a, b, u: m + s * ndtri(u),
    "u·(q − p) starts at 0, that is, at −∞. It has to start at p, the value of Φ at the lower border.": lambda m, s, a, b, u: m + s * ndtri(u * (ndtr((b - m) / s) - ndtr((a - m) / s))),
    "Φ belongs to N(0, 1). Bring the borders to its scale first: (low − μ)/σ.": lambda m, s, a, b, u: m + s * _cut(ndtr, 0, 1, a, b, u),
    "Φ⁻¹ gives a standard normal value. Bring it back to the scale of z with μ and σ.": lambda m, s, a, b, u: _cut(ndtr, 0, 1, (a - m) / s, (b - m) / s, u),
})

_mu, _sigma, _eps = (torch.as_tensor(v, dtype=torch.float64) for v in (0.5, 2.0, Draw(11).normal(200, 1000)))
_x = torch.linspace(-12, 12, 4801, dtype=torch.float64, device="cpu")
_weight, _slope = torch.softmax(-(_x**2) / 2, 0), torch.sigmoid(0.5 + 2.0 * _x)  # the exact mean by quadrature
_truth = (_weight * _slope).sum()

def _equal(estimates):
    return (estimates.max() - estimates.min()).item() < 1e-9

@challenge("reparametrization.low_variance", points=2, ask=(_mu, _sigma, _eps), goal=0.5, half=0.85, unit="squared error relative to the plain pathwise mean",
    metric=lambda estimates: math.inf if _equal(estimates) else (((estimates - _truth) ** 2).mean() / (_weight * (_slope - _truth) ** 2).sum() * 1000).item(),
    hints=("If ε is a draw from N(0, 1), so is −ε.", "Whatever has mean 0 may be subtracted: ε itself has mean 0, and f′(z) rises with it.", "Average f′(μ + σε) and f′(μ − σε): what is odd in ε cancels."))
def low_variance(mu, sigma, eps):
    return (torch.sigmoid(mu + sigma * eps) + torch.sigmoid(mu - sigma * eps)).mean(-1) / 2

low_variance.known([
    lambda mu, sigma, eps: ((g := torch.sigmoid(mu + sigma * eps)) - (g * eps).mean(-1, keepdim=True) * eps).mean(-1), lambda mu, sigma, eps: torch.sigmoid(mu + sigma * ndtri((torch.arange(eps.shape[-1]).to(eps) + ndtr(eps)) / eps.shape[-1])).mean(-1),
    lambda mu, sigma, eps: torch.sigmoid(mu + sigma * (eps - eps.mean(-1, keepdim=True)) / eps.std(-1, keepdim=True)).mean(-1),
], {
    "This is the plain pathwise mean, the yardstick itself. Every ε can be used twice, or serve to subtract something of mean 0.": lambda m, s, e: torch.sigmoid(m + s * e).mean(-1),
    "This is the score function: unbiased, and noisier than the yardstick.": lambda m, s, e: (nn.functional.softplus(m + s * e) * e / s).mean(-1),
    "The slope at μ has no variance at all, and is wrong by its bias: f′ of the mean is not the mean of f′.": lambda m, s, e: torch.sigmoid(m + 0 * e).mean(-1),
    "Half the σ is less noise, but another distribution: the error is now a bias that no number of samples removes.": lambda m, s, e: torch.sigmoid(m + s / 2 * e).mean(-1),
    "All 200 estimates are equal. Every try has the 1000 noise values of its own row, nothing else: no pooling of rows, no quadrature.": (lambda m, s, e: torch.sigmoid(m + s * e).mean().expand(len(e)), lambda outputs: _equal(outputs["artefact"])),
})
