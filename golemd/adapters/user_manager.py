"""The user's systemd manager: scopes for processes of ours, and what is being done to our own unit.

Rules. It is asked over its private socket, which needs no bus; each question is a connection of its own, blocking and
bounded by ASK_SECONDS. Whatever goes wrong is an OSError: nobody may depend on a manager being there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from golemd.adapters.dbus import Connection, DBusError, Reader, Writer
from golemd.adapters.machine import total_swap

ASK_SECONDS: Final = 5.0
UNIT_NAME_BYTES: Final = 255
_SYSTEMD: Final = "org.freedesktop.systemd1"
_MANAGER: Final = "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"
_CGROUPS: Final = Path("/proc/self/cgroup")
_RESTARTS: Final = frozenset({"restart", "try-restart"})


class UserManager:
    """The manager that listens at `socket`."""

    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> UserManager | None:
        """The manager of this user, if there is one that answers."""
        runtime = environ.get("XDG_RUNTIME_DIR", "")
        if not runtime:
            return None
        found = cls(Path(runtime) / "systemd" / "private")
        try:
            found.jobs()
        except OSError:
            return None
        return found

    def start_scope(self, name: str, pid: int, description: str, *, outlives: str = "", memory_bytes: int = 0) -> None:
        """Move a process into a new scope, and return when it is there. Raises OSError: not moved.

        `outlives`: a unit that is stopped first, when both are to be stopped, as at the end of the session.
        `memory_bytes`: 0 is no limit; it holds where the memory controller is delegated to the user's manager. As much
        again may be swapped out, but never more than half of all swap: one scope must not use that up either.
        """
        with Connection(self._socket, ASK_SECONDS) as manager:
            body = _scope(name, pid, description, outlives, memory_bytes)
            job = manager.call(_SYSTEMD, *_MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", body).text()
            while True:
                removed = manager.next_signal("JobRemoved")
                removed.u32()
                path, _, result = removed.text(), removed.text(), removed.text()
                if path == job:
                    break
        if result != "done":
            raise DBusError(f"the scope did not start: {result}")

    def jobs(self) -> dict[str, str]:
        """What is being done: unit → type of its job, such as start, stop, restart. Raises OSError."""
        with Connection(self._socket, ASK_SECONDS) as manager:
            return _jobs(manager.call(_SYSTEMD, *_MANAGER, "ListJobs", "", Writer()))

    def own_unit(self, environ: Mapping[str, str], cgroups: Path = _CGROUPS) -> str:
        """The service whose main process we are; empty when systemd did not start this very process. Raises OSError."""
        unit, main = _service(cgroups), environ.get("SYSTEMD_EXEC_PID")
        if main is None and unit and "INVOCATION_ID" in environ:  # before systemd 248; all that it starts inherits this
            main = str(self.main_pid(unit))
        return unit if main == str(os.getpid()) else ""

    def main_pid(self, unit: str) -> int:
        """The main process of a service; 0 when it has none. Raises OSError."""
        with Connection(self._socket, ASK_SECONDS) as manager:
            name, wanted = Writer(), Writer()
            name.text(unit)
            path = manager.call(_SYSTEMD, *_MANAGER, "GetUnit", "s", name).text()
            wanted.text(f"{_SYSTEMD}.Service")
            wanted.text("MainPID")
            answer = manager.call(_SYSTEMD, path, _PROPERTIES, "Get", "ss", wanted)
            answer.signature()
            return answer.u32()

    def is_restarting(self, unit: str) -> bool:
        """Whether the unit is being stopped only to be started again. Raises OSError."""
        return self.jobs().get(unit) in _RESTARTS


def _scope(name: str, pid: int, description: str, outlives: str, memory_bytes: int) -> Writer:
    body = Writer()

    def entry(key: str, signature: str) -> None:
        body.text(key)
        body.signature(signature)

    def describe() -> None:
        entry("Description", "s")
        body.text(description)

    def forget_failure() -> None:
        entry("CollectMode", "s")  # a scope whose processes were killed must leave no failed unit behind
        body.text("inactive-or-failed")

    def delegate() -> None:
        entry("Delegate", "b")  # then one process out of memory is no reason to end the whole scope
        body.boolean(True)

    def processes() -> None:
        entry("PIDs", "au")
        body.u32(4)
        body.u32(pid)

    def order() -> None:
        entry("Before", "as")  # starting order; stopping is the other way round
        body.texts(outlives)

    def memory() -> None:
        entry("MemoryMax", "t")
        body.u64(memory_bytes)

    def swap() -> None:
        entry("MemorySwapMax", "t")
        body.u64(min(memory_bytes, total_swap() // 2))

    body.text(name)
    body.text("fail")
    wished = [*([order] if outlives else []), *([memory, swap] if memory_bytes else [])]
    body.structs(describe, forget_failure, delegate, processes, *wished)
    body.structs()
    return body


def _jobs(answer: Reader) -> dict[str, str]:
    end = answer.ends_at()
    found = {}
    while answer.at < end:
        answer.align(8)
        answer.u32()
        unit, kind, _state, _job, _unit_path = (answer.text() for _ in range(5))
        found[unit] = kind
    return found


def scope_name(prefix: str, name: str) -> str:
    """The name of a scope: what a unit's name may not hold is escaped as systemd does it."""
    escaped = re.sub(rb"[^A-Za-z0-9:_.-]", lambda m: b"\\x%02x" % m[0][0], name.encode()).decode("ascii")
    room = UNIT_NAME_BYTES - len(prefix) - len("-.scope")
    return f"{prefix}-{escaped[:room]}.scope"


def _service(cgroups: Path) -> str:
    """The service whose control group we are in; empty when it is none's."""
    for line in cgroups.read_text(encoding="utf-8").splitlines():
        number, controllers, path = line.split(":", 2)
        last = path.rsplit("/", 1)[-1]
        if (number == "0" or controllers == "name=systemd") and last.endswith(".service"):
            return last
    return ""
