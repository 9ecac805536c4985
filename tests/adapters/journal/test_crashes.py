"""Crashes between any two operations, and errors at each of them: what was confirmed is there after the next start."""

from __future__ import annotations

import errno
import os
from random import Random

import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from golemd.adapters.journal import Journal, Limits
from golemd.api.events import Draft, Record
from golemd.api.faults import Fault
from tests.adapters.journal.crashdisk import STATE, CrashDisk, PowerCut
from tests.adapters.journal.kit import Clock, drafts, writing

SMALL = Limits(segment_bytes=1500, reserve_bytes=8192, chunk_bytes=700)
WORK = [drafts("a"), drafts("b", "c" * 300, "d"), drafts("e" * 900), drafts("f", "g"), drafts("h" * 700), drafts("i")]


class Life:
    """One daemon's life on a disk, and what it told the world."""

    def __init__(self, disk: CrashDisk) -> None:
        self.disk = disk
        self.replayed: list[Record] = []
        self.staged: list[Record] = []  # after what was replayed
        self.confirmed = 0
        self.alive = False

    async def work(self, commands: list[list[Draft]], *, wait: bool = True, close: bool = True) -> None:
        journal = await Journal.open(STATE, self.disk, Clock(), SMALL, self.replayed.append, timer=lambda: 0.0)
        self.alive = True
        self.confirmed = journal.durable_seq
        async with trio.open_nursery() as nursery:
            await nursery.start(journal.run)
            for command in commands:
                self.staged += journal.stage(command)
                if wait:
                    await journal.durable(journal.seq)
                    self.confirmed = journal.seq
            if close:
                await journal.aclose()
                self.confirmed = journal.seq
            nursery.cancel_scope.cancel()

    def run(self, commands: list[list[Draft]], *, wait: bool = True, close: bool = True) -> None:
        """Live until the work is done, the power goes or the journal fails."""
        try:
            trio.run(lambda: self.work(commands, wait=wait, close=close))
        except BaseException as error:
            if not _expected(error):
                raise


def _expected(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_expected, error.exceptions))
    return isinstance(error, (PowerCut, Fault))


def assert_nothing_lost(before: Life, after: Life) -> None:
    """What the next life replayed: all that was confirmed, then perhaps more, in whole commands, nothing else."""
    known = before.replayed + before.staged
    found = after.replayed
    assert after.alive, "the next start was refused"
    assert found == known[: len(found)]
    assert len(found) >= before.confirmed
    assert not found or not found[-1].more


def operations(commands: list[list[Draft]], disk: CrashDisk) -> int:
    disk.operations.clear()
    Life(disk).run(commands)
    return len(disk.operations)


def a_written_journal() -> list[Record]:
    life = Life(a_written_disk())
    life.run([])
    return life.replayed


def a_written_disk() -> CrashDisk:
    disk = CrashDisk()
    Life(disk).run(WORK)
    return disk


@pytest.mark.parametrize("close", [True, False])
def test_a_power_cut_at_any_operation_loses_nothing_confirmed(close: bool) -> None:
    total = operations(WORK, CrashDisk())
    assert total > 50
    for number in range(total):
        random = Random(number)
        disk = CrashDisk()
        disk.cut_at(number)
        life = Life(disk)
        life.run(WORK, close=close)
        for _ in range(12):
            after = Life(disk.crash(random))
            after.run([drafts("next")])
            assert_nothing_lost(life, after)
            again = Life(after.disk.crash(random))
            again.run([])
            assert_nothing_lost(after, again)


@pytest.mark.parametrize("more", [[], [drafts("next")]])
def test_what_a_killed_daemon_left_in_the_caches_is_made_durable_before_it_counts(more: list[list[Draft]]) -> None:
    for number in range(operations(WORK, CrashDisk())):
        random = Random(number)
        disk = CrashDisk()
        disk.cut_at(number)
        life = Life(disk)
        life.run(WORK)
        disk.before = lambda operation: None  # only the process ended: what it wrote is still there
        after = Life(disk)
        after.run(more, close=False)
        assert_nothing_lost(life, after)
        for _ in range(8):
            again = Life(disk.crash(random))
            again.run([])
            assert_nothing_lost(after, again)


def test_a_start_reads_what_the_device_holds_and_not_what_the_cache_shows() -> None:
    disk = a_written_disk()
    disk.operations.clear()
    Life(disk).run([])
    first_read = disk.operations.index("read")
    steps = [name for name in disk.operations if name in ("fdatasync", "drop_cache", "read")]
    assert steps[:5] == ["fdatasync", "drop_cache", "fdatasync", "drop_cache", "read"]
    assert disk.operations[:first_read].count("sync_folder") == 2


@pytest.mark.proof
def test_a_power_cut_during_recovery_loses_nothing_confirmed() -> None:
    random = Random(7)
    disk = CrashDisk()
    life = Life(disk)
    disk.cut_at(operations(WORK, CrashDisk()) - 12)
    life.run(WORK)
    cuts = 0
    for _ in range(20):
        first = disk.crash(random)
        for number in range(60):
            second = first.crash(Random(0))
            second.cut_at(number)
            half = Life(second)
            half.run([])
            if half.alive:
                break
            cuts += 1
            after = Life(second.crash(random))
            after.run([])
            assert_nothing_lost(life, after)
    assert cuts > 100


def test_a_torn_end_is_announced_until_it_is_recorded() -> None:
    disk = a_written_disk()
    segment = max(path for path in disk.files() if path.startswith("journal/"))
    disk = CrashDisk({**disk.content(), segment: disk.content()[segment] + b'{"v":1,"seq":10,'})

    async def told(disk: CrashDisk) -> object:
        journal = await Journal.open(STATE, disk, Clock(), SMALL, lambda record: None)
        return journal.repaired_tail

    async def recorded(disk: CrashDisk) -> None:
        journal = await Journal.open(STATE, disk, Clock(), SMALL, lambda record: None)
        assert journal.repaired_tail is not None
        async with writing(journal):
            journal.stage([Draft(journal.repaired_tail)])

    first = trio.run(told, disk)
    assert first is not None
    for seed in range(8):
        assert trio.run(told, disk.crash(Random(seed))) == first
    assert trio.run(told, disk) == first
    trio.run(recorded, disk)
    assert trio.run(told, disk) is None


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("for_ever", [False, True])
@pytest.mark.parametrize("first_life", [True, False])
def test_an_error_at_any_operation_loses_nothing_confirmed(code: int, for_ever: bool, first_life: bool) -> None:
    def start() -> CrashDisk:
        return CrashDisk() if first_life else a_written_disk()

    known = [] if first_life else a_written_journal()
    for number in range(operations(WORK, start())):
        disk = start()
        disk.operations.clear()

        def before(operation: str, number: int = number, disk: CrashDisk = disk) -> None:
            at = len(disk.operations) - 1
            if at == number or (for_ever and at > number):
                raise OSError(code, os.strerror(code))

        disk.before = before
        life = Life(disk)
        life.run(WORK)
        disk.before = lambda operation: None
        if not life.alive and not first_life:
            life.staged, life.replayed, life.confirmed = [], known, len(known)
        for image in (disk, disk.crash(Random(number))):
            after = Life(image)
            after.run([drafts("next")])
            assert_nothing_lost(life, after)


class JournalMachine(RuleBasedStateMachine):
    """Any lives, ends and crashes against a list of records."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = CrashDisk()
        self.before = Life(self.disk)

    def _live(self, life: Life, commands: list[list[Draft]], *, wait: bool, close: bool) -> None:
        life.run(commands, wait=wait, close=close)
        if life.alive:
            assert_nothing_lost(self.before, life)
            self.before = life

    @rule(texts=st.lists(st.lists(st.text(max_size=400), min_size=1, max_size=4), max_size=6), wait=st.booleans())
    def live_and_close(self, texts: list[list[str]], wait: bool) -> None:
        commands = [drafts(*(text.encode("utf-8", "ignore").decode() for text in command)) for command in texts]
        self._live(Life(self.disk), commands, wait=wait, close=True)
        assert self.before.confirmed == len(self.before.replayed) + len(self.before.staged)

    @rule(
        count=st.integers(0, 6),
        size=st.integers(0, 900),
        wait=st.booleans(),
        cut=st.integers(0, 120),
        seed=st.integers(0, 2**32),
    )
    def live_and_crash(self, count: int, size: int, wait: bool, cut: int, seed: int) -> None:
        self.disk.cut_at(cut)
        self._live(Life(self.disk), [drafts("x", "y" * size)] * count, wait=wait, close=False)
        self.disk = self.disk.crash(Random(seed))


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)
