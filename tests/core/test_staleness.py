"""Staleness: ignored, warned of, or asked about, and what each answer does."""

from __future__ import annotations

import pytest

from golemd.api.model import GateKind
from tests.core.world import World, config, phase


def world_at_build(policy: str) -> tuple[World, str]:
    """A world whose item is about to begin its second phase, while the first one's commit is gone."""
    world = World()
    world.project(config(phases=("plan", phase("build", is_destructive=True, staleness=policy))))
    item = world.add()
    world.missing = ("plan",)
    world.held = {"build"}
    world.go()
    return world, item


def test_it_is_ignored_unless_the_phase_asks() -> None:
    world, item = world_at_build("ignore")
    assert world.run(item).phase.live
    assert world.run(item).phase.warnings == ()


def test_a_warning_is_shown_at_the_phase_and_stays_with_its_result() -> None:
    world, item = world_at_build("warn")
    (warning,) = world.run(item).phase.warnings
    assert "the work of plan (commit" in warning
    world.held = set()
    world.settle()
    assert world.status(item) == "done"


@pytest.mark.parametrize(("option", "next_phase"), [("proceed", "build"), ("rerun_prior", "plan"), ("abort", "")])
def test_a_phase_that_blocks_asks_and_does_what_is_answered(option: str, next_phase: str) -> None:
    world, item = world_at_build("block")
    gate = world.gate(item)
    assert (gate.kind, gate.default) == (GateKind.STALENESS, "")
    assert "no longer in the history of golem/" in gate.question
    world.held = {"plan", "build"}
    world.decide(gate.id, option)
    world.settle()
    if not next_phase:
        assert world.state.known(item).resolution == "aborted"
        return
    assert world.run(item).phase.name == next_phase
    assert world.running()[0].phase == next_phase
    world.missing = ()
    world.held = set()
    world.settle()
    assert world.status(item) == "done"
