"""How a shim is launched: one function, to be replaced where shims run in scopes of their own."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

STATUS_FD: Final = 3

Launch = Callable[[list[str], dict[str, str], int, int], int]
"""argv, environment, the fd that becomes standard input, the fd that becomes STATUS_FD → pid. Raises OSError."""


def shim_file() -> str:
    """The shim, compiled where that is possible: it starts in two thirds of the time."""
    source = Path(__file__).with_name("shim.py")
    try:
        return py_compile.compile(str(source), importlib.util.cache_from_source(str(source)), doraise=True) or str(
            source
        )
    except OSError:
        return str(source)  # installed where we may not write


def launch_plain(argv: list[str], env: dict[str, str], stdin: int, status: int) -> int:
    """A Launch: a child of this process, in whatever unit this process is."""
    return spawn_shim(argv, env, stdin, status)


def spawn_shim(
    argv: list[str], env: dict[str, str], stdin: int, status: int, more: Sequence[tuple[int, ...]] = ()
) -> int:
    """In a session of its own, with no other fds and no blocked or ignored signals, as a child of this process.

    posix_spawn and not subprocess: it costs no helper thread, no copy of the daemon, and no object that must outlive
    the daemon's interest in it. `more`: further file actions, after these.
    """
    return os.posix_spawn(
        argv[0],
        argv,
        env,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, stdin, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, status, STATUS_FD),
            *more,
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
    )


def shim_argv(file: str, folder: Path) -> list[str]:
    """The command line of a shim for an attempt's folder."""
    return [sys.executable, "-I", "-S", file, str(folder), str(STATUS_FD)]
