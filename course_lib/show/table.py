"""Tables that read the same as text and as HTML, above all the one that ends every lecture: what you measured."""

import html
import itertools
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from course_lib.device import preset


def about(value: float, digits: int = 2) -> str:
    """A figure from a training: "≈" says that another machine's rounding may change its last digits."""
    return f"≈{value:.{digits}f}".replace("-", "−")


@dataclass(frozen=True)
class Table:
    """Column names and rows of text; shows itself as HTML in a notebook, as aligned text elsewhere."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    widest: int = 34

    def __repr__(self) -> str:
        wrapped = [[textwrap.wrap(str(cell), self.widest) or [""] for cell in row] for row in [self.columns, *self.rows]]
        widths = [max(len(line) for row in wrapped for line in row[i]) for i in range(len(self.columns))]
        lines = []
        for number, row in enumerate(wrapped):
            for parts in itertools.zip_longest(*row, fillvalue=""):
                lines.append("  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip())
            if number == 0:
                lines.append("  ".join("-" * width for width in widths))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        def cells(tag, row):
            style = "text-align:left;vertical-align:top;padding:4px 12px 4px 0"
            return "".join(f'<{tag} style="{style}">{html.escape(str(cell))}</{tag}>' for cell in row)

        head = f"<tr>{cells('th', self.columns)}</tr>"
        body = "".join(f"<tr>{cells('td', row)}</tr>" for row in self.rows)
        return f'<table style="font-size:105%"><thead>{head}</thead><tbody>{body}</tbody></table>'


def table(rows: Sequence[dict]) -> Table:
    """A table of dicts with the same keys."""
    columns = list(rows[0])
    return Table(columns, [[str(row[c]) for c in columns] for row in rows])


@dataclass(frozen=True)
class Claim:
    """One row of "What you measured": the lecture's claim, the figure here, the published one, and whether it holds."""

    claim: str
    here: str
    published: str
    holds: bool


def measured(*claims: Claim) -> Table:
    """The table "What you measured", with verdicts computed from the figures; a smoke run judges nothing."""

    def verdict(claim: Claim) -> str:
        if preset() == "smoke":
            return "not judged (smoke)"
        return "✓ holds here" if claim.holds else "✗ does not hold here"

    columns = ("The lecture's claim", "Measured here", "Published", "Verdict")
    return Table(columns, [(c.claim, c.here, c.published, verdict(c)) for c in claims], widest=30)
