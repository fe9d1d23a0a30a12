"""The memory cap and the allocator, in processes of their own: both are settings of a whole process."""

import json
import subprocess
import sys
import textwrap

import pytest
import torch

from bench.training.allocator import set_allocator
from bench.training.memory_cap import memory_cap

PREAMBLE = """
import json, torch
from torch import nn
from bench.training import memory_use
from bench.training.allocator import set_allocator
from bench.training.memory_cap import memory_cap, wake_threads
from bench.training.outcome import outcome_of

device = torch.device("cpu")
torch.set_num_threads(1)
"""


def run(program: str) -> dict:
    """Run a program in a new process; the last line that it prints is JSON."""
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(program)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


# A step stores 4 activations of 64 x 16 x 32 x 32 floats (4.2 MB each) and some temporaries: 17 to 40 MB.
STEP = """
set_allocator(device, capped=True)
layers = [layer for _ in range(4) for layer in (nn.Conv2d(16, 16, 3, padding=1), nn.Softplus())]
model, images = nn.Sequential(*layers), torch.ones(64, 16, 32, 32)
history = []

def train():
    for _ in range(3):
        model(images).sum().backward()
    history.append({"test_accuracy": 0.5})

wake_threads()
memory_use.forget_peaks(device)
before = memory_use.status_bytes("VmRSS")
with memory_cap(device, CAP):
    outcome = outcome_of(train, history, 0.4)
    peak = memory_use.peaks(device)["process_resident_bytes"]
after = torch.ones(25_000_000).sum().item()
print(json.dumps([outcome.status, outcome.reason, peak - before, after]))
"""


def test_a_step_that_needs_more_than_the_cap_ends_as_out_of_memory_and_the_process_goes_on():
    status, reason, grown, after = run(STEP.replace("CAP", "25"))
    assert status == "out-of-memory" and "allocate" in reason
    assert grown < 30e6
    assert after == 25_000_000  # 100 MB could be had again


def test_a_step_that_fits_under_the_cap_is_not_disturbed():
    status, reason, grown, _ = run(STEP.replace("CAP", "120"))
    assert (status, reason) == ("ok", None)
    assert 30e6 < grown < 120e6


def test_no_cap_refuses_nothing():
    assert run(STEP.replace("CAP", "None"))[0] == "ok"


def test_a_gpu_is_limited_by_its_number_which_its_device_need_not_have(monkeypatch):
    limits = []
    gpu = type("Properties", (), {"total_memory": 4 * 10**9})
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_properties", {3: gpu, 1: gpu}.__getitem__)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *limit: limits.append(limit))
    with memory_cap(torch.device("cuda"), 1000):
        assert limits == [(0.25, 3)]
    with memory_cap(torch.device("cuda:1"), 8000):
        assert limits == [(0.25, 3), (1.0, 3), (1.0, 1)]
    assert limits[3:] == [(1.0, 1)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="the allocator's limit needs a GPU")
def test_on_a_gpu_memory_beyond_the_cap_is_refused_until_it_is_lifted():
    cuda = torch.device("cuda")
    with memory_cap(cuda, 100):
        assert torch.ones(10_000_000, device=cuda).sum().item() == 1e7
        with pytest.raises(torch.OutOfMemoryError):
            torch.ones(50_000_000, device=cuda)
    assert torch.ones(50_000_000, device=cuda).sum().item() == 5e7


def test_segments_expand_on_a_gpu_under_a_cap_and_nowhere_else(monkeypatch):
    told = []
    monkeypatch.setattr(torch._C, "_accelerator_setAllocatorSettings", told.append)
    assert set_allocator(torch.device("cuda"), capped=False) == "default"
    assert told == []
    assert set_allocator(torch.device("cuda"), capped=True) == "expandable segments"
    assert told == ["expandable_segments:True"]


# 110 MB are free, 60 of them asked for; the 30 that are held lie in the midst of what was had first.
PIECES = """
def block(megabytes):
    return torch.empty(megabytes * 10**6, dtype=torch.uint8, device=gpu)

gpu, refused = torch.device("cuda"), False
words = set_allocator(gpu, capped=CAPPED)
with memory_cap(gpu, 140):
    pieces = block(100)
    del pieces
    pieces = [block(30) for _ in range(3)]
    pieces[0] = pieces[2] = None
    try:
        block(60)
    except torch.OutOfMemoryError:
        refused = True
print(json.dumps([words, refused]))
"""


@pytest.mark.skipif(not torch.cuda.is_available(), reason="the allocator's segments need a GPU")
def test_on_a_gpu_what_is_free_in_pieces_can_be_had_under_a_cap():
    assert run(PIECES.replace("CAPPED", "False")) == ["default", True]
    assert run(PIECES.replace("CAPPED", "True")) == ["expandable segments", False]


# The same large block is asked for and given back again and again; minor faults count the pages that the kernel mapped.
FAULTS = """
import resource
words = set_allocator(device, capped=CAPPED)
for _ in range(20):  # until the small blocks that split large ones have found their places
    torch.ones(12_000_000)
start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(12_000_000)
print(json.dumps([words, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_pages_are_kept_unless_memory_is_capped():
    kept, returned = run(FAULTS.replace("CAPPED", "False")), run(FAULTS.replace("CAPPED", "True"))
    assert kept[0] == "glibc, freed blocks kept" and returned[0] == "glibc, freed blocks returned"
    assert kept[1] < 100 < returned[1]
