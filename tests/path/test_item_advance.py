"""item.advance: a person takes an item past its phase, or to another one; what runs is ended only when it is forced."""

from __future__ import annotations

import pytest

from golemd.adapters.workspace import hold_project
from golemd.api import calls, views
from tests.path.ground import ended
from tests.path.house import House
from tests.path.repositories import Project

BLOCKED = '[[result {"result": "blocked", "summary": "s"}]]'
ASKS = BLOCKED.replace("[[", "[[build.1: write half.txt half]] [[build.1: ")


@pytest.fixture
def three(daemon: House) -> Project:
    """A project with the phases plan, build and review."""
    return daemon.project(phases=[{"name": "plan"}, {"name": "build"}, {"name": "review"}])


def advance(daemon: House, item: str, to: str = "", *, force: bool = False) -> views.ItemView:
    return daemon.call(calls.ItemAdvance(id=item, to=to, force=force))


def states(daemon: House, item: str) -> dict[str, str]:
    return {phase.name: phase.state for phase in daemon.show(item).runs[-1].phases}


def test_a_blocked_item_goes_on_with_the_next_phase_and_what_was_done_by_hand_is_in_its_commit(
    daemon: House, three: Project
) -> None:
    item = three.work(ASKS + " [[review: append log.txt reviewed]]")
    three.halted()
    (three.worktree(item) / "by-hand.txt").write_text("finished\n", encoding="utf-8")
    view = advance(daemon, item)
    assert (view.status, view.phase, view.gate, view.note) == ("in_progress", "review", None, None)
    daemon.until("gate.superseded", item, reason="advanced")
    daemon.done(item)
    shown = daemon.show(item)
    assert {phase.name: phase.state for phase in shown.runs[-1].phases} == {
        "plan": "completed",
        "build": "skipped",
        "review": "completed",
    }
    assert three.file_of(item, "by-hand.txt") == "finished"
    assert three.file_of(item, "half.txt") == "half"
    prompt = (daemon.state / f"attempts/{item}.1.review.1/prompt.md").read_text(encoding="utf-8")
    assert "build was left out after it had begun" in prompt


@pytest.mark.parametrize("how", ["advance", "retry", "skip"])
def test_what_is_finished_by_hand_after_a_failed_attempt_is_in_the_commit(daemon: House, how: str) -> None:
    project = daemon.project(phases=[{"name": "plan"}, {"name": "build"}], execution={"max_retries": 0})
    item = project.work("[[plan.1: write half.txt half]] [[plan.1: exit 3]] [[build: write built.txt b]]")
    kept = daemon.until("work.kept", item, then="put_back")["data"]
    assert project.git("show", f"{kept['commit']}:half.txt") == "half"
    (project.worktree(item) / "by-hand.txt").write_text("finished\n", encoding="utf-8")
    if how == "advance":
        advance(daemon, item)
    else:
        daemon.decide(daemon.show(item).gates[-1].id, how)
    daemon.done(item)
    assert project.file_of(item, "by-hand.txt") == "finished"
    assert project.git("ls-tree", "-r", "--name-only", f"golem/{item}", "half.txt") == ""


def test_going_back_does_the_later_phases_again_with_numbers_that_go_on(daemon: House, three: Project) -> None:
    item = three.work('[[append log.txt again]] [[review.1: result {"result": "blocked", "summary": "s"}]]')
    three.halted()
    assert advance(daemon, item, "plan").phase == "plan"
    daemon.done(item)
    attempts = [attempt.id for attempt in daemon.show(item).attempts]
    assert attempts == [f"{item}.1.{name}.{number}" for number in (1, 2) for name in ("plan", "build", "review")]
    assert three.file_of(item, "log.txt") == "\n".join(["again"] * 6)
    commits = three.git("log", "--format=%s", "--reverse", f"main..golem/{item}").splitlines()
    assert [each.split("]")[1].strip("[") for each in commits] == ["plan", "build", "plan", "build", "review"]


def test_a_running_attempt_is_ended_with_force_only_and_nothing_starts_before(daemon: House, three: Project) -> None:
    item = three.work("[[build: ignore-term]] [[build: sleep 600]]")
    daemon.until_output(f"{item}.1.build.1", "sleep")
    pid = daemon.records("attempt.spawned", item)[-1]["data"]["pid"]
    fault = daemon.refused(calls.ItemAdvance(id=item), "attempt_running", "conflict")
    assert fault.data == {"attempt": f"{item}.1.build.1"}
    view = advance(daemon, item, force=True)
    assert (view.phase, view.note) == ("review", f"its attempt {item}.1.build.1 is asked to end")
    daemon.done(item)
    assert ended(pid)
    types = daemon.types(item)
    left = types.index("phase.skipped")
    assert types.index("attempt.rejected", left) < types.index("phase.started", left)


def test_a_daemon_killed_meanwhile_ends_it_first_too(daemon: House, three: Project) -> None:
    item = three.work("[[build: ignore-term]] [[build: sleep 600]]")
    daemon.until_output(f"{item}.1.build.1", "sleep")
    pid = daemon.records("attempt.spawned", item)[-1]["data"]["pid"]
    advance(daemon, item, force=True)
    daemon.kill9()
    daemon.start()
    daemon.done(item)
    assert ended(pid)
    assert daemon.records("attempt.accepted", item)[-1]["data"]["attempt"] == f"{item}.1.review.1"


def test_an_agent_that_was_started_and_not_recorded_is_taken_up_and_ended(daemon: House, three: Project) -> None:
    item = three.work("[[plan: sleep 600]]")
    daemon.until_output(f"{item}.1.plan.1", "sleep")
    pid = daemon.records("attempt.spawned", item)[0]["data"]["pid"]
    planned = daemon.records("attempt.planned", item)[0]["seq"]
    daemon.kill9()
    segment = next((daemon.state / "journal").glob("*.jsonl"))
    segment.write_bytes(segment.read_bytes().replace(b'"attempt.spawned"', b'"attempt.spAwned"'))
    assert daemon.golemd("--repair", str(planned)).status == 0
    lock = hold_project(three.root / ".git", "a test")  # so that the next daemon leaves the project alone
    daemon.start()
    advance(daemon, item, force=True)
    assert daemon.until("attempt.adopted", item)["data"]["pid"] == pid
    assert ended(pid)
    daemon.until("attempt.rejected", item, outcome="cancelled")
    lock.release()
    assert len(daemon.records("attempt.planned", item)) == 1


def test_advancing_over_the_last_phase_completes_the_item(daemon: House, three: Project) -> None:
    item = three.work('[[write a.txt x]] [[review: result {"result": "blocked", "summary": "s"}]]')
    three.halted()
    assert advance(daemon, item).status == "done"
    completed = daemon.until("run.completed", item)
    assert completed["data"]["commit"] == three.git("rev-parse", f"golem/{item}")
    assert states_at_end(daemon, item) == ["completed", "completed", "skipped"]


def states_at_end(daemon: House, item: str) -> list[str]:
    return [phase.state for phase in daemon.show(item).runs[-1].phases]


@pytest.mark.parametrize(
    ("to", "code", "kind"), [("nope", "unknown_phase", "invalid"), ("", "not_in_progress", "conflict")]
)
def test_what_cannot_be_done_is_refused(daemon: House, three: Project, to: str, code: str, kind: str) -> None:
    item = three.add(BLOCKED)
    if to:
        three.run()
        three.halted()
    fault = daemon.refused(calls.ItemAdvance(id=item, to=to), code, kind)
    assert (fault.data == {"phases": ["plan", "build", "review"]}) is bool(to)


def test_an_unknown_item_is_refused(daemon: House, three: Project) -> None:
    daemon.refused(calls.ItemAdvance(id="WRK-9"), "item_not_found", "not_found")


def test_repeating_an_advance_by_token_has_no_second_effect(daemon: House, three: Project) -> None:
    item = three.work(BLOCKED)
    three.halted()
    daemon.call(calls.Pause(id=item))
    first, again = daemon.repeats(calls.ItemAdvance(id=item))
    assert (first.phase, again.phase, again.repeated) == ("build", "build", True)
    assert f"golemctl resume {item}" in (first.note or "")


def test_a_token_of_another_body_is_refused(daemon: House, three: Project) -> None:
    item = three.work(BLOCKED)
    three.halted()
    daemon.call(calls.Pause(id=item))
    daemon.reuses(calls.ItemAdvance(id=item), calls.ItemAdvance(id=item, to="review"))


def test_golemctl_answers_with_the_item(daemon: House, three: Project) -> None:
    item = three.work(BLOCKED)
    three.halted()
    daemon.call(calls.Pause(id=item))
    done = daemon.golemctl("advance", item, "--to", "review", "--json", cwd=three.root)
    assert (done.status, done.json["id"], done.json["phase"]) == (0, item, "review")
    told = daemon.golemctl("advance", item, "--to", "nope", cwd=three.root)
    assert (told.status, told.err) == (
        1,
        f"golemctl: {item} has no phase 'nope' to go to. (unknown_phase)\n          Its phases: plan, build, review.\n",
    )
