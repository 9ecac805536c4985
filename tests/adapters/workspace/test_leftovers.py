"""What a dead daemon's git leaves."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from golemd.adapters.workspace import Cleared, Workspace, clear_dead_git
from golemd.adapters.workspace import leftovers as leftovers_module
from golemd.adapters.workspace.leftovers import free_stale_locks, git_at_work
from golemd.adapters.workspace.repository import dirs_of
from tests.adapters.workspace.lab import Lab


class Gits:
    """Processes named git that wait for the end of their input."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, cwd: Path, **environment: str) -> subprocess.Popen[bytes]:
        argv = ["git", "cat-file", "--batch"]
        env = {"PATH": os.environ["PATH"], **environment}
        process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"HEAD\n")  # an answer shows that it has begun
        process.stdin.flush()
        process.stdout.readline()
        self.processes.append(process)
        return process


@pytest.fixture
def gits() -> Iterator[Gits]:
    gits = Gits()
    yield gits
    for process in gits.processes:
        process.kill()
        process.communicate()


async def test_a_dead_daemons_git_is_ended_and_others_are_not(lab: Lab, gits: Gits) -> None:
    ours = gits.start(lab.root, GOLEM_INSTANCE="dead")
    agents = gits.start(lab.root, GOLEM_INSTANCE="dead", GOLEM_ATTEMPT="WRK-1.1.build.1")
    other = gits.start(lab.root, GOLEM_INSTANCE="alive")
    cleared = await clear_dead_git("dead", [], seconds=0.05)
    assert cleared.ended == (ours.pid,)
    assert ours.wait(5) == -9
    assert agents.poll() is None
    assert other.poll() is None


async def test_the_time_that_is_waited_is_for_all_of_them(
    lab: Lab, gits: Gits, autojump_clock: trio.testing.MockClock
) -> None:
    ours = [gits.start(lab.root, GOLEM_INSTANCE="dead") for _ in range(4)]
    cleared = await clear_dead_git("dead", [], seconds=10)
    assert set(cleared.ended) == {each.pid for each in ours}
    assert [each.wait(5) for each in ours] == [-9] * 4
    assert trio.current_time() <= 20, "one time to end by themselves, and one to be ended"


async def test_a_git_that_ends_by_itself_is_waited_for(lab: Lab, gits: Gits, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = gits.start(lab.root, GOLEM_INSTANCE="dead")
    assert ours.stdin is not None
    ours.stdin.close()
    monkeypatch.setattr(leftovers_module, "_ours", lambda _: iter([ours.pid]))
    cleared = await clear_dead_git("dead", [], seconds=5)
    assert (cleared.ended, cleared.waited) == ((), (ours.pid,))
    ours.stdin = None


async def test_a_number_that_went_to_another_process_is_left_alone(
    lab: Lab, gits: Gits, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = gits.start(lab.root)
    answers = iter([[other.pid], []])
    monkeypatch.setattr(leftovers_module, "_ours", lambda _: iter(next(answers)))
    assert await clear_dead_git("dead", [], seconds=0.05) == Cleared()
    assert other.poll() is None


async def test_locks_in_our_worktrees_go_and_others_stay(lab: Lab) -> None:
    await lab.prepare()
    dirs = dirs_of(lab.workspace())
    ours = [dirs.git_dir / name for name in ("index.lock", "HEAD.lock", "golemd-index.1.1")]
    main = lab.root / ".git" / "index.lock"
    for path in (*ours, main):
        path.touch()
    gone = Workspace(lab.tmp / "gone", lab.tmp / "gone" / "x")
    shared = Workspace(lab.root, lab.root)
    cleared = await clear_dead_git("dead", [gone, shared, lab.workspace()])
    assert sorted(cleared.locks) == sorted(map(str, ours))
    assert main.exists()
    assert not any(path.exists() for path in ours)


async def test_a_lock_of_a_git_at_work_stays(lab: Lab, gits: Gits) -> None:
    await lab.prepare()
    dirs = dirs_of(lab.workspace())
    lock = dirs.git_dir / "index.lock"
    for cwd, environment in ((dirs.work_tree / "src", {}), (lab.root, {"GIT_DIR": str(dirs.git_dir)})):
        lock.touch()
        assert not git_at_work(dirs)
        process = gits.start(cwd, **environment)
        assert free_stale_locks(dirs) == []
        assert lock.exists()
        process.kill()
        process.communicate()
        assert free_stale_locks(dirs) == [str(lock)]
