"""Segments follow each other; a full disk refuses changes, not ends, and goes on by itself."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import trio
import trio.testing

from golemd.adapters.journal import Journal, JournalFailed, Limits
from golemd.api.events import Record
from golemd.api.faults import Unavailable
from tests.adapters.journal.crashdisk import STATE, CrashDisk
from tests.adapters.journal.kit import (
    Clock,
    drafts,
    load,
    opened,
    reasons,
    replay,
    segments,
    stage_until_full,
    write,
)


def blocked(folder: Path) -> int:
    """Bytes of disk space that the segments take."""
    return sum(path.stat().st_blocks * 512 for path in segments(folder))


async def test_a_full_segment_is_followed_by_the_next_and_the_chain_goes_on(tmp_path: Path) -> None:
    limits = Limits(segment_bytes=2000, reserve_bytes=65536)
    async with opened(tmp_path, limits=limits) as journal:
        for number in range(40):
            await journal.durable(journal.stage(drafts(str(number)))[0].seq)
        assert len(segments(tmp_path)) > 3
        assert blocked(tmp_path) >= 65536
        assert os.readlink(tmp_path / "journal.jsonl").endswith(segments(tmp_path)[-1].name)
        assert (await journal.verify()).segments == len(segments(tmp_path))
    assert all(2000 <= path.stat().st_size < 2300 for path in segments(tmp_path)[:-1])
    assert blocked(tmp_path) < 65536
    assert reasons(await replay(tmp_path)) == [str(number) for number in range(40)]


async def test_the_reserve_of_a_dead_daemon_is_given_back_at_the_next_start(tmp_path: Path) -> None:
    journal, _ = await load(tmp_path)
    async with trio.open_nursery() as nursery:
        await nursery.start(journal.run)
        await journal.durable(journal.stage(drafts("a"))[0].seq)
        nursery.cancel_scope.cancel()
    assert blocked(tmp_path) >= Limits().reserve_bytes
    assert segments(tmp_path)[0].stat().st_size < 1000
    assert reasons(await replay(tmp_path)) == ["a"]
    assert blocked(tmp_path) < Limits().reserve_bytes
    await journal.aclose()


@pytest.mark.parametrize("reserves", [True, False])
async def test_a_full_disk_refuses_changes_lets_ends_in_and_goes_on_by_itself(reserves: bool) -> None:
    disk = CrashDisk()
    disk.reserves = reserves
    limits = Limits(reserve_bytes=4000)
    async with opened(STATE, disk, limits) as journal:
        await journal.durable(journal.stage(drafts("a"))[0].seq)
        disk.room = 1000 if reserves else 3999  # without reserves only what is free can take the ends
        accepted, fault = stage_until_full(journal, "change")
        assert fault.code == "disk_full"
        assert accepted < 12
        assert journal.degraded
        assert not journal.poke()
        essential, _ = stage_until_full(journal, "end", essential=True)
        assert essential >= 8
        await journal.durable(journal.seq)
        assert not journal.failed
        disk.room = None
        assert journal.poke()
        assert not journal.degraded
        journal.stage(drafts("again"))
    assert reasons(await replay(STATE, disk)) == ["a"] + ["change"] * accepted + ["end"] * essential + ["again"]


async def test_a_disk_that_is_full_at_the_start_is_tried_again_with_each_command() -> None:
    disk = CrashDisk()
    disk.room = 2000  # the head fits, a reserve does not
    async with opened(STATE, disk) as journal:
        for essential in (False, True):
            with pytest.raises(Unavailable):
                journal.stage(drafts("a"), essential=essential)
        assert not [path for path in disk.files() if "/" in path]
        disk.room = None
        assert journal.poke()
        journal.stage(drafts("a"))
        assert not journal.degraded
    assert reasons(await replay(STATE, disk)) == ["a"]


class Waiting:
    """A start that waits, and how often; the second wait makes room."""

    def __init__(self, disk: CrashDisk) -> None:
        self.disk = disk
        self.waits = 0

    async def __call__(self) -> None:
        assert not [path for path in self.disk.files() if path.endswith(".tmp")], "what was begun takes room"
        self.waits += 1
        if self.waits == 2:
            self.disk.room = None

    async def open(self) -> tuple[Journal, list[Record]]:
        seen: list[Record] = []
        clock = Clock()
        return await Journal.open(STATE, self.disk, clock, Limits(), seen.append, wait_for_room=self), seen


async def disk_with_a_torn_end(torn: bytes) -> tuple[CrashDisk, str]:
    """A journal of one record with something behind it, and its segment."""
    disk = CrashDisk()
    await write(STATE, drafts("a"), disk=disk)
    segment = next(path for path in disk.files() if path.startswith("journal/"))
    image = {path: content for path, content in disk.durable().items() if path != "journal.jsonl"}
    return CrashDisk(image | {segment: image[segment] + torn}), segment


async def test_a_start_waits_for_room_to_keep_what_a_torn_end_holds() -> None:
    disk, segment = await disk_with_a_torn_end(b"torn" * 300)
    disk.room = 1000  # for some of it
    waiting = Waiting(disk)
    journal, seen = await waiting.open()
    assert (reasons(seen), waiting.waits) == (["a"], 2)
    assert journal.repaired_tail is not None
    assert disk.durable()[f"{segment}.broken"] == b"torn" * 300
    await journal.aclose()
    assert reasons(await replay(STATE, disk)) == ["a"]


async def test_a_first_start_waits_for_room_for_the_head() -> None:
    disk = CrashDisk()
    disk.room = 0
    waiting = Waiting(disk)
    journal, seen = await waiting.open()
    assert (seen, waiting.waits, "head" in disk.durable()) == ([], 2, True)
    await journal.aclose()


async def test_a_start_waits_for_nothing_but_room() -> None:
    disk, segment = await disk_with_a_torn_end(b"torn")
    before = disk.durable()
    disk.room = 0
    with pytest.raises(JournalFailed):
        await load(STATE, disk)  # it was not told how to wait

    def fail(operation: str) -> None:
        if operation == "append" and str(disk.place).endswith(".tmp"):
            raise OSError(errno.EIO, "broken")

    disk.room, disk.before = None, fail
    waiting = Waiting(disk)
    with pytest.raises(JournalFailed, match="broken"):
        await waiting.open()
    assert (waiting.waits, disk.durable()[segment]) == (0, before[segment])


async def test_a_segment_made_ready_and_never_used_leaves_nothing_behind() -> None:
    disk = CrashDisk()
    disk.room = 2000  # the head fits, a reserve does not
    async with opened(STATE, disk) as journal:
        with pytest.raises(Unavailable):
            journal.stage(drafts("a"))
        disk.room = None
        assert journal.poke()
    assert not [path for path in disk.files() if "/" in path]


async def test_without_room_for_the_next_segment_the_old_one_grows_on() -> None:
    disk = CrashDisk()
    limits = Limits(segment_bytes=500, reserve_bytes=4000)
    async with opened(STATE, disk, limits) as journal:
        await journal.durable(journal.stage(drafts("a" * 500))[0].seq)
        disk.room = 1000
        await journal.durable(journal.stage(drafts("b"))[0].seq)
        assert sum(path.startswith("journal/") for path in disk.files()) == 1
        disk.room = None
        await journal.durable(journal.stage(drafts("c"))[0].seq)
        assert sum(path.startswith("journal/") for path in disk.files()) == 2
    assert reasons(await replay(STATE, disk)) == ["a" * 500, "b", "c"]


async def test_no_room_for_the_link_is_no_failure() -> None:
    disk = CrashDisk()

    def before(name: str) -> None:
        if name == "symlink":
            raise OSError(errno.ENOSPC, "full")

    disk.before = before
    async with opened(STATE, disk) as journal:
        await journal.durable(journal.stage(drafts("a"))[0].seq)
    assert reasons(await replay(STATE, disk)) == ["a"]


async def test_a_leftover_link_is_replaced(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        (tmp_path / "journal.jsonl.tmp").symlink_to("nowhere")
        await journal.durable(journal.stage(drafts("a"))[0].seq)
    assert (tmp_path / "journal.jsonl").exists()
