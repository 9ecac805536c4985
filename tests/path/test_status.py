"""status: everything at a glance."""

from __future__ import annotations

import re

import pytest

from golemd.api import calls, views
from tests.path.house import House
from tests.path.repositories import Project

ASKS = '[[build.1: result {"result": "blocked", "summary": "s", "question": "Which colour?"}]]'


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


# --- as it was ---------------------------------------------------------------------------------------------------


def then(daemon: House, at: int | str, everything: bool = False) -> views.StatusView:
    return daemon.call(calls.Status(at=at, all=everything))


def test_status_of_a_record_shows_what_was_true_after_it(daemon: House, demo: Project) -> None:
    item = demo.work(f"{ASKS} [[build.2: sleep 600]]")
    asked = daemon.until("gate.opened", item)
    running = daemon.until("attempt.spawned", item)
    daemon.decide(item, "answer", "blue")
    daemon.until_output(f"{item}.1.build.2", "sleep")

    view = then(daemon, running["seq"])
    (attempt,) = view.attempts
    assert (attempt.id, attempt.state, attempt.pid) == (f"{item}.1.build.1", "running", running["data"]["pid"])
    assert (attempt.tail, attempt.last_output_at) == ((), None)
    assert (view.daemon.seq, view.daemon.at, view.daemon.pid) == (running["seq"], running["ts"], daemon.pid)
    assert view.daemon.durable_seq == daemon.seq

    view = then(daemon, str(asked["seq"]))
    assert ([gate.question for gate in view.gates], view.attempts) == (["Which colour?"], ())
    assert (view.items[0].status, view.items[0].gate) == ("blocked", f"{item}.g1")
    assert view.projects[0].dispatch.state == "running"

    now = daemon.call(calls.Status())
    assert ([each.id for each in now.attempts], now.gates, now.daemon.at) == ([f"{item}.1.build.2"], (), None)
    assert then(daemon, 1).projects == ()


def test_status_of_a_time_shows_what_had_happened_by_then(daemon: House, demo: Project) -> None:
    demo.add()
    last = daemon.records()[-1]
    demo.add()
    before = f"{last['ts'][:-1]}0Z"
    assert [item.id for item in then(daemon, before).items] == ["WRK-1"]
    assert then(daemon, before).daemon.seq == last["seq"]
    assert then(daemon, before).daemon.at == before
    daemon.restart()
    exactly = daemon.records("daemon.started")[-1]
    assert then(daemon, exactly["ts"]).daemon.seq == exactly["seq"]


def test_a_record_amid_a_command_stands_for_the_whole_command(daemon: House, demo: Project) -> None:
    item = demo.work("[[write a.txt x]]")
    daemon.done(item)
    records = daemon.records()
    first = next(record for record in records if record["type"] == "run.completed")
    assert first["more"]
    view = then(daemon, first["seq"], everything=True)
    assert view.items[0].status == "done"
    assert not records[view.daemon.seq - 1].get("more")


def test_ended_items_money_and_parked_accounts_are_those_of_the_moment(daemon: House, demo: Project) -> None:
    item = demo.add()
    added = daemon.seq
    daemon.call(calls.ItemCancel(id=item))
    assert then(daemon, added).projects[0].counts == {"ready": 1}
    assert then(daemon, daemon.seq).projects[0].counts == {"cancelled": 1}
    assert [each.id for each in then(daemon, daemon.seq, everything=True).items] == [item]
    daemon.refused(calls.Status(at=added, project="nowhere"), "project_not_found", "not_found")
    only = daemon.call(calls.Status(at=added, only=("status=blocked",)))
    assert only.items == ()


@pytest.mark.parametrize(
    ("at", "code", "says"),
    [
        (0, "before_the_journal", "The journal begins at 20"),
        ("2001-01-01T00:00:00Z", "before_the_journal", "The journal begins at 20"),
        (100_000, "not_yet", "There is no record 100000 yet; the newest record is "),
        ("2999-01-01T00:00:00Z", "not_yet", "has not come yet; the newest record is "),
        ("yesterday", "invalid_at", "is neither a record nor a time"),
    ],
)
def test_a_moment_that_nothing_is_known_of_is_refused_kindly(
    daemon: House, at: int | str, code: str, says: str
) -> None:
    assert says in daemon.refused(calls.Status(at=at), code, "invalid").message


def test_golemctl_shows_a_past_moment_and_says_so_first(daemon: House, demo: Project) -> None:
    item = demo.work(ASKS)
    asked = daemon.until("gate.opened", item)
    demo.halted()
    daemon.call(calls.ItemCancel(id=item))
    known = daemon.seq
    shown = daemon.golemctl("status", "--at", str(asked["seq"]), cwd=demo.root)
    first, *rest = shown.out.splitlines()
    ends = re.fullmatch(r"As it was at 20[\d-]+ [\d:]+, after record (\d+) of (\d+)\.", first)
    assert ends, first
    assert int(ends[1]) == asked["seq"]
    assert known <= int(ends[2]) <= daemon.seq, "what the cancelled item leaves is still being recorded"
    assert any(line.startswith(f"! {item}") for line in rest)
    assert "golemctl unblock" not in shown.out
    assert daemon.golemctl("status", "--at", asked["ts"], "--json").json["daemon"]["seq"] == asked["seq"]
    assert (
        daemon.golemctl("status", "--at", "1", cwd=demo.root).out.splitlines()[-1] == "No project was registered then."
    )
    for told, status in (("soon", 2), ("2999-01-01", 1), ("2001-01-01 10:30", 1)):
        assert daemon.golemctl("status", "--at", told).status == status
