"""A launch that gives each shim a transient scope of its own, apart from the daemon's unit.

How: a shell waits at a gate, as the child that the shim will be; the user's manager moves it into the scope; the gate
opens and the shell becomes the shim. So the pid, the fds and the parent are those of a plain launch, nothing of the
attempt has run before the process is where it belongs, and when the scope cannot be had the gate opens all the same.
When the daemon dies first, the shell hears the end of the pipe and leaves: the attempt has never started.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path
from typing import Final

from golemd.adapters.processes.launch import Launch, spawn_shim
from golemd.adapters.processes.proctable import ATTEMPT, INSTANCE
from golemd.adapters.user_manager import UserManager, scope_name

GATE_FD: Final = 4
INSTANCE_CHARACTERS: Final = 8  # of its name in a scope's: attempts of two state folders may be called the same
LOWEST_SPARE_FD: Final = 10  # what is passed on must not lie where it is passed to
_GATED: Final = ("/bin/sh", "-c", 'read -r go <&4 && exec 4<&- "$@"', "golemd-gate")

log = logging.getLogger(__name__)


def launch_in_scope(manager: UserManager, unit: str = "") -> Launch:
    """A Launch whose shims are in scopes `golemd-INSTANCE-ATTEMPT.scope`, or plain ones where that fails.

    `unit`: the daemon's own, if it has one; when the session ends it is stopped first, and ends the attempts itself.
    """

    warned = False

    def launch(argv: list[str], env: dict[str, str], stdin: int, status: int, memory_bytes: int) -> int:
        nonlocal warned
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            gate = fcntl.fcntl(reader, fcntl.F_DUPFD_CLOEXEC, LOWEST_SPARE_FD)
            try:
                pid = spawn_shim([*_GATED, *argv], env, stdin, status, [(os.POSIX_SPAWN_DUP2, gate, GATE_FD)])
            finally:
                os.close(gate)
            attempt = env[ATTEMPT]
            name = scope_name(f"golemd-{env[INSTANCE][:INSTANCE_CHARACTERS]}", attempt)
            try:
                about = f"{attempt}, an attempt of golemd"
                manager.start_scope(name, pid, about, outlives=unit, memory_bytes=memory_bytes)
                if memory_bytes and not warned and not _has_limit(pid):
                    warned = True
                    log.warning("your systemd manager cannot limit memory here: each attempt's supervisor measures it")
            except OSError as error:
                log.warning("attempt %s runs without a scope of its own: %s", attempt, error)
            os.write(writer, b"go\n")  # the reading end is open here too: no SIGPIPE when the shell is gone
        finally:
            os.close(reader)
            os.close(writer)
        return pid

    return launch


def _has_limit(pid: int) -> bool:
    """Whether a process is in a control group whose memory the kernel limits: a manager says yes all the same."""
    group = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").split()[-1].removeprefix("0::")
    return Path(f"/sys/fs/cgroup{group}/memory.max").exists()
