"""Lives of a daemon's journal on the simulated disk, and what each of them told the world.

Nothing here asks the journal what it holds: `told` is kept by whoever was answered, and the journal's files are read by
`outside`, which knows the published format and not the code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import trio
from msgspec import Struct

from golemd.adapters.journal import Journal, Limits
from golemd.api.events import Draft, JournalPruned, Record
from golemd.api.faults import Fault, Unavailable
from tests.adapters.journal.crashdisk import STATE, CrashDisk, Image, PowerCut
from tests.adapters.journal.kit import Clock, Tape
from tests.faults.outside import check_lines, newest_mark

SMALL: Final = Limits(segment_bytes=1500, reserve_bytes=8192, chunk_bytes=700)
Command = list[Draft]


class Broken(Exception):
    """A promise was broken."""


class Told:
    """What the world knows of a journal: every record that was ever staged, and how many were confirmed to somebody."""

    def __init__(self, records: Sequence[Record] = (), confirmed: int = 0) -> None:
        self.records = list(records)
        self.confirmed = confirmed

    def confirm(self, seq: int) -> None:
        self.confirmed = max(self.confirmed, seq)


class Life:
    """One daemon's life: it opens the journal, records commands, and closes it or is ended."""

    def __init__(self, disk: CrashDisk, told: Told, limits: Limits = SMALL) -> None:
        self.disk = disk
        self.told = told
        self.limits = limits
        self.journal: Journal

    async def begin(self) -> None:
        """Open the journal; what it replays is shown to the world, and what it cut is its first record."""
        tape = self.tape = Tape()
        self.journal = await Journal.open(
            STATE, self.disk, Clock(), self.limits, tape.take, codec=tape.codec, timer=lambda: 0.0
        )
        replayed = tape.records
        if len(replayed) < self.told.confirmed or replayed != self.told.records[: len(replayed)]:
            raise Broken(f"of {self.told.confirmed} confirmed records a start finds {len(replayed)}, or other ones")
        self.told.records = replayed
        self.told.confirm(self.journal.durable_seq)
        if self.journal.repaired_tail is not None:
            self.stage([Draft(self.journal.repaired_tail)])

    def stage(self, command: Command, *, essential: bool = False) -> int:
        """Stage a command; the last of its records. Raises Broken when it is not marked as one command."""
        records = self.journal.stage(command, essential=essential)
        if [record.more for record in records] != [True] * (len(records) - 1) + [False]:
            raise Broken(f"the {len(records)} records of a command are not marked as one")
        for record in records:
            self.tape.take(record)
        return self.journal.seq

    async def snapshot(self) -> bool:
        """Take a snapshot of all that is durable; whether that went well, which is nobody's loss if not."""
        await self.journal.durable(self.journal.seq)
        return await self.tape.keep(self.journal)

    def stage_what_fits(self, command: Command, *, essential: bool = False) -> int:
        """Stage a command again and again until the disk is full; how often it went in."""
        for count in range(1000):
            try:
                self.stage(command, essential=essential)
            except Unavailable as full:
                if full.code != "disk_full":
                    raise
                return count
        raise AssertionError("a full disk takes everything")

    async def prune(self) -> bool:
        """Have the oldest segment removed, as the engine does: intent, snapshots, removal."""
        first = self.journal.extents[1][0]
        self.stage([Draft(JournalPruned(first=first, segments=1, bytes=0))])
        await self.flush()
        taken = await self.tape.keep(self.journal, first)
        return taken and await self.journal.prune(first, self.tape.until(first - 1))

    async def commit(self, *commands: Command) -> None:
        """Record commands at the same time, each by a client of its own, and hear that they are durable."""
        async with trio.open_nursery() as nursery:
            for command in commands:
                nursery.start_soon(self._hear, self.stage(command))

    async def flush(self) -> None:
        """Hear that all that was staged is durable."""
        await self._hear(self.journal.seq)

    async def _hear(self, seq: int) -> None:
        await self.journal.durable(seq)
        self.told.confirm(seq)

    async def close(self) -> None:
        """End in good order; where the writer has failed before, nothing is confirmed by that."""
        await self.journal.aclose()
        if not self.journal.failed:
            self.told.confirm(self.journal.seq)


Script = Callable[[Life], Awaitable[None]]


async def live(life: Life, script: Script) -> None:
    """A life from the start to the end of its script."""
    await life.begin()
    async with trio.open_nursery() as nursery:
        await nursery.start(life.journal.run)
        await script(life)
        nursery.cancel_scope.cancel()


def run(life: Life, script: Script) -> bool:
    """Live until the script is over; False when the power went or the journal refused before that. Raises Broken."""
    try:
        trio.run(live, life, script)
    except BaseException as error:
        for each in _leaves(error):
            if not isinstance(each, (PowerCut, Fault, trio.Cancelled)):
                raise each from error
        return False
    return True


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


# --- what a stranger finds on the disk ---------------------------------------------------------------------------


class Found(Struct):
    """The journal's lines in order, and the durable end that its head tells of."""

    records: list[dict[str, Any]]
    head: int


def look(image: Image) -> Found:
    """Read a journal's files as they are published. Raises AssertionError for a line that is not sealed or does not
    follow."""
    return _look(tuple(segments_of(image)), image.get("head", b""))


@lru_cache(1 << 10)  # after most crashes the same few journals are left
def _look(files: tuple[tuple[str, bytes], ...], head: bytes) -> Found:
    lines = [line for _, data in files for line in data.split(b"\n")[:-1]]
    return Found(check_lines(lines), newest_mark(head))


def segments_of(image: Image) -> list[tuple[str, bytes]]:
    """The journal's segments in order: path and content."""
    return sorted(item for item in image.items() if item[0].startswith("journal/") and item[0].endswith(".jsonl"))
