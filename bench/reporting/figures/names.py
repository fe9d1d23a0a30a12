"""What figures there are, and the files that they come to: read by the Snakefile, so nothing heavy is imported here."""

from bench.configuration import Configuration
from bench.plan import BLOCK_TIMELINE, numerics_targets, timeline_targets

# figure -> the CSVs that it is drawn from
FIGURES = {
    "figure6": ("figure6_toy", "figure6_random"),
    "figure7": ("figure7",),
    "noise_near_signal": ("noise_near_signal",),
    "coupling": ("coupling",),
    "figure10": ("figure10",),
    "figure11": ("figure11",),
    "figure12": ("figure12",),
    "figure13": ("figure13",),
    "gradient_angles": ("gradient_angles", "thresholds"),
    "repairs": ("repair_limits",),
}
# CSVs that no figure shows
TABLES = ("formula_limits", "repairs")


def figure_files(configuration: Configuration) -> list[str]:
    """File names of all figures of a scale and of the CSVs beside them."""
    noise = numerics_targets(configuration)
    drawn = [*(FIGURES if noise else ()), *timeline_figures(configuration)]
    csvs = [name for names in (*FIGURES.values(), TABLES) for name in names] if noise else []
    return [*(f"{name}.{suffix}" for name in drawn for suffix in ("png", "pdf")), *(f"{name}.csv" for name in csvs)]


def timeline_figures(configuration: Configuration) -> list[str]:
    """The timelines' figures, in the order in which they are drawn."""
    networks = [f"{architecture}-{reconstruction}" for architecture, reconstruction in timeline_targets(configuration)]
    return [f"timeline-{name}" for name in (*networks, BLOCK_TIMELINE)]
