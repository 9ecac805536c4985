"""The process table: who is whose descendant, and which attempt a process belongs to.

Everything started for an attempt carries GOLEM_INSTANCE (random per state folder) and GOLEM_ATTEMPT in its
environment, the shim too. Only processes of our own user that carry our own instance are ever chosen to be ended,
together with their descendants and their sessions; those that carry another instance are left alone wherever they
hang. Zombies are dead.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final, NamedTuple

INSTANCE: Final = "GOLEM_INSTANCE"
ATTEMPT: Final = "GOLEM_ATTEMPT"
PF_KTHREAD: Final = 0x00200000
EXEC_LOOKS: Final = 50
EXEC_LOOK_SECONDS: Final = 0.01
UNKNOWN: Final = "unknown"
FOR_PEOPLE: Final = "notify:"
"""So begins the mark of what is no attempt: it was started for a person's sake, and is ended like an attempt."""
MAX_DEPTH: Final = 512  # of the tree above a process, which is also a bound on walks through a changing one


class Process(NamedTuple):
    """A row of the table; `start` in ticks since boot makes the pid unique."""

    pid: int
    state: str
    parent: int
    session: int
    start: int
    flags: int

    @property
    def alive(self) -> bool:
        """It runs, and is neither a zombie nor a thread of the kernel."""
        return self.state not in "ZX" and not self.flags & PF_KTHREAD


class Markers(NamedTuple):
    """What a process carries of ours."""

    instance: str | None
    attempt: str | None


Table = dict[int, Process]
NONE: Final = Markers(None, None)


def boot_id() -> str:
    """The random name of this boot."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def look_up(pid: int) -> Process | None:
    """The row of a process; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", 0) as file:
            text = file.read(4096)
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()  # the name before it may hold anything
    return Process(pid, fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]), int(fields[6]))


def is_running(pid: int, start: int) -> bool:
    """Whether exactly this process lives."""
    row = look_up(pid)
    return row is not None and row.start == start and row.alive


def snapshot() -> Table:
    """All rows, read one after the other: a tree that changes meanwhile needs another look."""
    rows = (look_up(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {row.pid: row for row in rows if row is not None}


def markers(pid: int) -> Markers:
    """What the environment says that the process was started with; nothing when it is gone or may not be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb", 0) as file:
            text = file.read()
    except OSError:
        return NONE
    found: dict[str, str] = {}
    for entry in text.split(b"\0"):
        name, _, value = entry.partition(b"=")
        if name in (b"GOLEM_INSTANCE", b"GOLEM_ATTEMPT"):
            found.setdefault(name.decode(), os.fsdecode(value))
    return Markers(found.get(INSTANCE), found.get(ATTEMPT))


def settled_markers(pid: int) -> Markers:
    """The markers, after waiting for an exec to be done: in its middle there is neither environment nor argument."""
    for _ in range(EXEC_LOOKS):
        found = markers(pid)
        if found != NONE or _has_arguments(pid):
            return found
        time.sleep(EXEC_LOOK_SECONDS)
    return NONE


def _has_arguments(pid: int) -> bool:
    try:
        os.readlink(f"/proc/{pid}/exe")  # a kernel thread, which root owns too, has no program and will never have any
        with open(f"/proc/{pid}/cmdline", "rb", 0) as file:
            return bool(file.read(1))
    except OSError:
        return True  # gone, or nothing to wait for


def owned(pid: int) -> bool:
    """Whether the process is of our user."""
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.geteuid()
    except OSError:
        return False


def choose(instance: str, wanted: Callable[[str], bool], sessions: frozenset[int] = frozenset()) -> list[Process]:
    """Living processes of the attempts that are `wanted`, with their descendants and sessions.

    `sessions` are ones known to be an attempt's. A session counts as a marked process's only if its leader is marked or
    gone, so that a person's terminal, in which a marked process was started by hand, is not ended.
    """
    table = snapshot()
    carried = {pid: settled_markers(pid) for pid, row in table.items() if row.alive and owned(pid)}
    marked = {pid for pid, marks in carried.items() if _is_wanted(marks, instance, wanted)}
    own = {table[pid].session for pid in marked if table[pid].session in marked or table[pid].session not in table}
    chosen = marked | {pid for pid, row in table.items() if row.session in own | sessions}
    for pid, row in table.items():
        if any(above in marked for above in _above(table, row)):
            chosen.add(pid)
    spared = {os.getpid(), *_above(table, table[os.getpid()])}
    return [
        table[pid] for pid in sorted(chosen - spared) if pid in carried and _may_end(carried[pid], instance, wanted)
    ]


def _is_wanted(marks: Markers, instance: str, wanted: Callable[[str], bool]) -> bool:
    return marks.instance == instance and marks.attempt is not None and wanted(marks.attempt)


def _may_end(marks: Markers, instance: str, wanted: Callable[[str], bool]) -> bool:
    """Not marked at all, or ours and wanted; never another instance's, never another attempt's."""
    return marks.instance is None or _is_wanted(marks, instance, wanted)


def _above(table: Table, row: Process) -> list[int]:
    """The pids above a process, nearest first."""
    found: list[int] = []
    while row.parent in table and len(found) < MAX_DEPTH:
        found.append(row.parent)
        row = table[row.parent]
    return found


def attempt_of(pid: int, instance: str) -> str | None:
    """The attempt that a process belongs to, by its own markers or those of a process above it.

    None for a process of nobody's; UNKNOWN when it is gone, or the tree changed under the walk: who cannot be told
    apart from an agent is taken for one.
    """
    for _ in range(MAX_DEPTH):
        row = look_up(pid) if pid > 0 else None
        if row is None or not row.alive:
            return UNKNOWN
        marks = markers(pid)
        if marks.instance == instance and marks.attempt is not None and not marks.attempt.startswith(FOR_PEOPLE):
            return marks.attempt
        if row.parent <= 1 or row.parent == os.getpid():
            return None
        pid = row.parent
    return UNKNOWN
