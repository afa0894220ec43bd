"""Figures and widgets, without a kernel or a browser: what they say as text, what a moved slider draws."""

import base64
import io

import pytest
import torch
from PIL import Image

from course_lib import data, fit, show


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


def circle(radius, style):
    chart, ax = show.figure(width=2, height=2)
    ax.plot([0, radius], [0, 1], color=style)
    ax.set_title(f"radius {radius}")
    if radius > 2:
        raise ValueError("too large")
    return chart


def test_a_moved_slider_redraws_and_a_failing_drawing_keeps_the_last():
    explorer = show.explore(circle, "a circle", radius=(0, 3, 0.1, 1.0), style=["red", "blue"])
    first = explorer.png()
    explorer.controls["radius"].value = 2.0
    second = explorer.png()
    explorer.controls["style"].value = "blue"
    assert len({first, second, explorer.png()}) == 3
    last = explorer.png()
    explorer.controls["radius"].value = 3.0
    assert explorer.png() == last and "too large" in explorer.note.value
    explorer.controls["radius"].value = 1.5
    assert explorer.png() != last and not explorer.note.value


def test_a_widget_stores_text_and_a_picture():
    explorer = show.explore(circle, "a circle", radius=(0, 3, 0.1, 1.0), style=["red"])
    bundle = explorer._repr_mimebundle_()
    assert repr(explorer) == bundle["text/plain"] == "<interactive: a circle>"
    assert base64.b64decode(bundle["image/png"]) == explorer.png()


def test_a_dragged_point_redraws():
    def draw(point):
        chart, ax = show.figure(width=2, height=2)
        ax.plot([0, point[0]], [0, point[1]])
        ax.set(xlim=(-2, 2), ylim=(-1, 1))
        return chart

    explorer = show.explore(draw, "a line", point=(1.0, 0.5))
    before = explorer.png()
    explorer.picture.point = [0.0, -0.5]
    assert explorer.png() != before
    assert explorer.picture.limits == [-2, 2, -1, 1]
    left, top, right, bottom = explorer.picture.frame
    assert 0 < left < right <= 1 and 0 <= top < bottom < 1
