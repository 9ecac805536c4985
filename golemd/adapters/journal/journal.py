"""The journal as the engine uses it: `stage` now, `await durable` before anyone is told.

staged → folded → durable → answered, shown, acted upon. `stage` gives a command's records their numbers, time and bytes
without awaiting anything; `run`, the one writer, takes all that is staged, appends it, syncs it once, writes the
head, and only then lets anyone past `durable`. No timer: while one sync runs, the next batch grows.

The command is the atom: its records are staged all or none, and lie in one write to one segment. Any failed write,
sync or rename makes the journal FAILED for good: nothing is retried, everyone gets JournalFailed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import trio

from golemd.adapters.disk import Disk
from golemd.adapters.journal.appender import Appender
from golemd.adapters.journal.faults import JournalFailed, failure
from golemd.adapters.journal.head import Mark
from golemd.adapters.journal.history import History
from golemd.adapters.journal.keeper import Keeper
from golemd.adapters.journal.limits import Limits
from golemd.adapters.journal.line import VERSION, encode
from golemd.adapters.journal.reading import Reader
from golemd.adapters.journal.recovery import Recovered, Wait, recover
from golemd.adapters.journal.segments import Segment
from golemd.adapters.journal.snapshots import Codec, Header, extent_of
from golemd.adapters.journal.times import timestamp
from golemd.api.events import Draft, JournalRepaired, Record

log = logging.getLogger(__name__)


class _Batch:
    """What is staged together: one write, one sync, one event for all who wait."""

    __slots__ = ("done", "first", "last", "last_h", "lines", "record")

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.first = 0
        self.last = 0
        self.last_h = ""
        self.record: Record | None = None  # the last one
        self.done = trio.Event()


class Journal(History):
    """The open journal. Made by `open`; `run` must run in the engine's nursery; `aclose` ends both.

    `repaired_tail`: what was cut before this start, not recorded yet; the engine stages it as its first event.
    `snapshot_seq`: the record of the newest snapshot that this journal has read or written; 0 for none.
    """

    def __init__(
        self,
        disk: Disk,
        folder: Path,
        clock: Callable[[], int],
        limits: Limits,
        found: Recovered,
        timer: Callable[[], float],
        fold: str,
    ) -> None:
        super().__init__(Reader(disk, found.segments, limits.chunk_bytes), found.segments, found.end, limits, timer)
        self._clock = clock
        self._disk = disk
        self._head = found.head
        self._appender = Appender(disk, folder, limits, found.segments)
        self._seq, self._h = found.end.seq, found.end.h
        self._last_us = found.end.us
        self._newest: tuple[Record | None, int] = None, 0  # the record at `_durable`, and the bytes of its line
        self._fold = fold
        self.snapshot_seq = found.snapshot_seq
        self._keeper = Keeper(disk, folder, limits.reserve_bytes, self._pause)
        self._failure: JournalFailed | None = None
        self._closed = False
        self._pending = _Batch()
        self._gathering = 0
        self._due = False  # a gathering is over, and what it staged is not to wait for the next one
        self._inflight: _Batch | None = None
        self._flushing = trio.Lock()
        self._wake = trio.Event()
        self._moved = trio.Event()
        self.repaired_tail: JournalRepaired | None = found.repaired

    @classmethod
    async def open(
        cls,
        folder: Path,
        disk: Disk,
        clock: Callable[[], int],
        limits: Limits,
        on_record: Callable[[Record], None],
        *,
        codec: Codec | None = None,
        timer: Callable[[], float] = time.perf_counter,
        wait_for_room: Wait | None = None,
    ) -> Self:
        """Replay the journal of state folder `folder`, which exists and whose lock is held.

        `clock`: microseconds since the epoch. `on_record` gets every record of every whole command, in order; with
        `codec`, those after the newest snapshot that fits, which is restored first.
        `timer`: seconds, only for choosing when to let others run. `wait_for_room`: what to do on a full disk, as often
        as needed. The next segment is made with the first record that is staged.
        Faults: JournalDamaged, JournalNewer, JournalFailed.
        """
        found = await recover(disk, folder, limits, on_record, codec, wait_for_room)
        return cls(disk, folder, clock, limits, found, timer, "" if codec is None else codec.fold)

    @property
    def seq(self) -> int:
        """The newest staged record."""
        return self._seq

    @property
    def degraded(self) -> bool:
        """Whether the disk is too full to renew the reserve."""
        return self._appender.degraded

    @property
    def failed(self) -> bool:
        """Whether a write, sync or rename has failed. It stays so."""
        return self._failure is not None

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """More is to be staged soon: what is staged meanwhile is flushed together, afterwards."""
        self._gathering += 1
        try:
            yield
        finally:
            self._gathering -= 1
            self._due = bool(self._pending.lines)
            self._wake.set()

    def stage(
        self, drafts: Sequence[Draft], *, body: str = "", cause: str = "", essential: bool = False
    ) -> list[Record]:
        """Number, date, encode and stage the records of one command: all of them or, with a fault, none.

        `cause` is for drafts without one; `body` goes into the first record; `essential` (the end of an attempt) may
        use the whole reserve of a full disk. Faults: Invalid `cannot_record`, Unavailable `disk_full`, JournalFailed.
        """
        self._check()
        if not drafts:
            return []
        lines, records, now = self._encode(drafts, body, cause)
        size = sum(map(len, lines))
        try:
            self._appender.secure(self._seq + 1, size, essential=essential)
        except OSError as error:
            raise self._fail(error) from error
        self._last_us = now
        self._add(lines, records)
        if not self._gathering:
            self._wake.set()
        return records

    async def durable(self, seq: int) -> None:
        """Return when record `seq`, which has been staged, is durable. Faults: JournalFailed."""
        self._check()
        if seq > self._seq:
            raise ValueError(f"record {seq} was never staged")
        if seq <= self._durable:
            return
        batch = self._inflight
        if batch is None or seq > batch.last:
            batch = self._pending
        await batch.done.wait()
        if seq > self._durable:
            self._check()

    async def wait_past(self, seq: int) -> int:
        """Return the durable seq once it is beyond `seq`. Faults: JournalFailed, also when the journal is closed."""
        while self._durable <= seq:
            self._check()
            await self._moved.wait()
        return self._durable

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write what is staged, until `aclose`. Asleep when there is nothing to write. Faults: JournalFailed."""
        task_status.started()
        while not self._closed:
            await self._wake.wait()
            self._wake = trio.Event()
            if self._failure is not None:
                self._check()
            while self._pending.lines and (self._due or not self._gathering):
                async with self._flushing:
                    await self._flush()
                await trio.lowlevel.checkpoint()  # who was just answered may join the next batch

    async def aclose(self) -> None:
        """Flush what is staged, sync the head, give the reserve back. Faults: JournalFailed, if this fails."""
        with trio.CancelScope(shield=True):
            async with self._flushing:
                if self._closed:
                    return
                self._closed = True
                try:
                    with ExitStack() as files:
                        files.callback(self._head.close)
                        files.callback(lambda: self._appender.close(trim=self._failure is None))
                        await self._finish()
                except OSError as error:
                    raise self._fail(error) from error
                finally:
                    self._wake.set()
                    self._moved.set()

    async def _finish(self) -> None:
        if self._failure is not None:
            return
        await self._flush()
        try:
            await self._head.sync()
        except OSError as error:
            raise self._fail(error) from error

    def poke(self) -> bool:
        """Look whether a full disk has room again; whether changing calls are let in. Faults: JournalFailed."""
        self._check()
        try:
            return self._appender.recheck(self._seq + 1)
        except OSError as error:
            raise self._fail(error) from error

    def standing(self, first: int = 1) -> Header | None:
        """What a snapshot of the state after the newest durable record begins with; None before the first flush.

        `first`: the record with which the journal may begin then.
        """
        record, line_bytes = self._newest
        if record is None:
            return None
        segments = self._appender.segments
        return Header(
            fold=self._fold,
            seq=record.seq,
            h=record.h,
            d=record.d,
            ts=record.ts,
            first=first,
            start=segments[-1].size - line_bytes,
            segments=tuple(map(extent_of, segments)),
        )

    async def keep_snapshot(self, header: Header, state: Iterable[bytes]) -> bool:
        """Write a snapshot while others run, and remove the oldest ones; whether that went well.

        `header` is what `standing` gave when the state was as `state`, its bytes in pieces, has it.
        """
        async with self._keeper.turn:
            written = not self.degraded and await self._keeper.write(header, state)
            if written:
                self.snapshot_seq = header.seq
                self._keeper.clear(header.seq, self.first)
            return written

    @property
    def extents(self) -> tuple[tuple[int, int], ...]:
        """The segments, oldest first: the first record and the size in bytes of each."""
        return tuple((segment.first, segment.size) for segment in self._segments)

    async def prune(self, first: int, state: Iterable[bytes]) -> bool:
        """Remove the segments before the one that begins with record `first`; whether nothing stood in the way.

        Before that, `state`, the one after record `first - 1`, becomes the snapshot with which the journal begins; it
        and a newer one are read back. Faults: JournalFailed.
        """
        async with self._keeper.turn:
            gone = [segment for segment in self._segments if segment.first < first]
            if not await self._stand_for(gone, first, state):
                return False
            try:
                await self._disk.sync_folder(self._keeper.folder)  # or a power cut could take all snapshots away
                for segment in gone:
                    self._disk.unlink(segment.path)
                    del self._segments[0]
                    await self._disk.sync_folder(segment.path.parent)
            except OSError as error:
                raise self._fail(error) from error
            self._keeper.clear(self._durable, first)
            return True

    async def _stand_for(self, gone: list[Segment], first: int, state: Iterable[bytes]) -> bool:
        """Whether snapshots now stand for segments that are to go."""
        try:
            header = self._reader.last_of(gone, first, self._fold)
            return await self._keeper.write(header, state) and self._keeper.are_covered(first)
        except OSError as error:
            log.warning("the records before %d cannot be read, to be pruned: %s", first, error)
            return False

    def base(self) -> memoryview | None:
        """The state with which a pruned journal begins; None where it begins with record 1, or cannot be read."""
        return self._keeper.read(self.first - 1)

    def _encode(self, drafts: Sequence[Draft], body: str, cause: str) -> tuple[list[bytes], list[Record], int]:
        now = max(self._clock(), self._last_us)
        ts = timestamp(now)
        lines: list[bytes] = []
        records: list[Record] = []
        seq, prev, final = self._seq, self._h, len(drafts) - 1
        for number, draft in enumerate(drafts):
            seq += 1
            line, record = encode(
                draft.event,
                seq=seq,
                d=self._durable,
                ts=ts,
                project=draft.project,
                item=draft.item,
                cause=draft.cause or cause,
                more=number < final,
                body="" if number else body,
                prev=prev,
                limit=self._limits.record_bytes,
            )
            prev = record.h
            lines.append(line)
            records.append(record)
        return lines, records, now

    def _add(self, lines: list[bytes], records: list[Record]) -> None:
        batch = self._pending
        if not batch.lines:
            batch.first = records[0].seq
        batch.lines += lines
        batch.last, batch.last_h = self._seq, self._h = records[-1].seq, records[-1].h
        batch.record = records[-1]

    async def _flush(self) -> None:
        """Write one batch, make it durable, wake those who wait. The lock is held; cancellation waits outside."""
        batch = self._pending
        if not batch.lines:
            return
        self._pending, self._inflight, self._due = _Batch(), batch, False
        try:
            with trio.CancelScope(shield=True):
                await self._appender.write(batch.first, batch.lines)
                self._head.write(Mark(VERSION, batch.last, batch.last_h))
        except Exception as error:
            raise self._fail(error) from error
        finally:
            self._inflight = None
        self._durable, self._durable_h = batch.last, batch.last_h
        self._newest = batch.record, len(batch.lines[-1])
        batch.done.set()
        moved, self._moved = self._moved, trio.Event()
        moved.set()

    def _fail(self, error: Exception) -> JournalFailed:
        """FAILED, for good: everyone who waits is woken to hear it. The fault for the caller to raise."""
        if self._failure is None:
            self._failure = failure(error)
        for batch in (self._inflight, self._pending):
            if batch is not None:
                batch.done.set()
        self._moved.set()
        self._wake.set()
        return self._failure

    def _check(self) -> None:
        if self._failure is not None:  # a fault of one's own for each: a shared one would collect all their tracebacks
            raise JournalFailed(self._failure.what)
        if self._closed:
            raise JournalFailed("it was closed")
