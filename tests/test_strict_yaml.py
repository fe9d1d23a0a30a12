"""YAML that is no plain data, or that PyYAML fails on: one sentence with the place, never a traceback."""

from pathlib import Path

import pytest

from bench.configuration import FOLDER, read
from bench.errors import InputError
from bench.plain_data import unfit
from bench.strict_yaml import read_yaml

SMOKE = (FOLDER / "smoke.yaml").read_text()
BOMB = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1]", *(f"a{n + 1}: &a{n + 1} [{f'*a{n}, ' * 8}]" for n in range(20))]


def refusal(folder: Path, content: str) -> str:
    place = folder / "given.yaml"
    place.write_bytes(content.encode())
    with pytest.raises(InputError) as caught:
        read_yaml(place)
    sentence = str(caught.value)
    assert str(place) in sentence and sentence.endswith(".") and "\n" not in sentence and len(sentence) < 400
    return sentence


@pytest.mark.parametrize("key", ["? [a, b]\n: 1", "? {a: b}\n: 1", "x: {[a]: 1}"])
def test_a_key_that_is_no_scalar_is_refused(tmp_path: Path, key: str) -> None:
    assert "line 1 is not valid YAML: a key is a list or a mapping" in refusal(tmp_path, key)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *[("2024-99-99", "timestamp"), ("!!timestamp soon", "timestamp"), ("2001-01-01T00:00:00+99:99", "timestamp")],
        *[("!!int abc", "int"), ("!!int ''", "int"), ("0x_", "int"), ("9" * 5000, "int")],
        *[("!!float abc", "float"), (":".join(["1", *["59"] * 400]) + ".5", "float"), ("!!bool perhaps", "bool")],
    ],
)
def test_what_looks_like_a_number_or_a_date_and_is_none_is_refused(tmp_path: Path, value: str, kind: str) -> None:
    assert f"line 2 is not valid YAML: what is there is no {kind}." in refusal(tmp_path, f"a: 1\nb: {value}\n")


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("2024-01-01", "x.y must be a number, text (in quotes), true"),
        ("!!set {a, b}", "of the kind set"),
        ("!!binary YWJj", "of the kind bytes"),
        ("[1, !!omap [a: 1]]", "x.y.1.0 must be"),
        (".nan", "nan, which is not finite"),
        ("-.inf", "-inf, which is not finite"),
        ("9" * 400, "a whole number of more than 308 digits"),
        ("0x" + "f" * 5000, "a whole number of more than 308 digits"),
        ("{1: 2}", "a key of x.y must be text (write it in quotes), but is of the kind int"),
        ("{2024-01-01: 2}", "a key of x.y must be text"),
    ],
)
def test_what_json_cannot_say_is_refused(tmp_path: Path, value: str, wrong: str) -> None:
    assert wrong in refusal(tmp_path, f"x: {{y: {value}}}")


@pytest.mark.parametrize("value", ["[a, b]", "[[a, b]]", "ab", "[ab]"])
def test_what_is_called_a_mapping_and_is_none_is_refused(tmp_path: Path, value: str) -> None:
    assert "expected a mapping" in refusal(tmp_path, f"x: !!map {value}")


@pytest.mark.parametrize("depth", [101, 3000, 100_000])
def test_what_is_nested_too_deeply_is_refused(tmp_path: Path, depth: int) -> None:
    assert "nested more than 100 levels" in refusal(tmp_path, "[" * depth + "]" * depth)


@pytest.mark.parametrize("content", ["x: &x {y: *x}", "x: &x [*x, *x]", "\n".join(BOMB)])
def test_what_has_no_end_is_refused(tmp_path: Path, content: str) -> None:
    assert "holds" in refusal(tmp_path, content)


def test_what_json_can_say_is_let_through() -> None:
    assert unfit({"a": ["text", None, True, 2**64, 0.1, {}, []]}) is None


def test_anchors_that_end_are_read(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("a: &a {x: 1}\nb: {<<: *a, y: [*a]}\n")
    assert read_yaml(tmp_path / "good.yaml") == {"a": {"x": 1}, "b": {"x": 1, "y": [{"x": 1}]}}


def test_a_seed_that_torch_does_not_take_is_refused(tmp_path: Path) -> None:
    changed = SMOKE.replace("\nseeds: [", "\nseeds: [99999999999999999999, ", 1)
    assert changed != SMOKE
    (tmp_path / "given.yaml").write_text(changed)
    with pytest.raises(InputError, match="at most 4294967295"):
        read(tmp_path / "given.yaml")


def test_an_unknown_key_of_two_lines_is_told_in_one(tmp_path: Path) -> None:
    (tmp_path / "given.yaml").write_text(f'"two\\nlines": 1\n{SMOKE}')
    with pytest.raises(InputError, match=r"unknown key two lines"):
        read(tmp_path / "given.yaml")
