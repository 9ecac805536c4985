"""The login shell's PATH: learnt from shells of every temper, or not at all, and soon."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from golemd.adapters.login_shell import login_path, login_shell
from tests.path.ground import ended

WAY = "/opt/mine/bin:/usr/bin:/bin"
Shell = Callable[[str], str]
ANSWERS = 'for word in "$@"; do last=$word; done; PATH=' + WAY + ' eval "$last"'
"""What a shell of these tests does at the end: it runs the command that it was given, with a PATH of its own."""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    def make(script: str) -> str:
        path = tmp_path / "shell"
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o700)
        return str(path)

    return make


async def learnt(shell: str, seconds: float = 20.0, **environ: str) -> str:
    return await login_path(shell, {"HOME": "/", "PATH": os.environ["PATH"], **environ}, seconds)


def pids_of(program: str) -> list[int]:
    """The processes that a shell has written down."""
    file = Path(f"{program}.pids")
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []


@pytest.mark.parametrize(
    "script",
    [
        ANSWERS,
        f"echo Welcome; printf '\\033[1mno line feed'; {ANSWERS}; echo Bye",
        f"set -x; read answer; echo got $answer; {ANSWERS}",
        f"{ANSWERS}; exit 3",
        f"sleep 600 & echo $! > $0.pids; {ANSWERS}",
        f"[ $1 = -i ] && exec true; {ANSWERS}",
        f"[ $1 = -i ] && kill -9 $$; {ANSWERS}",
        f"trap '' TERM; {ANSWERS}; exec sleep 600",
        f"tty; sh -c 'echo Update? > /dev/tty; read it < /dev/tty' 2>&1; {ANSWERS}",
    ],
    ids=["quiet", "talks", "asks", "fails", "leaves a job", "goes elsewhere", "dies", "does not leave", "wants a tty"],
)
async def test_the_path_is_what_its_programs_get(shell: Shell, script: str) -> None:
    program = shell(script)
    assert await learnt(program) == WAY
    for pid in pids_of(program):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "script",
    ["exit 1", "echo nothing", "exec yes", "exec sleep 600", "kill -9 $$"],
    ids=["refuses", "no answer", "never stops", "hangs", "dies"],
)
async def test_one_that_does_not_tell_gives_nothing_and_is_ended(shell: Shell, script: str) -> None:
    program = shell(f"echo $$ >> $0.pids; {script}")
    assert await learnt(program, seconds=1.0) == ""
    pids = pids_of(program)
    assert len(pids) == 2, "it is asked in two ways"
    assert all(map(ended, pids))


async def test_what_its_start_up_files_hold_is_given_back_when_it_is_ended(tmp_path: Path) -> None:
    """A lock of theirs that was left would hold up every shell to come."""
    lock, once = tmp_path / "lock", tmp_path / "once"
    holds = f"trap 'rm {lock}' EXIT; : > {lock}; : > {once}; sleep 600"
    (tmp_path / ".bash_profile").write_text(f'bash -c "{holds}"\n', encoding="utf-8")
    bash = shutil.which("bash")
    assert bash is not None
    assert await learnt(bash, seconds=1.0, HOME=str(tmp_path)) == ""
    assert once.exists()
    assert not lock.exists()


async def test_what_is_no_shell_gives_nothing(tmp_path: Path) -> None:
    assert await learnt("/no/such/shell") == ""
    assert await learnt(str(tmp_path)) == ""


async def test_it_is_a_login_shell_that_knows_nothing_of_golemd(tmp_path: Path) -> None:
    """Asked of real shells, as far as they are here: their start-up files are read, and see no names of ours."""
    profile = "printf 'Hello, '; env > $HOME/seen; PATH=/from/profile:/usr/bin:/bin; export PATH\n"
    for name in (".profile", ".zprofile"):
        (tmp_path / name).write_text(profile, encoding="utf-8")
    for name in ("sh", "bash", "dash", "zsh"):
        program = shutil.which(name)
        if program is not None:
            (tmp_path / "seen").unlink(missing_ok=True)
            path = await learnt(program, HOME=str(tmp_path), GOLEM_INSTANCE="x", NOTIFY_SOCKET="@y", MINE="z")
            assert path == "/from/profile:/usr/bin:/bin", name
            seen = (tmp_path / "seen").read_text(encoding="utf-8")
            assert ("GOLEM" in seen, "NOTIFY_SOCKET" in seen, "MINE=z" in seen) == (False, False, True)


async def test_what_only_an_interactive_shell_reads_counts(tmp_path: Path) -> None:
    (tmp_path / ".bash_profile").write_text(". ~/.bashrc\n", encoding="utf-8")
    rc = "case $- in *i*) ;; *) return;; esac\nPATH=/from/rc:$PATH\n"
    (tmp_path / ".bashrc").write_text(rc, encoding="utf-8")
    bash = shutil.which("bash")
    assert bash is not None
    assert (await learnt(bash, HOME=str(tmp_path))).startswith("/from/rc:")


def test_the_login_shell_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    assert login_shell({"SHELL": "/bin/fish"}) == "/bin/fish"
    assert login_shell({"SHELL": "fish"}).startswith("/")

    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert login_shell({}) == "/bin/sh"
