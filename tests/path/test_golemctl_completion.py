"""Completion: what bash, zsh and fish are offered with a real daemon, and silence without one."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path
from typing import Final

from golemctl import completion
from golemctl.completion import COMPLETE_SECONDS
from tests.path.ground import run_command
from tests.path.house import House
from tests.path.repositories import Project, phase

ASKS: Final = '[[build: result {"result": "blocked", "summary": "s", "question": "Which?"}]]'

OFFERED: Final = {
    "golemctl sh": "show shutdown",
    "golemctl journal ": "verify prune path",
    "golemctl status --al": "--all",
    "golemctl why ": "WRK-1 WRK-2 OTH-1",
    "golemctl show O": "OTH-1",
    "golemctl show WRK-3": "WRK-3",
    "golemctl show WRK-1.": "WRK-1.g1",
    "golemctl reopen ": "WRK-3",
    "golemctl unblock ": "WRK-1 WRK-1.g1",
    "golemctl approve X": "",
    "golemctl decide WRK-1.g1 ": "answer abort",
    "golemctl decide WRK-1 an": "answer",
    "golemctl decide WRK-2 ": "",
    "golemctl advance WRK-1 --to ": "build review",
    "golemctl advance WRK-2 --to ": "",
    "golemctl advance nothing --to ": "",
    "golemctl status --project ": "demo other",
    "golemctl --project o": "other",
    "golemctl add --pipeline ": "feature quick",
    "golemctl add --project other --pipeline ": "feature",
    "golemctl add --dep W": "WRK-1 WRK-2",
    "golemctl edit WRK-1 --label do": "docs door",
    "golemctl edit WRK-1 --size ": "small medium large",
    "golemctl edit WRK-1 --risk m": "medium",
    "golemctl events --type gate.d": "gate.decided",
    "golemctl events --type ga": "gate",
    "golemctl status --only si": "size=small size=medium size=large",
    "golemctl status --only label=u": "label=urgent",
    "golemctl gates --only pipeline=": "pipeline=feature pipeline=quick",
    "golemctl add T": "",
}


def begin(daemon: House) -> Project:
    """Two projects: an item that asks, one that waits for it, one that is done; one of the other project."""
    two = [phase("build"), phase("review")]
    project = daemon.project(phases=two, pipelines={"quick": [phase()]}, execution={"max_retries": 0})
    project.add(ASKS, labels=("docs", "urgent"))
    project.add(dependencies=("WRK-1",))
    project.add()
    project.run()
    project.halted()
    daemon.project("other", prefix="OTH").add(labels=("door",))
    return project


def offered(house: House, line: str, cwd: Path, **env: str) -> str:
    """What bash is offered for the last word of a line."""
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = house.golemctl(env={"_GOLEMCTL_COMPLETE": "complete_bash", **asked, **env}, cwd=cwd)
    assert (done.status, done.err) == (0, ""), done
    return " ".join(done.out.split())


def test_the_shell_is_offered_what_there_is(daemon: House) -> None:
    project = begin(daemon)
    assert {line: offered(daemon, line, project.root) for line in OFFERED} == OFFERED


def test_bash_completes_with_the_script_that_is_shown(daemon: House) -> None:
    project = begin(daemon)
    program = daemon.program("golemctl", f'PYTHONSAFEPATH=1 exec "{sys.executable}" -m golemctl "$@"')
    env = daemon.env | {
        "GOLEMD_SOCKET": str(daemon.socket),
        "PATH": f"{Path(program).parent}:{os.environ['PATH']}",
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    script = """
        eval "$(golemctl --show-completion bash)"
        COMP_WORDS=(golemctl unblock WRK) COMP_CWORD=2
        $(complete -p golemctl | sed 's/.*-F \\([^ ]*\\) .*/\\1/') golemctl
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = run_command(["bash", "--norc", "-c", script], cwd=project.root, env=env)
    assert (done.out.split(), done.err) == (["WRK-1", "WRK-1.g1"], "")


def test_zsh_and_fish_are_offered_the_same(daemon: House) -> None:
    project = begin(daemon)
    line = {"_TYPER_COMPLETE_ARGS": "golemctl show WRK-"}
    zsh = daemon.golemctl(env={"_GOLEMCTL_COMPLETE": "complete_zsh", **line}, cwd=project.root)
    assert '(("WRK-1"\n"WRK-2"))' in zsh.out
    fish = {"_GOLEMCTL_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert daemon.golemctl(env={**fish, **line}, cwd=project.root).out.split() == ["WRK-1", "WRK-2"]


def test_without_a_daemon_or_with_one_that_says_nothing_there_is_silence_and_soon(house: House) -> None:
    for line in OFFERED:
        if line.startswith("golemctl show"):
            assert offered(house, line, house.root) == ""
    house.state.mkdir()
    house.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(house.socket))
        listener.listen()
        begun = time.monotonic()
        assert offered(house, "golemctl edit WRK-1 --size X", house.root) == ""
        start = time.monotonic() - begun
        begun = time.monotonic()
        assert offered(house, "golemctl why ", house.root) == ""
        assert time.monotonic() - begun < COMPLETE_SECONDS + 3 * start  # the machine may be busy
    assert COMPLETE_SECONDS < 1


def test_in_a_folder_that_is_gone_there_is_silence(daemon: House) -> None:
    begin(daemon)
    folder = daemon.root / "gone"
    folder.mkdir()
    script = f'cd "{folder}"; rmdir "{folder}"; exec "{sys.executable}" -m golemctl'
    asked = {"_GOLEMCTL_COMPLETE": "complete_bash", "COMP_WORDS": "golemctl add --pipeline ", "COMP_CWORD": "3"}
    done = run_command(["sh", "-c", script], env=daemon.env | {"GOLEMD_SOCKET": str(daemon.socket)} | asked)
    assert (done.status, done.out.strip(), done.err) == (0, "", "")


def test_sizes_and_levels_are_those_that_filters_know() -> None:
    from golemd.core import filters

    assert (completion.SIZES, completion.LEVELS) == (filters.SIZES, filters.LEVELS)
