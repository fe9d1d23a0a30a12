"""What figures there are, and the files that they come to: read by the Snakefile, so nothing is imported here."""

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
FIGURE_FILES = [
    *(f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "pdf")),
    *(f"{name}.csv" for names in (*FIGURES.values(), TABLES) for name in names),
]
