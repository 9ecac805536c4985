"""Looking at a repository before work begins in it: which branches there are, and what is not committed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from golemd.adapters.workspace.git import Git
from golemd.adapters.workspace.repository import commit_of, dirs_of_root


async def missing_branches(git: Git, root: Path, names: Iterable[str]) -> list[str]:
    """Those of the names that are no branch with a commit, of one's own or of a remote."""
    dirs = dirs_of_root(root)
    missing = []
    for name in names:
        found = [await commit_of(git, dirs, f"refs/{place}/{name}") for place in ("heads", "remotes")]
        if not any(found):
            missing.append(name)
    return missing


async def uncommitted(git: Git, root: Path) -> int:
    """How many tracked files of the working tree differ from HEAD."""
    status = await git.run(dirs_of_root(root), "status", "--porcelain", "-z", "--untracked-files=no", "--no-renames")
    return len(status.fields)


async def require_worktrees(git: Git, root: Path) -> None:
    """See that this git knows worktrees. Fault: `git_failed`."""
    await git.run(dirs_of_root(root), "worktree", "list", "--porcelain")
