"""Reading durable records back while the journal is being written. Every line's hash is checked again, every time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from operator import attrgetter

from golemd.adapters.disk import Disk
from golemd.adapters.journal.faults import JournalDamaged, records_pruned
from golemd.adapters.journal.line import BadLine, Chain, FutureRecord, decode
from golemd.adapters.journal.segments import FOLDER, Lines, Reading, Segment, length
from golemd.adapters.journal.snapshots import Header, extent_of
from golemd.api.events import Record

_FIRST = attrgetter("first")


class Place:
    """Where a reading has got to, so that the next one begins there: what has been read is not read again."""

    __slots__ = ("chain", "offset", "segment")

    def __init__(self) -> None:
        self.chain = Chain()
        self.segment: Segment | None = None
        self.offset = 0


class Reader:
    """Finds records by their seq. `segments` grows as the journal does; only bytes below their `size` are read."""

    def __init__(self, disk: Disk, segments: list[Segment], chunk: int) -> None:
        self._disk = disk
        self._segments = segments
        self._chunk = chunk

    def chunks(self, since: int, until: int, place: Place | None = None) -> Iterator[list[Record]]:
        """Records with `since` < seq <= `until`, the chain checked from one to the next. Faults: JournalDamaged.

        `place`: where the reader's last reading has got to; it begins there if that is at `since`.
        """
        place = place or Place()
        chain = place.chain if place.chain.seq == max(since, 0) else None
        at = max(bisect_right(self._segments, since + 1, key=_FIRST) - 1, 0)
        segments = self._segments[at:]  # none of them moves when the oldest are pruned meanwhile
        for segment in segments if since < until else ():
            if chain is not None and chain.seq >= until:
                break
            seq, offset = segment.first, place.offset if segment is place.segment else 0
            if chain is None:
                seq, offset = segment.nearest(since + 1)
            with self._open(segment) as file:
                lines = Lines(self._disk, file, offset, segment.size, self._chunk)
                for chunk in lines:
                    chain = chain or self._join(segment, seq, chunk[0], offset)
                    records = self._follow(segment, chain, chunk, lines.start)
                    place.chain, place.segment, place.offset = chain, segment, lines.offset
                    wanted = [record for record in records if since < record.seq <= until]
                    if wanted:
                        yield wanted
                    if chain.seq >= until:
                        return
        if since < until:
            raise self._missing(chain.seq + 1 if chain is not None else since + 1)

    def pick(self, seqs: Iterable[int]) -> Iterator[Record]:
        """The records of these seqs, in this order; neighbours share one reading. Faults: JournalDamaged."""
        low, window = 0, list[bytes]()
        for seq in seqs:
            if not low <= seq < low + len(window):
                low, window = self._window(seq)
            try:
                record = decode(window[seq - low])
            except (BadLine, FutureRecord) as bad:
                raise self._damaged(self._of(seq), 0, seq - 1, bad.what) from bad
            if record.seq != seq:
                raise self._damaged(self._of(seq), 0, seq - 1, f"record {record.seq} stands where {seq} belongs")
            yield record

    @contextmanager
    def _open(self, segment: Segment) -> Iterator[int]:
        """Faults: NotFound `records_pruned`, when it was removed while others of a long reading were read."""
        if self._segments[0].first > segment.first:
            raise records_pruned(segment.first, self._segments[0].first)
        with Reading(self._disk, segment.path) as file:
            yield file

    def _of(self, seq: int) -> Segment:
        return self._segments[bisect_right(self._segments, seq, key=_FIRST) - 1]

    def last_of(self, segments: list[Segment], first: int, fold: str) -> Header:
        """What a snapshot begins with that stands for these segments, so that the journal may begin with `first`."""
        (record,) = self.pick([first - 1])
        segment = segments[-1]
        with Reading(self._disk, segment.path) as file:
            _, offset = segment.nearest(first - 1)
            for chunk in (lines := Lines(self._disk, file, offset, segment.size, self._chunk)):
                start = lines.offset - len(chunk[-1]) - 1
        return Header(
            fold=fold,
            seq=record.seq,
            h=record.h,
            d=record.d,
            ts=record.ts,
            first=first,
            start=start,
            segments=tuple(map(extent_of, segments)),
        )

    def _window(self, seq: int) -> tuple[int, list[bytes]]:
        """Lines around a record, from the indexed one before it: the seq of the first, and the lines."""
        segment = self._of(seq)
        low, offset = segment.nearest(seq)
        with Reading(self._disk, segment.path) as file:
            for chunk in Lines(self._disk, file, offset, segment.size, self._chunk):
                if seq < low + len(chunk):
                    return low, chunk
                low += len(chunk)
        raise self._missing(seq)

    def _join(self, segment: Segment, seq: int, line: bytes, offset: int) -> Chain:
        """A chain that begins with this line, whatever came before it."""
        try:
            return Chain(seq - 1, decode(line).prev)
        except (BadLine, FutureRecord) as bad:
            raise self._damaged(segment, offset, seq - 1, bad.what) from bad

    def _follow(self, segment: Segment, chain: Chain, lines: list[bytes], start: int) -> list[Record]:
        records = chain.follow(lines)
        good = len(records)
        if good < len(lines):
            try:
                what = chain.objection(lines[good]).what
            except FutureRecord as future:
                what = future.what
            raise self._damaged(segment, start + length(lines[:good]), chain.seq, what)
        return records

    def _damaged(self, segment: Segment, offset: int, seq: int, what: str) -> JournalDamaged:
        return JournalDamaged(f"{FOLDER}/{segment.path.name}", offset, seq, what, hint=_hint(seq))

    def _missing(self, seq: int) -> JournalDamaged:
        return JournalDamaged(FOLDER, 0, seq - 1, f"record {seq} was durable and is gone", hint=_hint(seq - 1))


def _hint(seq: int) -> str:
    """What to do about damage that shows after the start: what followed it is known, and is not to be cut lightly."""
    return (
        "What golemd knows of what came after is sound. Stop it and put a backup of the file in its place; only where "
        f"there is none, `golemd --repair {seq}` keeps a copy and cuts all that came after record {seq}."
    )
