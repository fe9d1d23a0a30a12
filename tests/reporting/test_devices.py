"""Rows of Table 2 by their devices: what ran on different hardware is told apart, and so are devices of the same."""

from bench.reporting.build import build_tables
from tests.reporting.synthetic import Run, study, write_train

A, B = ({"hardware": {"device": name}} for name in ("CPU A", "CPU B"))


def table2(results, runs, **changes):
    return build_tables(study(runs, **changes), results)[1]


def test_a_row_is_called_by_its_own_hardware_and_the_mixture_is_said(tmp_path):
    runs = [Run(name, "ideal", "machine", 1) for name in ("resnet18", "revnet", "hybrid")]
    write_train(tmp_path, runs[0], **A)
    write_train(tmp_path, runs[1], **B)
    table = table2(tmp_path, runs)
    assert list(table.display[("Device", "")])[:3] == ["CPU A", "CPU B", "CPU A; CPU B"]  # the last was not run
    assert "The runs of machine were made on different hardware: CPU A; CPU B." in table.warnings


def test_devices_of_one_label_have_their_names_added(tmp_path):
    runs = [Run("hybrid", "ideal", device, 1) for device in ("machine", "longer", "other", "capped")]
    for run, hardware in zip(runs, (A, A, B, A), strict=True):
        write_train(tmp_path, run, **hardware)
    table = table2(tmp_path, runs, labels={"capped": "1 GB (emulated)"})
    assert list(table.display[("Device", "")])[:4] == ["CPU A, machine", "CPU A, longer", "CPU B", "1 GB (emulated)"]
    assert table.warnings == ()
