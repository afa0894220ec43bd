"""JupyterLab in a real browser: start the course's own server on a copy of the lectures, open a notebook, run it, move things."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from course_lib.lab.launcher import ROOT, command

CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-component-update"]


@contextlib.contextmanager
def lab(folder: Path, **environment: str):
    """The course's JupyterLab on a copy of lectures/ and solutions/ in `folder`; gives its address with the token."""
    for name in ("lectures", "solutions"):
        shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    own = {f"JUPYTER_{kind}_DIR": str(folder / "jupyter" / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    extra = ["--no-browser", f"--port={port}", "--ServerApp.port_retries=0"]
    extra += [f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True", "--allow-root"]
    with open(folder / "server.log", "w") as log:
        server = subprocess.Popen(
            command(extra, folder), cwd=folder, env={**os.environ, **own, **environment}, stdout=log, stderr=subprocess.STDOUT
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=5)
                break
            assert server.poll() is None, (folder / "server.log").read_text()[-2000:]
            time.sleep(0.2)
        yield address, token
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@contextlib.contextmanager
def browser(width: int = 1280, height: int = 900):
    """A page in the system's Chromium; `page.errors` gathers what its console complains about."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = chromium.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(120_000)  # a busy machine is slow, not wrong
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        try:
            yield page
        finally:
            chromium.close()


def open_notebook(page, address: str, token: str, path: str) -> None:
    """Open a notebook in Lab and wait until its kernel is idle."""
    page.goto(f"{address}/lab/tree/{path}?token={token}&reset")
    page.wait_for_selector(".jp-NotebookPanel .jp-Notebook .jp-Cell")
    page.wait_for_selector("text=/ipykernel. . Idle/")  # the status bar knows when the kernel is truly there


def wait_idle(page, timeout: int = 240) -> None:
    """Wait until the notebook's kernel has nothing to do."""
    page.wait_for_selector('.jp-NotebookPanel .jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=timeout * 1000)


def run_all(page, timeout: int = 240) -> None:
    """Run all cells of the open notebook, and wait for the end."""
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    wait_idle(page, timeout)


def outputs(page, selector: str):
    """Elements within the notebook's outputs."""
    return page.locator(f".jp-NotebookPanel .jp-OutputArea >> {selector}")


def present(page, size: tuple[int, int] | None = None) -> list[dict]:
    """Present the open notebook. Its slides and sub-slides in order: index of the first cell, and its first line."""
    if size:
        page.set_viewport_size({"width": size[0], "height": size[1]})
    page.evaluate(
        """() => {
            window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0;
            return window.jupyterapp.commands.execute('deck:start');
        }"""
    )
    page.wait_for_selector(".jp-Deck .jp-deck-mod-onscreen")
    # what MathJax writes for screen readers is invisible, and would count as wide
    page.add_style_tag(content="mjx-assistive-mml, .MJX_Assistive_MathML { display: none !important }")
    return page.evaluate(
        """() => [...window.jupyterapp.shell.currentWidget.content.model.cells].map((cell, index) => ({
            index, kind: cell.sharedModel.getMetadata('slideshow')?.slide_type, title: cell.sharedModel.getSource().split('\\n')[0],
        })).filter((cell) => ['slide', 'subslide'].includes(cell.kind))"""
    )


def show_slide(page, index: int) -> dict:
    """Go to the slide that begins with cell `index`: its height, the room, what is too wide, in CSS pixels; whether it fits."""
    found = page.evaluate(
        """async (index) => {
            const book = window.jupyterapp.shell.currentWidget.content;
            book.activeCellIndex = index;
            const pause = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            const seen = () => [...book.node.querySelectorAll('.jp-Cell.jp-deck-mod-onscreen')];
            const size = () => {
                const boxes = seen().map((cell) => cell.getBoundingClientRect()).filter((box) => box.height > 0);
                const height = Math.max(...boxes.map((box) => box.bottom)) - Math.min(...boxes.map((box) => box.top));
                const parts = '.jp-OutputArea-output, .jp-RenderedMarkdown, .cm-scroller';
                const over = seen().flatMap((cell) => [...cell.querySelectorAll(parts)]).map((e) => e.scrollWidth - e.clientWidth);
                return { height: Math.round(height), over: Math.round(Math.max(0, ...over)) };
            };
            let last = '', now = '';
            for (let i = 0; i < 60; i++) {  // until pictures and mathematics have settled
                await pause();
                now = JSON.stringify(size());
                const images = seen().flatMap((cell) => [...cell.querySelectorAll('img')]);
                if (now === last && images.every((image) => image.complete) && i > 3) break;
                last = now;
            }
            return { ...JSON.parse(now), room: innerHeight };
        }""",
        index,
    )
    return found | {"fits": found["height"] <= found["room"] and found["over"] <= 1}


def stop_presenting(page) -> None:
    """Back to the plain notebook."""
    page.evaluate("() => window.jupyterapp.commands.execute('deck:stop')")
    page.wait_for_selector(".jp-Deck", state="detached")


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
