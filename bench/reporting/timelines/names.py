"""The timelines that a scale has, by the names of their files; drawing needs matplotlib, and a plan does not."""

from bench.configuration import Configuration
from bench.memory.timeline_command import BLOCK
from bench.plan import timeline_targets


def timeline_names(configuration: Configuration) -> list[str]:
    """File names without suffix, in the order in which they are drawn."""
    timelines = [f"{architecture}-{reconstruction}" for architecture, reconstruction in timeline_targets(configuration)]
    return [f"timeline-{name}" for name in (*timelines, BLOCK)]
