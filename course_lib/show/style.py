"""How every figure of the course looks: colours a colour-blind reader can tell apart, sizes a projector can carry."""

import base64
import io

import numpy as np
from matplotlib import rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

# Okabe and Ito's palette; one meaning per colour through the whole course
REAL, FAKE, CRITIC, EXACT, OTHER = "#0072B2", "#D55E00", "#009E73", "#222222", "#CC79A7"
CYCLE = (REAL, FAKE, CRITIC, OTHER, "#E69F00", "#56B4E9", EXACT)

_STYLE = {
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "lines.linewidth": 2.2,
    "legend.frameon": False,
    "legend.fontsize": 11,
}
rcParams.update(_STYLE)  # a learner's own figures look the same


def png(pixels: np.ndarray) -> bytes:
    """Pixels (height, width, 4) as a PNG small enough for a notebook (256 colours where that saves much)."""
    picture = Image.fromarray(pixels[..., :3])
    buffer = io.BytesIO()
    picture.save(buffer, "png", compress_level=2)
    if buffer.tell() > 50_000:
        buffer = io.BytesIO()
        picture.quantize(256).save(buffer, "png", compress_level=6)
    return buffer.getvalue()


class Chart(Figure):
    """A matplotlib figure that shows itself as a PNG, and in text as `<figure: its title>`: stable where pictures are not."""

    def title(self) -> str:
        """The finding: the figure's own title, else that of its first axes."""
        titles = [ax.get_title(loc=loc) for ax in self.axes for loc in ("left", "center")]
        return next(filter(None, [self.get_suptitle(), *titles]), "untitled")

    def finding(self, text: str) -> None:
        """Set or renew the title of the whole figure: what it shows."""
        if self._suptitle:
            self._suptitle.set_text(text)  # where the layout has put it
        else:
            self.suptitle(text, fontsize=14, x=0.01, ha="left", fontweight="bold")

    def png(self) -> bytes:
        """The picture as a PNG."""
        canvas = FigureCanvasAgg(self)
        canvas.draw()
        return png(np.asarray(canvas.buffer_rgba()))

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {"text/plain": f"<figure: {self.title()}>", "image/png": base64.b64encode(self.png()).decode()}


def figure(columns: int = 1, rows: int = 1, *, width: float = 4.6, height: float = 3.6, title: str = "", **subplots):
    """(chart, axes): one Axes, or an array of them, in the course's style. `title` states the finding.

    width, height: inches of one panel; `subplots` goes to matplotlib's `Figure.subplots`.
    """
    chart = Chart(figsize=(width * columns, height * rows), layout="constrained")
    axes = chart.subplots(rows, columns, **subplots)
    for ax in np.atleast_1d(axes).flat:
        ax.set_prop_cycle(color=CYCLE)
    if title:
        chart.finding(title)
    return chart, axes
