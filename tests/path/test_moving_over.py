"""From phase-golem to golemd: its configuration and its store as they stand, three commands, and the work goes on."""

from __future__ import annotations

import json
from typing import Any, Final

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project

CONFIGURATION: Final = """\
[project]
prefix = "WRK"

[guardrails]
max_size = "medium"
max_risk = "low"

[execution]
agent = "scripted"
max_retries = 1
backlog_path = "BACKLOG.yaml"

[pipelines.feature]
pre_phases = [{ name = "research", workflows = ["docs/research.md"], is_destructive = false }]
phases = [
    { name = "build", workflows = ["docs/build.md"], destructive = true, staleness = "block" },
    { name = "review", is_destructive = false },
]
"""


def line(item: str, status: str, **more: Any) -> str:
    times = {"created_at": "2026-03-01T09:00:00Z", "updated_at": "2026-03-01T09:05:00Z"}
    good = {"id": item, "title": item, "status": status, "priority": 0, "tags": [], "dependencies": [], **times}
    return json.dumps(good | {"x-pg-pipeline-type": "feature"} | more)


STORE: Final = {
    "tasks.jsonl": [
        '{"schema_version":1}',
        line("WRK-1fa21", "todo", **{"x-pg-status": "ready", "description": "[[build: write one.txt 1]]"}),
        line("WRK-22b22", "doing", dependencies=["WRK-44444"], **{"x-pg-phase": "review"}),
        line(
            "WRK-33333", "blocked", blocked_reason="which key?", blocked_from_status="doing", **{"x-pg-phase": "build"}
        ),
    ],
    "archive.jsonl": ['{"schema_version":1}', line("WRK-44444", "done")],
}


def test_a_repository_of_phase_golem_is_taken_over_as_it_stands(daemon: House) -> None:
    files = {f".task-golem/{name}": "\n".join(lines) + "\n" for name, lines in STORE.items()}
    project = daemon.repository("old", {"phase-golem.toml": CONFIGURATION, **files})
    here = Project(daemon, project.root, "old")
    registered = daemon.golemctl("init", cwd=here.root)
    assert registered.status == 0, registered.err
    assert "execution.backlog_path: unknown key, ignored" in registered.err
    brought = daemon.golemctl("import", "tg", ".", cwd=here.root)
    assert brought.out.splitlines() == ["4 items imported into old: 1 ready, 1 in progress, 1 blocked, 1 done"]
    assert here.git("status", "--porcelain") == ""
    assert daemon.golemctl("run", cwd=here.root).status == 3, "something waits for a human"
    daemon.done("WRK-1fa21", "WRK-22b22")
    started = daemon.records("phase.started", "WRK-22b22")
    assert [record["data"]["phase"] for record in started] == ["review"]
    assert (here.root / "one.txt").read_text("utf-8") == "1\n"
    answered = daemon.golemctl("unblock", "WRK-33333", "--answer", "the staging key", cwd=here.root)
    assert answered.status == 0, answered.err
    daemon.done("WRK-33333")
    assert here.add(title="and on") == "WRK-1"
    assert daemon.call(calls.Status()).projects[0].counts["done"] == 4
