"""The comparison with an ordinary script: the script trains, and the command prints a paired ratio."""

import re

import pytest
import torch
import yaml
from torch import nn

from bench.__main__ import main
from bench.epoch.plain import plain_epoch
from bench.records import read_record
from tests.training.small_task import make_images
from tests.training.test_train_command import CONFIG


@pytest.mark.parametrize("mixed", [False, True])
def test_the_plain_script_trains(mixed):
    torch.manual_seed(0)
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), make_images()
    pixels = (images.train.float() - 110) / 60
    epochs = [list(plain_epoch(model, pixels, images.train_labels, 16, 0.01, mixed)) for _ in range(3)]
    assert [len(losses) for losses in epochs] == [6] * 3
    assert sum(epochs[2]) < sum(epochs[0]) / 2


@pytest.mark.usefixtures("torch_settings")
@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_the_command_prints_a_ratio_of_the_times_it_prints_and_keeps(precision, tmp_path, capsys):
    (tmp_path / "tiny.yaml").write_text(
        yaml.safe_dump({**CONFIG, "training": {**CONFIG["training"], "precision": precision}})
    )
    command = ["epoch", "--config", str(tmp_path / "tiny.yaml"), "--images", "60", "--rounds", "3"]
    assert main([*command, "--output", str(tmp_path / "epoch.json")]) == 0
    ours, plain, ratio = capsys.readouterr().out.splitlines()
    assert len(re.findall(r"\d+\.\d+", ours)) == len(re.findall(r"\d+\.\d+", plain)) == 3
    assert 0 < float(re.search(r"median (\d+\.\d+)", ratio)[1]) < 100
    record = read_record(tmp_path / "epoch.json")
    assert record["settings"]["train_images"] == 60 and record["settings"]["precision"] == precision
    for name, line in (("ours", ours), ("plain", plain)):
        assert f"{name}: {', '.join(f'{each:.2f}' for each in record['seconds'][name])} s" in line
    ratios = sorted(one / other for one, other in zip(*record["seconds"].values(), strict=True))
    assert record["ratio_to_plain"]["median"] == pytest.approx(ratios[1])
