"""What the journal's tests share: drafts, an opened journal, disks that are watched or refuse."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, cast

import msgspec
import trio

from golemd.adapters.disk import Disk, RealDisk
from golemd.adapters.journal import Codec, Journal, Limits
from golemd.api.events import DaemonStopped, Draft, Record
from golemd.api.faults import Unavailable

NOON = 1_790_000_000_000_000  # µs


def drafts(*reasons: str) -> list[Draft]:
    """A command of one small event for each reason."""
    return [Draft(DaemonStopped(reason=reason)) for reason in reasons]


def reasons(records: list[Record]) -> list[str]:
    return [record.data.reason for record in records if isinstance(record.data, DaemonStopped)]


class Clock:
    """Microseconds, a millisecond later at each look; may be set back."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        self.now += 1000
        return self.now


class Tape:
    """A state that is the list of its records, with snapshots that hold their hashes."""

    KNOWN: ClassVar[dict[str, Record]] = {}

    def __init__(self, fold: str = "tape") -> None:
        self.records: list[Record] = []
        self.codec = Codec(fold, self.restore)
        self.restored = 0  # records that came out of a snapshot

    def take(self, record: Record) -> None:
        self.KNOWN[record.h] = record
        self.records.append(record)

    def restore(self, data: memoryview) -> None:
        try:
            hashes = msgspec.msgpack.decode(data, type=str).split()
            self.records[:] = [self.KNOWN[h] for h in hashes]
        except (KeyError, msgspec.MsgspecError) as error:
            raise ValueError("no tape") from error
        self.restored = len(self.records)

    def until(self, seq: int) -> Iterator[bytes]:
        """The tape as it was after a record, in bytes."""
        return _hashes(self.records[:seq])

    async def keep(self, journal: Journal, first: int = 1) -> bool:
        """Write a snapshot of all that is durable. `first`: the record with which the journal may begin."""
        header = journal.standing(first)
        return header is not None and await journal.keep_snapshot(header, self.until(header.seq))


def _hashes(records: list[Record]) -> Iterator[bytes]:
    yield b"\xdb" + (len(records) * 33).to_bytes(4, "big")
    for record in records:
        yield f"{record.h} ".encode()


async def load(folder: Path, disk: Disk | None = None, limits: Limits = Limits()) -> tuple[Journal, list[Record]]:  # noqa: B008 - frozen
    """Open a journal without its writer: it, and what was replayed."""
    seen: list[Record] = []
    journal = await Journal.open(folder, disk or RealDisk(), Clock(), limits, seen.append)
    return journal, seen


@asynccontextmanager
async def writing(journal: Journal) -> AsyncIterator[Journal]:
    """The journal's writer at work; closed at the end."""
    async with trio.open_nursery() as nursery:
        await nursery.start(journal.run)
        yield journal
        await journal.aclose()


@asynccontextmanager
async def opened(folder: Path, disk: Disk | None = None, limits: Limits = Limits()) -> AsyncIterator[Journal]:  # noqa: B008 - frozen
    journal, _ = await load(folder, disk, limits)
    async with writing(journal):
        yield journal


async def write(folder: Path, *commands: list[Draft], disk: Disk | None = None, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
    """One daemon's life: open, record each command durably, close."""
    async with opened(folder, disk, limits) as journal:
        for command in commands:
            await journal.durable(journal.stage(command)[-1].seq)


async def replay(folder: Path, disk: Disk | None = None) -> list[Record]:
    """What a start finds."""
    journal, seen = await load(folder, disk)
    await journal.aclose()
    return seen


def watched(inner: Disk, before: Callable[[str], None]) -> Disk:
    """A disk that tells `before` the name of each operation first; what it raises is the operation's outcome."""

    class Watched:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            operation = getattr(inner, name)

            def now(*args: Any, **options: Any) -> Any:
                before(name)
                return operation(*args, **options)

            async def later(*args: Any, **options: Any) -> Any:
                before(name)
                return await cast("Awaitable[Any]", operation(*args, **options))

            return later if inspect.iscoroutinefunction(operation) else now

    return cast("Disk", Watched())


def stage_until_full(journal: Journal, text: str, *, essential: bool = False) -> tuple[int, Unavailable]:
    """Stage commands until one is refused: how many were let in, and the refusal."""
    for count in range(1_000_000):
        try:
            journal.stage(drafts(text), essential=essential)
        except Unavailable as fault:
            return count, fault
    raise AssertionError("never full")


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def segments(folder: Path) -> list[Path]:
    return sorted((folder / "journal").glob("*.jsonl"))
