"""The README's picture: `.venv/bin/python tools/screenshot.py` runs lecture 02 in Chromium and takes docs/notebook.png."""

import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import browser  # noqa: E402


def main() -> None:
    target = ROOT / "docs" / "notebook.png"
    with (
        tempfile.TemporaryDirectory() as folder,
        browser.lab(Path(folder), COURSE_HEADLESS="0") as where,
        browser.browser(1360, 960) as page,
    ):
        browser.open_notebook(page, *where, "lectures/02_gan_objective.ipynb")
        browser.run_all(page)
        page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        browser.outputs(page, ".explorer-picture").first.scroll_into_view_if_needed()
        page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollBy(0, 250)")
        page.wait_for_timeout(1500)
        page.screenshot(path=str(target))
    Image.open(target).convert("RGB").quantize(256).save(target, optimize=True)


if __name__ == "__main__":
    main()
