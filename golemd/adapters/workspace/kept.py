"""Nothing is lost: what would be reset or removed is first a commit under refs/golem/kept/.

A kept commit holds the files on disk (untracked ones too); its parents are HEAD, the staged state where that differs
from both, and every commit XX"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from golemd.adapters.workspace.git import CHECKOUT_SECONDS, Dirs, Git
from golemd.adapters.workspace.inner import Inner, fetched, gitlinks, look
from golemd.adapters.workspace.leftovers import free_stale_locks
from golemd.adapters.workspace.repository import (
    check_branch_name,
    commit_of,
    dirs_of,
    in_progress,
    is_ancestor,
    move_ref,
    tree_of,
)
from golemd.adapters.workspace.trees import (
    add_all,
    big_ones,
    empty_index,
    files_to,
    index_copy,
    size_of,
    snapshot_of,
    touched,
    write_tree,
)
from golemd.adapters.workspace.types import BIG_BYTES, LISTED_MAX, Kept, Listed, PutBack, Workspace, shown
from golemd.api.faults import Invalid

KEPT_REFS: Final = "refs/golem/kept/"


class Gathered(msgspec.Struct, frozen=True):
    """The files of a folder as a tree, the staged tree where one could be written, what is only named, and the
    repositories inside that are plain files in the tree, by their paths.
    """

    tree: str
    staged: str | None
    listed: list[Listed]
    inside: dict[str, Inner] = {}


async def keep(
    git: Git, workspace: Workspace, name: str, *, base: str | None = None, big_bytes: int = BIG_BYTES
) -> Kept:
    """Keep a workspace's uncommitted state, and commits that would be lost, under refs/golem/kept/<name>.

    `base` is the commit whose history counts as safe; without one, whatever a branch or tag holds is. Faults:
    `bad_kept_name`, `unreadable_file`, `worktree_missing`.
    """
    dirs = dirs_of(workspace)
    async with git.changing(dirs.common_dir):
        return await keep_dirs(git, dirs, name, base=base, big_bytes=big_bytes)


async def keep_dirs(
    git: Git,
    dirs: Dirs,
    name: str,
    *,
    base: str | None = None,
    tips: Sequence[str] = (),
    clean: Sequence[str] = (),
    big_bytes: int = BIG_BYTES,
) -> Kept:
    """The same, of known dirs, while the repository is held; `tips` are further commits not to lose, `clean` trees
    that are safe elsewhere.
    """
    head = await commit_of(git, dirs, "HEAD")
    head_tree = await tree_of(git, dirs, head) if head else await empty_tree(git, dirs)
    async with index_copy(git, dirs) as index:
        gathered = await gather(git, dirs, index, big_bytes)
    return await keep_tree(git, dirs, name, gathered, head, [head_tree, *clean], base=base, tips=tips)


async def keep_folder(git: Git, dirs: Dirs, name: str, known: Sequence[str] = (), tips: Sequence[str] = ()) -> Kept:
    """Keep the files of a folder that is no registered worktree, unless they are one of the known trees."""
    async with empty_index(dirs) as index:
        gathered = await gather(git, dirs, index, BIG_BYTES)
    return await keep_tree(git, dirs, name, msgspec.structs.replace(gathered, staged=None), None, known, tips=tips)


async def keep_commits(git: Git, dirs: Dirs, name: str, tips: Sequence[str]) -> Kept:
    """Keep commits alone."""
    nothing = Gathered(await empty_tree(git, dirs), None, [])
    return await keep_tree(git, dirs, name, nothing, None, (), tips=tips)


async def keep_tree(
    git: Git,
    dirs: Dirs,
    name: str,
    gathered: Gathered,
    head: str | None,
    clean: Sequence[str],
    *,
    base: str | None = None,
    tips: Sequence[str] = (),
) -> Kept:
    """Make what was gathered, and the commits that nothing else holds, safe under the name's ref.

    A tree among the `clean` ones needs no keeping, nor does an empty one: it holds no work. `tips` are about to lose
    their branch, so only `base` can make them safe.
    """
    ref = await _kept_ref(git, dirs, name)
    former = await commit_of(git, dirs, ref)
    staged = gathered.staged if gathered.staged not in (*clean, gathered.tree) else None
    dirty = staged is not None or gathered.tree not in (*clean, await empty_tree(git, dirs))
    heads = [head] if head else []
    loose = [commit for commit in heads if not await safe(git, dirs, commit, base)]
    tips = [*tips, *await fetched(git, dirs, gathered.inside.values())]
    loose += [tip for tip in tips if tip not in loose and not (base and await is_ancestor(git, dirs, tip, base))]
    if former is not None:
        loose = [tip for tip in loose if not await is_ancestor(git, dirs, tip, former)]
        dirty = dirty and (staged is not None or await tree_of(git, dirs, former) != gathered.tree)
    listed, more = tuple(gathered.listed[:LISTED_MAX]), max(0, len(gathered.listed) - LISTED_MAX)
    if not dirty and not loose:
        return Kept(ref if former else None, former, listed, more)
    if not dirty and former is None and len(loose) == 1:
        commit = loose[0]
    else:
        parents = [*heads]
        if staged is not None:
            parents.append(await make_commit(git, dirs, staged, heads, f"golemd: staged state of {name}\n"))
        parents += [*loose, *([former] if former else [])]
        commit = await make_commit(git, dirs, gathered.tree, parents, f"golemd: kept {name}\n")
    await move_ref(git, dirs, ref, commit, former)
    return Kept(ref, commit, listed, more)


async def put_back(
    git: Git, workspace: Workspace, branch: str, commit: str, tree: str, name: str, *, big_bytes: int = BIG_BYTES
) -> PutBack:
    """Back to a phase's start: the branch at `commit`, the files those of `tree`; what was there is kept first.

    Unfinished merges and rebases are ended, ignored files left alone. Safe to repeat. Faults: as `keep`, and
    `object_missing`, `branch_moved`.
    """
    dirs = dirs_of(workspace)
    async with git.changing(dirs.common_dir):
        ref = await check_branch_name(git, dirs, branch)
        free_stale_locks(dirs, ref)
        await tree_of(git, dirs, commit)
        await git.run(dirs, "ls-tree", tree)
        tip = await commit_of(git, dirs, ref)
        tips = [tip] if tip else []
        kept = await keep_dirs(git, dirs, name, base=commit, tips=tips, clean=[tree], big_bytes=big_bytes)
        await _quit_operation(git, dirs)
        await git.run(dirs, "symbolic-ref", "-m", "golemd", "HEAD", ref)
        await move_ref(git, dirs, ref, commit, tip)
        await files_to(git, dirs, tree)
        await git.run(dirs, "read-tree", "--reset", commit, seconds=CHECKOUT_SECONDS)
        await git.run(dirs, "update-index", "-q", "--refresh", statuses=(0, 1), seconds=CHECKOUT_SECONDS)
        return PutBack(kept, commit, await snapshot_of(git, dirs))


async def _quit_operation(git: Git, dirs: Dirs) -> None:
    """Forget what was begun and not finished, without touching files or branches."""
    for mark in ("BISECT_LOG", "BISECT_START", "SQUASH_MSG"):
        (dirs.git_dir / mark).unlink(missing_ok=True)
    for command in ("merge", "rebase", "am", "cherry-pick", "revert"):  # one may stand upon another
        if in_progress(dirs):
            await git.run(dirs, command, "--quit", statuses=None, environment=await git.identity(dirs))


# --- gathering


async def gather(git: Git, dirs: Dirs, index: Path, big_bytes: int, new: Sequence[bytes] | None = None) -> Gathered:
    """Put everything on disk into a temporary index and write its tree; `new`: what is `touched`, if that is known."""
    written = await git.run(dirs, "write-tree", index=index, statuses=None)  # fails while a conflict is staged
    new = await touched(git, dirs, index) if new is None else new
    big = big_ones(dirs, new, big_bytes)
    links = {path: await look(git, dirs, path) for path in await gitlinks(git, dirs, index)}
    listed = [Listed(shown(path), "submodule") for path, found in links.items() if found.is_safe]
    inside = {path: found for path, found in links.items() if not found.is_safe}
    if inside:
        paths = b"".join(path + b"\0" for path in inside)
        await git.run(dirs, "update-index", "-z", "--force-remove", "--stdin", stdin=paths, index=index)
    inside |= {path: await look(git, dirs, path) for path in new if path.endswith(b"/")}  # new ones, as git lists them
    await add_all(git, dirs, index, {*big, *inside})
    listed += [Listed(shown(path), "big", size) for path, size in sorted(big.items())]
    plain = {shown(path): found for path, found in inside.items()}
    for path in inside:
        flat = await _flatten(git, dirs, index, path.rstrip(b"/") + b"/", big_bytes)
        listed += flat.listed
        plain |= flat.inside
    listed += await _ignored(git, dirs, index)
    staged = written.text if written.status == 0 else None
    return Gathered(await write_tree(git, dirs, index), staged, listed, plain)


async def _flatten(git: Git, dirs: Dirs, index: Path, path: bytes, big_bytes: int) -> Gathered:
    """Add the files of a repository inside the workspace as plain files."""
    inside = Dirs(dirs.git_dir, dirs.common_dir, dirs.work_tree / os.fsdecode(path))
    async with empty_index(dirs) as inner_index:
        flat = await gather(git, inside, inner_index, big_bytes)
    if flat.tree != await empty_tree(git, dirs):
        await git.run(dirs, "read-tree", b"--prefix=" + path, flat.tree, index=index)
    listed = [Listed(shown(path) + entry.path, entry.why, entry.size) for entry in flat.listed]
    return Gathered(flat.tree, None, listed, {shown(path) + name: found for name, found in flat.inside.items()})


async def _ignored(git: Git, dirs: Dirs, index: Path) -> list[Listed]:
    args = ("ls-files", "-z", "-o", "-i", "--exclude-standard", "--directory")
    paths = (await git.run(dirs, *args, index=index, seconds=CHECKOUT_SECONDS)).fields
    return [Listed(shown(path), "ignored", _listed_size(dirs.work_tree, path)) for path in paths]


def _listed_size(work_tree: Path, path: bytes) -> int | None:
    return None if path.endswith(b"/") else max(0, size_of(work_tree, path))


# --- commits and refs


async def empty_tree(git: Git, dirs: Dirs) -> str:
    """The name of the tree without entries, in this repository's hash."""
    return (await git.run(dirs, "mktree", "-z")).text


async def make_commit(
    git: Git, dirs: Dirs, tree: str, parents: Iterable[str], message: str, *, sign: bool = False
) -> str:
    """A commit object, on no branch."""
    options = [word for parent in dict.fromkeys(parents) for word in ("-p", parent)]
    options += ["-S"] if sign else ["--no-gpg-sign"]
    identity = await git.identity(dirs)
    stdin = message.encode("utf-8", "backslashreplace")
    return (await git.run(dirs, "commit-tree", tree, *options, "-F", "-", stdin=stdin, environment=identity)).text


async def _kept_ref(git: Git, dirs: Dirs, name: str) -> str:
    ref = KEPT_REFS + name
    if "/" in name or "\0" in name or not await git.takes(dirs, ref):
        raise Invalid("bad_kept_name", f"nothing can be kept under the name {shown(name)!r}", "use the attempt's id")
    return ref


async def safe(git: Git, dirs: Dirs, commit: str, base: str | None) -> bool:
    """Whether a commit stays reachable: from the base, or (without one) from any branch or tag."""
    if base is not None:
        return await is_ancestor(git, dirs, commit, base)
    args = ("for-each-ref", "--count=1", "--contains", commit, "refs/heads", "refs/tags")
    return bool((await git.run(dirs, *args)).out)
