"""Trees of what is on disk, and the difference between two trees.

A snapshot never touches the real index: it works on a copy, whose time stamp is copied too, because git trusts
an entry's recorded size and time only when they are older than the index file itself; so only what has changed is read.
Files named by an ignore rule are no part of it, nor are big ones that git does not know yet. A repository inside the
workspace is a gitlink, like a submodule; one without a commit is left out.
"""

from __future__ import annotations

import itertools
import os
import shutil
import stat
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
import trio

from golemd.adapters.workspace.git import CHECKOUT_SECONDS, Dirs, Git, Output, object_name, trouble
from golemd.adapters.workspace.repository import commit_of, dirs_of, dirs_of_root
from golemd.adapters.workspace.types import BIG_BYTES, FILES_MAX, Current, DiffStat, FileStat, Listed, Workspace, shown
from golemd.api.faults import Fault, NotFound, Unavailable

INDEX_PREFIX: Final = "golemd-index."
"""Temporary index files, in the git folder of their worktree."""

ADD_TRIES: Final = 3
"""How often files are gathered when some vanish or change under the reading."""

_UNSTEADY: Final = (b"No such file or directory", b"file changed before we could read it", b"short read while indexing")
_numbers = itertools.count()


class Change(msgspec.Struct, frozen=True):
    """One path that differs between two trees; mode 000000 means absent. The path is raw bytes."""

    path: bytes
    old_mode: str
    new_mode: str
    old: str
    new: str


# --- snapshots


async def snapshot(git: Git, workspace: Workspace) -> str:
    """The tree of the whole working tree, untracked files included. Faults: `unreadable_file`, `worktree_missing`."""
    return await snapshot_of(git, dirs_of(workspace))


async def snapshot_of(git: Git, dirs: Dirs) -> str:
    """The same, of known dirs."""
    return (await take(git, dirs)).tree


class Snapshot(msgspec.Struct, frozen=True):
    """The tree of a working tree, the new files that are too big to be part of it, and new repositories inside of
    which nothing is part of it, as they have no commit.
    """

    tree: str
    left: tuple[Listed, ...] = ()
    unborn: tuple[bytes, ...] = ()


async def take(git: Git, dirs: Dirs, big_bytes: int = BIG_BYTES) -> Snapshot:
    """A snapshot, and what it leaves out."""
    async with index_copy(git, dirs) as index:
        new = await untracked(git, dirs, index)
        big = big_ones(dirs, new, big_bytes)
        await add_all(git, dirs, index, big)
        tree = await write_tree(git, dirs, index)
    unborn = [path for path in new if path.endswith(b"/") and not await _has_commit(git, dirs.work_tree, path)]
    return Snapshot(tree, tuple(Listed(shown(path), "big", size) for path, size in sorted(big.items())), tuple(unborn))


def big_ones(dirs: Dirs, paths: Iterable[bytes], big_bytes: int = BIG_BYTES) -> dict[bytes, int]:
    """Those of some paths that are plain files of more than so many bytes, with their sizes."""
    return {path: size for path in paths if (size := size_of(dirs.work_tree, path)) > big_bytes}


def size_of(work_tree: Path, path: bytes) -> int:
    """The size of a plain file; -1 for what is none or gone."""
    try:
        found = os.lstat(os.path.join(os.fsencode(work_tree), path))
    except OSError:
        return -1
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


async def current(git: Git, workspace: Workspace) -> Current:
    """Where the workspace stands: HEAD and the tree on disk. Faults: `no_commit` and those of `snapshot`."""
    dirs = dirs_of(workspace)
    head = await commit_of(git, dirs, "HEAD")
    if head is None:
        raise NotFound(
            "no_commit", f"HEAD of {shown(str(workspace.path))} names no commit", "check out the run's branch"
        )
    return Current(head, await snapshot_of(git, dirs))


@asynccontextmanager
async def empty_index(dirs: Dirs) -> AsyncIterator[Path]:
    """The name of a temporary index that does not exist yet."""
    index = dirs.git_dir / f"{INDEX_PREFIX}{os.getpid()}.{next(_numbers)}"
    try:
        yield index
    finally:
        for path in (index, index.with_name(f"{index.name}.lock")):
            path.unlink(missing_ok=True)


@asynccontextmanager
async def index_copy(git: Git, dirs: Dirs) -> AsyncIterator[Path]:
    """A temporary copy of the real index; of HEAD, where there is no index."""
    async with empty_index(dirs) as index:
        try:
            await trio.to_thread.run_sync(shutil.copy2, dirs.git_dir / "index", index)
        except FileNotFoundError:
            if await commit_of(git, dirs, "HEAD"):
                await git.run(dirs, "read-tree", "HEAD", index=index)
        except OSError as error:
            message = f"cannot copy the index of {shown(str(dirs.work_tree))}: {error.strerror}"
            raise Unavailable("index_unreadable", message, "look at the git folder's modes and free space") from error
        yield index


async def add_all(git: Git, dirs: Dirs, index: Path, leave: Collection[bytes] = ()) -> None:
    """Make an index hold what is on disk, but for the paths to leave as they are."""
    out = await _try_add(git, dirs, index, leave)
    for _ in range(ADD_TRIES - 1):
        if out.status == 0:
            break
        if b"does not have a commit checked out" in out.err:
            leave = {*leave, *await repositories_inside(git, dirs, index, with_commit=False)}
        elif not any(word in out.err for word in _UNSTEADY):
            break
        out = await _try_add(git, dirs, index, leave)
    # A folder that cannot be read is only a warning to git, which would leave its files out.
    if out.status or b"could not open directory" in out.err:
        raise trouble(out, "add")


async def _try_add(git: Git, dirs: Dirs, index: Path, leave: Collection[bytes]) -> Output:
    specs = b".\0" + b"".join(b":(top,exclude,literal)" + path.rstrip(b"/") + b"\0" for path in leave)
    args = ("add", "-A", "--sparse", "--pathspec-from-file=-", "--pathspec-file-nul")
    return await git.run(dirs, *args, stdin=specs, index=index, statuses=None, seconds=CHECKOUT_SECONDS)


async def touched(git: Git, dirs: Dirs, index: Path) -> list[bytes]:
    """Paths on disk that are modified or that the index does not know; no ignored ones."""
    args = ("ls-files", "-z", "-o", "-m", "--exclude-standard")
    return (await git.run(dirs, *args, index=index, seconds=CHECKOUT_SECONDS)).fields


async def untracked(git: Git, dirs: Dirs, index: Path) -> list[bytes]:
    """Paths on disk that the index does not know and no rule ignores; a repository inside ends with a slash."""
    listing = await git.run(dirs, "ls-files", "-z", "-o", "--exclude-standard", index=index, seconds=CHECKOUT_SECONDS)
    return listing.fields


async def repositories_inside(git: Git, dirs: Dirs, index: Path, *, with_commit: bool | None = None) -> list[bytes]:
    """Untracked repositories inside the workspace, with their slash; `with_commit` narrows to those with or without."""
    found = [path for path in await untracked(git, dirs, index) if path.endswith(b"/")]
    if with_commit is None:
        return found
    return [path for path in found if (await _has_commit(git, dirs.work_tree, path)) is with_commit]


async def _has_commit(git: Git, work_tree: Path, path: bytes) -> bool:
    inside = work_tree / os.fsdecode(path)
    with suppress(Fault):
        return await commit_of(git, dirs_of_root(inside), "HEAD") is not None
    return False


async def write_tree(git: Git, dirs: Dirs, index: Path) -> str:
    """The tree of an index."""
    return (await git.run(dirs, "write-tree", index=index)).text


async def files_to(git: Git, dirs: Dirs, tree: str) -> None:
    """Make the files on disk those of a tree; ignored and big new files stay where they are not in its way.

    Deletes and overwrites: whoever calls has kept what was there. The real index stays as it is.
    """
    async with index_copy(git, dirs) as index:
        listing = await git.run(dirs, "ls-tree", "-r", "-z", "--name-only", object_name(tree))
        wanted = set(listing.fields)
        extra = [path for path in await untracked(git, dirs, index) if path.rstrip(b"/") not in wanted]
        extra = sorted({*extra} - big_ones(dirs, extra).keys())  # nothing else has what they hold
        await trio.to_thread.run_sync(_remove, dirs.work_tree, extra)
        await git.run(dirs, "read-tree", "--reset", "-u", tree, index=index, seconds=CHECKOUT_SECONDS)


def _remove(work_tree: Path, paths: Iterable[bytes]) -> None:
    """Remove files and whole inner repositories, and the folders that become empty by it."""
    top = os.fsencode(work_tree)
    for path in paths:
        place = os.path.join(top, path.rstrip(b"/"))
        if path.endswith(b"/"):
            remove_folder(Path(os.fsdecode(place)))
        else:
            with suppress(FileNotFoundError):
                os.unlink(place)
        parent = os.path.dirname(place)
        with suppress(OSError):
            while parent != top:
                os.rmdir(parent)
                parent = os.path.dirname(parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder and all in it, also what an agent has made unwritable. Absent is fine."""
    if not os.path.lexists(folder):
        return
    for place, folders, _ in os.walk(folder):
        for name in folders:
            inner = os.path.join(place, name)
            if not os.path.islink(inner) and not os.access(inner, os.R_OK | os.W_OK | os.X_OK):
                with suppress(OSError):
                    os.chmod(inner, 0o700)
    try:
        shutil.rmtree(folder)
    except OSError as error:
        message = f"cannot remove {shown(str(error.filename or folder))}: {error.strerror}"
        raise Unavailable("not_removed", message, "remove it by hand; its state is kept in the repository") from error


# --- differences


async def changes(git: Git, dirs: Dirs, a: str, b: str) -> list[Change]:
    """Paths that differ between two trees or commits; a rename is a deletion and an addition."""
    if object_name(a) == object_name(b):
        return []
    raw = (await git.run(dirs, "diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", a, b)).fields
    return [_change(head, path) for head, path in zip(raw[::2], raw[1::2], strict=True)]


def _change(head: bytes, path: bytes) -> Change:
    old_mode, new_mode, old, new, _ = head.decode("ascii").removeprefix(":").split(" ")
    return Change(path, old_mode, new_mode, old, new)


async def apply(git: Git, dirs: Dirs, index: Path | None, edits: Iterable[Change]) -> None:
    """Write the new sides of changes into an index (None: the real one); git lets a new path replace what it
    collides with, so a file may become a folder.
    """
    lines = [f"{edit.new_mode} {edit.new}\t".encode() + edit.path + b"\0" for edit in edits]
    if lines:
        await git.run(dirs, "update-index", "-z", "--index-info", stdin=b"".join(lines), index=index)


async def patched(git: Git, dirs: Dirs, base: str, other: str, paths: Collection[bytes]) -> str:
    """The base tree, with the other tree's state of some paths."""
    edits = [change for change in await changes(git, dirs, base, other) if change.path in paths]
    if not edits:
        return base
    async with empty_index(dirs) as index:
        await git.run(dirs, "read-tree", base, index=index)
        await apply(git, dirs, index, edits)
        return await write_tree(git, dirs, index)


async def diffstat(git: Git, root: Path, a: str, b: str) -> DiffStat:
    """Changed lines between two commits or trees; renames are found and shown under the new name."""
    return await diffstat_of(git, dirs_of_root(root), a, b)


async def diffstat_of(git: Git, dirs: Dirs, a: str, b: str) -> DiffStat:
    """The same, of known dirs."""
    args = (
        "diff-tree",
        "-r",
        "-z",
        "-M",
        "--numstat",
        "--no-ext-diff",
        "--no-textconv",
        object_name(a),
        object_name(b),
    )
    tokens = iter((await git.run(dirs, *args, seconds=CHECKOUT_SECONDS)).fields)
    stats: list[FileStat] = []
    for token in tokens:
        added, gone, path = token.split(b"\t", 2)
        if not path:  # a rename: the two names follow
            next(tokens)
            path = next(tokens)
        counts = (None, None) if added == b"-" else (int(added), int(gone))
        stats.append(FileStat(shown(path), *counts))
    insertions = sum(stat.insertions or 0 for stat in stats)
    deletions = sum(stat.deletions or 0 for stat in stats)
    return DiffStat(tuple(stats[:FILES_MAX]), max(0, len(stats) - FILES_MAX), insertions, deletions)
