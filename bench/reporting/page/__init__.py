"""The report: one HTML file with both tables, figures, curves and provenance; it needs no network and no server."""
