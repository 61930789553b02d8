"""How slow this machine is now, so that marks for processor time mean the same on any machine, at any hour.

The yardstick is Python's own `json.loads` of an answer of 150 kB. The machine on which the marks were set took 0.52 ms.
"""

import json
from functools import cache

from benchmarks.transform import answers, cpu_ms

MARKS_SET_AT_MS = 0.52
BLOCKS = 8


def slowness() -> float:
    """Return how much longer the yardstick takes here and now than where the marks were set; 1 where it does not."""
    body = _body()
    return max(1.0, cpu_ms(lambda: json.loads(body), BLOCKS) / MARKS_SET_AT_MS)


@cache
def _body() -> bytes:
    return answers()[1]
