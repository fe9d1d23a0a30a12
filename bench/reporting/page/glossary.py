"""What every column head of the tables means, for the report."""

GLOSSARY = {
    "Architecture": "The network; baselines (checkpointing, offloading, mixed-precision and the like) are ResNet-18.",
    "Reconstruction": "ideal: all activations that the backward pass needs are stored; noisy: they are restored by the "
    "floating-point inverse; exact: restored bit for bit. After it, which inverse gives them back.",
    "c0; depths": "Channels after the stem; blocks or units at each resolution.",
    "Parameters": "Trained numbers. All architectures have the same budget within 2 %, i-RevNet excepted.",
    "Bytes per pixel": "Memory of a training step for each pixel of the input batch, weights and fixed costs "
    "aside: the paper's model, and measured as the slope, between two batch sizes, of what grows with the batch.",
    "Peak MB": "Highest memory of a training step, MB of 1,000,000 bytes: live tensors on a CPU in Table 1, the "
    "process in Table 2; what the allocator handed out on CUDA. Theory is the paper's M, without weight gradients, "
    "optimizer and images.",
    "Forward-equivalents": "Operations of a training step in forward passes: 3 where nothing is recomputed.",
    "Step time": "Measured time of a training step relative to the same network in ideal mode (a baseline: to "
    "ResNet-18), median and its 95 % bootstrap interval over paired rounds.",
    "Accuracy": "Final test accuracy in percent: mean ± half of the 95 % t-interval over n runs that came to their "
    "end.",
    "Gap to ideal": "Accuracy of this reconstruction minus that of ideal (streamed-int16: of streamed in ideal mode), "
    "paired by seed, in percentage points.",
    "Paper": "What the paper's published version prints for CIFAR-10; never measured here.",
    "Device": "What was trained on. Emulated: under a memory cap, not on that card.",
    "Status": "How the planned runs ended: ok (final accuracy at the target), below target, diverged, inexact, out of "
    "memory, timed out, "
    "stale (made by other code or another configuration; left out), broken (unusable), not run.",
    "First at": "Data loading and training up to the first epoch at the target, evaluation left out: the median, and "
    "how many of the runs got there.",
    "Runs at": "How many runs were at the target at their end.",
    "Time of a run": "The same clock to the last weight update.",
    "Everything": "From the start of the process to its record, evaluation included.",
}


def meaning(head: str) -> str | None:
    """What the column called `head` means; None where the glossary does not know it."""
    return next((text for name, text in GLOSSARY.items() if head.startswith(name)), None)
