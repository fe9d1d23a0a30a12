"""The comparison with an ordinary script: the script trains, and the command prints a paired ratio."""

import re

import pytest
import torch
import yaml
from torch import nn

from bench.__main__ import main
from bench.training.plain import plain_epoch
from tests.training.test_train_command import CONFIG


def test_the_plain_script_trains(make_images):
    torch.manual_seed(0)
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), make_images()
    pixels = (images.train.float() - 110) / 60
    epochs = [list(plain_epoch(model, pixels, images.train_labels, 16, 0.01)) for _ in range(3)]
    assert [len(losses) for losses in epochs] == [6] * 3
    assert sum(epochs[2]) < sum(epochs[0]) / 2


@pytest.mark.usefixtures("torch_settings")
def test_the_command_prints_a_ratio_of_the_times_it_prints(tmp_path, capsys):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    assert main(["epoch", "--config", str(tmp_path / "tiny.yaml"), "--images", "60", "--rounds", "3"]) == 0
    ours, plain, ratio = capsys.readouterr().out.splitlines()
    assert len(re.findall(r"\d+\.\d+", ours)) == len(re.findall(r"\d+\.\d+", plain)) == 3
    assert 0 < float(re.search(r"median (\d+\.\d+)", ratio)[1]) < 100
