"""The command `course`: doctor, lab, warm, slides, notes, build."""

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="The course's own commands.")


@app.command()
def doctor() -> None:
    """Print versions, cores, threads, GPU, free memory, and what is wrong, in plain words."""
    from course_lib.lab.doctor import report

    lines, healthy = report()
    print("\n".join(lines))
    raise typer.Exit(0 if healthy else 1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(context: typer.Context) -> None:
    """Start JupyterLab on the first lecture; further options go to JupyterLab (--no-browser, --port 8899)."""
    from course_lib.lab.launcher import launch

    raise typer.Exit(launch(context.args))


@app.command()
def warm(numbers: Annotated[list[str] | None, typer.Argument(help="Lectures, such as 02 03; all without.")] = None) -> None:
    """Run lectures once, as on stage, and print what each takes on this machine."""
    from course_lib.lab.warm import warm as run

    raise typer.Exit(run(_lectures("warm", numbers)))


@app.command()
def slides(
    numbers: Annotated[list[str], typer.Argument(help="Lectures, such as 02 03.")],
    out: Annotated[Path, typer.Option(help="Folder for the deck; made if missing.")],
    pdf: Annotated[bool, typer.Option("--pdf", help="Print each deck to a PDF too; needs Chromium.")] = False,
    answers: Annotated[bool, typer.Option(help="The solution's slides, or those of the students' copy.")] = True,
) -> None:
    """Write a deck that needs no kernel and no network: HTML, and beside it all that it loads."""
    from course_lib.authoring import build, slides

    for source in _lectures("slides", numbers):
        try:
            page = slides.deck(source, out, answers)
            print(page)
            if pdf:
                print(slides.pdf(page))
        except (build.Drift, RuntimeError, OSError) as problem:
            _fail("slides", problem)


@app.command()
def notes(
    number: Annotated[str, typer.Argument(help="A lecture, such as 02.")],
    out: Annotated[Path | None, typer.Option(help="Write a page to print (HTML) instead of text.")] = None,
) -> None:
    """Print a lecture's instructor's notes: timing, questions, what goes wrong."""
    from course_lib.authoring import build, slides

    source = _lectures("notes", [number])[0]
    if out is None:
        print("\n\n".join(f"## {section}\n{text}" for section, text in slides.notes(source)))
        return
    try:
        build.write(out, slides.notes_page(source))
    except OSError as problem:
        _fail("notes", problem)
    print(out)


def _lectures(command: str, numbers: list[str] | None) -> list[Path]:
    """Sources of the lectures with these numbers, or a sentence and exit."""
    from course_lib.authoring import build

    try:
        return build.sources(numbers or [])
    except ValueError as problem:
        _fail(command, problem)


def _fail(command: str, problem: Exception) -> None:
    print(f"course {command}: {problem}", file=sys.stderr)
    raise typer.Exit(1) from None


@app.command()
def build(
    numbers: Annotated[list[str] | None, typer.Argument(help="Lectures, such as 02 03; all without.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail where a product is out of date.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Execute even where nothing changed.")] = False,
) -> None:
    """Write lectures/ and the executed solutions/ from solutions/*.py, and the README's table."""
    from course_lib.authoring import build as builder

    try:
        for source in builder.sources(numbers or []):
            builder.check(source) if check else builder.build(source, force)
        builder.check_map() if check else builder.write_map()
    except (builder.Drift, ValueError) as problem:
        _fail("build", problem)
    if check:
        print("Every product follows from its source.")
