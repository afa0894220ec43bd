"""Endless, seeded minibatches of data that already lies on the device. No workers, no copies."""

from collections.abc import Callable, Iterator

import torch

from course_lib.device import generator


class Batches(Iterator):
    """Calls `draw(generator)` for every batch, for ever, with a generator of its own: the same seed, the same batches."""

    def __init__(self, draw: Callable[[torch.Generator], object], seed: int = 0):
        self.draw, self.generator = draw, generator(seed)

    def __next__(self):
        return self.draw(self.generator)


def shuffled(*tensors: torch.Tensor, size: int, seed: int = 0) -> Batches:
    """Minibatches of `size` rows of the tensors (all of one length N), reshuffled every epoch; the short last one is left out.

    One tensor gives tensors, several give tuples. ValueError where `size` exceeds N.
    """
    count = len(tensors[0])
    if not 0 < size <= count or any(len(t) != count for t in tensors):
        raise ValueError(f"A batch of {size} does not fit tensors of lengths {[len(t) for t in tensors]}.")
    order = torch.empty(0, dtype=torch.long, device=tensors[0].device)

    def draw(gen):
        nonlocal order
        if len(order) < size:
            order = torch.randperm(count, generator=gen, device=gen.device)
        rows, order = order[:size], order[size:]
        batch = tuple(t[rows] for t in tensors)
        return batch if len(batch) > 1 else batch[0]

    return Batches(draw, seed)
