"""Budgets: of an item, a phase and a day, in money and tokens; when they ask, hold back, and let go on."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from golemd.api import calls, views
from golemd.api import events as ev
from golemd.api.config import Budget, Phase, Triage
from golemd.api.faults import Fault
from golemd.api.model import AttemptState, Gate, GateKind, PhaseState, Status
from golemd.core import budgets, gate_views, present, prompt
from golemd.core import commands as cmd
from golemd.core import plan as planning
from golemd.core.commands import Said
from golemd.core.decide import decide
from golemd.core.decide.common import NOTHING
from golemd.core.present import Clock
from golemd.core.scheduler import why
from tests.core.world import FAILS, SECOND, End, World, config, phase, picture

ITEM: Final = "DEMO-1"
HOUR: Final = 3600 * SECOND
GUARDED: Final = Budget(item_usd=1.0)
ROUND: Final = {"result": "subphase_complete"}


def costs(usd: float = 0.0, tokens: int = 0, **more: Any) -> End:
    """An attempt that says what it has cost."""
    return End(said=Said(session="s", cost_usd=usd, output_tokens=tokens), **more)


def stops(usd: float = 0.0) -> End:
    """An attempt that its program ended, since it had spent what it was told that it may."""
    said = Said(session="s", cost_usd=usd, trouble="budget", message="Reached maximum budget ($0.008)")
    return End(result=None, status=1, said=said)


def world_of(
    budget: Budget, *ends: End, phases: tuple[str | Phase, ...] = ("build", "ship"), **execution: Any
) -> World:
    """A world with one item, whose attempts of `build` end so."""
    world = World()
    world.project(config(phases=phases, budget=budget, **execution))
    world.add()
    world.script["build"] = list(ends)
    return world


def gone(budget: Budget, *ends: End, **more: Any) -> World:
    world = world_of(budget, *ends, **more)
    world.go()
    return world


def asked(world: World) -> Gate:
    gate = world.gate(ITEM)
    assert gate.kind is GateKind.BUDGET
    return gate


def view(world: World) -> views.ItemView:
    return present.item_view(world.state, world.state.known(ITEM), Clock(world.now_us, world.limits))


def planned(world: World) -> int:
    return world.types(ITEM).count("attempt.planned")


# --- when it asks ------------------------------------------------------------------------------------------------

# what is configured, how attempts of `build` end, how many are made, the key of the gate and its question
TOKENS: Final = Budget(item_tokens=1000)
LIMITED_PHASE: Final = (phase("build", budget_usd=0.5), "ship")
ASKS: Final[dict[str, tuple[Budget, tuple[Any, ...], tuple[End, ...], int, str, str]]] = {
    "an item, before its next phase": (
        *(GUARDED, ("build", "ship"), (costs(1.25),), 1, "item_usd"),
        "DEMO-1 has spent $1.25 of $1.00 (item_usd). Raise it, by how much, or abort?",
    ),
    "an item, to the cent": (
        *(GUARDED, ("build", "ship"), (costs(1.0),), 1, "item_usd"),
        "DEMO-1 has spent $1.00 of $1.00 (item_usd). Raise it, by how much, or abort?",
    ),
    "an item, by sums that are not exact": (
        *(Budget(item_usd=0.8), ("build", "ship"), (costs(0.1, result=ROUND), costs(0.7)), 2, "item_usd"),
        "DEMO-1 has spent $0.80 of $0.80 (item_usd). Raise it, by how much, or abort?",
    ),
    "an item, instead of a retry": (
        *(GUARDED, ("build", "ship"), (costs(1.25, result=None),), 1, "item_usd"),
        "DEMO-1 has spent $1.25 of $1.00 (item_usd). Raise it, by how much, or abort?",
    ),
    "an item, instead of a round": (
        *(GUARDED, ("build", "ship"), (costs(1.25, result=ROUND),), 1, "item_usd"),
        "DEMO-1 has spent $1.25 of $1.00 (item_usd). Raise it, by how much, or abort?",
    ),
    "an item, by its program": (
        *(GUARDED, ("build", "ship"), (stops(1.002),), 1, "item_usd"),
        "DEMO-1 has spent $1.00 of $1.00 (item_usd). Raise it, by how much, or abort?",
    ),
    "tokens": (
        *(TOKENS, ("build", "ship"), (costs(tokens=1000),), 1, "item_tokens"),
        "DEMO-1 has spent 1,000 tokens of 1,000 tokens (item_tokens). Raise it, by how much, or abort?",
    ),
    "a phase, instead of a retry": (
        *(Budget(), LIMITED_PHASE, (costs(0.5, result=None),), 1, "budget_usd"),
        "The phase build of DEMO-1 has spent $0.50 of $0.50 (budget_usd). Raise it, by how much, or abort?",
    ),
    "a phase, by its program": (
        *(Budget(), LIMITED_PHASE, (stops(0.52),), 1, "budget_usd"),
        "The phase build of DEMO-1 has spent $0.52 of $0.50 (budget_usd). Raise it, by how much, or abort?",
    ),
    "the item before the phase": (
        *(Budget(item_usd=0.4), LIMITED_PHASE, (costs(0.5, result=None),), 1, "item_usd"),
        "DEMO-1 has spent $0.50 of $0.40 (item_usd). Raise it, by how much, or abort?",
    ),
}


@pytest.mark.parametrize("case", ASKS)
def test_a_spent_budget_asks_before_another_agent_is_started(case: str) -> None:
    budget, phases, ends, attempts, key, question = ASKS[case]
    world = gone(budget, *ends, phases=phases)
    gate = asked(world)
    assert (gate.key, gate.question, gate.default) == (key, question, "")
    assert planned(world) == attempts
    assert [option.id for option in gate.options] == ["raise", "abort"]
    assert world.halt_reason() == "all_done_or_blocked"
    assert picture(world.replay()) == picture(world.state)


def test_a_failed_verify_command_needs_an_agent_too() -> None:
    world = world_of(GUARDED, costs(1.25), phases=(phase("build", verify=("make",)),))
    world.script["make"] = [End(status=1)]
    world.go()
    asked(world)
    assert world.types(ITEM).count("evidence.recorded") == 1


def test_it_is_asked_at_the_end_of_an_attempt_also_when_nothing_is_dispatched() -> None:
    world = world_of(GUARDED, costs(1.25))
    world.held = {"build"}
    world.go()
    world.ask(calls.RunStop())
    world.held = set()
    world.settle()
    asked(world)


@pytest.mark.parametrize("ends", [(costs(0.9),), (costs(0.5), costs(9.0))])
def test_what_was_paid_for_is_finished(ends: tuple[End, ...]) -> None:
    world = world_of(GUARDED, phases=(phase("build", verify=("make",)), phase("ship", verify=("make",))))
    world.script |= {"build": [ends[0]], "ship": list(ends[1:])}
    world.go()
    assert world.status(ITEM) == "done", "verify commands, commits and the end of the item cost nothing"


def test_a_failure_that_asks_anyway_asks_first() -> None:
    world = gone(GUARDED, costs(1.25, result={"item_id": "OTHER-1"}))
    assert world.gate(ITEM).kind is GateKind.FAILURE
    world.decide(ITEM, "retry")
    world.settle()
    asked(world)
    assert planned(world) == 1


def test_a_paused_item_asks_when_it_is_resumed_and_one_that_waits_for_another_when_that_is_done() -> None:
    world = world_of(GUARDED, costs(1.25))
    world.held = {"build"}
    world.go()
    other = world.add()
    world.ask(calls.Pause(id=ITEM, after_phase=True))
    world.ask(calls.ItemEdit(id=ITEM, dependencies=(other,)))
    world.held = set()
    world.script["ship"] = [End(result={"result": "blocked"})]
    world.settle()
    assert world.state.open_gates(ITEM) == []
    world.ask(calls.Resume(id=ITEM))
    world.settle()
    assert world.state.open_gates(ITEM) == []
    world.decide(other, "answer", "blue")
    world.settle()
    asked(world)


def test_in_a_project_that_another_daemon_holds_nothing_is_asked() -> None:
    world = world_of(GUARDED, costs(1.25))
    world.start()
    while not world.state.item(ITEM).spent_usd:
        world.step()
        for attempt in world.running():
            world.end(attempt.id)
    world.foreign = frozenset({"demo"})
    assert not any(isinstance(each, cmd.AskBudget) for each in world.plan().commands)


def test_what_no_budget_holds_up_is_not_asked_about() -> None:
    world = world_of(GUARDED, costs(0.5))
    for item in (ITEM, "DEMO-9"):
        assert decide(world.state, cmd.AskBudget(item=item), world.now_us) is NOTHING


def test_triage_counts_as_well() -> None:
    world = World()
    world.project(config(budget=GUARDED, triage=Triage(enabled=True)))
    world.add()
    world.script["triage"] = [costs(1.5, result=None)]
    world.go()
    assert asked(world).phase == "triage"
    world.decide(ITEM, "raise", "1")
    world.settle()
    assert world.status(ITEM) == "done"


# --- raising it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "text", "usd", "tokens", "limit"),
    [
        ("an item, before its next phase", "0.50", 0.5, 0, 1.5),
        ("an item, instead of a retry", " $2 ", 2.0, 0, 3.0),
        ("an item, by its program", "+$0.1", 0.1, 0, 1.1),
        ("tokens", "500", 0.0, 500, 1500),
        ("a phase, instead of a retry", "1.25", 1.25, 0, 1.75),
    ],
)
def test_a_raised_budget_lets_the_work_go_on_where_it_was(
    case: str, text: str, usd: float, tokens: int, limit: float
) -> None:
    budget, phases, ends, _, key, _ = ASKS[case]
    world = gone(budget, *ends, phases=phases)
    where = world.run(ITEM).phase.name
    world.decide(ITEM, "raise", text)
    (raised,) = (each.data for each in world.records if isinstance(each.data, ev.BudgetRaised))
    assert (raised.scope, raised.usd, raised.tokens, raised.limit) == (key, usd, tokens, limit)
    assert (world.run(ITEM).phase.name, world.run(ITEM).phase.state) == (where, PhaseState.PENDING)
    assert world.halt_reason() == "on"
    world.settle()
    assert world.status(ITEM) == "done"
    assert picture(world.replay()) == picture(world.state)


def test_it_costs_no_retry_and_the_conversation_is_gone_on_with() -> None:
    world = world_of(GUARDED, stops(1.0))
    world.talks = True
    world.start()
    world.calm()
    session = world.run(ITEM).phase.session
    world.end(f"{ITEM}.1.build.1", replace(stops(1.0), said=replace(stops(1.0).said, session=session)))
    world.calm()
    found = world.run(ITEM).phase
    assert (found.retries, found.transient_in_row, found.put_back, found.session) == (0, 0, "", session)
    attempt = world.state.attempts[f"{ITEM}.1.build.1"]
    assert (attempt.state, attempt.outcome) == (AttemptState.REJECTED, "budget")
    world.decide(ITEM, "raise", "1")
    world.calm()
    (again,) = world.running()
    assert again.session == session
    assert "Reached maximum budget ($0.008)" in prompt.prompt_for(world.state, world.run(ITEM), 2)


@pytest.mark.parametrize("text", ["a lot", "0", "-1", "1e3", "1,5", "0.0000001", "9999999999", "$", "nan", "5 tokens"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    world = gone(GUARDED, costs(1.25))
    before = picture(world.state)
    with pytest.raises(Fault, match="is not an amount of dollars") as refused:
        world.decide(ITEM, "raise", text)
    assert (refused.value.code, refused.value.hint) == (
        "invalid_amount",
        "golemctl decide DEMO-1.g1 raise -m 5.00 raises it by that much.",
    )
    assert picture(world.state) == before


@pytest.mark.parametrize("text", ["1.5", "$1", "many"])
def test_tokens_are_a_whole_number(text: str) -> None:
    world = gone(TOKENS, costs(tokens=1000))
    with pytest.raises(Fault, match="is not a number of tokens") as refused:
        world.decide(ITEM, "raise", text)
    assert "raise -m 100000" in refused.value.hint


def test_an_amount_that_leaves_nothing_is_refused() -> None:
    world = gone(GUARDED, costs(3.25))
    with pytest.raises(Fault) as refused:
        world.decide(ITEM, "raise", "2.25")
    assert (refused.value.code, refused.value.message, refused.value.hint) == (
        "amount_too_small",
        "That leaves nothing: $3.25 is spent, and the limit would be $3.25.",
        "Raise it by more than $2.25.",
    )
    with pytest.raises(Fault) as refused:
        world.decide(ITEM, "raise", "")
    assert refused.value.code == "text_required"


def test_each_budget_is_asked_about_in_its_turn() -> None:
    world = gone(Budget(item_usd=1.0, item_tokens=10), costs(1.25, 10, result=None), phases=LIMITED_PHASE)
    keys = []
    for text in ("5", "100", "5"):
        keys.append(asked(world).key)
        world.decide(ITEM, "raise", text)
        world.settle()
    assert keys == ["item_usd", "item_tokens", "budget_usd"]
    assert world.status(ITEM) == "done"


def test_an_aborted_item_is_cancelled() -> None:
    world = gone(GUARDED, costs(1.25))
    world.decide(ITEM, "abort")
    world.settle()
    assert world.state.ended[ITEM].resolution == "aborted"


# --- over all runs -----------------------------------------------------------------------------------------------


def test_what_was_spent_and_raised_survives_the_end_and_a_reopening() -> None:
    world = gone(GUARDED, costs(1.25))
    world.decide(ITEM, "raise", "0.50")
    world.script["ship"] = [costs(0.25)]
    world.settle()
    ended = world.state.ended[ITEM]
    assert (ended.spent_usd, ended.raised_usd) == (1.5, 0.5)
    assert view(world).spent_usd == 1.5
    assert view(world).budget_usd is None, "what it might have spent is of no interest any more"
    world.reopen(ITEM)
    world.settle()
    assert world.item(ITEM).status is Status.READY, "nobody is asked before somebody wants it to go on"
    world.go()
    gate = asked(world)
    assert (gate.run, gate.phase, world.item(ITEM).run) == ("", "", "")
    assert "DEMO-1 has spent $1.50 of $1.50 (item_usd)" in gate.question
    world.decide(ITEM, "raise", "1")
    world.settle()
    assert world.status(ITEM) == "done"
    assert picture(world.replay()) == picture(world.state)


def test_a_phase_begins_with_its_whole_budget_in_another_run() -> None:
    world = gone(Budget(), costs(0.5), phases=LIMITED_PHASE)
    assert world.status(ITEM) == "done"
    world.reopen(ITEM)
    world.held = {"build"}
    world.go()
    assert [each.id for each in world.running()] == [f"{ITEM}.2.build.1"]
    assert budgets.left_usd(world.state, world.item(ITEM), world.now_us) == 0.5


def test_a_phase_that_is_done_again_has_spent_what_it_has_spent() -> None:
    world = gone(Budget(), costs(0.5), phases=(*LIMITED_PHASE[:1], phase("ship", gate=("approval",))))
    world.ask(calls.ItemAdvance(id=ITEM, to="build"))
    world.settle()
    assert asked(world).key == "budget_usd"
    world.decide(ITEM, "raise", "1")
    world.settle()
    assert world.run(ITEM).phases[0].raised_usd == 1.0


def test_a_run_keeps_to_the_budget_it_began_with_and_one_without_a_limit_takes_any_amount() -> None:
    world = gone(GUARDED, costs(1.25))
    world.configure(config(phases=("build", "ship"), budget=Budget(item_usd=100.0)))
    world.start()
    world.settle()
    assert asked(world).question.startswith("DEMO-1 has spent $1.25 of $1.00")
    world.ask(calls.ItemCancel(id=ITEM))
    world.settle()
    world.reopen(ITEM)
    world.configure(config(phases=("build", "ship"), budget=GUARDED))
    world.go()
    world.configure(config(phases=("build", "ship")))
    world.decide(ITEM, "raise", "0.01")
    world.settle()
    assert world.status(ITEM) == "done"


# --- a limit of the program's own --------------------------------------------------------------------------------


def test_a_program_that_stops_at_a_limit_that_golemd_did_not_set_needs_help() -> None:
    for budget in (Budget(), Budget(item_usd=100.0, day_usd=100.0)):
        world = gone(budget, stops(0.5))
        gate = world.gate(ITEM)
        assert (gate.kind, gate.key) == (GateKind.FAILURE, "budget")
        assert gate.question.startswith(
            "Reached maximum budget ($0.008). Look at args of [agents.robot] in golem.toml first. Try build again"
        )
        assert world.run(ITEM).phase.retries == 0


# --- the day -----------------------------------------------------------------------------------------------------

DAY: Final = Budget(day_usd=1.0)


def words(world: World, item: str = ITEM) -> str:
    return str(why(world.state, world.item(item), world.limits, world.now_us))


def late_world(*ends: End) -> World:
    """The item's first phase has spent the day's budget; nobody asks, and the dispatch stays on."""
    world = world_of(DAY, *ends)
    world.start()
    world.settle(wait=False)
    return world


@pytest.mark.parametrize("end", [costs(1.5), costs(1.0, result=None), stops(1.0)])
def test_when_the_day_is_spent_everything_waits_until_it_is_over(end: End) -> None:
    world = late_world(end)
    other = world.add()
    world.settle(wait=False)
    assert world.state.all_open_gates() == []
    assert world.running() == []
    midnight = (world.now_us // (24 * HOUR) + 1) * 24 * HOUR
    assert world.plan().wake_at_us in (midnight, world.run(ITEM).phase.again_us)
    shown = f"${end.said.cost_usd:.2f}"
    sentence = f"the budget of the day is spent until 2026-11-22T00:00:00Z: {shown} of $1.00 (day_usd)."
    assert words(world).endswith(sentence)
    assert words(world, other).endswith(sentence)
    assert world.halt_reason() == "on"
    world.now_us = midnight - 1
    world.settle(wait=False)
    assert world.running() == []
    world.now_us = midnight
    world.settle()
    assert [world.status(item) for item in (ITEM, other)] == ["done", "done"]


def test_days_are_those_of_the_configuration_in_force() -> None:
    world = late_world(costs(1.5))
    world.configure(config(phases=("build", "ship"), budget=Budget(day_usd=2.0)))
    world.settle()
    assert world.status(ITEM) == "done"


def test_what_was_left_of_a_day_asks_nobody_also_when_the_day_is_over_by_then() -> None:
    world = world_of(Budget(day_usd=10.0), costs(8.0), phases=("build",))
    world.go()
    world.held = {"build"}
    world.add()
    world.go()
    world.now_us += 13 * HOUR
    world.end("DEMO-2.1.build.1", stops(2.0))
    world.settle(wait=False)
    assert world.state.all_open_gates() == []
    assert world.state.projects["demo"].failures == 0
    (again,) = world.running()
    world.end(again.id, stops(0.5))
    world.settle(wait=False)
    assert "Look at args of [agents.robot]" in world.gate("DEMO-2").question, "this limit is its own"


def test_each_project_has_a_day_of_its_own() -> None:
    world = late_world(costs(1.5))
    world.project(config("two", budget=DAY))
    other = world.add(project="two")
    world.start(project="two")
    world.settle(wait=False)
    assert (world.status(other), world.status(ITEM)) == ("done", "in_progress")


def test_without_anybody_who_waits_for_it_nothing_wakes_at_midnight() -> None:
    world = late_world(costs(1.5))
    world.ask(calls.Pause(id=ITEM))
    assert world.goes_on_at is None
    world.settle(wait=False)
    assert world.halt_reason() == "all_done_or_blocked"
    world.ask(calls.Resume(id=ITEM))
    world.ask(calls.RunStop())
    assert world.goes_on_at is None


def test_a_day_that_is_spent_while_a_workspace_is_made_ready_holds_the_phase_back() -> None:
    world = world_of(DAY)
    other = world.add()
    world.start()
    while not (world.state.item(other).run and world.run(other).phase.live):
        world.step()
    world.calm()
    fresh = world.add()
    while not world.item(fresh).run:
        world.apply(world.plan().commands[0])
    world.end(f"{ITEM}.1.build.1", costs(1.5))
    (enter,) = (each for each in world.plan().effects if isinstance(each, planning.Enter))
    world.carry_out(next(each for each in world.plan().effects if isinstance(each, planning.Examine)))
    world.carry_out(enter)
    assert world.run(fresh).phase.state is PhaseState.PENDING
    assert "the budget of the day is spent" in words(world, fresh)


# --- what is left ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "phase_usd", "spent", "left"),
    [
        (Budget(), None, 0.25, 0.0),
        (Budget(item_usd=5.0), None, 0.25, 4.75),
        (Budget(day_usd=3.0), None, 0.25, 2.75),
        (Budget(), 2.0, 0.25, 1.75),
        (Budget(item_usd=5.0, day_usd=3.0), 2.0, 0.25, 1.75),
        (Budget(item_usd=1.0, day_usd=3.0), 2.0, 0.25, 0.75),
        (Budget(item_tokens=5), 0, 0.25, 0.0),
    ],
)
def test_the_tightest_budget_is_what_the_program_is_told(
    budget: Budget, phase_usd: float | None, spent: float, left: float
) -> None:
    world = world_of(budget, costs(spent, result=None), phases=(phase("build", budget_usd=phase_usd),))
    world.start()
    world.calm()
    world.end(f"{ITEM}.1.build.1")
    world.calm()
    assert budgets.left_usd(world.state, world.item(ITEM), world.now_us) == left


def test_where_nothing_is_left_the_program_is_told_of_a_trifle() -> None:
    world = late_world(costs(1.5))
    assert budgets.left_usd(world.state, world.item(ITEM), world.now_us) == budgets.LEAST_USD


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (Budget(), None),
        (Budget(item_usd=5.0), "At most $4.75 may be spent on this attempt."),
        (Budget(item_tokens=20_000), "At most 19,000 tokens may be spent on this attempt."),
        (Budget(item_usd=5.0, item_tokens=20_000), "At most $4.75 and 19,000 tokens may be spent on this attempt."),
    ],
)
def test_an_attempt_is_told_what_it_may_spend(budget: Budget, told: str | None) -> None:
    world = world_of(budget, costs(0.25, 1000), FAILS)
    world.held = {"ship"}
    world.go()
    text = prompt.prompt_for(world.state, world.run(ITEM), 1)
    assert ("## Budget" in text) is (told is not None)
    assert (told or "") in text


def test_triage_is_told_too() -> None:
    world = World()
    world.project(config(budget=GUARDED, triage=Triage(enabled=True)))
    world.add()
    world.held = {"triage"}
    world.go()
    assert "At most $1.00 may be spent" in prompt.prompt_for(world.state, world.run(ITEM), 1)


# --- what is shown -----------------------------------------------------------------------------------------------


def test_what_was_spent_and_may_be_is_shown() -> None:
    world = world_of(Budget(5.0, 50.0, 20_000), costs(0.25, 1000), phases=(phase("build", budget_usd=2.0), "ship"))
    world.held = {"ship"}
    world.go()
    shown = view(world)
    assert (shown.spent_usd, shown.budget_usd, shown.spent_tokens, shown.budget_tokens) == (0.25, 5.0, 1000, 20_000)
    build, ship = present.run_view(world.state, world.run(ITEM)).phases
    assert (build.spent_usd, build.budget_usd, ship.spent_usd, ship.budget_usd) == (0.25, 2.0, 0.0, None)
    project = present.project_view(world.state, world.state.projects["demo"], world.now_us)
    assert (project.today_usd, project.day_usd) == (0.25, 50.0)


def test_a_status_sums_up_the_projects_it_shows() -> None:
    world = world_of(Budget(day_usd=50.0), costs(0.25))
    world.project(config("two", budget=Budget(day_usd=5.0)))
    other = world.add(project="two")
    world.script["build"] = [costs(0.25), costs(1.0)]
    world.start(project="demo")
    world.go(project="two")
    assert world.status(other) == "done"
    daemon = views.DaemonView(version="1", pid=1, uptime_s=0, seq=1, durable_seq=1, state_dir="/")
    projects = world.state.projects

    def spend(*names: str) -> tuple[float, float]:
        clock = Clock(world.now_us, world.limits)
        shown = present.status_view(world.state, [projects[name] for name in names], False, clock, daemon, {})
        return shown.spend.today_usd, shown.spend.day_usd

    assert [spend("demo"), spend("two"), spend("demo", "two")] == [(0.25, 50.0), (1.0, 5.0), (1.25, 55.0)]


def test_a_gate_is_shown_with_what_its_item_has_cost() -> None:
    world = gone(GUARDED, costs(1.25))
    detail = gate_views.gate_detail(world.state, asked(world))
    assert detail.cost_usd == 1.25
    assert [option.effect for option in detail.options] == [
        "the phase goes on with that much more to spend",
        "the run is aborted and the item is cancelled; its branch is kept",
    ]


def test_what_a_cancelled_items_agent_had_spent_counts_for_the_day() -> None:
    world = world_of(Budget(day_usd=2.0))
    world.start()
    while not world.running():
        world.step()
    world.ask(calls.ItemCancel(id=ITEM))
    world.end(f"{ITEM}.1.build.1", costs(1.25, result=None))
    world.settle()
    assert budgets.spent_on(world.state, "demo", world.now_us) == 1.25
    assert "attempt.rejected" in world.types(ITEM)
    assert ITEM in world.state.ended
