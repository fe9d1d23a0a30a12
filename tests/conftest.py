"""What several tests share: a tiny run, torch's settings restored, and a copy of the tree in which the smoke workflow
has run, once for all.

Triton's kernels run in its interpreter, on CPU tensors, where torch finds no GPU. Triton is told so by the environment
when it is first imported, which torch may do in any test.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bench.configuration import FOLDER, read
from bench.jobs import planned_jobs
from tests.smoke import ROOT, snakemake
from tests.tiny_run import TinyRun

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, which `make test` has
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """What tests share is made once: of several workers one has all files of this folder, and with them the tree.

    The others have files of the folders within, one after another.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            return "tests" if file.count("/") == 1 else file

    return ByFile(config, log)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree as git knows it, in a folder whose name has spaces, in which the workflow has run."""
    folder = tmp_path_factory.mktemp("a folder with spaces") / "the tree"
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    plan = snakemake(folder, "-n")
    jobs = planned_jobs(read(FOLDER / "smoke.yaml"), Path("results/smoke"))
    assert "scale:  smoke" in plan
    assert f"{sum(job.kind == 'train' for job in jobs)} training runs" in plan
    assert "minute" in plan
    assert not (folder / "results" / "smoke").exists()
    snakemake(folder)
    return folder


@pytest.fixture
def torch_settings() -> Iterator[None]:
    """Torch's threads, determinism and number formats as they were, whatever the test and its outcome."""
    threads, determinism = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    formats = cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(determinism)
    torch.utils.deterministic.fill_uninitialized_memory = filled
    cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = formats


@pytest.fixture
def tiny(tmp_path: Path) -> TinyRun:
    return TinyRun(tmp_path)
