"""Lecture 14: what a pixel error cannot see, the likelihood in D's features, gradient routing, attribute arithmetic."""

import torch
from torch.nn.functional import softplus

from course_lib.exercises.kinds import challenge, choice, function
from course_lib.exercises.spec import Draw

# fmt: off
# one mistake and its sentence per line

blur = choice("vae_gan.blur", "prediction", "c", hints=("Call the three copies x₁, x₂, x₃ and their average m. The first error is the mean of |xᵢ − m|².", "Write xᵢ − xⱼ as (xᵢ − m) − (xⱼ − m), square, and average over independent i and j."),
    why="For independent i and j, E|xᵢ − xⱼ|² = E|xᵢ − m|² + E|xⱼ − m|²: the cross term averages to 0. Every sharp guess that is independent of the truth costs exactly twice what the blur costs, whatever the pictures are.",
    wrong={
        "a": "A sharp guess is right one time in three, and then its error is 0. But the other two times it pays for every edge twice: once where an edge is missing, once where it should not be.",
        "b": "The average errs a little every time, the guess errs a lot two times out of three. Squares punish the large errors more.",
        "d": "The amount depends on the digit. Their ratio does not: expand the square of (xᵢ − m) − (xⱼ − m).",
        "e": "The average is none of the three copies, so its error is not zero: it misses every edge by a part.",
    })

def _features(g, *shape):
    real = g.normal(*shape) * 2 + 1
    return real, real + g.normal(*shape)

@function("vae_gan.dis_l_nll", gradients=("fake",), points=2,
    draw=lambda g: {"values": (*_features(g, 6, 4, 3, 3), 64), "another layer, another size": (*_features(g, 5, 8, 2, 2), 256), "features near a thousand": (*(1000 * f for f in _features(g, 6, 4, 3, 3)), 64), "a batch of one": (*_features(g, 1, 4, 3, 3), 64)},
    hints=("A Gaussian's −log p is ½(f − f̃)²/variance, up to a constant. Here the variance is one number: that of all entries of `real`.", "`real.var(correction=0)` is that number. A batch mean of sums over features is the number of features per image times the mean of everything.", "The features are to count as `pixels` numbers, however many there are: `pixels` times the mean of ½(real − fake)²/variance."))
def dis_l_nll(real, fake, pixels):
    return pixels * (0.5 * (real - fake).square() / real.var(correction=0)).mean()

def _nll(real, fake, pixels, unit):
    return pixels * 0.5 * (real - fake).square().mean() / unit

dis_l_nll.known([
    lambda r, f, p: p / 2 * torch.nn.functional.mse_loss(f, r) / r.var(unbiased=False), lambda r, f, p: ((r - f) ** 2 / (2 * r.var(correction=0))).flatten(1).sum(1).mean() * p / r[0].numel(),
    lambda r, f, p: 0.5 * p * (r - f).square().mean() / (r - r.mean()).square().mean(),
], {
    "The variance is missing: a discriminator that doubles all its features would quadruple this term. Divide by the variance of `real`.": lambda r, f, p: _nll(r, f, p, 1),
    "You divided by the standard deviation. A squared difference is measured in squared units.": lambda r, f, p: _nll(r, f, p, r.std(correction=0)),
    "The unit is taken from the fakes: a generator could then lower its loss by raising the variance of its own features. Take it from `real`.": lambda r, f, p: _nll(r, f, p, f.var(correction=0)),
    "The ½ of the Gaussian is missing.": lambda r, f, p: 2 * _nll(r, f, p, r.var(correction=0)),
    "This is an average over features. It has to weigh as much as `pixels` pixels, or the KL would win by far.": lambda r, f, p: _nll(r, f, 1, r.var(correction=0)),
    "This is the sum over all features: a layer with many channels would weigh more than one with few. The features are to count as `pixels` numbers.": lambda r, f, p: _nll(r, f, r[0].numel(), r.var(correction=0)),
    "This is a sum over the batch. The loss of a larger batch should not be larger: average over images.": lambda r, f, p: len(r) * _nll(r, f, p, r.var(correction=0)),
    "These are absolute differences: a Laplace likelihood. A Gaussian squares them.": lambda r, f, p: p * 0.5 * (r - f).abs().mean() / r.var(correction=0),
    "The value is right, but `fake` is cut out of the graph: neither generator nor encoder could learn from it.": lambda r, f, p: _nll(r, f.detach(), p, r.var(correction=0)),
})

reach = choice("vae_gan.reach", "prediction", "e", hints=("Follow the computation: x → E → z → G → x̃ → D's layers. Which weights had a part in f_l(x̃)?", "Which part of D lies behind layer l, and was never used for L_like?"),
    why="backward() visits everything that had a part in the number, wanted or not: E, G, and those blocks of D that lie before layer l. The blocks behind l and D's last layer had no part in it.",
    wrong={
        "a": "That would be nice for the encoder, but backward() knows no roles. What stands between z and the features?",
        "b": "These are the two that *should* learn from it. backward() does not know that: x̃ also went through D.",
        "c": "z came from E by the reparametrization trick of lecture 11, so the path does not end at z.",
        "d": "Nearly. Features of layer l are computed by the blocks up to l; what about the blocks behind it?",
    })

def _three(g, n):
    return (*(g.uniform(low=0.5, high=1.5) for _ in range(3)), g.normal(n) + 0.5, g.number(0.1, 0.5))

@function("vae_gan.routed", points=3,
    draw=lambda g: {"values": _three(g, 8), "gamma = 1": (*_three(g, 5)[:4], 1.0), "gamma = 0": (*_three(g, 5)[:4], 0.0), "one x": _three(g, 1)},
    hints=("Compute the three losses from leaves of your own: `a, b, c = (t.detach().requires_grad_() for t in (a, b, c))`.", "`torch.autograd.grad(loss, a, retain_graph=True)[0]` asks one loss for one gradient, and leaves the others alone.", "a from like alone; b from gamma · like + gan_G; c from gan_D alone."))
def routed(a, b, c, x, gamma):
    a, b, c = (t.detach().clone().requires_grad_() for t in (a, b, c))
    fake = b * (a * x)
    like = 0.5 * (c * x - c * fake).square().mean()
    gan_D = softplus(-c * x).mean() + softplus(c * fake).mean()
    gan_G = softplus(-c * fake).mean()
    (to_a,) = torch.autograd.grad(like, a, retain_graph=True)
    (to_b,) = torch.autograd.grad(gamma * like + gan_G, b, retain_graph=True)
    (to_c,) = torch.autograd.grad(gan_D, c)
    return to_a, to_b, to_c

def _terms(a, b, c, x):
    """Slopes by hand: of like in a, b, c; of gan_G in a, b, c; of gan_D in b and c."""
    r, s, t = 1 - a * b, torch.sigmoid(-a * b * c * x), torch.sigmoid(a * b * c * x)
    like = -(c**2) * r * (x**2).mean()
    gan_G = -c * (s * x).mean()
    gan_D = c * (t * x).mean()
    return {"like": (b * like, a * like, c * r**2 * (x**2).mean()), "gan_G": (b * gan_G, a * gan_G, -a * b * (s * x).mean()),
            "gan_D": (b * gan_D, a * gan_D, -(torch.sigmoid(-c * x) * x).mean() + a * b * (t * x).mean())}

def _route(rule):
    return lambda a, b, c, x, gamma: rule(*(_terms(a, b, c, x)[k] for k in ("like", "gan_G", "gan_D")), gamma)

def _wire(a, b, c, x, gamma):
    a, b, c = (t.detach().clone().requires_grad_() for t in (a, b, c))
    fake = b * a * x
    seen = fake.detach().requires_grad_()
    like, gan_G = 0.5 * (c * (x - seen)).square().mean(), softplus(-c * seen).mean()
    to_like, to_gan = torch.autograd.grad(like, seen)[0], torch.autograd.grad(gan_G, seen)[0]
    return (torch.autograd.grad(fake, a, to_like, retain_graph=True)[0], torch.autograd.grad(fake, b, gamma * to_like + to_gan)[0],
            torch.autograd.grad(softplus(-c * x).mean() + softplus(c * fake.detach()).mean(), c)[0])

routed.known([
    _wire, _route(lambda like, gan_G, gan_D, gamma: (like[0], gamma * like[1] + gan_G[1], gan_D[2])),
    lambda a, b, c, x, gamma: (torch.func.grad(lambda t: 0.5 * (c * x - c * b * t * x).square().mean())(a), torch.func.grad(lambda t: gamma * 0.5 * (c * x - c * t * a * x).square().mean() + softplus(-c * t * a * x).mean())(b), torch.func.grad(lambda t: softplus(-t * x).mean() + softplus(t * b * a * x).mean())(c)),
], {
    "The encoder's gradient has a GAN part in it. The slide's rule: the encoder sees L_prior and L_like, never L_GAN.": _route(lambda like, gan_G, gan_D, gamma: (like[0] + gan_G[0], gamma * like[1] + gan_G[1], gan_D[2])),
    "γ also weighs the encoder's gradient. γ balances the two wishes of the generator; the encoder has only one of them.": _route(lambda like, gan_G, gan_D, gamma: (gamma * like[0], gamma * like[1] + gan_G[1], gan_D[2])),
    "The generator's likelihood is not weighed: γ · like + gan_G.": _route(lambda like, gan_G, gan_D, gamma: (like[0], like[1] + gan_G[1], gan_D[2])),
    "γ stands at the wrong term: it weighs the likelihood, not the GAN loss.": _route(lambda like, gan_G, gan_D, gamma: (like[0], like[1] + gamma * gan_G[1], gan_D[2])),
    "The discriminator also gets L_like: it could make every reconstruction \"good\" by shrinking its features to nothing. It learns from gan_D alone.": _route(lambda like, gan_G, gan_D, gamma: (like[0], gamma * like[1] + gan_G[1], gan_D[2] + like[2])),
    "This is what one backward() of the sum leaves: every loss in every net. Ask each loss for the one gradient it is there for.": _route(lambda like, gan_G, gan_D, gamma: tuple(gamma * p + q + r for p, q, r in zip(like, gan_G, gan_D, strict=True))),
    "The generator follows gan_D, the discriminator's loss, and so helps its opponent. It wants gan_G small.": _route(lambda like, gan_G, gan_D, gamma: (like[0], gamma * like[1] + gan_D[1], gan_D[2])),
    "The generator follows −gan_D: the saturating loss of lecture 02, which fades where D is sure. Use gan_G.": _route(lambda like, gan_G, gan_D, gamma: (like[0], gamma * like[1] - gan_D[1], gan_D[2])),
    "The generator gets no GAN gradient at all: this is a VAE with other features.": _route(lambda like, gan_G, gan_D, gamma: (like[0], gamma * like[1], gan_D[2])),
    "The discriminator follows gan_G, and so learns to call fakes real. Its loss is gan_D.": _route(lambda like, gan_G, gan_D, gamma: (like[0], gamma * like[1] + gan_G[1], gan_G[2])),
})

def _codes(g, n, latent, share=0.3):
    has = g.uniform(n) < share
    has[0], has[1] = True, False
    return g.normal(n, latent) + 2 * has[:, None], has

@function("vae_gan.attribute_vector", draw=lambda g: {"values": _codes(g, 40, 6), "one latent entry": _codes(g, 15, 1), "a rare attribute": _codes(g, 60, 4, 0.02)},
    hints=("A boolean tensor picks rows: `z[has]` are the codes of the images that have it, `z[~has]` the others.", "Average each group over its images (dimension 0); the vector leads from one mean to the other."))
def attribute_vector(z, has):
    return z[has].mean(0) - z[~has].mean(0)

attribute_vector.known([
    lambda z, has: torch.stack([z[has].mean(0), -z[~has].mean(0)]).sum(0), lambda z, has: (z * has[:, None]).sum(0) / has.sum() - (z * ~has[:, None]).sum(0) / (~has).sum(),
    lambda z, has: z[torch.where(has)[0]].mean(0).sub(z[has.logical_not()].mean(0)),
], {
    "The sign is turned: adding this vector would take the attribute away.": lambda z, h: z[~h].mean(0) - z[h].mean(0),
    "This leads from the mean of *all* images to those with the attribute, a shorter way. Start at the mean of those without it.": lambda z, h: z[h].mean(0) - z.mean(0),
    "This is the mean code of those with the attribute: it holds all that heads have in common as well. Subtract the mean of those without it.": lambda z, h: z[h].mean(0),
    "One number came out: you averaged over the latent entries too. Average over images only (dimension 0).": lambda z, h: z[h].mean() - z[~h].mean(),
    "These are sums. The groups differ in size, so compare their means.": lambda z, h: z[h].sum(0) - z[~h].sum(0),
    "Its length was set to 1. The length says how far apart the groups lie: keep it, so that 1 × the vector means \"as the others\".": lambda z, h: (d := z[h].mean(0) - z[~h].mean(0)) / d.norm(),
    "These are medians. Larsen et al. take means, and so does the check.": lambda z, h: z[h].median(0).values - z[~h].median(0).values,
})

def _study():
    """Codes and three correlated attributes of 600 images from a linear model; `read` gives the attributes that a code stands for."""
    g = Draw(14)
    attributes = g.normal(600, 1) + g.normal(600, 3)  # what they share makes them go together: correlation one half
    attributes = (attributes - attributes.mean(0)) / attributes.std(0)
    write = g.normal(3, 10)
    return attributes @ write + 0.2 * g.normal(600, 10), attributes, torch.linalg.pinv(write).cpu()

_z, _attributes, _read = _study()

def leak(direction):
    """Largest change of another attribute over the change of the first one, along `direction`; infinite where the first does not rise."""
    change = direction @ _read
    return (change[1:].abs().max() / change[0]).item() if change[0] > 1e-6 else float("inf")

@challenge("vae_gan.clean_direction", points=2, ask=(_z, _attributes), goal=0.1, half=0.4, unit="leak into the other attributes", metric=leak, shape=(10,),
    hints=("The mean difference carries along whatever comes with the attribute. Which vector explains z from attribute 0 when the *other* attributes are held fixed?", "Regress z on all attributes at once: z ≈ attributes · W. Row 0 of W is the change of z per unit of attribute 0 alone.", "`torch.linalg.lstsq(attributes, z).solution[0]`, with both centred."))
def clean_direction(z, attributes):
    return torch.linalg.lstsq(attributes - attributes.mean(0), z - z.mean(0)).solution[0]

clean_direction.known([
    lambda z, y: (torch.linalg.pinv(y - y.mean(0)) @ (z - z.mean(0)))[0], lambda z, y: torch.linalg.lstsq(torch.cat([y, torch.ones_like(y[:, :1])], 1), z).solution[0],
    lambda z, y: torch.linalg.solve(y.T.cov(), (y - y.mean(0)).T @ (z - z.mean(0)))[0],
], {
    "This is the mean difference for attribute 0. The attributes go together in this sample, so the others come along: hold them fixed.": lambda z, y: z[y[:, 0] > 0].mean(0) - z[y[:, 0] <= 0].mean(0),
    "This regresses z on attribute 0 alone, and the others come along as they do in the sample: put all three into the regression.": lambda z, y: torch.linalg.lstsq(y[:, :1], z).solution[0],
    "You read the regression the other way round: how attribute 0 is *predicted* from z. Regress z on the attributes.": lambda z, y: torch.linalg.lstsq(z - z.mean(0), y[:, 0]).solution,
    "Along this direction attribute 0 falls. Turn the sign.": lambda z, y: -torch.linalg.lstsq(y, z).solution[0],
    "This is the change per unit of *another* attribute. Attribute 0 is wanted: row 0.": lambda z, y: torch.linalg.lstsq(y, z).solution[1],
    "This is the first principal direction of z: what varies most, whatever it means. It does not look at the attributes.": lambda z, y: torch.linalg.svd(z - z.mean(0), full_matrices=False).Vh[0],
})
