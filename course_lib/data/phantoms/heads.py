"""Heads with known truth: tissues, knobs, masks, attributes, and images of any contrast; paired and unpaired sets."""

from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.data.phantoms.anatomy import KNOBS, TISSUES, WAVES, draw_knobs, fractions
from course_lib.data.phantoms.physics import CT, TABLE, mix, protocol, signals
from course_lib.data.phantoms.scanner import Scanner
from course_lib.device import generator

LESION = ("oedema", "core", "haemorrhage")
BRAIN = ("grey", "white", *LESION)
SCANNER = Scanner()
PIXELS = 32 * 64 * 64  # drawn at a time on a CPU: the arrays then stay in its cache


@dataclass(frozen=True)
class Heads:
    """Head phantoms: `tissues` (N, 12, H, W) are shares that sum to 1, `z` (N, 18) the knobs that made them."""

    tissues: Tensor
    z: Tensor

    def __len__(self) -> int:
        return len(self.z)

    def __getitem__(self, rows) -> "Heads":
        return Heads(self.tissues[rows], self.z[rows])

    def knob(self, name: str) -> Tensor:
        """One knob of every head (N,); the names and units are in KNOBS."""
        return self.z[:, list(KNOBS).index(name)]

    def mask(self, *names: str) -> Tensor:
        """Share of the named tissues in every pixel (N, 1, H, W)."""
        return self.tissues[:, [TISSUES.index(n) for n in names]].sum(1, keepdim=True)

    @property
    def lesion(self) -> Tensor:
        """Share of lesion in every pixel (N, 1, H, W): oedema, core, and haemorrhage."""
        return self.mask(*LESION)

    def share(self, *names: str) -> Tensor:
        """Area of the named tissues over the area of brain and ventricles (N,)."""
        return self.mask(*names).sum((1, 2, 3)) / self.mask(*BRAIN, "ventricles").sum((1, 2, 3))

    @property
    def lesion_load(self) -> Tensor:
        """Lesion area over brain area (N,)."""
        return self.share(*LESION)

    @property
    def ventricle_size(self) -> Tensor:
        """Ventricle area over brain area (N,)."""
        return self.share("ventricles")

    def images(self, *contrasts, scanner: Scanner | None = SCANNER, seed: int = 0, table: dict = TABLE) -> Tensor:
        """Images (N, C, H, W) in [-1, 1]: MR from no signal to the brightest tissue's, CT as HU / 1000; clipped.

        A contrast is a name of PROTOCOLS or a protocol such as SpinEcho(tr=550, te=12); `scanner=None` gives the truth.
        """
        mr = [not isinstance(protocol(c), CT) for c in contrasts]
        weights = signals(contrasts, table)
        full = torch.tensor([w.max() if m else 2000.0 for w, m in zip(weights, mr, strict=True)], dtype=weights.dtype)
        zero = torch.tensor([0.0 if m else -1000.0 for m in mr])
        weights = (weights - zero[:, None]) / full[:, None]  # shares sum to 1: scaling the weights scales the image
        gen = generator(seed + 2**31)  # not the stream that drew the heads
        images = self.tissues.new_empty(len(self), len(contrasts), *self.tissues.shape[2:])
        some = _chunk(self.tissues)
        for tissues, out in zip(self.tissues.split(some), images.split(some), strict=True):
            scaled = mix(weights, tissues)
            if scanner is not None:
                scaled = scanner(scaled, mr, gen)
            torch.clamp(scaled.mul_(2).sub_(1), -1, 1, out=out)
        return images


def _chunk(like: Tensor) -> int:
    """Heads to draw at a time: a few on a CPU, many on a GPU."""
    return max(1, PIXELS * (1 if like.device.type == "cpu" else 64) // like.shape[-1] ** 2)


def heads(n: int, size: int = 64, *, seed: int = 0, lesions: float = 0.5, **knobs) -> Heads:
    """`n` head phantoms of `size` x `size` pixels over 200 mm; a share `lesions` of them has a lesion.

    Any knob can be fixed, to a number or to one per head: `heads(8, ventricles=9)`, `heads(2, lesion=[0, 15])`.
    The same seed gives the same heads at every size. ValueError for a knob that does not exist.
    """
    if n < 1 or size < 8:
        raise ValueError(f"heads wants at least 1 head of at least 8 pixels, not {n} of {size}.")
    if not 0 <= lesions <= 1:
        raise ValueError(f"lesions is a share of the heads, between 0 and 1, not {lesions}.")
    gen = generator(seed)
    z = draw_knobs(n, gen, lesions, knobs)
    waves = torch.rand(3, n, WAVES, generator=gen, device=gen.device)
    tissues = z.new_empty(n, len(TISSUES), size, size)
    some = _chunk(tissues)
    for z_, waves_, out in zip(z.split(some), waves.split(some, 1), tissues.split(some), strict=True):
        fractions(z_, waves_, out)
    return Heads(tissues, z)


def paired(a, b, n: int, size: int = 32, *, seed: int = 0, scanner: Scanner | None = SCANNER, **knobs) -> tuple[Tensor, Tensor]:
    """`n` heads in two contrasts: two tensors (n, 1, size, size) in [-1, 1] whose rows belong together."""
    both = heads(n, size, seed=seed, **knobs).images(a, b, scanner=scanner, seed=seed)
    return both[:, :1], both[:, 1:]


def unpaired(a, b, n: int, size: int = 32, *, seed: int = 0, scanner: Scanner | None = SCANNER, **knobs) -> tuple[Tensor, Tensor]:
    """`n` heads in contrast a and `n` other heads in contrast b: rows have nothing to do with each other."""
    everyone = heads(2 * n, size, seed=seed, **knobs)
    return everyone[:n].images(a, scanner=scanner, seed=seed), everyone[n:].images(b, scanner=scanner, seed=seed + 1)
