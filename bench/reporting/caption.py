"""The caption line of a table: what was run, on what, when and by which code; and what is missing from it."""

from collections.abc import Iterable

import pandas as pd

from bench.reporting.cells import images
from bench.reporting.records_frame import BROKEN, NOT_RUN, STALE
from bench.reporting.summary import usable, used_statuses

_PAPER_TRAINING_IMAGES, _PAPER_TEST_IMAGES, _PAPER_IMAGE_SIZE = 50_000, 10_000, 32


def caption(
    title: str, scale: str, runs: pd.DataFrame, measurements: pd.DataFrame | None = None, include_stale: bool = False
) -> str:
    """One paragraph for the table `title` made from these frames; only records whose numbers are used are cited."""
    used = usable(runs, include_stale)
    cited = [used[["hardware", "commit", "date"]].dropna(subset=["hardware"])]
    counts = [_counts("training runs", runs["status"], include_stale)]
    if measurements is not None:
        for kind in ("memory", "steps"):
            names = {f"{kind}_{name}": name for name in ("status", "path", "hardware", "commit", "date")}
            records = measurements[list(names)].rename(columns=names).drop_duplicates("path")
            current = records["status"].isin(used_statuses(include_stale))
            cited.append(records.loc[current, ["hardware", "commit", "date"]])
            counts.append(_counts(f"{kind} records", records["status"], include_stale))
    origin = pd.concat(cited, ignore_index=True)
    if origin.empty:
        return f"{title}. Scale {scale}; no record to show. {' '.join(counts)}"
    parts = [
        f"Scale {scale}",
        f"data {'; '.join(_data(used)) or 'none yet'}",
        f"seeds {_list(sorted(used['seed'].unique())) or 'none yet'}",
        f"hardware {_list(origin['hardware'].unique())}",
        _dates(origin["date"]),
        f"commit {_list(origin['commit'].unique())}",
    ]
    return f"{title}. {'; '.join(parts)}. {' '.join(counts)}"


def _list(texts: Iterable[object]) -> str:
    return ", ".join(map(str, texts))


def _dates(dates: pd.Series) -> str:
    first, last = dates.min()[:10], dates.max()[:10]
    return first if first == last else f"{first} to {last}"


def _data(used: pd.DataFrame) -> list[str]:
    """Each data set that the runs trained on, and how it differs from the paper's CIFAR-10."""
    columns = ["data", "train_images", "test_images", "image_size"]
    return [
        f"{name} ({images(train)} training and {images(test)} test images of {size:.0f}×{size:.0f}; "
        f"{_likeness(name, train, test, size)})"
        for name, train, test, size in used[columns].drop_duplicates().itertuples(index=False)
    ]


def _likeness(name: str, train_images: float, test_images: float, image_size: float) -> str:
    if name.partition("-")[0] != "cifar10":
        return "scaled-down: not the paper's CIFAR-10"
    if train_images < _PAPER_TRAINING_IMAGES or test_images < _PAPER_TEST_IMAGES:
        return "scaled-down: a part of the paper's data set"
    if image_size != _PAPER_IMAGE_SIZE:
        return "the paper's data set at another size"
    return "the paper's data set" if name == "cifar10" else "a variant of the paper's data set"


def _counts(what: str, status: pd.Series, include_stale: bool) -> str:
    """`24 training runs planned: 20 recorded, 2 stale (left out), 1 broken, 1 not run.`"""
    missing = {word: int((status == word).sum()) for word in (STALE, BROKEN, NOT_RUN)}
    words = {STALE: "stale (used all the same)" if include_stale else "stale (left out)"}
    parts = [f"{len(status) - sum(missing.values())} recorded"]
    parts += [f"{number} {words.get(word, word)}" for word, number in missing.items() if number]
    return f"{len(status)} {what} planned: {', '.join(parts)}."
