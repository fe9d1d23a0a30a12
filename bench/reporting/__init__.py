"""From records to Table 1 and Table 2: read what was planned, summarise it honestly, write it three ways."""
