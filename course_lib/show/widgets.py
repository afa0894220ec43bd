"""Sliders, menus, and a point to drag over a chart, with a static picture wherever no kernel runs."""

import base64
from collections.abc import Callable
from pathlib import Path

import anywidget
import traitlets

from course_lib.show.layers import Layers, jpeg
from course_lib.show.style import Chart, png

Control = tuple | list
HERE = Path(__file__).parent


class Explorer(anywidget.AnyWidget):
    """Controls over `draw(chart, **values)`, which adds to the chart what moves; what the chart holds already stays.

    Each control is `name=(low, high, step, start)` for a slider, with a unit as a fifth entry if it has one, or
    `name=[choices]` for a menu; an underscore in a name shows as a space. With `point=(x, y)`, a point on the chart's
    first axes is moved by mouse, finger, or arrow keys, and `draw` gets it as `point`. The value that was set last
    always wins. In text it is `<interactive: label>`; as a file, the picture of its start values.
    """

    _esm = HERE / "explorer.js"
    _css = HERE / "explorer.css"
    label = traitlets.Unicode("").tag(sync=True)
    controls = traitlets.List().tag(sync=True)  # a dict each: name, text, unit, and low, high, step or choices
    values = traitlets.Dict().tag(sync=True, echo_update=False)  # by name; set by the page, or by hand
    picture = traitlets.Bytes(b"").tag(sync=True)  # the last JPEG
    size = traitlets.List([0, 0]).tag(sync=True)  # its width and height
    place = traitlets.List([]).tag(sync=True)  # of the first axes: left, top, right, bottom as shares; x0, x1, y0, y1
    trouble = traitlets.Unicode("").tag(sync=True)

    def __init__(self, draw: Callable, label: str, chart: Chart, *, point: tuple[float, float] | None = None, **controls: Control):
        start = {name: spec[0] if isinstance(spec, list) else spec[3] for name, spec in controls.items()}
        if point:
            start["point"] = [float(v) for v in point]
        self._layers, self._pixels = Layers(chart, draw), None
        super().__init__(label=label, controls=[_control(name, spec) for name, spec in controls.items()], values=start)
        self._refresh()
        if self._pixels is None:
            raise ValueError(f"The start values cannot be drawn: {self.trouble}")
        self.observe(lambda _: self._refresh(), "values")

    def png(self) -> bytes:
        """The picture shown now, as stored in a notebook."""
        return png(self._pixels)

    def _refresh(self) -> None:
        values = {name: tuple(v) if name == "point" else v for name, v in self.values.items()}
        try:
            pixels = self._layers.frame(**values)
        except Exception as error:  # a slider must not kill the view: say what happened, keep the last picture
            self.trouble = f"This setting could not be drawn. {type(error).__name__}: {error}"
            return
        ax = self._layers.chart.axes[0]
        box = ax.get_position()
        with self.hold_sync():  # one message
            self.trouble = ""
            self.size = [pixels.shape[1], pixels.shape[0]]
            self.place = [float(v) for v in (box.x0, 1 - box.y1, box.x1, 1 - box.y0, *ax.get_xlim(), *ax.get_ylim())]
            self.picture = jpeg(pixels)
        self._pixels = pixels.copy()  # the canvas is painted over next time

    def __repr__(self) -> str:
        return f"<interactive: {self.label}>"

    def _repr_mimebundle_(self, **kwargs) -> dict:
        bundle = super()._repr_mimebundle_(**kwargs)
        bundle = dict(bundle[0] if isinstance(bundle, tuple) else bundle)
        return bundle | {"text/plain": repr(self), "image/png": base64.b64encode(self.png()).decode()}


def _control(name: str, spec: Control) -> dict:
    """What the page needs to know of a control."""
    text = {"name": name, "text": name.replace("_", " "), "unit": ""}
    if isinstance(spec, list):
        return text | {"choices": spec}
    low, high, step, _, *unit = spec
    return text | {"low": low, "high": high, "step": step, "unit": unit[0] if unit else ""}


explore = Explorer  # a notebook reads `show.explore(draw, "what it shows", chart, ...)`
