"""A fixed, class-balanced part of a data set: the same images on every machine and for every seed of a run."""

import torch
from torch import Tensor

from bench.errors import InputError

# Of the choice of images only; a run's seed never changes which images it sees. Held-out images are another choice.
SUBSET_SEED, HELD_OUT_SEED = 20190817, 20230101


def balanced_subset(labels: Tensor, count: int | None, classes: int, key: str, seed: int = SUBSET_SEED) -> Tensor:
    """Indices, ascending, of `count` images with equal numbers a class (the first classes get the remainder).

    `labels` is int64 (N,); `count` None means all. Raises `InputError` naming the configuration `key` when the data set
    has too few images.
    """
    if count is None or count == len(labels):
        return torch.arange(len(labels))
    generator = torch.Generator().manual_seed(seed)
    chosen = []
    for label in range(classes):
        wanted = count // classes + (label < count % classes)
        members = (labels == label).nonzero().flatten()
        if wanted > len(members):
            raise InputError(
                f"{key}: {count} images were asked for, which takes {wanted} of class {label}, but the data set has "
                f"{len(members)} of that class; ask for fewer, or for all with null."
            )
        chosen.append(members[torch.randperm(len(members), generator=generator)[:wanted]])
    return torch.cat(chosen).sort().values
