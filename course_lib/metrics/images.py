"""Images against images, and the fineness of their detail: SSIM and PSNR (torchmetrics), gradient energy, power spectrum."""

from collections.abc import Callable

import torch
from torch import Tensor


def _pairs(measure: Callable, a: Tensor, b: Tensor, reduction: str, **options) -> float | Tensor:
    """torchmetrics' `measure` of pairs in [-1, 1], in chunks, without gradients: the mean, or a value per image (N,)."""
    if a.shape != b.shape or a.ndim != 4 or reduction not in ("mean", "none"):
        found = f"{tuple(a.shape)}, {tuple(b.shape)}, and {reduction!r}"
        raise ValueError(f"Wanted: two sets of images of one shape (N, C, H, W) and reduction 'mean' or 'none', not {found}.")
    options |= {"data_range": 2.0, "reduction": "none"}
    with torch.no_grad():
        values = torch.cat([measure(x, y, **options).view(-1) for x, y in zip(a.split(256), b.split(256), strict=True)])
    return values.mean().item() if reduction == "mean" else values


def ssim(a: Tensor, b: Tensor, reduction: str = "mean") -> float | Tensor:
    """Structural similarity of images a and b (N, C, H, W) in [-1, 1], pair by pair: 1 where they are the same.

    Gaussian window of 11 pixels, so from 12 pixels on. reduction "none" gives a value per image (N,).
    Wang et al. 2004, by torchmetrics. ValueError for other shapes.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure  # takes a second to import

    if min(a.shape[-2:]) < 12:
        raise ValueError(f"SSIM's window of 11 pixels needs images of 12 pixels or more, not {tuple(a.shape[-2:])}.")
    return _pairs(structural_similarity_index_measure, a, b, reduction)


def psnr(a: Tensor, b: Tensor, reduction: str = "mean") -> float | Tensor:
    """Peak signal-to-noise ratio in dB, 10 log10(2^2 / MSE), of images a and b (N, C, H, W) in [-1, 1], pair by pair.

    The mean is that of the images' decibels; infinite where two images are the same. By torchmetrics; as `ssim` otherwise.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    return _pairs(peak_signal_noise_ratio, a, b, reduction, dim=(1, 2, 3))


def gradient_energy(images: Tensor) -> float:
    """Mean squared difference of neighbouring pixels, down plus across, of images (..., H, W): low where they are blurred."""
    return (images.diff(dim=-2).square().mean() + images.diff(dim=-1).square().mean()).item()


def radial_spectrum(images: Tensor) -> tuple[Tensor, Tensor]:
    """Frequencies (R,) in cycles per pixel up to 1/2, and the mean power (R,) in the ring at each, of images (..., H, W).

    Power is |FFT|^2 / (H W), so white noise of variance s^2 has power s^2 in every ring. Each image's mean is removed;
    no window, since the course's images end in a dark border. The corners beyond 1/2 are left out.
    """
    height, width = images.shape[-2:]
    side = min(height, width)
    centred = images.double() - images.double().mean((-2, -1), keepdim=True)
    power = torch.fft.fft2(centred).abs().square().flatten(0, -3).mean(0) / (height * width)
    down, across = (torch.fft.fftfreq(n, dtype=torch.float64, device=images.device) for n in (height, width))
    ring = (torch.hypot(down[:, None], across) * side).round().long().flatten()
    mean = torch.bincount(ring, weights=power.flatten()) / torch.bincount(ring)
    rings = torch.arange(1, side // 2 + 1, device=images.device)
    return rings.double() / side, mean[rings]
