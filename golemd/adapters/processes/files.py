"""The attempts' folders: the lock, the small JSON records, and the order in which they may be believed.

Whoever writes a record writes it whole (temporary name, fdatasync, rename or link, fsync of the folder). Whoever reads
one reads a bounded regular file, and what cannot be understood is no record: logged, and never taken for a success.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from golemd.adapters.processes.records import AttemptSpec, Exit, Identity, Observation
from golemd.api.faults import Conflict, Invalid, Unavailable

MAX_RECORD_BYTES: Final = 64 * 1024
LOGS: Final = ("stdout.log", "stderr.log", "prompt.md", "stdin")
"""What an attempt has written and was told; everything else is small, and says what came of it."""
ATTEMPT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,199}")

_T = TypeVar("_T", Identity, Exit)
_log = logging.getLogger(__name__)


class AttemptFiles:
    """The folder `<state>/attempts`, one folder of mode 0700 for each attempt."""

    def __init__(self, state: Path) -> None:
        self.root = state / "attempts"

    def folder(self, attempt: str) -> Path:
        """The folder of an attempt, which need not exist. Raises Invalid `bad_attempt_id` for what cannot be a name."""
        if not ATTEMPT_ID.fullmatch(attempt):
            raise Invalid(
                "bad_attempt_id", f"{attempt!r} cannot name an attempt", "use letters, digits and . _ : @ + -"
            )
        return self.root / attempt

    def ids(self) -> list[str]:
        """Every attempt that has a folder."""
        try:
            return sorted(entry.name for entry in os.scandir(self.root) if ATTEMPT_ID.fullmatch(entry.name))
        except FileNotFoundError:
            return []

    def remove_logs(self, chosen: Callable[[str], bool]) -> int:
        """Remove output and prompts of the attempts that are chosen; of how many there was any. Raises OSError."""
        return sum(_remove(self.root / attempt, LOGS) for attempt in self.ids() if chosen(attempt))

    def make(self, attempt: str) -> Path:
        """The folder, private and durable. Raises OSError."""
        folder = self.folder(attempt)
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            folder.chmod(0o700)
        _sync_folder(self.root)
        return folder

    def write_spec(self, spec: AttemptSpec) -> None:
        """`spec.json`, for people: of the environment the names only, and not durable. Raises OSError."""
        shown = {name: getattr(spec, name) for name in spec.__struct_fields__}
        record = {"v": 1, **shown, "env": sorted(spec.env)}
        path = self.folder(spec.attempt) / "spec.json"
        temporary = path.with_name(f"spec.json.{os.getpid()}-{threading.get_ident()}")
        with open(_create(temporary), "wb") as file:
            file.write(msgspec.json.encode(_printable(record)) + b"\n")
        os.replace(temporary, path)

    def observe(self, attempt: str) -> Observation:
        """What the folder says. The order makes it true without holding the lock: `started.json` before the lock and
        `exit.json` after it, so that started, free and without an end means that the shim died.
        """
        if not ATTEMPT_ID.fullmatch(attempt):
            return Observation(held=False, started=False, identity=None, exit=None)
        folder = self.root / attempt
        started = os.path.lexists(folder / "started.json")
        identity = read_record(folder / "started.json", Identity, attempt) if started else None
        held = _held(folder)
        return Observation(
            held=held, started=started, identity=identity, exit=read_record(folder / "exit.json", Exit, attempt)
        )

    def fence(self, attempt: str) -> Exit:
        """Close an attempt that never started: after this no late shim can run it. Answers the Exit that then holds.

        Raises Conflict `attempt_held` while somebody holds it, `attempt_started` when it ran and left no end (that is
        lost, and cannot run again either); Unavailable `could_not_fence` when the record cannot be written.
        """
        try:
            folder = self.make(attempt)
            with _locked(folder, attempt):
                known = read_record(folder / "exit.json", Exit, attempt)
                if known is not None:
                    return known
                if os.path.lexists(folder / "started.json"):
                    raise Conflict("attempt_started", f"attempt {attempt} has started and left no end: it is lost")
                return _write_never_started(folder, attempt)
        except OSError as error:
            raise Unavailable(
                "could_not_fence", f"attempt {attempt}: {error.strerror}", "make room on the disk", errno=error.errno
            ) from error


def _remove(folder: Path, names: Iterable[str]) -> bool:
    """Remove some files of a folder; whether there was any."""
    found = [name for name in names if os.path.lexists(folder / name)]
    for name in found:
        (folder / name).unlink(missing_ok=True)
    return bool(found)


def read_record(path: Path, kind: type[_T], attempt: str) -> _T | None:
    """The record, or None when it is absent, or is not a whole record of this attempt and of a version we know."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise ValueError("not a regular file")
            data = file.read(MAX_RECORD_BYTES + 1)
        if len(data) > MAX_RECORD_BYTES:
            raise ValueError(f"longer than {MAX_RECORD_BYTES} bytes")
        record = msgspec.json.decode(data, type=kind)
        if record.attempt != attempt:
            raise ValueError(f"it is of attempt {record.attempt!r}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        _log.warning("%s is not a record and is not believed: %s", path, error)
        return None
    return record


def _held(folder: Path) -> bool:
    """Whether somebody holds the folder's lock. When that cannot be found out it counts as held: nothing changes."""
    try:
        fd = _open_folder(folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        _log.warning("cannot look at %s: %s", folder, error)
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


@contextlib.contextmanager
def _locked(folder: Path, attempt: str) -> Iterator[None]:
    fd = _open_folder(folder)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Conflict("attempt_held", f"attempt {attempt} is running", "stop it first") from error
    finally:
        os.close(fd)


def _write_never_started(folder: Path, attempt: str) -> Exit:
    end = Exit(
        v=1,
        attempt=attempt,
        status=None,
        signal=None,
        reason="never_started",
        errno=None,
        duration_s=0.0,
        cpu_s=0.0,
        max_rss_kb=0,
        ended_descendants=0,
        at=rfc3339(datetime.now(UTC)),
    )
    temporary, path = folder / "exit.json.fence", folder / "exit.json"
    with contextlib.suppress(FileNotFoundError):  # not a record, or it would have been returned; kept for a look
        os.rename(path, folder / "exit.json.unreadable")
    with open(_create(temporary), "wb") as file:
        file.write(msgspec.json.encode(end) + b"\n")
        file.flush()
        os.fdatasync(file.fileno())
    os.link(temporary, path)
    temporary.unlink()
    _sync_folder(folder)
    return end


def rfc3339(when: datetime) -> str:
    """A time in UTC as records hold it."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _open_folder(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _sync_folder(folder: Path) -> None:
    fd = _open_folder(folder)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _printable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The same value with text that JSON can hold: file names may carry bytes that are no text."""
    if isinstance(value, str):
        return os.fsencode(value).decode("utf-8", "replace")
    if isinstance(value, dict):
        return {name: _printable(one) for name, one in value.items()}
    return [_printable(one) for one in value] if isinstance(value, list | tuple) else value
