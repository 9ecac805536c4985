"""File systems of one's own, in files: made, mounted, and cut off as a power cut would. Root only."""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.faults.proof import Skipped

SHUTDOWN: Final = 0x8004587D  # EXT4_IOC_SHUTDOWN, which is XFS_IOC_GOINGDOWN
NO_LOG_FLUSH: Final = struct.pack("I", 2)  # what was not flushed before is gone, also of the file system's own journal
MIB: Final = 1 << 20
SIZES: Final = {"ext4": 64 * MIB, "xfs": 320 * MIB}  # xfs takes no less than 300 MiB
ELSEWHERE_SECONDS: Final = 120.0  # that another namespace may have it mounted: a case with a service manager of its own
MAKE: Final = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}


def require(*programs: str) -> None:
    """Raises Skipped where this machine has not what mounting needs."""
    if os.geteuid() != 0:
        raise Skipped("mounting file systems needs root")
    missing = [name for name in ("mount", "umount", *programs) if shutil.which(name) is None]
    if missing:
        raise Skipped(f"not installed: {', '.join(missing)}")


class Mounted:
    """A file system in a file. It may be cut off, and found again as the device holds it.

    It has ended when no namespace has it mounted any more; until then mounting it would show what was cut off.
    """

    def __init__(self, kind: str, image: Path, at: Path) -> None:
        self.image = image
        self.at = at
        self._folder_of_kind = Path("/sys/fs", kind)
        self._device = ""

    def mount(self) -> None:
        """Raises Skipped where that is not permitted."""
        done = subprocess.run(["mount", "-o", "loop", self.image, self.at], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Skipped(f"mount(8) does not work here: {done.stderr.strip()}")
        number = os.stat(self.at).st_dev
        self._device = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve().name

    def unmount(self) -> None:
        """Raises TimeoutError when it goes on elsewhere: whoever makes a namespace of mounts has all of them in it."""
        subprocess.run(["umount", self.at], check=True)
        deadline = time.monotonic() + ELSEWHERE_SECONDS
        while (self._folder_of_kind / self._device).exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._device} is still mounted in another namespace")
            select.select([], [], [], 0.02)

    def cut(self) -> None:
        """The power goes: from now on nothing reaches the device."""
        folder = os.open(self.at, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(folder)

    def find_again(self) -> None:
        """The power is back: only what the device holds is there."""
        self.unmount()
        self.mount()


@contextmanager
def file_system(kind: str) -> Iterator[Mounted]:
    """A new ext4 or xfs, in a sparse file. Raises Skipped."""
    require(MAKE[kind][0])
    with tempfile.TemporaryDirectory(prefix="golem-mount-") as folder:
        found = Mounted(kind, Path(folder) / "image", Path(folder) / "at")
        found.at.mkdir()
        with open(found.image, "wb") as file:
            file.truncate(SIZES[kind])
        subprocess.run([*MAKE[kind], found.image], check=True, stdout=subprocess.DEVNULL)
        found.mount()
        try:
            yield found
        finally:
            found.unmount()


@contextmanager
def small_disk(size: int) -> Iterator[Path]:
    """A file system of so many bytes, in memory. Raises Skipped."""
    require()
    with tempfile.TemporaryDirectory(prefix="golem-small-") as folder:
        words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "small", folder]
        if subprocess.run(words, stderr=subprocess.DEVNULL, check=False).returncode != 0:
            raise Skipped("mount(8) is not permitted here")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all the room there is."""
    filler = folder / "filler"
    with open(filler, "ab", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            return filler
    return filler
