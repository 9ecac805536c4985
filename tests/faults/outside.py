"""What a stranger can read of a daemon without asking it: the journal's files, and its processes in /proc.

Nothing here uses the daemon's own code, so that a defect of that code cannot hide itself.
"""

from __future__ import annotations

import hashlib
import os
import select
import signal
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

END_SECONDS: Final = 60.0  # for a killed process to be gone
SLOT_BYTES: Final = 512
SEAL: Final = b',"h":"'

# --- the journal, read from outside ------------------------------------------------------------------------------


def segments(state: Path) -> list[Path]:
    """The journal's files in order."""
    return sorted((state / "journal").glob("*-*.jsonl"))


def lines_of(state: Path) -> list[bytes]:
    """Every whole line of the journal, without its line feed."""
    return [line for file in segments(state) for line in file.read_bytes().split(b"\n")[:-1]]


def records_of(state: Path) -> list[dict[str, Any]]:
    """Every record. Raises AssertionError for a line that is not sealed or does not follow."""
    return check_lines(lines_of(state))


def check_lines(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """The records of a journal's lines. Raises AssertionError for one that is not sealed or does not follow.

    A journal whose first records were pruned begins with a later one.
    """
    found: list[dict[str, Any]] = []
    lines = list(lines)
    first = msgspec.json.decode(lines[0], type=dict[str, Any]) if lines else {}
    previous = first.get("prev", "0" * 32) if first.get("seq", 1) > 1 else "0" * 32
    for number, line in enumerate(lines, max(first.get("seq", 1), 1)):
        record, mark = _read(line)
        assert (record["seq"], record["prev"], record["h"]) == (number, previous, mark), line[:200]
        previous = mark
        found.append(record)
    return found


@lru_cache(1 << 12)  # proofs look at the same lines on thousands of disks
def _read(line: bytes) -> tuple[dict[str, Any], str]:
    """A line's record, and the hash that belongs to it."""
    mark = hashlib.blake2b(line[: line.rindex(SEAL)], digest_size=16).hexdigest()
    return msgspec.json.decode(line, type=dict[str, Any]), mark


def commands_of(records: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The records by command; the last one may be unfinished."""
    commands: list[list[Mapping[str, Any]]] = [[]]
    for record in records:
        commands[-1].append(record)
        if not record.get("more"):
            commands.append([])
    return [command for command in commands if command]


def head_seq(state: Path) -> int:
    """The durable end, as the valid slots of the head say it; 0 without any."""
    file = state / "head"
    return newest_mark(file.read_bytes() if file.exists() else b"")


def newest_mark(data: bytes) -> int:
    """The durable end, as the valid slots in a head's bytes say it; 0 without any."""
    found = 0
    for at in range(0, len(data), SLOT_BYTES):
        slot = data[at : at + SLOT_BYTES].rstrip(b" \n")
        body = slot[: slot.rfind(SEAL)]
        if slot.endswith(hashlib.blake2b(body, digest_size=16).hexdigest().encode() + b'"}'):
            found = max(found, msgspec.json.decode(slot).get("seq", 0))
    return found


def digests_of(state: Path) -> dict[str, str]:
    """A hash of each of the journal's files and of the head: what a refusal must leave alone."""
    files = [state / "head", *(state / "journal").iterdir()]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()}


# --- the process table, read from outside ------------------------------------------------------------------------


class Process(NamedTuple):
    """A process of an instance: `attempt` is empty for git; `shim` for the attempt's supervisor."""

    pid: int
    start: int
    attempt: str
    shim: bool

    @property
    def runs(self) -> bool:
        """Whether exactly this process is still there and no zombie."""
        found = _stat(self.pid)
        return found is not None and found[0] not in "ZX" and found[1] == self.start

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Signal exactly this process and wait for its end; False when it was gone before."""
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            if not self.runs:
                return False
            signal.pidfd_send_signal(fd, number)
            return bool(select.select([fd], [], [], END_SECONDS)[0])
        except ProcessLookupError:
            return False
        finally:
            os.close(fd)


def processes_of(instance: str) -> list[Process]:
    """Living processes that carry the instance in their environment."""
    wanted = f"GOLEM_INSTANCE={instance}".encode()
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            environ = Path("/proc", name, "environ").read_bytes().split(b"\0")
            if wanted not in environ:
                continue
            words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        stat = _stat(int(name))
        if stat is not None and stat[0] not in "ZX":
            attempt = next((e[14:].decode() for e in environ if e.startswith(b"GOLEM_ATTEMPT=")), "")
            found.append(Process(int(name), stat[1], attempt, any(b"/shim." in word for word in words)))
    return found


def _stat(pid: int) -> tuple[str, int] | None:
    """State and start time; None when it is gone."""
    try:
        text = Path("/proc", str(pid), "stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return fields[0].decode(), int(fields[19])
