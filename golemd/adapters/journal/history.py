"""What is durable, read back: single records, stretches, all of it; long readings in slices, so that others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import trio
from msgspec import Struct

from golemd.adapters.journal.faults import JournalDamaged, records_pruned
from golemd.adapters.journal.limits import Limits
from golemd.adapters.journal.line import ZERO_HASH
from golemd.adapters.journal.reading import Place, Reader
from golemd.adapters.journal.segments import FOLDER, Segment
from golemd.adapters.journal.walk import End
from golemd.api.events import Record
from golemd.api.faults import NotFound

Visit: TypeAlias = Callable[[Record], bool | None]
"""What is done with each record of a long reading; True ends it."""


class Verified(Struct, frozen=True):
    """What `verify` read: how many records in how many segments, and the last record's hash, which stands for all.

    `first`: the record with which it begins.
    """

    records: int
    segments: int
    digest: str
    first: int = 1


class History:
    """The durable part of a journal; `segments` are its files, and grow with it."""

    def __init__(
        self, reader: Reader, segments: list[Segment], end: End, limits: Limits, timer: Callable[[], float]
    ) -> None:
        self._reader = reader
        self._segments = segments
        self._durable, self._durable_h = end.seq, end.h
        self._limits = limits
        self._timer = timer
        self._slice_begun = 0.0

    @property
    def durable_seq(self) -> int:
        """The newest durable record."""
        return self._durable

    @property
    def first(self) -> int:
        """The oldest record that is there, or will be the first one."""
        return self._segments[0].first if self._segments else self._durable + 1

    def read(self, seqs: Iterable[int]) -> Iterator[Record]:
        """Durable records by number, in the order asked for.

        Faults: NotFound `no_record`, `records_pruned`; JournalDamaged.
        """
        return self._reader.pick(map(self._known, seqs))

    def scan(self, since: int, until: int, place: Place | None = None) -> Iterator[Record]:
        """Durable records with `since` < seq <= `until`, in order; `until` may lie ahead. `place`: see Reader.chunks.

        Faults: NotFound `records_pruned`; JournalDamaged.
        """
        if since + 1 < self.first and since < until:
            raise records_pruned(max(since, 0) + 1, self.first)
        for records in self._reader.chunks(since, min(until, self._durable), place):
            yield from records

    async def scan_slices(self, since: int, until: int, visit: Visit, place: Place | None = None) -> None:
        """Like `scan`, for long stretches: `visit` gets each record, and others may run about every millisecond."""
        await self._in_slices(self.scan(since, until, place), visit)

    async def read_slices(self, seqs: Iterable[int], visit: Visit) -> None:
        """Like `read`, for many records that lie far apart: in slices, as `scan_slices`."""
        await self._in_slices(self.read(seqs), visit)

    async def _in_slices(self, records: Iterable[Record], visit: Visit) -> None:
        slice_s = self._limits.slice_us / 1e6
        begun = self._timer()
        for record in records:
            if visit(record):
                return
            if self._timer() - begun >= slice_s:
                await trio.lowlevel.checkpoint()
                begun = self._timer()

    async def verify(self) -> Verified:
        """Read every durable line and the whole chain again from disk, in slices. Faults: JournalDamaged."""
        until, digest, segments = self._durable, self._durable_h, len(self._segments)
        first = self.first
        found = ZERO_HASH

        def visit(record: Record) -> None:
            nonlocal found
            found = record.h

        await self.scan_slices(first - 1, until, visit)
        if found != digest:
            raise JournalDamaged(FOLDER, 0, until - 1, f"record {until} is not the one that was written")
        return Verified(until - first + 1, segments, digest, first)

    async def _pause(self) -> None:
        """Let others run, if it is time for that."""
        if self._timer() - self._slice_begun >= self._limits.slice_us / 1e6:
            await trio.lowlevel.checkpoint()
            self._slice_begun = self._timer()

    def _known(self, seq: int) -> int:
        if not 1 <= seq <= self._durable:
            raise NotFound("no_record", f"there is no durable record {seq}", seq=seq)
        if seq < self.first:
            raise records_pruned(seq, self.first)
        return seq
