"""Pruning the journal: which segments go, and what becomes of the state."""

from __future__ import annotations

import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.views import Pruned
from golemd.core import commands as cmd
from golemd.core import plan as planning
from golemd.core.decide import decide
from golemd.core.slots import Limits
from tests.core.world import World, config

SEGMENTS = ((1, 100), (20, 200), (40, 300), (60, 400))


def a_world(*, live: bool) -> World:
    world = World()
    world.project(config())
    world.add("ended")
    world.ask(calls.ItemCancel(id="DEMO-1"))
    while world.state.seq < 44:
        world.happen(ev.DaemonStopped(), project="")
    if live:
        world.add("live")
    return world


def asked(world: World, before: int, *, dry_run: bool = False) -> Pruned:
    call = calls.JournalPrune(before=before, dry_run=dry_run)
    answer = world.ask(call, segments=SEGMENTS, before=before).answer
    assert isinstance(answer, Pruned)
    return answer


@pytest.mark.parametrize(
    ("before", "first", "segments", "size"),
    [(1, 1, 0, 0), (19, 1, 0, 0), (20, 20, 1, 100), (59, 40, 2, 300), (60, 60, 3, 600), (9999, 60, 3, 600)],
)
def test_those_that_lie_wholly_before_go(before: int, first: int, segments: int, size: int) -> None:
    answer = asked(a_world(live=False), before)
    assert answer == Pruned(first=first, records=first - 1, segments=segments, bytes=size)


def test_what_a_live_item_needs_stays_and_the_answer_names_it() -> None:
    world = a_world(live=True)
    assert world.item("DEMO-2").order == 45
    assert asked(world, 9999) == Pruned(first=40, records=39, segments=2, bytes=300, held_by="DEMO-2")
    assert asked(world, 30).held_by is None


def test_a_dry_run_and_an_empty_journal_record_nothing() -> None:
    world = a_world(live=False)
    before = world.state.seq
    assert asked(world, 40, dry_run=True) == Pruned(first=40, records=39, segments=2, bytes=300, dry_run=True)
    call = cmd.Asked(call=calls.JournalPrune(before=1), facts=cmd.Facts(before=1))
    assert decide(world.state, call, world.now_us).answer == Pruned(first=1)
    assert world.state.seq == before


def test_the_state_knows_where_the_journal_begins_and_lets_go_of_what_is_gone() -> None:
    world = a_world(live=True)
    trail = list(world.state.trail["DEMO-2"])
    asked(world, 9999)
    assert world.state.first == 40
    assert list(world.state.trail["DEMO-1"]) == []
    assert list(world.state.trail["DEMO-2"]) == trail
    world.happen(ev.JournalPruned(first=40, segments=0, bytes=0), project="")
    assert list(world.state.trail["DEMO-1"]) == []


def test_what_is_to_go_is_removed_when_there_is_room_for_a_snapshot() -> None:
    state = World().state
    for full in (False, True):
        world = planning.World(now_us=0, unpruned=True, full=full)
        effects = planning.plan(state, world, Limits()).effects
        assert effects == (() if full else (planning.PruneJournal("journal"),))
