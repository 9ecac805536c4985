"""A shared workspace: items are worked on in the repository itself, and what they do is committed there."""

from __future__ import annotations

import json

import pytest

from golemd.api import calls
from golemd.api.faults import Conflict
from tests.path.house import House
from tests.path.repositories import Project

SHARED = {"workspace": "shared"}
PHASES = [{"name": "plan"}, {"name": "check"}, {"name": "build", "is_destructive": True}, {"name": "review"}]


def _project(daemon: House, **fields: object) -> Project:
    execution = {**SHARED, **dict(fields.pop("execution", {}) or {})}  # type: ignore[call-overload]
    return daemon.project(phases=fields.pop("phases", PHASES), execution=execution, **fields)  # type: ignore[arg-type]


def _log(project: Project) -> list[str]:
    return project.git("log", "--format=%s", "main").splitlines()


def test_what_destroys_nothing_is_committed_together_before_what_does(daemon: House) -> None:
    project = _project(daemon)
    item = project.work(
        "[[plan: write plan.md p]] [[check: write check.md c]] [[build: write a.txt x]] [[review: write r.md r]]"
    )
    daemon.done(item)
    assert _log(project)[:3] == [
        f"[{item}][review] did: write r.md",
        f"[{item}][build] did: write a.txt",
        f"[{item}][plan][{item}][check] Phase outputs",
    ]
    assert project.git("status", "--porcelain") == ""
    view = daemon.call(calls.ItemShow(id=item))
    commits = [phase.commit for phase in view.phases]
    assert commits[0] == commits[1] != commits[2]
    assert view.runs[0].workspace == str(project.root)


def test_only_what_an_item_did_is_committed_and_other_dirt_stays(daemon: House) -> None:
    project = _project(daemon)
    strange = ["ä b.txt", "-x", 'q"uote', "new\nline"]
    for name in strange:
        (project.root / name).write_text("mine", encoding="utf-8")
    item = project.work("[[build: write a.txt x]]")
    daemon.done(item)
    assert project.git("show", "--name-only", "--format=", "main") == "a.txt"
    assert len(project.git("status", "--porcelain").splitlines()) == len(strange)


def test_a_tree_with_changes_of_nobodys_asks_and_goes_on_when_they_are_gone(daemon: House) -> None:
    project = _project(daemon)
    project.commit({"README": "one"})
    (project.root / "README").write_text("two", encoding="utf-8")
    item = project.work("[[build: write a.txt x]]")
    gate = daemon.until("gate.opened", item)["data"]
    assert gate["kind"] == "failure"
    assert "changes that are not committed: README" in gate["question"]
    project.git("checkout", "-q", "README")
    daemon.decide(item, "retry")
    daemon.done(item)


def test_what_a_failed_attempt_leaves_stays_and_is_named_in_the_next_prompt(daemon: House) -> None:
    project = _project(daemon, phases=[{"name": "build", "is_destructive": True}])
    failed = json.dumps({"result": "failed", "summary": "no"})
    item = project.work(f"[[build.1: write left.txt x]] [[build.1: result {failed}]] [[build.2: write a.txt y]]")
    daemon.done(item)
    prompt = (daemon.state / "attempts" / f"{item}.1.build.2" / "prompt.md").read_text(encoding="utf-8")
    assert "It left changed: left.txt" in prompt
    assert sorted(project.git("show", "--name-only", "--format=", "main").splitlines()) == ["a.txt", "left.txt"]


def test_what_waits_is_committed_when_a_human_is_asked_and_when_the_item_is_cancelled(daemon: House) -> None:
    asks = json.dumps({"result": "blocked", "question": "?"})
    project = _project(daemon)
    first = project.work(f"[[plan: write plan.md p]] [[check: result {asks}]]")
    daemon.until("gate.opened", first)
    daemon.until("commit.created", first, message=f"[{first}][plan] did: write plan.md")
    project.halted()
    assert project.git("status", "--porcelain") == ""
    daemon.call(calls.ItemCancel(id=first))
    daemon.until("work.kept", first, then="removed")


def test_with_a_detached_head_nothing_is_dispatched(daemon: House) -> None:
    project = _project(daemon)
    project.git("checkout", "-q", "--detach")
    item = project.add("[[build: write a.txt x]]")
    with pytest.raises(Conflict, match="HEAD is detached"):
        project.run()
    project.git("checkout", "-q", "main")
    project.run()
    daemon.done(item)


STALE = [{"name": "plan", "gate": "approval"}, {"name": "build", "is_destructive": True, "staleness": "block"}]


def _between_phases(daemon: House) -> tuple[Project, str]:
    """A project whose item has its plan committed and approved, and is paused."""
    project = _project(daemon, phases=STALE)
    item = project.work("[[plan: append plan.md p]] [[build: append a.txt x]]")
    daemon.until("gate.opened", item)
    daemon.call(calls.Pause(id=item))
    daemon.decide(item, "approve")
    return project, item


def test_an_unrelated_commit_on_top_is_no_staleness(daemon: House) -> None:
    project, item = _between_phases(daemon)
    project.commit({"other.txt": "unrelated"})
    daemon.call(calls.Resume(id=item))
    daemon.done(item)


def test_a_rebase_that_drops_a_phases_own_commit_is_noticed_and_the_phase_run_again(daemon: House) -> None:
    project, item = _between_phases(daemon)
    project.commit({"other.txt": "unrelated"})
    project.git("rebase", "-q", "--onto", "HEAD~2", "HEAD~1")
    daemon.call(calls.Resume(id=item))
    gate = daemon.until("gate.opened", item, kind="staleness")["data"]
    assert "The work of plan (commit" in gate["question"]
    daemon.decide(item, "rerun_prior")
    daemon.until("gate.opened", item, kind="approval", gate=f"{item}.g3")
    daemon.decide(item, "approve")
    daemon.done(item)
    assert project.git("show", "main:plan.md") == "p"


def test_it_goes_on_without_the_work_when_a_human_says_so(daemon: House) -> None:
    project, item = _between_phases(daemon)
    project.git("reset", "-q", "--hard", "HEAD~1")
    daemon.call(calls.Resume(id=item))
    daemon.until("gate.opened", item, kind="staleness")
    daemon.decide(item, "proceed")
    daemon.done(item)


def test_what_is_approved_is_what_was_committed_not_what_others_have_in_the_tree_by_then(daemon: House) -> None:
    pipelines = {"two": [{"name": "think"}, {"name": "more"}]}
    project = _project(daemon, phases=[{"name": "plan", "gate": "approval"}], pipelines=pipelines)
    first = project.work("[[write a.txt first]]", title="first")
    daemon.until("gate.opened", first)
    second = project.add("[[think: write b.txt half]] [[more: sleep 600]]", title="second", pipeline="two")
    project.run()
    daemon.until("attempt.spawned", second, attempt=f"{second}.1.more.1")
    daemon.decide(first, "approve")
    daemon.done(first)
    assert (project.root / "b.txt").read_text(encoding="utf-8") == "half\n"
    assert "b.txt" not in project.git("ls-tree", "-r", "--name-only", "main").splitlines()


def test_what_waited_when_an_item_was_taken_back_is_committed_when_it_is_cancelled(daemon: House) -> None:
    project = _project(daemon, phases=[{"name": "plan"}, {"name": "check"}, {"name": "last"}])
    item = project.work("[[plan.1: write a.txt x]] [[plan.2: sleep 600]] [[last: sleep 600]]")
    daemon.until("attempt.spawned", item, attempt=f"{item}.1.last.1")
    daemon.call(calls.ItemAdvance(id=item, to="plan", force=True))
    daemon.call(calls.ItemCancel(id=item))
    daemon.until("work.kept", item, then="removed")
    assert project.git("show", "main:a.txt") == "x"
    assert daemon.call(calls.ItemReopen(id=item)).status == "ready"


def test_work_that_cannot_be_committed_yet_is_told_of_until_it_is(daemon: House) -> None:
    project = _project(daemon, phases=[{"name": "plan"}, {"name": "last"}])
    item = project.work("[[plan: write a.txt x]] [[last: sleep 600]]")
    daemon.until("attempt.spawned", item, attempt=f"{item}.1.last.1")
    project.git("checkout", "-q", "-b", "elsewhere")
    daemon.call(calls.ItemCancel(id=item))
    told = f"Committing what {item} has done fails: "
    while told not in daemon.call(calls.ItemWhy(id=item)).why:
        assert "is cancelled" in daemon.call(calls.ItemWhy(id=item)).why
    assert told in (daemon.show(item).why or "")
    project.git("checkout", "-q", "main")
    daemon.restart()  # which does not wait for so long
    daemon.until("work.kept", item, then="removed")
    assert project.git("show", "main:a.txt") == "x"
    assert told not in daemon.call(calls.ItemWhy(id=item)).why


def test_a_gate_promises_that_the_work_stays_where_it_is(daemon: House) -> None:
    project = _project(daemon, phases=[{"name": "build", "gate": ["approval"]}])
    item = project.work("[[build: write a.txt x]]")
    gate = daemon.until("gate.opened", item)["data"]["gate"]
    abort = daemon.call(calls.GateShow(gate=gate)).options[-1]
    assert abort.effect.endswith("; its work stays on the branch that is checked out")
    daemon.decide(item, "abort")
    daemon.until("work.kept", item, then="removed")
    assert project.git("show", "main:a.txt") == "x"
