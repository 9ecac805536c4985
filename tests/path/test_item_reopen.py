"""item.reopen: an ended item is taken up again, from the beginning."""

from __future__ import annotations

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


def test_a_done_item_runs_again_on_a_branch_of_its_own(daemon: House, demo: Project) -> None:
    item = demo.work("[[append a.txt line]]", vars={"colour": "red"})
    daemon.until("work.kept", item, then="removed")
    reopened = daemon.call(calls.ItemReopen(id=item, reason="once more"))
    assert (reopened.status, reopened.resolution, reopened.description) == ("ready", None, "[[append a.txt line]]")
    (record,) = daemon.records("item.reopened", item)
    assert (record["data"]["reason"], record["data"]["vars"]) == ("once more", {"colour": "red"})
    demo.run()
    daemon.until("work.kept", item, then="removed", count=2)
    assert [run.branch for run in daemon.show(item).runs] == [f"golem/{item}", f"golem/{item}.2"]
    assert demo.file_of(f"{item}.2", "a.txt") == "line"


def test_a_cancelled_item_is_ready_again(daemon: House, demo: Project) -> None:
    item = demo.add("text")
    daemon.call(calls.ItemCancel(id=item))
    assert daemon.call(calls.ItemReopen(id=item)).status == "ready"
    assert daemon.show(item).description == "text"


def test_an_item_that_has_not_ended_is_refused(daemon: House, demo: Project) -> None:
    daemon.refused(calls.ItemReopen(id=demo.add()), "not_ended", "conflict")


def test_an_item_that_has_just_been_cancelled_is_put_away_first(daemon: House, demo: Project) -> None:
    item = demo.work("[[sleep 600]]")
    daemon.until_output(f"{item}.1.build.1", "sleep")
    daemon.call(calls.ItemCancel(id=item))
    assert daemon.call(calls.ItemReopen(id=item)).status == "ready"
    types = daemon.types(item)
    assert types.index("item.cancelled") < types.index("work.kept") < types.index("item.reopened")


def test_an_item_whose_agent_is_still_being_ended_is_refused_for_now(daemon: House) -> None:
    project = daemon.project(execution={"grace_seconds": 600})
    item = project.work("[[ignore-term]] [[sleep 600]]")
    daemon.until_output(f"{item}.1.build.1", "sleep")
    daemon.call(calls.ItemCancel(id=item))
    daemon.refused(calls.ItemReopen(id=item), "still_ending", "unavailable")
    assert daemon.stop_at_once() == 0  # without the ten minutes of grace


def test_an_unknown_item_is_refused(daemon: House, demo: Project) -> None:
    daemon.refused(calls.ItemReopen(id="WRK-1"), "item_not_found", "not_found")


def test_repeating_a_reopen_by_token_has_no_second_effect(daemon: House, demo: Project) -> None:
    item = demo.add()
    daemon.call(calls.ItemCancel(id=item))
    first, again = daemon.repeats(calls.ItemReopen(id=item))
    assert (first.status, again.status, again.id) == ("ready", "ready", item)


def test_a_token_of_another_body_is_refused(daemon: House, demo: Project) -> None:
    one, two = demo.add(), demo.add()
    for item in (one, two):
        daemon.call(calls.ItemCancel(id=item))
    daemon.reuses(calls.ItemReopen(id=one), calls.ItemReopen(id=two))
