"""`golemd --check` and `golemd --repair SEQ`."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest
import trio

from golemd.adapters.disk import RealDisk
from golemd.adapters.journal import JournalDamaged, JournalFailed, Limits, check, repair
from golemd.adapters.journal.line import ZERO_HASH
from golemd.api.events import Record
from golemd.api.faults import Invalid
from tests.adapters.journal.crashdisk import STATE, CrashDisk, PowerCut
from tests.adapters.journal.kit import contents, drafts, load, reasons, replay, segments, watched, write

COMMANDS = [drafts("a"), drafts("b", "c", "d"), drafts("e")]
MORE = [drafts("f"), drafts("g", "h")]


def garble_head(folder: Path) -> None:
    (folder / "head").write_bytes(b"?" * 1024)


async def a_journal(folder: Path) -> list[Record]:
    """Eight records in three segments."""
    await write(folder, *COMMANDS)
    await write(folder, *MORE)
    await write(folder, drafts("i"))
    return await replay(folder)


async def test_check_changes_nothing_and_says_what_is_there(tmp_path: Path) -> None:
    known = await a_journal(tmp_path)
    before = contents(tmp_path)
    report = check(tmp_path, RealDisk())
    assert (report.records, report.segments, report.digest, report.torn) == (9, 3, known[-1].h, None)
    assert contents(tmp_path) == before


async def test_check_of_nothing_is_fine_and_makes_nothing(tmp_path: Path) -> None:
    report = check(tmp_path, RealDisk())
    assert (report.records, report.segments, report.digest) == (0, 0, ZERO_HASH)
    assert os.listdir(tmp_path) == []


async def test_check_reports_a_disk_that_cannot_be_read(tmp_path: Path) -> None:
    await a_journal(tmp_path)

    def before(name: str) -> None:
        if name == "read":
            raise OSError(errno.EIO, "no luck")

    with pytest.raises(JournalFailed, match="no luck"):
        check(tmp_path, watched(RealDisk(), before))


def change_byte_in(number: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = bytearray(segments(folder)[number].read_bytes())
        data[-60] ^= 1
        segments(folder)[number].write_bytes(data)

    return change


def remove(number: int) -> Callable[[Path], None]:
    return lambda folder: segments(folder)[number].unlink()


DAMAGES: list[tuple[Callable[[Path], None], int]] = [
    (change_byte_in(0), 4),
    (change_byte_in(1), 6),
    (change_byte_in(2), 8),
    (remove(0), 0),
    (remove(1), 5),
    (remove(2), 8),
    (lambda folder: (folder / "head").unlink(), 9),
    (garble_head, 9),
]


@pytest.mark.parametrize(("damage", "seq"), DAMAGES)
async def test_repair_keeps_a_copy_cuts_and_the_next_start_records_it(
    tmp_path: Path, damage: Callable[[Path], None], seq: int
) -> None:
    known = await a_journal(tmp_path)
    damage(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(JournalDamaged) as caught:
        await load(tmp_path)
    assert f"golemd --repair {seq}`" in caught.value.hint
    kept = await repair(tmp_path, seq, RealDisk(), Limits(chunk_bytes=100))
    assert kept == tmp_path / "journal-before-repair-1"
    assert contents(kept) == {name: data for name, data in before.items() if name.startswith(("journal/", "head"))}
    journal, seen = await load(tmp_path)
    await journal.aclose()
    assert seen == known[:seq]
    told = journal.repaired_tail
    assert told is not None
    assert (told.copy, told.last_seq) == (kept.name, seq)
    total = sum(len(data) for name, data in before.items() if name.startswith("journal/"))
    assert told.cut_bytes == total - sum(path.stat().st_size for path in segments(tmp_path))
    await write(tmp_path, drafts("new"))
    assert reasons(await replay(tmp_path)) == [*reasons(known[:seq]), "new"]


@pytest.mark.parametrize(
    ("seq", "nearest"), [(2, ["1", "4"]), (3, ["1", "4"]), (7, ["6", "8"]), (10, ["9"]), (99, ["9"])]
)
async def test_repair_refuses_what_is_no_end_of_a_command(tmp_path: Path, seq: int, nearest: list[str]) -> None:
    await a_journal(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(Invalid, match=f"record {seq} is not the end") as caught:
        await repair(tmp_path, seq, RealDisk())
    assert caught.value.data["nearest"] == nearest
    assert " or ".join(nearest) in caught.value.hint
    assert contents(tmp_path) == before


async def test_each_repair_has_its_own_copy(tmp_path: Path) -> None:
    await a_journal(tmp_path)
    (tmp_path / "journal-before-repair-1.tmp").mkdir()
    for seq, number in ((8, 2), (4, 3), (0, 4)):
        assert (await repair(tmp_path, seq, RealDisk())).name == f"journal-before-repair-{number}"
    assert await replay(tmp_path) == []
    await write(tmp_path, drafts("new"))
    assert reasons(await replay(tmp_path)) == ["new"]


async def test_a_repair_that_fails_says_so(tmp_path: Path) -> None:
    await a_journal(tmp_path)

    def before(name: str) -> None:
        if name == "unlink":
            raise OSError(errno.EIO, "no luck")

    with pytest.raises(JournalFailed, match="no luck"):
        await repair(tmp_path, 5, watched(RealDisk(), before))


def test_an_interrupted_repair_is_refused_or_harmless_and_can_be_repeated() -> None:
    refused = 0
    for number in range(80):
        disk = CrashDisk()
        trio.run(partial(write, STATE, *COMMANDS, disk=disk))
        trio.run(partial(write, STATE, *MORE, disk=disk))
        disk.cut_at(number)
        try:
            trio.run(repair, STATE, 4, disk)
        except PowerCut:
            pass
        else:
            for seed in range(8):
                assert reasons(trio.run(replay, STATE, disk.crash(Random(seed)))) == list("abcd")
            break
        after = disk.crash(Random(number))
        try:
            found = reasons(trio.run(replay, STATE, after))
        except JournalDamaged:
            refused += 1
            trio.run(repair, STATE, 4, after)
            found = reasons(trio.run(replay, STATE, after))
        assert found in (list("abcd"), list("abcdefgh"))
    else:
        pytest.fail("the repair never ended")
    assert refused > 5
