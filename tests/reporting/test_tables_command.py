import pytest
import yaml

from bench.__main__ import main
from bench.reporting import command

CONFIGURATION = {
    "scale": "tiny",
    "data": {"name": "digits", "train_images": 64, "test_images": 32, "image_size": 32},
    "budget": 20_000,
    "architectures": {
        "resnet18": {"reconstructions": ["ideal"], "depths": [1, 1]},
        "revnet": {"reconstructions": ["ideal", "noisy"], "depths": [1, 1]},
    },
    "seeds": [1, 2],
    "training": {"epochs": 1, "batch_size": 32, "peak_learning_rate": 0.1},
    "memory": {"batch_sizes": [2, 4]},
    "steps": {"batch_size": 4},
    "devices": [
        {"name": "capped", "memory_cap_mb": 500, "label": "1 GB card", "architectures": ["resnet18"], "seeds": [1]},
        {"name": "machine"},
    ],
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "tiny.yaml").write_text(yaml.safe_dump(CONFIGURATION, sort_keys=False))
    (tmp_path / "results" / "tiny").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tables(*more, results="results/tiny"):
    return main(["tables", "--results", results, "--output", "paper_tables/tiny", *more])


def test_without_records_both_tables_are_written_and_say_not_run(place, capsys):
    assert tables() == 0
    written = sorted(path.name for path in (place / "paper_tables" / "tiny").iterdir())
    assert written == [f"table{number}.{suffix}" for number in (1, 2) for suffix in ("csv", "md", "tex")]
    printed = capsys.readouterr().out
    for words in ("Table 1.", "Table 2.", "resnet18", "noisy: residual block", "not run", "GTX 750", "emulated"):
        assert words in printed


def test_broken_record_is_named_on_stderr_once(place, capsys):
    record = place / "results/tiny/runs/revnet-noisy-machine-seed2/record.json"
    record.parent.mkdir(parents=True)
    record.write_text("{")
    assert tables("--config", "config/tiny.yaml") == 0
    assert capsys.readouterr().err.count("revnet-noisy-machine-seed2") == 1


def test_missing_results_folder_is_told_and_nothing_is_written(place, capsys):
    assert tables("--config", "config/tiny.yaml", results="results/nowhere") == 2
    assert "no results folder results/nowhere" in capsys.readouterr().err
    assert not (place / "paper_tables").exists()


def test_missing_configuration_is_told(place, capsys):
    (place / "config" / "tiny.yaml").unlink()
    assert tables() == 2
    assert "config/tiny.yaml does not exist" in capsys.readouterr().err


def test_table1_is_of_the_device_without_a_cap(place):
    config = command.configuration.load("config/tiny.yaml")
    study = command.study_of(config, place / "results" / "tiny")
    assert study.device == "machine"
    assert study.labels == {"capped": "1 GB card (emulated)"}
    assert len(study.runs) == 1 + 3 * 2
    assert len(study.measurement_keys) == 3 + 2  # memory records of three pairs, step records of two architectures
