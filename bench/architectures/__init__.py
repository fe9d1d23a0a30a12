"""The networks of the benchmark: every module of this folder is imported here, and what it registers becomes a row.

To add an architecture, put one file into this folder whose builder is decorated with `registry.register(...)`.
"""

import importlib
import pkgutil

from bench.architectures.budget import Shape, solve
from bench.architectures.registry import ARCHITECTURES, RECONSTRUCTIONS, Architecture, build, names

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["ARCHITECTURES", "RECONSTRUCTIONS", "Architecture", "Shape", "build", "names", "solve"]
