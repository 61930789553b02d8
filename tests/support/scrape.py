"""A scrape of /metrics as a test reads it."""

import re


def samples(text: str) -> dict[str, float]:
    """Name and labels → value."""
    return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", text, re.MULTILINE)}


def total(text: str, name: str) -> float:
    """Sum up a metric over its labels."""
    return sum(value for sample, value in samples(text).items() if sample.partition("{")[0] == name)
