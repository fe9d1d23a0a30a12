"""Figures from records alone: those on noise each from a CSV that lies beside it, and the timelines of memory."""
