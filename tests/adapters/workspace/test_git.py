"""Running git: environment, options, time limits, errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from golemd.adapters.workspace import git as git_module
from golemd.adapters.workspace.git import Git, Output, object_name, trouble
from golemd.adapters.workspace.repository import dirs_of_root
from golemd.adapters.workspace.types import shown
from golemd.api.faults import Conflict, Fault, Invalid, NotFound, Unavailable
from tests.adapters.workspace.lab import Lab


def script(folder: Path, text: str) -> str:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


async def test_repository_local_variables_of_the_daemon_do_not_reach_git(lab: Lab) -> None:
    other = lab.tmp / "other"
    other.mkdir()
    lab.sh("init", "-q", cwd=other)
    leaking = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other), "GIT_INDEX_FILE": "/nowhere"}
    leaking |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.bare", "GIT_CONFIG_VALUE_0": "true"}
    git = Git("lab", environment=lab.environment | leaking)
    assert (await git.run(lab.root, "rev-parse", "--show-toplevel")).text == str(lab.root)


async def test_git_runs_with_the_instance_and_without_secrets(lab: Lab, tmp_path: Path) -> None:
    git = Git("me", program=[script(tmp_path, "env")], environment=lab.environment | {"API_KEY": "secret"})
    lines = (await git.run(lab.root, "x")).text.splitlines()
    assert {"GOLEM_INSTANCE=me", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", f"HOME={lab.home}"} <= set(lines)
    assert not any(line.startswith("API_KEY") for line in lines)
    assert "secret" not in repr(git)


async def test_identity_falls_back_to_golemd_and_respects_the_users(lab: Lab) -> None:
    dirs = dirs_of_root(lab.root)
    assert (await lab.git.identity(dirs))["GIT_AUTHOR_EMAIL"] == "golemd@localhost"
    (lab.home / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n")
    assert await lab.git.identity(dirs) == {}


async def test_what_a_user_has_configured_does_nothing_behind_our_back(lab: Lab) -> None:
    monitor = lab.tmp / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {lab.tmp}/monitor-ran\n")
    monitor.chmod(0o755)
    lab.sh("config", "core.fsmonitor", str(monitor))
    for name in ("rerere.enabled", "submodule.recurse", "core.splitIndex", "core.quotePath", "maintenance.auto"):
        lab.sh("config", name, "true")
        assert (await lab.git.run(lab.root, "config", "--get", name)).text == "false"
    for name, value in {"gc.auto": "0", "i18n.commitEncoding": "UTF-8", "core.pager": "cat"}.items():
        lab.sh("config", name, "latin-1")
        assert (await lab.git.run(lab.root, "config", "--get", name)).text == value
    await lab.git.run(lab.root, "status")
    assert not (lab.tmp / "monitor-ran").exists()


async def test_a_missing_program_says_what_to_install(lab: Lab) -> None:
    with pytest.raises(NotFound) as caught:
        await Git("lab", program=["/no/such/git"]).run(lab.root, "status")
    assert caught.value.code == "git_missing"


async def test_a_program_that_cannot_be_run_is_unavailable(lab: Lab) -> None:
    with pytest.raises(Unavailable) as caught:
        await Git("lab", program=[str(lab.home)]).run(lab.root, "status")
    assert caught.value.code == "git_not_started"


async def test_a_slow_git_is_ended_with_all_it_started(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    text = f"trap '' TERM\n(trap '' TERM; exec sleep 1000) &\necho $! $$ > {pids}\nwait\nwait"
    git = Git("lab", program=[script(tmp_path, text)], seconds=0.2)
    monkeypatch.setattr(git_module, "END_SECONDS", 0.05)
    with pytest.raises(Unavailable) as caught:
        await git.run(lab.root, "status")
    assert caught.value.code == "git_timeout"
    await all_gone([int(pid) for pid in pids.read_text().split()])


async def all_gone(pids: list[int]) -> None:
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            with trio.fail_after(5):
                await trio.lowlevel.wait_readable(fd)
        finally:
            os.close(fd)


async def test_a_cancelled_git_is_ended_and_reaped(lab: Lab, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    pids = tmp_path / "pids"
    git = Git("lab", program=[script(tmp_path, f"echo $$ > {pids}; echo > {fifo}; exec sleep 1000")])
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(git.run, lab.root, "status")
        with trio.fail_after(5):
            await trio.lowlevel.wait_readable(reader)
        nursery.cancel_scope.cancel()
    os.close(reader)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pids.read_text()), 0)


async def test_something_left_running_with_the_pipes_does_not_hold_the_answer_up(lab: Lab, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    git = Git("lab", program=[script(tmp_path, f"echo answer; sleep 1000 & echo $! > {pids}")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(git_module, "LINGER_SECONDS", 0.05)
        output = await git.run(lab.root, "status")
    os.kill(int(pids.read_text()), 9)
    assert output.text == "answer"


async def test_more_output_than_the_limit_is_a_fault_and_not_memory(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = Git("lab", program=[script(tmp_path, "head -c 3000000 /dev/zero")])
    monkeypatch.setattr(git_module, "OUTPUT_BYTES", 1000)
    with pytest.raises(Unavailable) as caught:
        await git.run(lab.root, "status")
    assert caught.value.code == "git_output_too_large"


async def test_a_git_that_does_not_read_its_input_is_judged_by_its_status(lab: Lab, tmp_path: Path) -> None:
    git = Git("lab", program=[script(tmp_path, "exec 0<&-; echo 'fatal: enough' >&2; exit 3")])
    with pytest.raises(Unavailable) as caught:
        await git.run(lab.root, "status", stdin=b"x" * 3_000_000)
    assert (caught.value.code, caught.value.message, caught.value.data["status"]) == ("git_failed", "fatal: enough", 3)


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        (b"fatal: not a git repository (or any of the parent directories): .git\n", Invalid, "not_a_repository"),
        (b"fatal: detected dubious ownership in repository at '/x'\n", Unavailable, "unsafe_repository"),
        (b"fatal: Unable to create '/x/.git/index.lock': File exists.\n\nAnother git\n", Unavailable, "git_locked"),
        (b"error: file write error: No space left on device\nfatal: unable\n", Unavailable, "disk_full"),
        (b"fatal: cannot lock ref 'x': is at 1 but expected 2\n", Conflict, "branch_moved"),
        (b"fatal: cannot lock ref 'x': reference already exists\n", Conflict, "branch_moved"),
        (b"fatal: 'refs/heads/golem' exists; cannot create 'refs/heads/golem/x'\n", Conflict, "branch_name_taken"),
        (b"error: open(\"x\"): Permission denied\nerror: unable to index file 'x'\n", Unavailable, "unreadable_file"),
        (b"warning: could not open directory 'd/': Permission denied\n", Unavailable, "unreadable_file"),
        (b"fatal: cannot mkdir x: Permission denied\n", Unavailable, "not_permitted"),
        (b"fatal: bad object 1234\n", Conflict, "object_missing"),
        (b"warning: hm\nfatal: \xff\x1b[31m\n", Unavailable, "git_failed"),
        (b"", Unavailable, "git_failed"),
    ],
)
def test_gits_words_become_faults(said: bytes, kind: type[Fault], code: str) -> None:
    fault = trouble(Output(128, b"", said), "x")
    assert (type(fault), fault.code) == (kind, code)
    assert fault.hint
    assert fault.message.isprintable()


def test_only_full_object_names_are_taken() -> None:
    assert object_name("a" * 40)
    assert object_name("a" * 64)
    for bad in ("", "main", "-" * 40, "A" * 40, "a" * 39, "a" * 40 + "\n"):
        with pytest.raises(Invalid):
            object_name(bad)


def test_shown_paths_are_valid_and_printable() -> None:
    assert shown(b'gr\xc3\xbcn/\xff\x01\n "q"') == 'grün/\\xff\\x01\\x0a "q"'
    assert shown("\u202ex") == "\\u202ex"
    assert shown("\U000e0001") == "\\U000e0001"
