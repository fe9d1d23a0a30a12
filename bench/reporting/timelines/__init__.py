"""Figures of the timelines of a training step, each drawn from the record alone."""
