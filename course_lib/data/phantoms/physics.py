"""From tissues to signal: spin echo, inversion recovery (FLAIR), gradient echo, susceptibility weighting, CT.

Times in milliseconds, angles in degrees, CT in Hounsfield units. The signal of a pixel is the mean of its tissues' signals,
weighted by their shares.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.data.phantoms.anatomy import TISSUES, table


@dataclass(frozen=True)
class Tissue:
    """T1, T2, T2* in ms, proton density PD, CT number in HU, and frequency shift in Hz (susceptibility); PD 0: no signal."""

    t1: float
    t2: float
    t2s: float
    pd: float
    hu: float
    shift: float = 0.0

    def __post_init__(self):
        if min(self.t1, self.t2, self.t2s) <= 0 or self.pd < 0:
            raise ValueError(f"T1, T2, and T2* are positive times and PD is at least 0: {self}.")


# 1.5 T. BrainWeb: Cocosco et al. 1997, Kwan et al. 1999; CT: middles of textbook ranges; the frequency shift is ours
FIELDS = ("t1", "t2", "t2s", "pd", "hu", "shift")
TABLE = {row["tissue"]: Tissue(*(float(row[name]) for name in FIELDS)) for row in table("tissues.csv")}


@dataclass(frozen=True)
class SpinEcho:
    """Spin echo: S = PD (1 - exp(-TR/T1)) exp(-TE/T2), for TE far below TR. ValueError for times that cannot be."""

    tr: float
    te: float

    def __post_init__(self):
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name.upper()} has to be positive, not {value}.")
        if self.te >= self.tr:
            raise ValueError(f"The echo time TE = {self.te} ms has to be shorter than the repetition time TR = {self.tr} ms.")

    def signal(self, t: Tissue) -> float:
        """Signal of a tissue in units of PD; HU for CT."""
        return t.pd * (1 - math.exp(-self.tr / t.t1)) * math.exp(-self.te / t.t2)


@dataclass(frozen=True)
class InversionRecovery(SpinEcho):
    """Inversion recovery: S = PD |1 - 2 exp(-TI/T1) + exp(-TR/T1)| exp(-TE/T2). FLAIR is the TI that nulls CSF."""

    ti: float

    def __post_init__(self):
        super().__post_init__()
        if self.ti + self.te >= self.tr:
            raise ValueError(f"TI + TE = {self.ti + self.te} ms has to be shorter than TR = {self.tr} ms.")

    @staticmethod
    def null(t1: float, tr: float) -> float:
        """The inversion time in ms at which a tissue with this T1 gives no signal: T1 ln(2 / (1 + exp(-TR/T1)))."""
        return t1 * math.log(2 / (1 + math.exp(-tr / t1)))

    def signal(self, t: Tissue) -> float:
        return t.pd * abs(1 - 2 * math.exp(-self.ti / t.t1) + math.exp(-self.tr / t.t1)) * math.exp(-self.te / t.t2)


@dataclass(frozen=True)
class GradientEcho(SpinEcho):
    """Spoiled gradient echo: S = PD sin a (1 - E1) / (1 - E1 cos a) exp(-TE/T2*), E1 = exp(-TR/T1), flip angle a in degrees."""

    angle: float

    def __post_init__(self):
        super().__post_init__()
        if self.angle > 180:
            raise ValueError(f"The flip angle lies between 0 and 180 degrees, not at {self.angle}.")

    def signal(self, t: Tissue) -> float:
        a, e1 = math.radians(self.angle), math.exp(-self.tr / t.t1)
        return t.pd * math.sin(a) * (1 - e1) / (1 - e1 * math.cos(a)) * math.exp(-self.te / t.t2s)


@dataclass(frozen=True)
class SusceptibilityWeighted(GradientEcho):
    """SWI: the gradient echo times the 4th power of a phase mask, 1 + phase/pi for negative phases. Haacke et al. 2004."""

    def signal(self, t: Tissue) -> float:
        phase = math.remainder(2 * math.pi * t.shift * self.te / 1000, 2 * math.pi)
        return super().signal(t) * (1 + min(phase, 0.0) / math.pi) ** 4


@dataclass(frozen=True)
class CT:
    """Computed tomography: Hounsfield units."""

    def signal(self, t: Tissue) -> float:
        return t.hu


PROTOCOLS = {
    "T1w": SpinEcho(550, 12),
    "T2w": SpinEcho(4500, 100),
    "PD": SpinEcho(4500, 15),
    "FLAIR": InversionRecovery(9000, 120, round(InversionRecovery.null(TABLE["CSF"].t1, 9000))),
    "GE": GradientEcho(600, 25, 20),
    "SWI": SusceptibilityWeighted(50, 40, 15),
    "CT": CT(),
}


def protocol(contrast) -> SpinEcho | CT:
    """A protocol by its name, or the protocol itself. ValueError with the known names."""
    if isinstance(contrast, str):
        if contrast not in PROTOCOLS:
            raise ValueError(f"There is no contrast {contrast!r}; there are {', '.join(PROTOCOLS)}.")
        return PROTOCOLS[contrast]
    return contrast


def signals(contrasts, table: dict[str, Tissue] = TABLE) -> Tensor:
    """Signal of every tissue under every protocol (C, 12), float64."""
    return torch.tensor([[protocol(c).signal(table[t]) for t in TISSUES] for c in contrasts], dtype=torch.float64)


def mix(weights: Tensor, tissues: Tensor) -> Tensor:
    """Mean of the weights (C, 12) over the tissues in every pixel (N, 12, H, W): (N, C, H, W)."""
    return (weights.to(tissues) @ tissues.flatten(2)).unflatten(2, tissues.shape[2:])


def render(tissues: Tensor, *contrasts, table: dict[str, Tissue] = TABLE) -> Tensor:
    """Noise-free signal (N, C, H, W) of partial-volume fractions (N, 12, H, W): MR in units of PD, CT in HU."""
    return mix(signals(contrasts, table), tissues)
