"""Who may send a request: who waits, who goes first, and that no slot is lost."""

import asyncio
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raceday.feed.slots import Slots


class Gate:
    """Opened as often as it is told, and remembers what it was asked."""

    def __init__(self, free: int = 0) -> None:
        self.free = free
        self.asked: list[tuple[int, bool]] = []

    async def ask(self, wanted: int, is_patient: bool) -> tuple[int, float]:
        self.asked.append((wanted, is_patient))
        granted = min(wanted, self.free)
        self.free -= granted
        return granted, 0.001


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def line(slots: Slots, gone: list[float]) -> Callable[[float], Coroutine[Any, Any, None]]:
    """Return what stands in line with an urgency, and notes that it had a slot."""

    async def stand(urgency: float) -> None:
        async with slots.hold(urgency):
            gone.append(urgency)

    return stand


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20), st.integers(1, 5))
def test_of_those_who_wait_the_most_urgent_goes_first(urgencies: list[float], number: int) -> None:
    async def main() -> list[float]:
        gate = Gate()
        gone: list[float] = []
        stand = line(Slots(number, gate.ask), gone)
        async with asyncio.TaskGroup() as group:
            for urgency in urgencies:
                group.create_task(stand(urgency))
            await until(lambda: gate.asked)  # all stand in line
            gate.free = len(urgencies)
        return gone

    assert asyncio.run(main()) == sorted(urgencies)


def test_of_equals_goes_first_who_came_first() -> None:
    async def main() -> list[str]:
        gate = Gate()
        gone: list[str] = []
        slots = Slots(1, gate.ask)

        async def stand(name: str) -> None:
            async with slots.hold(1.0):
                gone.append(name)

        async with asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(stand(name))
            await until(lambda: gate.asked)
            gate.free = 3
        return gone

    assert asyncio.run(main()) == ["a", "b", "c"]


def test_no_more_go_at_once_than_there_are_slots() -> None:
    async def main() -> int:
        gate, at_once = Gate(free=100), [0]
        slots, most = Slots(3, gate.ask), 0

        async def stand() -> None:
            nonlocal most
            async with slots.hold(0.0):
                at_once[0] += 1
                most = max(most, at_once[0])
                await asyncio.sleep(0)
                at_once[0] -= 1

        await asyncio.gather(*(stand() for _ in range(20)))
        return most

    assert asyncio.run(main()) == 3


def test_those_who_can_wait_until_nobody_else_does_are_told_apart() -> None:
    async def main() -> list[tuple[int, bool]]:
        gate = Gate(free=2)
        gone: list[float] = []
        stand = line(Slots(1, gate.ask), gone)
        await stand(5.0)
        await stand(inf)
        return gate.asked

    assert asyncio.run(main()) == [(1, False), (1, True)]


def test_who_gives_up_leaves_the_line_and_takes_no_slot_along() -> None:
    async def main() -> list[float]:
        gate = Gate()
        gone: list[float] = []
        slots = Slots(1, gate.ask)
        with pytest.raises(TimeoutError):
            async with slots.hold(0.0, patience_seconds=0.01):
                gone.append(0.0)
        gate.free = 1
        await line(slots, gone)(2.0)
        assert gate.free == 0
        return gone

    assert asyncio.run(main()) == [2.0]


def test_a_slot_that_came_as_its_holder_gave_up_goes_to_the_next() -> None:
    async def main() -> list[float]:
        gate = Gate()
        gone: list[float] = []
        slots = Slots(1, gate.ask)
        stand = line(slots, gone)
        first = asyncio.create_task(stand(1.0))
        await until(lambda: gate.asked)
        slots._give(1)
        first.cancel()
        gate.free = 1
        await stand(2.0)
        return gone

    assert asyncio.run(main()) == [2.0]


def test_a_fault_while_asking_reaches_everybody_in_line_and_the_next_one_is_served() -> None:
    async def main() -> list[object]:
        is_broken = True

        async def ask(wanted: int, is_patient: bool) -> tuple[int, float]:
            if is_broken:
                raise ZeroDivisionError
            return wanted, 0.0

        gone: list[float] = []
        stand = line(Slots(2, ask), gone)
        faults = await asyncio.gather(stand(1.0), stand(2.0), stand(3.0), return_exceptions=True)
        is_broken = False
        await asyncio.gather(stand(4.0), stand(5.0))
        return [*(type(fault) for fault in faults), *gone]

    assert asyncio.run(main()) == [ZeroDivisionError] * 3 + [4.0, 5.0]
