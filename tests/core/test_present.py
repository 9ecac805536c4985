"""Views: what replies show of items, gates, runs, attempts and projects."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from golemd.api import calls, views
from golemd.core import gate_views, present, scheduler
from golemd.core.exclusion import Shared
from golemd.core.present import Clock, Seen
from golemd.core.state import State
from tests.core.world import End, World, config, phase


def clock(world: World) -> Clock:
    return Clock(world.now_us, world.limits)


def daemon() -> views.DaemonView:
    return views.DaemonView(version="1", pid=1, uptime_s=0.0, seq=1, durable_seq=1, state_dir="/s")


def status(world: World, everything: bool = False, seen: dict[str, Seen] | None = None) -> views.StatusView:
    projects = world.state.projects.values()
    return present.status_view(world.state, projects, everything, clock(world), daemon(), seen or {})


def blocked() -> tuple[World, str]:
    world = World()
    world.project(config(phases=(phase("build", gate=("approval",), verify=("make",)),)))
    item = world.add("Title", description="text", labels=("l",))
    world.script["make"] = [End(status=1, lines=("red",))]
    world.go()
    return world, item


def test_a_live_item_shows_where_it_stands() -> None:
    world, item = blocked()
    shown = present.item_view(world.state, world.item(item), clock(world), note="n", repeated=True)
    assert (shown.status, shown.phase, shown.run) == ("blocked", "build", f"{item}.1")
    assert (shown.gate, shown.gates) == (f"{item}.g1", (f"{item}.g1",))
    assert (shown.description, shown.labels, shown.size, shown.resolution) == ("text", ("l",), None, None)
    assert (shown.note, shown.repeated) == ("n", True)
    assert str(shown.why).startswith(f"{item} waits for you: ")


def test_an_item_without_a_run_has_nothing_to_say_there() -> None:
    world = World()
    world.project()
    shown = present.item_view(world.state, world.item(world.add()), clock(world))
    assert (shown.phase, shown.run, shown.gate, shown.gates, shown.note) == (None, None, None, (), None)


def test_an_ended_item_is_shown_from_its_row() -> None:
    world, item = blocked()
    world.decide(item, "approve")
    world.settle()
    shown = present.item_view(world.state, world.state.ended[item], clock(world))
    assert (shown.status, shown.resolution, shown.why, shown.gates) == ("done", "completed", None, ())


def test_a_gate_shows_its_options_with_their_effects_and_what_was_decided() -> None:
    world, item = blocked()
    shown = gate_views.gate_view(world.gate(item))
    assert [option.id for option in shown.options] == ["approve", "request_changes", "reject", "abort"]
    assert all(option.effect for option in shown.options)
    assert (shown.state, shown.default, shown.phase, shown.decision) == ("open", "approve", "build", None)
    assert len(shown.digest) == 64
    world.decide(item, "request_changes", "more")
    decided = gate_views.gate_view(world.state.gates[shown.id])
    assert decided.decision is not None
    assert (decided.state, decided.decision.option, decided.decision.actor.user) == (
        "decided",
        "request_changes",
        "alice",
    )
    world.settle()
    world.ask(calls.GateDecide(gate=item, option="approve", content="stale"))
    assert gate_views.gate_view(world.state.gates[f"{item}.g2"]).state == "superseded"


@pytest.mark.parametrize(
    ("workspace", "kept"),
    [("worktree", "its branch is kept"), ("shared", "its work stays on the branch that is checked out")],
)
def test_a_gate_says_where_the_work_of_a_run_that_ends_stays(workspace: str, kept: str) -> None:
    world = World()
    world.project(config(phases=(phase("build", gate=("approval",)),), workspace=workspace))
    item = world.add()
    world.go()
    for state in (world.state, world.replay(), world.partial(item)):
        shown = gate_views.gate_view(state.gates[f"{item}.g1"])
        assert [option.effect for option in shown.options][2:] == [
            f"the run fails and the item is cancelled; {kept}",
            f"the run is aborted and the item is cancelled; {kept}",
        ]


def test_a_gate_of_an_item_without_a_run_promises_no_branch() -> None:
    world = World()
    world.project()
    item = world.add()
    world.ask(calls.ItemEdit(id=item, size="large"))
    reject = gate_views.gate_view(world.gate(item)).options[1]
    assert reject.effect == "the item is cancelled; its branch, if it has one, is kept"


@pytest.mark.parametrize("how", ["reject", "abort", "cancel"])
def test_no_phase_of_a_run_that_is_over_waits(how: str) -> None:
    world = World()
    world.project(config(phases=("plan", phase("build", gate=("approval",)), "ship")))
    item = world.add()
    world.go()

    def phases(state: State) -> list[tuple[str, str]]:
        return [(each.name, each.state) for each in present.run_view(state, state.runs[f"{item}.1"]).phases]

    assert phases(world.state) == [("plan", "completed"), ("build", "awaiting_gate"), ("ship", "pending")]
    if how == "cancel":
        world.ask(calls.ItemCancel(id=item, reason="enough"))
    else:
        world.decide(item, how, "enough", content=world.content(item))
    cut_off = [("plan", "completed"), ("build", "failed"), ("ship", "skipped")]
    assert phases(world.state) == cut_off
    world.settle()
    assert phases(world.partial(item)) == cut_off
    report = world.report(f"{item}.1")
    assert [(each.name, each.state, each.reason) for each in report.phases] == [
        ("plan", "completed", None),
        ("build", "failed", "enough"),
        ("ship", "skipped", "enough"),
    ]
    assert report.unresolved[:2] == ("The phase build was not completed.", "The phase ship was never started.")


def test_a_gates_detail_shows_evidence_and_what_it_holds_up() -> None:
    world, item = blocked()
    waiting = world.add(dependencies=(item,))
    shown = gate_views.gate_detail(world.state, world.gate(item))
    assert (shown.project, shown.title, shown.holds_up, shown.notified) == ("demo", "Title", (waiting,), None)
    assert [each.outcome for each in shown.evidence] == ["passed"]


def test_an_items_detail_shows_runs_phases_attempts_and_gates() -> None:
    world, item = blocked()
    shown = present.item_detail(world.state, world.state, world.item(item), clock(world), ({"seq": 1},), "prompt")
    assert [run.id for run in shown.runs] == [f"{item}.1"]
    assert [each.id for each in shown.phases] == [f"{item}.1.build"]
    assert [each.id for each in shown.attempts] == [
        f"{item}.1.build.{each}" for each in ("1", "verify_1.1", "2", "verify_1.2")
    ]
    assert [gate.id for gate in shown.gates] == [f"{item}.g1"]
    assert (shown.base, shown.prompt, shown.events) == ("main", "prompt", ({"seq": 1},))
    assert shown.phases[0].ended_at is None
    run = shown.runs[0]
    assert (run.state, run.branch, run.pinned_differs) == ("awaiting", f"golem/{item}", False)
    world.configure(config(max_wip=3))
    assert present.run_view(world.state, world.run(item)).pinned_differs


def test_a_detail_from_an_items_records_alone_can_be_shown_too() -> None:
    world, item = blocked()
    world.decide(item, "abort")
    world.settle()
    past = world.partial(item)
    shown = present.item_detail(past, past, past.items[item], clock(world), (), None)
    assert (shown.status, shown.resolution, len(shown.runs), len(shown.attempts)) == ("cancelled", "aborted", 1, 4)


def test_phases_that_are_over_show_when_they_ended() -> None:
    world = World()
    world.project(config(phases=("one", "two", "three")))
    item = world.add()
    world.script["two"] = [End(result={"item_id": "X-1"})]
    world.held = {"three"}
    world.go()
    world.decide(item, "skip")
    world.settle()
    phases = present.run_view(world.state, world.run(item)).phases
    assert [(each.state, bool(each.ended_at)) for each in phases] == [
        ("completed", True),
        ("skipped", True),
        ("running", False),
    ]


def test_an_item_without_a_run_shows_the_base_it_was_given() -> None:
    world = World()
    world.project()
    for base, shown in (("dev", "dev"), ("", None)):
        item = world.item(world.add(base=base))
        assert present.item_detail(world.state, world.state, item, clock(world), (), None).base == shown


def test_an_attempt_shows_what_was_seen_of_its_output() -> None:
    world = World()
    world.project()
    item = world.add()
    world.held = {"build"}
    world.go()
    attempt = world.running()[0]
    shown = present.attempt_view(attempt, seen=Seen("2026", ("tail",)))
    assert (shown.state, shown.pid, shown.model, shown.tail) == ("running", 7, None, ("tail",))
    assert present.attempt_view(attempt).last_output_at is None
    assert present.running_attempts(world.state) == present.running_attempts(world.state, "demo") == [attempt]
    assert present.running_attempts(world.state, "other") == []
    world.settle()
    world.end(f"{item}.1.build.1", End(status=3))
    ended = present.attempt_view(world.state.attempts[attempt.id])
    assert (ended.state, ended.status) == ("exited", 3)


def test_status_lists_what_is_live_and_counts_the_rest() -> None:
    world, item = blocked()
    ended = world.add()
    world.ask(calls.ItemCancel(id=ended))
    found = status(world)
    assert [each.id for each in found.items] == [item]
    assert [gate.id for gate in found.gates] == [f"{item}.g1"]
    assert found.projects[0].counts == {"blocked": 1, "cancelled": 1}
    assert found.projects[0].dispatch.halt_reason == "all_done_or_blocked"
    assert [each.id for each in status(world, everything=True).items] == [item, ended]


def test_status_shows_running_attempts_of_the_projects_asked_for() -> None:
    world = World()
    world.project()
    world.project(config("two"))
    world.held = {"build"}
    for project in ("demo", "two"):
        world.add(project=project)
        world.start(project=project)
    world.settle()
    seen = {"DEMO-1.1.build.1": Seen("2026", ("tail",))}
    found = status(world, seen=seen)
    assert [each.tail for each in found.attempts] == [("tail",), ()]
    one = present.status_view(world.state, [world.state.projects["two"]], False, clock(world), daemon(), {})
    assert [each.id for each in one.items] == ["TWO-1"]
    assert [each.item for each in one.attempts] == ["TWO-1"]
    assert one.projects[0].dispatch.state == "running"


def test_the_reasons_of_many_items_are_found_with_one_survey_of_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.project(config(max_concurrent=1, pre=("scope",)))
    world.held = {"scope"}
    for _ in range(20):
        world.add()
    world.go()
    surveys: list[str] = []

    def counted(state: State, project: str) -> Shared:
        surveys.append(project)
        return Shared(state, project)

    monkeypatch.setattr(scheduler, "Shared", counted)
    shown = status(world).items
    assert sum("slots are taken" in (item.why or "") for item in shown) == 19
    assert surveys == ["demo"], "each item looks at all others"


def test_listed_items_leave_their_descriptions_out() -> None:
    world, item = blocked()
    assert [each.description for each in status(world).items] == [""]
    assert present.item_view(world.state, world.item(item), clock(world)).description == "text"


def test_every_view_can_be_sent() -> None:
    world, item = blocked()
    sent: list[Any] = [
        status(world, everything=True),
        present.item_detail(world.state, world.state, world.item(item), clock(world), (), None),
        gate_views.gate_detail(world.state, world.gate(item)),
        present.why_view(world.state, world.item(item), clock(world)),
    ]
    for view in sent:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(view), type=type(view)) == view
