"""Multilayer perceptrons, alone or several at once: independent nets trained together in one batched matrix product."""

import itertools
import math

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """A linear layer of S independent nets: (S, B, in) to (S, B, out), each net with its own weights.

    S small nets cost little more than one, so a lecture can show every result over S seeds.
    """

    def __init__(self, seeds: int, inputs: int, outputs: int):
        super().__init__()
        bound = 1 / math.sqrt(inputs)  # as torch.nn.Linear
        self.weight = nn.Parameter(torch.empty(seeds, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(seeds, 1, outputs).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


def mlp(*sizes: int, seeds: int | None = None, activation: type[nn.Module] = nn.LeakyReLU, slope: float = 0.2) -> nn.Sequential:
    """Linear layers of the given sizes with an activation between them: `mlp(8, 64, 64, 2)`.

    Without `seeds`: (B, in) to (B, out). With `seeds=S`: S independent nets, (S, B, in) to (S, B, out).
    """
    if len(sizes) < 2:
        raise ValueError("An MLP needs at least an input and an output size.")
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers.append(nn.Linear(inputs, outputs) if seeds is None else Ensemble(seeds, inputs, outputs))
        layers.append(activation(slope) if activation is nn.LeakyReLU else activation())
    return nn.Sequential(*layers[:-1])
