import io
import re

import pandas as pd
import pytest

from bench.errors import InputError
from bench.records import write_record
from bench.reporting.build import build_tables
from bench.reporting.formats import escape_latex, to_csv, to_latex, to_markdown, write_table
from bench.reporting.measurements_frame import memory_path
from tests.reporting.synthetic import Run, memory_record, study, write_train

MODES = {"resnet18": ["ideal"], "checkpointing": ["ideal"], "revnet": ["ideal", "noisy"], "hybrid": ["ideal", "noisy"]}
RUNS = [
    Run(name, mode, device, seed)
    for device in ("machine", "capped")
    for name, modes in MODES.items()
    for mode in modes
    for seed in (1, 2)
]
LABELS = {"capped": r"1 GB | 50 % of_it & #1 ~\^ {emulated} <x> *y*"}


@pytest.fixture
def tables(tmp_path):
    for place, run in enumerate(RUNS):
        write_train(tmp_path, run, outcome__accuracy=0.9 + place / 700, time_to_target_s=None if place % 3 else 1 / 3)
    write_record(memory_path(tmp_path, ("hybrid", "noisy")), memory_record("hybrid", "noisy"))
    return build_tables(study(RUNS, labels=LABELS), tmp_path)


def test_csv_read_again_is_the_frame_in_full_precision(tables):
    for table in tables:
        again = pd.read_csv(io.StringIO(to_csv(table)))
        assert list(again.columns) == list(table.frame.columns)
        for column in again.columns:
            expected = table.frame[column].reset_index(drop=True)
            if again[column].notna().any() and pd.api.types.is_numeric_dtype(expected):
                pd.testing.assert_series_equal(again[column], expected, check_dtype=False, check_exact=True)
            elif pd.api.types.is_numeric_dtype(expected):
                assert expected.isna().all()
            else:
                assert [str(a) for a in again[column].dropna()] == [str(e) for e in expected.dropna()]


def test_markdown_has_every_row_with_as_many_cells_as_heads(tables):
    for table in tables:
        lines = [line for line in to_markdown(table).splitlines() if line.startswith("|")]
        cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
        assert len(lines) == len(table.frame) + 2
        assert {len(row) for row in cells} == {len(table.display.columns)}
    shown = [[cell.strip() for cell in row] for row in cells]
    assert {(row[1], row[2]) for row in shown[2:]} == {(name, mode) for name, modes in MODES.items() for mode in modes}
    first = to_markdown(tables[0])
    for name, modes in MODES.items():
        for mode in modes:
            assert re.search(rf"^\| {name} +\| {mode}: ", first, re.MULTILINE)


def test_caption_says_where_the_numbers_come_from(tables):
    for table in tables:
        for words in (
            "Scale quick",
            "digits (1,437 training",
            "scaled-down",
            "seeds 1, 2",
            "CPU A",
            "2026-01-02",
            "abcdef0",
        ):
            assert words in table.caption
            assert escape_latex(words) in to_latex(table)
            assert words in to_markdown(table).splitlines()[0]


def test_latex_is_balanced_and_has_as_many_cells_as_heads(tables):
    for table in tables:
        latex = to_latex(table)
        assert latex.count(r"\begin{") == latex.count(r"\end{") == 3
        bare = re.sub(r"\\[{}]", "", latex)
        assert bare.count("{") == bare.count("}")
        body = latex.partition(r"\midrule")[2].partition(r"\bottomrule")[0]
        rows = [row for row in body.splitlines() if row.endswith(r"\\")]
        assert len(rows) == len(table.frame)
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(table.display.columns) - 1}
        assert latex.isascii()


def test_latex_rules_off_devices(tables):
    assert to_latex(tables[0]).count(r"\midrule") == 1
    assert to_latex(tables[1]).count(r"\midrule") == 3  # machine, capped, published


def test_labels_from_outside_are_escaped(tables):
    escaped = (
        r"1 GB $|$ 50 \% of\_it \& \#1 \textasciitilde{}\textbackslash{}\textasciicircum{} \{emulated\} $<$x$>$ *y*"
    )
    assert escape_latex(LABELS["capped"]) == escaped
    assert escaped in to_latex(tables[1])
    assert r"1 GB \| 50 % of\_it \& #1 \~\\^ {emulated} \<x\> \*y\*" in to_markdown(tables[1])


def test_a_label_stays_in_its_cell_and_is_no_markup(tmp_path):
    label = "two\nlines\r\n\n[a](b) &lt; ~~c~~"
    table = build_tables(study(RUNS, labels={"capped": label}), tmp_path)[1]
    shown = r"two lines   \[a\](b) \&lt; \~\~c\~\~"
    lines = [line for line in to_markdown(table).splitlines() if line.startswith("|")]
    assert len(lines) == len(table.frame) + 2
    assert sum(line.startswith(f"| {shown} ") for line in lines) == len(RUNS) // 4
    assert "two lines   [a](b)" in to_latex(table)


@pytest.mark.parametrize("label", ["[emulated] card", "* card"])
def test_a_label_is_no_argument_of_what_is_before_it(tmp_path, label):
    for run in RUNS:
        write_train(tmp_path, run)
    latex = to_latex(build_tables(study(RUNS, labels={"capped": label}), tmp_path)[1])
    assert f"{{}}{label}" in latex and not re.search(r"(\\\\|\\midrule)\s*[\[*]", latex)


def test_broken_record_is_named_in_every_table_that_lacks_it(tmp_path):
    for run in RUNS:
        write_train(tmp_path, run)
    path = tmp_path / "runs" / RUNS[0].name / "record.json"
    path.write_text("{")
    for table in build_tables(study(RUNS), tmp_path):
        assert RUNS[0].name in to_markdown(table)
        assert RUNS[0].name in to_latex(table)
        assert "1 broken" in table.caption


def test_files_are_written_under_their_names(tables, tmp_path):
    paths = write_table(tables[0], tmp_path / "tables")
    assert sorted(path.name for path in paths) == ["table1.csv", "table1.md", "table1.tex"]
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == ["table1.csv", "table1.md", "table1.tex"]
    assert paths[0].read_text(encoding="utf-8") == to_markdown(tables[0])


def test_missing_results_folder_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="no results folder"):
        build_tables(study(RUNS), tmp_path / "nowhere")
