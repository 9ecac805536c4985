"""Views as a daemon might send them, hostile text among it, and what every rendering must hold."""

from __future__ import annotations

import time
from typing import Any

from golemctl.render import text
from golemctl.render.text import Look, clean, width
from golemd.api import views
from golemd.api.model import Actor, Content, Evidence

NOW = 1_800_000_000.0
LOOK = Look(80, now=NOW, home="/home/me")
COLOUR = Look(80, colour=True, now=NOW)
EVIL = "\x1b[2J\x1b]0;title\x07\x9b31mred\x1b[0m\u202eback\x00\r\n語" * 9
TREE = "3f9a21c" + "0" * 33


def stamp(seconds_ago: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - seconds_ago))


def item(id: str = "WRK-1", **changes: Any) -> views.ItemView:  # noqa: A002 - as in the view
    return views.ItemView(
        **{"id": id, "project": "demo", "title": "A title", "status": "new", "pipeline": "feature"} | changes
    )


def gate(kind: str = "question", **changes: Any) -> views.GateView:
    return views.GateView(**gate_fields(kind) | changes)


def gate_fields(kind: str) -> dict[str, Any]:
    defaults = {"approval": "approve", "question": "answer", "guardrail": "approve", "failure": "retry"}
    options = (
        views.OptionView(id=defaults.get(kind, "proceed"), label="Go", effect="It goes on."),
        views.OptionView(id="abort", label="Abort", effect="The item is cancelled."),
    )
    return {
        "id": "WRK-5.g1",
        "item": "WRK-5",
        "kind": kind,
        "key": kind,
        "question": "Keep the old column, or drop it?",
        "options": options,
        "default": defaults.get(kind),
        "content": Content(commit="c" * 40, tree=TREE),
        "digest": "d",
        "attempt": "WRK-5.1.build.1",
        "opened_at": stamp(60),
        "phase": "build",
    }


def attempt(**changes: Any) -> views.AttemptView:
    fields: dict[str, Any] = {
        "id": "WRK-4.1.build.1",
        "item": "WRK-4",
        "phase": "build",
        "number": 1,
        "agent": "scripted",
        "state": "spawned",
        "started_at": stamp(372),
        "tail": ("a", "now testing"),
    }
    return views.AttemptView(**fields | changes)


DISPATCH = views.DispatchView(state="running", cap=100, used=14)


def project(**changes: Any) -> views.ProjectView:
    fields: dict[str, Any] = {
        "name": "demo",
        "root": "/home/me/src/demo",
        "prefix": "WRK",
        "dispatch": DISPATCH,
        "counts": {"blocked": 1, "done": 12, "cancelled": 1},
        "config_digest": "",
        "max_concurrent": 3,
    }
    return views.ProjectView(**fields | changes)


def status(**changes: Any) -> views.StatusView:
    daemon = views.DaemonView(version="0.1.0", pid=1, uptime_s=1, seq=9, durable_seq=9, state_dir="/state")
    fields: dict[str, Any] = {"daemon": daemon, "projects": (project(),), "items": (), "gates": (), "attempts": ()}
    return views.StatusView(**fields | changes)


BUSY = status(
    items=(
        item("WRK-8", title="Tidy the docs"),
        item(
            "WRK-9",
            title="Rename the flag",
            status="ready",
            why="WRK-9 is ready but does not run: 3 of 3 items are in progress (max_wip).",
        ),
        item("WRK-4", title="Build user authentication", status="in_progress", phase="build", priority=5),
        item(
            "WRK-5", title="Migrate the schema", status="blocked", phase="build", gate="WRK-5.g1", gates=("WRK-5.g1",)
        ),
    ),
    gates=(gate(),),
    attempts=(attempt(),),
)


def shown_width(line: str) -> int:
    """Columns on the terminal: golemctl's own colours take none."""
    return width(line.replace(text._ATTENTION, "").replace(text._PLAIN, ""))


def assert_fits(lines: list[str], columns: int = 80) -> None:
    for line in lines:
        assert shown_width(line) <= columns, line
        plain = line.replace(text._ATTENTION, "").replace(text._PLAIN, "")
        assert plain == clean(plain), repr(line)


def detail(**changes: Any) -> views.ItemDetail:
    phase = views.PhaseView(
        id="WRK-5.1.build",
        run="WRK-5.1",
        name="build",
        state="verifying",
        summary=EVIL,
        commit="8c1d0e2" + "0" * 33,
        attempts=2,
        warnings=(EVIL,),
        evidence=(Evidence("a", "pytest", "failed", 1, 1.0, TREE, lines=(EVIL,)),),
    )
    run = views.RunView(
        id="WRK-5.1",
        state="executing",
        pipeline="feature",
        base_branch="main",
        base_commit=TREE,
        branch="golem/WRK-5",
        workspace="/home/me/" + "w" * 100,
        pinned_differs=True,
        phases=(phase,),
    )
    decision = views.DecisionView(option="approve", text=EVIL, actor=Actor(user="me"), at=stamp(10))
    ended = attempt(state="rejected", outcome="no_result", status=1, duration_s=3.0, message=EVIL)
    fields: dict[str, Any] = {
        "id": "WRK-5",
        "project": "demo",
        "title": "Migrate " + EVIL,
        "status": "blocked",
        "pipeline": "feature",
        "labels": ("a", "b"),
        "dependencies": ("WRK-1",),
        "size": "small",
        "description": EVIL,
        "runs": (run,),
        "attempts": (attempt(), ended) * 6,
        "gates": (gate(), gate("approval", id="WRK-5.g0", state="decided", decision=decision)),
        "events": ({"seq": 1, "ts": stamp(5), "type": "item.added", "item": "WRK-5", "data": {"title": EVIL}},),
        "prompt": EVIL,
    }
    return views.ItemDetail(**fields | changes)
