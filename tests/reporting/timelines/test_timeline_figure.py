"""The timeline's command, record and figures on a tiny scale; and what the figure says."""

import pytest
import torch
import yaml

from bench.__main__ import main
from bench.configuration import load
from bench.plan import timeline_key
from bench.records import read_record, write_record
from bench.reporting.timelines.figure import MOST_STRETCHES, _runs, called, draw, moments_of, operator_name
from bench.reporting.timelines.names import timeline_names

CONFIGURATION = {
    "scale": "tiny",
    "data": {"name": "digits", "image_size": 16},
    "budget": 20_000,
    "architectures": {
        "resnet18": {"reconstructions": ["ideal"], "depths": [1, 1], "initial_channels": 4},
        "hybrid": {"reconstructions": ["ideal", "noisy"], "depths": [1, 1], "initial_channels": 8},
    },
    "seeds": [1],
    "target_accuracy": 0.9,
    "training": {"epochs": 1, "batch_size": 32, "peak_learning_rate": 0.1},
    "memory": {"batch_sizes": [2, 4]},
    "steps": {"batch_size": 4},
    "devices": [{"name": "machine", "device": "cpu"}],
    "threads": 1,
}


@pytest.fixture(autouse=True)
def same_process():
    """What the command sets for its process is put back, as the tests share one."""
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)


def test_a_figure_of_every_network_that_the_plan_names(tmp_path):
    config, record = tmp_path / "tiny.yaml", tmp_path / "results" / "timeline.json"
    config.write_text(yaml.safe_dump(CONFIGURATION, sort_keys=False))
    assert main(["timeline", "--config", str(config), "--output", str(record)]) == 0
    assert read_record(record)["digest"]["key"] == timeline_key(load(config))
    draw = ["timeline-figures", "--config", str(config), "--results", str(record.parent)]
    assert main([*draw, "--output", str(tmp_path / "figures")]) == 0
    names = timeline_names(load(config))
    assert names == ["timeline-resnet18-ideal", "timeline-hybrid-noisy", "timeline-reversible-block"]
    written = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert written == sorted(f"{name}.{suffix}" for name in names for suffix in ("png", "pdf"))
    assert (tmp_path / "figures" / f"{names[0]}.png").read_bytes().startswith(b"\x89PNG")


def test_no_figure_without_a_present_record(tmp_path, capsys):
    config, record, figures = tmp_path / "tiny.yaml", tmp_path / "timeline.json", tmp_path / "figures"
    config.write_text(yaml.safe_dump(CONFIGURATION, sort_keys=False))
    draw = ["timeline-figures", "--config", str(config), "--results", str(tmp_path), "--output", str(figures)]
    assert main(draw) == 2
    assert "timeline.json cannot be read" in capsys.readouterr().err
    write_record(record, {"kind": "timeline", "timelines": [], "digest": {"key": "another"}})
    assert main(draw) == 2
    assert "was made with other settings or other code; run it again, or draw it" in capsys.readouterr().err
    assert not figures.exists()
    assert main([*draw, "--include-stale"]) == 0
    assert "warning: The record" in capsys.readouterr().err


def stretch(phase: str, place: str, peak: int) -> dict:
    return {"phase": phase, "place": place, "operator": "aten.add.Tensor", "peak": [peak, 0], "end": [0, 0]}


def test_the_peaks_culprit_is_named_in_the_figure():
    stretches = [
        stretch("", "", 1),
        stretch("forward", "blocks.0", 3_000_000),
        stretch("backward", "blocks.0.conv1", 9_000_000),
    ]
    timeline = {
        "settings": {"architecture": "net", "reconstruction": "noisy", "batch_size": 2, "image_size": 8},
        "theory_bytes_per_pixel": {"state": 1, "hidden": 2, "gradient": 3, "image": 12},
        "categories": ["weights", "state"],
        "modules": {"blocks.0": "BasicBlock", "blocks.0.conv1": "Conv2d"},
        "stretches": stretches,
    }
    axes = draw(timeline).axes[0]
    texts = [text.get_text().strip() for text in axes.texts]
    assert "peak 9 MB: backward, blocks.0.conv1, add" in texts
    assert "backward" in texts


def test_too_many_stretches_become_fewer_and_keep_the_peak():
    stretches = [stretch("backward", f"{i // 50}.f.{i % 50}", 1000 + i) for i in range(2 * MOST_STRETCHES)]
    moments = moments_of(stretches)
    assert len(moments) <= MOST_STRETCHES
    assert max(sum(moment.peak) for moment in moments) == 1000 + 2 * MOST_STRETCHES - 1
    assert moments[-1].culprit == stretches[-1]["place"]


def names_of(places: list[str]) -> list[str]:
    return [name for _, name in _runs(moments_of([stretch("forward", place, 1) for place in places]), 2)]


def test_a_layer_that_works_slice_by_slice_is_named_once():
    assert names_of([*["0.convolution", "0"] * 7, "1.f", "1.g"]) == ["0", "1.f", "1.g"]
    twice = ["0.f", "0.g", "0", "0.g", "0", "0.f", "0"]  # a block that recomputes its parts
    assert names_of(twice) == twice


def test_parts_are_called_by_kind_where_their_name_is_a_number():
    modules = {"3": "ReversibleBlock", "blocks.0.conv1": "Conv2d", "4": "Mystery"}
    assert called("3", modules) == "block 3"
    assert called("blocks.0.conv1", modules) == "blocks.0.conv1"
    assert called("4", modules) == "Mystery 4"
    assert called("", modules) == "between layers"
    assert operator_name("aten.convolution_backward.default") == "convolution_backward"
