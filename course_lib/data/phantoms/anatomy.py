"""Head anatomy: axial slices as partial-volume fractions of twelve tissues, drawn from named knobs. Phantoms, not patients.

Every border is the zero of a signed distance in millimetres, so a pixel's share of a tissue follows from its distance to
the border: no supersampling, and thousands of heads a second. The cortex is the neighbourhood of the zero lines of a random
band-limited field (the sulci), of the brain's surface, and of the midline.
"""

import csv
import math
from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor


def table(name: str) -> list[dict[str, str]]:
    """The rows of a table beside this file."""
    return list(csv.DictReader(Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()))


TISSUES = tuple(row["tissue"] for row in table("tissues.csv"))
FIELD_OF_VIEW = 200.0  # mm, whatever the number of pixels
WAVES = 14  # of the field whose zero lines are the sulci

# drawn uniformly between low and high; knobs.csv says what each of them is
KNOBS = {row["knob"]: (float(row["low"]), float(row["high"])) for row in table("knobs.csv")}


def draw_knobs(n: int, gen: torch.Generator, lesions: float, fixed: dict) -> Tensor:
    """Knobs (n, 18), uniform in their ranges; a share `lesions` of the heads keeps its lesion; `fixed` values win."""
    low, high = torch.tensor(list(KNOBS.values()), device=gen.device).T
    z = low + (high - low) * torch.rand(n, len(KNOBS), generator=gen, device=gen.device)
    sick = torch.rand(n, generator=gen, device=gen.device) < lesions
    z[:, list(KNOBS).index("lesion")] *= sick
    for name, value in fixed.items():
        if name not in KNOBS:
            raise ValueError(f"A head has no knob {name!r}; it has {', '.join(KNOBS)}.")
        value = torch.as_tensor(value, dtype=z.dtype, device=z.device)
        if value.shape not in ((), (1,), (n,)):
            raise ValueError(f"{name} wants one number, or one for each of the {n} heads, not {tuple(value.shape)}.")
        z[:, list(KNOBS).index(name)] = value
    return z


def _field(waves: Tensor, ticks: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of random plane waves (N, H, W) and about the length of its gradient; cos(a + b) splits into one matrix product."""
    angle, pitch, phase = waves
    k = 2 * math.pi / (15 + 13 * pitch)  # wavelengths of 15 to 28 mm: sulci every 8 to 14 mm
    kx, ky = k * torch.cos(2 * math.pi * angle), k * torch.sin(2 * math.pi * angle)
    x = kx[:, :, None] * ticks + 2 * math.pi * phase[:, :, None]
    y = ky[:, :, None] * ticks.flip(0)
    cos_x, sin_x, cos_y, sin_y = x.cos(), x.sin(), y.cos(), y.sin()
    rows = torch.cat([cos_y, -sin_y], 1).mT
    value = rows @ torch.cat([cos_x, sin_x], 1)
    along_x = rows @ torch.cat([-kx[:, :, None] * sin_x, kx[:, :, None] * cos_x], 1)
    along_y = torch.cat([-ky[:, :, None] * sin_y, -ky[:, :, None] * cos_y], 1).mT @ torch.cat([cos_x, sin_x], 1)
    slope = torch.addcmul(along_x.square(), along_y, along_y).sqrt_()
    return value, slope.add_(0.8).mul_(0.5)  # flat places: wide sulci instead of dots


def _slow(waves: Tensor, ticks: Tensor) -> Tensor:
    """A slow random wave (N, H, W) within [-1, 1]: what makes one sulcus deeper and wider than the next."""
    (a, b), (c, d) = waves[0, :, :2].T, waves[1, :, :2].T
    across, down = (torch.cos((0.09 + 0.08 * k[:, None]) * ticks + 2 * math.pi * p[:, None]) for k, p in ((a, c), (b, d)))
    return down[:, :, None] * across[:, None, :]


def _capsule(x: Tensor, y: Tensor, a: tuple[float, float], b: tuple[float, float]) -> Tensor:
    """Distance of (x, y) to the segment from a to b, in mm."""
    u, v, dx, dy = x - a[0], y - a[1], b[0] - a[0], b[1] - a[1]
    length = dx * dx + dy * dy
    along = (u * (dx / length)).add_(v, alpha=dy / length).clamp_(0, 1)
    u.sub_(along, alpha=dx)
    v.sub_(along, alpha=dy)
    return torch.addcmul(u * u, v, v).sqrt_()


def _ellipse(x: Tensor, y: Tensor, at: tuple[float, float], axes: tuple[float, float], lean: float = 0.0) -> Tensor:
    """Close to its border the signed distance to an ellipse, positive inside, in mm; `lean` turns it, in degrees."""
    c, s = math.cos(math.radians(lean)), math.sin(math.radians(lean))
    (p, q), half = axes, 0.5 * min(axes)
    u, v = x - at[0], y - at[1]
    mixed = (u * (2 * c * s * (1 / p**2 - 1 / q**2))).add_(v, alpha=(s / p) ** 2 + (c / q) ** 2)
    return ((u * u * ((c / p) ** 2)).addcmul_(v, mixed)).mul_(-half).add_(half)  # (1 - r^2) / 2 is about 1 - r


def _most(*values: Tensor) -> Tensor:
    """The largest value of every pixel: the union of shapes given by signed distances."""
    return reduce(torch.maximum, values)


def fractions(z: Tensor, waves: Tensor, out: Tensor) -> None:
    """Write partial-volume fractions for knobs (N, 18) and waves (3, N, WAVES) into `out` (N, 12, H, H)."""
    size = out.shape[-1]
    pixel = FIELD_OF_VIEW / size
    knob = {name: column[:, None, None] for name, column in zip(KNOBS, z.T, strict=True)}
    ticks = (torch.arange(size, device=z.device) + 0.5) * pixel - FIELD_OF_VIEW / 2
    turn = torch.deg2rad(knob["tilt"])
    right, up = ticks - knob["right"], ticks.flip(0)[:, None] - knob["up"]
    x, y = right * turn.cos() + up * turn.sin(), up * turn.cos() - right * turn.sin()  # the head's own axes

    def cover(distance: Tensor) -> Tensor:
        return (distance * (1 / pixel)).add_(0.5).clamp_(0, 1)

    fold, slope = _field(waves, ticks)
    slow = _slow(waves, ticks)
    layers, inside = _skull(x, y, knob, cover)
    left = x.abs()
    surface = _cortex(left + 1.5 * slow, y, inside, fold.abs() / slope, slow, knob)
    pial = cover(surface)
    white = cover(surface - knob["cortex"])
    white = white - torch.minimum(white, cover(_nuclei(left, y, knob["level"])))
    hollow = cover(_ventricles(left, y, knob))
    ventricles = layers["brain"] * hollow
    pial, white = pial * (1 - hollow), white * (1 - hollow)
    oedema, core, blood = (cover(d) * pial for d in _lesion(x, y, inside, fold, knob))
    healthy = 1 - oedema / pial.clamp(min=1e-6)
    shares = {
        **layers["outside"],
        "CSF": layers["brain"] - pial - ventricles,
        "grey": (pial - white) * healthy,
        "white": white * healthy,
        "ventricles": ventricles,
        "oedema": oedema - core,
        "core": core - blood,
        "haemorrhage": blood,
    }
    torch.stack([shares[name] for name in TISSUES], 1, out=out)


def _skull(x: Tensor, y: Tensor, knob: dict, cover: Callable) -> tuple[dict, Tensor]:
    """Shares of air, skin, fat, bone, marrow, and what is inside; and the depth under the skull in mm."""
    shrink = 1 - 0.16 * knob["level"].square()
    low = 1 - knob["level"]
    radius = torch.hypot(x, y) + 1e-3
    front = y / radius  # cosine of the angle from the front
    side = 1 - front.square()
    wide, long = knob["width"] * shrink * (1 - knob["egg"] * y / 90), knob["length"] * shrink
    depth = radius / torch.hypot(x / wide, y / long) - radius
    temple = 14 * low * (side - 0.5).clamp(min=0) * (front + 0.6).clamp(min=0)  # muscle beside the skull
    fat = knob["scalp"] * (0.85 + 0.3 * front.square())
    outer = depth - fat - temple
    skull = knob["skull"] * (1 - 0.25 * side) + knob["sinus"] * low * ((front - 0.9).clamp(min=0) / 0.1)
    table = 0.37 * knob["skull"]
    inside = outer - skull
    steps = [cover(d) for d in (depth, depth - 2.2, depth - fat, outer, outer - table, inside + table, inside)]
    shares = [a - b for a, b in pairwise(steps)]  # skin, fat, muscle, bone, marrow, bone
    sinus = cover(0.5 * knob["sinus"] * low - (inside + 0.5 * skull).abs() - 0.1) * cover(11 - x.abs()) * (y > 0)
    bone, marrow = shares[3] + shares[5], shares[4]
    outside = {
        "air": 1 - steps[0] + sinus * (bone + marrow),
        "skin": shares[0] + shares[2],
        "fat": shares[1],
        "bone": bone * (1 - sinus),
        "marrow": marrow * (1 - sinus),
    }
    return {"outside": outside, "brain": steps[-1]}, inside


def _cortex(left: Tensor, y: Tensor, inside: Tensor, sulcus: Tensor, slow: Tensor, knob: dict) -> Tensor:
    """Distance from the nearest CSF to the grey matter's surface in mm, positive within the brain."""
    low, gap = 1 - knob["level"], (0.3 + 1.3 * knob["atrophy"]) * (1 + 0.7 * slow)  # half width of a sulcus
    reach = 22 + 7 * slow  # how deep the sulci go
    span = 12 + 26 * low - (y + 3).abs()  # the callosum bridges the midline, longer at the ventricles' level
    midline = left + span.clamp(min=0) - 0.4
    sylvian = _capsule(left, y, (36.0, 4.0), (60.0, 14.0)) - 1 + 40 * (knob["level"] - 0.4).clamp(min=0)
    folds = reduce(torch.minimum, (sulcus + (inside - reach).clamp(min=0), midline, sylvian)) - gap
    return torch.minimum(folds, inside - 1 - 1.5 * gap)


def _nuclei(left: Tensor, y: Tensor, level: Tensor) -> Tensor:
    """Signed distance to thalamus, putamen, and caudate (both sides), which fade upwards."""
    thalamus, putamen = _ellipse(left, y, (10, -9), (8, 13), -15), _ellipse(left, y, (26, 5), (5, 15), 12)
    caudate = _ellipse(left, y, (13, 21), (5, 8), -15)
    return _most(thalamus, putamen, caudate) - 16 * (level - 0.3).clamp(min=0)


def _ventricles(left: Tensor, y: Tensor, knob: dict) -> Tensor:
    """Signed distance to the lateral ventricles (frontal horn, body, occipital horn) and the third."""
    level, wide = knob["level"], knob["ventricles"]
    rise = (level - 0.75).clamp(min=0) * 30  # they end below the top slices
    horn = 0.8 * wide - _capsule(left, y, (4.0, 17.0), (11.0, 27.0))
    body = wide - _capsule(left, y, (9.0, 16.0), (13.0, -20.0)) - 14 * (0.35 - level).clamp(min=0)
    back = 0.8 * wide - _capsule(left, y, (15.0, -22.0), (22.0, -36.0)) - 12 * (level - 0.5).clamp(min=0)
    third = 0.3 * wide - torch.hypot(left, 0.25 * (y + 8).abs().sub(8).clamp(min=0)) - 20 * (level - 0.2).clamp(min=0)
    return _most(_most(horn, body, back) - rise, third)


def _lesion(x: Tensor, y: Tensor, inside: Tensor, fold: Tensor, knob: dict) -> tuple[Tensor, Tensor, Tensor]:
    """Signed distances to oedema, core, and haemorrhage, one within the other; all negative where the head is healthy."""
    angle, size = torch.deg2rad(knob["lesion_angle"]), knob["lesion"]
    reach = knob["lesion_depth"] * 60 * (1 - 0.16 * knob["level"].square())
    ragged = 1 + 0.12 * fold / math.sqrt(WAVES / 2)
    far = torch.hypot(x - reach * angle.sin(), y - reach * angle.cos())
    oedema = torch.where(size > 0, size * ragged - far, -FIELD_OF_VIEW)
    core = torch.where(size > 0, size * knob["lesion_core"] - far / ragged, -FIELD_OF_VIEW)
    bleeds = (size > 0) & (knob["bleeding"] > 0.24)
    blood = torch.where(bleeds, size * knob["bleeding"] * knob["lesion_core"] - far * ragged, -FIELD_OF_VIEW)
    core = torch.minimum(core, oedema)
    return oedema, core, torch.minimum(blood, core)
