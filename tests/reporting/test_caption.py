import pytest

from bench.reporting.build import build_tables
from tests.reporting.synthetic import Run, study, write_train

RUN = Run("hybrid", "noisy", "machine", 1)
PART, SIZE = "scaled-down: a part of the paper's data set", "the paper's data set at another size"


@pytest.mark.parametrize(
    ("name", "train", "test", "size", "said"),
    [
        ("cifar10", 50_000, 10_000, 32, "the paper's data set"),
        ("cifar10", None, None, 32, "the paper's data set"),
        ("cifar10", 5000, 10_000, 32, PART),
        ("cifar10", 50_000, 100, 32, PART),
        ("cifar10", 50_000, 10_000, 16, SIZE),
        ("cifar10-jpeg", 50_000, 10_000, 32, "a variant of the paper's data set"),
        ("cifar100", 50_000, 10_000, 32, "scaled-down: not the paper's CIFAR-10"),
    ],
)
def test_what_is_called_the_papers_data_set(tmp_path, name, train, test, size, said):
    data = {"data": name, "train_images": train, "test_images": test, "image_size": size}
    write_train(tmp_path, RUN, **{f"settings__{key}": value for key, value in data.items()})
    assert f"{size}×{size}; {said})" in build_tables(study([RUN]), tmp_path)[0].caption
