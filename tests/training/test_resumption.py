"""What a run that goes on has of the processes before, and where it must not go on."""

import pytest
import torch

from bench import provenance
from bench.errors import InputError
from bench.training import memory_use
from bench.training.processes import ALONE, Processes
from bench.training.resumption import Resumption

CPU = torch.device("cpu")


def peaks_of(resident, allocated=None):
    """Peaks as `memory_use.peaks` tells them."""
    return {"process_resident_bytes": resident, "cuda_allocated_bytes": allocated, "cuda_reserved_bytes": None}


@pytest.fixture
def resumption_in(tmp_path):
    """A process's `Resumption` of one run."""
    return lambda processes=ALONE: Resumption(tmp_path, "key", CPU, processes)


def trained(make_trainer, epochs=1):
    """A trainer after its epochs."""
    trainer = make_trainer(epochs=epochs)
    trainer.train()
    return trainer


def test_peaks_are_the_highest_of_all_processes(make_trainer, resumption_in, monkeypatch):
    for process, (now, told) in enumerate([((5, None), (5, None)), ((9, 2), (9, 2)), ((7, 1), (9, 2))]):
        monkeypatch.setattr(memory_use, "peaks", lambda device, now=now: peaks_of(*now))
        resumption = resumption_in()
        assert resumption.peaks() == peaks_of(*now)
        remarks = resumption.restore(make_trainer())
        assert resumption.times == process and ("resumed after epoch 1 of" in remarks[0]) == (process > 0)
        assert resumption.peaks() == peaks_of(*told)
        resumption.save(trained(make_trainer))


def test_a_process_that_took_no_step_tells_of_the_graph_of_the_one_before(make_trainer, resumption_in):
    class Captured:
        outcome, eager_steps = "recorded", 3

    trainer = trained(make_trainer)
    trainer.captured = Captured()
    resumption_in().save(trainer)
    resumed, trainer = resumption_in(), make_trainer()
    resumed.restore(trainer)
    assert resumed.cuda_graph(trainer) == "recorded"
    trainer.captured = Captured()
    trainer.captured.outcome = "too few steps"
    assert resumed.cuda_graph(trainer) == "too few steps"
    trainer.captured.eager_steps = 0
    assert resumed.cuda_graph(trainer) == "recorded"


@pytest.mark.parametrize("changed", ["hardware", "torch"])
def test_a_run_begins_anew_on_other_hardware_or_with_another_torch(make_trainer, resumption_in, monkeypatch, changed):
    resumption_in().save(trained(make_trainer))
    if changed == "hardware":
        monkeypatch.setattr(provenance, "device_words", lambda device: "another CPU (2 threads)")
    else:
        monkeypatch.setattr(torch, "__version__", "1.0")
    resumption, trainer = resumption_in(), make_trainer()
    passed_over, begins = resumption.restore(trainer)
    assert "is of other settings, code or hardware; it is not used" in passed_over and "starts at the" in begins
    assert trainer.history == [] and resumption.times == 0


def test_processes_that_have_not_the_same_checkpoint_do_not_go_on(make_trainer, resumption_in):
    class Second(Processes):
        """One of two, the other of which has no checkpoint."""

        def sum_(self, value):
            return value

    resumption = resumption_in(Second(0, 2))
    resumption.save(trained(make_trainer))
    with pytest.raises(
        InputError, match=r"not all the same checkpoint in .* 1 epochs\); give their machines one shared"
    ):
        resumption.restore(make_trainer())
