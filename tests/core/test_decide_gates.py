"""Gates: every option of every kind, the order of the checks, and what happens to the dispatch."""

from __future__ import annotations

from typing import Final

import pytest
from msgspec.structs import replace

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.config import Budget, Triage
from golemd.api.faults import Fault
from golemd.api.model import Content, GateKind, PhaseState, Stage
from golemd.core import prompt
from golemd.core.commands import Said
from golemd.core.decide.common import DEFAULTS, OPTIONS
from golemd.core.decide.gates import _EFFECTS
from golemd.core.decide.phases import content_digest
from golemd.core.gate_views import _EFFECTS as SHOWN
from tests.core.world import End, World, config, phase, picture

ASKS: Final = End(result={"result": "blocked", "question": "Which one?"})
FAILS_AT_ONCE: Final = End(result={"item_id": "OTHER-1"})
ENDS: Final = {
    GateKind.APPROVAL: End(),
    GateKind.QUESTION: ASKS,
    GateKind.GUARDRAIL: End(),
    GateKind.DUPLICATE: End(result={"duplicates": ["DEMO-1"]}),
    GateKind.STALENESS: End(),
    GateKind.FAILURE: FAILS_AT_ONCE,
    GateKind.BUDGET: End(result=None, said=Said(trouble="budget", cost_usd=5.0)),
}


def blocked(kind: GateKind, *, phases: int = 1, cap: int | None = None) -> tuple[World, str, str]:
    """A world whose one item waits at a gate of that kind, the item, and the gate."""
    world = World()
    gate = ("approval",) if kind is GateKind.APPROVAL else ()
    settings = config(
        phases=tuple(phase(f"p{n}", gate=gate) for n in range(1, phases + 1)), budget=Budget(item_usd=5.0)
    )
    if kind is GateKind.STALENESS:
        settings = config(phases=("p0", phase("p1", staleness="block")))
        world.missing = ("p0",)
    world.project(replace(settings, triage=Triage(enabled=kind is GateKind.DUPLICATE)))
    if kind is GateKind.DUPLICATE:
        world.ask(calls.Pause(id=world.add("The same")))
        world.script["triage"] = [ENDS[kind]]
    else:
        world.script["p1"] = [ENDS[kind]]
    item = world.add()
    if kind is GateKind.GUARDRAIL:
        world.ask(calls.ItemEdit(id=item, size="large"))
    world.go(cap=cap)
    assert world.gate(item).kind is kind
    return world, item, world.gate(item).id


# (kind, option): status after, phase state after (of a live item), resolution (of an ended one)
TABLE: Final[dict[tuple[GateKind, str], tuple[str, str]]] = {
    (GateKind.APPROVAL, "approve"): ("done", "completed"),
    (GateKind.APPROVAL, "request_changes"): ("in_progress", "pending"),
    (GateKind.APPROVAL, "reject"): ("cancelled", "rejected"),
    (GateKind.APPROVAL, "abort"): ("cancelled", "aborted"),
    (GateKind.QUESTION, "answer"): ("in_progress", "pending"),
    (GateKind.QUESTION, "abort"): ("cancelled", "aborted"),
    (GateKind.GUARDRAIL, "approve"): ("ready", "completed"),
    (GateKind.GUARDRAIL, "reject"): ("cancelled", "rejected"),
    (GateKind.DUPLICATE, "merge"): ("cancelled", "duplicate of DEMO-1"),
    (GateKind.DUPLICATE, "keep"): ("ready", "completed"),
    (GateKind.STALENESS, "proceed"): ("in_progress", "pending"),
    (GateKind.STALENESS, "rerun_prior"): ("in_progress", "pending"),
    (GateKind.STALENESS, "abort"): ("cancelled", "aborted"),
    (GateKind.FAILURE, "retry"): ("in_progress", "pending"),
    (GateKind.FAILURE, "skip"): ("done", "completed"),
    (GateKind.FAILURE, "abort"): ("cancelled", "aborted"),
    (GateKind.BUDGET, "raise"): ("in_progress", "pending"),
    (GateKind.BUDGET, "abort"): ("cancelled", "aborted"),
}
TEXTS: Final = {"raise": "2.50"}


def test_every_option_of_every_kind_has_an_effect_a_sentence_and_a_row_here() -> None:
    offered = {(kind, option.id) for kind, options in OPTIONS.items() for option in options}
    assert offered == set(_EFFECTS) == set(SHOWN) == set(TABLE)
    assert set(OPTIONS) == set(GateKind)
    assert {(kind, default) for kind, default in DEFAULTS.items()} <= offered


@pytest.mark.parametrize(("kind", "option"), TABLE)
def test_each_option_does_what_the_table_says(kind: GateKind, option: str) -> None:
    world, item, gate = blocked(kind)
    world.decide(gate, option, TEXTS.get(option, "because"))
    status, expected = TABLE[kind, option]
    assert world.status(item) == status
    if status == "in_progress":
        assert world.run(item).phase.state is PhaseState(expected)
        assert world.state.gates[gate].decision is not None
    elif status == "ready":
        world.settle()
        assert world.status(item) == "done"
    else:
        world.settle()
        assert world.state.ended[item].resolution == expected
    assert picture(world.replay()) == picture(world.state)


@pytest.mark.parametrize(("kind", "option"), TABLE)
def test_each_option_leads_out_of_the_gate_to_an_end(kind: GateKind, option: str) -> None:
    world, item, gate = blocked(kind, phases=2)
    world.decide(gate, option, TEXTS.get(option, "because"))
    world.missing = ()
    world.settle()
    while world.status(item) == "blocked":
        world.decide(item, "approve", content=world.content(item))
        world.settle()
    assert world.status(item) == ("cancelled" if TABLE[kind, option][0] == "cancelled" else "done")


@pytest.mark.parametrize("kind", DEFAULTS)
def test_unblock_takes_the_default_way_by_item_and_by_gate(kind: GateKind) -> None:
    for named in (0, 1):
        world, item, gate = blocked(kind)
        world.ask(calls.ItemUnblock(id=(item, gate)[named], answer="blue"))
        decision = world.state.gates[gate].decision if gate in world.state.gates else None
        assert decision is None or (decision.option, decision.text) == (DEFAULTS[kind], "blue")
        assert world.status(item) != "blocked"


def test_unblock_without_a_default_lists_the_options() -> None:
    world, _, gate = blocked(GateKind.DUPLICATE)
    with pytest.raises(Fault, match="merge, keep") as refused:
        world.ask(calls.ItemUnblock(id=gate))
    assert refused.value.code == "option_needed"


def test_an_item_with_several_open_gates_wants_one_named() -> None:
    world, item, gate = blocked(GateKind.APPROVAL)
    found = world.state.gates[gate]
    second = ev.GateOpened(
        gate=f"{item}.g2", run=found.run, phase="p1", kind=found.kind, key="k", question="?", options=found.options
    )
    world.happen(second, item)
    listed = rf"{gate} \(approval: approve, .*abort\), {item}.g2 \(approval"
    with pytest.raises(Fault, match=listed) as refused:
        world.decide(item, "approve")
    assert refused.value.code == "several_gates"
    world.decide(gate, "request_changes", "both")
    assert world.status(item) == "blocked", "the other one is still open"
    world.decide(f"{item}.g2", "request_changes", "both")
    assert world.status(item) == "in_progress"


# --- the order of the checks -------------------------------------------------------------------------------------


def test_checks_come_in_the_order_of_the_contract() -> None:
    """Each request has all the faults that come after the one it is refused for."""
    world, item, gate = blocked(GateKind.APPROVAL)
    content = Content(commit="other", tree="other")
    refused = {
        "gate_not_found": f"{item}.g9",
        "unknown_option": gate,
    }
    for code, named in refused.items():
        assert code_of(world, named, "nope", content) == code
    assert code_of(world, gate, "request_changes", content) == "text_required"
    world.decide(gate, "request_changes", "more")
    assert code_of(world, gate, "nope", content) == "gate_not_open"
    world.ask(calls.ItemCancel(id=item))
    assert code_of(world, gate, "nope", content) == "run_over"
    world.settle()
    assert code_of(world, gate, "nope", content) == "run_over"
    assert code_of(world, item, "nope", content) == "run_over"


def code_of(world: World, gate: str, option: str, content: Content | None = None) -> str:
    before = picture(world.state)
    with pytest.raises(Fault) as refused:
        world.decide(gate, option, content=content)
    assert picture(world.state) == before
    return refused.value.code


def test_a_gate_of_an_earlier_run_is_over() -> None:
    world, item, gate = blocked(GateKind.APPROVAL)
    world.decide(gate, "reject")
    world.settle()
    world.reopen(item)
    with pytest.raises(Fault, match="ready") as refused:
        world.decide(gate, "approve")
    assert refused.value.code == "run_over"


def test_a_decided_gate_says_what_was_decided_by_whom_and_when() -> None:
    world, _, gate = blocked(GateKind.APPROVAL)
    world.decide(gate, "request_changes", "more tests")
    with pytest.raises(Fault, match="request_changes, by alice at 2026-11-21T12") as refused:
        world.decide(gate, "approve")
    data = refused.value.data
    assert (data["option"], data["by"], data["uid"], data["text"]) == ("request_changes", "alice", 1000, "more tests")


def test_a_text_that_is_too_long_is_refused() -> None:
    world, _, gate = blocked(GateKind.APPROVAL)
    with pytest.raises(Fault) as refused:
        world.decide(gate, "approve", "x" * 100_001)
    assert refused.value.code == "text_too_long"


@pytest.mark.parametrize("named", ["DEMO-1.g0", "DEMO-1.gx", "DEMO-1.g2", "nope", "DEMO-7.g1"])
def test_a_gate_that_was_never_opened_is_not_found(named: str) -> None:
    world, _, _ = blocked(GateKind.APPROVAL)
    assert code_of(world, named, "approve") == "gate_not_found"


# --- changed content ---------------------------------------------------------------------------------------------


def test_content_that_changed_since_it_was_shown_opens_a_fresh_gate() -> None:
    world, item, gate = blocked(GateKind.APPROVAL)
    changed = Content(commit="commit2", tree="by hand")
    decided = world.decide(gate, "approve", content=changed)
    assert decided.fault is not None
    assert (decided.fault.code, decided.fault.data) == ("content_changed", {"gate": f"{item}.g2"})
    assert world.gate(item).content == changed
    with pytest.raises(Fault, match="superseded"):
        world.decide(gate, "approve")
    assert world.status(item) == "blocked"


def test_a_decision_about_something_else_than_was_shown_is_not_taken() -> None:
    world, item, gate = blocked(GateKind.APPROVAL)
    right = content_digest(world.gate(item).content)
    stale = calls.GateDecide(gate=gate, option="approve", content="stale")
    assert world.ask(stale).fault is not None
    fresh = world.gate(item)
    assert fresh.content == world.content(item)
    world.ask(calls.GateDecide(gate=fresh.id, option="approve", content=right), content=fresh.content)
    assert world.status(item) == "done"


@pytest.mark.parametrize("verify", [(), ("make test",)])
def test_what_a_human_changed_and_approved_is_verified_and_committed_first(verify: tuple[str, ...]) -> None:
    world = World()
    world.project(config(phases=(phase("build", gate=("approval",), verify=verify),)))
    item = world.add()
    world.go()
    changed = Content(commit=world.content(item).commit, tree="by hand")
    world.decide(item, "approve", content=changed)
    world.decide(item, "approve", content=changed)
    assert world.run(item).phase.stage is (Stage.VERIFY if verify else Stage.COMMIT)
    assert world.run(item).phase.tree == "by hand"
    world.settle()
    commits = [record.data for record in world.records if isinstance(record.data, ev.CommitCreated)]
    assert [commit.tree for commit in commits][1:] == ["by hand"]
    assert world.status(item) == "done"


# --- texts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "option"),
    [(GateKind.APPROVAL, "request_changes"), (GateKind.QUESTION, "answer"), (GateKind.FAILURE, "retry")],
)
def test_what_a_human_said_is_in_the_next_prompt(kind: GateKind, option: str) -> None:
    world, item, gate = blocked(kind)
    world.decide(gate, option, "Use the blue one.")
    text = prompt.prompt_for(world.state, world.run(item), 2)
    assert "Use the blue one." in text
    assert ("Which one?" in text) is (kind is GateKind.QUESTION)


@pytest.mark.parametrize(("kind", "option"), [(GateKind.APPROVAL, "approve"), (GateKind.FAILURE, "skip")])
def test_a_remark_with_an_approval_or_a_skip_reaches_the_next_phase(kind: GateKind, option: str) -> None:
    world, item, gate = blocked(kind, phases=2)
    world.held = {"p2"}
    world.decide(gate, option, "Mind the gap.")
    world.settle()
    assert "at p1 and says:\n\nMind the gap." in prompt.prompt_for(world.state, world.run(item), 1)


def test_approvals_are_asked_in_their_order_each_once_for_the_same_tree() -> None:
    world = World()
    world.project(config(phases=(phase("build", gate=("design", "security")),)))
    item = world.add()
    world.go()
    assert world.gate(item).key == "design"
    world.decide(item, "approve")
    assert world.gate(item).key == "security"
    assert "(security)" in world.gate(item).question
    world.decide(item, "request_changes", "no")
    world.script["build"] = [End(tree=world.run(item).phase.tree)]
    world.settle()
    assert world.gate(item).key == "security", "the same tree has its first approval already"
    world.decide(item, "request_changes", "still no")
    world.settle()
    assert world.gate(item).key == "design", "another tree has none"


# --- the dispatch ------------------------------------------------------------------------------------------------


def test_a_decision_turns_a_halted_dispatch_on_again_with_what_is_left_of_its_cap() -> None:
    world, item, gate = blocked(GateKind.QUESTION, cap=5)
    assert world.halt_reason() == "all_done_or_blocked"
    world.decide(gate, "answer", "blue")
    dispatch = world.state.projects["demo"].dispatch
    assert (dispatch.on, dispatch.cap, dispatch.used) == (True, 5, 1)
    world.settle()
    assert world.status(item) == "done"
    assert world.state.projects["demo"].dispatch.used == 2


def test_a_decision_does_not_turn_on_what_was_stopped_or_has_used_its_cap() -> None:
    world, _, gate = blocked(GateKind.QUESTION, cap=1)
    world.decide(gate, "answer", "blue")
    assert world.halt_reason() == "all_done_or_blocked"
    world, _, gate = blocked(GateKind.QUESTION)
    world.start()
    world.ask(calls.RunStop())
    world.decide(gate, "answer", "blue")
    assert world.halt_reason() == "stopped"


def test_retry_gives_full_budgets_again_and_request_changes_does_not() -> None:
    world = World()
    world.project(config(phases=(phase("build", gate=("approval",)),), max_retries=1))
    item = world.add()
    world.script["build"] = [End(result=None)] * 2
    world.go()
    assert world.run(item).phase.retries == 1
    world.decide(item, "retry")
    assert world.run(item).phase.retries == 0
    world.script["build"] = [End(result=None)]
    world.settle()
    world.decide(item, "request_changes", "more")
    assert world.run(item).phase.retries == 1
