"""Number formats of training. Parameters, their gradients and the optimizer are float32 in all; so are the reversible
streams, but for a state of 16 bits (docs/exact.md).

float32  everything
tf32     on a GPU, convolutions and matrix products round their inputs to TF32 (10 bits of the fraction)
mixed    autocast: convolutions and matrix products take bfloat16 (7 bits), those of coupling functions among them; what
         they give is added to float32 streams, and batch normalisation counts its statistics in float32
"""

import contextlib

import torch


def computing(precision: str, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """The context that a network is called in, in training and in evaluation (TF32 is a switch of `settings`)."""
    if precision != "mixed":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
