"""A disk in memory that keeps apart what was written and what was synced, for crashes between any two operations.

Power may go at any operation that changes or syncs something. `images` gives the disks that may be found afterwards,
`crash` one of them at random; what is allowed is said in `nodes`. Space is counted as a real disk does: what was
reserved is there, and beyond it a write may find no room.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import islice, product
from math import prod
from os import PathLike
from pathlib import Path, PosixPath
from random import Random
from typing import Self

import trio

from golemd.adapters.disk import How
from tests.adapters.journal.nodes import File, Folder, Link, Node


class _Known(PosixPath):
    """A path that makes each path below it once: millions of operations name a few files."""

    @cached_property
    def below(self) -> dict[object, _Known]:
        return {}

    @cached_property
    def names(self) -> list[str]:
        return _split(self)

    def __truediv__(self, name: str | PathLike[str]) -> _Known:
        found = self.below.get(name)
        if found is None:
            found = self.below[name] = super().__truediv__(name)
        return found


def _names(path: Path) -> list[str]:
    """Of the folders and the file that lead from STATE to a path."""
    return path.names if isinstance(path, _Known) else _split(path)


def _split(path: Path) -> list[str]:
    return str(path)[len("/state/") :].split("/") if len(str(path)) > len("/state/") else []


STATE: Path = _Known("/state")
MANY = 1 << 60
Image = dict[str, bytes]
"""The files that are found after a crash, by their paths below STATE, and what is in them."""


class PowerCut(BaseException):
    """The power went. No operation happens after it."""


class CrashDisk:
    """`before` and `after` are told every operation; what they raise is its outcome. `waits`: syncs let others run."""

    def __init__(self, image: Mapping[str, bytes] | None = None, *, waits: bool = True) -> None:
        self.root = Folder()
        self.before: Callable[[str], None] = lambda operation: None
        self.after: Callable[[str], None] = lambda operation: None
        self.operations: list[str] = []
        self.room: int | None = None  # bytes that may still be taken; None: plenty
        self.reserves = True
        self.short_writes = True  # every few appends take a part only
        self.waits = waits
        self.place = STATE  # what the operation under way is about
        self._handles: dict[int, File] = {}
        self._paths: dict[int, Path] = {}
        self._next = 100
        for path, content in (image or {}).items():
            *folders, name = path.split("/")
            folder = self.root
            for each in folders:
                folder = _subfolder(folder, each)
            folder.entries[name] = folder.durable[name] = File(content)

    def _step(self, operation: str, what: Path | int) -> None:
        self.operations.append(operation)
        self.place = self._paths[what] if isinstance(what, int) else what
        self.before(operation)

    def _node(self, names: list[str]) -> Node | None:
        node: Node | None = self.root
        for name in names:
            node = node.entries.get(name) if isinstance(node, Folder) else None
        return node

    def _entry(self, path: Path) -> tuple[Folder, str]:
        """The folder that a path is in, and its name there."""
        *folders, name = _names(path)
        node = self._node(folders)
        if not isinstance(node, Folder):
            raise _error(errno.ENOENT)
        return node, name

    def _take(self, count: int) -> None:
        if self.room is not None and count > 0:
            if count > self.room:
                raise _error(errno.ENOSPC)
            self.room -= count

    def _give_back(self, file: File, size: int) -> None:
        if self.room is not None:
            self.room += max(file.reserved, len(file.data)) - size
        file.reserved = min(file.reserved, size)

    # --- the seam

    def make_folder(self, folder: Path) -> None:
        self._step("make_folder", folder)
        if self._node(_names(folder)) is None:
            above, name = self._entry(folder)
            above.change((name, Folder()))
        self.after("make_folder")

    def names(self, folder: Path) -> list[str]:
        self._step("names", folder)
        node = self._node(_names(folder))
        return sorted(node.entries) if isinstance(node, Folder) else []

    def open(self, path: Path, how: How) -> int:
        self._step("open", path)
        folder, name = self._entry(path)
        if how is How.CREATE:
            if name in folder.entries:
                raise _error(errno.EEXIST)
            folder.change((name, File()))
        file = folder.entries.get(name)
        if not isinstance(file, File):
            raise _error(errno.ENOENT if file is None else errno.EISDIR)
        self._next += 1
        self._handles[self._next], self._paths[self._next] = file, path
        if how is How.CREATE:
            self.after("open")
        return self._next

    def close(self, file: int) -> None:
        self._step("close", file)
        del self._handles[file]

    def size(self, file: int) -> int:
        self._step("size", file)
        return len(self._handles[file].data)

    def read(self, file: int, count: int, offset: int) -> bytes:
        self._step("read", file)
        return bytes(self._handles[file].data[offset : offset + count])

    def append(self, file: int, data: bytes | memoryview) -> int:
        self._step("append", file)
        held = self._handles[file]
        taken = len(data)
        if self.short_writes and len(self.operations) % 5 == 0:
            taken = max(1, taken * 2 // 3)
        size = len(held.data)
        self._take(size + taken - max(held.reserved, size))
        held.write(size, data[:taken])
        self.after("append")
        return taken

    def write_at(self, file: int, data: bytes, offset: int) -> int:
        self._step("write_at", file)
        self._handles[file].write(offset, data)
        self.after("write_at")
        return len(data)

    def truncate(self, file: int, size: int) -> None:
        self._step("truncate", file)
        held = self._handles[file]
        self._give_back(held, size)
        if size != len(held.data):
            held.truncate(size)
        self.after("truncate")

    def reserve(self, file: int, offset: int, count: int) -> bool:
        self._step("reserve", file)
        if not self.reserves:
            return False
        held = self._handles[file]
        self._take(offset + count - max(held.reserved, len(held.data)))
        held.reserved = max(held.reserved, offset + count)
        return True

    def free_bytes(self, folder: Path) -> int:
        self._step("free_bytes", folder)
        return 1 << 40 if self.room is None else self.room

    def drop_cache(self, file: int) -> None:
        self._step("drop_cache", file)
        self._handles[file].drop_cache()

    def rename(self, old: Path, new: Path) -> None:
        self._step("rename", new)
        (folder, name), (new_folder, new_name) = self._entry(old), self._entry(new)
        node = folder.entries.get(name)
        if node is None or folder is not new_folder:
            raise _error(errno.ENOENT if node is None else errno.EXDEV)
        folder.change((new_name, node), (name, None))
        self.after("rename")

    def unlink(self, path: Path) -> None:
        self._step("unlink", path)
        folder, name = self._entry(path)
        file = folder.entries.get(name)
        if not isinstance(file, File):
            raise _error(errno.ENOENT)
        self._give_back(file, 0)
        folder.change((name, None))
        self.after("unlink")

    def symlink(self, target: str, path: Path) -> None:
        self._step("symlink", path)
        folder, name = self._entry(path)
        if name in folder.entries:
            raise _error(errno.EEXIST)
        folder.change((name, Link(target.encode())))
        self.after("symlink")

    async def fdatasync(self, file: int, written: int | None = None) -> None:
        held = self._handles[file]
        try:
            self._step("fdatasync", file)
        except OSError:
            held.lose()
            raise
        seen = bytes(held.data)
        if self.waits and not self._is_quick(written):
            await trio.lowlevel.cancel_shielded_checkpoint()
        held.sync(seen)
        self.after("fdatasync")

    def _is_quick(self, written: int | None) -> bool:
        """Whether nobody runs while so many bytes are synced."""
        return False

    async def sync_folder(self, folder: Path) -> None:
        self._step("sync_folder", folder)
        if self.waits:
            await trio.lowlevel.cancel_shielded_checkpoint()
        node = self._node(_names(folder))
        if not isinstance(node, Folder):
            raise _error(errno.ENOENT)
        node.sync()
        self.after("sync_folder")

    # --- what is there

    def files(self) -> dict[str, File]:
        """Every file, as programs see it."""
        return _files(self.root, "", lambda folder: [folder.entries])[0]

    def content(self) -> Image:
        """What programs see."""
        return {path: bytes(file.data) for path, file in self.files().items()}

    def durable(self) -> Image:
        """What a crash cannot take away."""
        (files,) = _files(self.root, "", lambda folder: [folder.durable])
        return {path: file.durable for path, file in files.items()}

    @property
    def settled(self) -> bool:
        """Whether a crash just now would change nothing."""
        return _is_settled(self.root)

    # --- the power

    def cut_at(self, number: int) -> None:
        """The power goes instead of operation `number`, counted from now."""
        left = number

        def before(operation: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise PowerCut

        self.before = before

    def images(self, most: int = MANY) -> Iterator[Image]:
        """What may be found after a crash just now. Of more than `most` combinations of names and contents that many
        are taken: the most telling ones, and others by lot, always the same ones."""
        trees = _files(self.root, "", Folder.outcomes)
        every = {file: file.outcomes() for file in {file for files in trees for file in files.values()}}
        for files in trees:
            outcomes = [every[file] for file in files.values()]
            for contents in _combinations(outcomes, max(1, most // len(trees))):
                yield dict(zip(files, contents, strict=True))

    def crash(self, random: Random) -> Self:
        """One of the disks that may be found when the power is back."""
        files = random.choice(_files(self.root, "", Folder.outcomes))
        return self._found({path: random.choice(file.outcomes()) for path, file in files.items()})

    def killed(self) -> Self:
        """The same disk for the next process: only this one ended, what it wrote is in the caches."""
        found = self._found({})
        found.root = _twin(self.root, {})
        return found

    def _found(self, image: Image) -> Self:
        found = type(self)(image, waits=self.waits)
        found.room, found.reserves, found.short_writes = self.room, self.reserves, self.short_writes
        return found


def _subfolder(folder: Folder, name: str) -> Folder:
    node = folder.entries.get(name)
    if not isinstance(node, Folder):
        node = folder.entries[name] = folder.durable[name] = Folder()
    return node


def _is_settled(folder: Folder) -> bool:
    return not folder.pending and all(
        node.settled if isinstance(node, File) else _is_settled(node) for node in folder.entries.values()
    )


def _files(folder: Folder, place: str, outcomes: Callable[[Folder], list[dict[str, Node]]]) -> list[dict[str, File]]:
    """The files below a folder, for every combination of the outcomes of it and of the folders in it."""
    found = []
    for entries in outcomes(folder):
        here: dict[str, File] = {}
        below: list[list[dict[str, File]]] = []
        for name, node in entries.items():
            if isinstance(node, File):
                here[place + name] = node
            else:
                below.append(_files(node, f"{place}{name}/", outcomes))
        for parts in product(*below):
            files = dict(here)
            for part in parts:
                files |= part
            found.append(files)
    return found


def _combinations(outcomes: list[list[bytes]], most: int) -> Iterator[tuple[bytes, ...]]:
    """One outcome of each: all combinations, or `most` of them."""
    if prod(map(len, outcomes)) <= most:
        yield from product(*outcomes)
        return
    yield from islice(_telling(outcomes), most)


def _telling(outcomes: list[list[bytes]]) -> Iterator[tuple[bytes, ...]]:
    """Each outcome of each file while all others are new, then while all are old; then by lot, without an end."""
    for end in (0, -1):
        rest = [each[end] for each in outcomes]
        for number, each in enumerate(outcomes):
            yield from ((*rest[:number], one, *rest[number + 1 :]) for one in each)
    random = Random(len(outcomes))
    while True:
        yield tuple(random.choice(each) for each in outcomes)


def _twin(folder: Folder, known: dict[Node, Node]) -> Folder:
    """A copy of a tree in which every node is still one."""

    def twin(node: Node) -> Node:
        if node not in known:
            known[node] = node.copy() if isinstance(node, File) else _twin(node, known)
        return known[node]

    copy = Folder()
    copy.entries = {name: twin(node) for name, node in folder.entries.items()}
    copy.durable = {name: twin(node) for name, node in folder.durable.items()}
    copy.pending = [tuple((name, node and twin(node)) for name, node in names) for names in folder.pending]
    return copy


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))
