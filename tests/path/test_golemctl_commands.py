"""The command line: options before and after, exit statuses, what is asked of the daemon, what is printed where."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from golemctl import parser
from golemctl.app import Ask, Options
from golemctl.commands import app
from golemctl.watch import Screen
from golemd.api import views
from golemd.api.faults import Conflict, Fault, Internal, NotFound, Unavailable
from tests.adapters.wire_server import Desk
from tests.path.golemctl_sample import BUSY, DISPATCH, gate, gate_fields, item, project, status

Start = Callable[..., Desk]
ROOT = Path(__file__).resolve().parents[2]
PONG = views.Pong(version="0.1.0", pid=1, seq=7, state_dir="/state")
NO_PROJECT = NotFound("project_not_found", "No project is around this folder.", "golemctl init")


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    desks: list[Desk] = []
    monkeypatch.setenv("GOLEMD_SOCKET", str(tmp_path / "s"))
    monkeypatch.chdir(tmp_path)

    def start(answers: dict[str, Any], records: list[dict[str, Any]] | None = None) -> Desk:
        desks.append(Desk(tmp_path / "s", answers, records or []))
        return desks[-1]

    yield start
    for desk in desks:
        desk.end()


def run(*arguments: str) -> int:
    """golemctl in this process; its exit status."""
    with pytest.raises(SystemExit) as ended:
        parser.run(app, arguments)
    status = ended.value.code
    assert isinstance(status, int)
    return status


@pytest.mark.parametrize("where", [0, 1, 2])
def test_global_options_may_stand_before_and_after_the_command(
    daemon: Start, capsys: pytest.CaptureFixture[str], where: int
) -> None:
    daemon({"item.why": views.WhyView(id="WRK-1", status="new", why="W.")})
    arguments = ["why", "WRK-1"]
    arguments[where:where] = ["--json"]
    assert run(*arguments) == 0
    assert json.loads(capsys.readouterr().out) == {"id": "WRK-1", "status": "new", "why": "W.", "next": None}


def test_global_options_may_stand_before_and_after_the_command_of_a_group(
    daemon: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon({"ping": PONG})
    for arguments in (["--json", "journal", "path"], ["journal", "--json", "path"], ["journal", "path", "--json"]):
        assert run(*arguments) == 0
        assert json.loads(capsys.readouterr().out) == {"path": "/state/journal.jsonl"}


def test_behind_two_hyphens_and_as_a_value_everything_is_text(
    daemon: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = daemon({"item.add": item()})
    assert run("add", "-d", "--json", "--token", "t", "--", "--debug") == 0
    assert capsys.readouterr().out == "WRK-1\n"
    method, params = desk.asked[0]
    assert method == "item.add"
    assert (params["title"], params["description"], params["token"]) == ("--debug", "--json", "t")


def test_the_later_of_two_values_counts(daemon: Start) -> None:
    desk = daemon({"item.add": item()})
    assert run("--token", "a", "--project", "one", "add", "T", "--token", "b") == 0
    assert (desk.asked[0][1]["token"], desk.asked[0][1]["project"]) == ("b", "one")


def test_a_project_is_a_name_or_a_folder_and_else_the_current_one(daemon: Start, tmp_path: Path) -> None:
    desk = daemon({"item.add": item()})
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to("here")
    for given in ("", "name", "here", "./there", "here/../there", "..", str(tmp_path / "link")):
        assert run("add", "T", "--project", given) == 0
    here = str(tmp_path)
    meant = [here, "name", "here", f"{here}/there", f"{here}/there", str(tmp_path.parent), f"{here}/here"]
    assert [params["project"] for _, params in desk.asked] == meant


def test_init_takes_even_a_bare_word_as_a_folder(daemon: Start, tmp_path: Path) -> None:
    ready = views.ProjectReady(project=project(), config_file="golem.toml")
    desk = daemon({"project.init": ready})
    assert run("init", "--project", "here") == 0
    assert desk.asked[0][1]["root"] == f"{tmp_path}/here"


def test_a_status_outside_of_all_projects_shows_all_but_not_for_a_project_that_was_named(
    daemon: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = daemon({"status": lambda params: NO_PROJECT if params.get("project") else BUSY})
    assert run("status") == 0
    assert "One thing waits for you" in capsys.readouterr().out
    assert [params.get("project", "") != "" for _, params in desk.asked] == [True, False]
    assert run("status", "--project", "nowhere") == 1
    assert "No project is around" in capsys.readouterr().err


@pytest.mark.parametrize("fault", [NotFound("item_not_found", "There is no WRK-9.", "Look."), Internal("x", "Broken.")])
def test_a_refusal_is_told_on_stderr_and_with_json_on_stdout_too(
    daemon: Start, capsys: pytest.CaptureFixture[str], fault: Fault
) -> None:
    daemon({"item.why": fault})
    assert run("why", "WRK-9") == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert fault.code in told.err
    assert run("why", "WRK-9", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    expected = {"code": fault.code, "class": fault.CLASS, "message": fault.message, "hint": fault.hint, "data": {}}
    assert document["error"] == expected


def test_without_a_daemon_the_exit_status_is_69_and_no_traceback_is_shown(
    daemon: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("ping") == 69
    told = capsys.readouterr().err
    assert "golemd is not running (no socket at" in told
    assert "Traceback" not in told
    assert run("ping", "--debug") == 69
    told = capsys.readouterr().err
    assert f"  connecting to {os.environ['GOLEMD_SOCKET']}\n" in told
    assert "Traceback" not in told


def test_debug_shows_what_is_asked_and_answered_in_short(daemon: Start, capsys: pytest.CaptureFixture[str]) -> None:
    daemon({"item.add": item(), "item.why": NotFound("item_not_found", "There is no item.", "Look.")})
    assert run("--debug", "--token", "t", "add", "\x1b[2J" + "x" * 1000) == 0
    shown = capsys.readouterr()
    asked, answered = (line for line in shown.err.splitlines() if line[0] in "<>")
    assert asked.startswith('> item.add {"token":"t","client":"golemctl","project":')
    assert len(asked) < 320
    assert re.fullmatch(r"< item\.add \d+ bytes in \d+\.\d ms", answered)
    assert shown.out == "WRK-1\n"
    assert run("why", "X", "--debug") == 1
    shown = capsys.readouterr()
    assert re.search(r"< item\.why item_not_found in \d", shown.err)
    assert "Traceback" not in shown.err


def test_debug_shows_where_golemctl_itself_has_failed(
    daemon: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon({"ping": PONG})

    def fail(*arguments: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("golemctl.commands.daemon.pong_lines", fail)
    assert run("ping") == 1
    told = capsys.readouterr().err
    assert "ZeroDivisionError: by nothing" in told
    assert "Again with --debug." in told
    assert "Traceback" not in told
    assert run("ping", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["bogus"], ["show"], ["--bogus"], ["edit", "WRK-1"], ["unblock", "WRK-1", "--answer", "a", "--notes", "b"],
     ["run", "--cap", "0"], ["--timeout", "0", "ping"], ["request-changes", "WRK-1"], ["run", "--cap", "9" * 20],
     ["add", "T", "--priority", "-" + "9" * 20], ["--timeout", "1e300", "ping"], ["events", "--since", "9" * 20]],
)  # fmt: skip
def test_a_command_line_that_makes_no_sense_ends_with_2(daemon: Start, arguments: list[str]) -> None:
    assert run(*arguments) == 2


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_text_that_is_not_utf8_is_mended_on_its_way(
    daemon: Start, capsys: pytest.CaptureFixture[str], debug: list[str]
) -> None:
    desk = daemon({"item.add": item()})
    assert run("add", "caf\udce9", *debug) == 0, capsys.readouterr().err
    assert desk.asked[0][1]["title"] == "caf\ufffd"


def test_editing_replaces_lists_and_leaves_out_what_was_not_given(daemon: Start) -> None:
    desk = daemon({"item.edit": item()})
    assert run("edit", "WRK-1", "--label", "a", "--label", "b", "--dep", "", "--priority", "0") == 0
    params = desk.asked[0][1]
    del params["token"]
    assert params == {"id": "WRK-1", "client": "golemctl", "labels": ["a", "b"], "dependencies": [], "priority": 0}


@pytest.mark.parametrize(
    ("command", "option"),
    [("approve", "approve"), ("request-changes", "request_changes"), ("reject", "reject"), ("abort", "abort")],
)
def test_each_answer_decides_by_its_option_and_shows_the_note(
    daemon: Start, capsys: pytest.CaptureFixture[str], command: str, option: str
) -> None:
    desk = daemon({"gate.decide": item(note="Nothing is dispatched; golemctl run starts it.")})
    assert run(command, "WRK-5", "-m", "because") == 0
    params = desk.asked[0][1]
    assert (params["gate"], params["option"], params["text"]) == ("WRK-5", option, "because")
    assert "Nothing is dispatched" in capsys.readouterr().out


APPROVING = (["approve", "WRK-5"], ["decide", "WRK-5", "approve"], ["unblock", "WRK-5"], ["unblock", "WRK-5.g1"])


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A person at a terminal, who answers this."""
    given: list[str] = []
    monkeypatch.setattr("golemctl.output.Output.is_terminal", True)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: given.pop(0), raising=False)
    return given


def _waits(kind: str, **changes: Any) -> dict[str, Any]:
    """What a daemon says of WRK-5, which waits for a decision."""
    asked = gate(kind, **changes)
    shown = views.ItemDetail(id="WRK-5", project="demo", title="T", status="blocked", pipeline="f", gates=(asked,))
    detail = views.GateDetail(**gate_fields(kind) | changes)
    return {"item.show": shown, "gate.show": detail, "gate.decide": item(), "item.unblock": item()}


@pytest.mark.parametrize("command", APPROVING, ids=" ".join)
def test_whatever_approves_on_a_terminal_shows_the_gate_and_binds_the_answer_to_what_was_shown(
    daemon: Start, capsys: pytest.CaptureFixture[str], answers: list[str], command: list[str]
) -> None:
    desk = daemon(_waits("approval"))
    answers += ["n\n", "y\n"]
    assert run(*command) == 1
    told = capsys.readouterr()
    assert "Approve tree 3f9a21c of WRK-5?" in told.err
    assert "Not approved; nothing was changed." in told.err
    assert "What happens if:" in told.out
    assert not {"gate.decide", "item.unblock"} & {method for method, _ in desk.asked}
    assert run(*command) == 0
    method, params = desk.asked[-1]
    assert (method, params["gate"], params["option"], params["content"]) == ("gate.decide", "WRK-5.g1", "approve", "d")


@pytest.mark.parametrize("command", APPROVING, ids=" ".join)
def test_without_a_terminal_an_approval_asks_nobody(daemon: Start, command: list[str]) -> None:
    desk = daemon(_waits("approval"))
    assert run(*command) == 0
    assert desk.asked[-1][0] in ("gate.decide", "item.unblock")
    assert "item.show" not in [method for method, _ in desk.asked]


@pytest.mark.parametrize(
    ("kind", "command", "method"),
    [
        ("question", ["unblock", "WRK-5", "--answer", "a"], "item.unblock"),
        ("question", ["approve", "WRK-5"], "gate.decide"),
        ("approval", ["decide", "WRK-5", "abort"], "gate.decide"),
    ],
)
def test_on_a_terminal_nothing_but_an_approval_is_asked_for_once_more(
    daemon: Start, answers: list[str], kind: str, command: list[str], method: str
) -> None:
    desk = daemon(_waits(kind))
    assert run(*command) == 0
    assert desk.asked[-1][0] == method
    assert answers == []


def test_a_gate_that_was_decided_already_is_not_asked_about_again(daemon: Start, answers: list[str]) -> None:
    desk = daemon(_waits("approval", state="decided"))
    assert run("approve", "WRK-5.g1") == 0
    assert "content" not in desk.asked[-1][1]


def test_a_gate_is_shown_with_all_that_it_is_about(daemon: Start, capsys: pytest.CaptureFixture[str]) -> None:
    desk = daemon({"gate.show": views.GateDetail(**gate_fields("approval"))})
    assert run("show", "WRK-5.g1") == 0
    assert [method for method, _ in desk.asked] == ["gate.show"]
    assert "What happens if:" in capsys.readouterr().out


def test_gates_of_other_projects_are_named_where_this_one_has_none(
    daemon: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon({"gate.list": lambda params: () if params.get("project") else (gate(),)})
    assert run("gates") == 0
    told = capsys.readouterr().out
    assert told == "Nothing waits for you in this project.\nOthers are open: WRK-5.g1\n"
    assert run("gates", "--json") == 0
    assert capsys.readouterr().out == "[]\n"


def test_where_no_gate_matches_only_those_of_the_same_project_are_named(
    daemon: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, other = gate(), gate(id="OTH-1.g1")
    everywhere = {"": (mine, other), "empty": (other,)}

    def listed(params: dict[str, Any]) -> tuple[views.GateView, ...]:
        asked = params.get("project", "")
        return () if params.get("only") or asked == "empty" else everywhere.get(asked, (mine,))

    daemon({"gate.list": listed})
    assert run("gates", "--only", "label=zzz") == 0
    assert capsys.readouterr().out == "No open gate matches label=zzz.\nOthers are open: WRK-5.g1\n"
    assert run("gates", "--only", "label=zzz", "--project", "empty") == 0
    elsewhere = "Nothing waits for you in this project.\nOthers are open: WRK-5.g1, OTH-1.g1\n"
    assert capsys.readouterr().out == elsewhere


def test_unblocking_a_gate_decides_it_in_its_default_way_with_the_text_of_a_file(
    daemon: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = daemon(
        {"gate.show": views.GateDetail(**gate_fields("question")), "gate.decide": item(), "item.unblock": item()}
    )
    (tmp_path / "answer").write_text("keep it")
    assert run("unblock", "WRK-5.g1", "--answer-file", "answer") == 0
    assert (desk.asked[-1][1]["option"], desk.asked[-1][1]["text"]) == ("answer", "keep it")
    assert run("unblock", "WRK-5", "--notes", "n") == 0
    assert (desk.asked[-1][0], desk.asked[-1][1]["notes"]) == ("item.unblock", "n")
    assert run("unblock", "WRK-5", "--answer-file", "missing") == 1
    assert "missing cannot be read as text: No such file or directory. (answer_file)\n" in capsys.readouterr().err
    (tmp_path / "answer").write_bytes(b"\xff")
    assert run("unblock", "WRK-5", "--answer-file", "answer") == 1
    assert "answer cannot be read as text: 'utf-8' codec" in capsys.readouterr().err


def test_a_gate_without_a_default_lists_its_options(daemon: Start, capsys: pytest.CaptureFixture[str]) -> None:
    daemon({"gate.show": views.GateDetail(**gate_fields("staleness"))})
    assert run("unblock", "WRK-5.g1") == 1
    assert capsys.readouterr().err == (
        "golemctl: WRK-5.g1 has no default way. (option_needed)\n"
        "          Choose one of proceed, abort, such as: golemctl decide WRK-5.g1 proceed\n"
    )


def test_an_unequal_deep_check_and_a_bad_configuration_end_with_1(daemon: Start) -> None:
    unequal = views.VerifyView(
        records=1, segments=1, digest="", deep=True, equal=False, live_digest="a", replayed_digest="b"
    )
    daemon(
        {
            "journal.verify": unequal,
            "reload": views.ReloadView(changed=(), unchanged=("a",), problems=("golem.toml:1: no",)),
        }
    )
    assert run("journal", "verify", "--deep") == 1
    assert run("reload") == 1


def test_events_are_read_page_by_page_and_printed_as_one_document(
    daemon: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    def page(params: dict[str, Any]) -> views.RecordsView:
        since = params.get("since", 1)
        return views.RecordsView(records=({"seq": since, "type": "item.added"},), next=since + 1, more=since < 3)

    daemon({"events.read": page, "ping": PONG})
    assert run("events", "--json", "--since", "2") == 0
    assert [record["seq"] for record in json.loads(capsys.readouterr().out)] == [2, 3]
    assert run("events") == 0
    assert capsys.readouterr().out.count("item.added") == 3


def test_an_output_is_read_to_its_end_and_joined(daemon: Start, capsys: pytest.CaptureFixture[str]) -> None:
    def piece(params: dict[str, Any]) -> views.LogView:
        offset = params.get("offset", 0)
        text = "some text\n"[offset : offset + 6]
        return views.LogView(
            attempt="WRK-1.1.build.1", stream="stdout", offset=offset, next=offset + len(text), text=text, ended=True
        )

    daemon({"logs.read": piece})
    assert run("logs", "WRK-1") == 0
    assert capsys.readouterr().out == "some text\n"
    assert run("logs", "WRK-1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["text"] == "some text\n"


def test_a_path_is_printed_only_where_there_is_one(
    daemon: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown(params: dict[str, Any]) -> views.ItemDetail:
        bound = views.RunView(
            id="r", state="executing", pipeline="f", base_commit="c", branch="b", workspace=str(tmp_path / params["id"])
        )
        runs = () if params["id"] == "new" else (bound,)
        return views.ItemDetail(id=params["id"], project="demo", title="T", status="new", pipeline="f", runs=runs)

    daemon({"item.show": shown})
    (tmp_path / "live").mkdir()
    assert run("path", "live") == 0
    assert capsys.readouterr().out == f"{tmp_path}/live\n"
    assert run("path", "gone") == 1
    assert "put away" in capsys.readouterr().err
    assert run("path", "new") == 1
    assert "has no workspace yet" in capsys.readouterr().err


def test_a_diff_shows_the_workspace_with_uncommitted_work_and_else_the_branch(
    daemon: Start, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@t"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path / "w", check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    (tmp_path / "w").mkdir()
    git("init", "-q", "-b", "main")
    (tmp_path / "w" / "same").write_text("as it was\n")
    git("add", "same")
    git("commit", "-q", "-m", "base")
    base = git("rev-parse", "HEAD")
    git("checkout", "-q", "-b", "golem/live")
    (tmp_path / "w" / "a").write_text("committed\n")
    git("add", "a")
    git("commit", "-q", "-m", "work")
    git("checkout", "-q", "main")
    git("worktree", "add", "-q", "../live", "golem/live")
    (tmp_path / "live" / "a").write_text("changed\n")
    (tmp_path / "live" / "new").write_text("new\n")

    def shown(params: dict[str, Any]) -> views.ItemDetail:
        workspace = str(tmp_path / params["id"])
        bound = views.RunView(
            id="r", state="executing", pipeline="f", base_commit=base, branch="golem/live", workspace=workspace
        )
        return views.ItemDetail(id=params["id"], project="demo", title="T", status="new", pipeline="f", runs=(bound,))

    daemon({"item.show": shown, "project.list": (project(root=str(tmp_path / "w")),)})
    os.utime(tmp_path / "live" / "same", (1, 1))
    index = tmp_path / "w" / ".git" / "worktrees" / "live" / "index"
    before = index.read_bytes()
    assert run("diff", "live") == 0
    assert index.read_bytes() == before
    told = capfd.readouterr()
    assert "+changed" in told.out
    assert "  new" in told.err
    assert run("diff", "gone", "--json") == 0
    assert "+committed" in json.loads(capfd.readouterr().out)["diff"]


@pytest.mark.parametrize(
    ("does", "status"),
    [
        ("kill -INT $PPID; echo more", 0),
        ("kill -INT $$", 130),
        ("kill -PIPE $$", 0),
        ("kill -TERM $$", 1),
        ("exit 128", 1),
    ],
)
def test_a_diff_ends_as_git_does_and_ctrl_c_is_the_pagers(
    daemon: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, status: int
) -> None:
    bound = views.RunView(id="r", state="executing", pipeline="f", base_commit="c", branch="b", workspace=None)
    shown = views.ItemDetail(id="WRK-1", project="demo", title="T", status="new", pipeline="f", runs=(bound,))
    daemon({"item.show": shown, "project.list": (project(root=str(tmp_path)),)})
    (tmp_path / "git").write_text(f"#!/bin/sh\n{does}\n")
    (tmp_path / "git").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert run("diff", "WRK-1") == status


# --- run ---------------------------------------------------------------------------------------------------------


def _record(seq: int, kind: str, **data: Any) -> dict[str, Any]:
    return {"seq": seq, "ts": "2026-11-20T09:41:02Z", "type": kind, "project": "demo", "item": "WRK-1", "data": data}


HAPPENED = [
    _record(5, "phase.completed", run="WRK-1.1", phase="build"),
    _record(6, "item.completed"),
    _record(7, "dispatch.halted", reason="all_done_or_blocked"),
]


def _dispatched(*gates: views.GateView) -> dict[str, Any]:
    started = views.RunStarted(project="demo", dispatch=DISPATCH, since=5)
    return {"run.start": started, "status": status(gates=gates), "events.follow": views.FollowStarted(since=5)}


def test_a_watched_run_ends_with_the_dispatch_and_sums_up(daemon: Start, capsys: pytest.CaptureFixture[str]) -> None:
    desk = daemon(_dispatched(), HAPPENED)
    assert run("run", "--cap", "3") == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["completed" in lines[0], "done" in lines[1], len(lines)] == [True, True, 3]
    assert "1 done · 0 blocked · 1 phase" in lines[2]
    assert "\x1b" not in "".join(lines)
    assert desk.asked[0][1]["cap"] == 3


def test_a_watched_run_that_leaves_something_waiting_ends_with_3(
    daemon: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon(_dispatched(gate()), HAPPENED)
    assert run("run") == 3
    assert 'golemctl unblock WRK-5 --answer "…"' in capsys.readouterr().out


def test_a_watched_run_as_json_is_records_and_a_summary(daemon: Start, capsys: pytest.CaptureFixture[str]) -> None:
    daemon(_dispatched(gate()), [*HAPPENED[:1], HAPPENED[1] | {"project": "other"}, HAPPENED[2]])
    assert run("run", "--json") == 3
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document.get("seq") for document in documents] == [5, 7, None]
    summary = documents[-1]["summary"]
    assert (summary["done"], summary["blocked"], summary["halt_reason"]) == (0, 1, "all_done_or_blocked")


def test_the_footer_leaves_the_cursor_at_its_beginning_so_that_it_can_be_cleared_after_a_resize(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("golemctl.output.Output.is_terminal", True)
    screen = Screen(Ask(Options()))
    screen.footer("nothing runs")
    screen.clear()
    assert capsys.readouterr().out == "\r\x1b[Jnothing runs\r" + "\r\x1b[J"


def interrupted(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_stops_the_dispatch_and_tells_what_still_runs(
    daemon: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = views.RunStopped(project="demo", dispatch=DISPATCH, running=BUSY.attempts)
    desk = daemon(_dispatched() | {"run.stop": stopped})
    monkeypatch.setattr("golemctl.follow.Records.take", interrupted)
    assert run("run") == 130
    assert "WRK-4  build" in capsys.readouterr().err
    assert desk.asked[-1][0] == "run.stop"


def test_a_refused_stop_after_ctrl_c_says_that_the_dispatch_goes_on(
    daemon: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon(_dispatched() | {"run.stop": Conflict("not_running", "Nothing is dispatched.")})
    monkeypatch.setattr("golemctl.follow.Records.take", interrupted)
    assert run("run") == 130
    assert "could not be stopped" in capsys.readouterr().err


# --- as a process ------------------------------------------------------------------------------------------------


def test_a_reader_that_goes_away_is_no_error(daemon: Start) -> None:
    daemon({"events.read": views.RecordsView(records=({"seq": 1, "type": "x" * 200},) * 5000, next=2), "ping": PONG})
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "golemctl", "events", "--since", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) == 0


def test_golemctl_never_imports_the_event_loop_of_the_daemon() -> None:
    code = """if True:
        import sys, golemctl.commands, golemctl.watch, golemctl.demo
        print(sorted({"trio", "psutil", "rich"} & set(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_run_that_ends_while_the_daemon_is_being_restarted_waits_for_it(
    daemon: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last record may be the last thing that the old daemon says."""
    halted = {"seq": 8, "ts": "2026-11-20T09:00:00Z", "type": "dispatch.halted", "project": "demo"}
    halted["data"] = {"reason": "all_done_or_blocked"}
    started = views.RunStarted(project="demo", dispatch=DISPATCH, since=8)
    answers = iter([BUSY, Unavailable("stopping", "golemd is stopping."), BUSY])
    daemon(
        {"run.start": started, "status": lambda params: next(answers), "events.follow": views.FollowStarted(since=8)},
        [halted],
    )
    waited: list[float] = []
    monkeypatch.setattr("golemctl.watch.time.sleep", waited.append)
    assert run("run") == 3
    assert waited == [1.0]
    assert "golemctl unblock WRK-5" in capsys.readouterr().out
