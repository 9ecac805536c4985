"""Gates: what each option does, several approvals in order, and who is first when many decide."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from golemd.api import calls
from golemd.api.faults import Fault
from tests.path.house import House
from tests.path.repositories import Project

APPROVED = [{"name": "build", "gate": "approval"}]


def _gated(daemon: House, description: str = "[[append a.txt line]]") -> tuple[Project, str]:
    project = daemon.project(phases=APPROVED)
    item = project.work(description)
    project.halted()
    return project, item


def _prompt(daemon: House, attempt: str) -> str:
    return (daemon.state / "attempts" / attempt / "prompt.md").read_text(encoding="utf-8")


def test_named_approvals_are_asked_for_in_order_about_the_same_tree(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "build", "gate": ["design", "security"]}])
    item = project.work("[[write a.txt x]]")
    first = daemon.until("gate.opened", item)["data"]
    assert (first["key"], "(design)" in first["question"]) == ("design", True)
    daemon.decide(item, "approve")
    second = daemon.until("gate.opened", item, key="security")["data"]
    assert second["content"] == first["content"]
    daemon.decide(item, "approve")
    daemon.done(item)


def test_changes_that_are_requested_reach_the_prompt_and_ask_again(daemon: House) -> None:
    project, item = _gated(daemon)
    daemon.decide(item, "request_changes", "a second line, please")
    second = daemon.until("gate.opened", item, gate=f"{item}.g2")["data"]
    assert "a second line, please" in _prompt(daemon, f"{item}.1.build.2")
    assert project.file_of(item, "a.txt") == "line\nline"
    assert second["content"]["tree"] == project.git("rev-parse", f"golem/{item}^{{tree}}")
    daemon.decide(item, "approve")
    daemon.done(item)


def test_requesting_changes_needs_a_comment(daemon: House) -> None:
    _, item = _gated(daemon)
    daemon.refused(calls.GateDecide(gate=item, option="request_changes"), "text_required", "invalid")


def test_a_rejection_fails_the_run_and_cancels_the_item_and_keeps_the_branch(daemon: House) -> None:
    project, item = _gated(daemon)
    view = daemon.decide(item, "reject", "not like this")
    assert (view.status, view.resolution) == ("cancelled", "rejected")
    daemon.until("work.kept", item, then="removed")
    assert daemon.show(item).runs[0].state == "failed"
    assert project.file_of(item, "a.txt") == "line"
    assert not project.worktree(item).exists()


def test_an_abort_aborts_the_run_and_cancels_the_item(daemon: House) -> None:
    _, item = _gated(daemon)
    view = daemon.decide(item, "abort")
    assert (view.status, view.resolution) == ("cancelled", "aborted")
    daemon.until("work.kept", item, then="removed")
    assert daemon.show(item).runs[0].state == "aborted"


def test_a_skipped_phase_is_left_out_and_the_next_one_begins(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "plan"}, {"name": "build"}], execution={"max_retries": 0})
    item = project.work("[[plan: exit 1]] [[build: write a.txt x]]")
    daemon.until("gate.opened", item)
    daemon.decide(item, "skip", "no plan needed")
    daemon.done(item)
    assert [(phase.name, phase.state) for phase in daemon.show(item).runs[0].phases] == [
        ("plan", "skipped"),
        ("build", "completed"),
    ]


def test_content_that_changed_since_it_was_shown_gets_a_fresh_gate(daemon: House) -> None:
    project, item = _gated(daemon)
    shown = daemon.gate(item)
    (project.worktree(item) / "a.txt").write_text("mine\n", encoding="utf-8")
    call = calls.GateDecide(gate=shown.id, option="approve", content=shown.digest)
    fault = _fault(daemon, call)
    assert (fault.code, fault.CLASS, fault.data["gate"]) == ("content_changed", "conflict", f"{item}.g2")
    assert f"{item}.g2" in fault.hint
    assert [gate.id for gate in daemon.call(calls.GateList())] == [f"{item}.g2"]
    old = daemon.refused(calls.GateDecide(gate=shown.id, option="approve"), "gate_not_open", "conflict")
    assert old.data["superseded"] is True
    fresh = daemon.gate(item)
    assert fresh.content.tree != shown.content.tree
    daemon.decide(fresh.id, "approve", content=fresh.digest)
    daemon.done(item)
    assert project.file_of(item, "a.txt") == "mine"


def test_a_digest_of_something_else_is_not_what_was_shown(daemon: House) -> None:
    _, item = _gated(daemon)
    assert _fault(daemon, calls.GateDecide(gate=item, option="approve", content="0" * 64)).code == "content_changed"


def test_a_tree_that_a_human_changed_is_verified_again_before_it_counts(daemon: House) -> None:
    project = daemon.project(
        phases=[{"name": "build", "gate": "approval", "verify": ["! grep draft a.txt"]}],
        execution={"max_fix_attempts": 0},
    )
    item = project.work("[[write a.txt good]]")
    project.halted()
    (project.worktree(item) / "a.txt").write_text("a draft\n", encoding="utf-8")
    assert _fault(daemon, calls.GateDecide(gate=item, option="approve")).code == "content_changed"
    daemon.decide(item, "approve")
    assert daemon.until("gate.opened", item, kind="failure")["data"]["key"] == "verify"


@pytest.mark.parametrize("option", ["request_changes", "reject", "abort"])
def test_a_gate_whose_worktree_is_gone_can_be_decided_but_not_approved(daemon: House, option: str) -> None:
    project, item = _gated(daemon, "[[append a.txt line]]")
    project.git("commit", "-q", "--allow-empty", "-m", "by hand", cwd=project.worktree(item))
    assert _fault(daemon, calls.GateDecide(gate=item, option="approve")).code == "content_changed"
    shutil.rmtree(project.worktree(item))
    fault = _fault(daemon, calls.GateDecide(gate=item, option="approve"))
    assert (fault.code, fault.hint) == (
        "workspace_missing",
        f"golemctl request-changes {item} makes it again from its branch",
    )
    daemon.decide(item, option, "again")
    if option == "request_changes":
        daemon.until("gate.opened", item, gate=f"{item}.g3")
        daemon.decide(item, "approve")
        daemon.done(item)
    else:
        daemon.until("item.cancelled", item)


def test_of_six_that_decide_at_once_one_wins_and_five_hear_what_and_by_whom(daemon: House) -> None:
    _, item = _gated(daemon, "[[append a.txt line]] [[build.2: sleep 600]]")
    gate, barrier = daemon.gate(item).id, threading.Barrier(6)
    outcomes: list[Fault | str] = []

    def decide(number: int) -> None:
        with daemon.new_client() as client:
            client.call(calls.Ping())
            barrier.wait(60)
            call = calls.GateDecide(gate=gate, option="request_changes", text=f"by {number}", client=f"tool {number}")
            try:
                outcomes.append(client.call(call).id)
            except Fault as fault:
                outcomes.append(fault)

    threads = [threading.Thread(target=decide, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    faults = [outcome for outcome in outcomes if isinstance(outcome, Fault)]
    (decision,) = daemon.records("gate.decided", item)
    assert (len(outcomes), len(faults)) == (6, 5)
    assert {fault.code for fault in faults} == {"gate_not_open"}
    assert {fault.data["text"] for fault in faults} == {decision["data"]["text"]}
    assert {fault.data["uid"] for fault in faults} == {os.getuid()}


def test_an_open_gate_survives_a_crash_with_its_content(daemon: House) -> None:
    _, item = _gated(daemon)
    before = daemon.gate(item)
    daemon.kill9()
    daemon.start()
    assert daemon.gate(item) == before
    daemon.decide(item, "approve")
    daemon.done(item)


def test_a_gate_on_a_pre_phase_holds_before_promotion(daemon: House) -> None:
    project = daemon.project(pre_phases=[{"name": "research", "gate": "approval"}])
    item = project.work("[[research: write notes.txt n]] [[build: write a.txt x]]")
    daemon.until("gate.opened", item)
    assert daemon.show(item).status == "blocked"
    daemon.decide(item, "approve")
    daemon.done(item)
    assert (project.file_of(item, "notes.txt"), project.file_of(item, "a.txt")) == ("n", "x")


def test_approving_when_the_worktree_was_deleted_takes_the_branch_as_it_is(daemon: House) -> None:
    project, item = _gated(daemon)
    _remove(project.worktree(item))
    daemon.decide(item, "approve")
    daemon.done(item)
    assert project.file_of(item, "a.txt") == "line"


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def _fault(daemon: House, call: calls.GateDecide) -> Fault:
    try:
        daemon.call(call)
    except Fault as fault:
        return fault
    raise AssertionError("it was not refused")
