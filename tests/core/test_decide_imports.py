"""Imports: what entries are called here, what they depend on, where they go on; never twice, and all or nothing."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from golemd.api import calls, views
from golemd.api import events as ev
from golemd.api.faults import Conflict, Internal
from golemd.api.model import Assessments, Brief, EndedItem, Past, Status
from golemd.core.configuration import digest
from golemd.core.decide.imports import MAX_LISTED
from golemd.core.imports.entries import Backlog, Entry, marked
from golemd.core.keys import Problem
from golemd.core.prompt import prompt_for
from tests.core.world import World, config

THEN: Final = "2026-01-01T00:00:00.000000Z"
LATER: Final = "2026-02-01T00:00:00.000000Z"


def entry(key: str, **fields: Any) -> Entry:
    good = {
        "file": "tasks.jsonl",
        "line": 2,
        "title": key,
        "status": Status.READY,
        "created_at": THEN,
        "updated_at": LATER,
    }
    return Entry(key=key, **{**good, **fields})


def world(**settings: Any) -> World:
    made = World()
    made.project(config(pre=("scope",), phases=("build", "ship"), **settings))
    return made


def bring(world: World, *entries: Entry, warnings: tuple[Problem, ...] = (), **call: Any) -> views.Imported:
    """Import, and what is answered."""
    backlog = marked(Backlog(entries, warnings=warnings))
    given = {"format": "tg", "path": "/store", **call}
    answer = world.ask(calls.Import(**given), backlog=backlog).answer
    assert isinstance(answer, views.Imported)
    return answer


# --- items ---------------------------------------------------------------------------------------------------------


def test_an_entry_becomes_an_item_with_all_that_it_says() -> None:
    here = world()
    said = entry(
        "tg-3fa21",
        title="Add it",
        description="words",
        brief=Brief("c"),
        priority=5,
        labels=("a",),
        pipeline="other",
        base="release",
        vars={"x": "1"},
        assessments=Assessments(size="large"),
        approved=Assessments(size="large"),
        origin="tg-00000/build",
        depth=1,
        history=(Past(THEN, "made"),),
        extra={"x-y": "[1]"},
        paused=True,
    )
    answer = bring(here, said)
    assert answer == views.Imported(project="demo", added={"ready": 1})
    item = here.item("tg-3fa21")
    assert (item.title, item.description, item.brief, item.priority) == ("Add it", "words", Brief("c"), 5)
    assert (item.labels, item.pipeline, item.base, item.vars) == (("a",), "other", "release", {"x": "1"})
    assert (item.assessments, item.approved) == (said.assessments, said.approved)
    assert (item.origin, item.depth, item.extra, item.is_held) == ("tg-00000/build", 1, {"x-y": "[1]"}, True)
    assert (item.created_at, item.updated_at, item.source) == (THEN, LATER, "")
    added = here.records[-1].data
    assert isinstance(added, ev.ItemAdded)
    assert (added.history, added.actor.user) == (said.history, "alice")


def test_items_are_made_in_the_order_of_their_first_creation() -> None:
    here = world()
    bring(here, entry("b", created_at=LATER), entry("x", created_at=""), entry("a"))
    assert [record.item for record in here.records if record.type == "item.added"] == ["a", "b", "x"]
    assert here.item("x").created_at == here.records[-1].ts


@pytest.mark.parametrize(
    ("fields", "status", "resolution"),
    [
        ({"status": Status.DONE, "resolution": "completed"}, "done", "completed"),
        ({"status": Status.CANCELLED, "resolution": "cancelled"}, "cancelled", "cancelled"),
        ({"status": Status.CANCELLED, "resolution": "cancelled", "duplicate_of": "b"}, "cancelled", "duplicate of b"),
    ],
)
def test_what_has_ended_is_one_row(fields: dict[str, Any], status: str, resolution: str) -> None:
    here = world()
    bring(here, entry("a", summary="did it", **fields))
    row = here.state.ended["a"]
    assert isinstance(row, EndedItem)
    assert (row.status, row.resolution, row.updated_at, row.summary) == (status, resolution, LATER, "did it")


def test_new_items_begin_where_those_begin_that_are_added_here() -> None:
    triaged, routed = World(), world()
    settings = config(pre=("scope",))
    triaged.project(replace(settings, triage=replace(settings.triage, enabled=True)))
    for here, small, other in ((triaged, "new", "new"), (routed, "ready", "scoping")):
        bring(here, entry("a", status=Status.NEW, assessments=Assessments("small")), entry("b", status=Status.NEW))
        assert (here.status("a"), here.status("b")) == (small, other)


def test_a_done_dependency_is_met_at_once() -> None:
    here = world()
    bring(here, entry("b", dependencies=("a",)), entry("a", status=Status.DONE, resolution="completed"))
    here.go()
    assert here.status("b") == "done"


# --- where it goes on ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "begin", "first", "passed"),
    [
        (Status.IN_PROGRESS, "ship", "ship", ["scope", "build"]),
        (Status.IN_PROGRESS, "", "build", ["scope"]),
        (Status.SCOPING, "scope", "scope", []),
    ],
)
def test_a_run_begins_at_the_phase_that_was_reached(status: Status, begin: str, first: str, passed: list[str]) -> None:
    here = world()
    here.held = {"scope", "build", "ship"}
    assert bring(here, entry("a", status=status, phase=begin)).warnings == ()
    here.go()
    assert here.run("a").phase.name == first
    skipped = [record.data for record in here.records if isinstance(record.data, ev.PhaseSkipped)]
    assert [event.phase for event in skipped] == passed
    assert {event.reason for event in skipped} <= {"it was done before the item came here", "the item needs no scoping"}
    assert here.item("a").begin == ""


@pytest.mark.parametrize(
    ("status", "was"), [(Status.IN_PROGRESS, "design"), (Status.IN_PROGRESS, "scope"), (Status.SCOPING, "build")]
)
def test_a_phase_that_is_not_ahead_begins_anew_and_is_said(status: Status, was: str) -> None:
    here = world()
    (warning,) = bring(here, entry("a", status=status, phase=was)).warnings
    shown = str(status).replace("_", " ")
    assert (
        warning == f"tasks.jsonl:2: a was {shown} in {was}, which feature does not have: it begins with the first phase"
    )
    assert (here.item("a").begin, here.item("a").extra) == ("", {"phase": f'"{was}"'})


def test_a_phase_of_a_pipeline_that_is_not_known_is_looked_for_when_a_human_has_named_one() -> None:
    here = world()
    here.held = {"build", "ship"}
    assert bring(here, entry("a", status=Status.IN_PROGRESS, phase="ship", pipeline="other")).warnings == ()
    here.go()
    here.decide("a", "answer", "feature")
    here.settle()
    assert here.run("a").phase.name == "ship"


def test_a_phase_that_the_configuration_has_lost_since_begins_anew() -> None:
    here = world()
    bring(here, entry("a", status=Status.IN_PROGRESS, phase="ship"))
    here.configure(config(phases=("build", "deploy")))
    here.held = {"build"}
    here.go()
    assert here.run("a").phase.name == "build"


@pytest.mark.parametrize(("to", "phase"), [("", "check"), ("build", "build"), ("check", "check")])
def test_an_item_is_advanced_from_the_phase_that_was_reached(to: str, phase: str) -> None:
    here = World()
    here.project(config(phases=("build", "ship", "check")))
    here.held = {"build", "ship", "check"}
    bring(here, entry("a", status=Status.IN_PROGRESS, phase="ship"))
    assert here.ask(calls.ItemAdvance(id="a", to="ship")).note == "a is at ship already"
    here.ask(calls.ItemAdvance(id="a", to=to))
    here.go()
    assert here.run("a").phase.name == phase


def test_an_item_that_asks_is_advanced_and_asks_no_more() -> None:
    here = world()
    bring(here, entry("a", status=Status.BLOCKED, came_from=Status.IN_PROGRESS, phase="build", questions=("?",)))
    here.ask(calls.ItemAdvance(id="a"))
    assert (here.status("a"), here.run("a").phase.name) == ("in_progress", "ship")


def test_a_reopened_item_begins_at_the_beginning_and_keeps_what_it_had() -> None:
    here = world()
    bring(here, entry("a", status=Status.DONE, resolution="completed", extra={"x": "1"}, brief=Brief("c")))
    here.reopen("a")
    assert (here.item("a").extra, here.item("a").brief, here.item("a").status) == ({"x": "1"}, Brief("c"), "scoping")


# --- what asks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("came_from", [Status.NEW, Status.SCOPING, Status.READY, Status.IN_PROGRESS])
def test_what_was_blocked_asks_and_goes_on_where_it_came_from(came_from: Status) -> None:
    here = world()
    here.held = {"scope", "build", "ship"}
    bring(here, entry("a", status=Status.BLOCKED, came_from=came_from, questions=("which?",)))
    gate = here.gate("a")
    assert (gate.id, gate.kind, gate.question, gate.run, gate.opened_at) == ("a.g1", "question", "which?", "", LATER)
    assert gate.notified == "sent"
    assert (here.item("a").status, here.item("a").updated_at) == ("blocked", LATER)
    here.go()
    assert here.running() == []
    here.decide("a", "answer", "the first")
    assert here.status("a") == ("scoping" if came_from is Status.NEW else came_from)
    here.settle()
    assert "## A human was asked\n\nwhich?\n\nThe answer: the first" in prompt_for(here.state, here.run("a"), 1)


def test_an_answer_is_in_the_prompt_of_triage_too() -> None:
    here, settings = World(), config()
    here.project(replace(settings, triage=replace(settings.triage, enabled=True)))
    here.held = {"triage"}
    bring(here, entry("a", status=Status.BLOCKED, questions=("which?",)))
    here.decide("a", "answer", "the first")
    here.go()
    assert "The answer: the first" in prompt_for(here.state, here.run("a"), 1)


def test_several_questions_are_asked_at_once_and_all_must_be_answered() -> None:
    here = world()
    bring(here, entry("a", status=Status.BLOCKED, questions=("one?", "two?")))
    here.decide("a.g1", "answer", "1")
    assert here.status("a") == "blocked"
    here.decide("a.g2", "answer", "2")
    assert here.status("a") == "scoping"


def test_what_asks_can_be_aborted_and_cancelled() -> None:
    here = world()
    bring(here, *(entry(key, status=Status.BLOCKED, questions=("?",)) for key in "ab"))
    here.decide("a", "abort")
    here.ask(calls.ItemCancel(id="b"))
    assert (here.state.ended["a"].resolution, here.state.ended["b"].resolution) == ("aborted", "cancelled")


# --- names ---------------------------------------------------------------------------------------------------------


def test_ids_are_kept_where_they_are_ids_and_free() -> None:
    here = world()
    here.add()  # DEMO-1
    answer = bring(
        here,
        entry("tg-9k2mz"),
        entry("no id!", dependencies=("tg-9k2mz", "DEMO-1")),
        entry("DEMO-1", origin="no id!/build"),
        entry("x" * 65, origin="inbox"),
    )
    assert answer.renamed == {"no id!": "DEMO-2", "DEMO-1": "DEMO-3", "x" * 65: "DEMO-4"}
    assert here.item("DEMO-2").dependencies == ("tg-9k2mz", "DEMO-3")
    assert (here.item("DEMO-3").origin, here.item("DEMO-4").origin) == ("DEMO-2/build", "inbox")
    assert here.item("DEMO-2").source == "no id!"
    assert here.add() == "DEMO-5"


def test_an_id_that_another_project_has_is_not_free() -> None:
    here = world()
    here.project(config("two"))
    bring(here, entry("tg-1"), project="demo")
    assert bring(here, entry("tg-1"), project="two").renamed == {"tg-1": "TWO-1"}


@pytest.mark.parametrize(
    ("keys", "following"),
    [
        (("DEMO-007", "DEMO-41", "tg-99"), "DEMO-42"),
        (("DEMO-3fa21", "DEMO-12345"), "DEMO-1"),
        (("DEMO-1234567890",), "DEMO-1"),
        (("DEMO-1", "DEMO-3"), "DEMO-4"),
    ],
)
def test_numbers_go_on_behind_those_that_are_brought(keys: tuple[str, ...], following: str) -> None:
    here = world()
    bring(here, *map(entry, keys))
    assert here.add() == following


def test_a_number_that_is_taken_is_passed_over() -> None:
    here = world()
    bring(here, entry("DEMO-3fa21"), entry("DEMO-1"))
    assert bring(here, entry("DEMO-5ffff"), entry("DEMO-2"), entry("no id")).renamed == {"no id": "DEMO-3"}


def test_a_new_item_never_gets_the_name_that_something_waits_for() -> None:
    here = world()
    bring(here, entry("DEMO-3", dependencies=("DEMO-8",)), entry("DEMO-5"))
    assert here.add() == "DEMO-9"


def test_a_prefix_of_another_project_is_refused_with_a_proposal() -> None:
    here = world()
    here.project(config("two"))
    before = len(here.records)
    with pytest.raises(Conflict) as refused:
        bring(here, entry("tg-1"), entry("DEMO-9"), project="two")
    assert (refused.value.code, refused.value.data["proposal"]) == ("prefix_taken", "TWO")
    assert "golemctl --project demo import" in refused.value.hint
    assert len(here.records) == before
    answer = bring(here, entry("tg-1"), entry("DEMO-9", dependencies=("tg-1",)), project="two", renumber=True)
    assert answer.renamed == {"tg-1": "TWO-1", "DEMO-9": "TWO-2"}
    assert here.item("TWO-2").dependencies == ("TWO-1",)


# --- dependencies --------------------------------------------------------------------------------------------------


def test_a_dependency_that_is_nowhere_is_kept_and_said() -> None:
    here = world()
    (warning,) = bring(here, entry("a", dependencies=("gone", "not an id", "b")), entry("b")).warnings
    assert warning == "tasks.jsonl:2: a depends on gone, not an id, which is nowhere, and waits for it"
    assert here.item("a").dependencies == ("gone", "b")
    assert here.item("a").extra == {"dependencies": '["gone","not an id","b"]'}
    many = tuple(f"gone{n}" for n in range(8))
    (warning,) = bring(here, entry("c", dependencies=many)).warnings
    assert "gone0, gone1, gone2, gone3, gone4 and 3 more" in warning


def test_a_circle_is_opened_and_said() -> None:
    here = world()
    a, b = entry("a", dependencies=("b",)), entry("b", dependencies=("a",), line=3)
    (warning,) = bring(here, a, b).warnings
    assert warning == "tasks.jsonl:3: b depends on a in a circle; here it does not"
    assert (here.item("a").dependencies, here.item("b").dependencies) == (("b",), ())
    here.go()
    assert (here.status("a"), here.status("b")) == ("done", "done")


def test_a_circle_by_way_of_what_was_imported_before_is_opened() -> None:
    here = world()
    bring(here, entry("a", dependencies=("b",)))
    (warning,) = bring(here, entry("b", dependencies=("a",))).warnings
    assert "b depends on a in a circle" in warning


def test_dependencies_on_what_was_imported_before_follow_its_new_name() -> None:
    here = world()
    bring(here, entry("no id"))
    bring(here, entry("b", dependencies=("no id",)))
    assert here.item("b").dependencies == ("DEMO-1",)


# --- again ---------------------------------------------------------------------------------------------------------


def test_again_means_no_doubles() -> None:
    here = world()
    backlog = [entry("a"), entry("no id", line=3), entry("c", status=Status.DONE, resolution="completed")]
    bring(here, *backlog)
    before = len(here.records)
    assert bring(here, *backlog) == views.Imported(project="demo", added={}, unchanged=3)
    assert len(here.records) == before


def test_what_has_changed_here_stays_and_what_has_changed_there_is_said() -> None:
    here = world()
    bring(here, entry("a"), entry("b"), entry("c"))
    here.ask(calls.ItemEdit(id="a", title="Mine"))
    answer = bring(
        here, entry("a"), entry("b", title="Theirs"), entry("c", history=(Past(THEN, "a note"),)), entry("d")
    )
    assert (answer.added, answer.unchanged, answer.changed) == ({"ready": 1}, 2, ("b",))
    assert (here.item("a").title, here.item("b").title) == ("Mine", "b")


def test_the_same_name_of_another_time_is_another_item() -> None:
    here = world()
    bring(here, entry("tg-1"))
    answer = bring(here, entry("tg-1", created_at=LATER))
    assert answer.renamed == {"tg-1": "DEMO-1"}
    assert bring(here, entry("tg-1", created_at=LATER)).unchanged == 1
    assert bring(here, entry("tg-1")).unchanged == 1


def test_what_has_no_time_is_known_by_its_name() -> None:
    here = world()
    bring(here, entry("inbox: One", created_at=""))
    here.now_us += 1
    assert bring(here, entry("inbox: One", created_at="")).unchanged == 1


def test_items_of_our_own_are_known_again() -> None:
    here = world()
    own = here.add("Mine")
    again = entry(own, created_at=here.item(own).created_at, title="Mine")
    assert bring(here, again).unchanged == 1
    elsewhere = World()
    elsewhere.project(config())
    bring(elsewhere, replace(again, source="first"))
    assert bring(elsewhere, replace(again, source="first")).unchanged == 1
    assert elsewhere.item(own).source == "first"


# --- the answer ----------------------------------------------------------------------------------------------------


def test_a_trial_run_says_what_would_happen_and_does_nothing() -> None:
    here = world()
    before = len(here.records)
    answer = bring(here, entry("no id"), entry("b", status=Status.DONE), dry_run=True)
    assert answer == views.Imported(
        project="demo", added={"ready": 1, "done": 1}, renamed={"no id": "DEMO-1"}, dry_run=True
    )
    assert len(here.records) == before


def test_long_answers_are_cut() -> None:
    here = world()
    many = [entry(f"no id {n:03}", dependencies=("gone",)) for n in range(MAX_LISTED + 5)]
    answer = bring(here, *many, warnings=(Problem("tasks.jsonl", 1, "", "said", level="warning"),))
    assert (len(answer.renamed), len(answer.warnings)) == (MAX_LISTED, MAX_LISTED)
    assert answer.warnings[0] == "tasks.jsonl:1: said"
    assert answer.more_warnings == 7
    changed = bring(here, *(replace(each, title="x") for each in many))
    assert (len(changed.changed), changed.unchanged) == (MAX_LISTED, 0)


def test_without_a_backlog_nothing_is_decided() -> None:
    with pytest.raises(Internal):
        world().ask(calls.Import(format="tg", path="/x"))


def test_an_import_goes_to_the_project_that_is_named() -> None:
    here = world()
    here.project(config("two"))
    assert bring(here, entry("a"), project="two").project == "two"
    assert here.item("a").project == "two"


def test_a_replay_yields_the_same() -> None:
    here = world()
    bring(here, entry("a", status=Status.BLOCKED, questions=("?",)), entry("b", status=Status.DONE), entry("no id"))
    again = here.replay()
    assert (again.items, again.ended, again.gates) == (here.state.items, here.state.ended, here.state.gates)
    assert digest(again.projects) == digest(here.state.projects)
