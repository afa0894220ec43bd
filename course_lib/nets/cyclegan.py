"""Nets of lecture 06: two generators that translate images, one local and one through a narrow code, and a critic.

GroupNorm with groups of channels, where CycleGAN has instance normalisation: each image still has its own statistics.
"""

from torch import Tensor, nn


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(8, channels), channels)


class Residual(nn.Module):
    """x + two 3 x 3 convolutions of x, each after a normalisation; channels and size stay."""

    def __init__(self, width: int):
        super().__init__()
        layers = [[_norm(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)] for _ in range(2)]
        self.body = nn.Sequential(*layers[0], *layers[1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def translator(width: int = 16, blocks: int = 2, channels: int = 1) -> nn.Sequential:
    """A local generator (B, C, H, W) to the same in [-1, 1]; H and W even. An output pixel sees up to 26 x 26 pixels.

    Works at half the size: PixelUnshuffle folds 2 x 2 pixels into channels, PixelShuffle unfolds them (Shi et al. 2016).
    No skip from input to output.
    """
    return nn.Sequential(
        nn.PixelUnshuffle(2),
        nn.Conv2d(4 * channels, width, 3, padding=1),
        *(Residual(width) for _ in range(blocks)),
        _norm(width),
        nn.ReLU(),
        nn.Conv2d(width, 4 * channels, 3, padding=1),
        nn.PixelShuffle(2),
        nn.Tanh(),
    )


def _down(inputs: int, width: int) -> list[nn.Module]:
    """Three stride-2 convolutions, 1/8 of the size at the end, and 4 x width channels, flattened."""
    layers: list[nn.Module] = []
    for outputs in (width, 2 * width, 4 * width):
        layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2)]
        inputs = outputs
    return [*layers, nn.Flatten()]


def bottleneck(size: int = 32, code: int = 32, width: int = 16, channels: int = 1) -> nn.Sequential:
    """A generator whose input passes through `code` numbers: it can draw any image, and is free to ignore its input.

    `net[0]` is the encoder (B, C, size, size) to (B, code), `net[1]` the decoder back; size a multiple of 8. The code is
    standardised over the batch, so that no training can shrink it to a constant, as adversarial ones tried to.
    """
    low, top = size // 8, 4 * width
    flat = top * low * low
    layers: list[nn.Module] = [nn.Linear(code, flat), nn.Unflatten(1, (top, low, low))]
    for inputs, outputs in ((top, top // 2), (top // 2, top // 4), (top // 4, channels)):
        layers += [_norm(inputs), nn.LeakyReLU(0.2), nn.Conv2d(inputs, 4 * outputs, 3, padding=1), nn.PixelShuffle(2)]
    encoder = nn.Sequential(*_down(channels, width), nn.Linear(flat, code), nn.BatchNorm1d(code, affine=False))
    return nn.Sequential(encoder, nn.Sequential(*layers, nn.Tanh()))


def critic(size: int = 32, width: int = 16, channels: int = 1) -> nn.Sequential:
    """A critic (B, C, size, size) to one logit per image (B, 1); size a multiple of 8. No normalisation."""
    return nn.Sequential(*_down(channels, width), nn.Linear(4 * width * (size // 8) ** 2, 1))
