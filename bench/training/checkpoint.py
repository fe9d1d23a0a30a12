"""Checkpoints: the state of a run after its latest epoch and the one before, each written whole or not at all.

A file ends with the SHA-256 of what comes before it: torch reads changed bits without a word.
"""

import hashlib
import io
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import torch

LATEST, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
DIGEST_BYTES = hashlib.sha256().digest_size


class Checkpoint:
    """The checkpoints of one run in its folder. `key` says which run, and on what: no other's is continued."""

    def __init__(self, folder: Path, key: str) -> None:
        self.latest, self.previous, self.key = folder / LATEST, folder / PREVIOUS, key
        self.latest_is_damaged = False

    def save(self, state: dict[str, Any]) -> None:
        """Write `state`; the checkpoint before it is kept as the previous one, unless it was found to be damaged."""
        self.latest.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.latest.parent, prefix=f".{LATEST}.")
        try:
            with os.fdopen(descriptor, "r+b") as file:
                # Not by its path: torch would write it itself, and tell of a full disk without saying so.
                torch.save({"key": self.key, "state": state}, file)
                file.seek(0)
                file.write(hashlib.file_digest(file, "sha256").digest())  # reading has come to the end
                file.flush()
                os.fsync(file.fileno())
            # A damaged one must not take the place of the whole one before it, which alone could be gone on from.
            if self.latest.exists() and not self.latest_is_damaged:
                self.latest.replace(self.previous)
            Path(temporary).replace(self.latest)
            self.latest_is_damaged = False
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def load(self) -> tuple[dict[str, Any] | None, list[str]]:
        """The newest whole state of this run, or None, and what is to be said of checkpoints passed over."""
        remarks: list[str] = []
        for place in (self.latest, self.previous):
            if not place.exists():
                continue
            try:
                # weights_only: a checkpoint holds tensors and plain values, and cannot run code when it is read.
                content = torch.load(checked(place), map_location="cpu", weights_only=True)
                if content["key"] == self.key:
                    return content["state"], remarks
                remarks.append(f"{place} is of other settings, code or hardware; it is not used")
            except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
                remarks.append(f"{place} is damaged ({type(error).__name__}); it is not used")
                if place == self.latest:
                    self.latest_is_damaged = True
        return None, remarks

    def remove(self) -> None:
        """Delete the checkpoints: the run has its record. So with what writers left that were killed."""
        for place in (self.latest, self.previous, *self.latest.parent.glob(f".{LATEST}.*")):
            place.unlink(missing_ok=True)


def checked(place: Path) -> io.BytesIO:
    """What was saved at `place`; `ValueError` when the bytes are not those that were written."""
    content = place.read_bytes()
    saved, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if hashlib.sha256(saved).digest() != digest:
        raise ValueError("its checksum is another")
    return io.BytesIO(saved)
