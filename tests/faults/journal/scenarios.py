"""What the journal is put through: lives, one after the other on one disk, and how each of them ends.

Between them they append alone and in groups, fill segments, start again, cut torn ends, meet full disks, and run on
disks without reserves. `scenarios` are the ones of every proof; `wild` makes as many more as there is time for.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

import trio
from msgspec import Struct

from golemd.adapters.journal import Limits
from tests.adapters.journal.crashdisk import CrashDisk
from tests.adapters.journal.kit import drafts
from tests.faults.journal.lives import SMALL, Command, Life, Script, Told, run, segments_of

PLENTY: Final = Limits(reserve_bytes=8192, chunk_bytes=700)
TIGHT: Final = Limits(segment_bytes=1500, reserve_bytes=4096, chunk_bytes=700)


class Ends(Enum):
    """How a life ends: in good order, by SIGKILL (the caches stay), by the power (they go)."""

    CLOSED = "closed"
    KILLED = "killed"
    CUT = "cut"


class Scenario(Struct, frozen=True):
    """Lives on one disk. `room`: bytes that are free at first; None is plenty."""

    name: str
    lives: tuple[tuple[Script, Ends], ...]
    limits: Limits = SMALL
    reserves: bool = True
    room: int | None = None

    def disk(self) -> CrashDisk:
        disk = CrashDisk()
        disk.reserves, disk.room = self.reserves, self.room
        return disk


def command(*reasons: str) -> Command:
    """A command of one small event for each reason."""
    return drafts(*reasons)


async def nothing(life: Life) -> None:
    await life.close()


async def one_by_one(life: Life) -> None:
    for each in (command("a"), command("b", "c" * 300, "d"), command("e" * 900), command("f"), command("g" * 400)):
        await life.commit(each)


async def in_groups(life: Life) -> None:
    await life.commit(command("a"), command("b", "c"), command("d"))
    await life.commit(command("e" * 700), command("f"))
    await life.commit(command("g"), command("h", "i"), command("j" * 60))


async def unheard(life: Life) -> None:
    """The last commands are staged, and nobody waits for them."""
    await life.commit(command("heard"))
    life.stage(command("a", "b" * 600, "c"))
    life.stage(command("d" * 300))
    await life.flush()
    life.stage(command("e", "f"))
    await life.close()


async def large(life: Life) -> None:
    """Each fills a segment."""
    for letter in "abc":
        await life.commit(command(letter * 1400, letter))


async def large_commands(life: Life) -> None:
    """Commands of many records, across many sectors."""
    await life.commit(command(*"abcdefghij"))
    await life.commit(command("k" * 500, "l" * 500, "m" * 500))


async def a_little(life: Life) -> None:
    await life.commit(command("more"))
    await life.close()


async def heads(life: Life) -> None:
    """Many small flushes: the slots of the head take turns."""
    for number in range(9):
        await life.commit(command(str(number)))
    await life.close()


async def full_disk(life: Life) -> None:
    """Changes are refused, ends go in, and it goes on when there is room."""
    await life.commit(command("before"))
    life.disk.room = 900
    changes = life.stage_what_fits(command("change" * 20))
    ends = life.stage_what_fits(command("end", "of an attempt"), essential=True)
    assert changes < ends + changes, "nothing of the reserve was kept for ends"
    await life.flush()
    life.disk.room = 100_000
    assert life.journal.poke(), "there is room, and it does not go on"
    await life.commit(command("after" * 100))
    await life.commit(command("after" * 100))
    await life.close()


async def full_at_the_start(life: Life) -> None:
    assert life.stage_what_fits(command("change")) == 0
    life.disk.room = 100_000
    assert life.journal.poke(), "there is room, and it does not go on"
    await life.commit(command("at last"))
    await life.close()


async def full_at_the_turn(life: Life) -> None:
    """There is no room for the next segment, so the old one grows on; then there is."""
    await life.commit(command("a" * 1600))
    life.disk.room = 1000
    await life.commit(command("b"))
    life.disk.room = 100_000
    await life.commit(command("c"))
    await life.close()


async def with_snapshots(life: Life) -> None:
    """Snapshots are taken between commands, more than are kept, and once more at the end."""
    for letter in "abcd":
        await life.commit(command(letter * 200, letter))
        await life.snapshot()
    await life.commit(command("after the last"))


async def snapshot_beside(life: Life) -> None:
    """A snapshot is written while commands go on."""
    await life.commit(command("a" * 700), command("b"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(life.snapshot)
        await life.commit(command("beside", "it"))
        await life.commit(command("c" * 900))
    await life.snapshot()
    await life.close()


async def snapshot_on_a_full_disk(life: Life) -> None:
    """There is no room for it; nothing else is lost by that, and later there is."""
    await life.commit(command("before"))
    room, life.disk.room = life.disk.room, 100
    assert not await life.snapshot(), "a snapshot has taken the journal's room"
    life.disk.room = room
    await life.commit(command("after"))
    assert await life.snapshot(), "a snapshot could not be written, and there is room"
    await life.close()


async def pruned(life: Life) -> None:
    """The oldest segment is removed, and then another one."""
    for letter in "abc":
        await life.commit(command(letter * 1400, letter))
    for _ in range(2):
        assert await life.prune(), "nothing stands in the way, and nothing was pruned"
    await life.commit(command("after"))
    await life.close()


CUT, KILLED, CLOSED = Ends.CUT, Ends.KILLED, Ends.CLOSED
SCENARIOS: Final = (
    Scenario("one by one", ((one_by_one, CLOSED),), PLENTY),
    Scenario("in groups", ((in_groups, CLOSED),)),
    Scenario("unheard", ((unheard, CLOSED), (a_little, CLOSED))),
    Scenario("full segments", ((large, KILLED), (a_little, CLOSED))),
    Scenario("large commands", ((large_commands, CUT), (a_little, CUT), (nothing, CLOSED))),
    Scenario("heads", ((heads, CLOSED),), PLENTY),
    Scenario("start after start", ((a_little, CLOSED), (a_little, KILLED), (in_groups, CUT), (a_little, CLOSED))),
    Scenario("torn ends", ((unheard, CUT), (one_by_one, CUT), (in_groups, CUT), (nothing, CLOSED))),
    Scenario("killed and killed", ((one_by_one, KILLED), (in_groups, KILLED), (nothing, KILLED), (a_little, CUT))),
    Scenario("full disk", ((full_disk, CLOSED), (a_little, CLOSED)), TIGHT),
    Scenario("full disk, no reserves", ((full_at_the_turn, CUT), (a_little, CLOSED)), TIGHT, reserves=False),
    Scenario("full at the start", ((full_at_the_start, CUT), (a_little, CLOSED)), room=3000),
    Scenario("full at the turn", ((full_at_the_turn, CLOSED),), TIGHT),
    Scenario("snapshots", ((with_snapshots, CUT), (with_snapshots, KILLED), (a_little, CUT), (nothing, CLOSED))),
    Scenario("snapshots beside commands", ((snapshot_beside, CLOSED), (snapshot_beside, CUT), (a_little, CLOSED))),
    Scenario("pruned", ((pruned, CUT), (a_little, CLOSED))),
    Scenario("snapshots on a full disk", ((snapshot_on_a_full_disk, CLOSED), (a_little, CLOSED))),
)


def beginnings(scenario: Scenario) -> Iterator[tuple[Life, Script]]:
    """Each life of a scenario as it is before it begins, on a disk of its own, and what it is to do.

    Raises AssertionError when one of the lives before it could not reach its end on a disk without faults.
    """
    disk, told = scenario.disk(), Told()
    for script, ends in scenario.lives:
        yield Life(disk.killed(), Told(told.records, told.confirmed), scenario.limits), script
        torn: list[tuple[CrashDisk, Told]] = []

        def before(operation: str, disk: CrashDisk = disk, told: Told = told, torn: list[Any] = torn) -> None:
            if operation == "fdatasync" and segments_of(disk.durable()) != segments_of(disk.content()):
                torn.append((disk.crash(random.Random(len(torn))), Told(told.records, told.confirmed)))

        disk.before = before
        if not run(Life(disk, told, scenario.limits), script):
            raise AssertionError(f"{scenario.name}: a life ended early, on a disk without faults")
        disk.before = lambda operation: None
        if ends is Ends.CUT and torn:
            disk, told = torn[-1]
            disk.room = scenario.room and 1 << 20
        else:
            disk = disk.crash(random.Random(scenario.name)) if ends is Ends.CUT else disk.killed()


def wild(seed: int) -> Scenario:
    """Some scenario: the dice say what is recorded, in which groups, and how the lives end."""
    dice = random.Random(seed)
    lives = tuple((_wild_life(dice.randrange(1 << 32)), dice.choice(list(Ends))) for _ in range(dice.randint(1, 3)))
    segment, reserve = dice.choice((700, 1500, 4000, 64_000)), dice.choice((4096, 8192))
    limits = Limits(segment_bytes=segment, reserve_bytes=reserve, chunk_bytes=dice.choice((300, 700, 5000)))
    return Scenario(f"wild {seed}", lives, limits, reserves=dice.random() < 0.8)


def _wild_life(seed: int) -> Script:
    async def script(life: Life) -> None:
        dice = random.Random(seed)
        for _ in range(dice.randint(0, 4)):
            group = [_wild_command(dice) for _ in range(dice.choice((1, 1, 2, 3)))]
            if dice.random() < 0.8:
                await life.commit(*group)
            else:
                for each in group:
                    life.stage(each)
            if dice.random() < 0.2:
                await life.snapshot()
        if dice.random() < 0.5:
            await life.close()

    return script


def _wild_command(dice: random.Random) -> Command:
    return command(*("x" * dice.choice((0, 1, 40, 300, 700, 1500)) for _ in range(dice.choice((1, 1, 1, 2, 3)))))
