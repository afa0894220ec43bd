"""Sliders over a pure function, with a static picture wherever no kernel runs."""

import base64
from collections.abc import Callable
from pathlib import Path

import anywidget
import ipywidgets as W
import traitlets

from course_lib.show.style import Chart

Control = tuple[float, float, float, float] | list[str]


class Picture(anywidget.AnyWidget):
    """A PNG with a point that mouse, finger, or arrow keys move in the coordinates of the chart's first axes."""

    _esm = Path(__file__).with_name("picture.js")
    png = traitlets.Bytes(b"").tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)
    point = traitlets.List([0.0, 0.0]).tag(sync=True)
    limits = traitlets.List([0.0, 1.0, 0.0, 1.0]).tag(sync=True)  # x0, x1, y0, y1 of the first axes
    frame = traitlets.List([0.0, 0.0, 1.0, 1.0]).tag(sync=True)  # left, top, right, bottom of it, as shares of the picture

    def show(self, chart: Chart) -> None:
        """Put a new picture up, and note where its first axes lie."""
        png = chart.png()
        place = chart.axes[0].get_position()
        self.limits = [float(v) for v in (*chart.axes[0].get_xlim(), *chart.axes[0].get_ylim())]
        self.frame = [place.x0, 1 - place.y1, place.x1, 1 - place.y0]
        self.png = png


class Explorer(W.VBox):
    """Controls over a pure function that returns a Chart.

    Each control is `name=(low, high, step, start)` for a slider, or `name=[choices]` for a menu; `draw` gets their
    values by name. With `point=(x, y)`, a point on the chart's first axes can be dragged (or moved by the arrow keys),
    and `draw` gets it as `point`. In text it is `<interactive: label>`; as a file, the picture of its start values.
    """

    def __init__(self, draw: Callable[..., Chart], label: str, *, point: tuple[float, float] | None = None, **controls: Control):
        self.draw, self.label = draw, label
        self.controls = {name: self._control(name, spec) for name, spec in controls.items()}
        if point:
            self.picture = Picture(label=label, point=list(point))
            self.picture.observe(self._refresh, "point")
        else:
            self.picture = W.Image(format="png", layout=W.Layout(width="max-content"))
        self.note = W.HTML()
        super().__init__([*self.controls.values(), self.picture, self.note])
        for control in self.controls.values():
            control.observe(self._refresh, "value")
        self._refresh()

    @staticmethod
    def _control(name: str, spec: Control):
        wide = {"description": name.replace("_", " "), "style": {"description_width": "9em"}, "layout": W.Layout(width="32em")}
        if isinstance(spec, list):
            return W.Dropdown(options=spec, value=spec[0], **wide)
        low, high, step, start = spec
        return W.FloatSlider(value=start, min=low, max=high, step=step, readout_format=".2f", **wide)

    def png(self) -> bytes:
        """The picture shown now."""
        return self.picture.png if isinstance(self.picture, Picture) else self.picture.value

    def _refresh(self, _change=None) -> None:
        values = {name: control.value for name, control in self.controls.items()}
        if isinstance(self.picture, Picture):
            values["point"] = tuple(self.picture.point)
        try:
            chart = self.draw(**values)
        except Exception as error:  # a slider must not kill the view: say what happened, keep the last picture
            self.note.value = f"<b>This setting could not be drawn:</b> {type(error).__name__}: {error}"
            return
        self.note.value = ""
        if isinstance(self.picture, Picture):
            self.picture.show(chart)
        else:
            self.picture.value = chart.png()

    def __repr__(self) -> str:
        return f"<interactive: {self.label}>"

    def _repr_mimebundle_(self, **kwargs) -> dict:
        bundle = super()._repr_mimebundle_(**kwargs)
        bundle = dict(bundle[0] if isinstance(bundle, tuple) else bundle)
        return bundle | {"text/plain": repr(self), "image/png": base64.b64encode(self.png()).decode()}


explore = Explorer  # a notebook reads `show.explore(draw, ...)`
