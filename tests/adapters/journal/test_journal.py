"""The open journal: staging, group commit, failure, the close."""

from __future__ import annotations

import errno
import os
from collections import Counter
from pathlib import Path

import pytest
import trio
import trio.testing

from golemd.adapters.disk import RealDisk
from golemd.adapters.journal import Journal, JournalFailed, Limits
from golemd.adapters.journal.line import ZERO_HASH, is_sealed
from golemd.api.events import AttemptExited, DaemonStopped, Draft
from golemd.api.faults import Invalid
from tests.adapters.journal.kit import (
    NOON,
    Clock,
    drafts,
    load,
    opened,
    reasons,
    replay,
    segments,
    watched,
    write,
    writing,
)


async def test_records_come_back_as_they_were_staged(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        first = journal.stage([Draft(DaemonStopped(reason="ü\u2028\x85\n"), project="p", item="P-1", cause="cli:1")])
        second = journal.stage([*drafts("x"), Draft(DaemonStopped(), cause="seq:1")], body="b0d4", cause="cli:2")
        await journal.durable(3)
    assert await replay(tmp_path) == first + second
    assert [(r.seq, r.more, r.body, r.cause) for r in first + second] == [
        (1, False, "", "cli:1"),
        (2, True, "b0d4", "cli:2"),
        (3, False, "", "seq:1"),
    ]
    assert [r.prev for r in first + second] == [ZERO_HASH, first[0].h, second[0].h]


async def test_lines_stand_in_the_file_as_the_contract_says(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        (record,) = journal.stage([Draft(DaemonStopped(reason="é"), project="p", item="P-1", cause="c")])
        await journal.durable(1)
    (line,) = segments(tmp_path)[0].read_bytes().splitlines()
    assert is_sealed(line)
    start, end = line.decode().split(record.ts)
    assert start == '{"v":1,"seq":1,"d":0,"ts":"'
    assert end == (
        '","type":"daemon.stopped","project":"p","item":"P-1","cause":"c",'
        f'"data":{{"reason":"é"}},"prev":"{ZERO_HASH}","h":"{record.h}"}}'
    )
    assert segments(tmp_path)[0].name == f"{1:016x}-{1:016x}.jsonl"
    assert (tmp_path / "journal.jsonl").read_bytes() == line + b"\n"
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o700
    assert segments(tmp_path)[0].stat().st_mode & 0o777 == 0o600


async def test_each_start_makes_a_new_segment_with_its_first_record(tmp_path: Path) -> None:
    for text in "abc":
        await write(tmp_path, drafts(text, text))
    await replay(tmp_path)
    assert [path.name for path in segments(tmp_path)] == [
        f"{number:016x}-{first:016x}.jsonl" for number, first in ((1, 1), (2, 3), (3, 5))
    ]
    assert os.readlink(tmp_path / "journal.jsonl") == f"journal/{3:016x}-{5:016x}.jsonl"


async def test_a_command_with_one_bad_record_stages_nothing(tmp_path: Path) -> None:
    bad = [
        DaemonStopped(reason="\ud800"),
        AttemptExited(attempt="a", duration_s=float("nan")),
        DaemonStopped(reason="x" * 1_048_576),
        DaemonStopped(reason=["not text"]),  # type: ignore[arg-type]  # what a defect elsewhere would hand in
        DaemonStopped(reason=object()),  # type: ignore[arg-type]  # the same
    ]
    async with opened(tmp_path) as journal:
        for event in bad:
            with pytest.raises(Invalid, match="cannot be recorded") as caught:
                journal.stage([*drafts("good"), Draft(event)])
            assert caught.value.code == "cannot_record"
        assert journal.seq == 0
        assert journal.stage([]) == []
        journal.stage(drafts("good"))
        await journal.durable(1)
    assert reasons(await replay(tmp_path)) == ["good"]


async def test_the_record_limit_counts_the_whole_line(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.durable(journal.stage(drafts(""))[0].seq)
        empty = len(segments(tmp_path)[0].read_bytes()) + len('"reason":""')
        with pytest.raises(Invalid):
            journal.stage(drafts("x" * (1_048_576 - empty + 1)))
        await journal.durable(journal.stage(drafts("x" * (1_048_576 - empty)))[0].seq)
        assert segments(tmp_path)[0].read_bytes().endswith(b"}\n")
        assert len(segments(tmp_path)[0].read_bytes().splitlines(keepends=True)[1]) == 1_048_576


async def test_time_never_goes_back_not_even_over_a_restart(tmp_path: Path) -> None:
    clock = Clock()

    async def one() -> str:
        journal = await Journal.open(tmp_path, RealDisk(), clock, Limits(), lambda record: None)
        async with writing(journal):
            return journal.stage(drafts("x"))[0].ts

    first = await one()
    clock.now -= 10**9
    second = await one()
    clock.now += 2 * 10**9
    assert first == second == "2026-09-21T14:13:20.001000Z"
    assert await one() > second
    assert clock.now > NOON


async def test_writers_share_syncs_and_each_is_durable_when_it_is_told_so(tmp_path: Path) -> None:
    count: Counter[str] = Counter()
    journal, _ = await load(tmp_path, watched(RealDisk(), lambda name: count.update([name])))
    async with writing(journal):
        await journal.durable(journal.stage(drafts("first"))[0].seq)
        count.clear()

        async def writer(number: int) -> None:
            for _ in range(10):
                seq = journal.stage(drafts(str(number)))[0].seq
                await journal.durable(seq)
                assert journal.durable_seq >= seq
                head = (tmp_path / "head").read_bytes()
                assert any(f'"seq":{at},'.encode() in head for at in range(seq, journal.durable_seq + 1))

        async with trio.open_nursery() as nursery:
            for number in range(64):
                nursery.start_soon(writer, number)
        assert journal.durable_seq == 641
        assert count["fdatasync"] <= 64
        assert count["append"] == count["fdatasync"] == count["write_at"]
    assert len(await replay(tmp_path)) == 641


async def test_what_is_gathered_is_flushed_together_when_the_gathering_is_over(tmp_path: Path) -> None:
    done: Counter[str] = Counter()
    async with opened(tmp_path, watched(RealDisk(), lambda name: done.update([name]))) as journal:
        await journal.durable(journal.stage(drafts("before"))[-1].seq)
        done.clear()
        with journal.gathering():
            for reason in ("one", "two"):
                journal.stage(drafts(reason))
                await trio.testing.wait_all_tasks_blocked()
            assert (journal.durable_seq, done["fdatasync"]) == (1, 0)
        await journal.durable(3)
        assert done["fdatasync"] == 1


async def test_a_gathering_that_follows_at_once_does_not_hold_up_the_one_before(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        with journal.gathering():
            journal.stage(drafts("one"))
        with journal.gathering():
            await journal.durable(1)
            journal.stage(drafts("two"))
            await trio.testing.wait_all_tasks_blocked()
            assert journal.durable_seq == 1
        await journal.durable(2)


async def test_a_cancelled_waiter_cancels_no_flush(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        seq = journal.stage(drafts("x"))[0].seq
        with trio.CancelScope() as scope:
            scope.cancel()
            await journal.durable(seq)
        assert scope.cancelled_caught
        await journal.durable(seq)
    assert reasons(await replay(tmp_path)) == ["x"]


class Gate(RealDisk):
    """A disk whose data syncs wait until they are let through."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = trio.Event()
        self.passable = trio.Event()
        self.passable.set()

    def shut(self) -> None:
        self.reached = trio.Event()
        self.passable = trio.Event()

    async def fdatasync(self, file: int, written: int | None = None) -> None:
        self.reached.set()
        await self.passable.wait()
        await super().fdatasync(file, written)


async def test_who_asks_during_a_flush_waits_for_that_flush_only(tmp_path: Path) -> None:
    gate = Gate()
    async with opened(tmp_path, gate) as journal, trio.open_nursery() as nursery:
        gate.shut()
        journal.stage(drafts("a"))
        await gate.reached.wait()
        nursery.start_soon(journal.durable, 1)
        await trio.testing.wait_all_tasks_blocked()
        gate.passable.set()


async def test_a_flush_that_has_begun_is_finished_when_the_writer_is_cancelled(tmp_path: Path) -> None:
    gate = Gate()
    journal, _ = await load(tmp_path, gate)
    async with trio.open_nursery() as nursery:
        await nursery.start(journal.run)
        gate.shut()
        journal.stage(drafts("a"))
        await gate.reached.wait()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.testing.wait_all_tasks_blocked()
            gate.passable.set()
    assert journal.durable_seq == 1
    await journal.aclose()


async def test_what_is_staged_when_the_writer_is_cancelled_is_flushed_at_the_close(tmp_path: Path) -> None:
    journal, _ = await load(tmp_path)
    async with trio.open_nursery() as nursery:
        await nursery.start(journal.run)
        journal.stage(drafts("x"))
        nursery.cancel_scope.cancel()
    await journal.aclose()
    await journal.aclose()
    assert journal.durable_seq == 1
    assert reasons(await replay(tmp_path)) == ["x"]
    for call in (lambda: journal.stage(drafts("y")), journal.poke):
        with pytest.raises(JournalFailed, match="closed"):
            call()


async def test_followers_wake_when_the_durable_end_moves_and_when_the_journal_closes(tmp_path: Path) -> None:
    journal, _ = await load(tmp_path)
    async with trio.open_nursery() as nursery:
        await nursery.start(journal.run)
        passed = trio.Event()

        async def follow() -> None:
            assert await journal.wait_past(0) == 2
            passed.set()
            with pytest.raises(JournalFailed):
                await journal.wait_past(2)

        nursery.start_soon(follow)
        await trio.testing.wait_all_tasks_blocked()
        journal.stage(drafts("a", "b"))
        await passed.wait()
        await trio.testing.wait_all_tasks_blocked()
        await journal.aclose()


async def test_waiting_for_a_record_that_was_never_staged_is_an_error(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        with pytest.raises(ValueError, match="never staged"):
            await journal.durable(1)


@pytest.mark.parametrize("operation", ["append", "fdatasync", "write_at", "rename", "sync_folder", "symlink"])
async def test_one_failed_operation_ends_the_journal_for_everyone_and_for_ever(tmp_path: Path, operation: str) -> None:
    failing = 0

    def before(name: str) -> None:
        nonlocal failing
        if name == operation and failing:
            failing -= 1
            raise OSError(errno.EIO, "no luck")

    journal, _ = await load(tmp_path, watched(RealDisk(), before))
    failing = 1
    outcomes: list[str] = []

    async def waiter(seq: int) -> None:
        with pytest.raises(JournalFailed, match="no luck") as caught:
            await journal.durable(seq)
        outcomes.append(f"{caught.value.code} {caught.value.exit_status}")

    async def follower() -> None:
        with pytest.raises(JournalFailed, match="no luck"):
            await journal.wait_past(0)
        outcomes.append("follower")

    with pytest.raises(ExceptionGroup) as ended:  # noqa: PT012 - the nursery is what raises
        async with trio.open_nursery() as nursery:
            with trio.CancelScope(shield=True):
                nursery.start_soon(follower)
                async with trio.open_nursery() as waiters:
                    waiters.start_soon(waiter, journal.stage(drafts("a"))[0].seq)
                    waiters.start_soon(waiter, journal.stage(drafts("b"))[0].seq)
                    await trio.testing.wait_all_tasks_blocked()
                    nursery.start_soon(journal.run)
    assert ended.group_contains(JournalFailed, match="no luck")
    assert outcomes.count("journal_failed 74") == 2
    assert journal.failed
    with pytest.raises(JournalFailed):
        journal.stage(drafts("c"))
    with pytest.raises(JournalFailed):
        await journal.durable(1)
    with pytest.raises(JournalFailed):
        await journal.run()
    before_close = {path: path.stat().st_size for path in (tmp_path / "journal").iterdir()}
    await journal.aclose()
    assert {path: path.stat().st_size for path in (tmp_path / "journal").iterdir()} == before_close


async def test_a_failure_while_setting_space_aside_is_final(tmp_path: Path) -> None:
    def before(name: str) -> None:
        if name in ("reserve", "free_bytes"):
            raise OSError(errno.EIO, "no luck")

    journal, _ = await load(tmp_path, watched(RealDisk(), before))
    with pytest.raises(JournalFailed, match="no luck"):
        journal.stage(drafts("a"))
    assert journal.failed
    with pytest.raises(JournalFailed):
        journal.poke()
    await journal.aclose()


@pytest.mark.parametrize("operation", ["fdatasync", "truncate"])
async def test_a_failed_close_is_reported_unless_only_space_is_at_stake(tmp_path: Path, operation: str) -> None:
    failing = False

    def before(name: str) -> None:
        if name == operation and failing:
            raise OSError(errno.EIO, "no luck")

    journal, _ = await load(tmp_path, watched(RealDisk(), before))
    async with trio.open_nursery() as nursery:
        await nursery.start(journal.run)
        await journal.durable(journal.stage(drafts("a"))[0].seq)
        nursery.cancel_scope.cancel()
    failing = True
    if operation == "truncate":
        await journal.aclose()
    else:
        with pytest.raises(JournalFailed, match="no luck"):
            await journal.aclose()
    assert reasons(await replay(tmp_path)) == ["a"]
