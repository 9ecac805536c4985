"""Making, remaking and removing the worktree of a run.

Rules: a worktree lies strictly inside the folder for worktrees, symbolic links resolved. Whatever an earlier try
left at its place (a branch, a folder, a registration) is taken over, and what it held that nothing else holds is kept
first. Every function can be called again after a crash at any point. Nobody else's registration is pruned.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import trio

from golemd.adapters.workspace.git import CHECKOUT_SECONDS, Dirs, Git, trouble
from golemd.adapters.workspace.kept import keep_commits, keep_dirs, keep_folder, safe
from golemd.adapters.workspace.repository import (
    check_branch_name,
    commit_of,
    contained,
    dirs_of,
    dirs_of_root,
    find_dirs,
    head_branch,
    is_ancestor,
    move_ref,
    not_elsewhere,
    tree_of,
)
from golemd.adapters.workspace.trees import files_to, remove_folder, snapshot_of
from golemd.adapters.workspace.types import Current, Kept, Prepared, Workspace, shown
from golemd.api.faults import Conflict, NotFound, Unavailable

PREPARED: Final = "Golem-Prepared"
"""The trailer of the merges that `prepare_worktree` makes; they are no work of anybody's."""


class _Plan(msgspec.Struct, frozen=True):
    """What a worktree is made from."""

    base: str
    dependencies: list[tuple[str, str]]
    missing: tuple[str, ...]


async def prepare_worktree(
    git: Git,
    workspace: Workspace,
    branch: str,
    base_branch: str,
    dependencies: Sequence[tuple[str, str]] = (),
    *,
    worktree_root: Path,
    keep_as: str,
) -> Prepared:
    """Branch and worktree of a new run, from the base branch's tip and the branches of done dependencies.

    `dependencies` are (item, branch); those not merged into the base yet are merged here, each by a merge commit.
    `keep_as` names the ref under which an earlier try's leftovers are kept. Faults: `path_escapes`, `bad_branch_name`,
    `base_branch_missing`, `branch_name_taken`, `branch_checked_out`, `dependency_conflict` (data: item, files;
    everything is put back).
    """
    contained(workspace.path, worktree_root)
    root = dirs_of_root(workspace.root)
    async with git.changing(root.common_dir):
        ref = await check_branch_name(git, root, branch)
        plan = await _plan(git, root, base_branch, dependencies)
        not_elsewhere(root, workspace, ref)
        former = await commit_of(git, root, ref)
        tips = [former] if former and await _unknown_commits(git, root, former, plan) else []
        kept = await _clear_place(git, root, workspace, keep_as, base=plan.base, tips=tips)
        await move_ref(git, root, ref, plan.base, former)
        dirs = await _add(git, root, workspace, ref, plan.base)
        try:
            merged = await _merge_dependencies(git, dirs, ref, plan)
        except Conflict:
            await _drop(git, root, workspace)
            await move_ref(git, root, ref, former, await commit_of(git, root, ref))
            raise
        head = await _head(git, dirs)
        tree = await tree_of(git, dirs, head)
        return Prepared(plan.base, head, head, tree, merged, plan.missing, kept)


async def reopen_worktree(
    git: Git, workspace: Workspace, branch: str, *, worktree_root: Path, keep_as: str, tree: str | None = None
) -> Current:
    """The worktree of a branch that exists, made again if it is gone; as it is if it stands and has the branch.

    A worktree made again gets the files of `tree` (a snapshot, or what was kept) as uncommitted state. Faults:
    `path_escapes`, `branch_missing`, `branch_checked_out`, `object_missing`.
    """
    contained(workspace.path, worktree_root)
    root = dirs_of_root(workspace.root)
    async with git.changing(root.common_dir):
        ref, tip = await check_branch_name(git, root, branch), await branch_tip(git, root, branch)
        not_elsewhere(root, workspace, ref)
        dirs = find_dirs(workspace)
        if dirs is None or not await _stands(git, dirs, branch):
            dirs = await make_again(git, root, workspace, ref, tip, keep_as)
            if tree is not None:
                await files_to(git, dirs, tree)
        return Current(tip, await snapshot_of(git, dirs))


async def branch_tip(git: Git, root: Dirs, branch: str) -> str:
    """The commit of a run's branch. Faults: `bad_branch_name`, `branch_missing`."""
    tip = await commit_of(git, root, await check_branch_name(git, root, branch))
    if tip is None:
        message = f"branch {shown(branch)} is gone"
        raise NotFound("branch_missing", message, "make it again from its last commit, or reopen the item")
    return tip


async def make_again(git: Git, root: Dirs, workspace: Workspace, ref: str, tip: str, keep_as: str) -> Dirs:
    """A fresh worktree of a branch, while the repository is held; what lies at its place is kept. Fault:
    `branch_checked_out`.
    """
    not_elsewhere(root, workspace, ref)
    await _clear_place(git, root, workspace, keep_as)
    return await _add(git, root, workspace, ref, tip)


async def worktree_stands(git: Git, workspace: Workspace, branch: str) -> bool:
    """Whether a worktree is there as it should be: folder, branch and files checked out."""
    dirs = find_dirs(workspace)
    return dirs is not None and await _stands(git, dirs, branch)


async def remove_worktree(
    git: Git, workspace: Workspace, *, worktree_root: Path, keep_as: str, clean: Sequence[str] = ()
) -> Kept:
    """Remove a worktree after keeping what only it holds; the branch stays. `clean`: trees that are safe elsewhere.

    Absent is fine. Fault: `path_escapes`.
    """
    contained(workspace.path, worktree_root)
    root = dirs_of_root(workspace.root)
    async with git.changing(root.common_dir):
        return await _clear_place(git, root, workspace, keep_as, clean=clean)


# --- steps


async def _plan(git: Git, root: Dirs, base_branch: str, dependencies: Sequence[tuple[str, str]]) -> _Plan:
    base_ref = await check_branch_name(git, root, base_branch)
    remote_ref = f"refs/remotes/{base_branch}"
    base = await commit_of(git, root, base_ref) or await commit_of(git, root, remote_ref)
    if base is None:
        message = f"no branch {shown(base_branch)} in {shown(str(root.work_tree))}"
        hint = "name an existing one: `golemctl edit ID --base BRANCH`, then retry"
        raise NotFound("base_branch_missing", message, hint)
    tips = [(item, await commit_of(git, root, await check_branch_name(git, root, name))) for item, name in dependencies]
    there = [(item, tip) for item, tip in tips if tip is not None]
    return _Plan(base, there, tuple(item for item, tip in tips if tip is None))


async def _unknown_commits(git: Git, root: Dirs, tip: str, plan: _Plan) -> bool:
    """Whether a branch holds commits that are neither the plan's nor merges of an earlier try."""
    known = [f"^{commit}" for commit in (plan.base, *(tip for _, tip in plan.dependencies))]
    trailer = f"--format=%(trailers:key={PREPARED},valueonly)"
    commits = await git.run(root, "log", "-z", trailer, tip, *known, "--")
    return any(not value.strip() for value in commits.out.split(b"\0")[: -1 if commits.out else 0])


async def _clear_place(
    git: Git,
    root: Dirs,
    workspace: Workspace,
    keep_as: str,
    *,
    base: str | None = None,
    tips: Sequence[str] = (),
    clean: Sequence[str] = (),
) -> Kept:
    """Keep what lies at a worktree's place and the tips, then remove folder and registration."""
    kept = await _keep_place(git, root, workspace, keep_as, base, tips, clean)
    await _drop(git, root, workspace)
    return kept


async def _keep_place(
    git: Git,
    root: Dirs,
    workspace: Workspace,
    keep_as: str,
    base: str | None,
    tips: Sequence[str],
    clean: Sequence[str],
) -> Kept:
    dirs = find_dirs(workspace)
    if not _is_taken(workspace.path):
        return await keep_commits(git, root, keep_as, [*tips, *await _loose_head(git, root, dirs)])
    if dirs is not None:
        return await keep_dirs(git, dirs, keep_as, tips=tips, clean=clean)
    stray = Dirs(root.git_dir, root.common_dir, workspace.path)
    return await keep_folder(git, stray, keep_as, [await tree_of(git, root, base)] if base else [], tips)


def _is_taken(path: Path) -> bool:
    """Whether a folder lies there. Fault: `place_taken` when it is something else."""
    if os.path.lexists(path) and not path.is_dir():
        message = f"{shown(str(path))} is in the way and is no folder"
        raise Unavailable("place_taken", message, "move it elsewhere, then try again")
    return path.exists()


async def _loose_head(git: Git, root: Dirs, registered: Dirs | None) -> list[str]:
    """The commit of a worktree whose folder is gone, when no branch or tag holds it."""
    if registered is None:
        return []
    head = await commit_of(git, Dirs(registered.git_dir, root.common_dir, root.work_tree), "HEAD")
    return [head] if head and not await safe(git, root, head, None) else []


async def _drop(git: Git, root: Dirs, workspace: Workspace) -> None:
    """Remove a worktree's folder, then its registration."""
    await trio.to_thread.run_sync(remove_folder, workspace.path)
    if find_dirs(workspace) is not None:
        await git.run(root, "worktree", "remove", "--force", "--force", workspace.path)


async def _add(git: Git, root: Dirs, workspace: Workspace, ref: str, commit: str) -> Dirs:
    """A worktree at a commit, with the branch checked out. Only object names and absolute paths reach git."""
    try:
        await trio.to_thread.run_sync(lambda: workspace.path.parent.mkdir(parents=True, exist_ok=True))
    except OSError as error:
        message = f"cannot make {shown(str(workspace.path.parent))}: {error.strerror}"
        raise Unavailable("worktree_root_unusable", message, "check worktree_root and its free space") from error
    await git.run(root, "worktree", "add", "--detach", "--no-checkout", workspace.path, commit)
    dirs = dirs_of(workspace)
    await git.run(dirs, "symbolic-ref", "-m", "golemd", "HEAD", ref)
    await git.run(dirs, "reset", "-q", "--hard", seconds=CHECKOUT_SECONDS)
    return dirs


async def _merge_dependencies(git: Git, dirs: Dirs, ref: str, plan: _Plan) -> tuple[str, ...]:
    merged = []
    for item, tip in plan.dependencies:
        if not await is_ancestor(git, dirs, tip, await _head(git, dirs)):
            await _merge(git, dirs, ref, item, tip)
            merged.append(item)
    return tuple(merged)


async def _merge(git: Git, dirs: Dirs, ref: str, item: str, tip: str) -> None:
    branch = ref.removeprefix("refs/heads/")
    message = f"Merge {item} into {branch}\n\n{PREPARED}: {branch}\n"
    options = ("--no-ff", "--no-edit", "--no-stat", "--no-verify-signatures", "--cleanup=verbatim")
    environment = await git.identity(dirs)
    out = await git.run(
        dirs,
        "merge",
        "-q",
        *options,
        "-m",
        message,
        tip,
        environment=environment,
        statuses=None,
        seconds=CHECKOUT_SECONDS,
    )
    if out.status == 0:
        return
    unmerged = (await git.run(dirs, "diff", "--name-only", "--diff-filter=U", "-z")).fields
    if not unmerged:
        raise trouble(out, "merge")
    files = [shown(path) for path in unmerged]
    fault = f"the work of {item} conflicts in {', '.join(files[:5])}" + (" …" if len(files) > 5 else "")
    hint = "merge it into the base branch by hand, then retry"
    raise Conflict("dependency_conflict", fault, hint, item=item, files=files)


async def _stands(git: Git, dirs: Dirs, branch: str) -> bool:
    """Whether a registered worktree is whole: folder, branch and files checked out."""
    whole = dirs.work_tree.is_dir() and (dirs.git_dir / "index").exists()
    return whole and await head_branch(git, dirs) == branch


async def _head(git: Git, dirs: Dirs) -> str:
    return (await git.run(dirs, "rev-parse", "--verify", "HEAD^{commit}")).text
