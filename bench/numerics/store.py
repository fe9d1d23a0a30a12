"""Finished points on disk, one record each: a sweep that is stopped goes on, and one that grows trains what is new."""

from pathlib import Path
from typing import Any

from bench.configuration import Configuration
from bench.errors import InputError
from bench.numerics.points import Point
from bench.plan import point_key
from bench.records import read_record, recorded_digest, write_record
from bench.training.run_record import digest_of


class Store:
    """The folder `points` beside a sweep's record."""

    def __init__(self, folder: Path, configuration: Configuration, code: str) -> None:
        self.folder, self.configuration, self.code = folder, configuration, code

    def find(self, point: Point) -> dict[str, Any] | None:
        """The point's record, if there is one of the present code and configuration."""
        path = self._path(point)
        try:
            record = read_record(path) if path.exists() else {}
        except InputError:
            return None  # broken or edited by something else than `write_record`: it is made again
        return record if recorded_digest(record, "key") == self._key(point) else None

    def keep(self, point: Point, record: dict[str, Any]) -> dict[str, Any]:
        """Write the record, its digest added, and return it."""
        key = {"configuration": digest_of(self.configuration), "code": self.code, "key": self._key(point)}
        whole = {**record, "digest": key}
        write_record(self._path(point), whole)
        return whole

    def _key(self, point: Point) -> str:
        return point_key(self.configuration, vars(point) | {"variant": vars(point.variant)})

    def _path(self, point: Point) -> Path:
        return self.folder / f"{point.name}.json"
