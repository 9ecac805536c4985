"""The one seam between the journal and the operating system.

Every operation that changes or reads the journal's files is one call of `Disk`, so a simulated disk can crash between
any two of them, tear what was not synced, and fail the Nth. Handles are small integers. Faults are OSError, always.

What a disk promises, and nothing more:
* Bytes handed to `append` and `write_at` may survive a power cut wholly, in part or not at all until `fdatasync` of
  that file has returned; a name made, replaced or removed may be lost until `sync_folder` of its folder has returned.
* Aligned sectors of 512 bytes are written wholly or not at all, and bytes outside a write keep their value.
* After a failed sync nothing is known about the file's unsynced bytes, and asking again proves nothing.

The two syncs may take long. They run in a thread, are never abandoned and cannot be cancelled half-way. Only little
data on a device that has been quick so far is synced in the loop: handing it to a thread and back takes as long again,
and much longer while agents keep all cores busy.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Callable
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Final, Protocol

import trio

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What an operation says that needs more room than the disk, or the user's quota, has left."""

_KEEP_SIZE: Final = 0x01  # FALLOC_FL_KEEP_SIZE, linux/falloc.h
_UNSUPPORTED: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_QUICK_SECONDS: Final = 0.0003  # a sync that takes less on average is not worth a thread …
_SMALL_BYTES: Final = 64 * 1024  # … when so much was written at most
_NEWEST: Final = 0.2  # the weight of the newest sync in the average
_SYNC_THREADS: Final = 8  # of our own, so that a sync never waits for the rest of the daemon's threads


class How(Enum):
    """What a file is opened for. Symbolic links are refused in all of them."""

    READ = os.O_RDONLY
    UPDATE = os.O_RDWR
    APPEND = os.O_RDWR | os.O_APPEND
    CREATE = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL  # fails when the name is taken


class Disk(Protocol):
    """File operations as the journal needs them."""

    def make_folder(self, folder: Path) -> None:
        """Make one folder, for its owner only; one that is there is left alone."""
        ...

    def names(self, folder: Path) -> list[str]:
        """Names in a folder, sorted; none when there is no such folder."""
        ...

    def open(self, path: Path, how: How) -> int: ...
    def close(self, file: int) -> None: ...
    def size(self, file: int) -> int: ...

    def read(self, file: int, count: int, offset: int) -> bytes:
        """At most `count` bytes; fewer only at the end of the file."""
        ...

    def append(self, file: int, data: bytes | memoryview) -> int:
        """Write at the end of the file; how many bytes were taken, which may be fewer."""
        ...

    def write_at(self, file: int, data: bytes, offset: int) -> int:
        """Overwrite in place (not for files opened to append); how many bytes were taken."""
        ...

    def truncate(self, file: int, size: int) -> None:
        """Set the size; what was reserved past it is given back."""
        ...

    def reserve(self, file: int, offset: int, count: int) -> bool:
        """Set space aside without changing the size. False: this file system cannot. ENOSPC and its kin: no room."""
        ...

    def free_bytes(self, folder: Path) -> int: ...

    def drop_cache(self, file: int) -> None:
        """Forget clean cached pages, so that the next read shows what the device holds."""
        ...

    def rename(self, old: Path, new: Path) -> None: ...
    def unlink(self, path: Path) -> None: ...

    def symlink(self, target: str, path: Path) -> None:
        """Make a link; fails when the name is taken."""
        ...

    async def fdatasync(self, file: int, written: int | None = None) -> None:
        """Make the file's bytes and size durable. `written`: how many bytes at most were not durable, if known."""
        ...

    async def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        ...


class RealDisk:
    """The machine's own file system. `timer`: seconds, only for choosing where to sync."""

    def __init__(self, timer: Callable[[], float] = time.perf_counter) -> None:
        self._timer = timer
        self._threads = trio.CapacityLimiter(_SYNC_THREADS)
        self._sync_seconds = 0.001  # on average; nothing is known yet, so begin in a thread

    def make_folder(self, folder: Path) -> None:
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            if not folder.is_dir():
                raise

    def names(self, folder: Path) -> list[str]:
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    def open(self, path: Path, how: How) -> int:
        return os.open(path, how.value | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def close(self, file: int) -> None:
        os.close(file)

    def size(self, file: int) -> int:
        return os.fstat(file).st_size

    def read(self, file: int, count: int, offset: int) -> bytes:
        data = os.pread(file, count, offset)
        while data and len(data) < count:
            rest = os.pread(file, count - len(data), offset + len(data))
            if not rest:
                break
            data += rest
        return data

    def append(self, file: int, data: bytes | memoryview) -> int:
        return os.write(file, data)

    def write_at(self, file: int, data: bytes, offset: int) -> int:
        return os.pwrite(file, data, offset)

    def truncate(self, file: int, size: int) -> None:
        os.ftruncate(file, size)

    def reserve(self, file: int, offset: int, count: int) -> bool:
        fallocate = _fallocate()
        if fallocate is None:
            return False
        while fallocate(file, _KEEP_SIZE, offset, count) != 0:
            code = ctypes.get_errno()
            if code in _UNSUPPORTED:
                return False
            if code != errno.EINTR:
                raise OSError(code, os.strerror(code))
        return True

    def free_bytes(self, folder: Path) -> int:
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def drop_cache(self, file: int) -> None:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)

    def rename(self, old: Path, new: Path) -> None:
        os.rename(old, new)

    def unlink(self, path: Path) -> None:
        os.unlink(path)

    def symlink(self, target: str, path: Path) -> None:
        os.symlink(target, path)

    async def fdatasync(self, file: int, written: int | None = None) -> None:
        small = written is not None and written <= _SMALL_BYTES
        if small and self._sync_seconds < _QUICK_SECONDS:
            took = self._timed_sync(file)
        else:
            with trio.CancelScope(shield=True):
                took = await trio.to_thread.run_sync(self._timed_sync, file, limiter=self._threads)
        if small:
            self._sync_seconds += _NEWEST * (took - self._sync_seconds)

    def _timed_sync(self, file: int) -> float:
        """How many seconds it took."""
        begun = self._timer()
        os.fdatasync(file)
        return self._timer() - begun

    async def sync_folder(self, folder: Path) -> None:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(_fsync_folder, folder, limiter=self._threads)


def _fsync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@cache
def _fallocate() -> ctypes._NamedFuncPointer | None:
    """The C library's fallocate; Python's posix_fallocate would change the file's size."""
    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError):  # such a C library means a disk without reserves
        return None
    function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    function.restype = ctypes.c_int
    return function
