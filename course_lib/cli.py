"""The command `course`: doctor, lab, build."""

import sys
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
        print(f"course build: {problem}", file=sys.stderr)
        raise typer.Exit(1) from None
    if check:
        print("Every product follows from its source.")
