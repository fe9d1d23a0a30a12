"""The tutorial docs/extending.md: its blocks are run as they stand, and what they add gets its rows."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch

from bench import configuration, plugins
from bench.__main__ import main
from bench.architectures import ARCHITECTURES
from bench.data import DATASETS
from bench.errors import InputError
from bench.plan import Run, memory_key, run_key
from bench.scales import choose, configuration_of

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def unchanged_registries() -> Iterator[None]:
    """What a test registers is forgotten after it."""
    registries: list[dict] = [ARCHITECTURES, DATASETS, plugins.SOURCES]
    before = [dict(registry) for registry in registries]
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("default")
    for registry, content in zip(registries, before, strict=True):
        registry.clear()
        registry.update(content)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder outside the package with the tutorial's two files, in which commands run."""
    (tmp_path / "ideas.py").write_text(blocks("python")[0])
    (tmp_path / "mine.yaml").write_text(blocks("yaml")[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_of_the_page_give_each_addition_its_row(place: Path, capsys: pytest.CaptureFixture) -> None:
    for line in blocks("sh")[0].splitlines():
        words = shlex.split(line)
        assert words[:3] == ["python", "-m", "bench"]
        assert main(words[3:]) == 0, line
    printed = capsys.readouterr().out
    assert "constant-width-noisy" in printed
    table = pd.read_csv(place / "paper_tables" / "mine" / "table1.csv").set_index(["architecture", "reconstruction"])
    new = table.loc[("constant-width", "noisy")]
    assert new["runs_ok"] + new["runs_below_target"] == 1 and new["accuracy_mean"] > 0.4
    assert new["bytes_per_pixel_measured"] < table.loc[("constant-width", "ideal"), "bytes_per_pixel_measured"]
    baseline = table.loc[("stored-in-half", "ideal")]
    assert baseline["step_ratio_to"] == "resnet18" and baseline["memory_status"] == "ok"
    assert table.loc[("resnet18", "ideal"), "memory_status"] == "not run"
    assert "stripes" in (place / "paper_tables" / "mine" / "table2.md").read_text()


def test_a_plugins_source_is_part_of_its_own_records_keys_alone(place: Path) -> None:
    def keys() -> tuple[str, str, str]:
        config = configuration.load("mine.yaml")
        run = run_key({**config, "data": {**config["data"], "name": "digits"}}, Run("resnet18", "ideal", "machine", 1))
        return memory_key(config, "constant-width", "noisy"), memory_key(config, "resnet18", "ideal"), run

    own, foreign, training = keys()
    assert keys() == (own, foreign, training)  # loaded twice, registered once
    plugins.SOURCES[("architecture", "constant-width")] = "another"
    changed = keys()
    assert changed[0] != own and changed[1:] == (foreign, training)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "there is no file"),
        ("import nowhere_to_be_found", "fails with ModuleNotFoundError"),
        ("def broken(:", "fails with SyntaxError"),
        ("from bench.data.registry import register\nregister('digits', '')(print)", "there is a data set 'digits'"),
    ],
)
def test_a_plugin_that_fails_is_told_in_one_sentence(
    place: Path, capsys: pytest.CaptureFixture, source: str | None, words: str
) -> None:
    (place / "ideas.py").unlink()
    if source is not None:
        (place / "ideas.py").write_text(source)
    assert main(["plan", "--config", "mine.yaml"]) == 2
    error = capsys.readouterr().err
    assert "ideas.py" in error and words.lower() in error.lower() and error.count("\n") == 1


def test_the_workflow_takes_a_configuration_by_its_path(place: Path) -> None:
    choice = choose("mine.yaml")
    assert (choice.scale, choice.path) == ("mine", Path("mine.yaml"))
    assert configuration_of(choice)["scale"] == "mine"
    (place / "other.yaml").write_text(blocks("yaml")[0])
    with pytest.raises(InputError, match=r"other\.yaml.*'mine'.*'other'"):
        configuration_of(choose("other.yaml"))
