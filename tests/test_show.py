"""Figures and widgets, without a kernel or a browser: what they say as text, what a moved slider draws."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import data, fit, show
from course_lib.show.layers import Layers


def size(png):
    return Image.open(io.BytesIO(png)).size


def test_a_chart_says_its_finding_and_is_a_small_png():
    chart, ax = show.figure(title="")
    ax.set_title("Blue wins")
    assert repr(chart.title()) == "'Blue wins'"
    bundle = chart._repr_mimebundle_()
    assert bundle["text/plain"] == "<figure: Blue wins>"
    assert size(base64.b64decode(bundle["image/png"])) == (460, 360)
    chart, axes = show.figure(2, title="Both")
    assert len(axes) == 2 and chart.title() == "Both"


def test_noisy_pictures_stay_below_the_limit():
    images = torch.rand(64, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert len(show.grid(images, title="noise").png()) < 150_000
    assert len(show.points(torch.randn(5000, 2), data.moons(), title="cloud").png()) < 150_000


def test_shared_figures_take_tensors_with_gradients():
    x = torch.linspace(0, 1, 9, requires_grad=True)
    assert show.curves(x, {"square": x**2}, title="t").title() == "t"
    log = fit(lambda: {"D": torch.tensor(1.0)}, steps=40)
    assert show.losses(log).axes[0].lines[0].get_ydata()[-1] == pytest.approx(1)
    assert show.field(lambda at: -at, title="sink").axes
    _, ax = show.figure()
    assert show.points(torch.zeros(3, 2), ax=ax) is ax


def test_tables_read_as_text_and_are_escaped_as_html(monkeypatch):
    table = show.table([{"method": "a<b", "rate": 1.5}, {"method": "a long name that has to be wrapped into lines", "rate": 2}])
    lines = repr(table).splitlines()
    assert lines[0].split() == ["method", "rate"] and len(lines) == 5
    assert "a&lt;b" in table._repr_html_()


def test_measured_verdicts_follow_from_the_figures(monkeypatch):
    claims = [show.Claim("D is lost", show.about(0.123), "–", True), show.Claim("G wins", "8 of 8", "–", False)]
    text = repr(show.measured(*claims))
    assert "≈0.12" in text and "✓ holds here" in text and "✗ does not" in text
    monkeypatch.setenv("COURSE_PRESET", "smoke")
    assert "holds" not in repr(show.measured(*claims))


def circle():
    """A chart with a fixed frame, and how its moving part is drawn."""
    chart, ax = show.figure(width=2, height=2)
    ax.set(xlim=(0, 3), ylim=(0, 1), xlabel="x")

    def draw(chart, radius, style="red", point=(0.0, 0.0)):
        if radius > 2:
            raise ValueError("too large")
        chart.finding(f"radius {radius}")
        chart.axes[0].plot([0, radius], [0, 1], color=style)
        chart.axes[0].plot(*point, "o")

    return draw, chart


def test_a_moved_slider_redraws_and_a_failing_drawing_keeps_the_last():
    draw, chart = circle()
    explorer = show.explore(draw, "a circle", chart, radius=(0, 3, 0.1, 1.0, "cm"), style=["red", "blue"])
    assert explorer.values == {"radius": 1.0, "style": "red"} and [c["unit"] for c in explorer.controls] == ["cm", ""]
    pictures = [explorer.png()]
    for change in ({"radius": 2.0}, {"style": "blue"}):
        explorer.values = explorer.values | change
        pictures.append(explorer.png())
    assert len(set(pictures)) == 3
    explorer.values = explorer.values | {"radius": 3.0}
    assert explorer.png() == pictures[-1] and "too large" in explorer.trouble
    explorer.values = {"radius": 1.0, "style": "red"}
    assert explorer.png() == pictures[0] and not explorer.trouble


def test_start_values_that_cannot_be_drawn_are_the_authors_error():
    draw, chart = circle()
    with pytest.raises(ValueError, match="too large"):
        show.explore(draw, "a circle", chart, radius=(0, 3, 0.1, 3.0))


def test_a_widget_stores_text_and_a_picture():
    draw, chart = circle()
    explorer = show.explore(draw, "a circle", chart, radius=(0, 3, 0.1, 1.0))
    bundle = explorer._repr_mimebundle_()
    assert repr(explorer) == bundle["text/plain"] == "<interactive: a circle>"
    assert base64.b64decode(bundle["image/png"]) == explorer.png()
    assert size(explorer.picture) == tuple(explorer.size) == (200, 200)


def test_a_dragged_point_redraws():
    draw, chart = circle()
    explorer = show.explore(draw, "a line", chart, point=(1.0, 0.5), radius=(0, 3, 0.1, 1.0))
    before = explorer.png()
    explorer.values = explorer.values | {"point": [0.5, 0.2]}
    assert explorer.png() != before
    left, top, right, bottom, *limits = explorer.place
    assert limits == [0, 3, 0, 1] and 0 < left < right <= 1 and 0 <= top < bottom < 1


def test_layers_show_what_one_drawing_would():
    """Also where the moving part changes what should stay: limits, labels, and ticks."""

    def draw(chart, reach):
        ax = chart.axes[0]
        ax.fill_between([0, reach], [0, 1], color="red")
        ax.bar_label(ax.bar([0.5], [reach / 4], color="blue"))
        ax.imshow(np.eye(4), extent=(0, 1, 0, 1), aspect="auto")
        ax.set_title(f"reach {reach}")
        ax.set(xlim=(0, reach), ylim=(0, 1), xlabel=f"to {reach}")

    def plain():
        chart, ax = show.figure(width=3, height=3)
        chart.set_layout_engine("none")  # room would be shared out anew for other tick labels
        ax.plot([], [], label="nothing")
        ax.legend(loc="lower right")
        ax.set(xlim=(0, 1), ylim=(0, 1), title=" ", xlabel=" ")
        return chart

    layers = Layers(plain(), draw)
    for reach in (3, 1, 2, 1):
        chart = plain()
        draw(chart, reach)
        reference = np.asarray(Image.open(io.BytesIO(chart.png())).convert("L"), dtype=float)
        frame = np.asarray(Image.fromarray(layers.frame(reach=reach)[..., :3]).convert("L"), dtype=float)
        assert abs(frame - reference).mean() < 3, reach  # spines lie below bars here, above them there
    assert len(layers.chart.axes[0].patches) == 1 and len(layers.chart.axes[0].images) == 1, "what was drawn before is gone"
