"""What each step says to wrong input: one sentence on what is wrong, exit code 2, and no file is left behind."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bench.__main__ import STEPS, main, parse
from bench.arguments import ONE_FILE
from bench.records import write_record
from tests import tiny_run

ROOT = Path(__file__).parents[1]
CONFIG = "--config tiny.yaml"
NETWORK = f"{CONFIG} --architecture resnet18"
# Right words of every step but its output; each is then given something wrong besides, and the last of two counts.
RIGHT = {
    "list": "",
    "train": f"{NETWORK} --seed 1",
    "search": f"{NETWORK} --try epochs=1",
    "logits": CONFIG,
    "epoch": CONFIG,
    "control": CONFIG,
    "memory": NETWORK,
    "steps": NETWORK,
    "timeline": CONFIG,
    "timeline-figures": f"{CONFIG} --results empty",
    "resident": NETWORK,
    "peers": "",
    "kernels": "",
    "paper-shapes": "",
    "claims": f"{CONFIG} --results empty",
    "whole-batch": NETWORK,
    "numerics": f"{CONFIG} --experiment layers",
    "measure": NETWORK,
    "tables": f"{CONFIG} --results empty",
    "figures": f"{CONFIG} --results empty",
    "report": f"{CONFIG} --results empty --tables empty",
    "show": "",
    "plan": CONFIG,
}
WRITING = [step for step in STEPS if step not in ("list", "logits", "epoch", "resident", "show", "plan")]
READING = [step for step, words in RIGHT.items() if "--results" in words]


def having(option: str) -> list[str]:
    return [step for step, words in RIGHT.items() if option in words]


WRONG = [
    *((step, "--config absent.yaml", "no configuration absent.yaml") for step in having("--config")),
    *((step, "--config 'a folder'", "a folder cannot be read: Is a directory") for step in having("--config")),
    *((step, "--config 'a file'", "a file, line 2 is not valid YAML") for step in having("--config")),
    *((step, f"--config {'x' * 300}", "File name too long") for step in ("plan", "tables")),
    *((step, "--architecture resnet19", "no architecture 'resnet19'") for step in having("--architecture")),
    *((step, "--reconstruction nosy", "no reconstruction 'nosy'") for step in ("train", "memory")),
    *((step, "--results absent", "no results folder absent") for step in READING),
    *((step, "--results 'a file'", "no results folder a file") for step in READING),
    *((step, "--output 'a file/below'", "since a file is a file") for step in WRITING),
    *((step, "--output 'a folder'", "--output a folder is a folder") for step in ONE_FILE),
    *((step, "--output 'a file'", "--output a file is a file") for step in WRITING if step not in ONE_FILE),
    *((step, "--output /dev/null", "would be replaced") for step in ONE_FILE),
    *(
        (step, "--device gpu", "no device 'gpu'")
        for step in ("train", "search", "epoch", "control", "measure", "timeline")
    ),
    ("peers", "--device gpu", "no kind of device 'gpu'"),
    ("report", "--tables absent", "no tables folder absent"),
    ("train", "--seed -1", "--seed is -1; it must be 0 or more"),
    *((step, f"--seed {2**64}", "it must be 4294967295 or less") for step in ("train", "logits")),
    *((step, f"--seeds 1 {2**32}", "--seeds is 4294967296; it must be 42") for step in ("search", "control")),
    ("logits", "--architecture resnet19", "no architecture 'resnet19'"),
    ("logits", "--try options.logit_scale=1", "--try is for one architecture"),
    ("logits", "--architecture resnet18 --try rate=1", "--try rate is no setting"),
    ("logits", "--images 1000", "--images is 1000 but there are 100 training images"),
    ("epoch", "--images 0", "--images is 0; it must be 1 or more"),
    ("epoch", "--rounds 0", "--rounds is 0"),
    ("control", "--epochs 0", "--epochs is 0"),
    ("control", "--seeds 1 -1", "--seeds is -1"),
    ("control", "--batch-size 1000", "training.batch_size is 1000 but there are 100 training images"),
    ("peers", "--rounds 0", "--rounds is 0"),
    ("memory", "--batch-size 0", "--batch-size is 0"),
    ("whole-batch", "--images -5", "--images is -5"),
    ("whole-batch", "--cap-mb nan", "--cap-mb is nan"),
    ("whole-batch", "--cap-mb 0", "--cap-mb is 0"),
    ("search", "--validation-images 0", "--validation-images is 0"),
    ("search", "--seeds 1 -1", "--seeds is -1"),
    ("search", "--try epochs", "--try epochs is not KEY=V1,V2"),
    ("search", "--try epochs=[", "--try epochs=[ has a value that is not valid YAML"),
    ("search", "--try epoch=1", "--try epoch is no setting"),
    ("paper-shapes", "--batch-sizes 64 64", "a slope needs two that differ"),
    ("resident", "--batch-sizes 0 4", "--batch-sizes is 0"),
    ("numerics", "--experiment layer", "no experiment 'layer'"),
    ("numerics", "", "has no section numerics"),
    ("figures", "", "has no section numerics"),
    ("timeline-figures", "", "empty/timeline.json cannot be read"),
    ("show", "absent", "absent cannot be read"),
    ("show", "empty", "empty/record.json cannot be read"),
    ("show", "'a file'", "a file is not valid JSON"),
    ("show", "tiny.yaml", "and thus no record; give one"),
    ("train", "--output /proc/new", "--output /proc/new cannot be made, since /proc "),
    *((step, "--output ''", "--output is given nothing") for step in WRITING),
    ("train", "--output=", "--output is given nothing"),
    ("train", "--device ''", "--device is given nothing"),
    *((step, "--output new/", "--output new/ is a folder; give the file") for step in ONE_FILE),
    ("memory", "--output=new/", "--output new/ is a folder; give the file"),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, whose name has spaces and letters beyond ASCII, with things to stumble over."""
    folder = tmp_path / "Ergebnisse größer 結果"
    folder.mkdir()
    (folder / "tiny.yaml").write_text(yaml.safe_dump(tiny_run.CONFIG))
    (folder / "a file").write_text("{")
    for name in ("a folder", "empty"):
        (folder / name).mkdir()
    monkeypatch.chdir(folder)
    return folder


def command(step: str, more: str = "") -> list[str]:
    output = ["--output", "out"] if step in WRITING else []
    return [step, *shlex.split(RIGHT[step]), *output, *shlex.split(more)]


@pytest.mark.parametrize(("step", "more", "sentence"), WRONG)
def test_wrong_input_is_one_sentence(
    place: Path, capsys: pytest.CaptureFixture, step: str, more: str, sentence: str
) -> None:
    before = sorted(place.rglob("*"))
    assert main(command(step, more)) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.startswith("error: ") and error.endswith(".\n") and error.count("\n") == 1
    assert sorted(place.rglob("*")) == before


def test_every_step_is_asked() -> None:
    assert set(RIGHT) == set(STEPS)
    assert {step for step, _, _ in WRONG} == set(STEPS) - {"list"}


@pytest.mark.parametrize("step", WRITING)
def test_an_output_is_a_file_or_a_folder_as_the_help_says(step: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        parse([step, "--help"])
    assert f"--output {'FILE' if step in ONE_FILE else 'DIR'}" in capsys.readouterr().out


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder that its owner may not write to, where every user can look."""
    folder = Path(tempfile.mkdtemp())
    (folder / "closed").mkdir(mode=0o555)
    folder.chmod(0o755)
    yield folder / "closed"
    shutil.rmtree(folder)


@pytest.mark.parametrize("step", ["memory", "tables"])
def test_a_folder_that_may_not_be_written_to_is_told_before_anything_is_computed(
    place: Path, closed: Path, capfd: pytest.CaptureFixture, step: str
) -> None:
    words = command(step, f"--output {closed}/new/out" + " --results /" * (step == "tables"))
    parse(words)  # imports the step while that may still be read
    child = os.fork()
    if not child:
        if not os.geteuid():  # root may write everywhere
            os.setgid(65534)
            os.setuid(65534)
        os._exit(main(words))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    assert capfd.readouterr().err.startswith(f"error: --output {closed}/new/out cannot be made, since {closed} may not")


def test_a_reader_who_has_seen_enough_is_no_fault(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    write_record(record, {"kind": "train", **{f"value {number}": number for number in range(9999)}})
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-m", "bench", "show", str(record)]
    done = subprocess.run(words, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_interruption_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def interrupted(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.listing.run", interrupted)
    assert main(["list"]) == 130
    assert capsys.readouterr().err.count("\n") == 1
