"""Where the socket is: its folder, its name, and getting there when the path is too long for the kernel."""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from golemd.api.faults import Unavailable

BACKLOG: Final = 128
PATH_BYTES: Final = 107  # what sockaddr_un holds, less the NUL
_FOLDER_FLAGS: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_NO_FOLDER: Final = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EEXIST})


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A non-blocking listening socket at `path`, 0600 in a 0700 folder of ours; at the end its name is removed.

    It takes its name by rename, so that clients find either the old socket or one that listens; a name that another
    socket has taken since is left alone. Faults: Unavailable `socket_folder_unsafe`, `socket_path_taken`,
    `socket_unavailable`.
    """
    folder = _open_folder(path.parent)
    try:
        with _bound(folder, path) as listener:
            identity = _identity(folder, path.name)
            try:
                yield listener
            finally:
                with suppress(OSError):  # the name, or the whole folder, has been removed before
                    if _identity(folder, path.name) == identity:
                        os.unlink(path.name, dir_fd=folder)
    finally:
        os.close(folder)


@contextmanager
def connect_address(path: Path) -> Iterator[str]:
    """An address to connect to for the socket at `path`, good inside the block, however long the path is.

    Faults: OSError when the folder of a long path cannot be opened.
    """
    if len(os.fsencode(path)) <= PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, _FOLDER_FLAGS)
    try:
        yield _through(folder, path.name)
    finally:
        os.close(folder)


def peer_credentials(sock: socket.socket) -> tuple[int, int]:
    """Process id and user id of the other end, as they were when it connected."""
    size = struct.calcsize("iII")
    pid, uid, _ = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return pid, uid


def _open_folder(path: Path) -> int:
    """A descriptor of the folder, made if need be and safe to bind in."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path, _FOLDER_FLAGS | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in _NO_FOLDER:
            raise _unsafe(path, "is not a folder, or a link to one") from error
        raise _unavailable(path, error) from error
    try:
        _make_safe(path, folder)
    except BaseException:
        os.close(folder)
        raise
    return folder


def _make_safe(path: Path, folder: int) -> None:
    status = os.fstat(folder)
    if status.st_uid != os.geteuid():
        raise _unsafe(path, f"belongs to user {status.st_uid}")
    if status.st_mode & stat.S_ISVTX or path == path.parent:
        raise _unsafe(path, "is shared with others")
    if stat.S_IMODE(status.st_mode) != 0o700:
        os.chmod(f"/proc/self/fd/{folder}", 0o700)  # this is the folder itself, whatever its name leads to by now


@contextmanager
def _bound(folder: int, path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            _bind(listener, folder, path)
        except OSError as error:
            raise _unavailable(path, error) from error
        yield listener


def _bind(listener: socket.socket, folder: int, path: Path) -> None:
    fresh = f".{path.name}.new"
    with suppress(FileNotFoundError):
        os.unlink(fresh, dir_fd=folder)  # left by a daemon that died on the next few lines
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise Unavailable(
                "socket_path_taken", f"{path} is there and is no socket", "move it, or choose another path"
            )
    listener.setblocking(False)
    listener.bind(_through(folder, fresh))
    os.chmod(fresh, 0o600, dir_fd=folder)
    listener.listen(BACKLOG)
    os.rename(fresh, path.name, src_dir_fd=folder, dst_dir_fd=folder)


def _through(folder: int, name: str) -> str:
    return f"/proc/self/fd/{folder}/{name}"


def _identity(folder: int, name: str) -> tuple[int, int]:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return status.st_dev, status.st_ino


def _unsafe(path: Path, why: str) -> Unavailable:
    hint = "choose a socket in a folder that is yours alone: --socket, or GOLEMD_SOCKET"
    return Unavailable("socket_folder_unsafe", f"{path}, the folder of the socket, {why}", hint, path=str(path))


def _unavailable(path: Path, error: OSError) -> Unavailable:
    hint = "mend that, or choose another path: --socket, or GOLEMD_SOCKET"
    return Unavailable(
        "socket_unavailable", f"cannot listen at {path}: {error.strerror or error}", hint, path=str(path)
    )
