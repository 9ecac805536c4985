"""Where agents and commands find their programs: as the user's login shell says, unless golemd.toml says otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from golemd.api import calls
from tests.path.ground import Fifo, wait_for_line
from tests.path.house import House
from tests.path.repositories import RESULT, Project

SAYS_PATH = f'printf %s "$PATH" > seen.txt; {RESULT}'
ANSWERS = 'for word in "$@"; do last=$word; done; eval "$last"'


def login_shell(house: House, script: str) -> dict[str, str]:
    """An environment whose login shell runs this before it answers."""
    return {"SHELL": house.program("login-shell", f"{script}\n{ANSWERS}")}


def project(house: House) -> Project:
    phase = {"name": "build", "agent": "mine", "verify": ['printf %s "$PATH" > "$GOLEM_PROJECT_ROOT/verified.txt"']}
    return house.project(agents=house.agent("mine", SAYS_PATH), phases=[phase])


def seen(demo: Project) -> str:
    item = demo.work()
    demo.house.done(item)
    demo.halted()
    path = demo.file_of(item, "seen.txt")
    assert (demo.root / "verified.txt").read_text(encoding="utf-8") == path, "commands are given the same"
    return path


def test_agents_and_commands_get_the_path_of_the_login_shell(house: House) -> None:
    house.start(env=login_shell(house, 'echo "Good morning"; PATH=/opt/of/the/user:$PATH'))
    assert seen(project(house)) == f"/opt/of/the/user:{house.env['PATH']}"


def test_a_configured_path_is_taken_and_nobody_is_asked(house: House) -> None:
    mine = f"/opt/configured:{house.env['PATH']}"
    house.settings(environment={"path": mine})
    house.start(env=login_shell(house, f"touch {house.root}/asked"))
    assert seen(project(house)) == mine
    assert not (house.root / "asked").exists()


def test_a_reload_brings_a_configured_path_into_force_and_takes_it_back(house: House) -> None:
    house.start(env=login_shell(house, "PATH=/opt/of/the/user:$PATH"))
    demo = project(house)
    house.settings(environment={"path": f"/opt/configured:{house.env['PATH']}"})
    house.call(calls.Reload())
    assert seen(demo).startswith("/opt/configured:")
    house.settings()
    house.call(calls.Reload())
    assert seen(demo).startswith("/opt/of/the/user:")


def test_when_the_login_shell_does_not_tell_agents_get_the_daemons_path_and_the_log_says_so(house: House) -> None:
    house.start(env=login_shell(house, "exit 1"))
    assert seen(project(house)) == house.env["PATH"]
    assert "does not tell its PATH" in house.said()


def test_the_start_does_not_wait_for_the_shell_and_the_first_agent_does(
    house: House, fifo: Callable[[str], Fifo]
) -> None:
    gate = fifo("gate")
    house.start(env=login_shell(house, f"read go < {gate.path}; PATH=/opt/late:$PATH"))
    demo = project(house)
    item = demo.work()
    house.until("attempt.planned", item)
    assert not house.records("attempt.spawned")
    gate.go()
    house.done(item)
    assert demo.file_of(item, "seen.txt").startswith("/opt/late:")


def test_a_stop_does_not_wait_for_the_shell_and_the_next_daemon_starts_what_is_planned(
    house: House, fifo: Callable[[str], Fifo]
) -> None:
    gate = fifo("gate")
    house.start(env=login_shell(house, f"echo $$ > {house.root}/pid; read go < {gate.path}"))
    demo = project(house)
    item = demo.work()
    house.until("attempt.planned", item)
    pid = int(wait_for_line(house.root / "pid", "").strip())
    assert house.stop() == 0
    assert not Path(f"/proc/{pid}").exists(), "nothing of it is left"
    house.start()
    house.done(item)
    assert len(house.records("attempt.planned", item)) == 2, "the agent's and the command's, each planned once"


def test_a_reload_asks_the_shell_again_and_keeps_what_it_told_before_when_it_does_not(house: House) -> None:
    (house.root / "rc").write_text("PATH=/opt/one:$PATH\n", encoding="utf-8")
    house.start(env=login_shell(house, f". {house.root}/rc"))
    demo = project(house)
    first = seen(demo)
    (house.root / "rc").write_text("PATH=/opt/two:$PATH\n", encoding="utf-8")
    house.call(calls.Reload())
    assert [first.split(os.pathsep)[0], seen(demo).split(os.pathsep)[0]] == ["/opt/one", "/opt/two"]
    (house.root / "rc").write_text("exit 1\n", encoding="utf-8")
    house.call(calls.Reload())
    assert seen(demo).startswith("/opt/two:")
