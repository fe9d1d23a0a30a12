"""The search of a recipe: every combination, on held-out images, resumed and recorded; and flip augmentation."""

import gc
import json
import weakref

import pytest
import torch
import yaml

from bench.__main__ import main
from bench.errors import InputError
from bench.training import run
from bench.training.captured import CapturedStep
from bench.training.evaluation import accuracy
from bench.training.search import combinations, search
from tests.training.test_train_command import CONFIG


def test_every_combination_and_no_unknown_key():
    assert combinations({"epochs": [1, 2], "options.gain": [0.5]}) == [
        {"epochs": 1, "options.gain": 0.5},
        {"epochs": 2, "options.gain": 0.5},
    ]
    with pytest.raises(InputError, match="--try epoch is no setting"):
        combinations({"epoch": [1]})


def test_the_best_mean_is_first_and_a_failed_run_counts_as_nothing():
    accuracies = {(1, 1): 0.9, (1, 2): 0.92, (2, 1): 0.99, (2, 2): None}

    def trained(settings, seed):
        outcome = {"accuracy": accuracies[settings["epochs"], seed]}
        return {"outcome": outcome, "seconds": {"load": 1.0, "training": 2.0}}

    trials = search([{"epochs": 2}, {"epochs": 1}], [1, 2], trained)
    assert [trial.settings["epochs"] for trial in trials] == [1, 2]
    assert trials[0].score == pytest.approx(0.91) and trials[0].seconds == 6


@pytest.mark.usefixtures("torch_settings")
def test_the_command_keeps_a_record_and_repeats_nothing(tmp_path, capsys):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    command = ["search", "--config", str(tmp_path / "tiny.yaml"), "--architecture", "resnet18"]
    command += [
        "--try",
        "peak_learning_rate=0.1,0.000001",
        "--validation-images",
        "50",
        "--output",
        str(tmp_path / "s"),
    ]
    assert main(command) == 0
    record = json.loads((tmp_path / "s" / "search.json").read_text())
    assert record["chosen"] == {"peak_learning_rate": 0.1} and record["evaluated_on"] == "validation"
    means = [trial["mean"] for trial in record["trials"]]
    assert len(means) == 2 and means == sorted(means, reverse=True) and means[0] > means[1]
    runs = {path: path.stat().st_mtime_ns for path in (tmp_path / "s" / "runs").glob("*/record.json")}
    trial = json.loads(next(iter(runs)).read_text())
    assert trial["settings"]["evaluated_on"] == "validation" and "validation_accuracy" in trial["history"][0]
    assert "test_accuracy" not in trial["history"][0] and trial["data"]["sizes"] == [200, 50]
    assert main(command) == 0
    assert runs == {path: path.stat().st_mtime_ns for path in (tmp_path / "s" / "runs").glob("*/record.json")}
    assert "of 50 held-out images" in capsys.readouterr().out


@pytest.mark.usefixtures("torch_settings")
def test_a_run_that_a_lower_time_limit_ended_is_told_and_run_again(tmp_path, capsys):
    place = tmp_path / "tiny.yaml"
    command = ["search", "--config", str(place), "--architecture", "resnet18", "--try", "epochs=1"]
    command += ["--device", "cpu", "--validation-images", "50", "--output", str(tmp_path / "s")]

    def accuracies(limit):
        place.write_text(yaml.safe_dump({**CONFIG, "time_limit_s": limit}))
        assert main(command) == 0
        record = json.loads((tmp_path / "s" / "search.json").read_text())
        assert record["settings"]["device"] == "cpu" and record["settings"]["training"]["bias_rate"] == 1
        return list(record["trials"][0]["accuracies"].values())

    assert accuracies(0.001) == [None] and "1 of 1 runs not ended: epochs=1" in capsys.readouterr().out
    assert accuracies(0.0005) == [None]
    assert accuracies(1000)[0] > 0 and "not ended" not in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.usefixtures("torch_settings")
def test_the_run_before_is_gone_when_the_next_reads_its_images(tmp_path, monkeypatch):
    """A trainer with a recorded step, as on a GPU, is held in a circle, and holds memory of the device."""
    networks, alive = [], []

    class Recording(run.Trainer):
        def __init__(self, model, *arguments, **options):
            super().__init__(model, *arguments, **options)
            self.circle = CapturedStep(self.step)
            networks.append(weakref.ref(model))

    def load(self):
        alive.append(sum(network() is not None for network in networks))
        return loaded(self)

    loaded = run.TrainingRun.load
    monkeypatch.setattr(run, "Trainer", Recording)
    monkeypatch.setattr(run.TrainingRun, "load", load)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    command = ["search", "--config", str(tmp_path / "tiny.yaml"), "--architecture", "resnet18", "--try", "epochs=1,2"]
    enable = gc.enable
    monkeypatch.setattr(gc, "enable", lambda: None)  # as `main` does when torch is imported
    gc.disable()
    try:
        assert main([*command, "--validation-images", "50", "--output", str(tmp_path / "s")]) == 0
    finally:
        enable()
    assert alive == [0, 0] and len(networks) == 2


def test_flip_tta_adds_the_logits_of_the_mirror_image(make_trainer):
    class LeftHalf(torch.nn.Module):
        def forward(self, images):
            left = images[:, 0, :, :4].mean((1, 2))
            return torch.stack([left, torch.zeros_like(left)], 1)

    batches = make_trainer().batches
    images = (batches.test.float() - 110) / 60
    left, whole = (each[:, 0].mean((1, 2)) <= 0 for each in (images[..., :4], images))
    assert not torch.equal(left, whole)
    for labels, mirrored in ((left, False), (whole, True)):
        batches.test_labels = labels.long()
        right = {flag: accuracy(LeftHalf(), batches, mirrored=flag) for flag in (False, True)}
        assert right[mirrored] == 1 > right[not mirrored]
