"""What a data set is once it is read: `Originals` as its files hold it, `Images` as a network is trained on it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.errors import InputError


@dataclass(frozen=True)
class Originals:
    """A data set as its files hold it. Images are uint8 (N, C, H, W), labels int64 (N,) in 0 .. classes - 1."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]
    source: str  # where it was found, for the record
    cached: bool = False  # read from a cache of decoded images: loading is then much faster


@dataclass(frozen=True)
class Images:
    """Images of the size and channels that a network wants, uint8 (N, C, H, W), and their labels, int64 (N,).

    `mean` and `std` are those of the training images, one number a channel, for pixels in 0 .. 255. `test` is what a
    run is judged by: the test images, or training images held out in their place ("validation").
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    source: str
    cached: bool = False
    evaluated_on: str = "test"


def fit(images: Tensor, image_size: int, in_channels: int) -> Tensor:
    """Zero-pad uint8 (N, C, H, W) to (N, in_channels, image_size, image_size), the image in the middle.

    A grey image is repeated over the channels; images that fit already are not copied. Raises `InputError` for images
    that are larger or have other channels.
    """
    _, channels, height, width = images.shape
    if max(height, width) > image_size:
        raise InputError(
            f"image_size {image_size} is smaller than the {height}x{width} images of the data set; "
            f"set data.image_size to {max(height, width)} or more."
        )
    if channels not in (1, in_channels):
        raise InputError(f"in_channels {in_channels} was given but the images have {channels}; set it to {channels}.")
    if images.shape[1:] == (in_channels, image_size, image_size):
        return images
    top, left = (image_size - height) // 2, (image_size - width) // 2
    fitted = images.new_zeros(len(images), in_channels, image_size, image_size)
    fitted[:, :, top : top + height, left : left + width] = images
    return fitted


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of uint8 (N, C, H, W), exactly, by counting the 256 values.

    A channel that never varies gets the deviation 1, so that normalising it gives zeros and not infinities.
    """
    values = torch.arange(256, dtype=torch.float64)
    means, deviations = [], []
    for channel in range(images.shape[1]):
        counts = torch.bincount(images[:, channel].flatten(), minlength=256).double()
        mean = (counts @ values) / counts.sum()
        variance = (counts @ (values - mean) ** 2) / counts.sum()
        means.append(mean.item())
        deviations.append(variance.sqrt().item() or 1.0)
    return tuple(means), tuple(deviations)
