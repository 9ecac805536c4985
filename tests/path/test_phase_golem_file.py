"""A phase-golem.toml as it is: a pre-phase, three phases, one of them destructive; shared, and in worktrees."""

from __future__ import annotations

from collections.abc import Callable

from golemd.api import calls
from tests.path.ground import Fifo
from tests.path.house import House
from tests.path.repositories import Project

FILE = """\
[project]
prefix = "WRK"

[guardrails]
max_size = "medium"
max_complexity = "medium"
max_risk = "low"

[execution]
phase_timeout_minutes = 30
max_retries = 2
default_phase_cap = 100
max_wip = 1
max_concurrent = 1

[agent]
cli = "claude"

[pipelines.feature]
pre_phases = [{ name = "research", workflows = ["workflows/research.md"], is_destructive = false }]
phases = [
    { name = "plan", workflows = ["workflows/plan.md"], is_destructive = false, staleness = "ignore" },
    { name = "build", workflows = ["workflows/build.md"], destructive = true, staleness = "block" },
    { name = "review", workflows = ["workflows/review.md"], is_destructive = false, staleness = "warn" },
]
"""
WORKFLOWS = {f"workflows/{name}.md": f"Do the {name}.\n" for name in ("research", "plan", "build", "review")}
AGENT = """\
[ "$GOLEM_PHASE" = triage ] || { mkdir -p "$GOLEM_CHANGES"; echo done > "$GOLEM_CHANGES/$GOLEM_PHASE.md"; }
[ "$GOLEM_PHASE" != build ] || echo "$GOLEM_ITEM" > "$GOLEM_ITEM.txt"
printf '{"item_id":"%s","phase":"%s","result":"phase_complete","summary":"%s is done",
"updated_assessments":{"size":"medium","risk":"low"}}' \\
"$GOLEM_ITEM" "$GOLEM_PHASE" "$GOLEM_PHASE" > "$GOLEM_RESULT"
"""


def _project(daemon: House, text: str, in_build: str = "") -> Project:
    """The repository of somebody who has used phase-golem; a script stands in for the program claude."""
    program = daemon.program("claude", f'[ "$GOLEM_PHASE" != build ] || {in_build}\n{AGENT}' if in_build else AGENT)
    own = f'\n[agents.claude]\nkind = "command"\ncommand = ["{program}"]\n'
    project = daemon.repository("demo", {"phase-golem.toml": text + own, **WORKFLOWS})
    ready = daemon.call(calls.ProjectInit(root=str(project.root)))
    assert ready.warnings == ()
    return project


def test_it_drives_an_item_from_new_to_done_in_the_repository_itself(daemon: House) -> None:
    project = _project(daemon, FILE)
    item = project.add(title="Add CSV export")
    assert daemon.show(item).status == "new"
    project.run()
    daemon.done(item)
    assert [phase.state for phase in daemon.show(item).phases] == ["completed"] * 5
    assert project.git("log", "--format=%s", "main").splitlines()[:3] == [
        f"[{item}][review] review is done",
        f"[{item}][build] build is done",
        f"[{item}][research][{item}][plan] Phase outputs",
    ]
    assert project.git("ls-files", "changes").splitlines() == [
        f"changes/{item}_add-csv-export/{name}.md" for name in ("build", "plan", "research", "review")
    ]
    assert project.git("status", "--porcelain") == ""
    prompt = (daemon.state / "attempts" / f"{item}.1.build.1" / "prompt.md").read_text(encoding="utf-8")
    assert "- workflows/build.md" in prompt


def test_the_same_file_drives_three_items_at_once_in_worktrees(daemon: House, fifo: Callable[[str], Fifo]) -> None:
    told, released = fifo("told"), fifo("released")
    text = FILE.replace("max_wip = 1", 'max_wip = 3\nworkspace = "worktree"').replace(
        "concurrent = 1", "concurrent = 3"
    )
    project = _project(daemon, text, f'{{ echo "$GOLEM_ITEM" > {told.path}; read -r go < {released.path}; }}')
    items = [project.add(title=f"Item {number}") for number in range(3)]
    project.run()
    building: set[str] = set()
    while building != set(items):
        building |= set(told.heard().split())
    released.go(3)
    daemon.done(*items)
    for item in items:
        assert project.file_of(item, f"{item}.txt") == item
