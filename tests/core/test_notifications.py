"""Telling people: each open gate is told of once, and a restart tells what was not told."""

from __future__ import annotations

import pytest

from golemd.core import commands as cmd
from golemd.core import gate_views
from golemd.core import plan as planning
from tests.core.world import End, World, config

ASKS = End(result={"result": "blocked", "summary": "s", "question": "Which colour?"})


def asking() -> tuple[World, str]:
    """A world with an open gate of which nobody has been told."""
    world = World()
    world.project(config())
    item = world.add()
    world.script["build"] = [ASKS]
    world.go()
    return world, world.gate(item).id


def told(world: World) -> list[str]:
    """The gates that plan wants people to be told of."""
    return [effect.id for effect in world.plan().effects if isinstance(effect, planning.Notify)]


def test_an_open_gate_is_told_of_once() -> None:
    world, gate = asking()
    assert told(world) == []
    world.notifies = True
    assert told(world) == [gate]
    world.settle()
    assert told(world) == []
    assert world.types().count("gate.notified") == 1
    assert world.state.gates[gate].notified == "sent"
    world.restart()
    assert told(world) == []


def test_what_is_being_told_is_not_asked_for_again_and_a_restart_tells_it() -> None:
    world, gate = asking()
    world.notifies = True
    world.in_flight = {f"notify:{gate}"}
    assert told(world) == []
    world.restart()
    assert told(world) == [gate]


@pytest.mark.parametrize("change", [{"stopping": "end"}, {"stopping": "keep"}, {"full": True}])
def test_nobody_is_told_while_the_daemon_stops_or_could_not_record_it(change: dict[str, object]) -> None:
    world, _ = asking()
    world.notifies = True
    for name, value in change.items():
        setattr(world, name, value)
    assert told(world) == []


def test_a_decided_gate_is_not_told_of() -> None:
    world, gate = asking()
    world.decide(gate, "abort")
    world.notifies = True
    assert told(world) == []
    world.settle()
    assert not world.apply(cmd.ReportNotified(gate=gate, tries=1)).drafts  # its item has been put away


def test_a_notification_that_failed_is_recorded_and_shown_and_not_tried_again() -> None:
    world, gate = asking()
    world.notifies = True
    decided = world.apply(cmd.ReportNotified(gate=gate, tries=4, message="it exited with status 1"))
    assert decided.essential
    assert (world.records[-1].type, world.records[-1].item) == ("gate.notified", "DEMO-1")
    assert told(world) == []
    assert gate_views.gate_view(world.state.gates[gate]).notified == "failed"
    assert not world.apply(cmd.ReportNotified(gate=gate, tries=1)).drafts
