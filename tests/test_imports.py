"""Steps that are said to do without torch do."""

import subprocess
import sys
from pathlib import Path

from bench.__main__ import WITHOUT_TORCH
from bench.records import write_record
from tests.smoke import ROOT

RUN = "import sys; from bench.__main__ import main; main(sys.argv[1:]); print('torch' in sys.modules)"


def test_show_does_not_import_torch(tmp_path: Path) -> None:
    assert WITHOUT_TORCH == ("show",)
    write_record(tmp_path / "record.json", {"kind": "train"})
    words = [sys.executable, "-c", RUN, "show", tmp_path / "record.json"]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
