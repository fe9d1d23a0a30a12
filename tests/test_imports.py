"""Steps that are said to do without torch do."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import WITHOUT_TORCH
from bench.records import write_record
from tests.smoke import ROOT

RUN = "import sys; from bench.__main__ import main; main(sys.argv[1:]); print('torch' in sys.modules)"


@pytest.mark.parametrize("step", WITHOUT_TORCH)
def test_torch_is_not_imported(step: str, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    write_record(record, {"kind": "train"})
    reading = ["--config", "config/smoke.yaml", "--results", tmp_path, "--output", tmp_path]
    words = [sys.executable, "-c", RUN, step, *([record] if step == "show" else reading)]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
