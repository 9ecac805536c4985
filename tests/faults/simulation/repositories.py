"""The repositories of the machine and their worktrees, without git: commits and trees are names that nobody has twice.

A tree is what some changes have made of another one, so it is known by the set of its changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from golemd.adapters.workspace import (
    Addition,
    Cleared,
    Committed,
    Copied,
    Current,
    DiffStat,
    Examined,
    Kept,
    Prepared,
    PutBack,
    Repository,
    SetAside,
    Workspace,
)
from golemd.api.faults import Conflict, Fault
from golemd.api.model import Aside
from tests.faults.simulation.world import Hands, World

SECONDS: Final = 0.2  # that git takes at most, for one of these
REWRITTEN: Final = 0.03  # of all commits, at any time: people rewrite history, whatever else there is


class Commit(Struct):
    """One commit; `attempt`: whose work it is."""

    name: str
    parent: str
    tree: str
    attempt: str = ""


class Tree(Struct):
    """A worktree: what is checked out, and what its files are."""

    branch: str
    tree: str


class Repositories:
    """All repositories and worktrees, by their paths."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.trees: dict[str, frozenset[int]] = {}
        self.commits: dict[str, Commit] = {}
        self.branches: dict[tuple[str, str], str] = {}  # of a project's root
        self.worktrees: dict[str, Tree] = {}
        self.at_work: dict[str, str] = {}  # worktree → what is done to it just now

    def make(self, root: str) -> None:
        """A repository with one commit."""
        tip = self.commit("", self.tree_of(frozenset({self._world.number()})))
        self.branches[root, "main"] = tip.name
        self.worktrees[root] = Tree("main", tip.tree)

    def tree_of(self, changes: frozenset[int]) -> str:
        """The name of the tree that these changes make."""
        name = hashlib.blake2b(repr(sorted(changes)).encode(), digest_size=20).hexdigest()
        self.trees[name] = changes
        return name

    def commit(self, parent: str, tree: str, attempt: str = "") -> Commit:
        """A new commit."""
        name = hashlib.blake2b(f"commit {self._world.number()}".encode(), digest_size=20).hexdigest()
        found = self.commits[name] = Commit(name, parent, tree, attempt)
        return found

    def history(self, commit: str) -> list[Commit]:
        """A commit and its ancestors, newest first."""
        found = []
        while commit:
            found.append(self.commits[commit])
            commit = self.commits[commit].parent
        return found

    def stands(self, path: Path) -> bool:
        """Whether there is a worktree, or a project."""
        return str(path) in self.worktrees

    def edit(self, path: str) -> None:
        """Somebody changes a file."""
        if (tree := self.worktrees.get(path)) is not None:
            tree.tree = self.tree_of(self.trees[tree.tree] | {self._world.number()})

    def rewrite(self, path: str) -> None:
        """Somebody checks another branch out, where that does no lasting harm."""
        if (tree := self.worktrees.get(path)) is not None and tree.branch != "main":
            tree.branch = "elsewhere"

    def wreck(self) -> None:
        """Somebody removes a worktree in which nobody is at work."""
        busy = {*self.at_work, *(each.spec.cwd for each in self._world.processes.alive())}
        idle = [path for path, tree in self.worktrees.items() if tree.branch != "main" and path not in busy]
        if idle:
            self._world.meet("worktrees that vanish")
            path = self._world.pick(idle)
            self._world.tell("fate", f"removes {path}")
            del self.worktrees[path]


class SimHold:
    """A project that a daemon holds; there is no other one that would want it."""

    def release(self) -> None:
        """Let go of it."""


class SimWorkspaces(Hands):
    """`adapters.workspace.Workspaces` of one daemon. What changes a worktree is there alone."""

    @property
    def _all(self) -> Repositories:
        return self.world.repositories

    async def _change(self, doing: str, place: Workspace) -> None:
        """The worktree is to be changed: nobody else may be at work in it, before or meanwhile."""
        path = str(place.path)
        self.world.promises.works_alone(path, doing, self._all.at_work)
        self._all.at_work[path] = doing
        try:
            await self.moment(f"{doing} {path}", SECONDS)
            self.trouble("git_failed")
        finally:
            self._all.at_work.pop(path, None)
        self.world.promises.works_alone(path, doing, self._all.at_work)
        self.world.tell("git", f"{doing} {place.path.name}")

    def _tip(self, place: Workspace, branch: str) -> Commit:
        found = self._all.branches.get((str(place.root), branch))
        if found is None:
            raise Conflict("branch_missing", f"there is no branch {branch}", "Make it again.")
        return self._all.commits[found]

    def _there(self, place: Workspace) -> Tree:
        found = self._all.worktrees.get(str(place.path))
        if found is None:
            raise Conflict("worktree_missing", f"there is no worktree {place.path}", "golemctl request-changes")
        return found

    # --- repositories

    async def inspect_repository(self, folder: Path) -> Repository:
        await self.moment("looking at a repository", SECONDS)
        tip = self._all.branches[str(folder), "main"]
        return Repository(folder, folder, folder / ".git", tip, "main")

    def hold_project(self, common_dir: Path, holder: str) -> SimHold:
        self.touch()
        return SimHold()

    def held_elsewhere(self, common_dir: Path) -> Fault | None:
        self.touch()
        return None

    async def require_worktrees(self, root: Path) -> None:
        await self.moment("looking at worktrees")

    async def missing_branches(self, root: Path, names: Iterable[str]) -> list[str]:
        await self.moment("looking for branches")
        return [name for name in names if (str(root), name) not in self._all.branches]

    async def uncommitted(self, root: Path) -> int:
        await self.moment("looking for changes")
        return 0

    async def refs_digest(self, root: Path) -> str:
        await self.moment("looking at refs")
        return "0" * 40

    async def diffstat(self, root: Path, a: str, b: str) -> DiffStat:
        await self.moment("comparing trees")
        return DiffStat((), 0, 0, 0)

    async def clear_dead_git(self, instance: str, workspaces: Sequence[Workspace]) -> Cleared:
        await self.moment("clearing up")
        self._all.at_work.clear()
        return Cleared()

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
    ) -> Prepared:
        await self._change("prepare", workspace)
        base = self._tip(workspace, base_branch)
        tips = [self._tip(workspace, each) for _, each in dependencies]
        merged = self._all.trees[base.tree].union(*(self._all.trees[tip.tree] for tip in tips))
        key = (str(workspace.root), branch)
        if tips and self._all.tree_of(merged) != base.tree:
            base = self._all.commit(base.name, self._all.tree_of(merged))
        self._all.branches[key] = base.name
        self._all.worktrees[str(workspace.path)] = Tree(branch, base.tree)
        await self.moment("having prepared")
        return Prepared(base.name, base.name, base.name, base.tree)

    async def copy_files(self, workspace: Workspace, patterns: Sequence[str], leave: Sequence[Path] = ()) -> Copied:
        await self._change("copy", workspace)
        return Copied(1)

    def ignoring(self, workspace: Workspace, environ: Mapping[str, str]) -> dict[str, str]:
        self.touch()
        return {}

    async def worktree_stands(self, workspace: Workspace, branch: str) -> bool:
        await self.moment("looking for a worktree")
        found = self._all.worktrees.get(str(workspace.path))
        return found is not None and found.branch == branch

    async def reopen_worktree(
        self, workspace: Workspace, branch: str, *, worktree_root: Path, keep_as: str, tree: str | None = None
    ) -> Current:
        await self._change("reopen", workspace)
        tip = self._tip(workspace, branch)
        there = self._all.worktrees.get(str(workspace.path))
        if there is None or there.branch != branch:
            there = self._all.worktrees[str(workspace.path)] = Tree(branch, tree or tip.tree)
        await self.moment("having reopened")
        return Current(tip.name, there.tree)

    async def keep_aside(self, workspace: Workspace, branch: str, name: str, *, quiet_since: float) -> SetAside:
        await self._change("keep aside", workspace)
        if self.world.chance(self.world.weather.troubles):
            return SetAside(hindrances=("something big",))
        tip = self._tip(workspace, branch)
        there = self._all.worktrees.get(str(workspace.path), Tree(branch, tip.tree))
        self.world.meet("worktrees set aside")
        return SetAside(Kept(), Aside(head=tip.name, tree=there.tree, staged=tip.tree))

    async def content_aside(self, root: Path, branch: str, aside: Aside) -> Current:
        await self.moment("looking at what is aside")
        return Current(self._tip(Workspace(root, root), branch).name, aside.tree)

    async def bring_back(
        self, workspace: Workspace, branch: str, aside: Aside, *, worktree_root: Path, keep_as: str
    ) -> Current:
        await self._change("bring back", workspace)
        tip = self._tip(workspace, branch)
        self._all.worktrees[str(workspace.path)] = Tree(branch, aside.tree)
        self.world.meet("worktrees brought back")
        await self.moment("having brought back")
        return Current(tip.name, aside.tree)

    async def remove_worktree(
        self, workspace: Workspace, *, worktree_root: Path, keep_as: str, clean: Sequence[str] = ()
    ) -> Kept:
        await self._change("remove", workspace)
        self._all.worktrees.pop(str(workspace.path), None)
        await self.moment("having removed")
        return Kept()

    # --- what is done in them

    async def enter_shared(self, workspace: Workspace, branch: str, *, clean: bool) -> tuple[str, Prepared]:
        await self._change("enter", workspace)
        there = self._there(workspace)
        if branch not in ("", there.branch):
            raise Conflict("branch_changed", f"{there.branch} is checked out", "Check the other one out again.")
        tip = self._tip(workspace, there.branch)
        if clean and self.world.chance(self.world.weather.troubles):
            raise Conflict("not_clean", "somebody has changed a file", "Commit or stash it, then retry.")
        return there.branch, Prepared(tip.name, tip.name, tip.name, there.tree)

    async def missing_commits(self, workspace: Workspace, commits: Collection[str]) -> set[str]:
        await self.moment("looking for commits")
        return {each for each in sorted(commits) if self.world.chance(REWRITTEN)}

    async def current(self, workspace: Workspace) -> Current:
        await self.moment("looking at a worktree", SECONDS)
        there = self._there(workspace)
        return Current(self._all.branches[str(workspace.root), there.branch], there.tree)

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
    ) -> Examined:
        self.world.promises.works_alone(str(workspace.path), "examine", {})
        await self.moment(f"examine {workspace.path}", SECONDS)
        self.trouble("git_failed")
        there, tip = self._there(workspace), self._tip(workspace, branch)
        holds_start = any(each.name == start_commit for each in self._all.history(tip.name))
        is_own = there.branch == branch
        return Examined(tip.name, there.branch, is_own, holds_start, (), True, "", there.tree, ("file",))

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
    ) -> Committed:
        await self._change("commit", workspace)
        attempt, tip = dict(trailers)["Golem-Attempt"], self._tip(workspace, branch)
        if self._there(workspace).branch != branch:
            raise Conflict("branch_changed", "another branch is checked out", "Check it out again.")
        self.world.promises.commits(attempt)
        known = next((each for each in self._all.history(tip.name) if each.attempt == attempt and each.tree == tree), 0)
        if known:
            self.world.meet("commits found again")
        elif tree == tip.tree:
            return Committed(None, tip.name, tip.tree)
        else:
            tip = self._all.commit(tip.name, tree, attempt)
            self._all.branches[str(workspace.root), branch] = tip.name
        await self.moment("having committed")
        return Committed(tip.name, tip.name, tip.tree, 1, 2, 3, repeated=bool(known))

    async def put_back(self, workspace: Workspace, branch: str, commit: str, tree: str, name: str) -> PutBack:
        await self._change("put back", workspace)
        self._all.branches[str(workspace.root), branch] = commit
        self._all.worktrees[str(workspace.path)] = Tree(branch, tree)
        await self.moment("having put back")
        return PutBack(Kept(), commit, tree)
