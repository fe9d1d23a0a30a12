"""Leases of GPUs, with a made-up nvidia-smi: over processes, kills, numberings and several at once."""

import contextlib
import importlib
import multiprocessing
import os
import signal
import time

import pytest

from bench import configuration
from bench.__main__ import STEPS, parse
from bench.errors import InputError
from bench.memory import measure_command
from bench.training import device, lease, run
from bench.training.lease import gpu_lease, visible_gpus

FORK = multiprocessing.get_context("fork")
SMOKE = configuration.FOLDER / "smoke.yaml"
UUIDS = ("GPU-aaaa-0", "GPU-bbbb-1", "GPU-cccc-2")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with three GPUs; returns the folder of its leases."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    rows = "\\n".join(f"{number}, {uuid}" for number, uuid in enumerate(UUIDS))
    program.write_text(f"#!/bin/sh\nprintf '{rows}\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(lease, "POLL_S", 0.005)
    monkeypatch.setattr(lease.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path / f"gpu-leases-{os.getuid()}"


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        (None, UUIDS),
        ("2,0", (UUIDS[2], UUIDS[0])),
        ("GPU-bbbb", (UUIDS[1],)),
        ("1,1", (UUIDS[1],)),
        ("0,-1,2", (UUIDS[0],)),
        ("", ()),
        ("MIG-x", ("MIG-x",)),
    ],
)
def test_gpus_are_known_by_uuid_however_they_are_numbered(machine, monkeypatch, visible, seen):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert tuple(visible_gpus()) == seen


def test_cuda_sees_the_leased_gpu_alone_and_then_all_again(machine, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    with gpu_lease("auto") as given:
        assert given.gpus == (UUIDS[1],) and os.environ["CUDA_VISIBLE_DEVICES"] == UUIDS[1]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1,2"


def test_no_gpu_is_leased_where_none_is_needed_or_there_is_none(machine, monkeypatch):
    with gpu_lease("cpu") as given:
        assert given.gpus == () and not machine.exists()
    monkeypatch.setenv("PATH", "/nowhere")
    with gpu_lease("auto") as given:
        assert given.gpus == () and given.wait_s == 0
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_a_lease_inside_another_is_that_one(machine):
    with gpu_lease("cuda") as outer:
        for _ in range(2):
            with gpu_lease("cuda") as inner, gpu_lease("cpu") as nothing:
                assert inner is outer and nothing.gpus == ()
            assert os.environ["CUDA_VISIBLE_DEVICES"] == outer.gpus[0]  # it ends with the outer one
    with gpu_lease("cuda", 3) as later:
        assert len(later.gpus) == 3


def test_more_than_there_are_is_refused(machine):
    with pytest.raises(InputError, match="4 GPUs were asked for, but this process sees 3"), gpu_lease("cuda", 4):
        pass


def work(count, taken, overlaps, rounds):
    """Take GPUs again and again; count how often somebody else was on one of them."""
    for _ in range(rounds):
        with gpu_lease("cuda", count) as given:
            assert len(given.gpus) == count
            for gpu in given.gpus:
                overlaps.value += not taken[UUIDS.index(gpu)].acquire(block=False)
            time.sleep(0.002)
            for gpu in given.gpus:
                taken[UUIDS.index(gpu)].release()


def test_many_processes_never_share_a_gpu_nor_wait_for_each_other_for_ever(machine):
    taken, overlaps = [FORK.Lock() for _ in UUIDS], FORK.Value("i", 0)
    workers = [FORK.Process(target=work, args=(count, taken, overlaps, 8)) for count in (1, 1, 1, 1, 2, 2, 3, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * len(workers) and overlaps.value == 0


def hold(ready):
    with gpu_lease("cuda", 3):
        ready.set()
        time.sleep(60)


def test_a_killed_process_gives_its_gpus_up_and_waiting_is_counted(machine):
    ready = FORK.Event()
    holder = FORK.Process(target=hold, args=(ready,))
    holder.start()
    assert ready.wait(30)
    killer = FORK.Process(target=lambda: (time.sleep(0.2), os.kill(holder.pid, signal.SIGKILL)))
    killer.start()
    with gpu_lease("cuda", 2) as given:
        assert len(given.gpus) == 2 and given.wait_s > 0.1
    holder.join()
    killer.join()


def test_waiting_for_a_gpu_is_no_part_of_everything(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "process_age", lambda: 60.0)
    words = "hybrid", "noisy", 1, tmp_path, "machine"
    made = run.TrainingRun(configuration.load(SMOKE), *words, lease=lease.Lease(wait_s=45.0))
    assert made.clock.already == 15


NETWORK = ("--architecture", "resnet18")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("epoch", ()),
        ("memory", NETWORK),
        ("steps", NETWORK),
        ("timeline", ()),
        ("numerics", ("--experiment", "layers")),
        ("control", ()),
    ],
)
def test_steps_that_compute_on_a_gpu_throughout_have_it_to_themselves(name, words, machine, monkeypatch, tmp_path):
    seen = []

    def at_work(kind):
        seen.append(os.environ["CUDA_VISIBLE_DEVICES"])
        raise InterruptedError

    monkeypatch.setattr(device, "torch_device", at_work)
    output = () if name == "epoch" else ("--output", str(tmp_path / "out"))
    arguments = parse([name, "--config", str(SMOKE), "--device", "cuda", *words, *output])
    with pytest.raises(InterruptedError):
        importlib.import_module(STEPS[name][0]).run(arguments)
    assert len(seen) == 1 and seen[0] in UUIDS and "CUDA_VISIBLE_DEVICES" not in os.environ


def test_records_of_one_process_are_measured_on_one_gpu_that_nobody_else_gets(machine, monkeypatch, tmp_path):
    seen, others = [], contextlib.ExitStack()

    def at_work(kind):
        seen.append(os.environ["CUDA_VISIBLE_DEVICES"])
        if not lease.lock(machine / f"{seen[-1]}.lock", others):
            seen[-1] += ", held"
        raise InterruptedError

    def next_one(*changed):
        """Somebody who would take the GPU between two records."""
        assert not lease.lock(machine / f"{seen[-1].partition(',')[0]}.lock", others)

    monkeypatch.setattr(device, "torch_device", at_work)
    monkeypatch.setattr(measure_command.gc, "collect", next_one)
    words = ["measure", "--config", str(SMOKE), "--device", "cuda", "--architecture", "hybrid"]
    assert measure_command.run(parse([*words, "--output", str(tmp_path / "out")])) == 1
    assert len(seen) > 2 and set(seen) == {f"{UUIDS[0]}, held"}


@pytest.mark.parametrize(
    ("command", "words"), [("whole-batch", ("--config", str(SMOKE))), ("paper-shapes", ("--device", "cuda"))]
)
def test_steps_without_a_configured_device_lease_one_as_well(command, words, machine, monkeypatch, tmp_path):
    seen = []

    def at_work(*unused, **known):
        seen.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        raise InterruptedError

    monkeypatch.setattr(run, "TrainingRun", at_work)
    monkeypatch.setattr(device, "torch_device", at_work)
    arguments = parse([command, *words, "--output", str(tmp_path / "out")])
    with pytest.raises(InterruptedError):
        importlib.import_module(STEPS[command][0]).run(arguments)
    assert seen == [UUIDS[0]]
