"""The two lists of pinned packages say the same, and the container has them and what it needs besides."""

import re
from pathlib import Path

import yaml

from bench.workflow_lock import FOLDERS

ROOT = Path(__file__).parent.parent


def test_conda_and_pip_have_the_same_exact_pins() -> None:
    lines = (ROOT / "envs" / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 50
    for pin in pins:
        assert re.fullmatch(r"[\w.-]+(\[\w+\])?==[0-9][\w.]*", pin), pin
    dependencies = yaml.safe_load((ROOT / "envs" / "bench.yaml").read_text())["dependencies"]
    assert next(entry["pip"] for entry in dependencies if isinstance(entry, dict)) == pins


def test_the_container_installs_the_list_itself() -> None:
    text = (ROOT / "Containerfile").read_text()
    assert "--requirement envs/requirements.txt" in text
    assert not re.search(r"pip install (?!.*--requirement)", text)


def test_what_a_container_writes_is_kept_on_the_host() -> None:
    text = (ROOT / "Containerfile").read_text()
    assert re.findall(r"-v \./(\w+):/work/\1", text) == list(FOLDERS)


def test_what_git_ignores_is_in_no_image_and_its_commits_are() -> None:
    ignored, left_out = ((ROOT / name).read_text().splitlines() for name in (".gitignore", ".containerignore"))
    assert {line.strip("/") for line in ignored} == {line.removeprefix("**/") for line in left_out if line[0] != "#"}
    assert ".git" not in left_out
