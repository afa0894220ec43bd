"""How the slides of a lecture fill the screen, for authors: `.venv/bin/python tools/slides.py 02 [--shots DIR] [--lecture]`.

Presents the notebook of today's source in Chromium with the outputs of the last execution, at 1280 x 720, and prints every slide
with its height; what does not fit is marked. A code cell that was changed since has no output yet: `course build NN` first.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import browser  # noqa: E402
import nbformat  # noqa: E402

from course_lib.authoring import build  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("number")
    parser.add_argument("--shots", type=Path, help="put a picture of every slide there")
    parser.add_argument("--lecture", action="store_true", help="the students' copy instead of the solution")
    parser.add_argument("--run", action="store_true", help="run it first, as on stage")
    parser.add_argument("--size", default="1280x720")
    options = parser.parse_args()
    size = tuple(int(n) for n in options.size.split("x"))
    source = build.sources([options.number])[0]
    notebook = build.read(source)
    missing = build.carry(notebook, nbformat.read(source.with_suffix(".ipynb"), 4))
    notebook = build.student(notebook) if options.lecture else notebook
    print(
        f"{len(missing)} code cells have no output yet: run `course build {options.number}`" if missing else "all outputs are there"
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        browser.lab(Path(folder), COURSE_HEADLESS="0") as where,
        browser.browser(*size) as page,
    ):
        path = Path(folder) / "lectures" / "slides.ipynb"
        nbformat.write(notebook, path)
        browser.open_notebook(page, *where, "lectures/slides.ipynb")
        if options.run:
            browser.run_all(page, timeout=600)
        slides, over = browser.present(page), 0
        # fragments in the pictures too
        page.add_style_tag(content=".jp-Deck .jp-Cell.jp-deck-mod-onscreen { opacity: 1 !important }")
        for number, slide in enumerate(slides, 1):
            found = browser.show_slide(page, slide["index"])
            over += not found["fits"]
            found["sign"], found["number"] = " " if found["fits"] else "✗", number
            print(
                "{sign} {number:3} {height:5} of {room}, {over:3} too wide  ".format(**found)
                + f"[{slide['index']}] {slide['title'][:70]}"
            )
            if options.shots:
                options.shots.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=str(options.shots / f"{number:02}.png"))
        browser.stop_presenting(page)
    print(f"{over} of {len(slides)} slides do not fit")


if __name__ == "__main__":
    main()
