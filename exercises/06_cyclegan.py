"""Lecture 06: the cycle loss and the whole objective, what prevalence forces, retrieval, the buffer, and a symmetry to break."""

import torch

from course_lib import nets
from course_lib.data.batches import shuffled
from course_lib.exercises.kinds import challenge, choice, function
from course_lib.exercises.spec import Affine, Draw
from course_lib.losses import adversarial
from course_lib.optim import adam, linear_decay

# a mistake and its sentence on a line each
# fmt: off


def _nets(g, *shapes):
    return tuple(Affine(g.normal(out, inputs), g.normal(out)) for out, inputs in shapes)

def _maps(g, n, m):
    return (*_nets(g, (3, 3), (3, 3)), g.normal(n, 3), g.normal(m, 3))

@function("cyclegan.cycle_loss", gradients=("x", "y"), points=2,
    draw=lambda g: {"values": _maps(g, 6, 4), "one x, many y": _maps(g, 1, 7), "one pair": _maps(g, 1, 1)},
    hints=("There are two ways round: from A to B and home again, and from B to A and home again. Each should end where it began.", "x → G(x) → F(G(x)) is compared with x. Which nets, in which order, bring y back to y?", "`(F(G(x)) - x).abs().mean()` is one half of it; write the other and add."))
def cycle_loss(G, F, x, y):
    return (F(G(x)) - x).abs().mean() + (G(F(y)) - y).abs().mean()

def _way(f, g, x):
    return (g(f(x)) - x).abs()

cycle_loss.known([
    lambda G, F, x, y: torch.nn.functional.l1_loss(F(G(x)), x) + torch.nn.functional.l1_loss(G(F(y)), y),
    lambda G, F, x, y: (x - F(G(x))).abs().sum() / x.numel() + (y - G(F(y))).abs().sum() / y.numel(),
    lambda G, F, x, y: sum((b - a).abs().mean() for a, b in ((x, F(G(x))), (y, G(F(y))))),
], {
    "This is the way from A and back only. F(G(x)) = x leaves G free on images that no x is sent to: B needs its own way round.": lambda G, F, x, y: _way(G, F, x).mean(),
    "This is the way from B and back only. Where is x → G(x) → F(G(x))?": lambda G, F, x, y: _way(F, G, y).mean(),
    "The order is turned round: x lies in A, so G, which goes from A to B, has to act on it first.": lambda G, F, x, y: _way(F, G, x).mean() + _way(G, F, y).mean(),
    "G(x) is compared with x itself: that asks the translation to change nothing. Go home through F before you compare.": lambda G, F, x, y: (G(x) - x).abs().mean() + (F(y) - y).abs().mean(),
    "The distance is squared. CycleGAN takes the absolute difference (L1), which blurs less.": lambda G, F, x, y: _way(G, F, x).square().mean() + _way(F, G, y).square().mean(),
    "Sums grow with the size of the image and of the batch, and so would λ's meaning. Take means.": lambda G, F, x, y: _way(G, F, x).sum() + _way(F, G, y).sum(),
    "This is the average of the two ways. The paper adds them; λ is meant for the sum.": lambda G, F, x, y: (_way(G, F, x).mean() + _way(F, G, y).mean()) / 2,
    "The values are right, but the graph is cut in the middle of the way: the first net of each cycle would learn nothing.": lambda G, F, x, y: (F(G(x).detach()) - x).abs().mean() + (G(F(y).detach()) - y).abs().mean(),
})

def _players(g, n, m):
    return (*_nets(g, (3, 3), (3, 3), (1, 3), (1, 3)), g.normal(n, 3), g.normal(m, 3), g.number(0.5, 5))

@function("cyclegan.objective", gradients=("x", "y"), points=2,
    draw=lambda g: {"values": _players(g, 6, 4), "λ = 0": (*_players(g, 3, 5)[:-1], 0.0), "one x, many y": _players(g, 1, 7)},
    hints=("Four terms: each generator has to fool one critic, and each way round has to come home.", "G makes images of B, so D_Y judges them; F makes images of A, so D_X judges those. `adversarial.lsgan_generator` takes the logits.", "`fake_y, fake_x = G(x), F(y)`, then `adversarial.lsgan_generator(D_Y(fake_y)) + adversarial.lsgan_generator(D_X(fake_x)) + lam * ((F(fake_y) - x).abs().mean() + (G(fake_x) - y).abs().mean())`."))
def objective(G, F, D_X, D_Y, x, y, lam):
    fake_y, fake_x = G(x), F(y)
    fooled = adversarial.lsgan_generator(D_Y(fake_y)) + adversarial.lsgan_generator(D_X(fake_x))
    return fooled + lam * ((F(fake_y) - x).abs().mean() + (G(fake_x) - y).abs().mean())

_fool, _cycle = adversarial.lsgan_generator, cycle_loss.reference

objective.known([
    lambda G, F, D_X, D_Y, x, y, lam: _fool(D_X(fake_x := F(y))) + _fool(D_Y(fake_y := G(x))) + lam * (F(fake_y) - x).abs().mean() + lam * (G(fake_x) - y).abs().mean(),
    lambda G, F, D_X, D_Y, x, y, lam: ((D_Y(G(x)) - 1) ** 2).mean() / 2 + ((D_X(F(y)) - 1) ** 2).mean() / 2 + lam * _cycle(G, F, x, y),
    lambda G, F, D_X, D_Y, x, y, lam: lam * _cycle(G, F, x, y) + sum(0.5 * (D(fake) - 1).square().mean() for D, fake in ((D_Y, G(x)), (D_X, F(y)))),
], {
    "The critics have changed places: G(x) is meant to look like B, and D_Y is the critic that knows B.": lambda G, F, D_X, D_Y, x, y, lam: _fool(D_X(G(x))) + _fool(D_Y(F(y))) + lam * _cycle(G, F, x, y),
    "Only G has to fool a critic here. F is a generator as well, and D_X judges F(y).": lambda G, F, D_X, D_Y, x, y, lam: _fool(D_Y(G(x))) + lam * _cycle(G, F, x, y),
    "Only F has to fool a critic here. G is a generator as well, and D_Y judges G(x).": lambda G, F, D_X, D_Y, x, y, lam: _fool(D_X(F(y))) + lam * _cycle(G, F, x, y),
    "λ weighs the cycle against the critics. Here the cycle comes without it.": lambda G, F, D_X, D_Y, x, y, lam: _fool(D_Y(G(x))) + _fool(D_X(F(y))) + _cycle(G, F, x, y),
    "λ weighs the cycle alone; here it weighs the adversarial terms as well, and then it changes no balance.": lambda G, F, D_X, D_Y, x, y, lam: lam * (_fool(D_Y(G(x))) + _fool(D_X(F(y))) + _cycle(G, F, x, y)),
    "The generators aim at 0 here, the target for fakes in the critics' loss. They want their fakes to get the target of real images.": lambda G, F, D_X, D_Y, x, y, lam: (D_Y(G(x)) ** 2).mean() / 2 + (D_X(F(y)) ** 2).mean() / 2 + lam * _cycle(G, F, x, y),
    "The real images are shown to the critics. The generators are judged on their fakes: D_Y(G(x)) and D_X(F(y)).": lambda G, F, D_X, D_Y, x, y, lam: _fool(D_Y(y)) + _fool(D_X(x)) + lam * _cycle(G, F, x, y),
    "The values are right, but nothing reaches the generators through the critics: the fakes are detached. That belongs into the critics' loss only.": lambda G, F, D_X, D_Y, x, y, lam: _fool(D_Y(G(x).detach())) + _fool(D_X(F(y).detach())) + lam * _cycle(G, F, x, y),
})

predict = choice(
    "cyclegan.predict", "prediction", "c",
    why="Both kinds of map pass every test that the losses make. Which one a run finds is decided by its random start.",
    wrong={
        "a": "Ask what the losses would say of the map that turns healthy into lesion and back. Do the outputs look like B? Does x come home?",
        "b": "Nothing pushes towards the swap either. Compare the losses of the two maps: which one is lower?",
        "d": "The cycle is closed if F undoes G. F can undo a swap as well as anything else.",
        "e": "Look at one map at a time: does the swapped one really leave the distribution of B? The two groups are equally large, and equally shaped.",
    },
    hints=("Write down both losses for the right map, then for the map that swaps the two groups.", "Both losses are at their minimum for both maps. What is left to decide between them?"),
)

def _shares(g, *change):
    p = g.uniform(len(change), low=0.5, high=1)
    q = p * torch.tensor(change).to(p)
    return p / p.sum(), q / q.sum()

def _two(p, q):
    return tuple(torch.tensor([v, 1 - v], dtype=torch.float64) for v in (p, q))

@function("cyclegan.must_change", points=2,
    draw=lambda g: {"values": _shares(g, 0.3, 2.5, 0.5, 2.0), "healthy and lesion": _two(g.number(0.5, 0.9), g.number(0.1, 0.5)), "the same shares": _shares(g, 1, 1, 1, 1, 1), "a group that B lacks": (torch.tensor([0.5, 0.25, 0.25]).double(), torch.tensor([0.75, 0.25, 0.0]).double())},
    hints=("A group that is larger in A than in B has too many patients: the surplus has to go somewhere.", "Add up the surpluses p − q of the groups that have one. The others' shortages add up to the same number.", "`(p - q).clamp(min=0).sum()`."))
def must_change(p, q):
    return (p - q).clamp(min=0).sum()

must_change.known([lambda p, q: (p - q).abs().sum() / 2, lambda p, q: 1 - torch.minimum(p, q).sum(), lambda p, q: torch.relu(q - p).sum()], {
    "Every patient who changes group is counted twice: once where he leaves, once where he arrives.": lambda p, q: (p - q).abs().sum(),
    "This is the surplus of the worst group only. With more than two groups several may have one.": lambda p, q: (p - q).max(),
    "Surpluses and shortages cancel: shares sum to 1. Count the surpluses only.": lambda p, q: (p - q).sum(),
    "This is the mean over the groups. Shares of patients are added, not averaged.": lambda p, q: (p - q).abs().mean(),
    "Squares are no shares of patients. Stay with the differences themselves.": lambda p, q: (p - q).square().sum(),
    "This is the share that may keep its group. The rest is asked for.": lambda p, q: torch.minimum(p, q).sum(),
    "This is the chance that a random patient of A and a random one of B differ. G may choose whom it changes, and will keep as many as it can.": lambda p, q: 1 - (p * q).sum(),
})

def _twins(g, n, noise, *shape):
    truth = g.normal(n, *shape)
    return truth + noise * g.normal(n, *shape), truth

@function("cyclegan.retrieval", points=2,
    draw=lambda g: {"values": _twins(g, 40, 1.2, 6), "images": _twins(g, 25, 1.5, 1, 4, 4), "perfect": (lambda t: (t, t.clone()))(g.normal(9, 3)), "one": _twins(g, 1, 1.0, 3)},
    hints=("Which of all true images is nearest to translation i? Row i of `torch.cdist(a, b)` holds its distances (for tensors (n, d): flatten the images).", "`argmin(1)` names the nearest truth of every row; it is right where it equals the row's own number.", "`(torch.cdist(fake.flatten(1), truth.flatten(1)).argmin(1) == torch.arange(len(fake))).double().mean()`."))
def retrieval(fake, truth):
    nearest = torch.cdist(fake.flatten(1), truth.flatten(1)).argmin(1)
    return (nearest == torch.arange(len(fake), device=fake.device)).to(fake.dtype).mean()

def _far(a, b):
    return torch.cdist(a.flatten(1), b.flatten(1))

def _hit(found, like):
    return (found == torch.arange(len(found), device=like.device)).to(like.dtype).mean()

retrieval.known([
    lambda a, b: _hit((a.flatten(1)[:, None] - b.flatten(1)[None]).square().sum(-1).argmin(1), a),
    lambda a, b: ((d := _far(a, b)).diagonal() <= d.min(1).values).to(a.dtype).mean(),
    lambda a, b: _hit(_far(a, b).topk(1, largest=False).indices[:, 0], a),
], {
    "Turned round: this asks which translation is nearest to each truth. Every *translation* has to find its own partner.": lambda a, b: _hit(_far(a, b).argmin(0), a),
    "This picks the farthest truth. The nearest is wanted.": lambda a, b: _hit(_far(a, b).argmax(1), a),
    "This is the number of hits. Divide by how many translations there are.": lambda a, b: _hit(_far(a, b).argmin(1), a) * len(a),
    "One answer per translation. The share of all is wanted, one number.": lambda a, b: (_far(a, b).argmin(1) == torch.arange(len(a), device=a.device)).to(a.dtype),
    "This is the mean distance between partners: an error, not a rate. Ask whether anyone else's truth is nearer.": lambda a, b: _far(a, b).diagonal().mean(),
    "This compares translations with translations, and the nearest is always itself.": lambda a, b: _hit(_far(a, a).argmin(1), a),
})

def _history(g, size, n, *shape):
    return g.normal(size, *shape), g.normal(n, *shape), g.uniform(n), torch.stack([torch.tensor(g.integer(0, size - 1)) for _ in range(n)])

@function("cyclegan.replay", points=2,
    draw=lambda g: {"values": (*_history(g, 5, 6, 2)[:3], torch.tensor([3, 0, 4, 1, 2, 0])), "images": _history(g, 8, 5, 1, 3, 3), "always old": (*_history(g, 4, 4, 2)[:2], g.uniform(4) * 0.4, torch.tensor([2, 2, 2, 0])), "always fresh": (*_history(g, 4, 3, 2)[:2], 0.6 + 0.3 * g.uniform(3), torch.tensor([1, 1, 3]))},
    hints=("Go through the batch image by image, with a copy of the buffer (`buffer.clone()`) that changes as you go.", "Where u[i] < 0.5: show `kept[slots[i]]`, and put fresh[i] into that slot. Take the old image out before you overwrite its place (`.clone()`).", "Otherwise show fresh[i], and leave the buffer alone. At the end stack what was shown: `torch.stack(shown), kept`."))
def replay(buffer, fresh, u, slots):
    kept, shown = buffer.clone(), []
    for image, chance, slot in zip(fresh, u, slots, strict=True):
        if chance < 0.5:
            shown.append(kept[slot].clone())
            kept[slot] = image
        else:
            shown.append(image)
    return torch.stack(shown), kept

def _replayed(old=lambda u: u < 0.5, keep=lambda old: old, source=lambda kept, buffer: kept, copy=torch.clone):
    def variant(buffer, fresh, u, slots):
        kept, shown = buffer.clone(), []
        for i, slot in enumerate(slots.tolist()):
            shown.append(copy(source(kept, buffer)[slot]) if old(u[i]) else fresh[i])
            if keep(bool(old(u[i]))):
                kept[slot] = fresh[i]
        return torch.stack(shown), kept

    return variant

def _recursive(buffer, fresh, u, slots):
    if not len(fresh):
        return fresh, buffer
    swap = bool(u[0] < 0.5)
    after = torch.where((torch.arange(len(buffer), device=buffer.device) == slots[0]).view(-1, *[1] * (buffer.ndim - 1)) & swap, fresh[0], buffer)
    shown, kept = _recursive(after, fresh[1:], u[1:], slots[1:])
    return torch.cat([(buffer[slots[0]] if swap else fresh[0])[None], shown]), kept

replay.known([_replayed(), _recursive, lambda b, f, u, s: _replayed(old=lambda v: not v >= 0.5)(b, f, u, s)], {
    "Old and fresh have changed places: below 0.5 the *older* image is shown.": _replayed(old=lambda u: u >= 0.5),
    "Every fresh image goes into the buffer here, also those the critic has just seen. Store only those that an older one was shown for.": _replayed(keep=lambda old: True),
    "The buffer never changes: the critic would see the very first fakes for ever. The fresh image takes the older one's place.": _replayed(keep=lambda old: False),
    "Slots drawn twice in one batch go wrong: the second draw has to find what the first one put there. Look up the *changing* buffer.": _replayed(source=lambda kept, buffer: buffer),
    "What is shown changes when its slot is overwritten: `kept[slot]` is a view. Take a `.clone()` out first.": _replayed(copy=lambda image: image),
    "Only the images to be shown came back. Return the buffer as well: the next batch needs it.": lambda *args: _replayed()(*args)[0],
    "The pair is turned round: first what is shown, then the buffer.": lambda *args: _replayed()(*args)[::-1],
})

_draw = Draw(6)
def _turned(x):
    return torch.stack([-x[:, 1], x[:, 0]], 1)

def _people(n):
    side = 2.0 * (_draw.uniform(n, 1) < 0.5) - 1
    return torch.cat([1.5 * side, 0 * side], 1) + 0.4 * _draw.normal(n, 2)

_a, _b, _pairs_a, _test = _people(500), _turned(_people(500)), _people(4), _people(300)
_pairs_b = _turned(_pairs_a) + 0.5 * _draw.normal(4, 2)

def _off(y, truth=None):
    return (y - (_turned(_test).cpu() if truth is None else truth)).norm(dim=1).mean().item()

@challenge("cyclegan.untangle", points=2, ask=(_a, _b, _pairs_a, _pairs_b, _test), shape=(300, 2), goal=0.2, half=0.4, unit="mean distance to the true partner", metric=_off,
    hints=("The two clouds tell the map up to a symmetry, precisely. The four pairs tell which symmetry, roughly. Use each for what it is good at.", "With nets: train G and F on GAN + cycle as in the lecture, and add the mean |G(pairs_a) − pairs_b|. The pairs are noisy: let their weight fall to 0 by half-time, so that they choose and do not have the last word.", "Without nets: `torch.linalg.eigh(a.T.cov())` gives a cloud's axes and variances. Match mean, axes, and widths of the clouds; every axis may still be flipped, which makes four candidates; keep the one nearest to the pairs."))
def untangle(a, b, pairs_a, pairs_b, test):
    (var_a, axes_a), (var_b, axes_b) = (torch.linalg.eigh(cloud.T.cov()) for cloud in (a, b))
    best, error = None, float("inf")
    for signs in ([1, 1], [1, -1], [-1, 1], [-1, -1]):
        matrix = axes_a @ torch.diag(torch.tensor(signs).to(a) * (var_b / var_a).sqrt()) @ axes_b.T
        y = b.mean(0) + (torch.cat([pairs_a, test]) - a.mean(0)) @ matrix
        off = (y[: len(pairs_a)] - pairs_b).norm(dim=1).mean()
        if off < error:
            best, error = y[len(pairs_a) :], off
    return best

def _train(a, b, pairs_a, pairs_b, test, steps=600):
    a, b, pairs_a, pairs_b, test = (t.float() for t in (a, b, pairs_a, pairs_b, test))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        (G, F), (D_X, D_Y) = ([nets.mlp(2, 32, 32, out) for _ in "xy"] for out in (2, 1))
    players, critics = [*G.parameters(), *F.parameters()], [*D_X.parameters(), *D_Y.parameters()]
    for_G, for_D = adam(players, 2e-3), adam(critics, 4e-3)
    decays = [linear_decay(o, steps) for o in (for_G, for_D)]
    for i, x, y in zip(range(steps), shuffled(a, size=128), shuffled(b, size=128, seed=1), strict=False):
        loss = adversarial.lsgan_discriminator(D_Y(y), D_Y(G(x).detach())) + adversarial.lsgan_discriminator(D_X(x), D_X(F(y).detach()))
        for_D.zero_grad()
        loss.backward()
        for_D.step()
        for_G.zero_grad()
        anchor = 2 * max(0, 1 - 2 * i / steps) * (G(pairs_a) - pairs_b).abs().mean()
        (objective.reference(G, F, D_X, D_Y, x, y, 2.0) + anchor).backward(inputs=players)
        for_G.step()
        [d.step() for d in decays]
    return G(test).detach()

def _ones(x):
    return torch.cat([x, torch.ones_like(x[:, :1])], 1)

def _fitted(a, b, pairs_a, pairs_b, test):
    return _ones(test) @ torch.linalg.lstsq(_ones(pairs_a), pairs_b).solution

def _near(truth):
    return lambda outputs: _off(outputs["artefact"], truth(_test).cpu()) < 0.3

untangle.known([_train, lambda a, b, pairs_a, pairs_b, test: b.mean(0) + (test - a.mean(0)) @ (lambda u, s, v: u @ v)(*torch.linalg.svd(pairs_a.T @ pairs_b))], {
    "Every point is on the other side: healthy has become lesion. The clouds look right, and the pairs say otherwise.": (lambda a, b, pa, pb, x: -_turned(x), _near(lambda x: -_turned(x))),
    "Both groups are where they belong, but mirrored within themselves: left and right in B have changed places. The pairs can tell.": (lambda a, b, pa, pb, x: _turned(x) * torch.tensor([-1.0, 1.0]).to(x), _near(lambda x: _turned(x) * torch.tensor([-1.0, 1.0]).to(x))),
    "The groups have changed places, by a mirror. The clouds look right, and the pairs say otherwise.": (lambda a, b, pa, pb, x: _turned(x) * torch.tensor([1.0, -1.0]).to(x), _near(lambda x: _turned(x) * torch.tensor([1.0, -1.0]).to(x))),
    "This is the affine map through the four pairs. They are few and noisy: let the two clouds, which are large, say where things go.": _fitted,
    "Nothing is translated: these are the test points themselves, in A.": lambda a, b, pa, pb, x: x.clone(),
    "All translations are equal: the mean of B is nobody's partner.": (lambda a, b, pa, pb, x: b.mean(0).expand_as(x), lambda outputs: (outputs["artefact"].std(0) < 1e-9).all().item()),
})
