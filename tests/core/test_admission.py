"""Admission by resources: agents wait while the machine is short of something, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from golemd.api import events as ev
from golemd.core.admission import LOOK_AGAIN_US, MAX_MEMORY_PRESSURE, Room, shortage
from golemd.core.commands import Launch, PlanVerify, Promote
from golemd.core.scheduler import why
from golemd.core.slots import Limits
from tests.core.world import MANY, SECOND, World, config, phase

GB = 1 << 30
MB = 1 << 20
LIMITS = replace(MANY, min_free_gb=5.0, min_free_memory_mb=1024)
POOR = Room(disk_bytes=3 * GB, disk_at="/state")
DISK_WORDS = "only 3.0 GB are free at /state (min_free_gb 5)"


@pytest.mark.parametrize(
    ("room", "words"),
    [
        (Room(), ""),
        (Room(5 * GB, "/state", 1024 * MB, MAX_MEMORY_PRESSURE), ""),
        (POOR, DISK_WORDS),
        (Room(5 * GB - 1, "/trees"), "only 5.0 GB are free at /trees (min_free_gb 5)"),
        (Room(memory_bytes=1023 * MB), "only 1023 MB of memory are available (min_free_memory_mb 1024)"),
        (Room(9 * GB, "/", 9 * GB, 20.4), "memory is short: programs wait for it 20 % of the time"),
        (Room(0, "/", 0, 99.0), "only 0.0 GB are free at / (min_free_gb 5)"),
    ],
)
def test_a_shortage_is_told_with_its_figures(room: Room, words: str) -> None:
    assert shortage(room, LIMITS) == words


def test_what_has_no_minimum_does_not_matter() -> None:
    assert shortage(Room(0, "/", 0, 99.0), MANY) == ""
    assert (
        shortage(Room(0, "/", 0, 99.0), replace(MANY, min_free_gb=0.5)) == "only 0.0 GB are free at / (min_free_gb 0.5)"
    )


def short_of_disk(**execution: Any) -> World:
    world = World(LIMITS)
    world.project(config(phases=(phase("build", verify=("make",)),), **execution))
    world.add()
    world.start()
    world.room = POOR
    return world


def test_nothing_is_launched_until_another_look_shows_room() -> None:
    world = short_of_disk()
    world.calm()
    steps = world.plan()
    assert (steps.commands, steps.effects, steps.short) == ((), (), DISK_WORDS)
    assert steps.wake_at_us == world.now_us + LOOK_AGAIN_US
    assert world.halt_reason() == "on", "what is held back is not the end of the dispatch"
    world.room = Room(9 * GB, "/state")
    assert [type(each) for each in world.plan().commands] == [Launch]
    assert (world.plan().short, world.plan().wake_at_us) == ("", None)
    world.settle()
    assert world.status("DEMO-1") == "done"


def test_promotion_takes_no_room() -> None:
    world = short_of_disk()
    assert [type(each) for each in world.plan().commands] == [Promote]


def test_verify_commands_and_steps_under_way_are_not_held_back() -> None:
    world = short_of_disk()
    world.room = Room()
    world.calm()
    world.room = POOR
    (attempt,) = world.running()
    world.end(attempt.id)
    world.step()
    assert [type(each) for each in world.plan().commands] == [PlanVerify]
    world.settle()
    assert world.status("DEMO-1") == "done"


def test_nobody_looks_again_while_nothing_is_held_back() -> None:
    world = short_of_disk(max_concurrent=1)
    world.room = Room()
    world.add()
    world.calm()
    world.room = POOR
    steps = world.plan()
    assert (steps.commands, steps.short, steps.wake_at_us) == ((), "", None), "its own limit holds the other one back"


def test_why_names_what_is_short_only_when_nothing_else_holds_the_item_back() -> None:
    world = short_of_disk()
    world.calm()
    item = world.item("DEMO-1")
    told = why(world.state, item, LIMITS, world.now_us, short=DISK_WORDS)
    assert told == f"DEMO-1 is in progress but does not run: {DISK_WORDS}."
    other = why(world.state, item, Limits(max_agents=0), world.now_us, short=DISK_WORDS)
    assert other is not None
    assert "max_agents" in other


@pytest.mark.parametrize("seconds", [5, 60])
def test_the_earlier_of_two_moments_counts(seconds: int) -> None:
    world = short_of_disk()
    world.calm()
    until = world.now_us + seconds * SECOND
    world.happen(ev.ProviderParked(provider="somebody else", until_us=until, streak=1))
    assert world.plan().wake_at_us == min(until, world.now_us + LOOK_AGAIN_US)
