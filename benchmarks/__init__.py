"""Raceday's claims of speed, measured: one module a claim, `./run bench` runs them. Ratios and CPU, not records."""
