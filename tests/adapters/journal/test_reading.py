"""Records read back from a journal in use."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from golemd.adapters.disk import RealDisk
from golemd.adapters.journal import Journal, JournalDamaged, Limits, Place, Verified
from golemd.adapters.journal.line import ZERO_HASH
from golemd.adapters.journal.segments import INDEX_BYTES
from golemd.api.events import Record
from golemd.api.faults import NotFound
from tests.adapters.journal.kit import (
    Clock,
    drafts,
    load,
    opened,
    replay,
    segments,
    write,
)


async def many(folder: Path) -> list[Record]:
    """1000 records in several segments of several chunks each."""
    async with opened(folder, limits=Limits(segment_bytes=80_000)) as journal:
        for number in range(100):
            journal.stage(drafts(*(f"{number}.{part}" * 3 for part in range(10))))
            await journal.durable(journal.seq)
    return await replay(folder)


async def test_records_are_read_back_by_number_and_by_range(tmp_path: Path) -> None:
    known = await many(tmp_path)
    journal, _ = await load(tmp_path, limits=Limits(chunk_bytes=5000))
    wanted = [1, 2, 3, 999, 1000, 256, 255, 257, 512, 700, 701, 11, 11]
    assert list(journal.read(wanted)) == [known[seq - 1] for seq in wanted]
    for since, until in ((0, 1000), (0, 5), (7, 7), (9, 3), (255, 257), (300, 900), (998, 5000), (0, 0), (1000, 1001)):
        assert list(journal.scan(since, until)) == known[since:until]
    for seq in (0, 1001):
        with pytest.raises(NotFound):
            list(journal.read([seq]))
    await journal.aclose()


async def test_records_of_the_running_daemon_are_read_back_once_durable(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=Limits(segment_bytes=30_000)) as journal:
        staged: list[Record] = []
        for number in range(60):
            staged += journal.stage(drafts(*([str(number)] * 10)))
            assert list(journal.scan(0, journal.seq)) == staged[:-10]
            await journal.durable(journal.seq)
            assert list(journal.read([len(staged), len(staged) // 2 + 1])) == [staged[-1], staged[len(staged) // 2]]
        assert list(journal.scan(0, 600)) == staged


@pytest.fixture
def lengths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each reading has read."""
    found: list[int] = []
    read = RealDisk.read

    def counted(self: RealDisk, file: int, size: int, offset: int) -> bytes:
        data = read(self, file, size, offset)
        found.append(len(data))
        return data

    monkeypatch.setattr(RealDisk, "read", counted)
    return found


async def test_a_long_record_is_found_without_reading_many_others(tmp_path: Path, lengths: list[int]) -> None:
    limits = Limits(chunk_bytes=10_000)
    async with opened(tmp_path, limits=limits) as journal:
        for number in range(600):
            journal.stage(drafts(f"{number}" + "x" * 9_000))
            await journal.durable(journal.seq)
        written = most_bytes_read(journal, lengths)
    journal, _ = await load(tmp_path, limits=limits)
    found = most_bytes_read(journal, lengths)
    await journal.aclose()
    assert max(written, found) < INDEX_BYTES + 3 * limits.chunk_bytes


def most_bytes_read(journal: Journal, lengths: list[int]) -> int:
    """For one record, of all of them."""
    most = 0
    for seq in range(1, journal.seq + 1):
        lengths.clear()
        assert [record.seq for record in journal.read([seq])] == [seq]
        most = max(most, sum(lengths))
    return most


async def test_who_reads_on_from_a_place_reads_every_byte_once(tmp_path: Path, lengths: list[int]) -> None:
    async with opened(tmp_path, limits=Limits(segment_bytes=30_000)) as journal:
        lengths.clear()
        place = Place()
        for _ in range(60):
            staged = journal.stage(drafts(*("x" * 10)))
            await journal.durable(journal.seq)
            assert list(journal.scan(staged[0].seq - 1, journal.seq, place)) == staged
        assert sum(lengths) == sum(size for _, size in journal.extents)
        assert len(journal.extents) > 1


async def test_a_place_that_is_elsewhere_is_no_hindrance(tmp_path: Path) -> None:
    known = await many(tmp_path)
    journal, _ = await load(tmp_path, limits=Limits(chunk_bytes=5000))
    place = Place()
    for since, until in ((0, 5), (5, 300), (300, 302), (7, 9), (998, 1000), (1000, 1000), (0, 1000), (1000, 1001)):
        assert list(journal.scan(since, until, place)) == known[since:until]
    await journal.aclose()


async def test_long_reads_let_others_run(tmp_path: Path) -> None:
    known = await many(tmp_path)
    ticks = iter(range(10**6))
    journal = await Journal.open(
        tmp_path, RealDisk(), Clock(), Limits(slice_us=100e6), lambda record: None, timer=lambda: float(next(ticks))
    )
    seen: list[Record] = []
    turns: list[int] = []

    async def other() -> None:
        while len(seen) < 1000:
            turns.append(len(seen))
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await journal.scan_slices(0, 1000, seen.append)
    assert seen == known
    await journal.read_slices([1000, 1], seen.append)
    assert seen[-2:] == [known[-1], known[0]]
    assert len(turns) >= 5
    assert await journal.verify() == Verified(1000, len(segments(tmp_path)), known[-1].h)
    await journal.aclose()


async def test_reading_and_verifying_find_what_changed_under_the_running_daemon(tmp_path: Path) -> None:
    await many(tmp_path)
    journal, _ = await load(tmp_path, limits=Limits(chunk_bytes=5000))
    second = segments(tmp_path)[1]
    first_seq = int(second.stem.split("-")[1], 16)
    whole = second.read_bytes()
    lines = whole.splitlines(keepends=True)
    for at in (0, 40):
        lines[at] = lines[at].replace(b"reason", b"treason")
        second.write_bytes(b"".join(lines))
        with pytest.raises(JournalDamaged):
            list(journal.read([first_seq + at]))
        with pytest.raises(JournalDamaged):
            list(journal.scan(first_seq - 1, first_seq + 100))
        with pytest.raises(JournalDamaged):
            await journal.verify()
        lines = whole.splitlines(keepends=True)
    second.write_bytes(b"".join([lines[1], *lines[1:]]))
    with pytest.raises(JournalDamaged):
        list(journal.read([first_seq]))
    second.write_bytes(lines[0])
    for reading in (journal.read([first_seq + 5]), journal.scan(first_seq - 1, first_seq + 5)):
        with pytest.raises(JournalDamaged):
            list(reading)
    await journal.aclose()


async def test_verifying_notices_a_journal_that_was_replaced(tmp_path: Path) -> None:
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
        await write(tmp_path / name, drafts(name.rjust(5)))
    journal, _ = await load(tmp_path / "mine")
    segments(tmp_path / "mine")[0].write_bytes(segments(tmp_path / "other")[0].read_bytes())
    with pytest.raises(JournalDamaged):
        await journal.verify()
    await journal.aclose()


async def test_an_empty_journal_verifies(tmp_path: Path) -> None:
    journal, seen = await load(tmp_path)
    assert seen == []
    assert await journal.verify() == Verified(0, 0, ZERO_HASH)
    await journal.aclose()
