"""What `python -m bench logits` prints is how far a step moves logits, and follows the settings tried."""

import io

import pandas as pd
import pytest
import torch
import yaml

from bench.__main__ import main
from bench.architectures import build
from bench.logits_command import classifier_input
from tests.training.test_train_command import CONFIG

OPTIONS = {"hybrid": {"initial_channels": 4, "depths": (1, 1)}, "resnet18": {"initial_channels": 4, "depths": (1, 1)}}
HYBRID = {"reconstructions": ["ideal"], "depths": [1, 1], "initial_channels": 4}
WITH_HYBRID = {
    **CONFIG,
    "data": {**CONFIG["data"], "image_size": 8},
    "architectures": {**CONFIG["architectures"], "hybrid": HYBRID},
}


@pytest.fixture
def tiny(tmp_path, torch_settings):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(WITH_HYBRID))
    return ["logits", "--config", str(tmp_path / "tiny.yaml"), "--images", "8"]


@pytest.mark.parametrize("architecture", OPTIONS)
def test_a_step_of_the_classifier_moves_the_logits_of_an_image_by_rate_times_the_square(architecture):
    torch.manual_seed(0)
    model = build(architecture, "ideal", classes=3, **OPTIONS[architecture])
    images, rate = torch.randn(4, 3, 8, 8), 0.3
    f, s = classifier_input(model, images)
    logits = model(images)
    # The gradient of the first image's loss by its logits, p - y, is what the classifier's step is proportional to.
    error = logits[0].detach().softmax(0) - torch.eye(3)[1]
    torch.nn.functional.cross_entropy(logits[:1], torch.tensor([1])).backward()
    classifier = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1]
    moved = -rate * classifier.weight.grad
    assert torch.allclose(s * f[0] @ moved.T, -rate * s**2 * f[0].square().sum() * error, rtol=1e-4, atol=1e-6)


def test_scales_that_are_tried_change_the_square_alone(tiny, capsys):
    assert main([*tiny, "--architecture", "hybrid", "--try", "options.logit_scale=0.05,0.1"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out), sep=r"\s+")
    assert table["s"].tolist() == [0.05, 0.1]
    assert table["|f|^2"].nunique() == 1 and table["|f|^2"][0] > 0
    assert table["rate*|s*f|^2"][1] == pytest.approx(4 * table["rate*|s*f|^2"][0], rel=0.02)
    product = table["rate"] * table["s"] ** 2 * table["|f|^2"]
    assert table["rate*|s*f|^2"].tolist() == pytest.approx(product.tolist(), rel=0.02)


def test_every_network_of_a_configuration_has_a_row(tiny, capsys):
    assert main(tiny) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert {row.split()[0] for row in rows} == set(WITH_HYBRID["architectures"]) and len(rows) == 3
