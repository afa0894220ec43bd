"""scikit-learn's 1797 real handwritten digits (8 x 8, 17 grey levels), at 8, 16, 28, or 32 pixels. Offline, nothing stored."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from course_lib.data.batches import Batches, shuffled
from course_lib.device import default_device

SIZES = (8, 16, 28, 32)
SPLITS = {"train": slice(0, 1400), "test": slice(1400, None), "all": slice(None)}


@dataclass(frozen=True)
class Images:
    """Pictures x (N, 1, H, W) in [-1, 1] and labels y (N,), on the default device."""

    x: Tensor
    y: Tensor

    def batches(self, size: int, seed: int = 0, labels: bool = False) -> Batches:
        """Endless shuffled minibatches of x, or of (x, y)."""
        return shuffled(self.x, self.y, size=size, seed=seed) if labels else shuffled(self.x, size=size, seed=seed)


def load(size: int = 8, split: str = "train") -> Images:
    """The digits at `size` pixels (bilinear), shuffled once with a fixed seed: 1400 train, 397 test.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998, as shipped by scikit-learn.
    """
    if size not in SIZES:
        raise ValueError(f"Digits come at {SIZES} pixels, not {size}.")
    if split not in SPLITS:
        raise ValueError(f"The splits are {', '.join(SPLITS)}, not {split!r}.")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = torch.randperm(len(bunch.target), generator=torch.Generator("cpu").manual_seed(0), device="cpu")[SPLITS[split]]
    x = torch.tensor(bunch.images, dtype=torch.float32, device="cpu")[order, None] / 8 - 1
    y = torch.tensor(bunch.target, dtype=torch.long, device="cpu")[order]
    if size != 8:
        x = interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
    return Images(x.to(default_device()), y.to(default_device()))
