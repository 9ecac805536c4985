"""pause: nothing more of an item is started; its agent ends with grace and its work stays as it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from golemd.api import calls, views
from tests.path.ground import Fifo, ended
from tests.path.house import House
from tests.path.repositories import RESULT, Project

LONG = "[[write half.txt half done]] [[build.1: sleep 600]]"


def paused(daemon: House, item: str, after_phase: bool = False) -> views.ItemView:
    view = daemon.call(calls.Pause(id=item, after_phase=after_phase))
    assert isinstance(view, views.ItemView)
    return view


def test_the_running_agent_ends_and_the_dispatch_halts_with_the_tree_as_it_is(daemon: House, demo: Project) -> None:
    item = demo.work(LONG)
    daemon.until_output(f"{item}.1.build.1", "sleep")
    pid = daemon.records("attempt.spawned", item)[0]["data"]["pid"]
    view = paused(daemon, item)
    assert (view.id, view.status, view.paused, view.phase) == (item, "in_progress", True, "build")
    assert "is asked to end" in (view.note or "")
    assert "it is paused" in (view.why or "")
    assert ended(pid)
    rejected = daemon.until("attempt.rejected", item)["data"]
    assert (rejected["outcome"], rejected.get("spends", ""), rejected.get("put_back", False)) == (
        "cancelled",
        "",
        False,
    )
    assert demo.halted()["data"]["reason"] == "all_done_or_blocked"
    assert (demo.worktree(item) / "half.txt").read_text(encoding="utf-8") == "half done\n"
    assert daemon.types(item)[-1] == "attempt.rejected"
    assert daemon.show(item).runs[0].state == "paused"


def test_it_is_paused_for_the_next_daemon_too_also_when_its_agent_lived_on(daemon: House, demo: Project) -> None:
    item = demo.work("[[ignore-term]] [[sleep 600]]")
    daemon.until_output(f"{item}.1.build.1", "sleep")
    pid = daemon.records("attempt.spawned", item)[0]["data"]["pid"]
    paused(daemon, item)
    daemon.kill9()
    daemon.start()
    assert ended(pid)
    daemon.until("attempt.rejected", item)
    demo.halted()
    assert daemon.show(item).paused
    demo.run()
    demo.halted(since=daemon.seq)
    assert len(daemon.records("attempt.planned", item)) == 1


def test_after_its_phase_lets_the_agent_finish(daemon: House, fifo: Callable[[str], Fifo]) -> None:
    go = fifo("go")
    agents = daemon.agent("patient", f"read go < {go.path}; {RESULT}")
    project = daemon.project(phases=[{"name": "plan", "agent": "patient"}, {"name": "build"}], agents=agents)
    item = project.work()
    daemon.until("attempt.spawned", item)
    view = paused(daemon, item, after_phase=True)
    assert (view.paused, view.pauses_after) == (False, "plan")
    go.go()
    project.halted()
    assert [record["data"]["phase"] for record in daemon.records("phase.completed", item)] == ["plan"]
    assert daemon.show(item).paused
    assert [record["data"]["phase"] for record in daemon.records("phase.started", item)] == ["plan"]


def test_an_item_without_a_run_does_not_start_and_others_do(daemon: House, demo: Project) -> None:
    held, other = demo.add(), demo.add("[[write a.txt x]]")
    assert paused(daemon, held).status == "ready"
    demo.run()
    daemon.done(other)
    demo.halted()
    assert daemon.types(held) == ["item.added", "run.paused"]


def test_a_gate_is_decided_meanwhile_and_the_answer_says_what_it_waits_for(daemon: House, demo: Project) -> None:
    item = demo.work('[[build.1: result {"result": "blocked", "summary": "s", "question": "Which?"}]]')
    daemon.until("gate.opened", item)
    assert paused(daemon, item).status == "blocked"
    view = daemon.decide(item, "answer", "blue")
    assert (view.status, view.paused) == ("in_progress", True)
    assert f"golemctl resume {item}" in (view.note or "")
    demo.halted(since=daemon.seq)
    assert len(daemon.records("attempt.planned", item)) == 1


def test_all_items_of_a_project_are_paused_and_those_that_were_say_so(daemon: House, demo: Project) -> None:
    items = [demo.add(), demo.add(), demo.add()]
    paused(daemon, items[1])
    views_of_all = daemon.call(calls.Pause(project="demo"))
    assert isinstance(views_of_all, tuple)
    assert [(each.id, each.paused, each.note) for each in views_of_all] == [
        (items[0], True, None),
        (items[1], True, "it was paused already"),
        (items[2], True, None),
    ]


def test_pausing_again_is_a_success_that_says_so(daemon: House, demo: Project) -> None:
    item = demo.add()
    paused(daemon, item)
    before = daemon.seq
    assert paused(daemon, item).note == f"{item} is paused already"
    assert daemon.seq == before


@pytest.mark.parametrize(
    ("call", "code", "kind"),
    [
        (calls.Pause(id="WRK-9"), "item_not_found", "not_found"),
        (calls.Pause(project="nowhere"), "project_not_found", "not_found"),
        (calls.Pause(id="WRK-1"), "item_ended", "conflict"),
    ],
)
def test_what_cannot_be_paused_is_refused(
    daemon: House, demo: Project, call: calls.Pause, code: str, kind: str
) -> None:
    daemon.call(calls.ItemCancel(id=demo.add()))
    daemon.refused(call, code, kind)


def test_repeating_a_pause_by_token_has_no_second_effect(daemon: House, demo: Project) -> None:
    item = demo.add()
    demo.add()
    first, again = daemon.repeats(calls.Pause(id=item))
    assert isinstance(first, views.ItemView)
    assert isinstance(again, views.ItemView)
    assert (first.id, again.id, again.paused) == (item, item, True)
    every, same = daemon.repeats(calls.Pause(project="demo"))
    assert isinstance(every, tuple)
    assert isinstance(same, tuple)
    assert [each.id for each in every] == [each.id for each in same]
    assert all(each.repeated for each in same)


def test_a_token_of_another_body_is_refused(daemon: House, demo: Project) -> None:
    one, two = demo.add(), demo.add()
    daemon.reuses(calls.Pause(id=one), calls.Pause(id=two))


def test_golemctl_answers_with_the_item_and_without_one_with_a_list(daemon: House, demo: Project) -> None:
    item, other = demo.add(title="Paint it"), demo.add(title="Wash it")
    one = daemon.golemctl("pause", item, "--json", cwd=demo.root)
    assert (one.status, one.json["id"], one.json["paused"]) == (0, item, True)
    every = daemon.golemctl("pause", "--all", "--json", cwd=demo.root)
    assert [each["id"] for each in every.json] == [item, other]
    told = daemon.golemctl("pause", item, cwd=demo.root)
    assert told.out == f"{item} is paused, ready: Paint it\n{item} is paused already\n"
    shown = daemon.golemctl("status", cwd=demo.root).out
    assert f"ready; golemctl resume {item}" in shown
    assert shown.count("paused") == 2
    assert "0 blocked · 2 paused" in daemon.golemctl("run", cwd=demo.root).out
