"""The worklog: what was done to items, phase by phase, as Markdown that people and phase-golem's tools can read.

One entry is a heading with time, id and title, and a few lines `- **Name:** value`. It is made of records alone.
A project may also keep it in its repository, a file a month in `_worklog/`: each commit of an item's work then holds
what is news of that item and in no earlier commit of its run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from msgspec import Struct

from golemd.api import events as ev
from golemd.api.events import Event, Record
from golemd.api.model import GateKind, Resolution, ResultCode, Run, Stage
from golemd.api.words import plain

FOLDER: Final = "_worklog"
MERGED_BY_LINES: Final = {f"{FOLDER}/.gitattributes": "*.md merge=union\n"}
"""Lets git merge branches that have each added entries at the end of the same file."""
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


def to_be_kept(records: Iterable[Record], run: Run, title: str) -> dict[str, str]:
    """What the next commit of a run adds to the files of the worklog, each named with its folder.

    `records` are those of the run's item. The phase that is about to be committed is complete, unless another round
    of it follows or it was told of already; its time is that at which its result was accepted, so that a commit that
    is made again says the same.
    """
    files: defaultdict[str, str] = defaultdict(str)
    for record, entry in _untold(records, run):
        files[f"{FOLDER}/{record.ts[:7]}.md"] += f"{markdown(record, entry, title)}\n"
    return dict(files)


def _untold(records: Iterable[Record], run: Run) -> Iterator[tuple[Record, Entry]]:
    """The news of a run that no commit of it holds yet."""
    news: list[tuple[Record, Entry]] = []
    told: set[str] = set()  # phases whose commits, which come before their ends, have said that they are complete
    accepted: Record | None = None
    for record in records:
        event = record.data
        if isinstance(event, ev.RunCreated):
            news.clear()
        elif isinstance(event, ev.CommitCreated) and event.deferred:
            told.discard(event.phase)
        elif isinstance(event, ev.CommitCreated):
            news.clear()
            told.add(event.phase)
        elif isinstance(event, ev.AttemptAccepted) and event.attempt == run.phase.accepted:
            accepted = record
        ended = isinstance(event, ev.PhaseCompleted) and event.phase in told
        entry = None if ended else entry_of(record)
        if entry is not None:
            news.append((record, entry))
    yield from news
    if accepted is not None and run.phase.stage is Stage.COMMIT and not run.phase.more_rounds:
        yield accepted, Entry("Complete", run.phase.summary, run.phase.name)


def _one_line(text: str) -> str:
    words = " ".join(plain(text).split())
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
