"""What the sweeps cannot do is refused before anything is trained."""

import pytest

from bench.errors import InputError
from bench.numerics.section import check_section


@pytest.mark.parametrize(
    ("part", "asked", "told"),
    [
        ("data", {"validation_images": 300}, "numerics.data.validation_images is 300"),
        ("training", {"precision": "mixed"}, "numerics.training.precision is 'mixed'"),
        ("training", {"precision": "tf32"}, "numerics.training.precision is 'tf32'"),
    ],
)
def test_what_the_sweeps_would_not_do_is_refused(configuration, part, asked, told):
    numerics = configuration["numerics"]
    check_section("quick.yaml", numerics)
    numerics[part] |= asked
    with pytest.raises(InputError, match=f"^quick.yaml: {told}"):
        check_section("quick.yaml", numerics)
