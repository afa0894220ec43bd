"""Variational autoencoders from fully connected layers, alone or several at once."""

import torch
from torch import Tensor, nn

from course_lib.nets.mlp import mlp


class VAE(nn.Module):
    """Encoder q(z|x) = N(mu(x), sigma(x)^2) and decoder, mirror images: `VAE(784, 20, 400)` is 784-400-20-400-784.

    Rows are flat: x (B, D), z (B, L); with `seeds=S`, (S, B, D) and (S, B, L), S independent nets. What the decoder's output
    means, logits or a mean, is up to the likelihood it is given to; `outputs` is its width where that is not D, such as 2 D
    for a mean and a log-variance per pixel. Kingma and Welling 2014.
    """

    def __init__(self, inputs: int, latent: int, *hidden: int, seeds: int | None = None, outputs: int | None = None):
        super().__init__()
        self.latent = latent
        self.encoder = mlp(inputs, *hidden, 2 * latent, seeds=seeds, activation=nn.ReLU)
        self.decoder = mlp(latent, *reversed(hidden), outputs or inputs, seeds=seeds, activation=nn.ReLU)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(mu, logvar) of q(z|x), with logvar = log sigma^2."""
        mu, logvar = self.encoder(x).chunk(2, -1)
        return mu, logvar

    def decode(self, z: Tensor) -> Tensor:
        """The parameters of p(x|z)."""
        return self.decoder(z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(decoded, mu, logvar) with one draw z = mu + sigma * eps per row."""
        mu, logvar = self.encode(x)
        return self.decode(mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)), mu, logvar
