"""The house stays as designed: nothing imports upward, the library stays small, the lists of packages agree."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "course_lib"
FILES = sorted(LIBRARY.rglob("*.py"))
# each floor may import itself and the floors below
FLOORS = {
    "device": 0,
    **dict.fromkeys(("data", "nets", "losses", "optim"), 1),
    **dict.fromkeys(("fit", "metrics"), 2),
    "show": 3,
    "exercises": 4,
    **dict.fromkeys(("authoring", "lab"), 5),
    "cli": 6,
}


def floor(module):
    """Floor of `course_lib.data.toys`; the package itself, which gathers the names for notebooks, is above `exercises`."""
    parts = module.split(".")
    return FLOORS[parts[1]] if len(parts) > 1 else 4.5


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("course_lib"):
            yield node.module if node.module != "course_lib" else f"course_lib.{node.names[0].name}"
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("course_lib"))


@pytest.mark.parametrize("path", FILES, ids=[str(p.relative_to(LIBRARY)) for p in FILES])
def test_nothing_imports_upward(path):
    module = ".".join(("course_lib", *path.relative_to(LIBRARY).with_suffix("").parts)).removesuffix(".__init__")
    for imported in imports(path):
        assert floor(imported) <= floor(module), f"{module} imports {imported}"


def test_the_library_stays_small():
    lengths = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in FILES}
    assert sum(lengths.values()) <= 4150  # of them 2,700 of code; the rest is blank lines and docstrings
    assert max(lengths.values()) <= 300


def test_every_file_says_what_lives_there():
    for path in FILES:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def names(requirements):
    return {re.split(r"[<>=\[; ]", r)[0].lower().replace("_", "-") for r in requirements}


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.lower().replace("_", "-").split("==") for line in lines if line and not line.startswith("#"))


def test_pyproject_constraints_and_environment_agree():
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["test"],
        *project["build-system"]["requires"],
    ]
    for line in wanted:
        requirement = Requirement(line)
        pinned = pins()[requirement.name.lower()]
        assert requirement.specifier.contains(pinned), f"{line}, but constraints.txt pins {pinned}"
    assert pins()["torch"] == "2.13.0"
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    assert conda[-1]["pip"] == ["--constraint constraints.txt", "--editable .[test]"]
    python = next(d for d in conda if isinstance(d, str) and d.startswith("python="))
    assert Requirement(f"x{project['project']['requires-python']}").specifier.contains(python.split("=")[1] + ".0")
