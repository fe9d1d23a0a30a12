"""The engine without the benchmark, as `pip install` takes it from this repository: it trains alone, beside torch."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.smoke import ROOT

TRAINS = """
import sys
import torch
from bench.reversible import GlobalPooling, InvertibleConv2d, InvertibleLeakyReLU, ReversibleBlock, ReversibleSequential

block = ReversibleBlock(*(torch.nn.Conv2d(4, 4, 3, padding=1) for _ in range(2)))
network = ReversibleSequential(
    torch.nn.Conv2d(3, 8, 1), InvertibleConv2d(8), InvertibleLeakyReLU(0.2), block, GlobalPooling("mean")
)
network(torch.randn(2, 3, 6, 6)).square().mean().backward()
assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
print(*sorted(name for name in sys.modules if name.startswith("bench")))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel holds."""
    place = tmp_path_factory.mktemp("lifted out")
    source = place / "source"
    shutil.copytree(ROOT / "bench", source / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", source)
    words = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", place, source]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *words], check=True)
    (wheel,) = place.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(place / "site")
    return place / "site"


def test_the_wheel_holds_the_engine_alone(site: Path) -> None:
    engine = {path.relative_to(ROOT) for path in (ROOT / "bench" / "reversible").glob("*.py")}
    assert {path.relative_to(site) for path in site.rglob("*.py")} == engine


def test_it_trains_alone(site: Path, tmp_path: Path) -> None:
    environment = {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", TRAINS], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert all(name == "bench" or name.startswith("bench.reversible") for name in done.stdout.split())
