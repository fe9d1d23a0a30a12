"""Importing this imports torch without garbage collection meanwhile, which saves a second of every process.

Nearly all that the import makes lives as long as the process: it is frozen, so that no later collection walks over it.
"""

import gc

gc.disable()
import torch  # noqa: E402, F401

gc.freeze()
gc.enable()
