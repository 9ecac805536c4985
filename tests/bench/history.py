"""Journals of any length, written by golemd's own journal into a state folder whose daemon is not running."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import trio

from golemd.adapters.clock import SystemClock
from golemd.adapters.disk import RealDisk
from golemd.adapters.journal import Journal
from golemd.adapters.journal.limits import Limits
from golemd.api import events as ev
from golemd.api.events import Draft
from golemd.api.model import Resolution, Status
from tests.bench.writers import FILLER_BYTES

LIFE_RECORDS: Final = 40  # of an item, from its beginning to its end
GROUP: Final = 500  # records that share a flush


def add_items(state: Path, project: str, items: int, live: int) -> None:
    """Items `WRK-1` and so on of a registered project; all but the last `live` of them are cancelled."""
    write(state, _items(project, items, live))


def _items(project: str, items: int, live: int) -> Iterator[Draft]:
    for number in range(1, items + 1):
        item = f"WRK-{number}"
        yield Draft(_added(number), project, item)
        if number <= items - live:
            yield Draft(ev.ItemCancelled(resolution=Resolution.CANCELLED), project, item)


def _added(number: int) -> ev.ItemAdded:
    return ev.ItemAdded(title=f"Do thing {number}", number=number, status=Status.READY, pipeline="feature")


def edits(events: int, items: int) -> Iterator[Draft]:
    """A long life: items are added, and then each is edited again and again."""
    for number in range(events):
        item = f"WRK-{number % items + 1}"
        if number < items:
            yield Draft(_added(number + 1), "demo", item)
        else:
            yield Draft(ev.ItemEdited(description="x" * FILLER_BYTES), "demo", item)


def nights(events: int, project: str) -> Iterator[Draft]:
    """Nights of work on a registered project: items are added, edited again and again, and end; the last one lives."""
    items = max(events // LIFE_RECORDS, 1)
    for number in range(1, items + 1):
        item = f"WRK-{number}"
        yield Draft(_added(number), project, item)
        for _ in range(LIFE_RECORDS - 2):
            yield Draft(ev.ItemEdited(description="x" * FILLER_BYTES), project, item)
        if number < items:
            yield Draft(ev.ItemCancelled(resolution=Resolution.CANCELLED), project, item)


def write(state: Path, drafts: Iterable[Draft]) -> None:
    """Append events to the journal of a state folder."""
    trio.run(_write, state, drafts)


async def _write(state: Path, drafts: Iterable[Draft]) -> None:
    journal = await Journal.open(state, RealDisk(), SystemClock().now_us, Limits(), lambda record: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(journal.run)
        for number, draft in enumerate(drafts):
            journal.stage((draft,))
            if number % GROUP == 0:
                await journal.durable(journal.seq)
        await journal.aclose()
        nursery.cancel_scope.cancel()
