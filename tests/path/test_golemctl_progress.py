"""Records of the journal as lines, and an attached run: what is told, the footer, the summary."""

from __future__ import annotations

from typing import Any

import pytest

from golemctl.render.progress import _TELLERS, Progress
from golemctl.render.records import record_line
from golemctl.render.text import Look, width
from golemd.api.events import EVENTS
from tests.path.golemctl_sample import (
    COLOUR,
    DISPATCH,
    EVIL,
    LOOK,
    NOW,
    TREE,
    assert_fits,
    attempt,
    stamp,
)

pytestmark = pytest.mark.usefixtures("utc")


def record(kind: str, /, **data: Any) -> dict[str, Any]:
    return {"seq": 7, "ts": stamp(0), "type": kind, "project": "demo", "item": "WRK-4", "data": data}


def test_a_record_is_one_line_with_its_data_in_short() -> None:
    line = record_line(
        record("commit.created", run="WRK-4.1", phase="build", commit="8c1d0e2" + "0" * 33, files=6, actor={"uid": 1}),
        LOOK,
    )
    assert line == "     7  2027-01-15 08:00:00  commit.created      WRK-4    phase=build  commit=8…"
    assert "commit=8c1d0e2  files=6" in record_line(record("x", commit="8c1d0e2" + "0" * 33, files=6), Look(200))
    assert_fits(
        [record_line(record("item.added", title=EVIL, labels=["a", EVIL], priority=1.5, ok=True, none=None), LOOK)]
    )
    assert record_line({"seq": 1, "type": "x"}, LOOK) == "     1  -  x                   -"


def started() -> Progress:
    progress = Progress("demo", DISPATCH)
    progress.lines(record("phase.started", run="WRK-4.1", phase="build", index=1), LOOK)
    plan = {
        "attempt": "WRK-4.1.build.1",
        "run": "WRK-4.1",
        "phase": "build",
        "number": 1,
        "kind": "agent",
        "agent": "scripted",
    }
    progress.lines(record("attempt.planned", **plan), LOOK)
    return progress


def spawned(progress: Progress, seconds_ago: float = 0) -> list[str]:
    news = record("attempt.spawned", attempt="WRK-4.1.build.1", pid=1, start=1, shim_pid=1, boot_id="")
    return progress.lines(news | {"ts": stamp(seconds_ago)}, LOOK)


def test_a_start_is_told_with_agent_attempt_and_what_is_left_of_the_cap() -> None:
    assert spawned(started()) == ["  08:00:00  WRK-4   build     started    scripted  attempt 1  (cap 15/100)"]


def test_the_footer_says_what_runs_for_how_long_and_fits() -> None:
    progress = started()
    assert progress.footer(LOOK) == "nothing runs at this moment · cap 15/100"
    spawned(progress, 372)
    assert progress.footer(LOOK) == "WRK-4 build 06:12 · cap 15/100"
    many = Progress("demo", DISPATCH, [attempt(id=f"a{n}", item="WRK-" + "9" * n) for n in range(1, 30)])
    assert width(many.footer(LOOK)) <= 80
    assert many.footer(LOOK).endswith("· cap 14/100")


def test_a_process_that_has_exited_runs_no_more_and_one_that_was_judged_is_forgotten() -> None:
    progress = started()
    spawned(progress)
    progress.lines(record("attempt.exited", attempt="WRK-4.1.build.1", status=0), LOOK)
    assert progress.footer(LOOK).startswith("nothing runs")
    progress.lines(record("attempt.accepted", attempt="WRK-4.1.build.1", result="phase_complete"), LOOK)
    assert progress.running == {}


EVIDENCE = {
    "run": "WRK-4.1",
    "phase": "build",
    "attempt": "WRK-4.1.build.verify_1.1",
    "command": "pytest -q",
    "tree": TREE,
}
AGAIN_US = int((NOW + 4.5) * 1e6)
TOLD = [
    ("evidence.recorded", EVIDENCE | {"outcome": "passed"}, "verify     passed  pytest -q  (tree 3f9a21c)"),
    (
        "evidence.recorded",
        EVIDENCE | {"outcome": "failed", "lines": ["x", "2 failed"], "spends": "fix"},
        "verify     failed → fix 1  pytest -q: 2 failed",
    ),
    (
        "attempt.rejected",
        {"attempt": "WRK-4.1.build.1", "outcome": "timeout", "message": "30 min", "again_us": AGAIN_US},
        "failed     again in 5 s: 30 min",
    ),
    (
        "attempt.rejected",
        {"attempt": "WRK-4.1.build.1", "outcome": "cancelled", "message": "stopped"},
        "ended      stopped",
    ),
    (
        "attempt.rejected",
        {"attempt": "WRK-4.1.build.1", "outcome": "limit", "message": "no more"},
        "limited    no more",
    ),
    ("provider.parked", {"provider": "claude", "until_us": AGAIN_US}, "parked     claude until 2027-01-15 08:00;"),
    ("attempt.lost", {"attempt": "WRK-4.1.build.1", "reason": "another boot"}, "lost       another boot"),
    ("attempt.adopted", {"attempt": "WRK-4.1.build.1", "pid": 9}, "adopted    pid 9"),
    ("attempt.accepted", {"attempt": "WRK-4.1.build.1", "result": "failed", "summary": "No."}, "failed     No."),
    (
        "attempt.accepted",
        {"attempt": "WRK-4.1.build.1", "result": "subphase_complete", "summary": "Half."},
        "round      Half.",
    ),
    (
        "attempt.accepted",
        {"attempt": "WRK-4.1.build.1", "result": "phase_complete", "warnings": ["odd"]},
        "warning    odd",
    ),
    (
        "commit.created",
        {"phase": "build", "commit": TREE, "files": 6, "insertions": 214, "deletions": 31},
        "committed  3f9a21c  6 files +214 \u221231",
    ),
    ("phase.completed", {"phase": "build", "summary": "Built."}, "build     completed  Built."),
    ("work.kept", {"then": "put_back", "ref": "refs/golem/kept/a"}, "refs/golem/kept/a"),
    ("gate.opened", {"kind": "question", "question": "Why?", "phase": "build"}, "asks       question: Why?"),
    ("gate.decided", {"option": "request_changes", "text": "more"}, "decided    request changes: more"),
    ("run.paused", {"run": "WRK-4.1"}, "paused     golemctl resume goes on with it"),
    ("run.paused", {"run": "WRK-4.1", "after_phase": "build"}, "paused     when build has ended"),
    ("run.resumed", {"run": "WRK-4.1"}, "resumed"),
    (
        "phase.skipped",
        {"phase": "build", "reason": "advanced to review", "actor": {"user": "me"}},
        "build     skipped    advanced to review",
    ),
    (
        "phase.reset",
        {"phase": "build", "reason": "taken back to plan", "back": True},
        "build     pending    taken back to plan",
    ),
    ("item.added", {"title": "T"}, "added      T"),
    ("item.completed", {"commit": TREE}, "done       at 3f9a21c"),
    ("item.cancelled", {"resolution": "rejected", "reason": "no"}, "cancelled  rejected: no"),
]


@pytest.mark.parametrize(("kind", "data", "expected"), TOLD)
def test_what_happens_is_told_in_one_line(kind: str, data: dict[str, Any], expected: str) -> None:
    progress = started()
    lines = progress.lines(record(kind, **data), LOOK)
    assert len(lines) == 1
    assert expected in lines[0]
    assert lines[0].startswith("! ") == (kind == "gate.opened")
    hostile = {
        name: EVIL if isinstance(value, str) and name not in ("attempt", "result") else value
        for name, value in data.items()
    }
    assert_fits(progress.lines(record(kind, **hostile), COLOUR))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("commit.created", {"phase": "build"}),
        ("work.kept", {"then": "removed"}),
        ("phase.skipped", {"phase": "build", "reason": "the item needs no scoping"}),
        ("phase.reset", {"phase": "build", "reason": "retried"}),
        ("run.created", {}),
        ("phase.failed", {"phase": "build", "reason": "the gate that follows says it"}),
        ("dispatch.started", {"cap": 5}),
        ("attempt.spawned", {"attempt": "unknown"}),
    ],
)
def test_what_is_no_news_to_a_watcher_is_not_told(kind: str, data: dict[str, Any]) -> None:
    assert started().lines(record(kind, **data), LOOK) == []


def test_other_projects_are_not_told_of_but_the_daemon_is() -> None:
    progress = started()
    assert progress.lines(record("item.added", title="T") | {"project": "other"}, LOOK) == []
    news = {"seq": 8, "ts": stamp(0), "type": "daemon.started", "data": {"version": "0.1.0", "pid": 7}}
    assert "has started, pid 7" in progress.lines(news, LOOK)[0]
    assert (
        "has stopped: SIGTERM"
        in progress.lines(news | {"type": "daemon.stopped", "data": {"reason": "SIGTERM"}}, LOOK)[0]
    )


def test_the_end_of_a_dispatch_is_noticed_and_summed_up() -> None:
    progress = started()
    progress.lines(record("phase.completed", phase="build"), LOOK)
    progress.lines(record("item.completed"), LOOK)
    assert progress.halted is None
    progress.lines(record("dispatch.halted", reason="all_done_or_blocked"), LOOK)
    assert progress.halted == "all_done_or_blocked"
    assert (
        progress.summary_line(1, 2280, LOOK) == "  halted  all done or blocked   1 done · 1 blocked · 1 phase · 38 min"
    )


def test_what_was_spent_is_summed_up_and_a_program_that_stops_at_its_budget_has_not_failed() -> None:
    progress = started()
    for cost in (2.5, 0.37):
        assert (
            progress.lines(record("budget.spent", attempt="WRK-4.1.build.1", agent="claude", cost_usd=cost), LOOK) == []
        )
    assert progress.summary_line(0, 2280, LOOK, paused=2).endswith(
        "0 done · 0 blocked · 2 paused · 0 phases · 38 min · $2.87"
    )
    stopped = record("attempt.rejected", attempt="WRK-4.1.build.1", outcome="budget", message="Reached $2.00")
    assert "limited    Reached $2.00" in progress.lines(stopped, LOOK)[0]


def test_every_type_that_is_told_exists() -> None:
    assert set(_TELLERS) <= set(EVENTS)
