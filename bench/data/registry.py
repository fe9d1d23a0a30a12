"""The data sets by name. To add one: a file beside this one with a loader and a line here, or a plugin."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.data import cifar10, digits, fashion_mnist, image_folder
from bench.data.images import Originals

# (folder to look in first or None, the network's image size) -> the data set as its files hold it
Loader = Callable[[Path | None, int], Originals]


@dataclass(frozen=True)
class DataSet:
    """A data set: its name in configurations and records, one line about it, and how it is read."""

    name: str
    summary: str
    loader: Loader


DATASETS: dict[str, DataSet] = {
    entry.name: entry
    for entry in (
        DataSet("digits", "handwritten digits of scikit-learn, 1,797 grey images of 8x8, no download", digits.load),
        DataSet("fashion-mnist", "Fashion-MNIST, 70,000 grey images of 28x28", fashion_mnist.load),
        DataSet("cifar10", "CIFAR-10, 60,000 colour images of 32x32", cifar10.load),
        DataSet(
            "cifar10-jpeg", "CIFAR-10 re-encoded as JPEG (lossy), a folder of images", image_folder.load_cifar10_jpeg
        ),
        DataSet("image-folder", "any folder {train,test}/<class>/<image>, given as data.root", image_folder.load),
    )
}


def register(name: str, summary: str) -> Callable[[Loader], Loader]:
    """Decorator that enters a loader as the data set `name`; for plugins (docs/extending.md)."""

    def enter(loader: Loader) -> Loader:
        # A mistake of the one who writes a data set, not of the one who runs it: hence no InputError.
        if name in DATASETS:
            raise ValueError(f"There is a data set {name!r} already; choose another name.")
        DATASETS[name] = DataSet(name, summary, loader)
        return loader

    return enter
