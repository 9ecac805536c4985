"""Text that is added to files of a working tree and of the tree to be committed alike, so that neither lacks it.

What people have changed in such a file stays theirs: on disk their text comes before the addition, in the commit it
does not appear. Added again after a crash, it is there once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from typing import Final

import trio
from msgspec import Struct

from golemd.adapters.workspace.git import Dirs, Git
from golemd.adapters.workspace.trees import Change, apply, empty_index, write_tree
from golemd.adapters.workspace.types import shown
from golemd.api.faults import Conflict

PLAIN: Final = "100644"
LINK: Final = "120000"
MOST_BYTES: Final = 50 << 20
_CAREFUL: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Addition(Struct, frozen=True):
    """Text for the end of a file, whose path is relative to the tree. `to_new`: only for one that is not there yet."""

    path: str
    text: str
    to_new: bool = False


async def with_additions(git: Git, dirs: Dirs, tree: str, additions: Iterable[Addition]) -> str:
    """The tree with what is added, after it was added to the files on disk. Faults: `file_in_the_way`."""
    edits: list[Change] = []
    for each in additions:
        there = await _blob(git, dirs, tree, each.path)
        if there is not None and each.to_new:
            continue
        before, text = there or b"", each.text.encode()
        after = _joined(before, text)
        await trio.to_thread.run_sync(_add_on_disk, dirs.work_tree, each.path, before, text)
        name = (await git.run(dirs, "hash-object", "-w", "--stdin", stdin=after)).text
        edits.append(Change(os.fsencode(each.path), "", PLAIN, "", name))
    if not edits:
        return tree
    async with empty_index(dirs) as index:
        await git.run(dirs, "read-tree", tree, index=index)
        await apply(git, dirs, index, edits)
        return await write_tree(git, dirs, index)


def _joined(before: bytes, text: bytes) -> bytes:
    """Both, the second on lines of its own."""
    return before + (b"\n" if before and not before.endswith(b"\n") else b"") + text


async def _blob(git: Git, dirs: Dirs, tree: str, path: str) -> bytes | None:
    """The contents of a plain file in a tree; None when there is none."""
    for part in (os.path.dirname(path), path):
        entry = (await git.run(dirs, "ls-tree", "-z", tree, "--", part)).fields
        if not entry:
            return None
        mode, kind, name = entry[0].split(b"\t")[0].decode("ascii").split(" ")
        if kind != ("blob" if part == path else "tree") or mode == LINK:
            raise _in_the_way(part)
    return (await git.run(dirs, "cat-file", "blob", name)).out


def _add_on_disk(work_tree: Path, path: str, before: bytes, text: bytes) -> None:
    """Add text to a file on disk, unless it is there; a folder or file that is a link is never followed."""
    folder, name = os.path.split(path)
    try:
        (work_tree / folder).mkdir(exist_ok=True)
        inside = os.open(work_tree / folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _in_the_way(folder) from error
    try:
        file = os.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT | _CAREFUL, 0o666, dir_fd=inside)
        with open(file, "r+b", buffering=0) as opened:
            _add_to(opened, before, text)
    except OSError as error:
        raise _in_the_way(path) from error
    finally:
        os.close(inside)


def _add_to(file: FileIO, before: bytes, text: bytes) -> None:
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_BYTES:
        raise OSError(f"it is no plain file of at most {MOST_BYTES} bytes")
    there = file.read()
    if text in there:
        return
    wanted = _joined(before, text)
    if not wanted.startswith(there):  # people have changed it; otherwise a crash may have cut an earlier try short
        wanted = _joined(there, text)
    rest = wanted[len(there) :]
    while rest:
        rest = rest[file.write(rest) or 0 :]


def _in_the_way(path: str) -> Conflict:
    kind = "file" if os.path.dirname(path) else "folder"
    message = f"{shown(path)} is no plain {kind}, so nothing can be added there"
    return Conflict("file_in_the_way", message, "Move it away, commit that, then retry.")
