"""status: everything at a glance."""

from __future__ import annotations

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


def test_status_of_an_empty_daemon_tells_of_the_daemon(daemon: House) -> None:
    view = daemon.call(calls.Status())
    assert (view.daemon.pid, view.daemon.state_dir, view.daemon.instance) == (
        daemon.pid,
        str(daemon.state),
        daemon.instance,
    )
    assert view.daemon.durable_seq == view.daemon.seq
    assert (view.projects, view.items, view.gates, view.attempts) == ((), (), (), ())


def test_status_counts_ended_items_and_lists_them_only_when_all_is_wanted(daemon: House, demo: Project) -> None:
    live, ended = demo.add(title="live"), demo.add(title="ended")
    daemon.call(calls.ItemCancel(id=ended))
    assert [item.id for item in daemon.call(calls.Status()).items] == [live]
    view = daemon.call(calls.Status(all=True))
    assert [item.id for item in view.items] == [live, ended]
    assert view.projects[0].counts == {"ready": 1, "cancelled": 1}


def test_status_shows_what_runs_with_pid_and_last_lines(daemon: House, demo: Project) -> None:
    item = demo.work("[[sleep 600]]")
    daemon.until_output(f"{item}.1.build.1", "sleep")
    (attempt,) = daemon.call(calls.Status(project="demo")).attempts
    assert (attempt.id, attempt.state, attempt.tail) == (f"{item}.1.build.1", "running", ("scripted: sleep 600",))
    assert attempt.pid == daemon.records("attempt.spawned")[0]["data"]["pid"]
    assert attempt.last_output_at


def test_status_shows_open_gates_and_why_an_item_does_not_run(daemon: House, demo: Project) -> None:
    item = demo.work('[[result {"result": "blocked", "summary": "s", "question": "Which colour?"}]]')
    demo.halted()
    view = daemon.call(calls.Status())
    assert (view.gates[0].item, view.gates[0].question) == (item, "Which colour?")
    assert view.items[0].why == f"{item} waits for you: Which colour?"
    assert view.projects[0].dispatch.halt_reason == "all_done_or_blocked"


def test_status_of_one_project_leaves_the_others_out(daemon: House, demo: Project) -> None:
    other = daemon.project("other", prefix="OTH")
    demo.add()
    there = other.add()
    assert [item.id for item in daemon.call(calls.Status(project="other")).items] == [there]


def test_status_of_a_project_that_does_not_exist_is_refused(daemon: House) -> None:
    daemon.refused(calls.Status(project="nowhere"), "project_not_found", "not_found")


def test_only_narrows_items_gates_and_attempts_to_what_matches(daemon: House, demo: Project) -> None:
    asks = '[[result {"result": "blocked", "summary": "s", "question": "Which?"}]]'
    first, second = demo.add(asks, labels=("docs",), priority=3), demo.add(asks)
    ended = demo.add()
    daemon.call(calls.ItemCancel(id=ended))
    demo.run()
    demo.halted()
    view = daemon.call(calls.Status(only=("label=docs,other", "priority>=3")))
    assert ([item.id for item in view.items], [gate.item for gate in view.gates]) == ([first], [first])
    assert view.projects[0].counts == {"blocked": 2, "cancelled": 1}
    assert [item.id for item in daemon.call(calls.Status(only=("status=cancelled,blocked",))).items] == [
        first,
        second,
        ended,
    ]


def test_a_filter_that_can_match_nothing_is_refused_with_what_is_allowed(daemon: House, demo: Project) -> None:
    for word in ("size=tiny", "colour=red", "pipeline=nowhere"):
        daemon.refused(calls.Status(only=(word,)), "invalid_filter", "invalid")
    shown = daemon.golemctl("status", "--only", "pipeline=nowhere", cwd=demo.root)
    assert (shown.status, "one of feature" in shown.err) == (1, True)
    shown = daemon.golemctl("status", "--only", "pipeline=feature", cwd=demo.root)
    assert (shown.status, "0 of 0 items match pipeline=feature" in shown.out) == (0, True)
