"""How a network's shape may vary to meet a parameter budget: each architecture registers one of these searches.

A search is handed `count(**arguments)`, the number of parameters of the network that the builder makes of these
arguments, which never falls when a width rises. Every search is deterministic.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

Count = Callable[..., int]
Arguments = dict[str, Any]


class Search(Protocol):
    """What the solver asks of an architecture."""

    @property
    def multiple(self) -> int:
        """Every width, `initial_channels` included, is a multiple of this."""

    @property
    def tolerance(self) -> float | None:
        """Largest relative distance from the budget; None: the nearest count is taken, however far, and reported."""

    def find(self, budget: int, depths: tuple[int, ...], count: Count) -> Arguments:
        """Arguments of the builder whose count is within the tolerance, or else the nearest that was found."""


@dataclass(frozen=True)
class NearestWidth:
    """Only the initial channels vary, at the depths asked for, and no distance from the budget is too large."""

    multiple: int = 1
    tolerance: None = None

    def find(self, budget: int, depths: tuple[int, ...], count: Count) -> Arguments:
        """The initial channels whose count is nearest to the budget."""
        return _nearest_channels(budget, depths, count, self.multiple)


@dataclass(frozen=True)
class StageWidths:
    """Stage widths vary one by one, at the depths asked for; the builder takes `widths`, one a stage.

    The most regular shape within the tolerance wins: first widths in the exact proportion c, g c, g^2 c, ... (the
    builder's own when `widths` is left out), then that proportion times a real number, rounded; last, those rounded
    widths with single stages one step wider or narrower.
    """

    multiple: int = 1
    growth: int = 2
    tolerance: float = 0.02

    def find(self, budget: int, depths: tuple[int, ...], count: Count) -> Arguments:
        """Initial channels and, where the exact proportion does not do, widths."""
        found = []
        for widths in (self._proportional, self._rounded, self._varied):
            found.append(widths(budget, depths, count))
            if _distance(found[-1], budget, count) <= self.tolerance * budget:
                return found[-1]
        return min(found, key=lambda arguments: _distance(arguments, budget, count))

    def _proportional(self, budget: int, depths: tuple[int, ...], count: Count) -> Arguments:
        return _nearest_channels(budget, depths, count, self.multiple)

    def _rounded(self, budget: int, depths: tuple[int, ...], count: Count) -> Arguments:
        # Stage i takes a step when k passes an odd number of half steps: with growth 2 one stage at a time does.
        steps = [self.growth ** (len(depths) - stage) for stage in range(len(depths))]

        def arguments(k: int) -> Arguments:
            return _of_widths([self.multiple * max(1, (k + step // 2) // step) for step in steps], depths)

        return arguments(_nearest(budget, lambda k: count(**arguments(k))))

    def _varied(self, budget: int, depths: tuple[int, ...], count: Count) -> Arguments:
        rounded = self._rounded(budget, depths, count)["widths"]
        changes = product((0, -self.multiple, self.multiple), repeat=len(depths))
        shapes = [[width + change for width, change in zip(rounded, each, strict=True)] for each in changes]
        candidates = [_of_widths(widths, depths) for widths in shapes if min(widths) > 0]
        return min(candidates, key=lambda arguments: _distance(arguments, budget, count))


@dataclass(frozen=True)
class VolumePreserving:
    """All widths follow from the initial channels (invertible layers keep the volume), so depths vary as well.

    The depths asked for are kept if some initial channels meet the budget with them; else the smallest total
    deviation from them that does is taken, up to `reach`. A stage that was asked for keeps at least one block.
    """

    multiple: int
    tolerance: float = 0.02
    reach: int = 6

    def find(self, budget: int, depths: tuple[int, ...], count: Count) -> Arguments:
        """Initial channels and depths."""
        found = []
        for deviation in range(self.reach + 1):
            shapes = [_nearest_channels(budget, near, count, self.multiple) for near in _depths_at(depths, deviation)]
            found.append(min(shapes, key=lambda arguments: _distance(arguments, budget, count)))
            if _distance(found[-1], budget, count) <= self.tolerance * budget:
                return found[-1]
        return min(found, key=lambda arguments: _distance(arguments, budget, count))


def _depths_at(depths: tuple[int, ...], deviation: int) -> Iterator[tuple[int, ...]]:
    """All depths whose absolute differences from `depths` sum to `deviation`; deeper ones first."""
    ranges = [range(depth + deviation, max(min(depth, 1), depth - deviation) - 1, -1) for depth in depths]
    for candidate in product(*ranges):
        if sum(abs(each - asked) for each, asked in zip(candidate, depths, strict=True)) == deviation:
            yield candidate


def _of_widths(widths: list[int], depths: tuple[int, ...]) -> Arguments:
    return {"initial_channels": widths[0], "depths": depths, "widths": tuple(widths)}


def _nearest_channels(budget: int, depths: tuple[int, ...], count: Count, multiple: int) -> Arguments:
    def arguments(k: int) -> Arguments:
        return {"initial_channels": k * multiple, "depths": depths}

    return arguments(_nearest(budget, lambda k: count(**arguments(k))))


def _distance(arguments: Arguments, budget: int, count: Count) -> int:
    return abs(count(**arguments) - budget)


def _nearest(budget: int, count: Callable[[int], int]) -> int:
    """The k >= 1 whose count, which never falls as k rises, is nearest to the budget; the smaller k on a tie."""
    upper = 1
    while count(upper) < budget:
        if upper > 4 * budget:  # a network has more parameters than channels: this count does not grow with k
            raise ValueError(f"The number of parameters stays at {count(upper)} whatever the width.")
        upper *= 2
    above = bisect_left(range(upper + 1), budget, lo=max(1, upper // 2), key=count)
    return min((k for k in (above - 1, above) if k >= 1), key=lambda k: abs(count(k) - budget))
