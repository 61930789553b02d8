"""A loop that stands still is told of, with what ran in its place."""

import asyncio
import time

from structlog.testing import capture_logs

from moneyflow.polling import stalls


def stand_still() -> None:
    time.sleep(6 * stalls.STALL_SECONDS)


def test_a_stall_is_logged_with_what_ran() -> None:
    async def main() -> None:
        watching = asyncio.create_task(stalls.watch())
        await asyncio.sleep(3 * stalls.TICK_SECONDS)
        stand_still()
        await asyncio.sleep(3 * stalls.TICK_SECONDS)
        watching.cancel()

    with capture_logs() as logged:
        asyncio.run(main())
    stalled = [entry for entry in logged if entry["event"] == "poller_stalled"]
    assert any("stand_still (test_stalls.py:" in (entry["ran"] or "") for entry in stalled)
    assert max(entry["seconds"] for entry in stalled) > stalls.STALL_SECONDS
