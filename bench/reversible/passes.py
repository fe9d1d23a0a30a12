"""What it takes to go back through F in passes over slices of the batch, one for each batch norm and one before them.

In the first, F's output is recomputed and taken away from the block's; each gathers the sums that the next one's batch
norm needs. With two batch norms or more, one buffer as large as F's input carries F's output, or what its last batch
norm was given, from the first pass to the second, and each slice's gradient on from there. With one batch norm it is
a choice (`hold`): the buffer, or the convolution once more.
"""


def buffers(norms: int, hold: bool = False) -> int:
    """Buffers as large as F's input that are held meanwhile."""
    return int(hold or norms > 1)


def recomputations(norms: int, hold: bool = False) -> float:
    """How often F's convolutions, one for each batch norm, are run once more, inverses included, on average.

    With n >= 2: the first pass runs n, the second n - 1, and the pass of batch norm j < n runs j. With one batch norm
    and nothing carried over, both passes run it.
    """
    return (norms + 3) / 2 - 1 / norms if buffers(norms, hold) else 2.0
