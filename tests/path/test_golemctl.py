"""golemctl against a real daemon: exit statuses, --json, and the commands that are more than one call."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest

import golemd
from golemd.api import calls
from tests.path.ground import GUARD_SECONDS, Fifo
from tests.path.house import House
from tests.path.repositories import RESULT, Project, phase
from tests.path.test_triage_phase import TRIAGE

ASKS = '[[build.1: result {"result": "blocked", "summary": "s", "question": "Which colour?"}]]'


def _next_line(process: subprocess.Popen[str], wanted: str) -> str:
    """The next line of a command's output that holds a word."""
    assert process.stdout is not None
    guard = threading.Timer(GUARD_SECONDS, process.kill)
    guard.start()
    try:
        for line in process.stdout:
            if wanted in line:
                return line
    finally:
        guard.cancel()
    raise AssertionError(f"{wanted!r} never came: {process.stderr.read() if process.stderr else ''}")


def _end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=GUARD_SECONDS)
    return process.returncode, out, err


def test_without_a_daemon_the_status_is_69_and_says_how_to_start_one(house: House) -> None:
    for arguments in (["status"], ["ping"], ["add", "x"], ["events"], ["run"]):
        done = house.golemctl(*arguments)
        assert (done.status, done.out) == (69, ""), arguments
        assert "golemd is not running" in done.err
        assert "golemd" in done.err.splitlines()[-1]
    assert house.golemctl("status", "--json").json["error"]["code"] == "daemon_unreachable"


def test_of_a_daemon_that_is_still_starting_it_says_so(house: House) -> None:
    env = {"GOLEMD_STATE_DIR": str(house.state)}
    house.state.mkdir(mode=0o700)
    with open(house.state / "lock", "w") as lock:
        assert "is not running" in house.golemctl("status", env=env).err
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        done = house.golemctl("status", env=env)
        assert done.status == 69
        assert f"golemd (pid {os.getpid()}) is there, and does not answer at {house.socket}" in done.err
        assert "is not running" in house.golemctl("status", env={"GOLEMD_STATE_DIR": "/nowhere"}).err


def test_usage_errors_end_with_2(daemon: House, demo: Project) -> None:
    for arguments in (["nonsense"], ["add"], ["show"], ["add", "x", "--priority", "high"], ["run", "--cap", "0"]):
        assert daemon.golemctl(*arguments, cwd=demo.root).status == 2, arguments
    assert daemon.golemctl("edit", demo.add(), cwd=demo.root).status == 2
    assert daemon.golemctl("unblock", "WRK-1", "--answer", "a", "--notes", "b").status == 2


@pytest.mark.parametrize(
    ("words", "message", "command"),
    [
        ("add --json", "Missing argument 'TITLE'.", "golemctl add"),
        ("bogus --json", "No such command 'bogus'. Did you mean 'logs'?", "golemctl"),
        ("ping --timeout 0 --json", "Invalid value for '--timeout': it must be more than 0 seconds", "golemctl ping"),
        ("--json", "Missing command.", "golemctl"),
        ("--json journal", "Missing command.", "golemctl journal"),
        ("ping --json --nothing", "No such option: --nothing", "golemctl ping"),
        ("--json --project", "Option '--project' requires an argument.", "golemctl"),
    ],
)
def test_a_mistaken_command_line_with_json_is_a_document_too(
    house: House, words: str, message: str, command: str
) -> None:
    done = house.golemctl(*words.split())
    assert done.status == 2
    error = done.json["error"]
    assert error["message"].startswith(message)
    assert (error["code"], error["class"], error["hint"]) == ("usage", "invalid", f"See: {command} -h")
    assert error["message"] in done.err


def test_without_json_or_with_json_as_a_word_a_mistake_leaves_stdout_empty(house: House) -> None:
    for words in (["add"], ["bogus"], [], ["journal"], ["add", "--", "--json", "x"]):
        done = house.golemctl(*words)
        assert (done.status, done.out, "Usage: golemctl" in done.err) == (2, "", True), words


def test_what_golemctl_itself_says_of_a_moment_is_shown_as_it_is_typed(house: House) -> None:
    done = house.golemctl("events", "--since", "10:99", env={"TZ": "America/New_York"})
    assert done.status == 2
    assert done.err.endswith('Such as 57, 10:30, 2026-11-20, "2026-11-20 10:30:15" or 2026-11-20T09:30:00Z.\n')


def test_refusals_end_with_1_and_show_code_and_hint(daemon: House) -> None:
    done = daemon.golemctl("show", "WRK-9")
    assert (done.status, done.out) == (1, "")
    assert "item_not_found" in done.err
    assert "golemctl status --all" in done.err
    refused = daemon.golemctl("show", "WRK-9", "--json")
    assert refused.json["error"]["code"] == "item_not_found"
    assert set(refused.json["error"]) == {"code", "class", "message", "hint", "data"}


def test_a_run_to_the_end_ends_with_0_and_one_that_waits_for_a_human_with_3(daemon: House, demo: Project) -> None:
    demo.add("[[write a.txt x]]")
    done = daemon.golemctl("run", cwd=demo.root)
    assert done.status == 0, done.err
    assert "1 done" in done.out
    demo.add(ASKS)
    waits = daemon.golemctl("run", cwd=demo.root)
    assert waits.status == 3, waits.err
    assert "Which colour?" in waits.out
    assert "golemctl unblock WRK-2" in waits.out


def test_ctrl_c_of_an_attached_run_stops_launching_and_tells_what_still_runs(daemon: House, demo: Project) -> None:
    item = demo.add("[[sleep 600]]")
    run = daemon.golemctl_process("run", cwd=demo.root)
    _next_line(run, "started")
    daemon.until("attempt.spawned", item)
    run.send_signal(signal.SIGINT)
    status, _, err = _end(run)
    assert status == 130
    assert f"{item}" in err
    assert daemon.until("dispatch.halted")["data"]["reason"] == "stopped"
    assert len(daemon.call(calls.Status()).attempts) == 1


def test_a_run_whose_client_is_killed_goes_on_and_another_attaches(daemon: House, demo: Project) -> None:
    item = demo.add("[[sleep 0.5]] [[write a.txt x]]")
    run = daemon.golemctl_process("run", cwd=demo.root)
    _next_line(run, "started")
    run.kill()
    _end(run)
    done = daemon.golemctl("run", cwd=demo.root)
    assert done.status == 0, done.err
    assert daemon.show(item).status == "done"


def test_an_attached_run_outlives_a_restart_of_the_daemon(daemon: House, demo: Project) -> None:
    item = demo.add("[[build.1: sleep 600]] [[write a.txt x]]")
    run = daemon.golemctl_process("run", cwd=demo.root)
    _next_line(run, "started")
    daemon.until("attempt.spawned", item)
    daemon.restart()
    status, out, err = _end(run)
    assert status == 0, err
    assert "has gone away" in err
    assert "1 done" in out


def test_an_attached_run_outlives_a_crash_and_a_daemon_that_stands_still(
    daemon: House, demo: Project, fifo: Callable[[str], Fifo]
) -> None:
    go = fifo("go")
    project = daemon.project(
        "slow",
        prefix="SLO",
        phases=[phase(agent="waits")],
        agents=daemon.agent("waits", f"read x < {go.path}; {RESULT}"),
    )
    item = project.add()
    run = daemon.golemctl_process("run", cwd=project.root)
    _next_line(run, "started")
    daemon.kill9()
    assert run.stderr is not None
    assert "has gone away; waiting up to 60 s" in run.stderr.readline()
    daemon.start()
    assert run.stderr.readline() == "golemd is back.\n"
    assert "adopted" in _next_line(run, "adopted")
    daemon.signal(signal.SIGSTOP)
    go.go()
    daemon.signal(signal.SIGCONT)
    status, out, err = _end(run)
    assert (status, err) == (0, "")
    assert "1 done" in out
    assert daemon.show(item).status == "done"


def test_ctrl_c_while_the_daemon_is_away_says_that_nothing_was_stopped(daemon: House, demo: Project) -> None:
    item = demo.add("[[sleep 600]]")
    run = daemon.golemctl_process("run", cwd=demo.root)
    _next_line(run, "started")
    daemon.until("attempt.spawned", item)
    daemon.kill9()
    assert run.stderr is not None
    assert "has gone away" in run.stderr.readline()
    run.send_signal(signal.SIGINT)
    status, _, err = _end(run)
    assert status == 130
    assert "The dispatch could not be stopped; it goes on." in err
    daemon.start()
    daemon.call(calls.ItemCancel(id=item))


def test_a_run_with_nothing_to_do_says_what_to_do(daemon: House, demo: Project) -> None:
    nothing = daemon.golemctl("run", cwd=demo.root)
    assert (nothing.status, nothing.out.splitlines()[-1]) == (
        0,
        'Nothing is left in the backlog. Add something: golemctl add "…"',
    )
    gone = demo.add()
    demo.add(dependencies=(gone,))
    daemon.call(calls.ItemCancel(id=gone))
    waits = daemon.golemctl("run", cwd=demo.root)
    assert waits.out.splitlines()[-1] == "Nothing could be started; golemctl status says why."


def test_a_triage_without_new_items_says_so(daemon: House) -> None:
    project = daemon.project(more=TRIAGE)
    project.add()
    assert daemon.golemctl("triage", cwd=project.root).status == 0
    again = daemon.golemctl("triage", cwd=project.root)
    assert (again.status, again.out.splitlines()[-1]) == (
        0,
        'There are no new items. Add one: golemctl add "…"',
    )


def test_every_command_answers_with_one_json_document(daemon: House, demo: Project) -> None:
    def ask(*arguments: str) -> Any:
        done = daemon.golemctl(*arguments, "--json", cwd=demo.root)
        assert done.status == 0, (arguments, done.err)
        return done.json

    assert ask("init")["project"]["name"] == "demo"
    assert ask("add", "first", "-d", ASKS, "--label", "ui")["id"] == "WRK-1"
    assert ask("add", "second", "--dep", "WRK-1", "--priority", "2")["dependencies"] == ["WRK-1"]
    assert ask("edit", "WRK-2", "--title", "renamed")["title"] == "renamed"
    assert ask("run", "--detach")["project"] == "demo"
    demo.halted()
    assert ask("gates")[0]["id"] == "WRK-1.g1"
    assert ask("status")["gates"][0]["item"] == "WRK-1"
    assert ask("show", "WRK-1")["status"] == "blocked"
    assert ask("why", "WRK-1")["status"] == "blocked"
    assert ask("path", "WRK-1")["path"] == str(demo.worktree("WRK-1"))
    assert ask("unblock", "WRK-1", "--answer", "red")["id"] == "WRK-1"
    daemon.done("WRK-1", "WRK-2")
    assert ask("logs", "WRK-1")["attempt"] == "WRK-1.1.build.2"
    assert "diff" in ask("diff", "WRK-1")
    assert ask("stop")["project"] == "demo"
    assert ask("reload")["unchanged"] == ["demo"]
    assert ask("add", "third")["id"] == "WRK-3"
    assert ask("cancel", "WRK-3", "-m", "no")["status"] == "cancelled"
    assert ask("reopen", "WRK-3")["status"] == "ready"
    assert ask("projects")[0]["name"] == "demo"
    assert ask("journal", "verify", "--deep")["equal"] is True
    assert ask("journal", "path")["path"] == str(daemon.state / "journal.jsonl")
    assert ask("ping")["pid"] == daemon.pid
    assert ask("version") == {"golemctl": golemd.__version__, "golemd": golemd.__version__}
    assert ask("shutdown")["pid"] == daemon.pid
    assert daemon.wait() == 0


@pytest.mark.parametrize(
    ("command", "resolution"), [(["reject"], "rejected"), (["abort"], "aborted"), (["approve"], "completed")]
)
def test_approvals_are_answered_by_a_command_each(daemon: House, command: list[str], resolution: str) -> None:
    project = daemon.project(phases=[{"name": "build", "gate": "approval"}])
    item = project.work("[[write a.txt x]]")
    project.halted()
    assert "\nChanges:\n  1 file +1 -0\n  a.txt\n" in daemon.golemctl("show", f"{item}.g1").out
    assert daemon.golemctl("request-changes", item, "-m", "more").status == 0
    daemon.until("gate.opened", item, gate=f"{item}.g2")
    done = daemon.golemctl(*command, item)
    assert done.status == 0, done.err
    daemon.until("work.kept", item, then="removed")
    assert daemon.show(item).resolution == resolution


def test_a_question_is_answered_from_a_file_or_stdin_and_decide_takes_any_option(daemon: House, demo: Project) -> None:
    for number, arguments in enumerate((["--answer-file", "-"], ["--answer-file", "answer.txt"]), start=1):
        (daemon.root / "answer.txt").write_text("the red one", encoding="utf-8")
        item = demo.work(ASKS)
        daemon.until("gate.opened", item)
        done = daemon.golemctl("unblock", item, *arguments, stdin="the red one")
        assert done.status == 0, done.err
        daemon.done(item)
        assert daemon.records("gate.decided")[-1]["data"]["text"] == "the red one", number
    item = demo.work(ASKS)
    daemon.until("gate.opened", item)
    assert daemon.golemctl("decide", f"{item}.g1", "abort", "-m", "no more").status == 0


def test_events_are_read_and_followed(daemon: House, demo: Project) -> None:
    follow = daemon.golemctl_process("events", "-f", "--since", "1", "--json", "--type", "item.")
    item = demo.add(title="followed")
    record = json.loads(_next_line(follow, "followed"))
    assert (record["type"], record["item"]) == ("item.added", item)
    follow.send_signal(signal.SIGINT)
    assert _end(follow)[0] == 130
    shown = daemon.golemctl("events", "--item", item)
    assert "item.added" in shown.out
    assert len(shown.out.splitlines()) == 1
    found = daemon.golemctl("events", "--since", "1", "--json").json
    assert [record["seq"] for record in found] == list(range(1, daemon.seq + 1))


def test_a_followed_journal_goes_on_over_a_restart_of_the_daemon(daemon: House, demo: Project) -> None:
    follow = daemon.golemctl_process("events", "-f", "--since", "1", "--json")
    _next_line(follow, "project.registered")
    daemon.restart()
    _next_line(follow, "daemon.stopped")
    item = demo.add()
    assert json.loads(_next_line(follow, "item.added"))["item"] == item
    follow.send_signal(signal.SIGINT)
    assert _end(follow)[0] == 130


def test_logs_are_followed_to_the_end_of_the_attempt(daemon: House, demo: Project) -> None:
    item = demo.work("[[sleep 0.3]] [[write a.txt x]]")
    daemon.until("attempt.spawned", item)
    done = daemon.golemctl("logs", item, "-f")
    assert (done.status, done.out) == (0, "scripted: sleep 0.3\nscripted: write a.txt x\n")
    assert daemon.golemctl("logs", item, "--stderr").out == ""


def test_followed_logs_outlive_a_restart_of_the_daemon(daemon: House, fifo: Callable[[str], Fifo]) -> None:
    go = fifo("go")
    agents = daemon.agent("talker", f"echo one; read x < {go.path}; echo two; {RESULT}")
    project = daemon.project(phases=[phase(agent="talker")], agents=agents)
    item = project.work()
    daemon.until("attempt.spawned", item)
    logs = daemon.golemctl_process("logs", "-f", item)
    _next_line(logs, "one")
    daemon.kill9()
    daemon.start()
    go.go()
    status, out, err = _end(logs)
    assert (status, out) == (0, "two\n"), err
    assert "golemd is back." in err


def test_a_diff_is_shown_while_an_item_runs_and_after_it_is_done(daemon: House, demo: Project) -> None:
    item = demo.work("[[write README changed]] [[write new.txt x]] [[build.1: sleep 600]]")
    daemon.until_output(f"{item}.1.build.1", "sleep")
    live = daemon.golemctl("diff", item)
    assert "+changed" in live.out
    assert "new.txt" in live.err
    daemon.call(calls.RunStop(project="demo", now=True))
    daemon.until("attempt.rejected", item)
    demo.run()
    daemon.until("work.kept", item)
    done = daemon.golemctl("diff", item, "--stat")
    assert (done.status, "README" in done.out, "new.txt" in done.out) == (0, True, True)
    assert daemon.golemctl("path", item).status == 1
    assert daemon.golemctl("diff", demo.add()).status == 1


def test_a_project_is_found_from_a_folder_inside_a_worktree_and_by_name(daemon: House, demo: Project) -> None:
    daemon.project("other", prefix="OTH")
    item = demo.work(ASKS)
    demo.halted()
    inside = daemon.golemctl("add", "from inside", cwd=demo.worktree(item))
    assert (inside.status, inside.out) == (0, "WRK-2\n"), inside.err
    shown = daemon.golemctl("status", "--json", cwd=demo.worktree(item)).json
    assert [project["name"] for project in shown["projects"]] == ["demo"]
    assert daemon.golemctl("add", "named", "--project", "other").out == "OTH-1\n"
    assert daemon.golemctl("--project", str(demo.root), "add", "by folder").out == "WRK-3\n"
    beside = daemon.golemctl("add", "beside", "--project", "../other", cwd=demo.root)
    assert beside.out == "OTH-2\n", beside.err
    everywhere = daemon.golemctl("status", "--json", cwd=daemon.root).json
    assert [project["name"] for project in everywhere["projects"]] == ["demo", "other"]


def test_init_writes_a_commented_configuration_that_reload_and_check_take(daemon: House) -> None:
    project = daemon.repository("fresh")
    done = daemon.golemctl("init", "--prefix", "FR", cwd=project.root)
    assert done.status == 0, done.err
    assert "golem.toml" in done.out
    assert daemon.golemctl("init", cwd=project.root).status == 0
    assert daemon.golemctl("reload").status == 0
    assert daemon.golemctl("add", "something", cwd=project.root).out == "FR-1\n"


def test_a_token_makes_a_repeated_add_safe(daemon: House, demo: Project) -> None:
    first, again = (daemon.golemctl("add", "once", "--token", "t-1", "--json", cwd=demo.root).json for _ in range(2))
    assert (first["id"], again["id"], again["repeated"]) == ("WRK-1", "WRK-1", True)


def test_status_for_people_names_what_waits_first(daemon: House, demo: Project) -> None:
    demo.work(ASKS)
    demo.halted()
    shown = daemon.golemctl("status", cwd=demo.root)
    assert shown.status == 0
    assert "Which colour?" in shown.out
    assert "\x1b" not in shown.out
    assert "golemctl unblock WRK-1" in shown.out


def test_the_socket_is_found_by_the_address_that_the_daemon_left(daemon: House) -> None:
    env = {"GOLEMD_SOCKET": "", "GOLEMD_STATE_DIR": str(daemon.state)}
    assert daemon.golemctl("ping", "--json", env=env).json["pid"] == daemon.pid
    moved = daemon.root / "elsewhere" / "s.sock"
    moved.parent.mkdir(mode=0o700)
    daemon.stop()
    daemon.socket = moved
    daemon.start("--socket", moved)
    assert daemon.golemctl("ping", "--json", env=env).json["pid"] == daemon.pid


def test_shutdown_waits_for_the_end(daemon: House, demo: Project) -> None:
    demo.work("[[sleep 600]]")
    daemon.until("attempt.spawned")
    done = daemon.golemctl("shutdown")
    assert done.status == 0, done.err
    assert daemon.process is not None
    assert daemon.process.poll() == 0
    assert daemon.left() == []


def test_a_closed_pipe_is_no_error(daemon: House, demo: Project) -> None:
    demo.add()
    reader, writer = os.pipe()
    os.close(reader)
    try:
        events = daemon.golemctl_process("events")
        done = subprocess.run(
            events.args, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=GUARD_SECONDS,
            env=daemon.env | {"GOLEMD_SOCKET": str(daemon.socket)}, cwd=daemon.root,
        )  # fmt: skip
        _end(events)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
