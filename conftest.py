"""For every test, notebooks included: nobody watches; student notebooks, where nothing is solved, run in the smoke preset."""

import os

import pytest

os.environ["COURSE_HEADLESS"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small nets lose with more, and much where the machine is busy


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    os.environ["COURSE_PRESET"] = "smoke" if item.path.parent.name == "lectures" else "laptop"


def pytest_terminal_summary(terminalreporter):
    """How much the exercises' proofs cover."""
    if any("test_exercises.py" in r.nodeid for r in terminalreporter.stats.get("passed", [])):
        from course_lib.exercises.registry import exercises, lectures

        every = [e for topic in lectures() for e in exercises(topic).values()]
        mistakes, spellings = (sum(len(getattr(e, kind)) for e in every) for kind in ("mistakes", "spellings"))
        terminalreporter.write_line(f"{len(every)} exercises, {mistakes} known mistakes, {spellings} other right spellings")
