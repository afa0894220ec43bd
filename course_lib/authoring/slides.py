"""A lecture's slides without a kernel: a deck for a USB stick, the same as PDF, and the instructor's notes on one page.

Cells carry their place (`slideshow.slide_type`): slide, subslide, fragment, skip, notes. Pictures of widgets stand in for widgets.
"""

import html
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

from course_lib.authoring import build

HERE = Path(__file__).parent / "deck"
# what a deck needs of reveal.js and MathJax, copied out of their packages
REVEAL = ("reset.css", "reveal.css", "reveal.js", "plugin/notes.js")
MATHJAX = ("MathJax.js", "config/TeX-AMS-MML_HTMLorMML-full.js", "jax/element", "jax/output/HTML-CSS", "fonts/HTML-CSS")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{style}</style><body>{body}</body></html>\n'
)
STYLE = "body{max-width:46em;margin:2em auto;font:17px/1.45 system-ui,sans-serif} h2{font-size:1.1em} p{margin:.2em 0}"


def place(cell) -> str:
    """slide, subslide, fragment, skip, or notes; empty where the cell does not say."""
    return cell.metadata.get("slideshow", {}).get("slide_type", "")


def title(source: Path) -> str:
    """`02 · The GAN objective`."""
    return f"{source.stem[:2]} · {build.about(source)['title']}"


def deck(source: Path, folder: Path, answers: bool = True) -> Path:
    """Write `NN_topic.html`, and beside it `deck/` with all that it needs, into the folder; the path of the page.

    Takes the outputs of the executed solution. Without `answers` the slides are those of the students' copy, and checks and
    score, which were made of the answers, show nothing.
    """
    notebook, stored = build.read(source), build.executed(source)
    missing = build.carry(notebook, stored) if stored else ["all"]
    if missing:
        raise build.Drift(f"{source.name} has code that was never executed. Run `course build {source.stem[:2]}`.")
    if not answers:
        notebook = build.student(notebook)
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("grade") or cell.source == "score()":
                cell.outputs = []
    folder.mkdir(parents=True, exist_ok=True)
    _assets(folder / "deck")
    page = (HERE / "deck.html").read_text(encoding="utf-8")
    page = page.replace("<!-- title -->", html.escape(title(source))).replace("<!-- slides -->", _sections(notebook))
    path = folder / f"{source.stem}.html"
    build.write(path, page)
    return path


def pdf(page: Path) -> Path:
    """Print a deck to a PDF beside it; RuntimeError where no Chromium is, or where it fails."""
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if browser is None:
        raise RuntimeError("A PDF needs Chromium or Chrome, and none was found. Or open the deck with ?print-pdf and print it.")
    target, draft = page.with_suffix(".pdf"), page.with_suffix(".part.pdf")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", "--virtual-time-budget=60000"]
    address = f"{page.resolve().as_uri()}?print-pdf"
    done = subprocess.run(
        [browser, *options, f"--print-to-pdf={draft.resolve()}", address], capture_output=True, text=True, timeout=300
    )
    if done.returncode or not draft.exists():
        raise RuntimeError(f"Chromium could not print the deck: {done.stderr.strip().splitlines()[-1:]}")
    draft.replace(target)
    return target


def notes(source: Path) -> list[tuple[str, str]]:
    """(title of the section, its notes in Markdown), in the order of the lecture."""
    found, section = [], title(source)
    for cell in build.read(source).cells:
        if place(cell) == "slide" and (heading := re.match(r"#+ (.*)", cell.source)):
            section = heading[1]
        elif place(cell) == "notes":
            found.append((section, cell.source))
    return found


def notes_page(source: Path) -> str:
    """The instructor's notes as one HTML page to print."""
    parts = [f"<h2>{html.escape(section)}</h2>{_markdown(text)}" for section, text in notes(source)]
    return PAGE.format(
        title=html.escape(title(source)), style=STYLE, body=f"<h1>{html.escape(title(source))}: notes</h1>{''.join(parts)}"
    )


def _assets(folder: Path) -> None:
    """Copy reveal.js and MathJax out of their packages, whole or not at all, where they are missing; renew the style."""
    if not (folder / "reveal.js").exists():
        draft = folder.with_name("deck.part")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for name in REVEAL:
            shutil.copy(str(files("pyreveal") / "revealjs" / "dist" / name), draft)
        mathjax = Path(str(files("jupyter_server_mathjax") / "static"))
        for name in MATHJAX:
            target = draft / "mathjax" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(mathjax / name, target) if (mathjax / name).is_dir() else shutil.copy(mathjax / name, target)
        draft.replace(folder)
    from pygments.formatters import HtmlFormatter

    colours = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    build.write(folder / "deck.css", (HERE / "deck.css").read_text(encoding="utf-8") + colours + "\n")


def _sections(notebook) -> str:
    """The notebook's cells as reveal.js sections: a stack per slide, in it one section per slide and sub-slide."""
    stacks: list[list[list[str]]] = []
    for cell in notebook.cells:
        kind = place(cell)
        if kind == "skip":
            continue
        body = _notes(cell) if kind == "notes" else _markdown(cell.source) if cell.cell_type == "markdown" else _code(cell)
        if kind == "slide" or not stacks:
            stacks.append([[]])
        elif kind == "subslide":
            stacks[-1].append([])
        stacks[-1][-1].append(f'<div class="fragment">{body}</div>' if kind == "fragment" else body)
    return "\n".join(
        '<section class="stack">' + "".join(f"<section>{''.join(parts)}</section>\n" for parts in stack) + "</section>"
        for stack in stacks
    )


def _notes(cell) -> str:
    return f'<aside class="notes">{_markdown(cell.source)}</aside>'


def _markdown(text: str) -> str:
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    return re.sub(r'<a class="anchor-link".*?</a>', "", markdown2html_mistune(text))


def _code(cell) -> str:
    """A code cell: its source unless hidden, and its outputs."""
    from nbconvert.filters.highlight import Highlight2HTML

    hidden = cell.metadata.get("jupyter", {}).get("source_hidden")
    source = "" if hidden else Highlight2HTML(pygments_lexer="python")(cell.source)
    return source + "".join(map(_output, cell.outputs))


def _output(output) -> str:
    """The richest static form of an output: a picture, HTML, Markdown, or text."""
    data = output.get("data", {})
    plain = output.get("text") or data.get("text/plain", "")
    if "image/png" in data:
        return f'<img alt="{html.escape(plain.strip("<>"))}" src="data:image/png;base64,{data["image/png"].strip()}">'
    if "text/html" in data:
        return data["text/html"]
    if "text/markdown" in data:
        return _markdown(data["text/markdown"])
    return f"<pre>{html.escape(plain)}</pre>"
