"""Import torchvision, also beside a build of torch that it was not compiled for (a CPU-only torch, say).

Such a torchvision cannot load its compiled operators and stops at `operator torchvision::nms does not exist`, although
its data sets and transforms, all that is used of it here, need none of them. Then the operators are declared without
an implementation, and the import tried again: calling one still fails.
"""

import functools
import importlib
import logging
import sys
from types import ModuleType

import torch

logger = logging.getLogger(__name__)

OPERATORS = ("nms", "qnms")
SYMPTOM = "torchvision::nms does not exist"


def import_torchvision() -> ModuleType:
    """The module torchvision. Any fault but the one above is raised as it comes."""
    return _load()[0]


def has_torchvision_operators() -> bool:
    """Whether torchvision's compiled operators are real (for the records), not only declared."""
    return _load()[1] is None


@functools.cache
def _load() -> tuple[ModuleType, torch.library.Library | None]:
    # The cache keeps the Library: with the last reference to it the operators would go, too.
    try:
        return importlib.import_module("torchvision"), None
    except RuntimeError as error:
        if SYMPTOM not in str(error):
            raise
        logger.info("torchvision does not match this torch (%s); its compiled operators are only declared", error)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for operator in OPERATORS:
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module("torchvision"), library
