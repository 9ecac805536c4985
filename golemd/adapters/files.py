"""Small files outside the journal: read bounded and without following tricks, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from golemd.api.faults import Invalid, Unavailable

MAX_CONFIG_BYTES: Final = 1 << 20


class Files(Protocol):
    """The seam that this module fills: what each does is said where it is written."""

    def is_there(self, path: Path) -> bool: ...
    def folders_in(self, folder: Path) -> list[str]: ...
    def read_bounded(self, path: Path, most: int) -> bytes | str | None: ...
    def read_text(self, path: Path) -> str | None: ...
    def make_folder(self, folder: Path) -> None: ...
    def write_new(self, path: Path, text: str) -> bool: ...
    def write_durable(self, folder: Path, contents: Mapping[str, bytes]) -> None: ...
    def write_private(self, path: Path, text: str) -> None: ...


def is_there(path: Path) -> bool:
    """Whether there is a file or folder of that name."""
    return path.exists()


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in a folder; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def read_bounded(path: Path, most: int) -> bytes | str | None:
    """A regular file's bytes; None when there is none; a sentence when it is something else or too large."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                return f"{path.name} is not a plain file"
            if found.st_size > most:
                return f"{path.name} is larger than {most} bytes"
            with open(file, "rb", closefd=False) as opened:
                return opened.read(most)
        finally:
            os.close(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}"


def read_text(path: Path) -> str | None:
    """A configuration file's text, or None when there is none. Raises Invalid `unreadable_file`."""
    found = read_bounded(Path(os.path.realpath(path)), MAX_CONFIG_BYTES)  # of a circle of links: itself
    if found is None:
        return None
    if isinstance(found, str):
        raise Invalid("unreadable_file", f"{path}: {found}", "It must be a plain file of text.")
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid("unreadable_file", f"{path}: byte {error.start} is not UTF-8", "Save it as UTF-8.") from error


def make_folder(folder: Path) -> None:
    """Make a folder of ours, and those around it; one that is there is left alone. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_new(path: Path, text: str) -> bool:
    """Write a file that does not exist yet, whole; False when it exists. Raises Unavailable `unwritable_file`."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError as error:
        hint = "Mend that (room, permissions), then try again."
        raise Unavailable("unwritable_file", f"{path} cannot be written: {error.strerror}.", hint) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    return True


def write_durable(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write or replace files of ours, each whole or not at all, and wait until they are on disk. Makes the folder.

    Raises OSError; what it leaves then is what was there before, perhaps with some of the files replaced.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, content in contents.items():
        draft = folder / f".{name}.new"
        with open(draft, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / name)
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def write_private(path: Path, text: str) -> None:
    """Replace a file of ours, readable by its owner only."""
    draft = path.with_name(path.name + ".new")
    with open(draft, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    draft.replace(path)
