"""How well a score tells one class from the other, with an interval that says how sure we may be."""

from dataclasses import dataclass

import torch
from torch import Tensor

QUANTILES = 1000  # the bootstrap's bins: each is one single score, or holds under 1/1000 of all scores


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % bootstrap interval from `low` to `high`."""

    value: float
    low: float
    high: float


def _area(positives: Tensor, negatives: Tensor) -> Tensor:
    """Area under the ROC curve from counts per score, ascending, (..., bins): P(positive > negative) + P(equal) / 2."""
    below = negatives.cumsum(-1) - negatives / 2
    return (positives * below).sum(-1) / (positives.sum(-1) * negatives.sum(-1))


def auroc(scores: Tensor, labels: Tensor, seed: int = 0, resamples: int = 200) -> Interval:
    """Area under the ROC curve of scores (N,) or (N, pixels, ...), labels of the same shape 0 or 1: 0.5 for a coin.

    The value is exact (Mann-Whitney; ties count half). The interval is the 95 % percentile bootstrap over the first
    axis: whole images are drawn again, since pixels of one image are no independent witnesses. It works on
    quantile bins of the scores, which shifts an area by about 0.001 at most. ValueError where labels hold one class only.
    """
    scores, labels = scores.detach().cpu().double(), labels.detach().cpu().double()
    if scores.shape != labels.shape or not scores.ndim or scores.isnan().any() or ((labels != 0) & (labels != 1)).any():
        raise ValueError("auroc wants scores without NaN, and labels of the same shape that are 0 or 1: for a mask, mask > 0.5.")
    if not 0 < labels.mean() < 1:
        raise ValueError("auroc needs both classes; these labels hold one only.")
    count, truth = len(scores), labels.flatten()
    _, rank, ties = scores.flatten().unique(return_inverse=True, return_counts=True)
    exact = _area(torch.bincount(rank, weights=truth), torch.bincount(rank, weights=1 - truth))
    upto = ties.cumsum(0)
    edges = (upto - ties) * QUANTILES // len(truth) + upto * QUANTILES // len(truth)
    code = edges.unique(return_inverse=True)[1][rank]  # a score with many ties gets a bin of its own
    image, bins = torch.arange(count, device="cpu").repeat_interleave(len(truth) // count), int(code.max()) + 1
    counts = [torch.bincount(image * bins + code, weights=w, minlength=count * bins) for w in (truth, 1 - truth)]
    drawn = torch.randint(count, (resamples, count), generator=torch.Generator("cpu").manual_seed(seed), device="cpu")
    times = torch.stack([row.bincount(minlength=count) for row in drawn]).double()
    areas = _area(*(times @ c.view(count, bins) for c in counts))
    low, high = areas.nanquantile(areas.new_tensor([0.025, 0.975])).tolist()  # a draw of one class has no area
    return Interval(exact.item(), low, high)
