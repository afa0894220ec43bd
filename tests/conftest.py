"""What the browser tests share: one JupyterLab for all of them that run in a worker."""

import pytest
from browser import browser, lab


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with lab(tmp_path_factory.mktemp("lab"), COURSE_PRESET="smoke", COURSE_HEADLESS="0") as where:
        yield where


@pytest.fixture
def page():
    with browser() as page:
        yield page
        if page.locator(".jp-Deck").count():  # a test that failed in mid-slide: Lab would remember that it presents
            page.evaluate("() => window.jupyterapp.commands.execute('deck:stop')")
            page.wait_for_timeout(1000)
        assert not page.errors
