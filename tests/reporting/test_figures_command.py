import pytest

from bench.__main__ import main
from bench.records import write_record

RECORDS = {"layers": {"rows": {}}, "sweeps": {"settings": {}, "points": {}, "places": []}}


@pytest.mark.parametrize(("experiment", "missing"), [("layers", "rows"), ("sweeps", "settings")])
def test_a_record_of_the_other_experiment_is_named(tmp_path, capsys, experiment, missing):
    for name in RECORDS:
        fields = RECORDS["sweeps" if experiment == "layers" else "layers"] if name == experiment else RECORDS[name]
        write_record(tmp_path / "numerics" / f"{name}.json", {"kind": "numerics", **fields})
    words = ["--config", "config/quick.yaml", "--results", str(tmp_path), "--output", str(tmp_path / "figures")]
    assert main(["figures", *words, "--include-stale"]) == 2
    assert f"{experiment}.json has no field '{missing}'; delete it" in capsys.readouterr().err
