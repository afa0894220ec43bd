"""Decks, PDFs, and notes from the lectures' sources: complete, offline, and nothing of them in the students' copy."""

import re
import shutil

import pytest
from browser import CHROMIUM, browser
from typer.testing import CliRunner

from course_lib.authoring import build, slides
from course_lib.cli import app

SOURCES = build.sources()
each = pytest.mark.parametrize("source", SOURCES, ids=[s.stem for s in SOURCES])
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    """All decks in one folder."""
    folder = tmp_path_factory.mktemp("decks")
    return {source: slides.deck(source, folder) for source in SOURCES}


@each
def test_a_deck_holds_every_slide_in_order_and_loads_nothing_from_elsewhere(source, decks):
    page = decks[source].read_text(encoding="utf-8")
    kinds = [slides.place(c) for c in build.read(source).cells]
    assert page.count("<section>") == kinds.count("slide") + kinds.count("subslide")
    assert page.count('<section class="stack">') == kinds.count("slide")
    assert page.count('<aside class="notes">') == kinds.count("notes")
    loaded = re.findall(r'(?:src|href)="((?!data:|#)[^"]+\.(?:js|css|png|svg)[^"]*)"', page)
    assert loaded and all((decks[source].parent / name.split("?")[0]).exists() for name in loaded)
    assert 'src="http' not in page and "widget-view" not in page
    assert decks[source].stat().st_size < 2e6


def test_the_students_deck_has_neither_answers_nor_notes(tmp_path):
    source = build.sources(["02"])[0]
    page = slides.deck(source, tmp_path, answers=False).read_text(encoding="utf-8")
    assert "YOUR CODE HERE" in page and "BEGIN SOLUTION" not in page and "<aside" not in page
    assert "gan_objective.value: correct" not in page, "the solution's check is no part of an open exercise"


def test_decks_share_a_folder_and_keep_their_colours(tmp_path):
    for _ in range(2):
        slides.deck(SOURCES[0], tmp_path)
        style = (tmp_path / "deck" / "deck.css").read_text(encoding="utf-8")
        assert "#deck h1" in style and style.count(".highlight .k {") == 1


@each
def test_notes_have_timing_a_question_and_what_goes_wrong_for_every_section(source):
    headings = [c.source for c in build.read(source).cells if slides.place(c) == "slide"]
    found = slides.notes(source)
    assert len({section for section, _ in found}) == len(headings)
    for section, text in found:
        assert all(f"**{part}" in text for part in ("Timing", "Ask", "Goes wrong")), f"{section}: {text}"
    page = slides.notes_page(source)
    assert "<strong>Timing" in page and "<script" not in page
    lecture = (build.ROOT / "lectures" / f"{source.stem}.ipynb").read_text(encoding="utf-8")
    assert "**Timing" not in lecture and "**Goes wrong" not in lecture


def test_the_commands(tmp_path):
    run = CliRunner().invoke
    result = run(app, ["slides", "00", "--out", str(tmp_path / "new" / "deck")])
    assert result.exit_code == 0 and (tmp_path / "new" / "deck" / "00_start_here.html").exists()
    assert "**Timing:**" in run(app, ["notes", "00"]).output
    assert run(app, ["notes", "00", "--out", str(tmp_path / "notes.html")]).exit_code == 0
    assert (tmp_path / "notes.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    (tmp_path / "file").write_text("")
    result = run(app, ["slides", "00", "--out", str(tmp_path / "file")])
    assert result.exit_code == 1 and result.output.startswith("course slides: ")


def test_without_a_browser_a_pdf_is_refused_in_one_sentence(decks, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(RuntimeError, match="needs Chromium or Chrome"):
        slides.pdf(decks[SOURCES[0]])


def test_code_that_was_never_executed_gets_no_deck(tmp_path, monkeypatch):
    source = tmp_path / "solutions" / "07_new.py"
    source.parent.mkdir()
    source.write_text(SOURCES[0].read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(build.Drift, match="course build 07"):
        slides.deck(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@needs_chromium
@pytest.mark.browser
def test_a_pdf_has_a_page_per_slide(decks):
    made = slides.pdf(decks[SOURCES[1]]).read_bytes()
    pages = len(re.findall(rb"/Type\s*/Page\b", made))
    assert pages == decks[SOURCES[1]].read_text(encoding="utf-8").count("<section>") and len(made) > 100_000


@needs_chromium
@pytest.mark.browser
def test_decks_fit_their_screens_offline_with_mathematics_and_a_speaker_view(decks):
    with browser(1280, 720) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        for path in decks.values():
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready]")
            tall = page.evaluate(
                """() => Reveal.getSlides().map((slide) => {
                    const { h, v } = Reveal.getIndices(slide);
                    Reveal.slide(h, v, 99);
                    return [slide.innerText.slice(0, 40), slide.scrollHeight, slide.scrollWidth];
                }).filter(([, height, width]) => height > 720 || width > 1280)"""
            )
            assert not tall, (path.name, tall)
            assert page.locator("text=Math Processing Error").count() == 0
            assert page.locator(".MathJax").count() > 0
        page.keyboard.press("Home")
        with page.expect_popup() as popup:
            page.keyboard.press("s")
        speaker = popup.value
        speaker.wait_for_selector(".speaker-controls-notes .value >> text=Timing", timeout=20_000)
        assert not page.errors
        assert all(url.startswith(("file:", "data:", "blob:", "about:")) for url in asked)
