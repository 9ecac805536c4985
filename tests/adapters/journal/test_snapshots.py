"""Snapshots: a start begins with the newest that fits, reads only what came after it, and trusts no other."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from golemd.adapters.disk import RealDisk
from golemd.adapters.journal import Journal, JournalDamaged, JournalFailed, Limits, Verified, check, repair
from golemd.adapters.journal import snapshots as files
from golemd.api.events import Draft, JournalPruned, Record
from golemd.api.faults import Invalid, NotFound
from tests.adapters.journal.kit import Clock, Tape, drafts, segments, watched, writing

SMALL = Limits(segment_bytes=1500, reserve_bytes=8192, chunk_bytes=700)


class Opened:
    """A journal that is open, and the tape that it was read onto."""

    def __init__(self, journal: Journal, tape: Tape) -> None:
        self.journal = journal
        self.tape = tape

    async def write(self, *reasons: str) -> None:
        for record in self.journal.stage(drafts(*reasons)):
            self.tape.take(record)
        await self.journal.durable(self.journal.seq)

    async def keep(self, first: int = 1) -> bool:
        return await self.tape.keep(self.journal, first)


@asynccontextmanager
async def life(folder: Path, disk: Any = None, fold: str = "tape", limits: Limits = SMALL) -> AsyncIterator[Opened]:
    tape = Tape(fold)
    journal = await Journal.open(folder, disk or RealDisk(), Clock(), limits, tape.take, codec=tape.codec)
    async with writing(journal):
        yield Opened(journal, tape)


async def found(folder: Path, disk: Any = None, fold: str = "tape") -> Tape:
    """What a start finds."""
    tape = Tape(fold)
    journal = await Journal.open(folder, disk or RealDisk(), Clock(), SMALL, tape.take, codec=tape.codec)
    await journal.aclose()
    return tape


async def a_life(folder: Path, *, after: int = 3) -> list[Record]:
    """Some segments, two snapshots, and records `after` them."""
    async with life(folder) as opened:
        for number in range(8):
            await opened.write(f"a{number}" * 60, "b")
        assert await opened.keep()
        await opened.write("c" * 300)
        assert await opened.keep()
        for number in range(after):
            await opened.write(f"d{number}" * 100)
        return opened.tape.records


def kept(folder: Path) -> list[Path]:
    return sorted((folder / "snapshots").iterdir())


async def test_a_start_goes_on_from_the_newest_snapshot_and_knows_all_the_same(tmp_path: Path) -> None:
    records = await a_life(tmp_path)
    tape = await found(tmp_path)
    assert tape.records == records
    assert tape.restored == len(records) - 3
    async with life(tmp_path) as opened:
        assert opened.journal.snapshot_seq == len(records) - 3
        await opened.write("next")
        assert [*opened.journal.scan(0, 1000)] == opened.tape.records
        assert [*opened.journal.read(range(1, len(records) + 2))] == opened.tape.records
        assert (await opened.journal.verify()).records == len(records) + 1


async def test_a_start_reads_nothing_of_what_came_before_but_the_snapshots_own_record(tmp_path: Path) -> None:
    await a_life(tmp_path, after=0)
    opened: list[Path] = []

    class Disk(RealDisk):
        def open(self, path: Path, how: Any) -> int:
            file = super().open(path, how)
            self.files = {**getattr(self, "files", {}), file: path}
            return file

        def read(self, file: int, count: int, offset: int) -> bytes:
            opened.append(self.files[file])
            return super().read(file, count, offset)

    tape = await found(tmp_path, Disk())
    assert tape.restored == len(tape.records)
    assert len(segments(tmp_path)) > 2
    assert {path for path in opened if path.suffix == ".jsonl"} == {segments(tmp_path)[-1]}


async def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    async with life(tmp_path) as opened:
        assert not await opened.keep()  # nothing is there yet
        for number in range(5):
            await opened.write(str(number))
            assert await opened.keep()
    assert [files.seq_of(path.name) for path in kept(tmp_path)] == [4, 5]


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _of_another_format(path: Path) -> None:
    header, state = msgspec.msgpack.decode(path.read_bytes(), type=tuple[files.Header, msgspec.Raw])
    changed = msgspec.structs.replace(header, format=files.FORMAT + 1)
    path.write_bytes(b"".join(files.file_of(changed, [bytes(state)])))


def _of_no_state(path: Path) -> None:
    header, _ = msgspec.msgpack.decode(path.read_bytes(), type=tuple[files.Header, msgspec.Raw])
    path.write_bytes(b"".join(files.file_of(header, [msgspec.msgpack.encode("of no record")])))


def _renamed(path: Path) -> None:
    path.rename(path.with_name(files.name_of(files.seq_of(path.name) + 1)))


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _a_link(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}.elsewhere"))
    path.symlink_to(f"{path.name}.elsewhere")


SPOILT: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 7),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "one bit": _flip,
    "another format": _of_another_format,
    "no state": _of_no_state,
    "renamed": _renamed,
    "garbage": lambda path: path.write_bytes(os.urandom(300)),
    "a folder": _a_folder,
    "a link": _a_link,
}


@pytest.mark.parametrize("spoilt", SPOILT)
async def test_one_that_is_spoilt_is_passed_over(tmp_path: Path, spoilt: str, caplog: pytest.LogCaptureFixture) -> None:
    records = await a_life(tmp_path)
    older, newest = kept(tmp_path)
    SPOILT[spoilt](newest)
    tape = await found(tmp_path)
    assert tape.records == records
    assert tape.restored == files.seq_of(older.name)
    assert "is passed over" in caplog.text
    SPOILT[spoilt](older)
    tape = await found(tmp_path)
    assert (tape.records, tape.restored) == (records, 0)


async def test_one_of_another_journal_or_another_fold_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "other").mkdir()
    mine = await a_life(tmp_path / "mine")
    async with life(tmp_path / "other") as opened:
        for number in range(8):
            await opened.write(f"A{number}" * 60, "b")
        await opened.write("c" * 300)
        await opened.keep()
    for path in kept(tmp_path / "mine"):
        path.unlink()
    for path in kept(tmp_path / "other"):
        path.rename(tmp_path / "mine" / "snapshots" / path.name)
    tape = await found(tmp_path / "mine")
    assert (tape.records, tape.restored) == (mine, 0)
    await a_life(tmp_path / "other")
    tape = await found(tmp_path / "other", fold="of the next release")
    assert tape.restored == 0


async def test_one_newer_than_the_journal_is_passed_over_and_removed_by_the_next(tmp_path: Path) -> None:
    async with life(tmp_path) as opened:
        await opened.write("a")
        before = (segments(tmp_path)[0].read_bytes(), (tmp_path / "head").read_bytes())
        await opened.write("b")
        await opened.keep()
    segments(tmp_path)[0].write_bytes(before[0])
    (tmp_path / "head").write_bytes(before[1])
    async with life(tmp_path) as opened:
        assert (opened.tape.restored, len(opened.tape.records)) == (0, 1)
        (newer,) = kept(tmp_path)
        newer.rename(newer.with_name(files.name_of(9)))
        await opened.write("c")
        await opened.keep()
    assert [files.seq_of(path.name) for path in kept(tmp_path)] == [2]


async def test_where_an_older_segment_has_changed_its_size_or_gone_the_journal_is_read_whole(tmp_path: Path) -> None:
    await a_life(tmp_path)
    second = segments(tmp_path)[1]
    whole = second.read_bytes()
    os.truncate(second, len(whole) - 1)
    with pytest.raises(JournalDamaged):
        await found(tmp_path)
    second.unlink()
    with pytest.raises(JournalDamaged):
        await found(tmp_path)
    second.write_bytes(whole)
    assert (await found(tmp_path)).restored


async def test_damage_after_the_snapshot_is_refused_and_a_torn_end_is_cut(tmp_path: Path) -> None:
    records = await a_life(tmp_path)
    newest = segments(tmp_path)[-1]
    whole = newest.read_bytes()
    newest.write_bytes(whole + b'{"v":1')
    tape = await found(tmp_path)
    assert (tape.records, tape.restored) == (records, len(records) - 3)
    assert newest.read_bytes() == whole
    newest.write_bytes(whole.replace(b"d2d2", b"d2D2"))
    with pytest.raises(JournalDamaged):
        await found(tmp_path)


async def test_one_that_cannot_be_written_is_no_loss(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    failing: list[str] = []

    def fail(name: str) -> None:
        if name in failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    async with life(tmp_path, watched(RealDisk(), fail)) as opened:
        for name in ("free_bytes", "make_folder", "open", "append", "fdatasync", "rename", "sync_folder"):
            await opened.write(name)
            failing.append(name)
            assert not await opened.keep(), name
            failing.clear()
        assert "was not written: [Errno 5]" in caplog.text
        assert await opened.keep()
        await opened.write("more")
        records = opened.tape.records
    assert [path.suffix for path in kept(tmp_path)] == [".msgpack"] * len(kept(tmp_path))
    assert (await found(tmp_path)).records == records


async def test_none_is_written_on_a_disk_without_room_for_it(tmp_path: Path) -> None:
    class Full(RealDisk):
        def free_bytes(self, folder: Path) -> int:
            return 8000

    async with life(tmp_path, Full()) as opened:
        await opened.write("a")
        assert not await opened.keep()
    assert not (tmp_path / "snapshots").exists()


async def test_appends_go_on_while_a_large_one_is_written(tmp_path: Path) -> None:
    async with life(tmp_path) as opened:
        await opened.write("first")
        header = opened.journal.standing()
        assert header is not None
        steps: list[str] = []

        def state() -> Any:
            yield b"\xc6" + (40 * 100_000).to_bytes(4, "big")
            for _ in range(40):
                steps.append("piece")
                yield bytes(100_000)

        async def append() -> None:
            while "written" not in steps:
                await opened.write("beside")
                steps.append("append")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(append)
            assert await opened.journal.keep_snapshot(header, state())
            steps.append("written")
        assert steps.index("append") < steps.index("written")
    (only,) = kept(tmp_path)
    assert only.stat().st_size > 4_000_000


# --- pruning -----------------------------------------------------------------------------------------------------


async def a_pruned_life(folder: Path, disk: Any = None) -> tuple[list[Record], int]:
    """A journal of some segments, the first two of which are pruned: what is known of it, and where it begins."""
    async with life(folder, disk) as opened:
        for number in range(8):
            await opened.write(f"a{number}" * 60, "b")
        first = opened.journal.extents[2][0]
        event = JournalPruned(first=first, segments=2, bytes=0)
        opened.tape.take(*opened.journal.stage([Draft(event)]))
        await opened.journal.durable(opened.journal.seq)
        assert await opened.keep(first)
        assert await opened.journal.prune(first, opened.tape.until(first - 1))
        await opened.write("c")
        return opened.tape.records, first


async def test_what_is_pruned_is_gone_and_all_else_is_there(tmp_path: Path) -> None:
    records, first = await a_pruned_life(tmp_path)
    assert int(segments(tmp_path)[0].name[17:33], 16) == first
    async with life(tmp_path) as opened:
        journal = opened.journal
        assert opened.tape.records == records
        assert journal.first == first
        assert [*journal.scan(first - 1, 1000)] == records[first - 1 :]
        assert [*journal.read([first, first + 1])] == records[first - 1 : first + 1]
        assert await journal.verify() == Verified(
            len(records) - first + 1, len(segments(tmp_path)), records[-1].h, first
        )
        assert journal.base() is not None
        for asked in (journal.scan(0, 1000), journal.read([first - 1])):
            with pytest.raises(NotFound, match="was pruned: the journal begins with record"):
                list(asked)
        await opened.write("d" * 2000)
        await opened.write("and a segment after it")
        assert [*journal.scan(first - 1, 1000)] == opened.tape.records[first - 1 :]


async def test_the_snapshot_that_a_pruned_journal_begins_with_stays_however_many_come_after_it(tmp_path: Path) -> None:
    _, first = await a_pruned_life(tmp_path)
    async with life(tmp_path) as opened:
        for number in range(3):
            await opened.write(str(number))
            assert await opened.keep(first)
        newest = opened.journal.snapshot_seq
        assert opened.journal.base() is not None
    assert [files.seq_of(path.name) for path in kept(tmp_path)] == [first - 1, newest - 1, newest]


async def test_a_pruned_journal_begins_with_the_oldest_snapshot_of_another_release_if_it_must(tmp_path: Path) -> None:
    records, first = await a_pruned_life(tmp_path)
    tape = await found(tmp_path, fold="of the next release")
    assert (tape.records, tape.restored) == (records, first - 1)


async def test_a_pruned_journal_without_a_snapshot_is_refused(tmp_path: Path) -> None:
    await a_pruned_life(tmp_path)
    for path in kept(tmp_path):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(JournalDamaged, match="no snapshot that can be read") as refused:
        await found(tmp_path)
    assert "snapshots/" in refused.value.hint
    with pytest.raises(JournalDamaged):
        check(tmp_path, RealDisk(), SMALL)


async def test_nothing_is_pruned_without_two_snapshots_that_stand_for_it(tmp_path: Path) -> None:
    async with life(tmp_path) as opened:
        for number in range(8):
            await opened.write(f"a{number}" * 60, "b")
        first = opened.journal.extents[2][0]
        assert not await opened.journal.prune(first, opened.tape.until(first - 1))
        assert opened.journal.first == 1
        assert opened.journal.base() is None
        assert await opened.keep()
        assert await opened.journal.prune(first, opened.tape.until(first - 1))
        assert opened.journal.first == first


async def test_a_long_reading_is_told_when_what_it_has_not_read_yet_is_pruned(tmp_path: Path) -> None:
    async with life(tmp_path) as opened:
        for number in range(12):
            await opened.write(f"a{number}" * 100, "b")
        reading = opened.journal.scan(0, 1000)
        next(reading)
        first = opened.journal.extents[3][0]
        await opened.keep(first)
        assert await opened.journal.prune(first, opened.tape.until(first - 1))
        with pytest.raises(NotFound, match="pruned"):
            list(reading)


@pytest.mark.parametrize(("name", "after"), [("unlink", 0), ("sync_folder", 1)])
async def test_a_removal_that_fails_ends_the_journal(tmp_path: Path, name: str, after: int) -> None:
    """`after` so many of these operations, which are the snapshot's."""
    seen: list[str] = []
    failing: list[str] = []

    def fail(operation: str) -> None:
        seen.append(operation)
        if failing and seen.count(name) > after:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    records: list[Record] = []

    async def prune() -> None:
        async with life(tmp_path, watched(RealDisk(), fail)) as opened:
            for number in range(8):
                await opened.write(f"a{number}" * 60, "b")
            first = opened.journal.extents[2][0]
            await opened.keep(first)
            records.extend(opened.tape.records)
            seen.clear()
            failing.append(name)
            await opened.journal.prune(first, opened.tape.until(first - 1))

    with pytest.raises(BaseExceptionGroup) as raised:
        await prune()
    assert raised.group_contains(JournalFailed)
    assert (await found(tmp_path)).records == records


# --- what fits, and what does not --------------------------------------------------------------------------------


async def test_a_base_that_is_spoilt_is_missed_only_by_who_looks_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records, _ = await a_pruned_life(tmp_path)
    _flip(kept(tmp_path)[0])
    async with life(tmp_path) as opened:
        assert opened.tape.records == records
        assert opened.journal.base() is None
    assert "cannot be read" in caplog.text


async def test_a_base_of_another_journal_is_passed_over(tmp_path: Path) -> None:
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
    await a_pruned_life(tmp_path / "mine")
    async with life(tmp_path / "other") as opened:
        for number in range(8):
            await opened.write(f"A{number}" * 60, "b")
        first = opened.journal.extents[2][0]
        await opened.keep(first)
        await opened.journal.prune(first, opened.tape.until(first - 1))
    for path in kept(tmp_path / "mine"):
        path.unlink()
    base = kept(tmp_path / "other")[0]
    base.rename(tmp_path / "mine" / "snapshots" / base.name)
    with pytest.raises(JournalDamaged, match="no snapshot that can be read"):
        await found(tmp_path / "mine")


async def test_one_whose_segment_is_not_there_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await a_life(tmp_path)
    for path in segments(tmp_path):
        path.unlink()
    (tmp_path / "head").unlink()
    assert (await found(tmp_path)).records == []
    assert "there is no segment" in caplog.text


@pytest.mark.parametrize("damage", ["changed", "cut short"])
async def test_one_whose_own_record_is_damaged_is_passed_over_and_the_damage_is_refused(
    tmp_path: Path, damage: str
) -> None:
    await a_life(tmp_path, after=0)
    newest = segments(tmp_path)[-1]
    whole = newest.read_bytes()
    newest.write_bytes(whole.replace(b"ccc", b"cCc", 1) if damage == "changed" else whole[:-10])
    with pytest.raises(JournalDamaged):
        await found(tmp_path)


async def test_an_index_that_is_none_is_passed_over(tmp_path: Path) -> None:
    records = await a_life(tmp_path)
    for path in kept(tmp_path):
        header, state = msgspec.msgpack.decode(path.read_bytes(), type=tuple[files.Header, msgspec.Raw])
        extents = tuple(msgspec.structs.replace(extent, offsets=b"") for extent in header.segments)
        changed = msgspec.structs.replace(header, segments=extents)
        path.write_bytes(b"".join(files.file_of(changed, [bytes(state)])))
    tape = await found(tmp_path)
    assert (tape.records, tape.restored) == (records, 0)


async def test_what_an_earlier_attempt_has_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "0000000000000001.msgpack.tmp").write_bytes(b"half")
    async with life(tmp_path) as opened:
        await opened.write("a")
        assert await opened.keep()
    assert [path.suffix for path in kept(tmp_path)] == [".msgpack"]


async def test_a_pruned_journal_that_cannot_be_read_is_not_cut(tmp_path: Path) -> None:
    records, first = await a_pruned_life(tmp_path)
    with pytest.raises(Invalid, match="not the end of a command"):
        await repair(tmp_path, first - 1, RealDisk(), SMALL)
    for path in kept(tmp_path):
        path.unlink()
    with pytest.raises(JournalDamaged, match="no snapshot that can be read"):
        await repair(tmp_path, len(records), RealDisk(), SMALL)
    assert segments(tmp_path)
    await repair(tmp_path, 0, RealDisk(), SMALL)
    assert (await found(tmp_path)).records == []
