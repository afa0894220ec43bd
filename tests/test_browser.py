"""A newcomer's first minutes, in a real browser: open a lecture, Run All, move a slider, drag a point, answer wrong."""

import pytest
from browser import CHROMIUM, last_output, no_errors, open_and_run, outputs, type_cell, wait_idle

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]


def test_run_all_and_move_a_slider(server, page):
    open_and_run(page, server, "lectures/02_gan_objective.ipynb")
    slider = outputs(page, ".explorer input[type=range]").first
    slider.scroll_into_view_if_needed()
    picture = outputs(page, ".explorer-picture").first
    before = picture.get_attribute("src")
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    wait_idle(page)
    page.wait_for_timeout(500)
    assert picture.get_attribute("src") != before
    no_errors(page)


def test_a_point_is_dragged_by_mouse_and_keyboard(server, page):
    open_and_run(page, server, "lectures/03_saddle_point.ipynb")
    stage = outputs(page, "[role=application]").first
    stage.scroll_into_view_if_needed()
    seen = [stage.screenshot()]
    box = stage.bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.4 * box["height"], steps=4)
    page.mouse.up()
    page.wait_for_timeout(600)
    seen.append(stage.screenshot())
    stage.press("ArrowRight")
    page.wait_for_timeout(600)
    seen.append(stage.screenshot())
    assert len(set(seen)) == 3


def test_wrong_answers_are_named_and_nothing_hangs(server, page):
    open_and_run(page, server, "lectures/00_start_here.ipynb")
    assert outputs(page, "div[role=status] >> text=not started").count() == 2
    for answer, words in {
        "lambda logit: torch.tanh(logit)": "This is tanh",
        "lambda logit: exit()": "called exit()",
        "lambda logit: [0 for _ in iter(int, 1)]": "never ends",
    }.items():
        type_cell(page, f'logistic = {answer}\nlogistic = check("start_here.logistic")')
        last_output(page).locator(f"text={words}").wait_for(timeout=30_000)
    no_errors(page)
