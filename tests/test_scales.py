"""The choice of the scale, and what is said about it before anything runs."""

import os
import re
from pathlib import Path

import pytest

from bench import scales
from bench.announcement import announce, duration
from bench.configuration import FOLDER, SCALES, load
from bench.errors import InputError
from bench.jobs import planned_jobs
from bench.records import write_record
from bench.scales import choose, gpu_name
from tests.smoke import ROOT


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCALE", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def machine(monkeypatch: pytest.MonkeyPatch, gpu: str | None, place: str | None) -> None:
    monkeypatch.setattr(scales, "gpu_name", lambda: gpu)
    monkeypatch.setattr(scales, "cifar10_place", lambda: place)


@pytest.mark.parametrize(
    ("gpu", "place", "scale"),
    [
        (None, None, "quick"),
        (None, "in data", "quick"),
        ("NVIDIA H100", None, "quick"),
        ("NVIDIA H100", "in data", "paper"),
    ],
)
def test_the_machine_decides_when_nobody_asks(
    monkeypatch: pytest.MonkeyPatch, gpu: str | None, place: str | None, scale: str
) -> None:
    machine(monkeypatch, gpu, place)
    choice = choose()
    assert choice.scale == scale
    assert (gpu or "no CUDA GPU") in choice.found
    assert choice.path.name == f"{scale}.yaml"


def test_what_is_asked_for_wins_then_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, "NVIDIA H100", "in data")
    monkeypatch.setenv("SCALE", "cpu")
    assert choose("smoke").scale == "smoke"
    assert choose().scale == "cpu"
    monkeypatch.setenv("SCALE", "")
    assert choose("").scale == "paper"


@pytest.mark.parametrize("variable", [True, False])
def test_an_unknown_scale_names_the_choices(monkeypatch: pytest.MonkeyPatch, variable: bool) -> None:
    machine(monkeypatch, None, None)
    if variable:
        monkeypatch.setenv("SCALE", "quik")
    with pytest.raises(InputError, match=r"'quik'.*smoke.*did you mean quick"):
        choose(None if variable else "quik")


@pytest.mark.parametrize(
    ("script", "found"),
    [("echo NVIDIA H100; echo NVIDIA H100", "NVIDIA H100"), ("echo 'No devices were found'; exit 6", None), ("", None)],
)
def test_nvidia_smi_tells_the_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, found: str | None
) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert gpu_name() == found
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert gpu_name() is None


def test_cifar10_is_found_in_the_data_folder_or_else_to_be_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Connection:
        def close(self) -> None:
            pass

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("unreachable")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scales.socket, "create_connection", lambda *arguments, **options: Connection())
    assert scales.cifar10_place().startswith("to be downloaded")
    monkeypatch.setattr(scales.socket, "create_connection", refuse)
    assert scales.cifar10_place() is None
    (tmp_path / "data" / "cifar-10-batches-bin").mkdir(parents=True)
    assert scales.cifar10_place() == "in data/cifar-10-batches-bin"


def test_the_announcement_says_what_was_found_chosen_and_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    machine(monkeypatch, None, None)
    choice = choose("smoke")
    configuration = load(choice.path)
    monkeypatch.chdir(tmp_path)
    jobs = planned_jobs(configuration, Path("results/smoke"))
    count = {kind: sum(job.kind == kind for job in jobs) for kind in ("train", "memory", "steps")}
    counts = f"{count['train']} training runs", f"{count['memory']} memory", f"{count['steps']} step", "1 record of tim"
    announce(choice, configuration)
    first = capsys.readouterr().err
    for words in ("no CUDA GPU", "smoke, because", *counts, "minute", "SCALE="):
        assert words in first
    assert "state:" not in first
    for job in jobs:
        write_record(job.record, {"kind": job.kind, "digest": {"key": job.key}})
    announce(choice, configuration)
    second = capsys.readouterr().err
    assert f"{len(jobs)} done" in second
    assert "all records are there" in second
    announce(choice, {**configuration, "claims": ["whole-batch"]})
    third = capsys.readouterr().err
    assert "claims: whole-batch (missing) besides" in third and "all records are there but those for" in third


def test_another_configuration_of_the_same_name_whose_records_would_be_replaced_is_told_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    machine(monkeypatch, None, None)
    monkeypatch.chdir(tmp_path)
    text = (FOLDER / "smoke.yaml").read_text().replace("scale: smoke", "scale: mine")
    for folder in ("one", "two"):
        Path(folder).mkdir()
        Path(folder, "mine.yaml").write_text(text)
    choice = choose("one/mine.yaml")
    configuration = load(choice.path)
    first, second, *_ = planned_jobs(configuration, Path("results/mine"))
    for job, other in ((first, "one"), (second, "two")):
        command = ["python", "-m", "bench", "train", "--config", f"{other}/mine.yaml"]
        write_record(job.record, {"kind": job.kind, "digest": {"key": "another"}, "command": command})
    announce(choice, configuration)
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note:")]
    assert len(notes) == 1 and "1 of the stale records come from two/mine.yaml, a configuration with" in notes[0]
    write_record(second.record, {"kind": second.kind, "digest": {"key": second.key}, "command": command})
    announce(choice, configuration)
    assert "note:" not in capsys.readouterr().err  # it is this one's as well


@pytest.mark.parametrize("scale", SCALES)
def test_readme_and_makefile_name_every_scale(scale: str) -> None:
    assert f"| `{scale}` |" in (ROOT / "README.md").read_text()
    (names,) = re.findall(r"which scale \(([\w, -]+)\)", (ROOT / "Makefile").read_text())
    assert scale in names.split(", ")


@pytest.mark.parametrize(
    ("seconds", "words"), [(45, "45 seconds"), (600, "10 minutes"), (9000, "2.5 hours"), (864_000, "10 days")]
)
def test_durations_are_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_file_of_ones_own_does_not_take_the_place_of_a_scale_of_the_project(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"own scale 'quick' and would take the place of its results; give the file"):
        choose(str(tmp_path / "quick.yaml"))
    assert choose(str(tmp_path / "quicker.yaml")).scale == "quicker"
    assert choose(str(FOLDER / "quick.yaml")).path.name == "quick.yaml"
