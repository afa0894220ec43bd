"""Figures the lectures share: point clouds, image grids, loss curves, vector fields. Tensors in, Chart or drawn Axes out."""

import numpy as np
import torch
from torch import Tensor

from course_lib.data.toys import Toy
from course_lib.show.style import EXACT, FAKE, figure


def array(values) -> np.ndarray:
    """A NumPy array of a tensor, wherever it lies and whatever gradient it carries."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def points(samples, density: Toy | None = None, *, ax=None, color=FAKE, label=None, most: int = 1500, title: str = ""):
    """Scatter samples (n, 2), over the contours of an exact density if one is given. Returns the Chart (or the given Axes)."""
    chart, ax = (None, ax) if ax is not None else figure(height=4.6)
    if density is not None:
        low, high = density.box
        ticks = torch.linspace(low, high, 161)
        square = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), -1)
        p = array(density.log_prob(square).exp())
        levels = p.max() * np.array([0.01, 0.1, 0.5])
        ax.contour(array(ticks), array(ticks), p, levels=levels, colors=EXACT, linewidths=0.7, alpha=0.6)
        ax.set(xlim=(low, high), ylim=(low, high))
    if samples is not None:
        xy = array(samples)[:most]
        ax.plot(xy[:, 0], xy[:, 1], ".", color=color, markersize=3, alpha=0.5, label=label, rasterized=True)
    ax.set(aspect="equal", xlabel="x₁", ylabel="x₂", title=title)
    return chart or ax


def grid(images, columns: int = 8, *, ax=None, title: str = "", low: float = -1, high: float = 1):
    """Tile images (N, 1, H, W) or (N, H, W), grey from `low` to `high`. Returns the Chart (or the given Axes)."""
    tiles = array(images)
    tiles = tiles[:, 0] if tiles.ndim == 4 else tiles
    count, height, width = tiles.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), high, dtype=float)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        sheet[top : top + height, left : left + width] = tile
    chart, ax = (None, ax) if ax is not None else figure(width=0.75 * columns, height=0.75 * rows + 0.4)
    ax.imshow(sheet, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    ax.set_title(title)
    ax.set_axis_off()
    return chart or ax


def curves(x, lines: dict, *, ax=None, xlabel: str = "", ylabel: str = "", title: str = ""):
    """Lines by name over x. Returns the Chart (or the given Axes)."""
    chart, ax = (None, ax) if ax is not None else figure(width=6)
    for name, y in lines.items():
        ax.plot(array(x), array(y), label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.legend()
    return chart or ax


def losses(log, *, ax=None, smooth: int = 25, title: str = "Losses"):
    """The losses of a training, with a running mean over `smooth` steps. Returns the Chart (or the given Axes)."""
    width = max(1, min(smooth, log.steps // 4))
    kernel = np.ones(width) / width
    lines = {name: np.convolve(array(values), kernel, "valid") for name, values in log.losses.items()}
    steps = np.arange(width, log.steps + 1)
    return curves(steps, lines, ax=ax, xlabel=f"step (mean over {width})", ylabel="loss", title=title)


def field(velocity, *, ax=None, reach: float = 2.0, arrows: int = 17, title: str = ""):
    """Arrows of a vector field: `velocity` maps (n, 2) points to (n, 2). Returns the Chart (or the given Axes)."""
    chart, ax = (None, ax) if ax is not None else figure(height=4.6)
    ticks = torch.linspace(-reach, reach, arrows)
    at = torch.cartesian_prod(ticks, ticks)
    v = array(velocity(at))
    ax.quiver(array(at[:, 0]), array(at[:, 1]), v[:, 0], v[:, 1], color="#999999", width=0.004)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", title=title)
    return chart or ax
