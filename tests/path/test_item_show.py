"""item.show: one item with all that belongs to it."""

from __future__ import annotations

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


def test_a_new_item_is_shown_without_runs(daemon: House, demo: Project) -> None:
    item = demo.add("the text", title="the title")
    shown = daemon.show(item)
    assert (shown.id, shown.title, shown.description) == (item, "the title", "the text")
    assert (shown.runs, shown.attempts, shown.gates) == ((), (), ())
    assert [event["type"] for event in shown.events] == ["item.added"]


def test_an_item_that_is_done_is_shown_with_run_phases_attempts_and_records(daemon: House, demo: Project) -> None:
    item = demo.work("[[write a.txt hello]]")
    daemon.done(item)
    shown = daemon.show(item)
    assert (shown.status, shown.resolution, shown.phase, shown.why) == ("done", "completed", None, None)
    (run,) = shown.runs
    assert (run.id, run.state, run.branch, run.base_branch) == (f"{item}.1", "completed", f"golem/{item}", "main")
    assert run.base_commit == demo.git("rev-parse", "main")
    assert [(phase.name, phase.state, phase.attempts) for phase in run.phases] == [("build", "completed", 1)]
    assert run.phases[0].commit == demo.git("rev-parse", f"golem/{item}")
    assert run.phases[0].summary == "did: write a.txt"
    (attempt,) = shown.attempts
    assert (attempt.id, attempt.state, attempt.status) == (f"{item}.1.build.1", "accepted", 0)
    assert "item.completed" in [event["type"] for event in shown.events]


def test_the_prompt_of_the_attempt_under_way_is_shown(daemon: House, demo: Project) -> None:
    item = demo.work("Mind the gap. [[sleep 600]]")
    daemon.until("attempt.spawned", item)
    prompt = daemon.call(calls.ItemShow(id=item, prompt=True)).prompt
    assert prompt is not None
    assert "Mind the gap." in prompt
    assert prompt == (daemon.state / "attempts" / f"{item}.1.build.1" / "prompt.md").read_text(encoding="utf-8")


def test_at_most_the_last_twenty_records_are_shown(daemon: House, demo: Project) -> None:
    item = demo.add()
    for number in range(25):
        daemon.call(calls.ItemEdit(id=item, priority=number))
    shown = daemon.show(item).events
    assert [event["data"].get("priority") for event in shown] == [*range(5, 25)]


def test_an_unknown_item_is_refused(daemon: House, demo: Project) -> None:
    daemon.refused(calls.ItemShow(id="WRK-1"), "item_not_found", "not_found")


def test_the_prompt_of_an_item_without_a_run_is_refused(daemon: House, demo: Project) -> None:
    daemon.refused(calls.ItemShow(id=demo.add(), prompt=True), "no_prompt", "not_found")
