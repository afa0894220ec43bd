"""A newcomer's first minutes, in a real browser: open a lecture, Run All, move a slider, drag a point, answer wrong, interrupt."""

import pytest
from browser import CHROMIUM, browser, lab, open_notebook, outputs, run_all, wait_idle

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with lab(tmp_path_factory.mktemp("lab"), COURSE_PRESET="smoke", COURSE_HEADLESS="0") as where:
        yield where


@pytest.fixture
def page():
    with browser() as page:
        yield page
        assert not page.errors


def no_errors(page):
    assert outputs(page, '[data-mime-type="application/vnd.jupyter.error"]').count() == 0
    assert outputs(page, '[data-mime-type="application/vnd.jupyter.stderr"]').count() == 0
    assert page.locator("text=Error displaying widget").count() == 0


def open_and_run(page, server, path):
    """Open a notebook, Run All, and see no error."""
    open_notebook(page, *server, path)
    run_all(page)
    no_errors(page)


def type_cell(page, code):
    """Run new code at the end of the notebook, as a learner who adds a cell."""
    page.evaluate(
        """async (code) => {
            const app = window.jupyterapp, panel = app.shell.currentWidget, book = panel.content;
            book.activeCellIndex = book.widgets.length - 1;
            await app.commands.execute('notebook:insert-cell-below');
            book.activeCell.model.sharedModel.setSource(code);
            app.commands.execute('notebook:run-cell');
        }""",
        code,
    )


def last_output(page):
    return page.locator(".jp-NotebookPanel .jp-CodeCell").last.locator(".jp-OutputArea")


def test_run_all_and_move_a_slider(server, page):
    open_and_run(page, server, "lectures/02_gan_objective.ipynb")
    image = outputs(page, ".widget-image").first
    image.scroll_into_view_if_needed()
    before = image.screenshot()
    handle = outputs(page, ".noUi-handle").first
    handle.focus()
    for _ in range(5):
        handle.press("ArrowRight")
    wait_idle(page)
    page.wait_for_timeout(500)
    assert image.screenshot() != before
    no_errors(page)


def test_a_point_is_dragged_by_mouse_and_keyboard(server, page):
    open_and_run(page, server, "lectures/03_saddle_point.ipynb")
    picture = outputs(page, "[role=application]").first
    picture.scroll_into_view_if_needed()
    seen = [picture.screenshot()]
    box = picture.bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.4 * box["height"], steps=4)
    page.mouse.up()
    page.wait_for_timeout(600)
    seen.append(picture.screenshot())
    picture.press("ArrowRight")
    page.wait_for_timeout(600)
    seen.append(picture.screenshot())
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


def test_a_training_shows_itself_and_can_be_interrupted(server, page):
    open_and_run(page, server, "lectures/00_start_here.ipynb")
    type_cell(
        page,
        "import os, time\nos.environ['COURSE_PRESET'] = 'laptop'\nfrom course_lib import fit\n"
        "def step():\n    time.sleep(0.01)\n    return {'D': torch.rand(())}\n"
        "log = fit(step, steps=100000, watch=lambda: show.curves([0, 1], {'x': torch.rand(2)}, title='alive'))\n"
        "print('kept', log.steps > 10, log.stopped)",
    )
    image = last_output(page).locator("img")
    image.wait_for(timeout=30_000)
    first = image.get_attribute("src")
    for _ in range(40):  # a picture a second or so: drawing may take a twentieth of the time
        page.wait_for_timeout(250)
        if image.get_attribute("src") != first:
            break
    assert last_output(page).locator("img").count() == 1 and image.get_attribute("src") != first
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    last_output(page).locator("text=kept True interrupted").wait_for(timeout=30_000)
