"""The tables of README.md are those of paper_tables: one made of columns of several scales, and `quick`'s two.

Both are taken as git's index has them: a run of the workflow writes its own tables over those of the repository.
"""

import io
import subprocess

import pandas as pd
import pytest

from tests.smoke import ROOT

# File -> column of it -> its title in the first table, the factor to the title's unit, and the format.
COLUMNS = {
    "floor/table1": {
        "bytes_per_pixel_measured": ("Bytes per pixel", 1, ",.0f"),
        "step_ratio": ("Step time, relative to ideal", 1, ".2f"),
    },
    "cpu/table2": {"accuracy_mean": ("Fashion-MNIST, %", 100, ".1f")},
    "reference/h200/paper-short/table2": {
        "accuracy_mean": ("CIFAR-10 through JPEG, %", 100, ".1f"),
        "total_median_s": ("its training, s", 1, ".1f"),
        "peak_memory_bytes": ("and MB", 1e-6, ",.0f"),
    },
}


def staged(name: str) -> str:
    """The file's text in git's index."""
    return subprocess.check_output(["git", "show", f":{name}"], cwd=ROOT, encoding="utf-8")


def table_of(name: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(staged(f"paper_tables/{name}.csv")))


README = staged("README.md").splitlines()


def headline() -> list[str]:
    """The lines of the first table."""
    cells = {}
    for name, columns in COLUMNS.items():
        rows = table_of(name).query("device == 'machine'").set_index(["architecture", "reconstruction"])
        for column, (title, factor, form) in columns.items():
            cells[title] = (rows[column].dropna() * factor).map(f"{{:{form}}}".format)
    order = table_of("floor/table1")[["architecture", "reconstruction"]]
    table = pd.DataFrame(cells).reindex(pd.MultiIndex.from_frame(order)).fillna("—")
    table = table.rename_axis(["Architecture", "Reconstruction"]).reset_index()
    sides = ["left" if title in ("Architecture", "Reconstruction") else "right" for title in table]
    return table.to_markdown(index=False, disable_numparse=True, colalign=sides).splitlines()


def test_the_first_table_has_the_numbers_of_the_scales_tables() -> None:
    lines = headline()
    start = README.index(lines[0])
    assert README[start : start + len(lines)] == lines


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_tables_1_and_2_are_those_of_quick(name: str) -> None:
    page = staged(f"paper_tables/quick/{name}.md")
    lines = [line for line in page.splitlines() if line.startswith(("**", "|"))]
    assert len(lines) > 5
    assert all(line in README for line in lines)
