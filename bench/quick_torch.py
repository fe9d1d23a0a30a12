"""Importing torch without garbage collection meanwhile, which saves a second or more of every process.

Nearly all that the imports make lives as long as the process: it is frozen, so that no later collection walks over it.
"""

import gc
import importlib


def import_torch(optimizers: bool) -> None:
    """Import torch and, for steps with `optimizers`, its compiler, which the first step of any optimizer imports."""
    gc.disable()
    importlib.import_module("torch")
    if optimizers:
        importlib.import_module("torch._dynamo")
    gc.freeze()
    gc.enable()
