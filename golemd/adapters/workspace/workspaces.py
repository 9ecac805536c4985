"""The seam `Workspaces`: what the engine asks of git, and `GitWorkspaces`, where git itself answers.

What each does, and its faults, is said where it is written; a stand-in has to do the same, also when asked again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from golemd.adapters.workspace import (
    aside,
    commit,
    copies,
    kept,
    leftovers,
    repository,
    shared,
    survey,
    trees,
    worktree,
)
from golemd.adapters.workspace.additions import Addition
from golemd.adapters.workspace.aside import SetAside
from golemd.adapters.workspace.copies import Copied
from golemd.adapters.workspace.git import Git
from golemd.adapters.workspace.types import (
    Cleared,
    Committed,
    Current,
    DiffStat,
    Examined,
    Kept,
    Prepared,
    PutBack,
    Repository,
    Workspace,
)
from golemd.api.faults import Fault
from golemd.api.model import Aside


class Hold(Protocol):
    """A project that is held against other daemons."""

    def release(self) -> None:
        """Let others have it. Again is harmless."""


class Workspaces(Protocol):
    """Repositories, and the working trees in which agents work."""

    # --- repositories

    async def inspect_repository(self, folder: Path) -> Repository: ...
    def hold_project(self, common_dir: Path, holder: str) -> Hold: ...
    def held_elsewhere(self, common_dir: Path) -> Fault | None: ...
    async def require_worktrees(self, root: Path) -> None: ...
    async def missing_branches(self, root: Path, names: Iterable[str]) -> list[str]: ...
    async def uncommitted(self, root: Path) -> int: ...
    async def refs_digest(self, root: Path) -> str: ...
    async def diffstat(self, root: Path, a: str, b: str) -> DiffStat: ...
    async def clear_dead_git(self, instance: str, workspaces: Sequence[Workspace]) -> Cleared: ...

    # --- worktrees, from their beginning to their end

    async def prepare_worktree(
        self,
        workspace: Workspace,
        branch: str,
        base_branch: str,
        dependencies: Sequence[tuple[str, str]] = (),
        *,
        worktree_root: Path,
        keep_as: str,
    ) -> Prepared: ...

    async def copy_files(self, workspace: Workspace, patterns: Sequence[str], leave: Sequence[Path] = ()) -> Copied: ...

    def ignoring(self, workspace: Workspace, environ: Mapping[str, str]) -> dict[str, str]: ...
    async def worktree_stands(self, workspace: Workspace, branch: str) -> bool: ...

    async def reopen_worktree(
        self, workspace: Workspace, branch: str, *, worktree_root: Path, keep_as: str, tree: str | None = None
    ) -> Current: ...

    async def keep_aside(self, workspace: Workspace, branch: str, name: str, *, quiet_since: float) -> SetAside: ...
    async def content_aside(self, root: Path, branch: str, aside: Aside) -> Current: ...

    async def bring_back(
        self, workspace: Workspace, branch: str, aside: Aside, *, worktree_root: Path, keep_as: str
    ) -> Current: ...

    async def remove_worktree(
        self, workspace: Workspace, *, worktree_root: Path, keep_as: str, clean: Sequence[str] = ()
    ) -> Kept: ...

    # --- what is done in them

    async def enter_shared(self, workspace: Workspace, branch: str, *, clean: bool) -> tuple[str, Prepared]: ...
    async def missing_commits(self, workspace: Workspace, commits: Collection[str]) -> set[str]: ...
    async def current(self, workspace: Workspace) -> Current: ...

    async def examine(
        self,
        workspace: Workspace,
        branch: str,
        start_commit: str,
        start_tree: str,
        refs_before: str,
        *,
        base_tree: str,
        own_prefix: str,
        busy: Collection[str],
    ) -> Examined: ...

    async def commit_phase(
        self,
        workspace: Workspace,
        branch: str,
        start_commit: str,
        start_tree: str,
        tree: str,
        message: str,
        trailers: Sequence[tuple[str, str]],
        *,
        others: Collection[str] | None = None,
        additions: Sequence[Addition] = (),
    ) -> Committed: ...

    async def put_back(self, workspace: Workspace, branch: str, commit: str, tree: str, name: str) -> PutBack: ...


class GitWorkspaces(Git):
    """The machine's own. Every function of this package that takes the daemon's one `Git` is a method of it."""

    inspect_repository = repository.inspect_repository
    hold_project = staticmethod(repository.hold_project)
    held_elsewhere = staticmethod(repository.held_elsewhere)
    require_worktrees = survey.require_worktrees
    missing_branches = survey.missing_branches
    uncommitted = survey.uncommitted
    refs_digest = commit.refs_digest
    diffstat = trees.diffstat
    clear_dead_git = staticmethod(leftovers.clear_dead_git)
    prepare_worktree = worktree.prepare_worktree
    copy_files = copies.copy_files
    ignoring = staticmethod(copies.ignoring)
    worktree_stands = worktree.worktree_stands
    reopen_worktree = worktree.reopen_worktree
    keep_aside = aside.keep_aside
    content_aside = aside.content_aside
    bring_back = aside.bring_back
    remove_worktree = worktree.remove_worktree
    enter_shared = shared.enter_shared
    missing_commits = shared.missing_commits
    current = trees.current
    examine = commit.examine
    commit_phase = commit.commit_phase
    put_back = kept.put_back
