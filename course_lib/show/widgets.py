"""Sliders over a pure function, with a static picture wherever no kernel runs."""

import base64
from collections.abc import Callable

import anywidget
import ipywidgets as W
import traitlets

from course_lib.show.style import Chart

Control = tuple[float, float, float, float] | list[str]


class Picture(anywidget.AnyWidget):
    """A PNG with a point that mouse, finger, or arrow keys move in the coordinates of the chart's first axes."""

    _esm = """
    export default { render({ model, el }) {
      const box = document.createElement("div"), img = document.createElement("img"), dot = document.createElement("div");
      box.style.cssText = "position:relative;display:inline-block;touch-action:none;cursor:crosshair";
      dot.style.cssText = "position:absolute;width:18px;height:18px;margin:-9px 0 0 -9px;border-radius:50%;" +
        "border:3px solid #D55E00;background:#ffffffcc;box-sizing:border-box;pointer-events:none";
      box.tabIndex = 0; box.setAttribute("role", "application");
      box.setAttribute("aria-label", model.get("label")); img.alt = model.get("label"); img.draggable = false;
      img.style.maxWidth = "100%"; box.append(img, dot); el.append(box);
      let url = null;
      const paint = () => { const old = url; url = URL.createObjectURL(new Blob([model.get("png")], { type: "image/png" }));
        img.onload = () => old && URL.revokeObjectURL(old); img.src = url; };
      const place = () => { const [l, t, r, b] = model.get("frame"), [x0, x1, y0, y1] = model.get("limits"), [x, y] = model.get("point");
        dot.style.left = 100 * (l + (x - x0) / (x1 - x0) * (r - l)) + "%"; dot.style.top = 100 * (b - (y - y0) / (y1 - y0) * (b - t)) + "%"; };
      const send = (x, y) => { const [x0, x1, y0, y1] = model.get("limits");
        model.set("point", [Math.min(x1, Math.max(x0, x)), Math.min(y1, Math.max(y0, y))]); model.save_changes(); };
      const move = e => { const q = img.getBoundingClientRect(), [l, t, r, b] = model.get("frame"), [x0, x1, y0, y1] = model.get("limits");
        send(x0 + ((e.clientX - q.left) / q.width - l) / (r - l) * (x1 - x0), y0 + (b - (e.clientY - q.top) / q.height) / (b - t) * (y1 - y0)); };
      box.addEventListener("pointerdown", e => { box.setPointerCapture(e.pointerId); box.focus(); move(e); e.preventDefault(); });
      box.addEventListener("pointermove", e => { if (e.buttons) move(e); });
      box.addEventListener("keydown", e => { const d = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[e.key];
        if (!d) return; const [x0, x1, y0, y1] = model.get("limits"), [x, y] = model.get("point");
        send(x + d[0] * (x1 - x0) / 50, y + d[1] * (y1 - y0) / 50); e.preventDefault(); e.stopPropagation(); });
      model.on("change:png", paint); model.on("change:point change:limits change:frame", place); paint(); place();
      return () => url && URL.revokeObjectURL(url);
    } };
    """
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
    """Controls above a picture. In text it is `<interactive: label>`; as a file it is the picture of its start values."""

    def __init__(self, draw: Callable[..., Chart], label: str, controls: dict[str, Control], point: tuple[float, float] | None):
        self.draw, self.label = draw, label
        self.controls = {name: self._control(name, spec) for name, spec in controls.items()}
        self.picture = (
            Picture(label=label, point=list(point)) if point else W.Image(format="png", layout=W.Layout(width="max-content"))
        )
        self.note = W.HTML()
        super().__init__([*self.controls.values(), self.picture, self.note])
        for control in self.controls.values():
            control.observe(self._refresh, "value")
        if point:
            self.picture.observe(self._refresh, "point")
        self._refresh()

    @staticmethod
    def _control(name: str, spec: Control):
        wide = {"description": name.replace("_", " "), "style": {"description_width": "9em"}, "layout": W.Layout(width="32em")}
        if isinstance(spec, list):
            return W.Dropdown(options=spec, value=spec[0], **wide)
        low, high, step, start = spec
        return W.FloatSlider(value=start, min=low, max=high, step=step, readout_format=".2f", **wide)

    def values(self) -> dict:
        """What the controls say now, as arguments of `draw`."""
        values = {name: control.value for name, control in self.controls.items()}
        if isinstance(self.picture, Picture):
            values["point"] = tuple(self.picture.point)
        return values

    def png(self) -> bytes:
        """The picture shown now."""
        return self.picture.png if isinstance(self.picture, Picture) else self.picture.value

    def _refresh(self, _change=None) -> None:
        try:
            chart = self.draw(**self.values())
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


def explore(draw: Callable[..., Chart], label: str, *, point: tuple[float, float] | None = None, **controls: Control) -> Explorer:
    """Controls over a pure function that returns a Chart.

    Each control is `name=(low, high, step, start)` for a slider, or `name=[choices]` for a menu; `draw` gets their
    values by name. With `point=(x, y)`, a point on the chart's first axes can be dragged (or moved by the arrow keys),
    and `draw` gets it as `point`.
    """
    return Explorer(draw, label, controls, point)
