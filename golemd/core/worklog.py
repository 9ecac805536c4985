"""The worklog: what was done to items, phase by phase, as Markdown that people and phase-golem's tools can read.

One entry is a heading with time, id and title, and a few lines `- **Name:** value`. It is made of records alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from golemd.api import events as ev
from golemd.api.events import Event, Record
from golemd.api.model import GateKind, Resolution, ResultCode

MAX_SUMMARY: Final = 2_000  # characters


class Entry(Struct, frozen=True):
    """What one record means for the worklog."""

    outcome: str
    summary: str = ""
    phase: str = ""


def entry_of(record: Record) -> Entry | None:
    """The entry of a record; None for one that is no news of this kind."""
    read = _READERS.get(type(record.data))
    return read(record.data) if read is not None else None


def markdown(record: Record, entry: Entry, title: str) -> str:
    """The entry as text, with its line between it and the next."""
    fields = {"Phase": entry.phase, "Outcome": entry.outcome, "Summary": _one_line(entry.summary)}
    lines = [f"- **{name}:** {value}" for name, value in fields.items() if value]
    return "\n".join([f"## {record.ts} — {record.item} ({_one_line(title)})", "", *lines, "", "---", ""])


def _one_line(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= MAX_SUMMARY else words[: MAX_SUMMARY - 1] + "…"


def _accepted(event: ev.AttemptAccepted) -> Entry | None:
    if event.result is not ResultCode.SUBPHASE_COMPLETE:
        return None
    return Entry("Subphase Complete", event.summary, event.attempt.split(".")[2])


def _opened(event: ev.GateOpened) -> Entry | None:
    if event.kind in (GateKind.FAILURE, GateKind.APPROVAL):
        return None  # the phase that failed says so itself, and an approval blocks nothing that had gone on
    return Entry("Blocked", event.question, event.phase)


def _cancelled(event: ev.ItemCancelled) -> Entry:
    merged = event.resolution is Resolution.DUPLICATE
    return Entry("Merged", f"into {event.duplicate_of}") if merged else Entry("Cancelled", event.reason)


_READERS: Final[dict[type[Event], Callable[[Any], Entry | None]]] = {
    ev.PhaseCompleted: lambda event: Entry("Complete", event.summary, event.phase),
    ev.PhaseFailed: lambda event: Entry("Failed", event.reason, event.phase),
    ev.PhaseSkipped: lambda event: Entry("Skipped", event.reason, event.phase),
    ev.AttemptAccepted: _accepted,
    ev.GateOpened: _opened,
    ev.ItemCancelled: _cancelled,
    ev.ItemCompleted: lambda event: Entry("Done"),
}
