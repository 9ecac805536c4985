"""Setting a worktree aside that nobody needs for a while, and bringing it back exactly as it was.

Rules. First its files and what is staged are kept under a ref, then it may be removed; what changes in between is kept
too. What could not be brought back as it was (big files, repositories inside, an unfinished merge) lets it stand, and
so does a file that somebody has touched lately: a person may be at work there. Ignored files are not kept: they are
copied and set up again. When the branch has moved meanwhile, the uncommitted changes are put on top of it, unless both
have changed the same file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from golemd.adapters.workspace.git import CHECKOUT_SECONDS, Dirs, Git
from golemd.adapters.workspace.kept import gather, keep_tree
from golemd.adapters.workspace.repository import (
    check_branch_name,
    commit_of,
    contained,
    dirs_of_root,
    find_dirs,
    head_branch,
    in_progress,
    tree_of,
)
from golemd.adapters.workspace.trees import (
    changes,
    files_to,
    index_copy,
    patched,
    snapshot_of,
    touched,
)
from golemd.adapters.workspace.types import BIG_BYTES, Current, Kept, Workspace, shown
from golemd.adapters.workspace.worktree import branch_tip, make_again
from golemd.api.faults import Conflict
from golemd.api.model import Aside

HINDRANCES_MAX: Final = 20
"""How many reasons to let a worktree stand are named."""


class SetAside(msgspec.Struct, frozen=True):
    """What was kept; or `hindrances`, in words: why it must be left standing."""

    kept: Kept = Kept()
    aside: Aside | None = None
    hindrances: tuple[str, ...] = ()


async def keep_aside(
    git: Git, workspace: Workspace, branch: str, name: str, *, quiet_since: float, big_bytes: int = BIG_BYTES
) -> SetAside:
    """Keep all of a worktree under refs/golem/kept/<name>, so that it may be removed and brought back.

    `quiet_since`: no file may have been touched after that moment (seconds since the epoch). A worktree that is gone
    already held what its branch holds. Faults: those of `keep`, `branch_missing`.
    """
    root = dirs_of_root(workspace.root)
    async with git.changing(root.common_dir):
        dirs = find_dirs(workspace)
        if dirs is None or not workspace.path.is_dir():
            tip = await branch_tip(git, root, branch)
            tree = await tree_of(git, root, tip)
            return SetAside(aside=Aside(tip, tree, tree))
        head = await commit_of(git, dirs, "HEAD")
        async with index_copy(git, dirs) as index:
            new = await touched(git, dirs, index)
            hindrances = _unsettled(dirs, new, quiet_since)
            gathered = await gather(git, dirs, index, big_bytes, new)
        hindrances += [f"{path} is a repository of its own" for path in gathered.inside]
        hindrances += [f"{entry.path} is {_WHY[entry.why]}" for entry in gathered.listed if entry.why in _WHY]
        hindrances += [] if gathered.staged else ["a conflict is staged"]
        hindrances += [] if await head_branch(git, dirs) == branch else [f"{shown(branch)} is not checked out"]
        if head is None or gathered.staged is None or hindrances:
            return SetAside(hindrances=_bounded(hindrances))
        kept = await keep_tree(git, dirs, name, gathered, head, [await tree_of(git, dirs, head)])
        return SetAside(kept, Aside(head, gathered.tree, gathered.staged, kept.ref or ""))


_WHY: Final = {"big": "too big to be kept", "submodule": "a submodule"}


def _unsettled(dirs: Dirs, new: list[bytes], quiet_since: float) -> list[str]:
    operation = in_progress(dirs)
    newest = [path for path in new if _changed_at(dirs.work_tree, path) > quiet_since]
    return [f"a {operation} is unfinished"] * bool(operation) + [f"{shown(path)} was changed lately" for path in newest]


def _changed_at(work_tree: Path, path: bytes) -> float:
    try:
        return os.lstat(os.path.join(os.fsencode(work_tree), path)).st_mtime
    except OSError:
        return 0.0


def _bounded(words: list[str]) -> tuple[str, ...]:
    more = len(words) - HINDRANCES_MAX
    return tuple(words[:HINDRANCES_MAX] + ([f"and {more} more"] if more > 0 else []))


async def bring_back(
    git: Git, workspace: Workspace, branch: str, aside: Aside, *, worktree_root: Path, keep_as: str
) -> Current:
    """Make a worktree again with the files and the staging that it had. Whatever lies at its place is kept first.

    Faults: `path_escapes`, `branch_missing`, `branch_checked_out`, `object_missing`, `aside_conflict`.
    """
    contained(workspace.path, worktree_root)
    root = dirs_of_root(workspace.root)
    async with git.changing(root.common_dir):
        tip = await branch_tip(git, root, branch)
        tree = await _tree_upon(git, root, tip, aside)
        dirs = await make_again(git, root, workspace, await check_branch_name(git, root, branch), tip, keep_as)
        await files_to(git, dirs, tree)
        if tip == aside.head and aside.staged != await tree_of(git, dirs, tip):
            await git.run(dirs, "read-tree", "--reset", aside.staged, seconds=CHECKOUT_SECONDS)
        await git.run(dirs, "update-index", "-q", "--refresh", statuses=(0, 1), seconds=CHECKOUT_SECONDS)
        return Current(tip, await snapshot_of(git, dirs))


async def content_aside(git: Git, root: Path, branch: str, aside: Aside) -> Current:
    """Where a worktree that was set aside will stand. Faults: `branch_missing`, `aside_conflict`."""
    dirs = dirs_of_root(root)
    async with git.changing(dirs.common_dir):
        tip = await branch_tip(git, dirs, branch)
        return Current(tip, await _tree_upon(git, dirs, tip, aside))


async def _tree_upon(git: Git, dirs: Dirs, tip: str, aside: Aside) -> str:
    """The kept files, upon what the branch holds by now."""
    if tip == aside.head:
        return aside.tree
    before, now = await tree_of(git, dirs, aside.head), await tree_of(git, dirs, tip)
    ours = {change.path for change in await changes(git, dirs, before, aside.tree)}
    theirs = {change.path for change in await changes(git, dirs, before, now)}
    if both := _names(sorted(ours & theirs)):
        message = f"{shown(tip[:7])} on the branch and the kept uncommitted work both change {both}"
        raise Conflict("aside_conflict", message, "put one of them away on another branch, then retry")
    return await patched(git, dirs, now, aside.tree, ours)


def _names(paths: Iterable[bytes]) -> str:
    names = [shown(path) for path in paths]
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
