"""Presenting live, in a real browser: slides fit, are stepped through, hold live widgets, code, votes, and trainings."""

import json

import pytest
from browser import (
    CHROMIUM,
    last_output,
    no_errors,
    open_and_run,
    open_notebook,
    present,
    show_slide,
    stop_presenting,
    type_cell,
    wait_idle,
)

from course_lib.authoring import build

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")]
SOURCES = build.sources()
SIZES = ((1280, 720), (1920, 1080))


def what_does_not_fit(page):
    """Slides of the open notebook that are taller or wider than the screen, at both sizes; and how many slides there are."""
    trouble = []
    for size in SIZES:
        slides = present(page, size)
        for slide in slides:
            found = show_slide(page, slide["index"])
            if not found["fits"]:
                trouble.append((size, slide["title"], found))
        stop_presenting(page)
    return trouble, len(slides)


@pytest.mark.parametrize("source", SOURCES, ids=[s.stem for s in SOURCES])
def test_every_slide_fits_with_its_output(server, page, source):
    open_notebook(page, *server, f"solutions/{source.stem}.ipynb")
    trouble, count = what_does_not_fit(page)
    assert not trouble and count >= 8


@pytest.mark.parametrize("source", SOURCES, ids=[s.stem for s in SOURCES])
def test_every_slide_of_the_students_copy_fits_after_a_live_run(server, page, source):
    open_and_run(page, server, f"lectures/{source.stem}.ipynb")
    trouble, _ = what_does_not_fit(page)
    assert not trouble
    no_errors(page)


def visible(page):
    """Texts of the cells that the audience sees now."""
    return page.locator(".jp-Deck .jp-Cell.jp-deck-mod-visible").all_inner_texts()


def test_a_lecture_is_stepped_through_with_a_clicker_and_ends_as_a_notebook(server, page):
    open_notebook(page, *server, "lectures/00_start_here.ipynb")
    slides, seen = present(page), []
    for _ in range(60):
        page.wait_for_timeout(60)
        index = page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex")
        if seen and index == seen[-1]:
            break
        seen.append(index)
        page.keyboard.press("PageDown")
    assert {s["index"] for s in slides} <= set(seen) and seen == sorted(seen)
    page.keyboard.press("PageUp")
    page.wait_for_timeout(100)
    assert page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex") == seen[-2]
    page.keyboard.press("Escape")
    page.wait_for_selector(".jp-Deck", state="detached")
    assert page.locator(".jp-NotebookPanel .jp-Cell").count() >= len(seen)
    page.locator(".jp-NotebookPanel-toolbar [data-command='deck:toggle']").click()  # the one button that README promises
    page.wait_for_selector(".jp-Deck .jp-deck-mod-visible")
    stop_presenting(page)


def test_widgets_live_inside_slides_and_keep_their_arrow_keys(server, page):
    open_and_run(page, server, "lectures/00_start_here.ipynb")
    slides = present(page, (1280, 720))
    here = next(s["index"] for s in slides if "Move it" in s["title"])
    show_slide(page, here)
    for _ in range(3):
        page.evaluate("() => window.jupyterapp.commands.execute('deck:down')")
        page.wait_for_timeout(100)
    slider = page.locator(".jp-Deck .explorer input[type=range]").first
    picture = page.locator(".jp-Deck .explorer-picture").first
    before, source = visible(page), picture.get_attribute("src")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("(old) => document.querySelector('.jp-Deck .explorer-picture').src !== old", arg=source)
    assert slider.input_value() == "0.5" and slider.evaluate("(e) => e === document.activeElement")
    assert visible(page)[0] == before[0], "the slide stayed"
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.95 * box["width"], box["y"] + box["height"] / 2, steps=10)
    page.mouse.up()
    value = float(slider.input_value())
    assert value > 6
    wait_idle(page)
    page.wait_for_timeout(300)
    shown = page.evaluate(
        """async () => {  // the last value won: what the kernel drew is what the slider says
            const code = 'import gc\\nfrom course_lib.show.widgets import Explorer';
            const user_expressions = { last: '[e.values["logit"] for e in gc.get_objects() if issubclass(type(e), Explorer)]' };
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            const reply = await kernel.requestExecute({ code, user_expressions }).done;
            return reply.content.user_expressions.last.data['text/plain'];
        }"""
    )
    assert value in json.loads(shown), shown  # a kernel that ran the notebook twice has two
    stop_presenting(page)


def test_code_is_edited_and_run_inside_a_slide(server, page):
    open_and_run(page, server, "lectures/00_start_here.ipynb")
    slides = present(page, (1280, 720))
    show_slide(page, next(s["index"] for s in slides if "Exercise" in s["title"]))
    page.evaluate(
        """async () => {
            const book = window.jupyterapp.shell.currentWidget.content;
            const index = book.widgets.findIndex((cell) => cell.model.sharedModel.getSource().startsWith('def logistic'));
            for (const [at, code] of [[index, 'def logistic(logit):\\n    return torch.sigmoid(logit)'], [index + 1, null]]) {
                book.activeCellIndex = at;
                if (code) book.activeCell.model.sharedModel.setSource(code);
                await window.jupyterapp.commands.execute('notebook:run-cell');
            }
        }"""
    )
    page.locator(".jp-Deck .jp-deck-mod-onscreen >> text=start_here.logistic: correct").wait_for()
    stop_presenting(page)


def test_a_vote_explains_right_and_wrong_letters(server, page):
    open_and_run(page, server, "lectures/00_start_here.ipynb")
    slides = present(page, (1280, 720))
    show_slide(page, next(s["index"] for s in slides if "predict" in s["title"]))
    quiz = page.locator(".jp-Deck .course-quiz").first
    assert quiz.locator("input[type=radio]").count() == 5 and quiz.locator("[role=status]").count() == 0
    for letter, words in (("a", "σ(0) is ½"), ("b", "σ is steepest where it is undecided")):
        quiz.locator(f"label:has-text('{letter}') input").first.click()
        quiz.locator(f"[role=status] >> text={words}").wait_for()
    stop_presenting(page)
    no_errors(page)


TRAINING = """
import os, time
os.environ["COURSE_PRESET"] = "laptop"
from course_lib import fit
def step():
    time.sleep(0.004)
    return {"D": torch.rand(())}
log = fit(step, steps=100000, watch=lambda: show.curves([0, 1], {"x": torch.rand(2)}, title="alive"))
print("kept", log.steps > 10, log.stopped)
"""


def test_a_training_on_stage_does_not_flicker_is_interrupted_and_goes_on(server, page):
    open_and_run(page, server, "lectures/00_start_here.ipynb")
    type_cell(page, TRAINING)
    image = last_output(page).locator("img")
    image.wait_for()
    watched = page.evaluate(
        """async () => {  // at every frame: is there one picture, of full height, fully decoded?
            const area = [...document.querySelectorAll('.jp-NotebookPanel .jp-CodeCell')].at(-1).querySelector('.jp-OutputArea');
            const sources = new Set(), heights = new Set(), began = performance.now();
            const passed = () => performance.now() - began;
            let bad = 0;
            while (passed() < 4000 || (sources.size < 2 && passed() < 90000)) {  // the first drawing may be slow
                await new Promise((done) => requestAnimationFrame(done));
                const images = area.querySelectorAll('img');
                if (images.length !== 1 || !images[0].complete || images[0].naturalWidth === 0) bad += 1;
                if (images[0]) sources.add(images[0].src);
                heights.add(Math.round(area.offsetHeight));
            }
            return { bad, pictures: sources.size, heights: heights.size };
        }"""
    )
    assert watched["pictures"] >= 2 and watched["bad"] == 0 and watched["heights"] == 1, watched
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    last_output(page).locator("text=kept True interrupted").wait_for()
    wait_idle(page)
    type_cell(
        page, "log._training.steps = log.steps + 20\nbefore = log.steps\nlog.resume()\nprint(log.stopped, log.steps - before)"
    )
    last_output(page).locator("text=finished 20").wait_for()
