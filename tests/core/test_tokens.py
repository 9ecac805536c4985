"""Tokens: the same command again has no second effect, and another one under its token is refused."""

from __future__ import annotations

from typing import Any

import pytest

from golemd.api import calls
from golemd.api.faults import Conflict, Fault
from golemd.api.model import Content
from golemd.core.state import TOKEN_DAYS
from golemd.core.tokens import body_of, earlier_use
from tests.core.world import SECOND, World, config, phase


def used(world: World, call: calls.Change[Any]) -> int | None:
    use = earlier_use(world.state, call, body_of(call), world.now_us)
    return use.seq if use else None


def test_the_same_token_and_body_point_at_the_first_record() -> None:
    world = World()
    world.project()
    call = calls.ItemAdd(title="t", token="a")
    assert used(world, call) is None
    world.ask(call)
    assert used(world, call) == world.state.seq
    use = earlier_use(world.state, call, body_of(call), world.now_us)
    assert use is not None
    assert (use.project, use.item) == ("demo", "DEMO-1")
    assert used(world, calls.ItemAdd(title="t", token="a", client="another")) == world.state.seq


def test_the_same_token_with_another_body_is_refused() -> None:
    world = World()
    world.project()
    world.ask(calls.ItemAdd(title="t", token="a"))
    others: list[calls.Change[Any]] = [calls.ItemAdd(title="u", token="a"), calls.ItemEdit(id="t", token="a")]
    for call in others:
        with pytest.raises(Conflict) as refused:
            used(world, call)
        assert (refused.value.code, refused.value.data) == ("token_reused", {"seq": world.state.seq})


def test_a_call_without_a_token_was_never_used() -> None:
    world = World()
    world.project()
    world.add("t")
    assert used(world, calls.ItemAdd(title="t")) is None
    assert not world.state.tokens


def test_a_token_is_forgotten_after_a_week() -> None:
    world = World()
    world.project()
    call = calls.ItemAdd(title="t", token="a")
    world.ask(call)
    world.now_us += TOKEN_DAYS * 86_400 * SECOND
    assert used(world, call) is not None
    world.now_us += 1
    assert used(world, call) is None
    assert used(world, calls.ItemAdd(title="u", token="a")) is None


def test_a_token_survives_a_restart() -> None:
    world = World()
    world.project()
    call = calls.ItemAdd(title="t", token="a")
    world.ask(call)
    world.restart()
    assert used(world, call) is not None


def gated() -> World:
    world = World()
    world.project(config(phases=(phase("build", gate=("approval",)),)))
    world.add()
    world.go()
    return world


@pytest.mark.parametrize("named", ["DEMO-1", "DEMO-1.g1"])
def test_a_repeated_decision_has_its_first_answer_also_when_the_item_has_ended_by_it(named: str) -> None:
    world = gated()
    call = calls.GateDecide(gate=named, option="abort", token="a")
    world.ask(call)
    assert used(world, call) is not None
    world.settle()
    assert "DEMO-1" in world.state.ended
    assert used(world, call) is not None


def test_an_unknown_gate_comes_before_a_reused_token() -> None:
    world = gated()
    world.ask(calls.ItemAdd(title="t", token="a"))
    for gate, code in (("DEMO-1.g9", "gate_not_found"), ("DEMO-1.g1", "token_reused"), ("DEMO-1", "token_reused")):
        with pytest.raises(Fault) as refused:
            used(world, calls.GateDecide(gate=gate, option="approve", token="a"))
        assert refused.value.code == code


def test_a_reused_token_comes_before_a_gate_that_is_not_open() -> None:
    world = gated()
    world.decide("DEMO-1", "abort")
    world.settle()
    world.ask(calls.ItemAdd(title="t", token="a"))
    with pytest.raises(Fault) as refused:
        used(world, calls.GateDecide(gate="DEMO-1.g1", option="approve", token="a"))
    assert refused.value.code == "token_reused"


def test_a_decision_that_was_not_taken_has_used_no_token() -> None:
    world = gated()
    call = calls.GateDecide(gate="DEMO-1.g1", option="approve", token="a")
    assert world.ask(call, content=Content("c", "t")).fault is not None
    assert used(world, call) is None
