"""Exports: complete lines, and what is taken in from them is the same again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.model import EndedItem, Item
from golemd.core import exports
from golemd.core.imports import own, read_export, read_store
from golemd.core.imports.entries import Backlog
from tests.core.imports.stores import STORES
from tests.core.world import FAILS, End, World, config, phase


def lines(world: World) -> list[str]:
    """The export of a world's only project, as the engine makes it."""
    (project,) = world.state.projects.values()
    items: list[Item | EndedItem] = [*world.state.items.values(), *world.state.ended.values()]
    made = [exports.header(project, "2026-11-21T12:00:00Z", "1.2.3")]
    for item in sorted(items, key=lambda item: item.order):
        first = world.records[item.order - 1].data
        assert isinstance(first, ev.ItemAdded)
        past = world.state if isinstance(item, Item) else world.partial(item.id)
        made.append(exports.line(past, past.items[item.id], first.history))
    return made


def told(world: World, item: str) -> dict[str, Any]:
    found = (json.loads(line) for line in lines(world)[1:])
    return next(line for line in found if line["id"] == item)


def bring(world: World, backlog: Backlog) -> None:
    assert backlog.problems == ()
    world.ask(calls.Import(format="jsonl", path="/x"), backlog=backlog)


def fresh() -> World:
    world = World()
    world.project(config(pre=("research",), phases=("prd", "design", "build", "review")))
    return world


def test_an_export_begins_with_what_it_is() -> None:
    (header,) = lines(fresh())
    assert json.loads(header) == {
        "format": "golemd",
        "version": 1,
        "project": "demo",
        "prefix": "DEMO",
        "exported_at": "2026-11-21T12:00:00Z",
        "golemd": "1.2.3",
    }


def test_a_line_has_every_key_that_is_read() -> None:
    world = fresh()
    line = told(world, world.add("T", description="d", labels=("l",), priority=2, vars={"a": "1"}, base="main"))
    assert set(line) == {*own.KEYS, own.EXTRA}
    assert (line["title"], line["description"], line["labels"], line["priority"]) == ("T", "d", ["l"], 2)
    assert (line["status"], line["vars"], line["base"], line["resolution"]) == ("scoping", {"a": "1"}, "main", None)


def test_what_runs_did_is_history() -> None:
    world = World()
    world.project(config(phases=(phase("build", max_retries=0), "ship")))
    done, failed = world.add(), world.add()
    world.script = {"build": [End(result={"summary": "made it"}), FAILS]}
    world.go()
    history = told(world, done)["history"]
    assert [note["text"].partition(" (")[0] for note in history] == [
        "DEMO-1.1.build completed",
        "DEMO-1.1.ship completed",
    ]
    assert history[0]["text"].endswith(": made it")
    line = told(world, failed)
    assert (line["status"], line["came_from"], line["phase"]) == ("blocked", "in_progress", "build")
    assert [gate["kind"] for gate in line["gates"]] == ["failure"]
    world.decide(failed, "abort")
    assert told(world, failed)["gates"] == []


def test_a_commit_is_named_in_history_by_seven_characters() -> None:
    world = World()
    world.project(config(phases=("build", "ship")))
    item = world.add()
    world.held = {"ship"}
    world.go()
    run = world.run(item)
    built = replace(run.phases[0], commit="8c1d0e2" + "0" * 33, summary="made it")
    world.state.runs[run.id] = replace(run, phases=(built, run.phases[1]))
    assert [note["text"] for note in told(world, item)["history"]] == ["DEMO-1.1.build completed (8c1d0e2): made it"]


@pytest.mark.parametrize("version", STORES)
def test_what_is_exported_and_imported_is_the_same(version: str) -> None:
    one, other = fresh(), fresh()
    bring(one, read_store(STORES[version](100, 500)[1]))
    written = lines(one)
    bring(other, read_export("\n".join(written).encode(), "backlog.jsonl"))
    assert lines(other) == written


def test_what_was_worked_on_here_is_the_same_elsewhere_but_for_what_its_gates_are_about() -> None:
    one, other = World(), World()
    for world in (one, other):
        world.project(config(pre=("scope",), phases=(phase("build", gate=("approval",)), "ship")))
    a, b, c, d = (one.add(title) for title in "abcd")
    one.ask(calls.ItemEdit(id=b, size="small", dependencies=(a,)))
    one.ask(calls.ItemCancel(id=c, reason="no"))
    one.ask(calls.Pause(id=d))
    one.go()
    one.decide(a, "approve", content=one.content(a))
    one.settle()
    written = lines(one)
    bring(other, read_export("\n".join(written).encode(), "backlog.jsonl"))
    again = [json.loads(line) for line in lines(other)]
    expected = [json.loads(line) for line in written]
    for line in (*again, *expected):
        line.pop("gates", None)
    assert again == expected
    assert {line["status"] for line in again[1:]} >= {"done", "cancelled", "blocked"}


def test_history_from_elsewhere_comes_before_that_of_here() -> None:
    world = World()
    world.project(config())
    line = json.dumps(
        {"id": "a", "title": "t", "status": "ready", "created_at": "2026-01-01", "updated_at": "2026-01-01"}
    )
    note = '"history": [{"at": "2026-01-01", "text": "made there", "by": "me"}]'
    bring(world, read_export(f'{{"format":"golemd","version":1}}\n{line[:-1]}, {note}}}'.encode(), "backlog.jsonl"))
    world.go()
    first, second = told(world, "a")["history"]
    assert first == {"at": "2026-01-01T00:00:00.000000Z", "text": "made there", "by": "me"}
    assert second["text"].startswith("a.1.build completed")
