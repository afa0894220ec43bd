"""Small convolutional encoder, generator, and discriminator for images of 8, 16, 32, ... pixels: VAE, GAN, and VAE-GAN.

Stems and heads shuffle 2 x 2 pixels into channels, so that no convolution runs at full size: fast on a CPU.
"""

from torch import Tensor, nn


def _halvings(size: int) -> int:
    """How often `size` / 2 is halved until 4 is reached; ValueError where it never is."""
    count = (size // 8).bit_length() - 1
    if size < 8 or 8 * 2**count != size:
        raise ValueError(f"These nets are for images of 8, 16, 32, 64, ... pixels, not {size}.")
    return count


def _blocks(size: int, width: int, channels: int) -> list[nn.Module]:
    """(B, channels, size, size) to (B, width * 2^k, 4, 4) in k + 1 blocks of a convolution each."""
    stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * channels, width, 3, padding=1), nn.LeakyReLU(0.2))
    widths = [width * 2**i for i in range(_halvings(size))]
    return [stem, *(nn.Sequential(nn.Conv2d(w, 2 * w, 4, 2, 1), nn.LeakyReLU(0.2)) for w in widths)]


class ConvEncoder(nn.Module):
    """q(z|x): images (B, C, S, S) to (mu, logvar), each (B, latent)."""

    def __init__(self, size: int, latent: int, width: int = 16, channels: int = 1):
        super().__init__()
        self.body = nn.Sequential(*_blocks(size, width, channels), nn.Flatten())
        self.head = nn.Linear(width * 2 ** _halvings(size) * 16, 2 * latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = self.head(self.body(x)).chunk(2, 1)
        return mu, logvar


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    """A convolution of the generator; without GroupNorm its training starts slowly, and often with a collapsed posterior."""
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(4, outputs), nn.LeakyReLU(0.2)]


class ConvGenerator(nn.Module):
    """p(x|z), a VAE's decoder and a GAN's generator: (B, latent) to images (B, C, S, S) in [-1, 1]; `width` divisible by 4."""

    def __init__(self, size: int, latent: int, width: int = 16, channels: int = 1):
        super().__init__()
        wide = width * 2 ** _halvings(size)
        layers: list[nn.Module] = [nn.Linear(latent, 16 * wide), nn.LeakyReLU(0.2), nn.Unflatten(1, (wide, 4, 4))]
        layers += _convolution(wide, wide)
        while wide > width:
            layers += [nn.Upsample(scale_factor=2), *_convolution(wide, wide // 2)]
            wide //= 2
        self.body = nn.Sequential(*layers, nn.Conv2d(width, 4 * channels, 3, padding=1), nn.PixelShuffle(2), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.body(z)


class ConvDiscriminator(nn.Module):
    """D: images (B, C, S, S) to logits (B,). `layers` hands out the activations on the way: Dis_l of Larsen et al. 2016."""

    def __init__(self, size: int, width: int = 16, channels: int = 1):
        super().__init__()
        wide = width * 2 ** _halvings(size)
        last = nn.Sequential(nn.Conv2d(wide, wide, 3, padding=1), nn.LeakyReLU(0.2))
        self.blocks = nn.ModuleList([*_blocks(size, width, channels), last])
        self.head = nn.Linear(16 * wide, 1)

    def layers(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(logits, [Dis_1, Dis_2, ...]), from the first block of convolutions to the last."""
        features = []
        for block in self.blocks:
            x = block(x)
            features.append(x)
        return self.head(x.flatten(1)).squeeze(1), features

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)[0]
