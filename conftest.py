"""For every test, notebooks included: nobody watches; student notebooks, where nothing is solved, run in the smoke preset."""

import os

import pytest

os.environ["COURSE_HEADLESS"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small nets lose with more, and much where the machine is busy


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    os.environ["COURSE_PRESET"] = "smoke" if item.path.parent.name == "lectures" else "laptop"
