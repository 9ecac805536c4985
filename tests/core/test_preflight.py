"""What can be told of items and commands before any work begins."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.checks import CheckFinding
from golemd.api.config import Phase, Pipeline
from golemd.core.preflight import first_program, item_findings, ordered
from tests.core.world import World, config


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("make test", "make"),
        ("./run.sh --fast", "./run.sh"),
        ("CI=1 LANG=C pytest -q", "pytest"),
        ("CI=1", ""),
        ("  npm ci  ", "npm"),
        ("cd sub && make", ""),
        ("if true; then make; fi", ""),
        ("[ -e x ] && make", ""),
        ("(make)", ""),
        ("$HOME/bin/check", ""),
        ('"my tool" x', ""),
        ("pytest; make", ""),
        ("~/bin/check", "~/bin/check"),
        ("g++ -o x x.cc", "g++"),
        ("env A=1 make", ""),
        ("", ""),
    ],
)
def test_the_program_that_a_command_begins_with(command: str, program: str) -> None:
    assert first_program(command) == program


def found(world: World, project: str = "demo") -> list[tuple[str, str, str]]:
    return [(each.level, each.where, each.what) for each in item_findings(world.state, project)]


def test_items_that_can_go_on_are_not_told_of() -> None:
    world = World()
    world.project(config())
    first = world.add()
    world.add(dependencies=(first,))
    world.go()
    world.add(dependencies=(first,))
    assert found(world) == []


def test_a_dependency_that_is_never_met_is_told_with_a_way_out() -> None:
    world = World()
    world.project(config())
    gone, kept = world.add(), world.add()
    item = world.add(dependencies=(gone, kept))
    world.ask(calls.ItemCancel(id=gone))
    world.settle()
    (finding,) = item_findings(world.state, "demo")
    assert (finding.level, finding.where, finding.what) == ("warning", item, f"it waits for {gone}, which is cancelled")
    assert finding.hint == f"golemctl reopen {gone}, or: golemctl edit {item} --dep {kept}"


def test_a_dependency_that_does_not_exist_is_told() -> None:
    world = World()
    world.project(config())
    item = world.add()
    world.happen(ev.ItemEdited(dependencies=("OLD-7",)), item)
    (finding,) = item_findings(world.state, "demo")
    assert finding.what == "it waits for OLD-7, which does not exist"
    assert finding.hint == f'golemctl edit {item} --dep ""'


def test_items_that_wait_for_each_other_are_told_once() -> None:
    """decide refuses a ring; an older or an imported backlog may have one."""
    world = World()
    world.project(config())
    items = [world.add() for _ in range(6)]
    for item, waits_for in ((0, (1,)), (1, (2, 3)), (2, (0,)), (3, ()), (4, (4,)), (5, (0, 3))):
        world.happen(ev.ItemEdited(dependencies=tuple(items[each] for each in waits_for)), items[item])
    told = [(where, what) for level, where, what in found(world) if level == "error"]
    assert told == [
        ("DEMO-1", "these items wait for each other: DEMO-1 → DEMO-2 → DEMO-3 → DEMO-1"),
        ("DEMO-5", "these items wait for each other: DEMO-5 → DEMO-5"),
    ]


def test_an_item_whose_pipeline_is_gone_is_told_until_it_has_a_run() -> None:
    world = World()
    quick = Pipeline("quick", (), (Phase("build"),))
    world.project(config(more={"quick": quick}))
    item = world.add(pipeline="quick")
    begun = world.add(pipeline="quick")
    world.start()
    world.calm()
    waiting = world.add(pipeline="quick", dependencies=(begun,))
    world.configure(config())
    assert found(world) == [("error", waiting, "its pipeline quick is not configured any more")]
    assert world.run(item).pipeline == replace(quick, phases=world.run(item).pipeline.phases)


def test_the_worst_comes_first_and_equals_stay_in_their_order() -> None:
    made = [
        CheckFinding(level=level, where=str(n), what="w")
        for n, level in enumerate(["info", "error", "warning", "error"])
    ]
    assert [each.where for each in ordered(made)] == ["1", "3", "2", "0"]
