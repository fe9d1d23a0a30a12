"""The authors' own accuracies, single runs on CIFAR-10 by their logs: a second series, never mixed with ours."""

# (architecture, mode, initial channels) -> final test accuracy in percent at depth step 1, 2, ...
ACCURACIES = {
    ("layerwise", "ideal", 32): (87.1, 90.0, 92.0, 92.5, 93.0, 93.4, 93.3, 93.6, 94.1, 93.8),
    ("layerwise", "renormalised", 48): (88.6, 91.1, 92.7, 93.0, 92.6, 62.3, 63.9, 36.4, 49.5, 34.4),
    ("hybrid", "ideal", 32): (92.2, 92.7, 92.6, 92.7, 92.5, 92.7, 92.9, 92.5),
    ("hybrid", "renormalised", 32): (92.2, 92.2, 92.0, 92.4, 92.4, 92.3, 92.2, 91.7),
}


def rows() -> list[dict]:
    """A row a run, with the depth as the figures count it. Their hybrid never used its third count of blocks."""
    from bench.numerics.points import depths_at

    found = []
    for (architecture, mode, channels), accuracies in ACCURACIES.items():
        for step, accuracy in enumerate(accuracies, start=1):
            depths = depths_at(step)[: 3 if architecture == "layerwise" else 2]
            row = {"source": f"authors, {channels} channels", "architecture": architecture, "mode": mode, "step": step}
            found.append({**row, "depth": sum(depths), "accuracy_mean": accuracy / 100, "n": 1})
    return found
