"""One table, three formats: Markdown and LaTeX for readers, CSV for programs; all from the same frame of numbers."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.records import write_text
from bench.reporting.cells import is_missing

_SPACES = dict.fromkeys("\n\r", " ")  # a line break would end a row or a paragraph
_LATEX = str.maketrans(
    {
        **_SPACES,
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{character: "\\" + character for character in "&%$#_{}"},
        "<": r"$<$",
        ">": r"$>$",
        "|": r"$|$",
        "±": r"$\pm$",
        "×": r"$\times$",
        "∞": r"$\infty$",
        "−": r"$-$",
        "–": "--",
        "—": "---",
    }
)
_MARKDOWN = str.maketrans({**_SPACES, **{character: "\\" + character for character in "\\|*_<>`[]&~"}})


@dataclass(frozen=True)
class Table:
    """A table: `frame` holds the numbers, `display` the same rows as text cells under two-level heads.

    `warnings` are remarks on these very records, shown before the `notes` that explain the columns.
    """

    name: str
    caption: str
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    frame: pd.DataFrame
    display: pd.DataFrame
    ruled_by: str | None = None  # head of the column at whose changes LaTeX draws a rule

    @property
    def text_columns(self) -> int:
        """How many of the first columns hold words, which align left; the others align right."""
        tops = [head[0] for head in self.display.columns]
        return min(tops.index(head) for head in _FIRST_NUMBER if head in tops)


_FIRST_NUMBER = ("Parameters", "Accuracy", "Theory")


def markdown_table(table: Table) -> str:
    """The table's rows alone, as a GitHub Markdown table."""
    heads = [", ".join(filter(None, head)).translate(_MARKDOWN) for head in table.display.columns]
    cells = table.display.map(lambda text: text.translate(_MARKDOWN)).set_axis(heads, axis=1)
    left = table.text_columns
    align = ["left"] * left + ["right"] * (len(heads) - left)
    return cells.to_markdown(index=False, tablefmt="pipe", colalign=align, disable_numparse=True)


def to_markdown(table: Table) -> str:
    """Caption, rows and notes as Markdown."""
    notes = [f"- {note.translate(_MARKDOWN)}" for note in (*table.warnings, *table.notes)]
    title, _, rest = table.caption.translate(_MARKDOWN).partition(". ")
    return "\n".join([f"**{title}.** {rest}", "", markdown_table(table), "", *notes, "", *_provenance(table), ""])


def _provenance(table: Table) -> list[str]:
    """A line a row: the record files that its numbers come from, in the scale's results folder."""
    lines = ["Records that each row comes from, in the scale's results folder:", ""]
    for _, row in table.frame.iterrows():
        runs = [] if is_missing(row.get("records")) else [f"runs/{name}" for name in row["records"].split("; ")]
        others = [row[column] for column in _RECORDS if not is_missing(row.get(column))]
        if runs or others:
            name = ", ".join(
                row[column] for column in ("device", "architecture", "reconstruction", "claim") if column in row
            )
            lines.append(f"- {name}: {', '.join(f'`{record}`' for record in [*runs, *others])}")
    return lines if len(lines) > 2 else []


def to_csv(table: Table) -> str:
    """The numbers in full precision and basic units, one value a column."""
    return table.frame.convert_dtypes().to_csv(index=False, lineterminator="\n")


def escape_latex(text: str) -> str:
    """`text` with every character that LaTeX reads otherwise, or that its default fonts lack, written out."""
    return text.translate(_LATEX)


def to_latex(table: Table) -> str:
    """A float for a paper; needs the packages booktabs and adjustbox (which shrinks it to the page where too wide)."""
    heads = pd.MultiIndex.from_tuples([tuple(map(escape_latex, head)) for head in table.display.columns])
    cells = table.display.map(escape_latex).set_axis(heads, axis=1)
    # Behind a row's end or a rule these would begin an argument, or be taken for a part of the command.
    cells.iloc[:, 0] = cells.iloc[:, 0].map(lambda text: "{}" + text if text.startswith(("[", "*")) else text)
    left = table.text_columns
    rows = cells.style.hide(axis="index").to_latex(
        hrules=True, column_format="l" * left + "r" * (len(heads) - left), multicol_align="c"
    )
    return "\n".join(
        [
            r"% needs \usepackage{booktabs,adjustbox}",
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{escape_latex(table.caption.partition('. ')[2])}}}",
            rf"\label{{tab:{table.name}}}",
            r"\begin{adjustbox}{max width=\textwidth}",
            _ruled(rows, table) + r"\end{adjustbox}",
            r"\raggedright\footnotesize",
            *(rf"\par\smallskip {escape_latex(note)}" for note in (*table.warnings, *table.notes)),
            r"\end{table*}",
            "",
        ]
    )


def _ruled(latex: str, table: Table) -> str:
    """Put a rule between the groups of rows of `table` in its `latex` rows."""
    if table.ruled_by is None:
        return latex
    head, rule, body = latex.partition("\\midrule\n")
    groups = table.display[(table.ruled_by, "")]
    starts = (groups != groups.shift()).tolist()
    lines = body.splitlines(keepends=True)
    for place in range(len(starts) - 1, 0, -1):
        if starts[place]:
            lines.insert(place, rule)
    return head + rule + "".join(lines)


_RECORDS = ("memory_record", "steps_record", "claim_record")  # columns with the file of a record
WRITERS = {"md": to_markdown, "csv": to_csv, "tex": to_latex}


def write_table(table: Table, folder: Path) -> list[Path]:
    """Write `table` in every format into `folder`, each file whole or not at all; returns their paths."""
    paths = []
    for suffix, text in [(suffix, writer(table)) for suffix, writer in WRITERS.items()]:
        paths.append(folder / f"{table.name}.{suffix}")
        write_text(paths[-1], text)
    return paths
