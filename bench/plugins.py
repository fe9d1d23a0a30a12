"""Plugins: Python files outside the package, named by a configuration, that register architectures and data sets.

A plugin is code that runs with the benchmark: name only those that you trust. What it registers is as good as what the
package has; its source is part of the key of the records that depend on it, and of no others.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from bench.errors import InputError
from bench.provenance import meaning

# ("architecture" or "data set", name) -> digest of the source of the plugin that registered it
SOURCES: dict[tuple[str, str], str] = {}


def load_plugins(plugins: Sequence[str], configuration: Path) -> None:
    """Import each of `plugins`: a file `*.py`, relative to the `configuration`, or the name of an installed module.

    Those that are imported already stay as they are.

    Raises:
        InputError: there is no such file or module, or it cannot be imported.
    """
    # Here and not at the top: these import torch.
    from bench.architectures import ARCHITECTURES
    from bench.data import DATASETS

    for plugin in plugins:
        known = {("architecture", name) for name in ARCHITECTURES} | {("data set", name) for name in DATASETS}
        module = _imported(plugin, configuration)
        added = {("architecture", name) for name in ARCHITECTURES} | {("data set", name) for name in DATASETS}
        for entry in added - known:
            SOURCES[entry] = _digest(module)


def sources_of(architecture: str, data_set: str | None = None) -> list[str]:
    """Digests of the plugins that these come from; empty where both are the package's own."""
    entries = [("architecture", architecture), ("data set", data_set)]
    return [SOURCES[entry] for entry in entries if entry in SOURCES]


def _imported(plugin: str, configuration: Path) -> ModuleType:
    path = configuration.resolve().parent / plugin if plugin.endswith(".py") else None
    name = plugin if path is None else f"bench_plugin_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    if path is not None and not path.is_file():
        raise InputError(f"{configuration}: the plugin {plugin} was not found; there is no file {path}.")
    try:
        return importlib.import_module(name) if path is None else _run(name, path)
    # Whatever goes wrong in foreign code is told in one sentence.
    except Exception as error:
        sys.modules.pop(name, None)
        what = " ".join(str(error).split())
        raise InputError(f"{configuration}: the plugin {plugin} fails with {type(error).__name__} ({what}).") from error


def _run(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Known before it runs: classes look their module up.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _digest(module: ModuleType) -> str:
    """Digest of a plugin's own file, comments and documentation aside. What that imports is not looked at."""
    source = Path(module.__file__).read_text(encoding="utf-8") if module.__file__ else ""
    return hashlib.sha256(meaning(source).encode()).hexdigest()[:12]
