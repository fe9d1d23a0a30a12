"""Both branches of the torchvision import, each in a fresh process with a stand-in torchvision on its path."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.architectures.torchvision_import import has_torchvision_operators, import_torchvision

ROOT = Path(__file__).parents[2]
# What the real package does when it is imported: it refers to an operator that its compiled library defines.
REFER = """
import torch
{operators}
@torch.library.register_fake("torchvision::nms")
def shape(dets, scores, iou_threshold):
    return dets
"""
DEFINE = """
library = torch.library.Library("torchvision", "DEF")
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""
ASK = """
import gc, logging
logging.basicConfig(level=logging.INFO, format="%(message)s")
from bench.architectures.torchvision_import import has_torchvision_operators, import_torchvision
module = import_torchvision()
gc.collect()
import torch
print(has_torchvision_operators(), hasattr(torch.ops.torchvision, "nms"))
print(import_torchvision() is module, module.__file__)
"""


def ask(folder: Path, source: str) -> subprocess.CompletedProcess:
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").write_text(source)
    environment = {"PYTHONPATH": f"{folder}:{ROOT}", "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", ASK]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_matching_torchvision_is_imported_as_it_is(tmp_path):
    answer = ask(tmp_path, REFER.format(operators=DEFINE))
    assert answer.stdout.split() == ["True", "True", "True", str(tmp_path / "torchvision" / "__init__.py")], answer
    assert "declared" not in answer.stderr


def test_a_torchvision_without_operators_is_imported_with_declared_ones(tmp_path):
    answer = ask(tmp_path, REFER.format(operators=""))
    assert answer.stdout.split()[:3] == ["False", "True", "True"], answer
    assert "only declared" in answer.stderr


def test_any_other_fault_is_raised_as_it_comes(tmp_path):
    answer = ask(tmp_path, "raise RuntimeError('another fault')")
    assert answer.returncode == 1
    assert "RuntimeError: another fault" in answer.stderr


def test_the_installed_torchvision_offers_its_data_sets():
    torchvision = import_torchvision()
    images = torchvision.datasets.FakeData(size=1, image_size=(3, 8, 8))
    assert images[0][0].size == (8, 8)
    if not has_torchvision_operators():
        import torch

        with pytest.raises((RuntimeError, NotImplementedError)):
            torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
