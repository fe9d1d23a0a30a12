"""Reconstruction patterns in words: which inverse gives back the activations that a backward pass needs."""

from bench.plan import ORIGINALS

_NOISY = {
    "revnet": "residual block",
    "irevnet": "residual block + pooling",
    "layerwise": "layer-wise + pooling",
    "hybrid": "layer-wise + residual block + pooling",
    "streamed": "residual block + pooling, in slices",
    "streamed-int16": "residual block + pooling, in slices; state in 16 bits",
    "inplace-abn": "batch norm + activation",
}
_EXACT = _NOISY | {"hybrid": "residual block + pooling (layer-wise inside: noisy)"}
_BASELINES = {
    "checkpointing": "recomputed from checkpoints",
    "offloading": "stored in host memory",
    "mixed-precision": "stored in bfloat16",
}


def pattern(architecture: str, reconstruction: str) -> str:
    """What is reconstructed in `architecture`, e.g. `residual block`; `all stored` where nothing is.

    An architecture that is not known here is described by its reconstruction alone.
    """
    if reconstruction == "ideal":
        return _BASELINES.get(architecture, "all stored")
    return (_EXACT if reconstruction == "exact" else _NOISY).get(architecture, "reconstructed")


def original(architecture: str) -> str:
    """The architecture whose ideal mode `architecture` is compared with: itself, but for those in other numbers."""
    return ORIGINALS.get(architecture, architecture)
