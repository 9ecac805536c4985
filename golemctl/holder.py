"""Who holds the state folder: a golemd that starts or stops is there, and does not answer."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from golemctl.client import DaemonUnreachable
from golemd.api import paths

LOCKS: Final = Path("/proc/locks")
HINT: Final = "Wait a moment, or see what it says: in its terminal, or journalctl --user -u golemd"


def or_starting(fault: DaemonUnreachable) -> DaemonUnreachable:
    """The same fault, unless a golemd is there after all: then nobody need start another one."""
    pid = holder(paths.state_dir() / "lock")
    if not pid or fault.code != "daemon_unreachable":
        return fault
    where = f"does not answer at {fault.data['socket']}"
    message = f"golemd (pid {pid}) is there, and {where}: it is just starting or stopping, or listens elsewhere."
    return DaemonUnreachable(fault.code, message, HINT, **fault.data)


def holder(lock: Path) -> int:
    """The pid that stands in a lock file, while that process holds a lock; else 0."""
    try:
        pid = lock.read_text(encoding="ascii").strip()
        rows = [line.split() for line in LOCKS.read_text(encoding="ascii").splitlines()]
    except (OSError, UnicodeDecodeError):
        return 0
    return int(pid) if any(row[1] == "FLOCK" and row[4] == pid for row in rows) else 0
