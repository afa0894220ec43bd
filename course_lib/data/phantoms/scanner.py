"""What a scanner does to a signal: gain, bias field, blur, misregistration, Rician noise."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Scanner:
    """A scanner's faults. `noise` as a share of full scale; `bias` and `gain` relative; `blur` and `shift` in pixels.

    noise  standard deviation in each of the two channels whose magnitude is the MR image (Rician); a quarter of it in CT (Gaussian)
    bias   largest deviation of the smooth coil sensitivity from 1 (MR only)
    blur   standard deviation of the point spread function
    gain   standard deviation of a factor per image (MR only)
    shift  standard deviation of a contrast's misregistration against the first, along each axis
    """

    noise: float = 0.02
    bias: float = 0.1
    blur: float = 0.4
    gain: float = 0.05
    shift: float = 0.0

    def __post_init__(self):
        for name, value in vars(self).items():
            if not 0 <= value < 1000 or (name in ("bias", "gain") and value >= 1):
                raise ValueError(f"A scanner with {name} = {value} makes no picture; 0 switches a fault off.")

    def __call__(self, scaled: Tensor, mr: list[bool], gen: torch.Generator) -> Tensor:
        """Images in [0, 1] of full scale (N, C, H, W) as this scanner would show them; `mr` is False where a contrast is CT."""

        def randn(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=gen, device=scaled.device)

        n, c, h, w = scaled.shape
        offset = self.shift * randn(2, n, c) if self.shift else torch.zeros(2, 1, 1, device=scaled.device)
        offset[:, :, 0] = 0
        if self.blur or self.shift:
            scaled = _smear(h, offset[0], self.blur) @ scaled @ _smear(w, offset[1], self.blur).mT
        coil = 1 + self.bias * _sensitivity(randn(n, 2, 3), h, w)
        gain = 1 + self.gain * randn(n, c, 1, 1)
        for signal, factor, magnetic in zip(scaled.unbind(1), gain.unbind(1), mr, strict=True):
            if not magnetic:
                signal.add_(randn(n, h, w), alpha=0.25 * self.noise)
                continue
            signal.mul_(coil * factor).add_(randn(n, h, w), alpha=self.noise)
            torch.hypot(signal, self.noise * randn(n, h, w), out=signal)
        return scaled


def _smear(size: int, offset: Tensor, blur: float) -> Tensor:
    """Matrices (..., size, size) that blur and shift a line of pixels; a shift alone is blurred a little, as resampling does."""
    ticks = torch.arange(size, device=offset.device, dtype=offset.dtype)
    away = ticks[:, None] - ticks - offset[..., None, None]
    weights = torch.exp((-0.5 * (away / max(blur, 0.35)).square()).clamp(min=-60))  # underflow would be slow
    return weights / weights.sum(-1, keepdim=True)


def _sensitivity(waves: Tensor, h: int, w: int) -> Tensor:
    """Smooth fields (N, H, W) within [-1, 1] from random numbers (N, 2, 3): a product of two slow cosines."""

    def line(parts: Tensor, size: int) -> Tensor:
        ticks = torch.linspace(-1, 1, size, device=parts.device)
        return torch.cos(1.2 * parts[:, :1] * ticks + 2 * parts[:, 1:2]) * torch.tanh(1 + parts[:, 2:])

    return line(waves[:, 0], h)[:, :, None] * line(waves[:, 1], w)[:, None, :]
