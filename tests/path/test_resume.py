"""resume: a paused item goes on in the same phase, and a dispatch that had halted for want of it is on again."""

from __future__ import annotations

from golemd.api import calls, views
from tests.path.house import House
from tests.path.repositories import Project


def resumed(daemon: House, item: str) -> views.ItemView:
    view = daemon.call(calls.Resume(id=item))
    assert isinstance(view, views.ItemView)
    return view


def test_it_goes_on_in_the_same_phase_and_tree_without_having_spent_a_retry(daemon: House, demo: Project) -> None:
    item = demo.work("[[append log.txt here]] [[build.1: sleep 600]]")
    daemon.until_output(f"{item}.1.build.1", "sleep")
    daemon.call(calls.Pause(id=item))
    demo.halted()
    view = resumed(daemon, item)
    assert (view.paused, view.note) == (False, None)
    daemon.done(item)
    assert demo.file_of(item, "log.txt") == "here\nhere", "the second attempt found what the first had left"
    assert len(daemon.records("phase.started", item)) == 1
    assert [record["data"]["number"] for record in daemon.records("attempt.planned", item)] == [1, 2]
    assert "was interrupted" in (daemon.state / f"attempts/{item}.1.build.2/prompt.md").read_text(encoding="utf-8")
    assert daemon.records("dispatch.started")[-1]["data"]["used"] == 1


def test_a_verify_command_that_was_ended_is_run_again(daemon: House) -> None:
    script = "echo verifying; test -e ../go || sleep 600"
    project = daemon.project(phases=[{"name": "build", "verify": [script]}])
    item = project.work()
    attempt = f"{item}.1.build.verify_1.1"
    daemon.until_output(attempt, "verifying")
    daemon.call(calls.Pause(id=item))
    project.halted()
    (project.worktree(item).parent / "go").touch()
    resumed(daemon, item)
    daemon.done(item)
    assert [record["data"]["outcome"] for record in daemon.records("evidence.recorded", item)] == ["passed"]
    assert len(daemon.records("attempt.planned", item)) == 3


def test_where_nothing_is_dispatched_the_answer_says_so(daemon: House, demo: Project) -> None:
    item = demo.add()
    daemon.call(calls.Pause(id=item))
    view = resumed(daemon, item)
    assert "golemctl run starts it" in (view.note or "")


def test_all_paused_items_of_a_project_go_on(daemon: House, demo: Project) -> None:
    items = [demo.add("[[write a.txt x]]"), demo.add("[[write b.txt x]]")]
    daemon.call(calls.Pause(project="demo"))
    running = demo.add("[[write c.txt x]]")
    demo.run()
    demo.halted()
    views_of_all = daemon.call(calls.Resume(project="demo"))
    assert isinstance(views_of_all, tuple)
    assert [(each.id, each.paused) for each in views_of_all] == [(item, False) for item in items]
    daemon.done(*items, running)
    assert daemon.call(calls.Resume(project="demo")) == ()


def test_resuming_what_is_not_paused_is_a_success_that_says_so(daemon: House, demo: Project) -> None:
    item = demo.add()
    before = daemon.seq
    assert resumed(daemon, item).note == f"{item} is not paused"
    assert daemon.seq == before


def test_an_unknown_item_and_an_unknown_project_are_refused(daemon: House, demo: Project) -> None:
    daemon.refused(calls.Resume(id="WRK-9"), "item_not_found", "not_found")
    daemon.refused(calls.Resume(project="nowhere"), "project_not_found", "not_found")


def test_repeating_a_resume_by_token_has_no_second_effect(daemon: House, demo: Project) -> None:
    items = [demo.add(), demo.add()]
    daemon.call(calls.Pause(project="demo"))
    first, again = daemon.repeats(calls.Resume(project="demo"))
    assert isinstance(first, tuple)
    assert isinstance(again, tuple)
    assert [each.id for each in first] == [each.id for each in again] == items


def test_a_token_of_another_body_is_refused(daemon: House, demo: Project) -> None:
    one, two = demo.add(), demo.add()
    daemon.call(calls.Pause(project="demo"))
    daemon.reuses(calls.Resume(id=one), calls.Resume(id=two))


def test_golemctl_answers_with_the_item_and_without_one_with_a_list(daemon: House, demo: Project) -> None:
    item = demo.add(title="Paint it")
    daemon.call(calls.Pause(id=item))
    every = daemon.golemctl("resume", "--all", "--json", cwd=demo.root)
    assert [(each["id"], each["paused"]) for each in every.json] == [(item, False)]
    assert daemon.golemctl("resume", "--all", cwd=demo.root).out == "Nothing is paused.\n"
    one = daemon.golemctl("resume", item, "--json")
    assert (one.status, one.json["id"], one.json["note"]) == (0, item, f"{item} is not paused")
    for arguments in (["resume"], ["pause"], ["pause", item, "--all"]):
        assert daemon.golemctl(*arguments, cwd=demo.root).status == 2
