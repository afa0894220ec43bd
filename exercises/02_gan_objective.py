"""Lecture 02: V(D, G) and its maximum, the Jensen-Shannon divergence, both generator losses and their slopes, a first GAN."""

import math

import torch
from torch.nn.functional import logsigmoid, softplus

from course_lib import data, nets
from course_lib.exercises.kinds import challenge, choice, function
from course_lib.exercises.spec import Normal
from course_lib.losses import adversarial
from course_lib.optim import adam, linear_decay

# fmt: off
# one mistake and its sentence per line
EXTREME = torch.tensor([-800.0, -80.0, 0.0, 80.0, 800.0], dtype=torch.float64)

@function("gan_objective.value", gradients=("real", "fake"), points=2, hints=(
    "Two means: log D over the real samples, log(1 − D) over the fakes. D is σ(logit), and 1 − σ(l) = σ(−l).",
    "At l = −800, σ(l) rounds to 0 and its logarithm is −∞. But log σ(l) = −log(1 + e⁻ˡ), and log(1 + eᵃ) is `softplus(a)`.",
    "`-softplus(-real).mean()` is the first term. Which sign does the logit have in the second?",
), draw=lambda g: {
    "values": (g.normal(12, 1, scale=2), g.normal(7, 1, scale=2)),
    "logits of ±80 and ±800": (EXTREME, EXTREME[1:]),
    "one sample each": (g.normal(1, 1), g.normal(1, 1))})
def value(real, fake):
    return -softplus(-real).mean() - softplus(fake).mean()

value.known([lambda r, f: logsigmoid(r).mean() + logsigmoid(-f).mean(), lambda r, f: -adversarial.discriminator(r, f), lambda r, f: (r - softplus(r)).mean() - softplus(f).mean()], {
    "A small number inside the logarithm avoids −∞, but it caps the cost of a sure mistake: the values at ±80 and ±800 are wrong. Take log and σ together, as one softplus.": lambda r, f: (torch.sigmoid(r) + 1e-8).log().mean() + (1 - torch.sigmoid(f) + 1e-8).log().mean(),
    "Right for moderate logits. At ±800 the probability rounds to 0 or 1, and its logarithm is −∞ or its gradient NaN: take log and σ together, as one softplus.": lambda r, f: torch.sigmoid(r).log().mean() + (1 - torch.sigmoid(f)).log().mean(),
    "This is −V, the loss that D minimises. V itself is what D wants large; it is never above 0.": lambda r, f: softplus(-r).mean() + softplus(f).mean(),
    "The second term is log D(G(z)): the fakes are scored as if real. In V they count with log(1 − D).": lambda r, f: -softplus(-r).mean() - softplus(-f).mean(),
    "The first term is log(1 − D) of the real samples: they are scored as if fake. In V they count with log D.": lambda r, f: -softplus(r).mean() - softplus(f).mean(),
    "The first term has the wrong sign: log D(x) is never above 0, and D wants it large.": lambda r, f: softplus(-r).mean() - softplus(f).mean(),
    "The second term has the wrong sign: log(1 − D(G(z))) is never above 0, and D wants it large.": lambda r, f: -softplus(-r).mean() + softplus(f).mean(),
    "Real and fake have changed places: this D is rewarded for calling the fakes real.": lambda r, f: -softplus(-f).mean() - softplus(r).mean(),
    "One mean over all samples together. V is a sum of two expectations, each with a mean of its own (the two batches may differ in size).": lambda r, f: -torch.cat([softplus(-r), softplus(f)]).mean(),
    "These are sums. An expectation is a mean, or V would grow with the batch.": lambda r, f: -softplus(-r).sum() - softplus(f).sum(),
    "Logits run from −∞ to ∞; they are not probabilities. Take D = σ(logit) before the logarithm.": lambda r, f: r.log().mean() + (1 - f).log().mean()})

@function("gan_objective.optimal_discriminator", points=2, hints=(
    "At one x, D may be any number between 0 and 1. It wants p log D + q log(1 − D) large: set the derivative with respect to D to zero.",
    "p/D = q/(1 − D), and so D* = p/(p + q). `p` and `q` are functions: call them.",
    "`torch.where(condition, a, 0.5)` gives ½ wherever the condition is false.",
), draw=lambda g: {
    "values": (g.normal(9, scale=2), Normal(g.number(-1, 0), g.number(0.8, 1.2)), Normal(g.number(0.5, 2), g.number(1.3, 2))),
    "p = q": (g.normal(5), Normal(0.5, 1.5), Normal(0.5, 1.5)),
    "far out, where p and q underflow to 0": (EXTREME / 10, Normal(0.0, 1.0), Normal(1.0, 0.7)),
    "a single x": (g.normal(), Normal(-1.0, 0.8), Normal(1.0, 1.2))})
def optimal_discriminator(x, p, q):
    real, fake = p(x), q(x)
    return torch.where(real + fake > 0, real / (real + fake), 0.5)

optimal_discriminator.known([lambda x, p, q: (p(x) / (p(x) + q(x))).nan_to_num(0.5), lambda x, p, q: (1 - q(x) / (p(x) + q(x))).nan_to_num(0.5), lambda x, p, q: torch.where(p(x) + q(x) == 0, 0.5, torch.sigmoid(p(x).log() - q(x).log()))], {
    "`p` and `q` are functions, and functions cannot be added. Call them: `p(x)` is the density at every element of x.": lambda x, p, q: p / (p + q),
    "Right wherever there is mass. But far out both densities underflow to 0, and 0/0 is NaN: one such x would spoil every sum. Return ½ there.": lambda x, p, q: p(x) / (p(x) + q(x)),
    "Right near the data. Far out, the small number added below the line wins, and D says 0, \"surely fake\"; but nothing is known there. Return ½ where p + q = 0, and add nothing.": lambda x, p, q: p(x) / (p(x) + q(x) + 1e-12),
    "This is q/(p + q), the probability that x is *fake*. D says how probable it is that x is real.": lambda x, p, q: (q(x) / (p(x) + q(x))).nan_to_num(0.5),
    "This is the ratio p/q, any positive number. Its logarithm would be the best *logit*; what is wanted is a probability.": lambda x, p, q: p(x) / q(x),
    "This is log p − log q, the best *logit*. Put it through σ.": lambda x, p, q: p(x).log() - q(x).log(),
    "σ wants the logarithm of the ratio p/q here, not the difference p − q.": lambda x, p, q: torch.sigmoid(p(x) - q(x)),
    "A D that says 1 wherever p is larger and 0 elsewhere classifies well, yet one sample on the wrong side costs it −∞. V rewards honest probabilities.": lambda x, p, q: (p(x) > q(x)).to(x)})

def densities(g, n, empty=0):
    """Two densities and unequal weights with (weight * p).sum() = 1; `empty` places where p is 0, and as many where q is."""
    p, q, weight = (g.uniform(n, low=0.1) for _ in range(3))
    p[:empty], q[n - empty :] = 0, 0
    return p / (weight * p).sum(), q / (weight * q).sum(), weight

@function("gan_objective.jsd", points=2, hints=(
    "First the middle m = (p + q)/2, then two divergences: KL(p‖m) = ∫ p log(p/m) dx, and the same for q. JSD is their mean.",
    "The integral is a sum: `(weight * integrand).sum()`. Where p = 0 the integrand is 0, but `0 * torch.log(0)` is NaN.",
    "`torch.xlogy(a, b)` is a·log b, with 0·log 0 = 0. Write p log(p/m) as `torch.xlogy(p, p) - torch.xlogy(p, m)`.",
), draw=lambda g: {
    "values": densities(g, 40), "densities with zeros": densities(g, 30, empty=8), "no overlap at all": densities(g, 20, empty=10),
    "p = q": (densities(g, 20)[0],) * 2 + (g.uniform(20),)})
def jsd(p, q, weight):
    middle = (p + q) / 2
    to_p = (weight * (torch.xlogy(p, p) - torch.xlogy(p, middle))).sum()
    to_q = (weight * (torch.xlogy(q, q) - torch.xlogy(q, middle))).sum()
    return (to_p + to_q) / 2

def kl(p, q, weight):
    return (weight * (torch.xlogy(p, p) - torch.xlogy(p, q))).sum()

jsd.known([lambda p, q, w: kl(p, (p + q) / 2, w / 2) + kl(q, (p + q) / 2, w / 2), lambda p, q, w: sum((w * (a * (2 * a / (p + q)).log()).nan_to_num()).sum() for a in (p, q)) / 2, lambda p, q, w: (w * (torch.special.entr((p + q) / 2) - torch.special.entr(p) / 2 - torch.special.entr(q) / 2)).sum()], {
    "Right while both densities are positive. Where one is zero, 0·log 0 came out as NaN; its limit is 0, and `torch.xlogy` knows that.": lambda p, q, w: 0.5 * (w * (p * (2 * p / (p + q)).log() + q * (2 * q / (p + q)).log())).sum(),
    "This is KL(p‖q), which compares p with q itself and is infinite where only q is 0. JSD compares both with the middle m.": kl,
    "The mean of KL(p‖q) and KL(q‖p) is symmetric too, but infinite without overlap. JSD compares both with the middle m.": lambda p, q, w: (kl(p, q, w) + kl(q, p, w)) / 2,
    "Twice as large: JSD is the *mean* of the two divergences, at most log 2.": lambda p, q, w: kl(p, (p + q) / 2, w) + kl(q, (p + q) / 2, w),
    "The middle is the mean of p and q. With their sum the result is too small by log 2, and negative at p = q.": lambda p, q, w: (kl(p, p + q, w) + kl(q, p + q, w)) / 2,
    "The weights are missing: an integral is a sum of height × width.": lambda p, q, w: jsd.reference(p, q, torch.ones_like(w)),
    "This is in bits. V is in nats, so the identity wants natural logarithms.": lambda p, q, w: jsd.reference(p, q, w) / math.log(2)})

@function("gan_objective.generator_losses", gradients=("fake",), points=2, hints=(
    "G minimises each. Saturating: the one term of V that G can move, log(1 − D(G(z))). Non-saturating: −log D(G(z)).",
    "log(1 − σ(l)) = −softplus(l), and −log σ(l) = softplus(−l).",
    "The saturating one is `-softplus(fake).mean()`; in the other, two signs differ.",
), draw=lambda g: {"values": (g.normal(9, 1, scale=2),), "logits of ±80 and ±800": (EXTREME,), "one sample": (g.normal(1, 1),)})
def generator_losses(fake):
    saturating = -softplus(fake).mean()
    nonsaturating = softplus(-fake).mean()
    return saturating, nonsaturating

generator_losses.known([lambda f: (logsigmoid(-f).mean(), -logsigmoid(f).mean()), lambda f: (adversarial.minimax(f), adversarial.nonsaturating(f)), lambda f: (-softplus(f).mean(), (softplus(f) - f).mean())], {
    "Right for moderate logits. At ±800 the logarithm of a rounded 0 is −∞, and the gradient is not a number: take log and σ together, as one softplus.": lambda f: ((1 - torch.sigmoid(f)).log().mean(), -torch.sigmoid(f).log().mean()),
    "The two have changed places: the saturating loss comes first, the term log(1 − D) out of V.": lambda f: (softplus(-f).mean(), -softplus(f).mean()),
    "The saturating loss has the wrong sign: −log(1 − D) is what D minimises, so this G would help D.": lambda f: (softplus(f).mean(), softplus(-f).mean()),
    "The non-saturating loss has the wrong sign: log D(G(z)) is to become large, so the loss is minus that.": lambda f: (-softplus(f).mean(), -softplus(-f).mean()),
    "The second is the first with its sign turned. The non-saturating loss uses the other logarithm, log D.": lambda f: (-softplus(f).mean(), softplus(f).mean()),
    "The values are right, but `.detach()` or `.item()` cut the gradient: G could learn nothing from this.": lambda f: (-softplus(f.detach()).mean(), softplus(-f.detach()).mean())})

@function("gan_objective.gradients", points=2, hints=(
    "Every one of the four losses is a softplus, up to signs, and the slope of softplus is σ.",
    "With D = σ(l): softplus(−l) has the slope D − 1, softplus(l) has D, −softplus(l) has −D. Which loss is which?",
    "Test the signs: a step goes *against* the gradient. D wants real logits up and fake ones down; G wants fake ones up, with either loss.",
), draw=lambda g: {
    "values": (g.normal(6, 1, scale=2), g.normal(6, 1, scale=2)), "logits of ±80 and ±800": (EXTREME, EXTREME.flip(0)), "one sample each": (g.normal(1, 1), g.normal(1, 1))})
def gradients(real, fake):
    d_real, d_fake = torch.sigmoid(real), torch.sigmoid(fake)
    return d_real - 1, d_fake, -d_fake, d_fake - 1

def signed(*signs):
    return lambda r, f: tuple(sign * slope for sign, slope in zip(signs, gradients.reference(r, f), strict=True))

gradients.known([lambda r, f: (-torch.sigmoid(-r), torch.sigmoid(f), -torch.sigmoid(f), -torch.sigmoid(-f)), lambda r, f: (-1 / (1 + r.exp()), 1 / (1 + (-f).exp()), -1 / (1 + (-f).exp()), -1 / (1 + f.exp())), lambda r, f: tuple(torch.func.grad(lambda t, a=a, b=b: (a * softplus(b * t)).sum())(x) for a, b, x in ((1, -1, r), (1, 1, f), (-1, 1, f), (1, -1, f)))], {
    "The first two are gradients of V, which D climbs. Its *loss* is −V: turn both signs.": signed(-1, -1, 1, 1),
    "All four have the wrong sign. A step goes against the gradient, and each player wants its own loss small.": signed(-1, -1, -1, -1),
    "These are sizes without signs. A step goes against the gradient: which logits should rise?": lambda r, f: tuple(slope.abs() for slope in gradients.reference(r, f)),
    "The saturating one has the wrong sign: G wants the very logit up that D wants down.": signed(1, 1, -1, 1),
    "The non-saturating one has the wrong sign: with either loss, G wants the logits of fakes up.": signed(1, 1, 1, -1),
    "These are slopes of the means. Each sample on its own: do not divide by n.": lambda r, f: tuple(slope / slope.numel() for slope in gradients.reference(r, f)),
    "The two generator losses have changed places: the saturating one, out of V, fades where D is near 0.": lambda r, f: tuple(gradients.reference(r, f)[i] for i in (0, 1, 3, 2)),
    "These are slopes with respect to D. For the logit, multiply by dD/dl = D(1 − D) and cancel on paper.": lambda r, f: (-1 / torch.sigmoid(r), 1 / torch.sigmoid(-f), -1 / torch.sigmoid(-f), -1 / torch.sigmoid(f))})

predict = choice("gan_objective.predict", "prediction", "c", hints=("What is D* = p/(p + q) where q = p?", "Put D = ½ into both terms of V. Could any other D score more?"),
    why="At q = p the best D there is, D*, says ½ everywhere, and V = 2·log ½ = −log 4. So a low V need not mean a bad D; with D*, it means little to find. The next cells test it.",
    wrong={
        "a": "V = 0 means that D is never fooled: D(real) = 1 and D(fake) = 0. Then G has failed.",
        "b": "What would the *best possible* D say about an x that is as often real as fake?",
        "d": "V falls towards −∞ only where D is confidently wrong. A D that keeps learning would rather say ½, and that costs a finite amount.",
        "e": "−log 2 is one term, log ½. V has two of them."})

THREE = data.Gaussians([[-2.0], [0.5], [2.0]], 0.4, torch.tensor([0.3, 0.5, 0.2]))
REAL = next(THREE.batches(4096))

def copies(samples):
    return torch.isin(samples.float(), REAL.cpu()).double().mean().item() > 0.01

def wasserstein(samples):
    """Area between the two cumulative curves, of samples (n, 1) and of the exact distribution; copied data earns nothing."""
    x = torch.linspace(-8, 8, 3201, dtype=torch.float64, device="cpu")
    exact = torch.special.ndtr((x.unsqueeze(1) - THREE.centers.cpu().T) / THREE.std) @ THREE.weights.cpu().double()
    share = torch.searchsorted(samples.flatten().sort().values, x, right=True) / samples.numel()
    return math.inf if copies(samples) else ((exact - share).abs().sum() * 0.005).item()

@challenge("gan_objective.first_gan", metric=wasserstein, goal=0.15, half=0.25, unit="Wasserstein distance", ask=(REAL,), shape=tuple(REAL.shape), seconds=40.0, points=3, hints=(
    "All of it is in the training cell above; leave out the dimension of the seeds: `nets.mlp(4, 32, 32, 1)`. About 1500 steps take two seconds.",
    "A batch of real points is `real[torch.randint(len(real), (256,))]`. Detach the fakes in the update of D, not in that of G.",
    "What helped in our trials: a small β₁ in Adam (0 or 0.5) and both learning rates decaying to zero. PyTorch's defaults, β₁ = 0.9 and no decay, missed the goal on all of five seeds.",
))
def first_gan(real):
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

first_gan.known([lambda real: next(THREE.batches(4096, seed=5)), lambda real: real.roll(1) + 0.1 * torch.randn_like(real)], {
    "These are points of `real` itself. A generator that hands back its training data has memorised it; new samples are wanted.": (lambda real: real.flip(0), lambda got: copies(got["artefact"])),
    "All samples are nearly the same point. Was G trained, and does z reach it?": (lambda real: 0.5 + 0.01 * torch.randn_like(real), lambda got: got["artefact"].std() < 0.1),
    "All samples lie between 0 and 1. Does G end in a sigmoid, or are these D's probabilities? The data reach from about −3 to 3.": (lambda real: torch.rand_like(real), lambda got: got["artefact"].min() >= 0 and got["artefact"].max() <= 1),
    "One of the three bumps gets next to nothing: G has lost it. Try a smaller β₁ in Adam and a decaying rate.": (lambda real: real[real > -0.5].repeat(2)[:4096, None] + 0.01, lambda got: torch.histc(got["artefact"], 3, -3.75, 3.75).min() < 0.05 * got["artefact"].numel()),
    "The valleys between the bumps are filled: one broad hill, as from a G that is still nearly linear. Has the training run long enough?": (lambda real: real.mean() + real.std() * torch.randn_like(real), lambda got: ((got["artefact"] + 0.75).abs() < 0.25).double().mean() > 0.06)})
