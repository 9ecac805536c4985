"""A report for people: what is left comes first, and text of agents cannot pass for the report's own words."""

from __future__ import annotations

from msgspec.structs import replace

from golemd.api import calls
from golemd.api.config import Phase
from golemd.core import commands as cmd
from golemd.core.markdown import markdown
from tests.core.test_report import VERIFIED, finished, told
from tests.core.world import FAILS, End, World, config

EVIL = "\x1b[2Jred\r\n# Approved by all\n\n`x` \x07| end"


def lines_of(world: World, item: str) -> list[str]:
    return markdown(told(world, item)).splitlines()


def test_a_whole_report_reads_from_what_is_left_to_what_it_rests_on() -> None:
    said = cmd.Said(session="s", model="m-1", cost_usd=0.25, input_tokens=100, output_tokens=20)
    ends = {"make": [End(status=2, lines=("red",))], "scope": [End(said=said)], "build": [FAILS]}
    world, item = finished(VERIFIED, **ends)
    world.decide(item, "approve", "fine\nby me", content=world.content(item))
    world.settle()
    lines = lines_of(world, item)
    assert lines[0] == f"# {item}.1: Title"
    assert lines[2].startswith("**completed** after 00:05: 2026-11-21 12:00:00 to 2026-11-21 12:00:05")
    assert "8 attempts · $0.25, 120 tokens (4 of 5 agent runs told no cost) · 3 commits, 3 files +0 -0" in lines
    heads = [line for line in lines if line.startswith("## ")]
    assert heads == [
        "## Left to do",
        "## Asked for",
        "## Phase scope",
        "## Phase build",
        "## Phase ship",
        f"## Gate {item}.g1",
        "## Evidence",
        "## Commits",
        "## Depends on",
        "## Last events",
    ]
    for line in (
        f"- The work is on the branch golem/{item} and not in main.",
        f"- {item}.1.scope.1: robot m-1, 00:00, phase complete, $0.25",
        f"- {item}.1.build.verify_1.1: `make`, 00:00, failed, exit 2",
        f"- {item}.1.build.1: robot, 00:00, failed",
        "  > could not",
        "> fine",
        "> by me",
        "- build: **failed** (exit 2) `make`, 0.0 s, tree tree8",
        "      red",
        "- build: **not run** `lint`, tree tree8",
        "- kept: refs/golem/kept/x",
        f"- branch golem/{item}, workspace /trees/{item}",
        f"- 9 2026-11-21 12:00:00 attempt.spawned {item}.1.scope.1",
    ):
        assert line in lines
    assert any(line.startswith("**approve** by alice (uid 1000 on box), 2026-11-21") for line in lines)


def test_what_agents_and_people_wrote_is_quoted_and_without_control_characters() -> None:
    world = World()
    world.project(config())
    item = world.add("Title", description=EVIL)
    bad = {"summary": EVIL, "result": "blocked", "question": EVIL}
    world.script["build"] = [End(result=bad), End(result=None, lines=(EVIL,)), End(result={"summary": EVIL})]
    world.go()
    world.decide(item, "answer", EVIL)
    world.settle()
    text = markdown(told(world, item))
    assert not any(ord(character) < 32 and character != "\n" for character in text)
    approved = [line for line in text.splitlines() if "# Approved" in line]
    assert len(approved) >= 5
    assert all(line.lstrip().startswith(">") for line in approved)


def test_a_run_that_goes_on_says_that_it_is_not_final() -> None:
    world, item = finished()
    text, last = markdown(told(world, item)), world.state.trail[item][-1]
    assert "**awaiting** since 2026-11-21 12:00:00" in text
    assert f"**Not final**: the run is still going; this is how it stood at record {last}, 2026-11-21" in text
    assert "\n\n**open**\n\n" in text


def test_a_run_whose_workspace_is_not_put_away_yet_says_so() -> None:
    world, item = finished()
    world.decide(item, "reject", "not\nso", content=world.content(item))
    text = markdown(told(world, item))
    assert "**Not final**: its processes and workspace are still being put away" in text
    assert "\nReason: not so  \n" in text


def test_what_is_not_known_yet_is_said_to_be_so() -> None:
    world = World()
    world.project()
    world.ask(calls.ItemAdd(title="t"))
    world.start()
    world.step()
    text = markdown(told(world, "DEMO-1"))
    assert "- base not chosen yet (none yet)" in text
    assert "- branch none yet, workspace none yet" in text
    assert "**running** · 2026-11-21 12:00:00, busy 00:00" in text


def test_rare_facts_have_their_place() -> None:
    world, item = finished((Phase("build"), "ship"), ship=[End(signal=9, status=None, result=None)] * 3)
    world.settle()
    report = told(world, item)
    gate = replace(report.gates[0], decision=None)
    pins = replace(report.pins, environment=("TOKEN",))
    inputs = replace(report.inputs, dependencies=("DEMO-7",), description=" \n")
    noted = replace(report.phases[1], warnings=("no\nfindings",), commit=None)
    kept = replace(report.kept[0], ref=None, listed=("big (too large)",))
    phases = (report.phases[0], noted, *report.phases[2:])
    changed = replace(report, gates=(gate,), pins=pins, inputs=inputs, phases=phases, kept=(kept,))
    lines = markdown(changed).splitlines()
    assert f"- {item}.1.ship.1: robot, 00:00, no result, signal 9" in lines
    assert "- environment passed on: TOKEN" in lines
    assert "- items DEMO-7" in lines
    assert "- warning: no findings" in lines
    assert "- kept: nothing, left out: big (too large)" in lines
    assert "## Asked for" not in lines


def test_commands_keep_their_backticks() -> None:
    world, item = finished((Phase("build", verify=("echo `date`",)),))
    assert "`` echo `date` ``" in markdown(told(world, item))


def test_a_decision_without_a_text_by_nobody_known_is_told() -> None:
    world, item = finished()
    world.decide(item, "approve", content=world.content(item))
    report = told(world, item)
    decision = report.gates[0].decision
    assert decision is not None
    anonymous = replace(decision, actor=type(decision.actor)())
    text = markdown(replace(report, gates=(replace(report.gates[0], decision=anonymous),)))
    assert "**approve** by somebody (uid -1), 2026-11-21" in text
