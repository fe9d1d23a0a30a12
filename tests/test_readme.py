"""The tables of README.md are those of paper_tables: one made of columns of several scales, and `quick`'s two."""

from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLES = ROOT / "paper_tables"
# File -> column of it -> its title in the first table, the factor to the title's unit, and the format.
COLUMNS = {
    "floor/table1": {
        "bytes_per_pixel_measured": ("Bytes per pixel", 1, ",.0f"),
        "step_ratio": ("Step time, relative to ideal", 1, ".2f"),
    },
    "cpu/table2": {"accuracy_mean": ("Fashion-MNIST, %", 100, ".1f")},
    "reference/h100/paper-short/table2": {
        "accuracy_mean": ("CIFAR-10 through JPEG, %", 100, ".1f"),
        "total_median_s": ("its training, s", 1, ".1f"),
        "peak_memory_bytes": ("and MB", 1e-6, ",.0f"),
    },
}


def headline() -> list[str]:
    """The lines of the first table."""
    table = pd.DataFrame()
    for name, columns in COLUMNS.items():
        rows = pd.read_csv(TABLES / f"{name}.csv").query("device == 'machine'")
        rows = rows.set_index(["architecture", "reconstruction"])
        for column, (title, factor, form) in columns.items():
            cells = {
                row: "—" if pd.isna(value) else format(value * factor, form) for row, value in rows[column].items()
            }
            table = (
                table.join(pd.Series(cells, name=title), how="outer") if len(table) else pd.DataFrame({title: cells})
            )
    order = pd.read_csv(TABLES / "floor" / "table1.csv")[["architecture", "reconstruction"]]
    table = table.reindex(pd.MultiIndex.from_frame(order)).fillna("—")
    table = table.rename_axis(["Architecture", "Reconstruction"]).reset_index()
    sides = ["left" if title in ("Architecture", "Reconstruction") else "right" for title in table]
    return table.to_markdown(index=False, disable_numparse=True, colalign=sides).splitlines()


def test_the_first_table_has_the_numbers_of_the_scales_tables() -> None:
    lines = headline()
    start = README.splitlines().index(lines[0])
    assert README.splitlines()[start : start + len(lines)] == lines


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_tables_1_and_2_are_those_of_quick(name: str) -> None:
    page = (TABLES / "quick" / f"{name}.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith(("**", "|"))]
    assert len(lines) > 5
    assert all(line in README.splitlines() for line in lines)
