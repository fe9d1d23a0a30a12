"""Where a result comes from: the hardware, the versions, the commit, and a digest of the code that made it."""

import ast
import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from bench.same_results import SAME_AS

if TYPE_CHECKING:
    import torch

PACKAGE = Path(__file__).resolve().parent
LIBRARIES = ("torch", "torchvision", "numpy", "scikit-learn", "pillow")
# What each kind of record depends on: files and folders of the package. Editing anything else makes no result stale.
TRAINING_CODE = ("reversible", "architectures", "data", "training")
CODE = {
    "train": TRAINING_CODE,
    "memory": ("reversible", "architectures", "training", "memory"),
    "steps": ("reversible", "architectures", "training", "memory"),
    "numerics": (*TRAINING_CODE, "numerics"),
    "control": (*TRAINING_CODE, "control"),
}
WORKSPACE_LIMIT = "CUDNN_CONV_WSCAP_DBG"  # cuDNN's variable: megabytes of work space that a convolution may take
GENERATED = ("results", "paper_tables")  # changed by every run: they do not make the code another


def device_words(device: "torch.device") -> str:
    """What is computed on, in words for the tables.

    A CPU's name does not say which vector instructions torch uses on it, and with AVX-512 a training takes a half or a
    third of the time that it takes with AVX2.
    """
    import torch  # here, since plans ask for a digest only, and torch takes seconds to import

    if device.type == "cuda":
        limit = os.environ.get(WORKSPACE_LIMIT)
        return torch.cuda.get_device_name(device) + (f", cuDNN's work space limited to {limit} MB" if limit else "")
    threads, capability = torch.get_num_threads(), torch.backends.cpu.get_cpu_capability()
    return f"{cpu_name()} ({threads} thread{'s' if threads > 1 else ''}, {capability})"


def hardware(device: "torch.device") -> dict[str, Any]:
    """The machine as a record names it.

    `passes`: whether the engine's passes over activations were Triton kernels in this process; None if never on a GPU.
    """
    import torch

    from bench.reversible.fused import description

    cuda = device.type == "cuda"
    limit = os.environ.get(WORKSPACE_LIMIT) if cuda else None
    return {
        "device": device_words(device),
        "cpu": cpu_name(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpu": torch.cuda.get_device_name(device) if cuda else None,
        "driver": output_of("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader") if cuda else None,
        "passes": description(device),
        **({"cudnn_workspace_limit_mb": limit} if limit else {}),
    }


def origin(device: "torch.device") -> dict[str, Any]:
    """What every record says of where it comes from: hardware, versions, commit, command and date."""
    return {
        "hardware": hardware(device),
        "versions": versions(),
        "git": git(),
        "command": ["python", "-m", "bench", *sys.argv[1:]],
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def cpu_name() -> str:
    """The CPU's name by the operating system's account."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def versions() -> dict[str, str | None]:
    """Versions of Python, of the libraries that a result depends on, and of CUDA and cuDNN in this build of torch."""
    import torch

    found: dict[str, str | None] = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = None
    cudnn = torch.backends.cudnn.version() if torch.cuda.is_available() else None
    return {**found, "cuda": torch.version.cuda, "cudnn": str(cudnn) if cudnn else None}


def git() -> dict[str, Any]:
    """The commit and whether the working tree differs from it (results and tables aside); None outside a repository."""
    root = str(PACKAGE.parent)
    commit = output_of("git", "-C", root, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    excluded = [f":(top,exclude){folder}" for folder in GENERATED]
    changes = output_of("git", "-C", root, "status", "--porcelain", "--", ":(top)", *excluded)
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def output_of(*command: str) -> str | None:
    """Standard output of a short command, its first line if it has several GPUs to tell of; None when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().partition("\n")[0]


@cache
def code_digest(kind: str = "train") -> str:
    """Digest, 12 hexadecimal digits, of the code that a record of `kind` depends on.

    It is taken over syntax trees without docstrings: comments, formatting and documentation change no result. Code that
    has been shown to give the results of earlier code goes by that one's (`bench.same_results`).
    """
    files = [file for folder in CODE[kind] for file in (PACKAGE / folder).rglob("*.py")]
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.relative_to(PACKAGE).as_posix()}\n{meaning(file.read_text(encoding='utf-8'))}\n".encode())
    own = digest.hexdigest()[:12]
    return SAME_AS.get(own, own)


@cache
def meaning(source: str) -> str:
    """A module's syntax tree as text, without docstrings and without what differs between versions of Python."""
    return describe(ast.parse(source))


def describe(node: Any) -> str:
    """One node: its type and its fields; empty ones are left out, since newer Pythons know more of them."""
    if isinstance(node, list):
        return f"[{','.join(describe(item) for item in node if not is_docstring(item))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
    return f"{type(node).__name__}({','.join(f'{name}={describe(value)}' for name, value in fields)})"


def is_docstring(node: Any) -> bool:
    """Whether a statement is nothing but a string, which does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
