"""What was durable and is not as it was: refused with its place, never silently less. What was never confirmed: cut."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio

from golemd.adapters.disk import RealDisk
from golemd.adapters.journal import JournalDamaged, JournalNewer, Limits, check
from golemd.adapters.journal.head import SLOT_BYTES, Mark, to_slot
from golemd.adapters.journal.line import ZERO_HASH, is_sealed, seal
from golemd.api.events import Draft, JournalRepaired, Record
from tests.adapters.journal.crashdisk import STATE, CrashDisk
from tests.adapters.journal.kit import contents, drafts, load, opened, reasons, replay, segments, write


async def refused(folder: Path) -> JournalDamaged:
    """The fault of a start, which has changed nothing."""
    before = contents(folder)
    with pytest.raises(JournalDamaged) as caught:
        await load(folder)
    assert contents(folder) == before
    assert caught.value.exit_status == 65
    return caught.value


def in_memory(count: int) -> tuple[CrashDisk, list[bytearray]]:
    """A journal of `count` small records in two segments; the segments' bytes, which may be changed."""
    disk = CrashDisk()
    half = count // 2
    trio.run(partial(write, STATE, *(drafts("") for _ in range(half)), disk=disk))
    trio.run(partial(write, STATE, *(drafts("") for _ in range(count - half)), disk=disk))
    assert check(STATE, disk).records == count
    return disk, [file.data for path, file in sorted(disk.files().items()) if path.startswith("journal/")]


def assert_refused(disk: CrashDisk, what: object) -> None:
    with pytest.raises((JournalDamaged, JournalNewer)):
        pytest.fail(f"accepted {check(STATE, disk)} with {what}")
    disk.operations.clear()


@pytest.mark.proof
@pytest.mark.parametrize("change", [lambda byte: byte ^ 1, lambda byte: 0, lambda byte: 0x0A if byte != 0x0A else 0x20])
def test_every_changed_byte_is_refused(change: Callable[[int], int]) -> None:
    disk, files = in_memory(50)
    for number, data in enumerate(files):
        for at, byte in enumerate(data):
            data[at] = change(byte)
            assert_refused(disk, (number, at))
            data[at] = byte
    assert check(STATE, disk).records == 50


@pytest.mark.proof
def test_every_shortened_journal_is_refused() -> None:
    disk, files = in_memory(12)
    whole = bytes(files[-1])
    for size in range(len(whole)):
        files[-1][:] = whole[:size]
        assert_refused(disk, size)


def test_every_deleted_doubled_or_swapped_line_is_refused() -> None:
    disk, files = in_memory(16)
    for number, data in enumerate(files):
        whole = bytes(data)
        lines = whole.splitlines(keepends=True)
        for at in range(len(lines)):
            other = (at + 1) % len(lines)
            swapped = list(lines)
            swapped[at], swapped[other] = swapped[other], swapped[at]
            for changed in (lines[:at] + lines[at + 1 :], lines[: at + 1] + lines[at:], swapped):
                data[:] = b"".join(changed)
                if number == 1 and changed == [*lines, lines[-1]]:  # after the end: nothing is missing, so it is cut
                    report = check(STATE, disk)
                    assert (report.records, report.torn is not None) == (16, True)
                else:
                    assert_refused(disk, (number, at))
        data[:] = whole


async def test_a_line_in_place_of_another_with_a_right_hash_breaks_the_chain(tmp_path: Path) -> None:
    await write(tmp_path, *(drafts("a") for _ in range(4)))
    segment = segments(tmp_path)[0]
    lines = segment.read_bytes().splitlines()
    forged = seal(lines[1][: lines[1].rindex(b',"h":')].replace(b'"a"', b'"b"'))
    assert is_sealed(forged)
    segment.write_bytes(b"\n".join([lines[0], forged, *lines[2:], b""]))
    fault = await refused(tmp_path)
    assert (fault.seq, fault.offset) == (2, len(lines[0]) + len(forged) + 2)


async def test_the_fault_names_file_offset_last_good_record_and_the_way_out(tmp_path: Path) -> None:
    await write(tmp_path, drafts("a"), drafts("b"), drafts("c"))
    segment = segments(tmp_path)[0]
    data = bytearray(segment.read_bytes())
    second = data.index(b"\n") + 1
    data[second + 30] ^= 1
    segment.write_bytes(data)
    fault = await refused(tmp_path)
    assert (fault.file, fault.offset, fault.seq) == (f"journal/{segment.name}", second, 1)
    assert segment.name in fault.message
    assert f"byte {second}" in fault.message
    assert "golemd --repair 1" in fault.hint


async def test_an_older_head_does_not_help_when_later_lines_say_what_was_durable(tmp_path: Path) -> None:
    await write(tmp_path, *(drafts(str(number)) for number in range(6)))
    (tmp_path / "head").write_bytes(to_slot(Mark(1)) * 2)
    segment = segments(tmp_path)[0]
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"2"', b'"9"')
    segment.write_bytes(b"".join(lines))
    assert (await refused(tmp_path)).seq == 2


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data[:-9] + b"?" + data[-8:]])
async def test_damage_before_the_last_segment_is_refused_whatever_the_head_says(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    await write(tmp_path, drafts("a"))
    await write(tmp_path, drafts("b"))
    (tmp_path / "head").write_bytes(to_slot(Mark(1)) * 2)
    segments(tmp_path)[0].write_bytes(damage(segments(tmp_path)[0].read_bytes()))
    assert (await refused(tmp_path)).seq == 0


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_a_missing_segment_is_refused(tmp_path: Path, number: int) -> None:
    for text in "abc":
        await write(tmp_path, drafts(text))
    segments(tmp_path)[number].unlink()
    await refused(tmp_path)


async def test_all_segments_missing_is_refused(tmp_path: Path) -> None:
    await write(tmp_path, drafts("a"))
    shutil.rmtree(tmp_path / "journal")
    with pytest.raises(JournalDamaged):
        await load(tmp_path)


@pytest.mark.parametrize("head", [None, b"", b"\0" * 1024, b"x" * 1024])
async def test_segments_without_a_valid_head_are_refused(tmp_path: Path, head: bytes | None) -> None:
    await write(tmp_path, drafts("a"))
    (tmp_path / "head").unlink()
    if head is not None:
        (tmp_path / "head").write_bytes(head)
    assert (await refused(tmp_path)).file == "head"


@pytest.mark.parametrize("slot", [0, 1])
async def test_one_torn_slot_is_survived_and_made_whole(tmp_path: Path, slot: int) -> None:
    await write(tmp_path, drafts("a"), drafts("b"))
    head = bytearray((tmp_path / "head").read_bytes())
    head[slot * SLOT_BYTES + 20 : slot * SLOT_BYTES + 60] = bytes(40)
    (tmp_path / "head").write_bytes(head)
    assert reasons(await replay(tmp_path)) == ["a", "b"]
    (tmp_path / "head").write_bytes((tmp_path / "head").read_bytes()[: SLOT_BYTES * (1 - slot)].ljust(1024, b"\0"))
    if slot == 0:
        assert reasons(await replay(tmp_path)) == ["a", "b"]


async def test_a_head_of_another_journal_is_refused(tmp_path: Path) -> None:
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
        await write(tmp_path / name, drafts(name))
    shutil.copy(tmp_path / "other" / "head", tmp_path / "mine" / "head")
    assert (await refused(tmp_path / "mine")).file == "head"


async def test_a_head_of_a_later_version_is_refused_as_newer(tmp_path: Path) -> None:
    await write(tmp_path, drafts("a"))
    (tmp_path / "head").write_bytes(to_slot(Mark(2, 1, ZERO_HASH)) * 2)
    with pytest.raises(JournalNewer):
        await load(tmp_path)


async def test_a_sealed_head_slot_of_another_shape_is_not_valid(tmp_path: Path) -> None:
    await write(tmp_path, drafts("a"))
    slots = [seal(b'{"v":1,"seq":"one"').ljust(SLOT_BYTES), seal(b"[1").ljust(SLOT_BYTES)]
    (tmp_path / "head").write_bytes(b"".join(slots))
    assert (await refused(tmp_path)).file == "head"


async def test_two_files_for_one_segment_number_are_refused(tmp_path: Path) -> None:
    await write(tmp_path, drafts("a"))
    shutil.copy(segments(tmp_path)[0], tmp_path / "journal" / f"{1:016x}-{2:016x}.jsonl")
    assert "stands where" in (await refused(tmp_path)).message


async def test_an_empty_segment_before_the_last_is_refused(tmp_path: Path) -> None:
    await write(tmp_path, drafts("a"))
    await write(tmp_path, drafts("b"))
    second = segments(tmp_path)[1]
    second.rename(second.with_name(f"{3:016x}-{2:016x}.jsonl"))
    second.write_bytes(b"")
    assert "empty" in (await refused(tmp_path)).message


async def test_an_empty_last_segment_is_cut_away(tmp_path: Path) -> None:
    await write(tmp_path, drafts("a"))
    empty = tmp_path / "journal" / f"{2:016x}-{2:016x}.jsonl"
    empty.touch()
    journal, seen = await load(tmp_path)
    await journal.aclose()
    assert reasons(seen) == ["a"]
    assert journal.repaired_tail is not None
    assert not empty.exists()
    await write(tmp_path, drafts("b"))
    assert reasons(await replay(tmp_path)) == ["a", "b"]


async def test_a_segment_that_ends_within_a_command_is_refused_unless_it_is_the_last(tmp_path: Path) -> None:
    await write(tmp_path, drafts("a"), drafts("b", "c"))
    await write(tmp_path, drafts("d"))
    first, second = segments(tmp_path)
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join(lines[:2]))
    second.rename(second.with_name(f"{2:016x}-{3:016x}.jsonl"))
    assert "within a command" in (await refused(tmp_path)).message


def after_a_crash(folder: Path, tail: bytes, *, head: Mark | None = None) -> None:
    """Unsynced bytes at the end of the journal that a crash left behind."""
    segment = segments(folder)[-1]
    segment.write_bytes(segment.read_bytes() + tail)
    if head is not None:
        (folder / "head").write_bytes(to_slot(head) * 2)


async def two_commands(folder: Path) -> tuple[bytes, list[bytes], list[Record]]:
    """A journal of one confirmed record, and the lines of a command that would follow."""
    async with opened(folder) as journal:
        first = journal.stage(drafts("kept"))
        await journal.durable(1)
        head = (folder / "head").read_bytes()
        second = journal.stage(drafts("lost", "lost ü\u2028", "lost too"))
        await journal.durable(journal.seq)
    lines = segments(folder)[0].read_bytes().split(b"\n")
    (folder / "head").write_bytes(head)
    segments(folder)[0].write_bytes(lines[0] + b"\n")
    return head, lines[1:4], first + second


async def test_every_torn_length_of_an_unconfirmed_command_is_cut_and_kept_aside() -> None:
    disk = CrashDisk()
    async with opened(STATE, disk) as journal:
        records = journal.stage(drafts("kept"))
        await journal.durable(1)
        segment = next(path for path in disk.files() if path.startswith("journal/"))
        head = bytes(disk.files()["head"].data)
        kept = bytes(disk.files()[segment].data)
        records += journal.stage(drafts("lost", "lost \u2028", "lost"))
        await journal.durable(4)
    tail = bytes(disk.files()[segment].data).removeprefix(kept)
    for size in range(1, len(tail)):
        disk = CrashDisk({segment: kept + tail[:size], "head": head})
        report = check(STATE, disk)
        journal, seen = await load(STATE, disk)
        await journal.aclose()
        broken = f"{segment}.broken"
        assert seen == records[:1]
        assert disk.durable()[segment] == kept
        assert disk.durable()[broken] == tail[:size]
        assert journal.repaired_tail == JournalRepaired(
            file=Path(segment).name, offset=len(kept), cut_bytes=size, copy=Path(broken).name, last_seq=1
        )
        assert report.torn is not None
        assert (report.records, report.torn.offset, report.torn.bytes) == (1, len(kept), size)
    disk = CrashDisk({segment: kept + tail, "head": head})
    assert await replay(STATE, disk) == records


async def test_the_same_cut_below_the_durable_end_is_refused(tmp_path: Path) -> None:
    _, lines, records = await two_commands(tmp_path)
    segment = segments(tmp_path)[0]
    kept = segment.read_bytes()
    tail = b"".join(line + b"\n" for line in lines)
    (tmp_path / "head").write_bytes(to_slot(Mark(1, 4, records[-1].h)) * 2)
    for size in range(0, len(tail), 7):
        segment.write_bytes(kept + tail[:size])
        with pytest.raises(JournalDamaged):
            await load(tmp_path)


async def test_zeros_and_garbage_after_the_end_are_cut(tmp_path: Path) -> None:
    await write(tmp_path, drafts("a"))
    for number, tail in enumerate([bytes(5000), b"\n", b"\n\n{}\n", b"[" * 100_000, b"\xff\n" * 9]):
        after_a_crash(tmp_path, tail)
        journal, seen = await load(tmp_path)
        await journal.aclose()
        assert reasons(seen) == ["a"]
        assert journal.repaired_tail is not None
        assert journal.repaired_tail.cut_bytes == len(tail)
        suffix = f".{number + 1}" if number else ""
        assert (tmp_path / "journal" / f"{segments(tmp_path)[0].name}.broken{suffix}").read_bytes() == tail


async def test_a_leftover_copy_of_a_torn_end_is_made_anew(tmp_path: Path) -> None:
    await write(tmp_path, drafts("a"))
    after_a_crash(tmp_path, b"torn")
    name = segments(tmp_path)[0].name
    (tmp_path / "journal" / f"{name}.broken.tmp").write_bytes(b"half of")
    journal, _ = await load(tmp_path)
    await journal.aclose()
    assert (tmp_path / "journal" / f"{name}.broken").read_bytes() == b"torn"


def unseal(line: bytes) -> bytes:
    return line[: line.rindex(b',"h":')]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b'"v":1', b'"v":2', JournalNewer),
        (b'"type":"daemon.stopped"', b'"type":"daemon.dreamt"', JournalNewer),
        (b'"reason":"lost"', b'"reason":17', JournalDamaged),
        (b'"seq":2', b'"seq":"2"', JournalDamaged),
        (b'"d":1', b'"d":2', JournalDamaged),
    ],
)
async def test_a_sealed_line_that_cannot_be_read_is_never_cut(
    tmp_path: Path, old: bytes, new: bytes, fault: type[Exception]
) -> None:
    _, lines, _ = await two_commands(tmp_path)
    after_a_crash(tmp_path, seal(unseal(lines[0]).replace(old, new)) + b"\n")
    with pytest.raises(fault):
        await load(tmp_path)
    with pytest.raises(fault):
        check(tmp_path, RealDisk())


async def test_a_last_record_without_a_time_is_refused(tmp_path: Path) -> None:
    for ts in (b"yesterday", b"2026-11-20T09:11:00.123456"):
        folder = tmp_path / ts.decode()
        folder.mkdir()
        _, lines, records = await two_commands(folder)
        body = unseal(lines[0]).replace(records[1].ts.encode(), ts).replace(b',"more":true', b"")
        after_a_crash(folder, seal(body) + b"\n")
        assert "time" in (await refused(folder)).message


async def test_leftovers_are_removed_and_foreign_files_left_alone(tmp_path: Path) -> None:
    await write(tmp_path, drafts("a"))
    journal = tmp_path / "journal"
    leftovers = [journal / f"{2:016x}-{2:016x}.jsonl.tmp", tmp_path / "head.tmp", tmp_path / "journal.jsonl.tmp"]
    foreign = [journal / "notes.txt", journal / f"{2:016X}-{0xA:016X}.jsonl", tmp_path / "other.tmp"]
    for path in leftovers + foreign:
        path.write_bytes(b"?")
    assert reasons(await replay(tmp_path)) == ["a"]
    assert not any(path.exists() for path in leftovers)
    assert all(path.exists() for path in foreign)


async def test_a_line_longer_than_any_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("golemd.adapters.journal.segments.LINE_CEILING", 10_000)
    await write(tmp_path, drafts("a"))
    after_a_crash(tmp_path, bytes(100_000))
    journal, seen = await load(tmp_path, limits=Limits(chunk_bytes=1000))
    await journal.aclose()
    assert reasons(seen) == ["a"]
    assert journal.repaired_tail is not None
    assert journal.repaired_tail.cut_bytes == 100_000


async def test_the_repair_of_a_torn_end_is_recorded_once(tmp_path: Path) -> None:
    await write(tmp_path, drafts("a"))
    after_a_crash(tmp_path, b"torn")
    journal, _ = await load(tmp_path)
    assert journal.repaired_tail is not None
    await journal.aclose()
    again, _ = await load(tmp_path)
    assert again.repaired_tail == journal.repaired_tail
    await again.aclose()
    await write(tmp_path, [Draft(journal.repaired_tail)])
    after, seen = await load(tmp_path)
    await after.aclose()
    assert after.repaired_tail is None
    assert seen[-1].data == journal.repaired_tail
