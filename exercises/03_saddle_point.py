"""Lecture 03: update rules at a saddle point, their eigenvalues, R1, the ring of Gaussians, and a Wasserstein GAN to be rescued."""

import math

import torch

from course_lib import data, nets
from course_lib.exercises.kinds import challenge, choice, function, sampler
from course_lib.exercises.spec import Affine
from course_lib.losses import adversarial
from course_lib.optim import adam, linear_decay

# fmt: off
# above: one mistake and its sentence per line

predict = choice("saddle_point.predict", "prediction", "c", hints=(
    "Draw the arrow F(w) = (−y, x) at the point w = (1, 0), then at (0, 1). Which way does it point, seen from the saddle?",
    "The arrow stands at a right angle to w. A step along a tangent ends outside the circle, however short it is: Pythagoras.",
), why="Every step is a tangent to the circle round the saddle, so every step ends a little further out: by √(1 + η²), at any η.", wrong={
    "a": "That would be so for a minimum. Here no arrow points to the saddle: where does a step along a tangent of the circle end?",
    "b": "That is what an infinitely small step does. A step of finite length along the tangent leaves the circle.",
    "d": "For a minimum there is such a threshold. Work out |w + ηF(w)|² = |w|² + η²|F(w)|²: for which η is that below |w|²?",
    "e": "Neither player can run off alone: x moves by −y, and y by x, so each turns the other round. The path winds."})

@function("saddle_point.alternating", points=1, hints=(
    "x goes down the slope ∂V/∂x = y; y goes up the slope ∂V/∂y = x. First x moves. Then y looks at the game again.",
    "Give the new x a name. Which x does D see when its turn comes?",
    "`x_new = x - eta * y`; then y moves by `eta` times the *new* x.",
), draw=lambda g: {
    "values": (g.normal(6), g.normal(6), g.number(0.1, 0.6)), "a large step": (g.normal(3), g.normal(3), 1.9), "a single game": (g.normal(), g.normal(), 0.1)})
def alternating(x, y, eta):
    x = x - eta * y
    y = y + eta * x
    return x, y

alternating.known([lambda x, y, eta: (x - eta * y, y + eta * (x - eta * y)), lambda x, y, eta: (x - eta * y, eta * x + (1 - eta**2) * y), lambda x, y, eta: (torch.sub(x, y, alpha=eta), torch.add(y, x.sub(y, alpha=eta), alpha=eta))], {
    "D still answers the old x: this is the simultaneous step. In the alternating one G has moved before D looks.": lambda x, y, eta: (x - eta * y, y + eta * x),
    "Here D moves first and G answers. That alternates too, but the exercise wants x to move first.": lambda x, y, eta: (x - eta * (y + eta * x), y + eta * x),
    "Both players go downhill. D (that is y) wants V large: it climbs.": lambda x, y, eta: (x - eta * y, y - eta * (x - eta * y)),
    "The roles are swapped: here x climbs and y descends. G minimises V, D maximises it.": lambda x, y, eta: (x + eta * y, y - eta * (x + eta * y)),
    "Each player moves by its own coordinate. The slope of xy with respect to x is y, not x.": lambda x, y, eta: (x - eta * x, y + eta * y),
    "The result is in the wrong order: x comes first, then y.": lambda x, y, eta: (y + eta * (x - eta * y), x - eta * y),
    "Both players go uphill. G (that is x) wants V small: it descends.": lambda x, y, eta: (x + eta * y, y + eta * (x + eta * y)),
    "The step size is missing in G's move: its slope is y, its step η·y.": lambda x, y, eta: (x - y, y + eta * (x - y)),
    "The step size is missing in D's move: its slope is x, its step η·x.": lambda x, y, eta: (x - eta * y, y + x - eta * y)})

def spiral(a, b, skew):
    """A 2x2 matrix with the eigenvalues a ± ib that is not normal: its largest stretch exceeds its spectral radius."""
    return torch.tensor([[a, -b * skew], [b / skew, a]], dtype=torch.float64)

@function("saddle_point.extragradient", points=2, hints=(
    "Two evaluations of the field: one at w, to look ahead; one at the point it leads to.",
    "The look-ahead point is `w + eta * field(w)`. It only tells which way to go. Where does the real step start?",
    "Two lines: name the first point `ahead`. In the second line `w` and `ahead` stand once each.",
), draw=lambda g: {
    "values": (Affine(g.normal(2, 2), g.normal(2)), g.normal(6, 2), g.number(0.2, 0.6)),
    "the game V = xy": (Affine(spiral(0, 1, 1), torch.zeros(2, dtype=torch.float64)), g.normal(4, 2), 0.1),
    "one point, three coordinates": (Affine(g.normal(3, 3), g.normal(3)), g.normal(1, 3), 0.5)})
def extragradient(field, w, eta):
    ahead = w + eta * field(w)
    return w + eta * field(ahead)

extragradient.known([lambda field, w, eta: w + eta * field(w + eta * field(w)), lambda field, w, eta: w.add(field(torch.add(w, field(w), alpha=eta)), alpha=eta), lambda field, w, eta: (w + eta * field(w)) + eta * (field(w + eta * field(w)) - field(w))], {
    "This takes two plain steps in a row. The look-ahead point only lends its direction; the real step starts from w.": lambda field, w, eta: w + eta * field(w) + eta * field(w + eta * field(w)),
    "This is the simultaneous step: it uses the direction here. Extragradient uses the direction at the look-ahead point.": lambda field, w, eta: w + eta * field(w),
    "This takes the mean of both directions, or looks only half a step ahead (Heun, midpoint: right for following a path). Extragradient looks a whole step ahead and forgets the first direction.": lambda field, w, eta: w + eta / 2 * (field(w) + field(w + eta * field(w))),
    "This walks against the field, as one does with a gradient. F already points where each player wants to go: add it.": lambda field, w, eta: w - eta * field(w - eta * field(w)),
    "The look-ahead lacks the step size: it looks a distance |F| ahead, however small η is.": lambda field, w, eta: w + eta * field(w + field(w)),
    "The look-ahead is right, but the real step lacks the step size.": lambda field, w, eta: w + field(w + eta * field(w)),
    "The look-ahead goes backwards, to where w came from. Look where the step would lead.": lambda field, w, eta: w + eta * field(w - eta * field(w))})

@function("saddle_point.spectral_radius", points=1, hints=(
    "`torch.linalg.eigvals(J)` gives all eigenvalues. They are complex as soon as the map turns.",
    "How far a complex number lies from 0 is its modulus; `.abs()` gives it for complex tensors.",
    "One number is wanted: the largest modulus.",
), draw=lambda g: {
    "values": (spiral(g.number(-0.9, -0.2), g.number(0.4, 0.9), g.number(2, 4)),),
    "real eigenvalues": (torch.diag(torch.tensor([0.3, -0.9, 0.5], dtype=torch.float64)) + g.uniform(3, 3).triu(1),),
    "a 1×1 matrix": (g.uniform(1, 1, low=-2, high=-1),), "a 5×5 matrix": (g.normal(5, 5),)})
def spectral_radius(J):
    return torch.linalg.eigvals(J).abs().max()

spectral_radius.known([lambda J: torch.linalg.eig(J).eigenvalues.abs().amax(), lambda J: max(abs(v) for v in torch.linalg.eigvals(J)), lambda J: (torch.linalg.eigvals(J).real.square() + torch.linalg.eigvals(J).imag.square()).max().sqrt()], {
    "This is the largest real part. It decides in continuous time; for a map, a step that is repeated, the distance from 0 decides.": lambda J: torch.linalg.eigvals(J).real.max(),
    "The real part alone is taken, so the turning is lost. The modulus is √(real² + imaginary²).": lambda J: torch.linalg.eigvals(J).real.abs().max(),
    "This is the largest singular value: how much *one* step can stretch. What counts after many steps is the largest |eigenvalue|.": lambda J: torch.linalg.matrix_norm(J, 2),
    "`eigvalsh` is for symmetric matrices and reads only one half of J. The Jacobian of a game is anything but symmetric.": lambda J: torch.linalg.eigvalsh(J).abs().max(),
    "Complex numbers have no largest: take the moduli first.": lambda J: torch.linalg.eigvals(J).max(),
    "These are all the moduli. The radius is one number, the largest.": lambda J: torch.linalg.eigvals(J).abs(),
    "This is the square of the modulus: a root is missing.": lambda J: torch.linalg.eigvals(J).abs().square().max(),
    "This is the smallest modulus, the direction that dies fastest. After many steps the slowest one is left.": lambda J: torch.linalg.eigvals(J).abs().min(),
    "This is the mean of the moduli. One eigenvalue outside the circle is enough to blow up; no mean hides it.": lambda J: torch.linalg.eigvals(J).abs().mean()})

def slope(W, v, x, **how):
    x = x.detach().requires_grad_()
    return torch.autograd.grad((torch.tanh(x @ W.T) @ v).sum(), x, **{"create_graph": True, **how})[0]

@function("saddle_point.r1_penalty", points=3, gradients=("W", "v"), hints=(
    "The slope of the logits with respect to x: `torch.autograd.grad(logit.sum(), x, …)`. The sum is a trick: each logit depends on its own x only.",
    "x must ask for a gradient first (`x.detach().requires_grad_()`). The penalty is then differentiated *again*, for W and v: which option of `torch.autograd.grad` keeps the graph for that?",
    "`create_graph=True`. Then ½ · mean over the batch of the sum over coordinates of slope².",
), draw=lambda g: {
    "values": (g.normal(6, 2), g.normal(6), g.normal(5, 2)), "one point": (g.normal(4, 2), g.normal(4), g.normal(1, 2)), "three coordinates": (g.normal(3, 3), g.normal(3), g.normal(4, 3))})
def r1_penalty(W, v, x):
    x = x.detach().requires_grad_()
    logit = torch.tanh(x @ W.T) @ v
    (slope,) = torch.autograd.grad(logit.sum(), x, create_graph=True)
    return 0.5 * slope.square().sum(-1).mean()

r1_penalty.known([lambda W, v, x: 0.5 * (((1 - torch.tanh(x @ W.T).square()) * v) @ W).square().sum(-1).mean(), lambda W, v, x: 0.5 * torch.func.vmap(torch.func.grad(lambda one: torch.tanh(W @ one) @ v))(x).square().sum(1).mean(), lambda W, v, x: slope(W, v, x).norm(dim=1).pow(2).mean() / 2, lambda W, v, x: adversarial.r1(lambda points: torch.tanh(points @ W.T) @ v, x)], {
    "`autograd.grad` gave the slope as a plain number, so no gradient reaches W and v.": lambda W, v, x: 0.5 * slope(W, v, x, create_graph=False).square().sum(-1).mean(),
    "The factor ½ is missing (R1 is γ/2 · E|∇D|²; γ stays outside).": lambda W, v, x: slope(W, v, x).square().sum(-1).mean(),
    "This is the mean length of the slope. R1 takes its square, which has no kink at zero slope.": lambda W, v, x: 0.5 * slope(W, v, x).norm(dim=-1).mean(),
    "This averages over the coordinates as well. |∇D|² is a *sum* over coordinates; the mean is over the batch only.": lambda W, v, x: 0.5 * slope(W, v, x).square().mean(),
    "This wants slopes of length 1 (WGAN-GP, below, does so). R1 wants slope 0 at real data.": lambda W, v, x: (slope(W, v, x).norm(dim=-1) - 1).square().mean(),
    "A mean over all elements divides by the number of coordinates too. It equals ½ of the sum only in the plane.": lambda W, v, x: slope(W, v, x).square().mean(),
    "This sums over the batch. R1 is an expectation: a mean.": lambda W, v, x: 0.5 * slope(W, v, x).square().sum(),
    "Differentiating `logit.mean()` shrinks every slope by the batch size. Differentiate the sum; average at the end.": lambda W, v, x: 0.5 * (slope(W, v, x) / len(x)).square().sum(-1).mean(),
    "This squares the logits themselves. R1 has nothing against large logits, only against steep ones.": lambda W, v, x: 0.5 * (torch.tanh(x @ W.T) @ v).square().mean(),
    "The slopes were averaged before squaring, so that slopes in opposite directions cancel. Square first.": lambda W, v, x: 0.5 * slope(W, v, x).mean(0).square().sum()})

def modes_at(angle, std, g):
    return torch.stack([angle.cos(), angle.sin()], -1) + std * torch.randn(len(angle), 2, generator=g)

def turns(m, n, g):
    return 2 * math.pi * torch.randint(m, (n,), generator=g) / m

def same_noise(samples):
    """x₁ − x₂ takes few values, one per mode, and x₁ many."""
    kinds = [len(v.double().mul(1e4).round().unique()) for v in (samples[..., 0], samples[..., 0] - samples[..., -1])]
    return kinds[0] > 100 and kinds[1] <= 20

@sampler("saddle_point.sample_ring", points=2, limit=0.018, draw=lambda g: {"three modes": (3, 0.2), "one mode": (1, 0.2)}, hints=(
    "Two draws per sample: which mode (an integer from 0 to modes − 1), and normal noise in both coordinates.",
    "Mode k sits at the angle 2πk/modes, at (cos, sin). `torch.randint(modes, (n,), generator=generator)` draws k; its upper end is left out.",
    "Stack the cosines and sines of all n angles to centres, (n, 2). The noise has the same shape, so every coordinate gets its own number.",
))
def sample_ring(modes, std, n, generator):
    angle = 2 * torch.pi * torch.randint(modes, (n,), generator=generator) / modes
    centers = torch.stack([angle.cos(), angle.sin()], 1)
    return centers + std * torch.randn(n, 2, generator=generator)

sample_ring.known([lambda m, s, n, g: data.ring(m, std=s).sample(n, g), lambda m, s, n, g: modes_at(2 * math.pi * (torch.rand(n, generator=g) * m).floor() / m, s, g), lambda m, s, n, g: torch.normal(modes_at(turns(m, n, g), 0, g), s, generator=g)], {
    "The noise is too wide: √std instead of std. `std` is already the standard deviation, not the variance.": lambda m, s, n, g: modes_at(turns(m, n, g), s**0.5, g),
    "The modes are much too narrow: the noise is missing, or it is multiplied by std² instead of std.": lambda m, s, n, g: modes_at(turns(m, n, g), 0, g),
    "The noise has standard deviation 1 and drowns the modes: `std` is not used.": lambda m, s, n, g: modes_at(turns(m, n, g), 1, g),
    "The last mode never comes: `torch.randint(0, high, …)` leaves out `high` itself.": lambda m, s, n, g: modes_at(turns(m, n, g) * 0 + 2 * math.pi * torch.randint(m - 1, (n,), generator=g) / m, s, g),
    "One mode is hit twice as often: linspace(0, 2π, modes) contains both 0 and 2π, which are the same angle.": lambda m, s, n, g: modes_at(torch.linspace(0, 2 * math.pi, m)[torch.randint(m, (n,), generator=g)], s, g),
    "The angles are in degrees; cos and sin want radians: a full turn is 2π.": lambda m, s, n, g: modes_at(turns(m, n, g) * 180 / math.pi, s, g),
    "The modes share half a circle: a full turn is 2π, not π.": lambda m, s, n, g: modes_at(turns(m, n, g) / 2, s, g),
    "These samples come from the global random numbers. Same seed, same samples: pass `generator` on to every random call.": lambda m, s, n, g: modes_at(turns(m, n, None), s, None),
    "Both coordinates get the same normal number, so every mode is a thin line. Draw noise of shape (n, 2).": (lambda m, s, n, g: modes_at(turns(m, n, g), 0, g) + s * torch.randn(n, 1, generator=g), lambda got: same_noise(got["samples"])),
    "All samples sit on one mode: the mode was drawn once, not once per sample. (A generator that does this has collapsed.)": (lambda m, s, n, g: modes_at(turns(m, 1, g).expand(n), s, g), lambda got: got["samples"].ndim == 2 and 0.15 < got["samples"].std(0).max() < 0.25)})

RING = data.ring()
REAL = next(RING.batches(4096, seed=3))

def shares(samples):
    """Share of the samples within 3σ of each mode of the ring: (8,)."""
    distance, nearest = torch.cdist(samples.cpu().double(), RING.centers.cpu().double()).min(1)
    return torch.bincount(nearest[distance <= 3 * RING.std], minlength=8).double() / len(samples)

def copies(samples):
    return torch.isin(samples.float().cpu(), REAL.cpu()).double().mean().item() > 0.01

def misplaced(samples):
    """Share of the samples that would have to move to give every mode, and the space between, its exact share; copied data earns nothing."""
    inside = 1 - math.exp(-9 / 2)
    short, between = (inside / 8 - shares(samples)).clamp(min=0).sum(), (1 - inside - (1 - shares(samples).sum())).clamp(min=0)
    return math.inf if copies(samples) else (short + between).item()

@challenge("saddle_point.rescue", metric=misplaced, goal=0.2, half=0.35, unit="misplaced share", ask=(REAL,), shape=tuple(REAL.shape), seconds=40.0, points=3, hints=(
    "The step is the one of `train` above without the dimension of the seeds: `nets.mlp(8, 64, 64, 64, 2)`. 800 updates take two or three seconds.",
    "V = xy is the Wasserstein GAN's game in small, and there a penalty on D's slope pulled the eigenvalues into the circle.",
    "Add `adversarial.r1`, on real points, to D's loss. Then what hurt and what helped in the tricks: momentum, and the learning rate at the end.",
))
def rescue(real):
    torch.manual_seed(0)
    G, D = nets.mlp(8, 64, 64, 64, 2), nets.mlp(2, 64, 64, 64, 1)
    for_G, for_D = (adam(net.parameters(), 3e-3, betas=(0.0, 0.9)) for net in (G, D))
    decays = [linear_decay(optimizer, 800) for optimizer in (for_G, for_D)]
    for _ in range(800):
        x, fake = real[torch.randint(len(real), (256,))], G(torch.randn(256, 8))
        for_D.zero_grad()
        (adversarial.wgan_critic(D(x), D(fake.detach())) + adversarial.r1(D, x)).backward()
        for_D.step()
        for_G.zero_grad()
        adversarial.wgan_generator(D(fake)).backward()
        for_G.step()
        [decay.step() for decay in decays]
    with torch.no_grad():
        return G(torch.randn(len(real), 8))

rescue.known([lambda real: next(RING.batches(4096, seed=5)), lambda real: real.roll(1, 0) + 0.03 * torch.randn_like(real)], {
    "These are points of `real` itself. A generator that hands back its training data has memorised it; new samples are wanted.": (lambda real: real.flip(0), lambda got: copies(got["artefact"])),
    "All samples are nearly the same point. Was G trained, and does z reach it?": (lambda real: 0.5 + 0.01 * torch.randn_like(real), lambda got: got["artefact"].std(0).max() < 0.05),
    "Only a few modes are reached: the critic still runs away. Nothing keeps its slope in bounds.": (lambda real: real[real[:, 0] > 0.4].repeat(4, 1)[:4096] + 0.01, lambda got: (shares(got["artefact"]) > 0.01).sum() < 7 and shares(got["artefact"]).sum() > 0.12),
    "Most samples lie between the modes. Was the training long enough, and did the learning rate come down at the end?": (lambda real: 0.7 * torch.randn_like(real), lambda got: shares(got["artefact"]).sum() < 0.6),
    "All the modes are there, but too many samples miss them or they are filled unevenly. A gentler end helps: let the learning rate decay.": (lambda real: real + 0.16 * torch.randn_like(real), lambda got: misplaced(got["artefact"]) > 0.2)})
