"""Reading a whole journal, changing nothing: every line, the chain, the order of the segments.

It begins with the first byte, or with a Start: behind the record of a snapshot, what is before being left as it is.

A walk stops at the first line that does not follow. What that means is `judge`'s business: with the durable watermark
(the larger of the head and every valid line's `d`) it tells a torn end, which was never confirmed to anyone, from
damage, which is refused.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct

from golemd.adapters.disk import Disk
from golemd.adapters.journal import head
from golemd.adapters.journal.faults import JournalDamaged, JournalFault, JournalNewer
from golemd.adapters.journal.head import Mark
from golemd.adapters.journal.line import ZERO_HASH, Chain, FutureRecord, durable_claim
from golemd.adapters.journal.segments import FOLDER, INDEX_MASK, Lines, Reading, Segment, length, list_segments
from golemd.adapters.journal.snapshots import Start
from golemd.adapters.journal.times import microseconds
from golemd.api.events import JournalPruned, Record

BEGINS_LATER: Final = (
    "Put the missing files of journal/ or snapshots/ back from a backup. If the journal was pruned and golemd has been "
    "replaced since, the release that took the snapshots can still read them. `golemd --repair 0` keeps a copy of all, "
    "then begins anew."
)


class End(Struct, frozen=True):
    """The end of a whole command: its last record, and the byte after it in its segment (None: no record at all)."""

    seq: int = 0
    h: str = ZERO_HASH
    ts: str = "1970-01-01T00:00:00.000000Z"
    segment: Segment | None = None
    offset: int = 0

    @property
    def us(self) -> int:
        """When, in microseconds since the epoch."""
        return microseconds(self.ts)


class Torn(Struct, frozen=True):
    """Bytes at the end of the last segment that were never confirmed: from `offset` on, `bytes` of them."""

    segment: Segment
    offset: int
    bytes: int


class Walk:
    """One reading. Afterwards: `segments`, `chain` (the last good record), `end` (the last whole command), `fault`.

    `on_record` gets the records of whole commands, in order, while the journal streams by. `torn` says that the fault
    lies in the last segment and looks like an unfinished write; whether it is one, only the watermark knows. With
    `until`, `end` is the last one not beyond that record, and `next_end` the record that ends the next command.
    """

    def __init__(
        self,
        disk: Disk,
        folder: Path,
        chunk: int,
        on_record: Callable[[Record], None] = lambda record: None,
        marks: Sequence[Mark] = (),
        until: int = sys.maxsize,
        start: Start | None = None,
    ) -> None:
        self._disk = disk
        self._chunk = chunk
        self._until = until
        self._on_record = self._take_record = on_record
        self._unfinished: list[Record] = []  # of a command whose last record was not seen yet
        self._hashes_wanted = {mark.seq for mark in marks}
        self.segments = list_segments(disk, folder / FOLDER)
        self.chain = Chain()
        self.end = End()
        self._position = self._offset = 0  # of the segment, and of the byte in it, with which the reading begins
        self._number = 1  # of the first segment
        self.permitted = 1  # the record with which the journal may begin, all before it having been pruned
        self.next_end: int | None = None
        self.claim = 0
        self.fault: JournalFault | None = None
        self.torn = False
        self.hashes = {0: ZERO_HASH}
        if start is not None:
            self._begin_at(start)
        self.begun = self.chain.seq
        if self.first > self.permitted:
            self._on_record = self._watching

    @property
    def first(self) -> int:
        """The record with which the first segment begins."""
        return self.segments[0].first if self.segments else 1

    def _watching(self, record: Record) -> None:
        """Mind records that permit the journal to begin later."""
        if isinstance(record.data, JournalPruned):
            self.permitted = record.data.first
        self._take_record(record)

    def _begin_at(self, start: Start) -> None:
        header = start.header
        self.segments = start.segments
        self.chain = Chain(header.seq, header.h, header.d, header.ts)
        self._position, self._offset, self._number = start.position, start.offset, start.segments[0].number
        self.permitted = header.first
        within = start.segments[start.position] if start.offset else None
        self.end = End(header.seq, header.h, header.ts, within, start.offset)
        self.hashes[header.seq] = header.h

    def run(self) -> Walk:
        """Read everything up to the first bad line."""
        with collector_paused():
            for position, segment in list(enumerate(self.segments))[self._position :]:
                last = position == len(self.segments) - 1
                offset, self._offset = self._offset, 0
                if what := "" if offset else self._misplaced(segment, position):
                    self._stop(segment, 0, what)
                else:
                    self._read(segment, offset, last)
                if self.fault is not None:
                    break
        return self

    @property
    def unfinished(self) -> bool:
        """Whether the good records end within a command."""
        return bool(self._unfinished)

    def _misplaced(self, segment: Segment, position: int) -> str:
        """What is wrong with a segment's name where it stands; empty when nothing is."""
        if position == 0 and self.begun == 0 and self.first > 1 < segment.number:
            return f"the records before {self.first} are gone, and no snapshot that can be read goes on from them"
        if segment.number != self._number + position:
            return f"segment {segment.number} stands where segment {self._number + position} belongs"
        if segment.first != self.chain.seq + 1:
            return f"the segment begins with record {segment.first} where {self.chain.seq + 1} belongs"
        if self._unfinished:
            return "the segment before ends within a command"
        return ""

    def _stop(self, segment: Segment, offset: int, what: str, *, torn: bool = False) -> None:
        hint = BEGINS_LATER if self.first > self.chain.seq + 1 else ""
        name = f"{FOLDER}/{segment.path.name}"
        self.fault = JournalDamaged(name, offset, self.chain.seq, what, self.end.seq, hint=hint)
        self.torn = torn

    def _read(self, segment: Segment, offset: int, last: bool) -> None:
        with Reading(self._disk, segment.path) as file:
            segment.size = self._disk.size(file)
            if segment.size == 0:
                self._stop(segment, 0, "the segment is empty", torn=last)
            lines = Lines(self._disk, file, offset, segment.size, self._chunk)
            chunks = iter(lines)
            for chunk in chunks:
                good = self._take(segment, chunk, lines.start)
                if good < len(chunk):
                    self._object(segment, lines.start + length(chunk[:good]), chunk[good], last)
                    self._claims(chunk[good + 1 :])
                    break
            for chunk in chunks:  # what follows a bad line still tells what was durable
                self._claims(chunk)
            if lines.rest:
                self._claims([lines.rest])
                if self.fault is None:
                    self._stop(segment, lines.offset, "the last line has no end", torn=last)

    def _object(self, segment: Segment, offset: int, line: bytes, last: bool) -> None:
        """Say why a line is bad. One that a writer sealed so is no torn write."""
        try:
            bad = self.chain.objection(line)
        except FutureRecord as future:
            self.fault = JournalNewer(f"{FOLDER}/{segment.path.name}", offset, future.seq, future.what)
        else:
            self._stop(segment, offset, bad.what, torn=last and not bad.sealed)

    def _claims(self, lines: list[bytes]) -> None:
        self.claim = max([self.claim, *map(durable_claim, lines)])

    def _take(self, segment: Segment, lines: list[bytes], start: int) -> int:
        """Follow the lines, hand on whole commands, note offsets; how many lines are good."""
        before = self.chain.seq
        records = self.chain.follow(lines)
        if records:
            segment.index_if_far(before + 1, start)
        for at in range(-(before + 1) & INDEX_MASK, len(records), INDEX_MASK + 1):
            segment.index(before + 1 + at, start + length(lines[:at]))
        for seq in self._hashes_wanted:
            if before < seq <= self.chain.seq:
                self.hashes[seq] = records[seq - before - 1].h
        self._hand_on(records)
        self._note_end(segment, lines, start, records, self._until - before)
        return len(records)

    def _note_end(self, segment: Segment, lines: list[bytes], start: int, records: list[Record], wanted: int) -> None:
        """Where the last whole command ends, among the first `wanted` records."""
        whole = min(len(records), max(wanted, 0))
        if self.next_end is None:
            self.next_end = next((record.seq for record in records[whole:] if not record.more), None)
        while whole and records[whole - 1].more:
            whole -= 1
        if whole:
            record = records[whole - 1]
            self.end = End(record.seq, record.h, record.ts, segment, start + length(lines[:whole]))

    def _hand_on(self, records: list[Record]) -> None:
        unfinished, on_record = self._unfinished, self._on_record
        for record in records:
            if record.more:
                unfinished.append(record)
                continue
            if unfinished:
                for earlier in unfinished:
                    on_record(earlier)
                unfinished.clear()
            on_record(record)


def marks_of(slots: list[Mark | None] | None) -> list[Mark]:
    """The valid slots of a head."""
    return [mark for mark in slots or () if mark is not None]


def judge(walk: Walk, slots: list[Mark | None] | None) -> Torn | None:
    """What is to be cut from the end; None when nothing is. Faults: JournalDamaged, JournalNewer."""
    if walk.fault is not None and not walk.torn:
        raise walk.fault
    marks = marks_of(slots)
    if not marks and (walk.segments or slots is not None):
        what = "it is missing" if slots is None else "neither of its slots is valid"
        raise JournalDamaged(head.NAME, 0, walk.end.seq, f"{what}, so nothing says where the durable journal ends")
    durable = max([walk.claim, walk.chain.d, *(mark.seq for mark in marks)])
    if durable > walk.end.seq:
        raise walk.fault if walk.fault is not None else _lost_end(walk, durable)
    if walk.first > walk.permitted:
        what = f"the records before {walk.first} are gone, and nobody had them pruned"
        name = f"{FOLDER}/{walk.segments[0].path.name}"
        raise JournalDamaged(name, 0, walk.end.seq, what, hint=BEGINS_LATER)
    for mark in marks:
        if mark.seq >= walk.begun and mark.record != walk.hashes[mark.seq]:
            raise JournalDamaged(head.NAME, 0, walk.end.seq, f"record {mark.seq} is not the one that it names")
    try:
        microseconds(walk.end.ts)
    except ValueError as error:
        raise JournalDamaged(FOLDER, 0, walk.end.seq, f"the time of record {walk.end.seq} is none: {error}") from error
    if walk.fault is None and not walk.unfinished:
        return None
    last = walk.segments[-1]
    offset = walk.end.offset if walk.end.segment is last else 0
    return Torn(last, offset, last.size - offset)


def _lost_end(walk: Walk, durable: int) -> JournalDamaged:
    last = walk.segments[-1] if walk.segments else None
    file = f"{FOLDER}/{last.path.name}" if last is not None else FOLDER
    what = f"the journal ends here, but record {durable} was durable"
    return JournalDamaged(file, last.size if last is not None else 0, walk.end.seq, what)


@contextmanager
def collector_paused() -> Iterator[None]:
    """No cyclic collection while millions of live records come into being: it would only walk over them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
