"""The state folder: made for its owner only, on a local file system, held by one daemon at a time.

`lock` is held by flock for life and never removed; `instance` is random and marks every process of this daemon.
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from typing import ClassVar, Final

from golemd.adapters.clock import fresh_instance
from golemd.adapters.files import write_private
from golemd.api.faults import Conflict, Unavailable

NETWORK: Final = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "coda", "davfs", "ncpfs"),
        *("ceph", "lustre", "gpfs", "beegfs", "orangefs", "pvfs2", "glusterfs", "fuse.glusterfs", "fuse.ceph-fuse"),
        *("fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.goofys", "fuse.blobfuse2", "fuse.juicefs"),
        *("fuse.mfs", "fuse.seaweedfs", "fuse.curlftpfs", "fuse.smbnetfs", "fuse.gvfsd-fuse"),
    }
)
"""Types of file systems as /proc/self/mountinfo names them."""
MOUNTS: Final = Path("/proc/self/mountinfo")


class StateFolderUnusable(Unavailable):
    """The folder cannot be used as it is; exit status 78."""

    exit_status: ClassVar[int] = 78


class StateFolderHeld(Conflict):
    """Another daemon holds the folder; exit status 75."""

    exit_status: ClassVar[int] = 75


class StateFolder:
    """An opened state folder. Closing it, or the end of the process, lets another daemon have it."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> StateFolder:
        """Make the folder if need be and hold it. Raises StateFolderUnusable, StateFolderHeld."""
        try:
            _make_private(path)
            _require_local(path)
            return cls(path, _hold(path / "lock"))
        except OSError as error:
            raise _unusable(path, error) from error

    def instance(self) -> str:
        """This folder's random name, made at the first start. Raises StateFolderUnusable."""
        file = self.path / "instance"
        try:
            known = file.read_text(encoding="ascii").strip() if file.exists() else ""
            if not known:
                known = fresh_instance()
                write_private(file, known + "\n")
        except OSError as error:
            raise _unusable(self.path, error) from error
        return known

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._lock)


def _unusable(path: Path, error: OSError) -> StateFolderUnusable:
    hint = "Mend that, or choose another folder: --state-dir DIR"
    return StateFolderUnusable("state_folder_unusable", f"{path}: {error.strerror}", hint)


def _make_private(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid != os.getuid():
        hint = "Choose a folder of your own: --state-dir DIR"
        raise StateFolderUnusable("state_folder_unusable", f"{path} belongs to uid {found.st_uid}.", hint)
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o700)


def _require_local(path: Path) -> None:
    kind = file_system_of(path)
    if kind in NETWORK:
        hint = "Locks and flushes cannot be trusted there. Choose a local folder: --state-dir DIR"
        raise StateFolderUnusable("state_folder_remote", f"{path} is on a network file system ({kind}).", hint)


def file_system_of(path: Path) -> str:
    """The type of the file system that holds a folder, from the mount with its device; empty if unknown."""
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines():
        fields, _, rest = line.partition(" - ")
        if fields.split()[2] == wanted:
            return rest.split()[0]
    return ""


def _hold(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 64, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        message = f"Another golemd holds {path.parent}: pid {holder}."
        raise StateFolderHeld("state_folder_held", message, "Use that one, or stop it: golemctl shutdown") from None
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        os.close(lock)
        raise
    return lock
