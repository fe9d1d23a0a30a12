"""The report: one file that shows both tables, figures, curves and every record, opened here as a reader would."""

import shutil
import struct
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from bench.configuration import load
from bench.provenance import code_digest
from bench.records import write_record
from bench.reporting import claims
from bench.reporting.build import build_tables
from bench.reporting.page.cells import Cell
from bench.reporting.page.figures import figures, planned_figures
from bench.reporting.page.further_records import further_records
from bench.reporting.page.glossary import GLOSSARY, meaning
from bench.reporting.page.page import _curves, page
from bench.reporting.page.records import behind
from bench.reporting.records_frame import read_runs
from tests.reporting.synthetic import Run, memory_record, steps_record, study, train_record, write_train

RUNS = [
    Run(architecture, reconstruction, "machine", seed)
    for architecture, reconstruction in (("resnet18", "ideal"), ("hybrid", "ideal"), ("hybrid", "noisy"))
    for seed in (1, 2)
]
HISTORY = [
    {"epoch": epoch, "loss": 2.0 / epoch, "test_accuracy": 0.3 * epoch, "training_s": 1.0, "evaluation_s": 0.1}
    for epoch in (1, 2, 3)
]
VOID = {"meta", "img", "input", "link", "br"}


class Reader(HTMLParser):
    """What a browser would make of the page: ids, links, texts by element, and whether elements are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.addresses: list[str] = []
        self.counts: dict[str, int] = {}

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        values = dict(attributes)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if "href" in values else []
        self.addresses += [values[name] for name in ("src", "href") if name in values]
        if "data-records" in values:
            self.links += [f"#{name}" for name in values["data-records"].split()]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def png(folder: Path, name: str) -> None:
    """A figure of one grey pixel."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\x80")),
        (b"IEND", b""),
    ]
    parts = [struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a small study: one run missing, one stale, one record broken; two figures and a table of claims."""
    place = tmp_path_factory.mktemp("report")
    results, tables = place / "results", place / "tables"
    for run in RUNS[:-2]:
        write_train(results, run, history=HISTORY)
    write_train(results, RUNS[-2], history=HISTORY, digest__key="of other code")
    for architecture, reconstruction in {(run.architecture, run.reconstruction) for run in RUNS}:
        write_record(
            results / "memory" / f"{architecture}-{reconstruction}.json", memory_record(architecture, reconstruction)
        )
    write_record(results / "steps" / "hybrid.json", steps_record("hybrid"))
    (results / "steps" / "resnet18.json").write_text("{")
    png(tables / "figures", "memory-timeline.png")
    png(tables / "figures", "snr_depth.png")
    (tables / "figures" / "snr_depth.txt").write_text("Signal-to-noise ratio <by> depth.")
    whole = results / claims.WHOLE_BATCH_RECORD
    write_record(whole, train_record(Run("hybrid", "noisy", "whole-batch", 1), digest__code="of other code"))
    config = load(Path("config/smoke.yaml"))
    further = further_records(config, results)
    frame = read_runs(results, study(RUNS).runs, study(RUNS).keys)
    drawn = figures(tables / "figures", ["memory-timeline", "not_drawn", "snr_depth"], tables / "report.html")
    told = claims.claims_table("tiny", results, frame, "machine", None, lambda record: None)
    return page(study(RUNS), results, drawn, told, further)


@pytest.fixture(scope="module")
def reader(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_tables_figures_curves_claims_and_records_are_there(text: str, reader: Reader) -> None:
    assert {"table1", "table2", "claims", "figures", "curves", "records", "glossary"} <= set(reader.ids)
    assert reader.counts["table"] == 4 and reader.counts["img"] == 2
    assert reader.counts["svg"] == 2 * 2  # accuracy and loss of the two groups that have current runs
    assert text.count('class="line line') == 2 * 4
    assert "Signal-to-noise ratio &lt;by&gt; depth." in text and "Memory timeline" in text
    assert "Claims. The numbers that the draft leaves open" in text
    assert "all training images in one batch" in text


def test_every_number_leads_to_its_records(reader: Reader) -> None:
    inside = [link for link in reader.links if link.startswith("#")]
    assert len(inside) > 50
    assert {link[1:] for link in inside} <= set(reader.ids)
    assert len(set(reader.ids)) == len(reader.ids)
    for name in ("train-hybrid-noisy-machine-seed1", "memory-hybrid-noisy", "steps-hybrid", "claims-whole-batch"):
        assert f"#{name}" in inside
    assert {"numerics-layers", "numerics-sweeps", "timeline-all"} <= set(reader.ids)


def test_figures_of_a_configuration_of_before_are_left_out() -> None:
    config = load(Path("config/smoke.yaml"))
    names = planned_figures(config)
    assert "figure6" in names and f"timeline-{next(iter(config['architectures']))}-ideal" in names
    assert all(name.startswith("timeline-") for name in planned_figures({**config, "numerics": None}))


def test_a_figure_that_finds_no_room_is_linked_from_where_the_report_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.reporting.page.figures.EMBEDDED_BYTES", 0)
    png(tmp_path / "tables" / "figures", "coupling.png")
    for report, source in (
        ("tables/r.html", "figures"),
        ("r.html", "tables/figures"),
        ("a b/r.html", "../tables/figures"),
    ):
        (figure,) = figures(tmp_path / "tables" / "figures", ["coupling"], tmp_path / report)
        assert figure.source == f"{source}/coupling.png"
    png(tmp_path / "100 %", "coupling.png")
    assert figures(tmp_path / "100 %", ["coupling"], tmp_path / "r.html")[0].source == "100%20%25/coupling.png"


@pytest.mark.parametrize(
    ("name", "value", "drawn"),
    [
        *(("epoch", value, False) for value in ("1", None, [])),
        *(("loss", value, False) for value in ("1", {})),
        ("loss", None, True),
    ],
)
def test_a_history_that_is_no_numbers_is_not_drawn(tmp_path: Path, name: str, value: object, drawn: bool) -> None:
    path = write_train(tmp_path, RUNS[0], history=[{**entry, name: value} for entry in HISTORY])
    runs = read_runs(tmp_path, RUNS[:1], {})
    assert list(runs["status"]) == ["ok"] and runs["path"][0] == str(path)
    assert len(_curves(runs, 0.9)) == drawn


def test_a_gap_leads_to_the_ideal_runs_that_it_is_to(tmp_path: Path) -> None:
    planned = [Run("streamed", "ideal", "machine", 1), Run("streamed-int16", "exact", "machine", 1)]
    frame = read_runs(tmp_path, planned, {})
    row = pd.Series({"architecture": "streamed-int16", "reconstruction": "exact", "device": "machine"})
    anchors = ["train-streamed-int16-exact-machine-seed1", "train-streamed-ideal-machine-seed1"]
    assert behind("table1", "Gap to ideal, points", row, frame) == anchors
    assert behind("table1", "Accuracy, %", row, frame) == anchors[:1]


def test_stale_missing_and_broken_records_are_named(text: str) -> None:
    for state in ("stale", "not run", "broken"):
        assert f">{state}</td>" in text
    assert "is not valid JSON" in text


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"kind": "memory"}, "is of kind 'memory', not 'train'"),
        ({"outcome": None}, "how it ended; delete it"),
        ({"outcome": {"status": 3}}, "how it ended; delete it"),
        ({"outcome": {"status": "somehow"}}, "how it ended; delete it"),
        ({"git": "abc"}, "where it is from"),
        ({"data": []}, "where it is from"),
        ({"date": ...}, "has no field 'date'; delete it"),
    ],
)
def test_a_long_measurement_of_another_kind_or_without_a_field_is_broken(
    tmp_path: Path, changes: dict, remark: str
) -> None:
    record = train_record(RUNS[0], digest={"code": code_digest("train")}) | changes
    write_record(tmp_path / claims.WHOLE_BATCH_RECORD, {name: each for name, each in record.items() if each is not ...})
    found = further_records(load(Path("config/smoke.yaml")), tmp_path)[-1]
    assert (found.anchor, found.state) == ("claims-whole-batch", "broken")
    assert remark in found.remark and found.remark.endswith(".")


def test_nothing_is_fetched(text: str, reader: Reader) -> None:
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in reader.addresses)
    assert "http" not in text.replace("http://www.w3.org", "")
    assert len(text) < 10_000_000


def test_the_glossary_knows_every_head(tmp_path: Path) -> None:
    heads = {head[0] for table in build_tables(study(RUNS), tmp_path) for head in table.display.columns}
    assert not [head for head in heads if meaning(head) is None]
    used = {name for name in GLOSSARY for head in heads if head.startswith(name)}
    assert used == set(GLOSSARY)


@pytest.mark.parametrize(
    ("shown", "value"),
    [
        ("1,437", 1437.0),
        ("93.30 ± 0.25 (n=3)", 93.3),
        ("−0.19 ± 0.4 (n=3)", -0.19),
        ("12.5 min (2 of 3)", 750.0),
        ("2.1 h", 7560.0),
        ("∞", 1e308),
        ("1.32 (1.28–1.34)", 1.32),
    ],
)
def test_cells_sort_by_their_number(shown: str, value: float) -> None:
    assert float(Cell(shown).sort) == pytest.approx(value)


@pytest.mark.parametrize("shown", ["—", "not run", "hybrid", ""])
def test_cells_without_a_number_sort_as_text(shown: str) -> None:
    assert Cell(shown).sort == shown


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed: the page is not opened in it")
def test_a_browser_runs_its_script(text: str, tmp_path: Path) -> None:
    """The script counts rows, sorts and filters: seen in the document after a click and a word."""
    act = """<script>
      document.querySelectorAll("#table1 th button")[4].click();
      const input = document.querySelector("#table2 input");
      input.value = "hybrid noisy"; input.dispatchEvent(new Event("input"));
    </script>"""
    (tmp_path / "report.html").write_text(text.replace("</body>", act + "</body>"))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--dump-dom"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command = ["chromium", *options, f"--user-data-dir={tmp_path / 'profile'}", f"file://{tmp_path / 'report.html'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert 'aria-sort="ascending"' in done.stdout
    assert "2 of 4 rows" in done.stdout or "1 of 4 rows" in done.stdout
    assert "3 rows" in done.stdout
