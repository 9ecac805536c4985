"""What a git that was killed leaves: processes of a dead daemon, lock files, temporary indexes.

Rules: only git processes that carry this daemon's GOLEM_INSTANCE and no GOLEM_ATTEMPT are ours to end; those of agents
are theirs. A lock file goes only when no git is at work in its worktree. Processes are awaited and ended by pidfd.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import trio

from golemd.adapters.workspace.git import Dirs
from golemd.adapters.workspace.repository import find_dirs
from golemd.adapters.workspace.trees import INDEX_PREFIX
from golemd.adapters.workspace.types import Cleared, Workspace, shown
from golemd.api.faults import Fault

DEAD_GIT_SECONDS: Final = 10.0
"""How long the gits of a dead daemon may go on, all together, before they are ended."""

ENVIRON_BYTES: Final = 1024 * 1024
"""How much of a process's environment is read."""

COMM_BYTES: Final = 64
"""More than a process's name ever has."""


async def clear_dead_git(instance: str, workspaces: Sequence[Workspace], seconds: float = DEAD_GIT_SECONDS) -> Cleared:
    """At start, before any git of our own: wait for a dead daemon's git, end what does not end, remove its locks."""
    pidfds: dict[int, int] = {}
    try:
        for pid in _ours(instance):
            with contextlib.suppress(OSError):
                pidfds[pid] = os.pidfd_open(pid)
                if pid not in set(_ours(instance)):  # the number went to another process meanwhile
                    os.close(pidfds.pop(pid))
        ended = await _outlasting(pidfds, seconds)
        for pid in ended:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfds[pid], signal.SIGKILL)
        await _outlasting({pid: pidfds[pid] for pid in ended}, seconds)
    finally:
        for fd in pidfds.values():
            os.close(fd)
    locks: list[str] = []
    for workspace in workspaces:
        with contextlib.suppress(Fault):  # a repository that is gone has no locks
            if dirs := find_dirs(workspace):
                locks += free_stale_locks(dirs)
    return Cleared(tuple(ended), tuple(pid for pid in pidfds if pid not in ended), tuple(locks))


async def _outlasting(pidfds: Mapping[int, int], seconds: float) -> list[int]:
    """Those of some processes, by their pidfds, that go on after a time for all of them."""
    left = dict.fromkeys(pidfds)

    async def wait(pid: int) -> None:
        await trio.lowlevel.wait_readable(pidfds[pid])
        del left[pid]

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for pid in pidfds:
                nursery.start_soon(wait, pid)
    return list(left)


def free_stale_locks(dirs: Dirs, branch_ref: str | None = None) -> list[str]:
    """Remove the locks and temporary indexes of killed gits from a linked worktree's own git folder.

    With `branch_ref`, the lock of that ref too. Does nothing in a repository's main git folder, which is not ours, nor
    while any git is at work in the worktree. Gives the removed files.
    """
    if dirs.git_dir == dirs.common_dir:
        return []
    candidates = [dirs.git_dir / "index.lock", dirs.git_dir / "HEAD.lock", *dirs.git_dir.glob(f"{INDEX_PREFIX}*")]
    if branch_ref is not None:
        candidates.append(dirs.common_dir / f"{branch_ref}.lock")
    found = [path for path in candidates if path.exists()]
    if not found or git_at_work(dirs):
        return []
    for path in found:
        path.unlink(missing_ok=True)
    return [shown(str(path)) for path in found]


def git_at_work(dirs: Dirs) -> bool:
    """Whether any git process of this user stands in the worktree or names its git folder."""
    inside = os.path.realpath(dirs.work_tree)
    for pid in _gits():
        with contextlib.suppress(OSError):
            cwd = os.readlink(f"/proc/{pid}/cwd")
            if cwd == inside or cwd.startswith(f"{inside}/"):
                return True
            if os.fsencode(f"GIT_DIR={dirs.git_dir}") in _environ(pid):
                return True
    return False


def _ours(instance: str) -> Iterator[int]:
    for pid in _gits():
        with contextlib.suppress(OSError):
            environ = _environ(pid)
            carries = os.fsencode(f"GOLEM_INSTANCE={instance}") in environ
            if carries and not any(entry.startswith(b"GOLEM_ATTEMPT=") for entry in environ):
                yield pid


def _gits() -> Iterator[int]:
    """Processes of this user whose name is git, or one of its parts."""
    own, user = os.getpid(), os.geteuid()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == own:
            continue
        process = f"/proc/{name}"  # no Path: each start and each attempt goes through all processes of the machine
        with contextlib.suppress(OSError):
            if os.stat(process).st_uid == user and _is_git(process):
                yield int(name)


def _is_git(process: str) -> bool:
    with open(f"{process}/comm", "rb", buffering=0) as file:
        comm = file.read(COMM_BYTES)
    return comm.strip() == b"git" or comm.startswith(b"git-")


def _environ(pid: int) -> list[bytes]:
    with open(f"/proc/{pid}/environ", "rb") as environ:
        return environ.read(ENVIRON_BYTES).split(b"\0")
