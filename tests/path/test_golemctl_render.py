"""What golemctl shows: views → lines. No daemon; width, colour and the moment are given."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from golemctl.app import Usage
from golemctl.output import fault_lines
from golemctl.render import text
from golemctl.render.check import check_lines
from golemctl.render.gates import (
    answer_command,
    decided_lines,
    gate_detail_lines,
    gates_lines,
    no_gates_lines,
    waiting_lines,
)
from golemctl.render.item import changed_lines, paused_lines, resumed_lines, show_lines, why_lines
from golemctl.render.others import (
    imported_lines,
    pong_lines,
    problem_lines,
    ready_lines,
    reload_lines,
    shutdown_lines,
    started_lines,
    stopped_lines,
    verify_lines,
)
from golemctl.render.status import ENDED, projects_lines, short_why, status_lines
from golemctl.render.text import Look
from golemd.api import model, views
from golemd.api.checks import CheckFinding, CheckView
from golemd.api.faults import Conflict
from golemd.api.model import Actor, Evidence, GateKind, Past, Status
from tests.path.golemctl_sample import (
    BUSY,
    COLOUR,
    DISPATCH,
    EVIL,
    LOOK,
    NOW,
    TREE,
    assert_fits,
    attempt,
    detail,
    gate,
    gate_fields,
    item,
    project,
    stamp,
    status,
)

pytestmark = pytest.mark.usefixtures("utc")


# --- status ------------------------------------------------------------------------------------------------------


def test_a_status_shows_what_waits_for_a_human_first_and_then_what_runs() -> None:
    lines = status_lines(BUSY, LOOK)
    assert_fits(lines)
    shown = "\n".join(lines)
    assert lines[0] == "demo  ~/src/demo   running · 1 of 3 slots · 14 of 100 phases"
    assert [shown.index(each) for each in ("WRK-5", "WRK-4", "WRK-8", "WRK-9")] == sorted(
        shown.index(each) for each in ("WRK-5", "WRK-4", "WRK-8", "WRK-9")
    )
    assert "! WRK-5  blocked" in shown
    assert "06:12" in shown
    assert "now testing" in shown
    assert "3 of 3 items are in progress (max_wip)" in shown
    assert "question: Keep the old column" in shown
    assert "12 done, 1 cancelled  (golemctl status --all)" in shown
    assert lines[-1] == '! One thing waits for you:  golemctl unblock WRK-5 --answer "…"'


def test_what_several_items_wait_for_is_told_once_and_whole() -> None:
    why = "nothing is dispatched in demo (it ended: all done or blocked); golemctl run starts it"
    waiting = [item(f"WRK-{n}", status="ready", why=f"WRK-{n} is ready but does not run: {why}.") for n in (1, 2, 3)]
    alone = item("WRK-4", status="ready", why="WRK-4 is ready but does not run: WRK-9 is not done.")
    busy = [item(f"WRK-{n}", status="in_progress", run=f"WRK-{n}.1") for n in (5, 6)]
    tails = tuple(attempt(id=f"{each.id}.1.build.1", item=each.id, tail=("working",)) for each in busy)
    lines = status_lines(status(items=(*waiting, alone, *busy), attempts=tails), LOOK)
    assert sum(line.endswith("working") for line in lines) == 2, "what runs tells for itself"
    assert sum("nothing is dispatched" in line for line in lines) == 1
    text = " ".join(line.strip() for line in lines)
    assert f"3 of them: {why}" in text
    assert any(line.endswith("WRK-9 is not done") for line in lines)
    assert_fits(lines)


def test_what_was_cancelled_shows_why_and_says_its_status_once() -> None:
    ended = [
        item("WRK-1", status="cancelled", resolution="cancelled", reason="not needed\nafter all"),
        item("WRK-2", status="cancelled", resolution="cancelled"),
        item("WRK-3", status="cancelled", resolution="rejected"),
    ]
    lines = [line.split() for line in status_lines(status(items=tuple(ended)), LOOK) if "WRK-" in line]
    assert [line[1:] for line in lines] == [
        ["cancelled", "A", "title", "not", "needed"],
        ["cancelled", "A", "title"],
        ["cancelled", "A", "title", "rejected"],
    ]


def test_a_past_status_says_so_first_measures_from_there_and_names_no_commands() -> None:
    past = replace(BUSY, daemon=replace(BUSY.daemon, seq=7, at=stamp(300)))
    first, _, *rest = status_lines(past, replace(LOOK, now=NOW + 9999))
    assert first == f"As it was at {text.moment(stamp(300))}, after record 7 of 9."
    assert rest == status_lines(BUSY, replace(LOOK, now=NOW - 300))[:-2]
    assert "01:12" in "\n".join(rest)
    empty = replace(past, projects=(project(counts={}),), items=(), gates=(), attempts=())
    assert status_lines(empty, LOOK)[-1] == "  Nothing in the backlog."


def test_colour_is_used_for_what_waits_only_and_never_alone() -> None:
    coloured = [line for line in status_lines(BUSY, COLOUR) if "\x1b" in line]
    assert len(coloured) == 2
    assert all("! " in line.replace(text._PLAIN, "") for line in coloured)
    assert not any("\x1b" in line for line in status_lines(BUSY, LOOK))


def test_on_a_wide_terminal_the_reason_stands_beside_the_title() -> None:
    beside = [line for line in status_lines(BUSY, Look(160, now=NOW)) if "Rename the flag" in line]
    assert "max_wip" in beside[0]


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_hostile_text_neither_breaks_a_status_nor_passes_through_it(columns: int) -> None:
    items = tuple(
        item(f"WRK-{n}", title=EVIL, status=each, why=EVIL, gate="WRK-5.g1", phase="build")
        for n, each in enumerate(Status)
    )
    view = status(
        items=items,
        gates=(gate(question=EVIL),),
        attempts=(attempt(item="WRK-3", tail=(EVIL,)),),
        projects=(project(root="/home/me/" + "d" * 200),),
    )
    assert_fits(status_lines(view, Look(columns, now=NOW), everything=True), columns)


def test_every_status_has_its_words_and_ended_items_come_last() -> None:
    items = tuple(item(f"WRK-{n}", status=each, resolution="rejected") for n, each in enumerate(Status))
    lines = status_lines(status(items=items), LOOK, everything=True)
    assert_fits(lines)
    shown = [line.split()[0].lstrip("!") or line.split()[1] for line in lines if "WRK-" in line]
    assert shown[0] == "WRK-4"
    assert shown[-2:] == ["WRK-5", "WRK-6"]
    assert "in progress" in "\n".join(lines)
    assert "rejected" in "\n".join(lines)


def test_paused_is_not_blocked_and_a_paused_item_that_is_blocked_says_both() -> None:
    held = item("WRK-4", status="in_progress", paused=True, why="WRK-4 is in progress but does not run: it is paused.")
    waits = item("WRK-5", status="blocked", paused=True, gate="WRK-5.g1", gates=("WRK-5.g1",))
    lines = status_lines(status(items=(held, waits), gates=(gate(),)), LOOK)
    assert_fits(lines)
    shown = "\n".join(lines)
    assert "! WRK-5  blocked" in shown
    assert "paused; question: Keep the old column" in shown
    assert "  WRK-4  paused" in shown
    assert "in progress; golemctl resume WRK-4" in shown


@pytest.mark.parametrize(
    ("today", "limit", "shown"),
    [
        (0.0, 0.0, ""),
        (3.214, 0.0, " · $3.21 today"),
        (3.2, 50.0, " · $3.20 of $50.00 today"),
        (0.0, 5.0, " · $0.00 of $5.00 today"),
    ],
)
def test_a_project_says_what_it_has_spent_today(today: float, limit: float, shown: str) -> None:
    line = status_lines(status(projects=(project(today_usd=today, day_usd=limit),)), LOOK)[0]
    assert line == f"demo  ~/src/demo   running · 14 of 100 phases{shown}"


@pytest.mark.parametrize(
    ("costs", "shown"),
    [
        ({}, None),
        ({"spent_usd": 1.5}, "spent $1.50"),
        ({"budget_usd": 5.0}, "spent $0.00 of $5.00"),
        ({"spent_usd": 1.5, "budget_usd": 5.0, "spent_tokens": 12345}, "spent $1.50 of $5.00 · 12,345 tokens"),
        ({"budget_tokens": 20_000}, "spent 0 of 20,000 tokens"),
    ],
)
def test_an_item_says_what_was_spent_on_it(costs: dict[str, Any], shown: str | None) -> None:
    lines = show_lines(detail(**costs), LOOK)
    assert_fits(lines)
    assert [line for line in lines if line.startswith("spent ")] == ([shown] if shown else [])


def test_phases_attempts_and_gates_say_what_they_have_cost() -> None:
    build = views.PhaseView(
        id="r.build", run="r", name="build", state="completed", attempts=1, spent_usd=0.4, budget_usd=2.0
    )
    run = views.RunView(id="r", state="executing", pipeline="f", phases=(build,))
    shown = "\n".join(show_lines(detail(runs=(run,), attempts=(attempt(cost_usd=0.4),)), LOOK))
    assert "build  completed  1 attempt  $0.40 of $2.00" in shown
    assert "06:12  $0.40  spawned" in shown
    told = gate_detail_lines(views.GateDetail(**gate_fields("budget"), cost_usd=1.25), LOOK)
    assert "WRK-5 has cost $1.25 so far." in told


def test_empty_states_say_what_to_do_next() -> None:
    assert "golemctl init" in status_lines(status(projects=()), LOOK)[-1]
    nothing = status(projects=(project(counts={}, dispatch=views.DispatchView(state="halted", cap=0, used=0)),))
    lines = status_lines(nothing, LOOK)
    assert lines[0] == "demo  ~/src/demo   not running"
    assert "golemctl add" in lines[-1]
    assert no_gates_lines((), (), LOOK) == ["Nothing waits for you."]
    assert "golemctl init" in projects_lines((), LOOK)[0]


def test_a_daemon_in_trouble_says_so_first() -> None:
    daemon = views.DaemonView(
        version="1", pid=1, uptime_s=1, seq=9, durable_seq=9, state_dir="/", degraded="the disk is full", stopping=True
    )
    lines = status_lines(status(daemon=daemon), LOOK)
    assert lines[0] == "! golemd: the disk is full"
    assert "stopping" in lines[1]


def test_an_account_that_is_used_up_for_now_is_said_to_be() -> None:
    parked = views.ProviderView(name="claude", state="parked", until=stamp(-3600))
    lines = status_lines(status(providers=(parked, views.ProviderView(name="codex", state="available", used=1))), LOOK)
    assert lines[0] == "claude is parked until 2027-01-15 09:00:00; golemctl reload tries it now."
    assert "codex" not in "\n".join(lines)
    past = status(providers=(parked,), daemon=replace(BUSY.daemon, at=stamp(0)))
    assert status_lines(past, LOOK)[1] == "claude is parked until 2027-01-15 09:00:00."
    evil = views.ProviderView(name=EVIL, state="parked", until=EVIL)
    assert_fits(status_lines(status(providers=(evil,)), LOOK))


def test_several_things_that_wait_are_listed_one_by_one() -> None:
    gates = (gate(), gate("approval", id="WRK-6.g1", item="WRK-6"), gate("approval", id="WRK-6.g2", item="WRK-6"))
    lines = status_lines(status(gates=gates), LOOK)
    assert lines[-4:] == [
        "! 3 things wait for you:",
        '    golemctl unblock WRK-5 --answer "…"',
        "    golemctl approve WRK-6.g1",
        "    golemctl approve WRK-6.g2",
    ]


def test_a_reason_is_shown_without_what_its_row_says_already() -> None:
    assert short_why("WRK-9", "WRK-9 is ready but does not run: it is next in line.") == "it is next in line"
    assert short_why("WRK-9", "Something else: entirely") == "Something else: entirely"
    assert short_why("WRK-9", None) == ""


def test_the_daemons_moments_are_shown_as_local_ones() -> None:
    at = "2027-01-15T08:00:00.828610Z"
    fault = Conflict("gate_not_open", f"WRK-5.g1 was decided already: answer, by me at {at}.", "golemctl show WRK-5")
    assert fault_lines(fault)[0] == (
        "golemctl: WRK-5.g1 was decided already: answer, by me at 2027-01-15 08:00:00. (gate_not_open)"
    )
    waits = "claude is parked until 2027-01-15T08:00:00Z: no more."
    assert short_why("WRK-9", f"WRK-9 is ready but does not run: {waits}").startswith(
        "claude is parked until 2027-01-15 08"
    )
    view = views.WhyView(id="WRK-9", status="ready", why=waits, next=f"Again at {at}.")
    assert why_lines(view, LOOK) == [
        "claude is parked until 2027-01-15 08:00:00: no more.",
        "Again at 2027-01-15 08:00:00.",
    ]


def test_the_moments_of_golemctls_own_texts_stay_as_they_are() -> None:
    fault = Usage("not_a_moment", "'2027-01-15T08:00:00Zx' is no time.", "Such as 2027-01-15T08:00:00Z.")
    assert fault_lines(fault, own=True) == [
        "golemctl: '2027-01-15T08:00:00Zx' is no time. (not_a_moment)",
        "          Such as 2027-01-15T08:00:00Z.",
    ]


def test_a_worktree_is_named_as_long_as_its_run_goes_on() -> None:
    (run,) = detail().runs
    named = [
        any("www" in line for line in show_lines(detail(runs=(each,)), LOOK))
        for each in (run, replace(run, ended_at=stamp(0)))
    ]
    assert named == [True, False]


def test_projects_are_listed_with_their_items() -> None:
    halted = views.DispatchView(state="halted", cap=100, used=3, halt_reason="all_done_or_blocked")
    lines = projects_lines((project(dispatch=halted),), LOOK)
    assert lines == ["demo  ~/src/demo   halted: all done or blocked", "  WRK: 1 blocked, 12 done, 1 cancelled"]


# --- gates -------------------------------------------------------------------------------------------------------


ANSWERS = {
    "approval": "golemctl approve WRK-5",
    "question": 'golemctl unblock WRK-5 --answer "…"',
    "guardrail": "golemctl approve WRK-5",
    "failure": "golemctl unblock WRK-5",
    "budget": "golemctl decide WRK-5 raise -m AMOUNT",
    "staleness": "golemctl decide WRK-5.g1 proceed",
    "duplicate": "golemctl decide WRK-5.g1 proceed",  # as everything without a default: by its first option
}


@pytest.mark.parametrize(("kind", "command"), ANSWERS.items())
def test_every_kind_of_gate_names_the_command_that_answers_it(kind: str, command: str) -> None:
    assert answer_command(gate(kind), alone=True) == command
    for lines in (gates_lines((gate(kind),), LOOK), waiting_lines((gate(kind, question=EVIL),), LOOK)):
        assert_fits(lines)
        assert any(command in line for line in lines)


def test_the_kinds_above_are_all_there_are() -> None:
    assert {str(kind) for kind in GateKind} == set(ANSWERS)


def test_a_question_too_long_for_one_line_leaves_its_command_whole() -> None:
    lines = waiting_lines((gate(question="why " * 40),), LOOK)
    assert_fits(lines)
    assert "".join(lines).count("why") == 40
    assert lines[-1] == '    golemctl unblock WRK-5 --answer "…"'


def test_a_gate_to_be_approved_shows_the_exact_tree_what_was_checked_what_is_claimed_and_what_happens() -> None:
    checked = Evidence("WRK-5.1.build.verify_1.1", "pytest -q", "passed", 0, 12.34, TREE)
    failed = Evidence("WRK-5.1.build.verify_1.2", "ruff check", "failed", 1, 0.5, TREE, lines=("E501 " + EVIL,))
    detail = views.GateDetail(
        **gate_fields("approval"),
        title=EVIL,
        holds_up=("WRK-6", "WRK-7"),
        summary="I did it.\n" + EVIL,
        diffstat=" a.txt | 2 +-",
        evidence=(checked, failed),
    )
    lines = gate_detail_lines(detail, LOOK)
    assert_fits(lines)
    shown = "\n".join(lines)
    for part in (
        "About exactly: tree 3f9a21c, commit ccccccc",
        "passed  pytest -q  12.3 s  tree 3f9a21c",
        "The agent claims:",
        "a.txt | 2 +-",
        "Holds up: WRK-6, WRK-7",
        "abort: The item is cancelled.",
    ):
        assert part in shown


def test_a_gate_names_the_changed_files_beside_their_number_and_says_where_the_rest_is() -> None:
    def changes(count: int) -> list[str]:
        names = (EVIL, *(f"src/{number}.py" for number in range(1, count)))
        shown = views.GateDetail(**gate_fields("approval"), files=names, diffstat=f"{count} files +9 -1")
        lines = gate_detail_lines(shown, LOOK)
        assert_fits(lines)
        return lines[lines.index("Changes:") + 1 : lines.index("What happens if:") - 1]

    assert changes(3)[0] == "  3 files +9 -1"
    assert changes(3)[-2:] == ["  src/1.py", "  src/2.py"]
    assert changes(31)[-2:] == ["  src/29.py", "  … All of them: golemctl diff WRK-5 --stat"]


@pytest.mark.parametrize(
    ("changes", "last"),
    [
        ({"state": "withdrawn"}, "WRK-5.g1  approval  withdrawn"),
        (
            {
                "state": "decided",
                "decision": views.DecisionView(option="approve", text="", actor=Actor(user="me"), at=stamp(0)),
            },
            "WRK-5.g1  approval  approve  by me, 2027-01-15 08:00:00",
        ),
    ],
)
def test_a_gate_that_is_open_no_longer_shows_what_became_of_it_and_no_options(
    changes: dict[str, Any], last: str
) -> None:
    lines = gate_detail_lines(views.GateDetail(**gate_fields("approval") | changes), COLOUR)
    assert_fits(lines)
    assert (lines[0], lines[-1]) == ("WRK-5.g1  build  approval  since 2027-01-15 07:59:00", last)
    assert "What happens if:" not in lines


def test_what_was_decided_names_the_approval_and_holds_its_whole_text() -> None:
    said = views.DecisionView(
        option="approve", text="Looks good.\n\n" + "word " * 30, actor=Actor(user="me"), at=stamp(0)
    )
    named = gate("approval", id="WRK-5.g2", key="security", state="decided", decision=said)
    lines = show_lines(detail(gates=(named,)), LOOK)
    assert_fits(lines)
    decided = lines[lines.index("Decided") + 1 :]
    assert decided[:3] == [
        "  WRK-5.g2  approval (security)  approve  by me, 2027-01-15 08:00:00",
        "    Looks good.",
        "",
    ]
    assert " ".join(decided[3:6]).split() == ["word"] * 30
    short = replace(named, key="approval", decision=replace(said, text="Fine."))
    assert decided_lines(short, LOOK) == ["WRK-5.g2  approval  approve: Fine.  by me, 2027-01-15 08:00:00"]
    for columns in (20, 80):
        hostile = replace(named, decision=replace(said, text=EVIL))
        assert_fits(decided_lines(hostile, replace(LOOK, width=columns), 2), columns)


def test_where_no_gate_is_open_those_elsewhere_are_named() -> None:
    others = (gate(), gate(id="OTH-1.g2"))
    named = "Others are open: WRK-5.g1, OTH-1.g2"
    assert no_gates_lines((), others, LOOK) == ["Nothing waits for you in this project.", named]
    assert no_gates_lines(("label=zzz",), others, LOOK) == ["No open gate matches label=zzz.", named]


def test_an_approval_without_checks_says_that_there_were_none() -> None:
    lines = gate_detail_lines(views.GateDetail(**gate_fields("approval")), LOOK)
    assert any("checked nothing" in line for line in lines)


# --- one item ----------------------------------------------------------------------------------------------------


def test_the_whole_story_of_an_item_fits_and_leaves_nothing_out() -> None:
    lines = show_lines(detail(), LOOK)
    assert_fits(lines)
    shown = "\n".join(lines)
    for part in (
        "WRK-5  Migrate",
        "labels a, b",
        "depends on WRK-1",
        "size small",
        "! WRK-5 build asks: Keep the old column",
        "WRK-5.1",
        "golem.toml has changed",
        "8c1d0e2",
        "warning:",
        "no result, status 1",
        "06:12",
        "Attempts (the last 10 of 12)",
        "approval  approve  by me",
        "item.added",
        "Prompt",
    ):
        assert part in shown, part


def test_a_long_verify_command_hides_neither_its_outcome_nor_that_of_other_attempts() -> None:
    command = "python -m pytest -q --strict-markers tests/path"
    ended = {"state": "rejected", "duration_s": 3.0, "outcome": "failed", "status": 1}
    verify = attempt(id="WRK-4.1.build.verify_1.1", agent=None, command=command, tail=("2 failed",), **ended)
    lines = show_lines(detail(attempts=(attempt(cost_usd=0.4), verify)), LOOK)
    shown = lines[lines.index("Attempts") + 1 :][:2]
    assert_fits(shown)
    assert shown[0] == "  WRK-4.1.build.1           scripted  06:12  $0.40  spawned           now testi…"
    assert shown[1].startswith("  WRK-4.1.build.verify_1.1            00:03         failed, status 1  python -m")


def test_what_an_item_was_elsewhere_is_shown() -> None:
    came = views.ItemDetail(
        id="WRK-1",
        project="demo",
        title="A",
        status="ready",
        pipeline="feature",
        source="old 1",
        history=(Past("2026-01-02T00:00:00Z", f"blocked: {EVIL}"),),
        extra={"x-y": "[1]"},
    )
    lines = show_lines(came, LOOK)
    assert_fits(lines)
    assert lines[3:6] == ["came here as old 1", "  x-y: [1]", ""]
    assert lines[6] == "Before it came here"
    assert "blocked: " in lines[7]


def test_an_item_that_nothing_has_happened_to_is_shown_in_a_few_lines() -> None:
    fresh = views.ItemDetail(
        id="WRK-1", project="demo", title="A", status="new", pipeline="feature", why="WRK-1 is new but does not run: x."
    )
    assert show_lines(fresh, LOOK) == [
        "WRK-1  A",
        "new · feature · priority 0",
        "project demo",
        "",
        "WRK-1 is new but does not run: x.",
    ]


def test_a_change_is_told_in_one_line_with_the_note_of_the_daemon_beneath() -> None:
    lines = changed_lines(
        item(
            title=EVIL, status="in_progress", phase="build", repeated=True, note="Nothing is dispatched; golemctl run"
        ),
        LOOK,
    )
    assert_fits(lines)
    assert lines[0].startswith("WRK-1 is in progress (build): ")
    assert lines[1] == "Nothing is dispatched; golemctl run"


def test_a_pause_is_told_item_by_item() -> None:
    held = item("WRK-4", status="ready", paused=True, title="Paint it")
    assert paused_lines((held, held), LOOK) == ["WRK-4 is paused, ready: Paint it"] * 2
    assert paused_lines((), LOOK) == ["There is nothing to pause."]
    assert resumed_lines(item("WRK-4", status="ready", title="Paint it"), LOOK) == ["WRK-4 is ready: Paint it"]
    assert resumed_lines((), LOOK) == ["Nothing is paused."]


def test_why_is_told_with_what_comes_next() -> None:
    view = views.WhyView(
        id="WRK-9", status="ready", why="WRK-9 is ready but does not run: x.", next="Next in line: WRK-4."
    )
    assert why_lines(view, LOOK) == ["WRK-9 is ready but does not run: x.", "Next in line: WRK-4."]


# --- the short replies -------------------------------------------------------------------------------------------


def test_the_short_replies_fit_and_say_what_is_next() -> None:
    ready = views.ProjectReady(project=project(), config_file="/home/me/src/demo/golem.toml", written=True)
    assert ready_lines(ready, LOOK) == [
        "demo (WRK) is registered: ~/src/demo",
        "Wrote ~/src/demo/golem.toml",
        'Next: golemctl check, golemctl add "…", golemctl run',
    ]
    run = views.RunStarted(project="demo", dispatch=DISPATCH, since=1, attached=True)
    assert "14 of 100 phases" in started_lines(run, LOOK)[0]
    stopped = views.RunStopped(
        project="demo",
        dispatch=views.DispatchView(state="halted", cap=1, used=1, halt_reason="stopped"),
        running=(attempt(),),
    )
    lines = stopped_lines(stopped, LOOK)
    assert lines[2] == "  WRK-4  build  attempt 1  scripted  06:12"
    assert "golemctl stop --now" in lines[-1]
    assert stopped_lines(views.RunStopped(project="demo", dispatch=DISPATCH), LOOK)[-1] == "Nothing runs."
    assert "kept" not in shutdown_lines(views.ShutdownView(pid=5), LOOK)[0]
    assert "taken up" in shutdown_lines(views.ShutdownView(pid=5, ending=("a",), kept=True), LOOK)[1]
    assert pong_lines(views.Pong(version="1", pid=2, seq=3, state_dir="/home/me/s"), LOOK) == [
        "golemd 1 answers: pid 2, seq 3, state in ~/s"
    ]
    reloaded = views.ReloadView(changed=("a",), unchanged=("b",))
    assert [line.split(":")[0] for line in reload_lines(reloaded, LOOK)] == ["a", "b"]
    assert "No project" in reload_lines(views.ReloadView(changed=(), unchanged=()), LOOK)[0]
    tried = views.ReloadView(changed=(), unchanged=("b",), available=("claude",))
    assert reload_lines(tried, LOOK) == ["b: unchanged", "claude: no longer parked, and tried again"]
    imported = views.Imported(
        project="demo",
        added={"ready": 2, "in_progress": 1},
        unchanged=1,
        changed=("a", "b"),
        renamed={"old": "WRK-1", EVIL: "WRK-2"},
        more_warnings=1,
    )
    assert imported_lines(imported, LOOK)[:5] == [
        "3 items imported into demo: 2 ready, 1 in progress",
        "1 item left as here, imported before.",
        "Changed in the source since, and left as here: a, b",
        "Under new ids:",
        "  old → WRK-1",
    ]
    assert imported_lines(imported, LOOK)[-1] == "1 more warning not shown."
    assert imported_lines(views.Imported(project="demo", added={}), LOOK) == ["0 items imported into demo."]
    assert_fits(imported_lines(imported, LOOK))
    assert_fits([*lines, *problem_lines((EVIL,), LOOK)])


def test_a_deep_check_prints_both_digests_and_what_they_mean() -> None:
    view = views.VerifyView(
        records=9, segments=1, digest="j", deep=True, equal=True, live_digest="l", replayed_digest="r"
    )
    assert verify_lines(view, LOOK)[2:4] == ["live      l", "replayed  r"]
    assert "NOT" not in verify_lines(view, LOOK)[-1]
    unequal = views.VerifyView(
        records=9, segments=1, digest="j", deep=True, equal=False, live_digest="l", replayed_digest="r"
    )
    assert "NOT" in verify_lines(unequal, LOOK)[-1]


def test_a_finding_of_a_check_ends_with_one_full_stop() -> None:
    found = tuple(
        CheckFinding(level="error", where="golem.toml:3", what=what) for what in ("It is bad.", "no such agent")
    )
    view = CheckView(project="demo", root="/r", errors=2, warnings=0, findings=found)
    assert check_lines(view, LOOK)[2:4] == [
        "! error    golem.toml:3: It is bad.",
        "! error    golem.toml:3: no such agent.",
    ]


def test_an_error_says_what_happened_and_beneath_it_what_to_do() -> None:
    fault = Conflict("not_blocked", "WRK-9 is not blocked; it is ready.", "See: golemctl why WRK-9")
    assert fault_lines(fault) == [
        "golemctl: WRK-9 is not blocked; it is ready. (not_blocked)",
        "          See: golemctl why WRK-9",
    ]
    assert_fits(fault_lines(Conflict("x", EVIL * 5, EVIL), 80))
    assert fault_lines(Conflict("x", "No.")) == ["golemctl: No. (x)"]


def test_what_has_ended_has_a_status_of_which_the_model_says_so() -> None:
    assert {*ENDED} == model.ENDED
