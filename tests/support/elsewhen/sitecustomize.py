"""Shifts the clock of this Python: each one finds this by its name where `./run test --on DATE` put it on its path."""

import os
import time

import time_machine

since, shown = (float(part) for part in os.environ["RACEDAY_TEST_ON"].split(","))
# The machine's monotonic clock is one for all its processes, and stays as it is: so all show the same.
time_machine.travel(shown + time.monotonic() - since, tick=True).start()
