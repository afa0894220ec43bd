"""Redrawing part of a figure: what stays is drawn once, what moves is drawn anew on top (matplotlib's blitting)."""

import io
from collections.abc import Callable

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from course_lib.show.style import CYCLE, Chart


class Layers:
    """A chart whose axes, ticks, labels, and legends stay, while `draw(chart, **values)` adds what moves.

    Everything that `draw` adds is taken away before the next call; titles move too. Should `draw` change what stays
    (limits, labels, ticks), the picture is still right, only slower: the lower layer is then drawn again.
    """

    def __init__(self, chart: Chart, draw: Callable):
        self.chart, self.draw = chart, draw
        self.canvas = FigureCanvasAgg(chart)
        self.stays = {id(a): a for holder in self._holders() for a in holder.get_children()}
        self.lower, self.signature = None, ()

    def _holders(self) -> list:
        return [self.chart, *self.chart.axes]

    def frame(self, **values) -> np.ndarray:
        """The picture for these values, (height, width, 4) of uint8; what `draw` raises passes through."""
        self._clear()
        self.draw(self.chart, **values)
        moving = self._moving()
        if self.lower is None or self.signature != self._signature():
            for artist in moving:
                artist.set_animated(True)  # left out of the lower layer
            self.canvas.draw()
            self.chart.set_layout_engine("none")  # room is shared out once; to do it every time is what takes long
            self.lower, self.signature = self.canvas.copy_from_bbox(self.chart.bbox), self._signature()
        self.canvas.restore_region(self.lower)
        renderer = self.canvas.get_renderer()
        for artist in sorted(moving, key=lambda a: a.get_zorder()):
            artist.draw(renderer)
        return np.asarray(self.canvas.buffer_rgba())

    def _added(self, holder) -> list:
        """What `draw` has added to the chart or to one of its axes."""
        return [a for a in holder.get_children() if id(a) not in self.stays and a is not self.chart._suptitle]

    def _clear(self) -> None:
        for holder in self._holders():
            for artist in self._added(holder):
                artist.remove()
        for ax in self.chart.axes:
            ax.containers.clear()
            ax.set_prop_cycle(color=CYCLE)

    def _moving(self) -> list:
        """What `draw` has added, and the titles."""
        found = [a for holder in self._holders() for a in self._added(holder)]
        titles = [t for ax in self.chart.axes for t in (ax.title, ax._left_title, ax._right_title) if t.get_text()]
        return found + titles + ([self.chart._suptitle] if self.chart._suptitle else [])

    def _signature(self) -> tuple:
        """What the lower layer shows and `draw` might change."""
        return tuple(
            (*ax.get_xlim(), *ax.get_ylim(), ax.get_xlabel(), ax.get_ylabel(), ax.axison, *ax.get_xticks(), *ax.get_yticks())
            for ax in self.chart.axes
        )


def jpeg(pixels: np.ndarray) -> bytes:
    """Pixels (height, width, 4) as a JPEG without colour subsampling: a fifth of a PNG's time, and no difference to the eye."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., :3]).save(buffer, "jpeg", quality=93, subsampling=0)
    return buffer.getvalue()
