"""`./run faults`: hurts a running tree in every way we know and counts, from outside, what was lost. Dev only."""
