"""A workspace that is the repository itself: looked at, never made, never put back, never removed."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Final

from golemd.adapters.workspace.git import Dirs, Git
from golemd.adapters.workspace.repository import commit_of, dirs_of, head_branch, in_progress, is_ancestor
from golemd.adapters.workspace.trees import snapshot_of
from golemd.adapters.workspace.types import Prepared, Workspace, shown
from golemd.api.faults import Conflict

SHOWN: Final = 5  # files of somebody else that are named


async def enter_shared(git: Git, workspace: Workspace, branch: str, *, clean: bool) -> tuple[str, Prepared]:
    """The branch that is checked out in the repository, and where a phase begins on it.

    `branch`: the one that the run began on, empty for a new run. `clean`: nothing that git tracks may be changed.
    Faults: `detached_head`, `branch_changed`, `operation_in_progress`, `not_clean`, and those of `snapshot`.
    """
    dirs = dirs_of(workspace)
    there, head = await head_branch(git, dirs), await commit_of(git, dirs, "HEAD")
    where = shown(str(workspace.path))
    if there is None or head is None:
        raise Conflict("detached_head", f"{where} has no branch checked out", "Check one out: git switch BRANCH")
    if branch and there != branch:
        message = f"{where} has {shown(there)} checked out, and the run began on {shown(branch)}"
        raise Conflict("branch_changed", message, f"Check it out again: git switch {shown(branch)}")
    if under_way := in_progress(dirs):
        raise Conflict("operation_in_progress", f"a {under_way} is under way in {where}", f"git {under_way} --abort")
    changed = await _changed(git, dirs) if clean else []
    if changed:
        more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        message = f"{where} has changes that are not committed: {', '.join(changed[:SHOWN])}{more}"
        raise Conflict("not_clean", message, "Commit or stash them, then retry.")
    return there, Prepared(base_branch_commit=head, base_commit=head, head=head, tree=await snapshot_of(git, dirs))


async def _changed(git: Git, dirs: Dirs) -> list[str]:
    """Tracked files that differ from HEAD."""
    listing = await git.run(dirs, "diff-index", "--name-only", "-z", "--ignore-submodules=dirty", "HEAD", "--")
    return [shown(path) for path in listing.fields]


async def missing_commits(git: Git, workspace: Workspace, commits: Collection[str]) -> set[str]:
    """Those of some commits that are not in the history of HEAD."""
    dirs = dirs_of(workspace)
    head = await commit_of(git, dirs, "HEAD")
    return {each for each in commits if head is None or not await is_ancestor(git, dirs, each, head)}


def belongs_to(path: bytes, folders: Collection[str]) -> bool:
    """Whether a path lies in one of some folders, such as the change folders of other items."""
    return any(path.startswith(os.fsencode(folder)) for folder in folders)
