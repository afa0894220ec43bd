"""solutions/NN_topic.py -> lectures/NN_topic.ipynb (answers cut, no outputs) and solutions/NN_topic.ipynb (executed)."""

import copy
import hashlib
import os
import re
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

from course_lib.exercises import exercises, find

ROOT = Path(__file__).resolve().parents[2]
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUB = ("# YOUR CODE HERE", "raise NotImplementedError")
SECRET_TAGS = {"notes", "answer-only"}  # cells that students do not get
WIDGET = "application/vnd.jupyter.widget-view+json"
# what a notebook can reach: a change here calls for a new execution
REACHED = ("device.py", "fit.py", "optim.py", "data", "nets", "losses", "metrics", "show", "exercises/*.py")


class Drift(Exception):
    """A product does not follow from its source; the text says which and what to run."""


def sources(numbers: list[str] = ()) -> list[Path]:
    """The lectures' sources, in order; only those whose number is listed, if any is."""
    found = sorted((ROOT / "solutions").glob("[0-9][0-9]_*.py"))
    unknown = set(numbers) - {p.name[:2] for p in found}
    if unknown:
        raise ValueError(f"There is no lecture {', '.join(sorted(unknown))}; there are {', '.join(p.name[:2] for p in found)}.")
    return [p for p in found if not numbers or p.name[:2] in numbers]


def topic(source: Path) -> str:
    """`gan_objective` of `02_gan_objective.py`: the name of the lecture's catalogue."""
    return source.stem[3:]


def write(path: Path, text: str) -> bool:
    """Write whole or not at all, and only where something changes; True where it did."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    draft = path.with_name(path.name + ".part")
    draft.write_text(text, encoding="utf-8", newline="\n")
    os.replace(draft, path)
    return True


def read(source: Path):
    """The source as a notebook: stable cell ids, hints folded in, no outputs."""
    notebook = jupytext.read(source)
    notebook.metadata = nbformat.from_dict({**KERNEL, "course": notebook.metadata.get("course", {})})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        cell.metadata.pop("lines_to_next_cell", None)
        cell.source = re.sub(r"<!-- hints: (\S+) -->", lambda m: _hints(m[1]), cell.source)
        cell.source = cell.source.replace("<!-- map -->", _map()) if "<!-- map -->" in cell.source else cell.source
        base = cell.metadata.get("nbgrader", {}).get("grade_id") or hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        seen[base] = seen.get(base, 0) + 1
        cell.id = base if seen[base] == 1 else f"{base}-{seen[base]}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def _hints(exercise_id: str) -> str:
    hints = find(exercise_id).hints
    return "\n".join(f"<details><summary>Hint {i} of {len(hints)}</summary>\n\n{h}\n\n</details>\n" for i, h in enumerate(hints, 1))


def about(source: Path) -> dict:
    """A lecture's title, slides, and what it measures, from the header of its source."""
    return jupytext.read(source).metadata["course"]


def _map(columns: int = 3) -> str:
    """The lectures as boxes that link to their notebooks."""
    box = '<td style="border:2px solid #0072B2;padding:10px;text-align:left;vertical-align:top">{}</td>'
    boxes = [
        box.format(
            f'<b><a href="{s.stem}.ipynb">{s.stem[:2]} {a["title"]}</a></b><br>slides {a["slides"]}<br><i>{a["measures"]}</i>'
        )
        for s, a in ((s, about(s)) for s in sources())
    ]
    rows = ("".join(boxes[i : i + columns]) for i in range(0, len(boxes), columns))
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"


def student(notebook):
    """The notebook a student opens: regions between the solution markers cut, instructor's cells left out."""
    lecture = copy.deepcopy(notebook)
    lecture.cells = [c for c in lecture.cells if not SECRET_TAGS & set(c.metadata.get("tags", []))]
    for cell in lecture.cells:
        if cell.cell_type == "code":
            cell.source = _stub(cell.source)
    return lecture


def _stub(code: str) -> str:
    """Cut every solution region; inside a function or class a stub raises NotImplementedError, at top level it is a comment."""
    lines, inside = [], False
    for line in code.splitlines():
        if line.strip() == BEGIN:
            if inside:
                raise Drift(f"{BEGIN} twice without {END} in a cell.")
            inside, indent = True, line[: len(line) - len(line.lstrip())]
            lines += [indent + text for text in STUB[: 2 if indent else 1]]
        elif line.strip() == END:
            inside = False
        elif not inside:
            lines.append(line)
    if inside:
        raise Drift(f"{BEGIN} without {END} in a cell.")
    return "\n".join(lines)


def dump(notebook) -> str:
    """The notebook as text, one source line per text line, so that diffs can be read."""
    return nbformat.writes(notebook) + "\n"


def fingerprint(source: Path) -> str:
    """Hash of everything the outputs follow from: the source, the library below it, the catalogue, the pinned versions."""
    library = ROOT / "course_lib"
    paths = [p for pattern in REACHED for p in sorted(library.glob(pattern))]
    files = [f for p in paths for f in (sorted(p.rglob("*")) if p.is_dir() else [p])]
    files += [library / f"exercises/catalogue/{topic(source)}.py", ROOT / "constraints.txt", source]
    digest = hashlib.sha256()
    for file in files:
        if file.suffix in (".py", ".json", ".txt"):
            digest.update(file.read_text(encoding="utf-8").encode())
    return digest.hexdigest()[:16]


def execute(notebook, folder: Path, timeout: int = 600):
    """Run all cells with nobody watching; keep what is stable: no widget state, no times, counts from 1."""
    environment = {**os.environ, "COURSE_HEADLESS": "1", "COURSE_PRESET": os.environ.get("COURSE_PRESET", "laptop")}
    client = NotebookClient(
        notebook, timeout=timeout, record_timing=False, store_widget_state=False, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(env=environment, cleanup_kc=True)
    count = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if cell.source.strip():
            count += 1
            cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output["execution_count"] = count
            if "image/png" in output.get("data", {}):
                output["data"].pop(WIDGET, None)
    notebook.metadata.pop("widgets", None)
    return notebook


def build(source: Path, force: bool = False, say=print) -> None:
    """Write both products of a lecture; execute it only where something its outputs follow from has changed."""
    notebook, began = read(source), time.perf_counter()
    if write(ROOT / "lectures" / f"{source.stem}.ipynb", dump(student(notebook))):
        say(f"lectures/{source.stem}.ipynb written")
    target, mark = source.with_suffix(".ipynb"), fingerprint(source)
    if not force and target.exists() and _fresh(target, notebook, mark):
        say(f"solutions/{source.stem}.ipynb is up to date")
        return
    solved = execute(notebook, target.parent)
    solved.metadata["course"]["fingerprint"] = mark
    write(target, dump(solved))
    say(f"solutions/{source.stem}.ipynb executed in {time.perf_counter() - began:.0f} s")


def _fresh(target: Path, notebook, mark: str) -> bool:
    stored = nbformat.read(target, 4)
    return stored.metadata.get("course", {}).get("fingerprint") == mark and _cells(stored) == _cells(notebook)


def _cells(notebook) -> list[tuple]:
    return [(c.id, c.cell_type, c.source, dict(c.metadata)) for c in notebook.cells]


def check(source: Path) -> None:
    """Drift where a product of this lecture does not follow from its source. Executes nothing."""
    notebook, name = read(source), source.stem
    again = f"Run `course build {name[:2]}`."
    lecture, solved = ROOT / "lectures" / f"{name}.ipynb", source.with_suffix(".ipynb")
    for path in (lecture, solved):
        if not path.exists():
            raise Drift(f"{path.relative_to(ROOT)} is missing. {again}")
    if lecture.read_text(encoding="utf-8") != dump(student(notebook)):
        raise Drift(f"lectures/{name}.ipynb does not follow from its source: was it edited by hand? {again}")
    stored = nbformat.read(solved, 4)
    if _cells(stored) != _cells(notebook):
        raise Drift(f"solutions/{name}.ipynb has other cells than its source. {again}")
    if any(c.cell_type == "code" and c.source.strip() and c.execution_count is None for c in stored.cells):
        raise Drift(f"solutions/{name}.ipynb holds cells that were never run, which no test would compare. {again}")
    if stored.metadata.get("course", {}).get("fingerprint") != fingerprint(source):
        raise Drift(f"solutions/{name}.ipynb was executed with another source, library, or pinned versions. {again}")
    missing = set(exercises(topic(source))) - set(re.findall(r'check\("([^"]+)"', "\n".join(c.source for c in notebook.cells)))
    if missing:
        raise Drift(f"solutions/{name}.py never checks {', '.join(sorted(missing))}.")
