"""A short run, for the tests of what may happen to it."""

from pathlib import Path
from typing import Any

import yaml

from bench.records import read_record

CONFIG = {
    "scale": "tiny",
    "data": {"name": "digits", "train_images": 100, "test_images": 50, "image_size": 9},
    "budget": 6000,
    "architectures": {"resnet18": {"reconstructions": ["ideal"], "depths": [1, 1], "initial_channels": 4}},
    "seeds": [1],
    "training": {"epochs": 2, "batch_size": 20, "peak_learning_rate": 0.1},
    "memory": {"batch_sizes": [2, 4]},
    "steps": {"batch_size": 4},
    "threads": 1,
}


class TinyRun:
    """A run of two epochs in a folder whose name has spaces and letters beyond ASCII."""

    def __init__(self, place: Path) -> None:
        self.place = place / "Ergebnisse größer 結果"
        self.place.mkdir()
        self.config, self.folder = self.place / "tiny.yaml", self.place / "run"
        self.configure()
        words = ["train", "--config", str(self.config), "--architecture", "resnet18", "--seed", "1", "--device", "cpu"]
        self.command = [*words, "--output", str(self.folder), "--resume"]

    def configure(self, **changes: Any) -> None:
        """Write the configuration, with other values of some keys."""
        self.config.write_text(yaml.safe_dump({**CONFIG, **changes}))

    @property
    def record(self) -> dict[str, Any]:
        return read_record(self.folder / "record.json")

    @property
    def files(self) -> list[str]:
        """What lies in the run's folder."""
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []
