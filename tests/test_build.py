"""From source to products, on a small lecture made here."""

import json

import nbformat
import pytest

from course_lib.authoring import build

HEADER = """# ---
# jupyter:
#   course:
#     measures: nothing
#     slides: "1"
#     title: A test
# ---

"""
ANSWER = 'nbgrader={"grade": false, "grade_id": "start_here-logistic", "schema_version": 3, "solution": true}'
SOURCE = (
    HEADER
    + f'''# %% [markdown] slideshow={{"slide_type": "slide"}}
# # 07 · A test
#
# <!-- hints: start_here.logistic -->

# %% {ANSWER}
def logistic(logit):
    """Doc."""
    ### BEGIN SOLUTION
    return logit.sigmoid()
    ### END SOLUTION

# %% [markdown] slideshow={{"slide_type": "notes"}} tags=["notes"]
# Only for the instructor.

# %%
from course_lib import check
logistic = check("start_here.logistic")
check("start_here.predict", "b")
'''
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A course of one lecture; gives its source."""
    for folder in ("lectures", "solutions"):
        (tmp_path / folder).mkdir()
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\n")
    (tmp_path / "README.md").write_text(f"# x\n{build.START}\n{build.STOP}\nrest\n", encoding="utf-8")
    source = tmp_path / "solutions" / "07_start_here.py"
    source.write_text(SOURCE, encoding="utf-8")
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "fingerprint", lambda s, book: str([c.source for c in book.cells if c.cell_type == "code"]))
    return source


def products(source):
    return [(source.parents[1] / "lectures" / f"{source.stem}.ipynb"), source.with_suffix(".ipynb")]


def test_build_makes_both_products_and_changes_nothing_the_second_time(project):
    said = []
    build.build(project, say=said.append)
    lecture, solved = (nbformat.read(p, 4) for p in products(project))
    nbformat.validate(lecture)
    nbformat.validate(solved)
    stub = next(c.source for c in lecture.cells if "def logistic" in c.source)
    assert stub.splitlines()[-2:] == ["    # YOUR CODE HERE", "    raise NotImplementedError"] and "sigmoid" not in stub
    assert "<details><summary>Hint 1 of 3</summary>" in lecture.cells[0].source
    assert not any("instructor" in c.source for c in lecture.cells) and any("instructor" in c.source for c in solved.cells)
    assert [c.execution_count for c in solved.cells if c.cell_type == "code"] == [1, 2]
    assert "correct" in json.dumps(solved.cells[-1].outputs, ensure_ascii=False)
    assert lecture.metadata.kernelspec.name == "python3" and "jupytext" not in lecture.metadata
    build.check(project)
    before = [p.read_bytes() for p in products(project)]
    build.build(project, say=said.append)
    assert "up to date" in said[-1]
    build.build(project, force=True, say=said.append)
    assert [p.read_bytes() for p in products(project)] == before


def test_a_change_of_prose_keeps_the_outputs_and_executes_nothing(project, monkeypatch):
    build.build(project, say=lambda _: None)
    monkeypatch.setattr(build, "execute", lambda *_: pytest.fail("nothing had to be executed"))
    project.write_text(project.read_text(encoding="utf-8").replace("· A test", "· Another test"), encoding="utf-8")
    build.build(project, say=lambda _: None)
    build.check(project)
    solved = nbformat.read(products(project)[1], 4)
    assert "Another test" in solved.cells[0].source and "correct" in json.dumps(solved.cells[-1].outputs)


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (
            lambda s: s.write_text(s.read_text(encoding="utf-8").replace("· A test", "· B test"), encoding="utf-8"),
            "does not follow",
        ),
        (lambda s: products(s)[0].write_text(products(s)[0].read_text() + " "), "edited by hand"),
        (lambda s: products(s)[1].unlink(), "missing"),
        (
            lambda s: products(s)[1].write_text(
                products(s)[1].read_text().replace('"execution_count": 1,', '"execution_count": null,', 1)
            ),
            "never run",
        ),
        (
            lambda s: products(s)[1].write_text(products(s)[1].read_text().replace('"fingerprint": "', '"fingerprint": "0')),
            "another source",
        ),
        (lambda s: products(s)[1].write_text(products(s)[1].read_text().replace("Only for", "For")), "other cells"),
    ],
)
def test_check_finds_drift(project, harm, words):
    build.build(project, say=lambda _: None)
    harm(project)
    with pytest.raises(build.Drift, match=words):
        build.check(project)


@pytest.mark.parametrize("code", ["### BEGIN SOLUTION\nx = 1", "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION"])
def test_unbalanced_markers_are_refused(code):
    with pytest.raises(build.Drift, match="BEGIN SOLUTION"):
        build._stub(code)


def test_top_level_stubs_do_not_raise():
    assert build._stub("x = ...\n### BEGIN SOLUTION\nx = 3\n### END SOLUTION") == "x = ...\n# YOUR CODE HERE"


def test_the_readme_map_is_generated_and_checked(project):
    build.write_map()
    text = (build.ROOT / "README.md").read_text(encoding="utf-8")
    assert "[07 A test](lectures/07_start_here.ipynb) | 1 | nothing" in text and text.endswith("rest\n")
    build.check_map()
    (build.ROOT / "README.md").write_text(text.replace("A test", "Another"), encoding="utf-8")
    with pytest.raises(build.Drift, match="out of date"):
        build.check_map()


def test_unknown_lectures_are_named():
    with pytest.raises(ValueError, match="no lecture 99"):
        build.sources(["99"])


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "x.txt"
    target.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build.os, "replace", full)
    with pytest.raises(OSError, match="space"):
        build.write(target, "new")
    assert target.read_text() == "old"
