"""Attempts: the outcome table of the domain row by row, from what a process left to what comes next."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import pytest
from msgspec import Struct

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.model import AttemptState, NoteKind, Outcome, Phase, PhaseState, ResultCode
from golemd.core import commands as cmd
from golemd.core import outcomes, prompt
from golemd.core.commands import Said
from golemd.core.decide import decide
from golemd.core.decide.common import NOTHING
from golemd.core.outcomes import MAX_LOST_IN_ROW, MAX_TRANSIENT_IN_ROW
from golemd.core.times import micros
from tests.core.world import FAILS, NOON, SECOND, End, World, config, phase, picture

BUDGETS: Final = ("retries", "fixes", "rounds", "lost_in_row", "transient_in_row")


class Row(Struct, frozen=True):
    """One way to end: which budget it spends, the pause after it, and whether the tree is put back."""

    end: End
    outcome: str
    spends: str = ""
    pause_s: int = 0
    put_back: bool = False
    gate: str = ""
    note: NoteKind | None = None


def retried(end: End, outcome: str) -> Row:
    return Row(end, outcome, "retries", pause_s=5, put_back=True, note=NoteKind.FAILURE)


ROWS: Final[dict[str, Row]] = {
    "complete": Row(End(), "phase_complete"),
    "a result wins over the exit status": Row(End(status=1), "phase_complete"),
    "a result wins over a stop": Row(End(reason="stopped", status=None, signal=15), "phase_complete"),
    "subphase": Row(End(result={"result": "subphase_complete"}), "subphase_complete", "rounds", note=NoteKind.ROUND),
    "blocked": Row(End(result={"result": "blocked", "question": "?"}), "blocked", gate="question"),
    "failed": retried(FAILS, "failed"),
    "no result": retried(End(result=None, status=3), "no_result"),
    "no result, a signal": retried(End(result=None, status=None, signal=9), "no_result"),
    "not JSON": retried(End(result=b"{"), "bad_result"),
    "too large": retried(End(result=None, problem="too large"), "bad_result"),
    "timeout": retried(End(result=None, reason="timeout", status=None), "timeout"),
    "timeout with half a result": retried(End(result=b"{", reason="timeout", status=None), "timeout"),
    "silence": retried(End(result=None, reason="idle", status=None), "timeout"),
    "too much output": retried(End(result=None, reason="output", status=None), "output_limit"),
    "out of memory": retried(End(result=b"{", reason="memory", status=None, signal=9, oom_kills=1), "out_of_memory"),
    "a part of it out of memory": retried(End(result=None, status=137, oom_kills=1), "out_of_memory"),
    "its own trouble, out of memory": retried(
        End(result=None, status=1, oom_kills=1, said=Said(trouble="agent")), "out_of_memory"
    ),
    "a bad result, a part of it out of memory": retried(End(result=b"{", oom_kills=1), "bad_result"),
    "a result wins over a part of it out of memory": Row(End(oom_kills=1), "phase_complete"),
    "a limit wins over a part of it out of memory": Row(
        End(result=None, status=1, oom_kills=1, said=Said(trouble="limit")), "limit", note=NoteKind.INTERRUPTION
    ),
    "not spawned": Row(End(not_spawned="no pids"), "transient", "transient_in_row", 5, note=NoteKind.INTERRUPTION),
    "spawn failed": Row(
        End(result=None, reason="spawn_failed"), "transient", "transient_in_row", 5, note=NoteKind.INTERRUPTION
    ),
    "no such program": Row(
        End(not_spawned="no such program", usable=False), "unusable", gate="unusable", note=NoteKind.FAILURE
    ),
    "unusable": Row(End(result=None, reason="unusable"), "unusable", gate="unusable", note=NoteKind.FAILURE),
    "another item's": Row(End(result={"item_id": "X-1"}), "identity", gate="identity", note=NoteKind.FAILURE),
    "another phase's": Row(End(result={"phase": "other"}), "identity", gate="identity", note=NoteKind.FAILURE),
    "history": Row(End(trouble="rewritten"), "history", gate="history", note=NoteKind.FAILURE),
    "a repository inside": Row(End(nested=("a", "b")), "nested", "fixes", note=NoteKind.FAILURE),
    "a repository inside what is not committed": Row(
        End(result={"result": "blocked", "question": "?"}, nested=("a",)), "blocked", gate="question"
    ),
    "lost": Row(End(lost=True), "lost", "lost_in_row", note=NoteKind.INTERRUPTION),
    "stopped": Row(End(result=None, reason="stopped"), "cancelled", note=NoteKind.INTERRUPTION),
    "stopped while it wrote": Row(End(result=b"{", reason="stopped"), "cancelled", note=NoteKind.INTERRUPTION),
    "limit": Row(End(result=None, status=1, said=Said(trouble="limit")), "limit", note=NoteKind.INTERRUPTION),
    "transient trouble": Row(
        End(result=None, status=1, said=Said(trouble="transient")),
        "transient",
        "transient_in_row",
        5,
        note=NoteKind.INTERRUPTION,
    ),
    "its own trouble": retried(End(result=None, status=1, said=Said(trouble="agent")), "failed"),
    "fatal trouble": Row(
        End(result=None, status=1, said=Said(trouble="fatal", message="Log in")),
        "unusable",
        gate="unusable",
        note=NoteKind.FAILURE,
    ),
    "a budget of its own": Row(
        End(result=None, status=1, said=Said(trouble="budget")), "budget", gate="budget", note=NoteKind.INTERRUPTION
    ),
    "a result file wins over trouble": Row(End(status=1, said=Said(trouble="limit")), "phase_complete"),
    "a time limit wins over trouble": retried(
        End(result=None, reason="timeout", status=None, said=Said(trouble="agent")), "timeout"
    ),
    "never started": Row(End(result=None, reason="never_started"), "cancelled", note=NoteKind.INTERRUPTION),
}


def at_work(*ends: End, **execution: Any) -> tuple[World, str]:
    """A world whose one item's first attempt runs, or has ended in the first of these ways."""
    world = World()
    world.project(config(phases=(phase("build", gate=("approval",)),), **execution))
    item = world.add()
    world.script["build"] = list(ends)
    world.start()
    world.calm()
    return world, item


def until_judged(world: World, item: str) -> Phase:
    """End what runs and step until its attempt is judged, and no further."""
    for attempt in world.running():
        world.end(attempt.id)
    while world.state.attempts[f"{item}.1.build.1"].state in (AttemptState.PLANNED, AttemptState.EXITED):
        world.step()
    return world.run(item).phase


@pytest.mark.parametrize("name", ROWS)
def test_each_outcome_costs_and_leads_to_what_its_row_says(name: str) -> None:
    row = ROWS[name]
    world, item = at_work(row.end)
    if not row.end.not_spawned:
        assert world.running(), "it is under way"
    found = until_judged(world, item)
    attempt = world.state.attempts[f"{item}.1.build.1"]
    assert attempt.outcome == row.outcome
    if row.outcome == "subphase_complete":
        world.calm()
        found = world.run(item).phase
    assert {budget: getattr(found, budget) for budget in BUDGETS} == {
        budget: int(budget == row.spends) for budget in BUDGETS
    }
    assert found.put_back == (attempt.id if row.put_back else "")
    assert found.again_us == (NOON + row.pause_s * SECOND if row.pause_s else 0)
    assert [gate.key for gate in world.state.open_gates(item)] == [row.gate] * bool(row.gate)
    assert [note.kind for note in found.notes] == [row.note] * (row.note is not None)
    world.settle()
    assert world.gate(item), "in the end it is approved, asked, or mended"
    assert picture(world.replay()) == picture(world.state)


def test_the_rows_hold_every_outcome_and_every_result() -> None:
    of_agents = {*map(str, Outcome), *map(str, ResultCode), "lost"} - {"setup"}
    assert {row.outcome for row in ROWS.values()} == of_agents
    assert {*map(str, Outcome)} - {"cancelled", "limit"} | {"lost", "verify"} == {*map(str, outcomes.ROWS)}


@pytest.mark.parametrize(
    ("budget", "end", "bound", "key"),
    [
        ("retries", End(result=None), 2, "no_result"),
        ("retries", FAILS, 2, "failed"),
        ("fixes", End(nested=("a",)), 2, "nested"),
        ("lost_in_row", End(lost=True), MAX_LOST_IN_ROW, "lost"),
        ("transient_in_row", End(not_spawned="busy"), MAX_TRANSIENT_IN_ROW, "transient"),
        ("transient_in_row", End(result=None, said=Said(trouble="transient")), MAX_TRANSIENT_IN_ROW, "transient"),
    ],
)
def test_a_bound_that_is_reached_opens_a_gate_and_retry_renews_it(budget: str, end: End, bound: int, key: str) -> None:
    world, item = at_work(*[end] * (bound + 1))
    world.settle()
    gate = world.gate(item)
    assert (gate.kind, gate.key) == ("failure", key)
    assert world.run(item).phase.number == bound + 1
    if budget != "transient_in_row":  # which the last one, that spends nothing, has set back already
        assert getattr(world.run(item).phase, budget) >= bound
    world.decide(gate.id, "retry")
    found = world.run(item).phase
    assert {getattr(found, name) for name in (*BUDGETS, "again_us")} == {0}
    world.settle()
    assert world.gate(item).kind == "approval"
    assert world.run(item).phase.number == bound + 2, "attempt numbers go on rising"


@pytest.mark.parametrize("max_retries", [0, 1, 4])
def test_the_phases_own_number_of_retries_wins(max_retries: int) -> None:
    world = World()
    world.project(config(phases=(phase("build", max_retries=max_retries),)))
    item = world.add()
    world.script["build"] = [End(result=None)] * 9
    world.go()
    assert world.run(item).phase.number == max_retries + 1


def test_the_pause_doubles_up_to_five_minutes() -> None:
    world = World()
    world.project(config(phases=("build",), max_retries=20))
    world.add()
    world.script["build"] = [End(result=None)] * 10
    world.go()
    rejected = [each.data for each in world.records if isinstance(each.data, ev.AttemptRejected)]
    moments = [each for each in world.records if isinstance(each.data, ev.AttemptPlanned)]
    assert len(rejected) == 10
    waited = [(micros(later.ts) - micros(earlier.ts)) // SECOND for earlier, later in pairwise(moments)]
    assert waited == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300]


def test_lost_and_transient_are_counted_in_a_row_only() -> None:
    spoils = [End(lost=True)] * 3 + [End(not_spawned="busy")] * 10
    world, item = at_work(*spoils, *spoils)
    world.settle()
    assert world.gate(item).kind == "approval"


@pytest.mark.parametrize("kind", ["lost", "stopped"])
def test_what_was_interrupted_is_named_in_the_next_prompt(kind: str) -> None:
    end = End(lost=True) if kind == "lost" else End(result=None, reason="stopped")
    world, item = at_work(end)
    world.held = {"build"}
    until_judged(world, item)
    world.calm()
    assert "was interrupted" in prompt.prompt_for(world.state, world.run(item), 2)


def test_the_failure_with_its_last_lines_is_in_the_next_prompt() -> None:
    world, item = at_work(End(result=None, status=2, lines=("boom", "bang")))
    until_judged(world, item)
    text = prompt.prompt_for(world.state, world.run(item), 2)
    assert "it ended with exit status 2 and left no result file\nIts last lines:\nboom\nbang" in text


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (End(result=None, status=None, signal=9), "it was ended by signal 9"),
        (End(result=None, reason="timeout"), "longer than its time limit"),
        (End(result=None, reason="idle"), "idle_timeout_minutes"),
        (
            End(result=None, reason="memory", signal=9, oom_kills=2, memory_limit_mb=512),
            "it ran out of memory: 512 MB for all its processes together (max_memory_mb in golemd.toml)",
        ),
        (End(result=None, reason="memory", signal=9, oom_kills=1), "it ran out of memory: the machine had none left"),
        (
            End(result=None, status=137, oom_kills=1, memory_limit_mb=512),
            "it ended with exit status 137, and 1 of its processes ran out of memory: 512 MB for all",
        ),
        (End(result=None, reason="spawn_failed", error="no fork"), "no fork"),
        (End(result=None, reason="unusable"), "it cannot be started"),
        (End(result={"result": "failed", "summary": "no", "context": "because"}), "no"),
        (End(result=b"[]"), "does not hold one JSON object"),
    ],
)
def test_the_end_is_told_in_words(end: End, words: str) -> None:
    world, item = at_work(end)
    until_judged(world, item)
    assert words in world.state.attempts[f"{item}.1.build.1"].message


def test_a_blocked_attempts_question_falls_back_on_what_it_said() -> None:
    for result, question in (({"context": "c"}, "c"), ({"summary": "s"}, "s"), ({"summary": ""}, "no reason")):
        world, item = at_work(End(result={"result": "blocked", **result}))
        world.settle()
        assert question in world.gate(item).question


def test_assessments_of_a_result_are_merged_into_the_items_also_when_it_is_blocked() -> None:
    world, item = at_work(End(result={"result": "blocked", "updated_assessments": {"size": "small", "risk": "low"}}))
    world.settle()
    world.script["build"] = [End(result={"updated_assessments": {"risk": "high"}})]
    world.decide(item, "answer", "yes")
    world.settle()
    assert (world.item(item).assessments.size, world.item(item).assessments.risk) == ("small", "high")


# --- what the tree is, between attempts --------------------------------------------------------------------------


def test_a_failed_attempts_tree_is_put_back_before_the_next_attempt_is_planned() -> None:
    world, item = at_work(FAILS)
    world.held = {"build"}
    world.settle()
    world.end(f"{item}.1.build.1", FAILS)
    world.settle()
    assert world.types(item)[-4:] == ["attempt.accepted", "work.kept", "attempt.planned", "attempt.spawned"]
    assert world.trees[f"{item}.1"] == world.run(item).phase.start_tree


def test_work_that_a_blocked_attempt_left_is_part_of_the_phases_commit() -> None:
    """The next attempt begins on top of it; what the commit is the difference from stays the phase's start."""
    world, item = at_work(End(result={"result": "blocked"}, tree="half"))
    world.held = {"build"}
    started = world.run(item).phase.start_tree
    until_judged(world, item)
    world.settle()
    world.decide(item, "answer", "go on")
    world.settle()
    found = world.run(item).phase
    assert (found.start_tree, found.base_tree) == ("half", started)


def test_after_a_commit_the_next_one_is_the_difference_from_it() -> None:
    world, item = at_work(End(result={"result": "subphase_complete"}, tree="one"))
    world.held = {"build"}
    until_judged(world, item)
    world.settle()
    assert world.run(item).phase.base_tree == "one"


# --- reports that do not fit -------------------------------------------------------------------------------------


def stale(item: str) -> dict[str, cmd.Command]:
    attempt = f"{item}.1.build.1"
    return {
        "spawned": cmd.ReportSpawned(attempt=attempt, pid=1, start=1, shim_pid=1, boot_id="b", adopted=True),
        "not spawned": cmd.ReportNotSpawned(attempt=attempt, message="m"),
        "exit": cmd.ReportExit(attempt=attempt, status=0),
        "lost": cmd.ReportLost(attempt=attempt, reason="r"),
        "examined": cmd.ReportExamined(attempt=attempt, result=b"{}"),
    }


@pytest.mark.parametrize("name", stale(""))
def test_a_report_about_a_judged_or_unknown_attempt_changes_nothing(name: str) -> None:
    world, item = at_work()
    world.settle()
    assert decide(world.state, stale(item)[name], NOON) is NOTHING
    assert decide(world.state, stale("DEMO-9")[name], NOON) is NOTHING


def test_reports_that_come_twice_or_too_early_change_nothing() -> None:
    world, item = at_work()
    again = cmd.ReportSpawned(attempt=f"{item}.1.build.1", pid=7, start=1, shim_pid=6, boot_id="boot")
    assert decide(world.state, again, NOON) is NOTHING
    assert decide(world.state, stale(item)["not spawned"], NOON) is NOTHING
    assert decide(world.state, stale(item)["examined"], NOON) is NOTHING
    world.apply(stale(item)["exit"])
    assert decide(world.state, stale(item)["exit"], NOON) is NOTHING
    assert decide(world.state, stale(item)["lost"], NOON) is NOTHING, "its recorded end is its real end"


def test_an_attempt_found_running_after_a_restart_is_adopted() -> None:
    world, item = at_work()
    world.restart()
    world.calm()
    assert world.types(item)[-1] == "attempt.adopted"
    assert world.state.attempts[f"{item}.1.build.1"].adopted
    world.settle()
    assert world.gate(item)


def test_ends_of_attempts_are_essential_to_record() -> None:
    world, item = at_work()
    assert decide(world.state, stale(item)["exit"], NOON).essential
    assert decide(world.state, stale(item)["lost"], NOON).essential


# --- after the run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["planned", "running", "ended"])
def test_an_attempt_whose_run_is_over_is_put_away_without_a_judgement(at: str) -> None:
    world, item = at_work()
    attempt = f"{item}.1.build.1"
    if at == "planned":
        world = World()
        world.project()
        item = world.add()
        world.start()
        while attempt not in world.state.attempts:
            world.step()
    elif at == "ended":
        world.end(attempt)
    world.ask(calls.ItemCancel(id=item))
    found = world.state.attempts[attempt]
    assert found.state is {"planned": AttemptState.PLANNED, "running": AttemptState.SPAWNED}.get(
        at, AttemptState.EXITED
    )
    world.settle()
    last = [record.data for record in world.records if record.type == "attempt.rejected"]
    assert [(each.outcome, each.spends) for each in last if isinstance(each, ev.AttemptRejected)] == [("cancelled", "")]
    assert item in world.state.ended


@pytest.mark.parametrize("report", ["not spawned", "lost", "spawned"])
def test_other_reports_after_the_run_open_no_gate(report: str) -> None:
    world = World()
    world.project()
    item = world.add()
    world.start()
    while f"{item}.1.build.1" not in world.state.attempts:
        world.step()
    world.ask(calls.ItemCancel(id=item))
    world.apply(stale(item)[report])
    assert world.types(item)[-1].startswith("attempt.")
    world.settle()
    assert "gate.opened" not in world.types(item)


def test_a_stop_of_the_daemon_costs_nothing_and_the_attempt_runs_again_at_the_next_start() -> None:
    world, item = at_work()
    world.stopping = "end"
    world.calm()
    assert not world.running()
    assert world.state.attempts[f"{item}.1.build.1"].state is AttemptState.EXITED, "it is judged at the next start"
    world.apply(cmd.ReportDaemonStopped(reason="end"))
    world.restart()
    world.held = {"build"}
    world.settle()
    found = world.run(item).phase
    assert (found.retries, found.number, found.state) == (0, 2, PhaseState.RUNNING)


def test_with_keep_the_daemon_leaves_its_attempts_running() -> None:
    world, _ = at_work()
    world.stopping = "keep"
    world.calm()
    assert len(world.running()) == 1
