"""The contract every lecture keeps: what COURSE asks of a notebook, checked on the sources and on both products."""

import ast
import base64
import re

import nbformat
import pytest

from course_lib.authoring import build
from course_lib.exercises import exercises, find
from course_lib.exercises.check import source as answer_of
from course_lib.exercises.kinds import Choice, Value

SOURCES = build.sources()
each = pytest.mark.parametrize("source", SOURCES, ids=[s.stem for s in SOURCES])
each_lecture = pytest.mark.parametrize("source", SOURCES[1:], ids=[s.stem for s in SOURCES[1:]])
TAGS = {"notes", "answer-only", "nbval-check-output"}
SLIDES = {"slide", "subslide", "fragment", "skip", "notes"}


def cells(path):
    return nbformat.read(path, 4).cells


def lecture(source):
    return cells(build.ROOT / "lectures" / f"{source.stem}.ipynb")


def solved(source):
    return cells(source.with_suffix(".ipynb"))


def outputs(source):
    return [o for c in solved(source) if c.cell_type == "code" for o in c.outputs]


def role(cell, name):
    return cell.metadata.get("nbgrader", {}).get(name, False)


@each
def test_products_follow_from_the_source(source):
    build.check(source)
    assert all(c.cell_type != "code" or (not c.outputs and c.execution_count is None) for c in lecture(source))


@each
def test_an_exercise_is_statement_answer_check(source):
    book = lecture(source)
    checks = [i for i, c in enumerate(book) if role(c, "grade")]
    found = []
    for i in checks:
        answer, check = book[i - 1 : i + 1]
        vote = book[i - 2].source.startswith("quiz(")  # between a multiple choice and the cell that counts
        statement = book[i - 3 if vote else i - 2]
        exercise_id = re.search(r'check\("([^"]+)"\)', check.source)[1]
        exercise, grade_id = find(exercise_id), exercise_id.replace(".", "-")
        assert statement.cell_type == "markdown" and statement.source.count("<details>") == len(exercise.hints) >= 2
        assert role(answer, "solution") and not role(answer, "locked") and role(answer, "grade_id") == grade_id
        assert role(check, "locked") and role(check, "grade_id") == f"{grade_id}-check"
        assert role(check, "points") == exercise.points and role(check, "schema_version") == 3
        if not isinstance(exercise, (Choice, Value)):
            assert check.source.startswith(f"{exercise.name} = check("), "the notebook must go on with what check returns"
        found.append(exercise_id)
    assert sorted(found) == sorted(exercises(build.topic(source)))


@each
def test_a_stub_is_its_solution_with_holes(source):
    for stub, full in zip(
        (c for c in lecture(source) if role(c, "solution")), (c for c in solved(source) if role(c, "solution")), strict=True
    ):
        kept = [line for line in stub.source.splitlines() if "YOUR CODE HERE" not in line and "NotImplementedError" not in line]
        rest = iter(full.source.splitlines())
        assert all(line in rest for line in kept)
        assert build.BEGIN in full.source and build.BEGIN not in stub.source and "YOUR CODE HERE" in stub.source


def bare(code):
    """The code's structure without docstrings."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree


@each
def test_the_written_answer_is_the_reference(source):
    for cell in (c for c in solved(source) if role(c, "solution")):
        exercise = find(cell.metadata["nbgrader"]["grade_id"].replace("-", ".", 1))
        code = bare(cell.source)
        if isinstance(exercise, (Choice, Value)):
            scope = {}
            exec(compile(code, source.name, "exec"), scope)
            assert scope[exercise.name] == exercise.reference
        else:
            mine = [n for n in code.body if getattr(n, "name", "") == exercise.name]
            assert [ast.dump(n) for n in mine] == [ast.dump(n) for n in bare(answer_of(exercise)).body]


@each
def test_ran_without_errors_and_shows_what_it_should(source):
    for output in outputs(source):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.get("text")
        data = output.get("data", {})
        assert build.WIDGET not in data, "widget state is not stored"
        if "image/png" in data:
            assert len(base64.b64decode(data["image/png"])) < 150_000
            assert data["text/plain"].startswith(("<figure: ", "<interactive: ")) and "untitled" not in data["text/plain"]
    assert source.with_suffix(".ipynb").stat().st_size < 1.5e6


@each
def test_every_cell_has_its_place_on_the_slides(source):
    book = solved(source)
    for cell in book:
        assert set(cell.metadata.get("tags", [])) <= TAGS
        assert cell.metadata.get("slideshow", {}).get("slide_type") in SLIDES, cell.source
    assert book[0].metadata["slideshow"]["slide_type"] == "slide" and book[0].source.startswith(f"# {source.stem[:2]} · ")
    assert book[-1].metadata["slideshow"]["slide_type"] != "skip", "a deck that is started there would stay empty"


@each
def test_a_lecture_votes_once(source):
    """On a multiple choice, before its answer cell; the answer itself is not on a slide."""
    book = solved(source)
    votes = [i for i, c in enumerate(book) if c.cell_type == "code" and c.source.startswith("quiz(")]
    assert len(votes) == 1
    exercise_id = re.fullmatch(r'quiz\("([^"]+)"\)', book[votes[0]].source)[1]
    answer, check = book[votes[0] + 1 : votes[0] + 3]
    assert isinstance(find(exercise_id), Choice) and f'check("{exercise_id}")' in check.source and role(answer, "solution")
    assert {c.metadata["slideshow"]["slide_type"] for c in (answer, check)} == {"skip"}


@each
def test_instructors_cells_are_not_the_students(source):
    notes = [c for c in solved(source) if "notes" in c.metadata.get("tags", [])]
    assert notes and all(c.metadata["slideshow"]["slide_type"] == "notes" for c in notes)
    assert not any(build.SECRET_TAGS & set(c.metadata.get("tags", [])) for c in lecture(source))


@each
def test_nothing_is_fetched_and_no_path_is_absolute(source):
    code = source.read_text(encoding="utf-8")
    assert not re.search(
        r"(?m)^\s*[!%]\s*pip|/home/|/Users/|/root/|/tmp/|https?://(?!doi\.org|arxiv\.org|creativecommons\.org)", code
    )
    assert "import *" not in code


@each_lecture
def test_a_lecture_has_its_parts(source):
    book, prose = lecture(source), "\n".join(c.source for c in lecture(source) if c.cell_type == "markdown")
    assert 4 <= sum(bool(role(c, "grade")) for c in book) <= 9
    assert sum(c.metadata.get("slideshow", {}).get("slide_type") in ("slide", "subslide") for c in book) >= 6
    assert "## What you measured" in prose and "<!--" not in prose
    texts = [o.get("data", {}).get("text/plain", "") for o in outputs(source)]
    assert sum(t.startswith(("<figure: ", "<training")) for t in texts) >= 4
    assert any(t.startswith("<interactive: ") for t in texts)
    table = next(t for t in texts if "The lecture's claim" in t)
    cell = next(c for c in solved(source) if any("The lecture's claim" in str(o) for o in c.get("outputs", [])))
    assert "nbval-check-output" in cell.metadata["tags"] and "holds here" in table


LATER = """
import gc
from course_lib.show.widgets import Explorer
for explorer in [e for e in gc.get_objects() if issubclass(type(e), Explorer)]:
    x0, x1, y0, y1 = explorer.place[4:]
    ends = [{"point": [x, y]} for x in (x0, x1) for y in (y0, y1)] if "point" in explorer.values else []
    for control in explorer.controls:
        ends += [{control["name"]: end} for end in control.get("choices") or (control["low"], control["high"])]
    for end in ends:
        explorer.values = explorer.values | end
        assert not explorer.trouble, (explorer, end, explorer.trouble)
"""


STARTS = """
import sys
import course_lib
_training, _starts = sys.modules["course_lib.fit"]._Training, []
_go = _training.go
def _noted(self, log):
    done = _go(self, log)
    _starts.append((self.watch is not None, [values[0].item() for values in done.losses.values()]))
    return done
_training.go = _noted
def _again(code):
    first, _starts[:] = list(_starts), []
    if any(watched for watched, _ in first):
        get_ipython().run_cell(code).raise_error()
        assert _starts == first, "this training cell does not start clean when it is run again"
        _starts.clear()
"""


@each_lecture
def test_training_cells_start_clean_and_widgets_draw_after_the_last_cell(source, monkeypatch):
    """A training that is shown is run twice: its first losses agree, so nets, optimisers, and seed are its own. And Run All
    comes before the first touch of a slider: no later cell may have taken a name that `draw` needs."""
    monkeypatch.setenv("COURSE_PRESET", "smoke")
    book = nbformat.read(build.ROOT / "lectures" / f"{source.stem}.ipynb", 4)
    cells = [nbformat.v4.new_code_cell(STARTS)]
    for cell in book.cells:
        cells += [cell, nbformat.v4.new_code_cell(f"_again({cell.source!r})")] if cell.cell_type == "code" else [cell]
    book.cells = [*cells, nbformat.v4.new_code_cell(LATER)]
    build.execute(book, build.ROOT / "lectures")


@each_lecture
def test_compared_text_is_stable(source):
    """What nbval compares may hold no timing and no machine; figures from trainings carry their sign ≈."""
    for cell in solved(source):
        if "nbval-check-output" in cell.metadata.get("tags", []):
            assert cell.outputs and cell.execution_count
            assert not any("image/png" in o.get("data", {}) for o in cell.outputs), "pictures are not compared"
            assert not re.search(r"\d\s*(s|ms|seconds)\b|0x[0-9a-f]{6}", "".join(str(o.get("text", "")) for o in cell.outputs))
