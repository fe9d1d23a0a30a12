"""The control's network: whitening, three groups of two convolutions, the largest value of each channel (Jordan, 2024).

K. Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv 2404.00498, section 3.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

PATCH = 2  # side of the whitened patches, pixels
WHITENING_EPS = 5e-4  # added to the eigenvalues of the patches' covariance
WIDTHS = (64, 256, 256)
LOGIT_SCALE = 1 / 9
NORM_EPS = 1e-12


class ControlNetwork(nn.Module):
    """Normalised images (N, C, H, W) -> logits (N, classes), for images of 9 pixels a side or more.

    `samples` (M, C, H, W), normalised as well, are the images that the first layer learns to whiten. Its weights stay
    as they are; only its bias is trained. Scales of batch normalisation stay at 1.
    """

    def __init__(self, samples: Tensor, classes: int, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        kernels = whitening_kernels(samples)
        self.whitening = nn.Conv2d(kernels.shape[1], 2 * len(kernels), PATCH)
        self.whitening.weight.data = torch.cat([kernels, -kernels])
        self.whitening.weight.requires_grad_(False)
        assert self.whitening.bias is not None
        nn.init.zeros_(self.whitening.bias)
        self.groups = nn.Sequential()
        channels = 2 * len(kernels)
        for width in widths:
            self.groups.append(Group(channels, width))
            channels = width
        self.head = nn.Linear(channels, classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes)."""
        features = self.groups(functional.gelu(self.whitening(images)))
        return self.head(features.amax((2, 3))) * LOGIT_SCALE

    def train_whitening_bias(self, trained: bool) -> None:
        """Say whether the next steps change the first layer's bias."""
        assert self.whitening.bias is not None
        self.whitening.bias.requires_grad_(trained)


class Group(nn.Module):
    """Two convolutions, normalised, with GELU; the first pooled: (N, i, H, W) -> (N, o, H/2, W/2)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = convolution(in_channels, out_channels), normalisation(out_channels)
        self.conv2, self.norm2 = convolution(out_channels, out_channels), normalisation(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the group."""
        x = functional.gelu(self.norm1(functional.max_pool2d(self.conv1(x), 2)))
        return functional.gelu(self.norm2(self.conv2(x)))


def convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
    """A 3x3 convolution that at first hands its input on, in its first channels."""
    layer = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.data[:in_channels])
    return layer


def normalisation(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation without a scale, its running statistics following fast."""
    layer = nn.BatchNorm2d(channels, eps=NORM_EPS, momentum=0.4)
    layer.weight.requires_grad_(False)
    return layer


def whitening_kernels(images: Tensor) -> Tensor:
    """Kernels (K, C, 2, 2), K = 4 C, that give the patches of `images` (M, C, H, W) uncorrelated channels of power 1.

    They are the eigenvectors of the patches' second moments over the square roots of their eigenvalues.
    """
    patches = functional.unfold(images, PATCH).transpose(1, 2).flatten(0, 1).double()
    eigenvalues, eigenvectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    kernels = eigenvectors / (eigenvalues + WHITENING_EPS).sqrt()
    return kernels.T.flip(0).reshape(-1, images.shape[1], PATCH, PATCH).to(images.dtype)
