"""Figures, each drawn from a CSV that lies beside it, and the CSVs from records."""
