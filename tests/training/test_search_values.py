"""What `--try` may be given: whatever no configuration could say is refused before the first run, in one sentence."""

import shlex
from pathlib import Path

import pytest
import yaml

from bench import configuration
from bench.__main__ import main
from bench.training.search import changed, values_tried
from tests import tiny_run

HYBRID = {"reconstructions": ["ideal", "noisy"], "depths": [1, 1], "initial_channels": 4}
CONFIG = {
    **tiny_run.CONFIG,
    "data": {**tiny_run.CONFIG["data"], "image_size": 8},
    "architectures": {"hybrid": HYBRID},
}
WRONG = [
    ("peak_learning_rate=0.1,fast", "--try: training.peak_learning_rate must be a number, but is 'fast'"),
    ("peak_learning_rate=0.1,.inf", "--try: training.peak_learning_rate must be a number, but is inf"),
    ("peak_learning_rate=0.1,1e999", "--try: training.peak_learning_rate must be a number, but is inf"),
    ("momentum=0.9,null", "--try: training.momentum must be a number, but is None"),
    ("epochs=1,1.5", "--try: training.epochs must be a whole number, but is 1.5"),
    ("epochs=2026-13-45", "has a value that is not valid YAML"),
    ("flip_tta=true,3", "--try: training.flip_tta must be boolean, but is 3"),
    ("options.units=1,1.5", "hybrid: the option units must be a whole number, not 1.5"),
    ("options.units=1,2026-01-02", "--try: options.units must be a number"),
    ("options.logit_scale=0.1,-1", "hybrid: the option logit_scale must be above 0, not -1"),
    ("options.unit=1", "hybrid takes no option 'unit'"),
    *(
        (f"options.{key}=1", f"--try options.{key} is no option")
        for key in ("classes", "in_channels", "depths", "initial_channels")
    ),
    ("epochs=1 --try epochs=2", "--try epochs is given twice"),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(CONFIG))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("torch_settings")
@pytest.mark.parametrize("step", ["search --validation-images 20 --output out", "logits --images 8"])
@pytest.mark.parametrize(("tried", "sentence"), WRONG)
def test_values_that_no_configuration_could_have_are_refused_before_anything_is_trained(
    place: Path, capsys: pytest.CaptureFixture, step: str, tried: str, sentence: str
) -> None:
    assert main(shlex.split(f"{step} --config tiny.yaml --architecture hybrid --try {tried}")) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.startswith("error: ") and error.count("\n") == 1
    assert not (place / "out").exists()


@pytest.mark.usefixtures("torch_settings")
@pytest.mark.parametrize(
    ("tried", "sentence"),
    [
        ("batch_size=20,1", "training.batch_size must be at least 2, but is 1"),
        ("options.logit_scale=1,0", "logit_scale must be above 0"),
    ],
)
def test_what_the_recipe_or_the_network_refuses_is_told_before_the_first_run(
    place: Path, capsys: pytest.CaptureFixture, tried: str, sentence: str
) -> None:
    words = f"search --config tiny.yaml --architecture hybrid --try {tried} --validation-images 20 --output out"
    assert main(shlex.split(words)) == 2
    assert sentence in capsys.readouterr().err and not (place / "out").exists()


@pytest.mark.usefixtures("torch_settings")
@pytest.mark.parametrize(
    ("tried", "sentence"),
    [
        ("batch_size=10,40", "--try batch_size changes nothing, since the device 'small' has 20 in its place; change"),
        ("epochs=1,2", "--try epochs changes nothing, since the device 'small' has 1 in their place; change"),
        ("norm_scale_eps=0.1,0.2", "--try norm_scale_eps changes nothing, since norm_scale is learned; change"),
        ("norm_scale_eps=0.1 --try norm_scale=absolute,frozen", "changes nothing, since norm_scale is frozen; change"),
        ("lookahead_decay=0.9,0.95", "--try lookahead_decay changes nothing, since lookahead is 0; change"),
    ],
)
def test_what_no_run_would_follow_is_not_tried(
    place: Path, capsys: pytest.CaptureFixture, tried: str, sentence: str
) -> None:
    device = {"name": "small", "batch_size": 20, "epochs": 1}
    (place / "tiny.yaml").write_text(yaml.safe_dump({**CONFIG, "devices": [device]}))
    words = f"search --config tiny.yaml --architecture hybrid --try {tried} --validation-images 20 --output out"
    assert main(shlex.split(words)) == 2
    assert sentence in capsys.readouterr().err and not (place / "out").exists()


def test_numbers_with_an_exponent_are_numbers() -> None:
    tried = values_tried(["peak_learning_rate=1e-2,2E-1,.5e1,0.3", "flip=none", "options.gain=1,-1e0"])
    assert tried == {"peak_learning_rate": [0.01, 0.2, 5.0, 0.3], "flip": ["none"], "options.gain": [1, -1.0]}
    assert all(isinstance(value, float) for value in tried["peak_learning_rate"])


def test_a_configuration_is_changed_in_what_is_tried_alone(place: Path) -> None:
    config = configuration.load(place / "tiny.yaml")
    other = changed(config, "hybrid", {"momentum": 0.5, "options.units": 1}, None)
    assert other["training"] == {**config["training"], "momentum": 0.5}
    assert other["architectures"]["hybrid"] == {**config["architectures"]["hybrid"], "options": {"units": 1}}
    assert other["data"] == config["data"] and not config["architectures"]["hybrid"]["options"]
