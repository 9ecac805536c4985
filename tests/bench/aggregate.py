"""An item as the library eventsourcing keeps it, and its application over SQLite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from tests.bench.writers import RECORD_BYTES


class Item(Aggregate):
    """Something whose description is edited."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.description = ""

    @event("Edited")
    def edit(self, description: str) -> None:
        self.description = description


def application(folder: Path) -> Any:
    """The application whose events are in this folder."""
    return Application(
        env={"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(folder / "eventsourcing")}
    )


def write(folder: Path, events: int, items: int) -> None:
    """A long life, of events whose state has about RECORD_BYTES."""
    app = application(folder)
    found = [Item(title="x") for _ in range(min(items, events))]
    for number in range(events - len(found)):
        found[number % len(found)].edit(description="x" * (RECORD_BYTES - 100))
    app.save(*found)
    app.close()
