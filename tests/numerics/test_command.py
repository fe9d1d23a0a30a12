"""The experiments by their command, and the figures from their records: same seed, same CSV, byte for byte."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from bench.__main__ import main
from bench.configuration import FOLDER
from bench.records import read_record
from bench.reporting.figures.build import write_csvs
from bench.reporting.figures.names import FIGURE_FILES

TINY = {
    "data": {"name": "digits", "train_images": 40, "test_images": 20, "image_size": 8},
    "layer_points": 3,
    "depth": {"layerwise": [0, 1], "hybrid": [0]},
    "slope": {"layerwise": [0.2], "hybrid": [0.2], "steps": {"layerwise": 0, "hybrid": 0}},
    "repairs": {"steps": [0], "variants": {"none": {}, "frozen-gamma": {"frozen_gamma": True}}},
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    smoke = yaml.safe_load((FOLDER / "smoke.yaml").read_text())
    smoke["numerics"] |= TINY
    path = tmp_path_factory.mktemp("config") / "smoke.yaml"
    path.write_text(yaml.safe_dump(smoke))
    return path


@pytest.fixture(scope="module")
def folders(config: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two folders of results, made one after the other; figures in the first, only their CSVs in the second."""
    found = [tmp_path_factory.mktemp("run") for _ in range(2)]
    for folder in found:
        for experiment in ("layers", "sweeps"):
            output = folder / "numerics" / f"{experiment}.json"
            words = ["numerics", "--config", str(config), "--experiment", experiment, "--output", str(output)]
            assert main(words) == 0
    first, second = found
    assert main(["figures", "--config", str(config), "--results", str(first), "--output", str(first / "figures")]) == 0
    records = [read_record(second / "numerics" / f"{experiment}.json") for experiment in ("layers", "sweeps")]
    write_csvs(*records, second / "figures")
    return found


def test_every_figure_is_there_and_the_same_seed_gives_the_same_csv(folders: list[Path]) -> None:
    first, second = (folder / "figures" for folder in folders)
    for name in FIGURE_FILES:
        assert (first / name).stat().st_size > 0
        if name.endswith(".csv"):
            assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert {path.name for path in first.iterdir()} == set(FIGURE_FILES)


def test_points_say_what_they_are_and_are_not_trained_again(config: Path, folders: list[Path]) -> None:
    output = folders[0] / "numerics" / "sweeps.json"
    points = {path: path.stat().st_mtime_ns for path in (output.parent / "points").iterdir()}
    record = read_record(output)
    assert len(points) == len(record["points"])
    for point in record["points"].values():
        assert point["settings"]["seed"] == 1
        assert point["digest"]["key"] and point["hardware"]["device"] and point["outcome"]["status"] == "ok"
    words = ["numerics", "--config", str(config), "--experiment", "sweeps", "--output", str(output)]
    assert main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in points} == points


def test_every_repair_is_tried_and_a_frozen_gamma_trains_another_network(folders: list[Path]) -> None:
    record = read_record(folders[0] / "numerics" / "sweeps.json")
    losses: dict[str, list[float]] = {}
    for place in record["places"]:
        point = record["points"][place["point"]]
        if place["sweep"] == "repairs" and point["settings"]["mode"] == "noisy":
            assert point["settings"]["frozen_gamma"] == (place["repair"] == "frozen-gamma")
            losses[place["repair"]] = [epoch["loss"] for epoch in point["history"]]
    assert set(losses) == {"none", "frozen-gamma"}
    assert losses["none"] != losses["frozen-gamma"]


def test_noisy_training_of_a_shallow_network_is_ideal_training(folders: list[Path]) -> None:
    frame = pd.read_csv(folders[0] / "figures" / "figure11.csv")
    ours = frame[(frame["source"] == "measured") & (frame["sweep"] == "depth")]
    assert set(ours["mode"]) == {"ideal", "noisy", "renormalised"}
    noisy = ours[ours["mode"] == "noisy"]
    assert (noisy["gap_mean"].abs() <= 0.05).all()
    assert (noisy["snr_initial_db"] > 90).all()
    assert (ours.loc[ours["mode"] == "renormalised", "snr_initial_db"] < 60).all()


def test_a_stale_record_is_refused(config: Path, folders: list[Path], tmp_path: Path, capsys) -> None:
    other = tmp_path / "smoke.yaml"
    changed = yaml.safe_load(config.read_text())
    changed["numerics"]["training"]["epochs"] = 2
    other.write_text(yaml.safe_dump(changed))
    words = ["figures", "--config", str(other), "--results", str(folders[0]), "--output", str(tmp_path / "out")]
    assert main(words) == 2
    assert "run it again" in capsys.readouterr().err


def test_an_unknown_experiment_names_the_choices(config: Path, tmp_path: Path, capsys) -> None:
    words = ["numerics", "--config", str(config), "--experiment", "other", "--output", str(tmp_path / "x.json")]
    assert main(words) == 2
    assert "layers, sweeps" in capsys.readouterr().err
