"""Whether a device promises to compute the same bits twice, which exact reconstruction rests on."""

import torch


def require_determinism(device: torch.device) -> None:
    """Raise `RuntimeError` where two runs of a branch on `device` may differ.

    On a CPU the same kernel, input, layout and number of threads give the same bits. On CUDA cuDNN must be told to take
    deterministic algorithms and to choose them by rule, not by trial: a trial in the backward pass could choose others.
    """
    cudnn = torch.backends.cudnn
    if device.type == "cpu" or (device.type == "cuda" and cudnn.deterministic and not cudnn.benchmark):
        return
    if device.type == "cuda":
        raise RuntimeError(
            "Exact reconstruction on CUDA needs torch.backends.cudnn.deterministic = True and"
            f" torch.backends.cudnn.benchmark = False; they are {cudnn.deterministic} and {cudnn.benchmark}."
        )
    raise RuntimeError(
        f"Exact reconstruction is offered on CPU and CUDA, not on {device.type!r}, which is not known to compute the"
        " same bits twice; choose noisy reconstruction."
    )
