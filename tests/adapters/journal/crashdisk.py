"""A disk in memory that keeps apart what was written and what was synced, for crashes between any two operations.

Power may go at any operation that changes or syncs something; `crash` then gives one of the disks that may be found
afterwards. Unsynced bytes of appended files survive whole, in part, as zeros, as garbage or not at all; sectors that
are overwritten in place survive as old or new; names since the folder's last sync survive as any beginning of them.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import trio

from golemd.adapters.disk import How

SECTOR = 512
STATE = Path("/state")


class PowerCut(BaseException):
    """The power went. No operation happens after it."""


class Inode:
    def __init__(self, durable: bytes = b"", target: str = "") -> None:
        self.data = bytearray(durable)
        self.durable = durable
        self.target = target


class CrashDisk:
    def __init__(self) -> None:
        self.names_now: dict[Path, Inode] = {}
        self.names_durable: dict[Path, Inode] = {}
        self.unsynced: list[tuple[Path, Inode | None]] = []  # names since the syncs of their folders
        self.folders: set[Path] = {STATE}
        self.files: dict[int, Inode] = {}
        self.before: Callable[[str], None] = lambda operation: None
        self.operations: list[str] = []
        self.room: int | None = None  # bytes that may still be set aside; None: plenty
        self.reserves = True
        self._next = 100

    def _step(self, operation: str) -> None:
        self.operations.append(operation)
        self.before(operation)

    def _name(self, path: Path, inode: Inode | None) -> None:
        self.unsynced.append((path, inode))
        if inode is None:
            del self.names_now[path]
        else:
            self.names_now[path] = inode

    # --- the seam

    def make_folder(self, folder: Path) -> None:
        self._step("make_folder")
        self.folders.add(folder)

    def names(self, folder: Path) -> list[str]:
        self._step("names")
        return sorted(path.name for path in {*self.names_now, *self.folders} if path.parent == folder)

    def open(self, path: Path, how: How) -> int:
        self._step("open")
        if how is How.CREATE:
            if path in self.names_now:
                raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
            self._name(path, Inode())
        if path not in self.names_now:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._next += 1
        self.files[self._next] = self.names_now[path]
        return self._next

    def close(self, file: int) -> None:
        self._step("close")
        del self.files[file]

    def size(self, file: int) -> int:
        self._step("size")
        return len(self.files[file].data)

    def read(self, file: int, count: int, offset: int) -> bytes:
        self._step("read")
        return bytes(self.files[file].data[offset : offset + count])

    def append(self, file: int, data: bytes | memoryview) -> int:
        self._step("append")
        taken = max(1, len(data) * 2 // 3) if len(self.operations) % 5 == 0 else len(data)
        self.files[file].data += data[:taken]
        return taken

    def write_at(self, file: int, data: bytes, offset: int) -> int:
        self._step("write_at")
        self.files[file].data[offset : offset + len(data)] = data
        return len(data)

    def truncate(self, file: int, size: int) -> None:
        self._step("truncate")
        del self.files[file].data[size:]

    def reserve(self, file: int, offset: int, count: int) -> bool:
        self._step("reserve")
        if not self.reserves:
            return False
        if self.room is not None and self.room < count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return True

    def free_bytes(self, folder: Path) -> int:
        self._step("free_bytes")
        return 1 << 40 if self.room is None else self.room

    def drop_cache(self, file: int) -> None:
        self._step("drop_cache")

    def rename(self, old: Path, new: Path) -> None:
        self._step("rename")
        if old in self.folders:
            self.folders.add(new)
            self.folders.discard(old)
            for path in [path for path in self.names_now if old in path.parents]:
                self._name(new / path.relative_to(old), self.names_now[path])
            return
        self._name(new, self.names_now[old])
        self._name(old, None)

    def unlink(self, path: Path) -> None:
        self._step("unlink")
        if path not in self.names_now:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._name(path, None)

    def symlink(self, target: str, path: Path) -> None:
        self._step("symlink")
        self._name(path, Inode(target=target))

    async def fdatasync(self, file: int, *, inline: bool = False) -> None:
        if not inline:
            await trio.lowlevel.cancel_shielded_checkpoint()
        self._step("fdatasync")
        inode = self.files[file]
        inode.durable = bytes(inode.data)

    async def sync_folder(self, folder: Path) -> None:
        await trio.lowlevel.cancel_shielded_checkpoint()
        self._step("sync_folder")
        for path, inode in self.unsynced:
            if path.parent == folder:
                self._apply(self.names_durable, path, inode)
        self.unsynced = [(path, inode) for path, inode in self.unsynced if path.parent != folder]

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

    def crash(self, random: Random) -> CrashDisk:
        """One of the disks that may be found when the power is back."""
        found = CrashDisk()
        found.folders = set(self.folders)
        found.room, found.reserves = self.room, self.reserves
        names = dict(self.names_durable)
        for path, inode in self.unsynced[: random.randint(0, len(self.unsynced))]:
            self._apply(names, path, inode)
        torn: dict[Inode, Inode] = {}
        for path, inode in names.items():
            if inode not in torn:
                torn[inode] = Inode(_image(inode, random), inode.target)
            found.names_now[path] = found.names_durable[path] = torn[inode]
        return found

    @staticmethod
    def _apply(names: dict[Path, Inode], path: Path, inode: Inode | None) -> None:
        if inode is None:
            names.pop(path, None)
        else:
            names[path] = inode


def _image(inode: Inode, random: Random) -> bytes:
    """What is left of a file."""
    old, new = inode.durable, bytes(inode.data)
    how = random.choice(("old", "new", "cut", "sectors"))
    if old == new or how == "old":
        return old
    if how == "new" or (not new.startswith(old) and len(new) != len(old)):
        return new
    if how == "cut" and len(new) > len(old):
        return new[: random.randint(len(old), len(new))]
    image = bytearray(old.ljust(len(new), b"\0"))
    for start in range(0, len(new), SECTOR):
        fate = random.randrange(4)
        if fate == 0 and start >= len(old):
            image[start : start + SECTOR] = random.randbytes(len(image[start : start + SECTOR]))
        elif fate >= 2:
            image[start : start + SECTOR] = new[start : start + SECTOR]
    return bytes(image)
