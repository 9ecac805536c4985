"""How a shim is launched: one function, to be replaced where shims run in scopes of their own."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import shutil
import signal
import sys
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final, Protocol

HERE: Final = Path(__file__).parent
HALVES: Final = ("shim", "shim_tree")
STATUS_FD: Final = 3
UNCHECKED: Final = py_compile.PycInvalidationMode.UNCHECKED_HASH  # there is no source beside it to compare with


class Launch(Protocol):
    """How a shim is started."""

    def __call__(self, argv: list[str], env: dict[str, str], stdin: int, status: int, memory_bytes: int, /) -> int:
        """Its pid. `stdin` becomes its standard input, `status` its STATUS_FD; `memory_bytes` is the most that it may
        use with all its descendants, 0 for no limit, as far as the launch can see to that. Raises OSError.
        """


def shim_file(state: Path) -> str:
    """The shim of this very golemd, compiled, in the state folder: what an upgrade puts in its place is of no concern.

    Compiled it starts in two thirds of the time. Where it cannot be written, it is the one of the installation.
    """
    try:
        return str(_built(state / "shim") / "shim.pyc")
    except OSError:
        return str(HERE / "shim.py")


def _built(place: Path) -> Path:
    """The folder with both halves of the shim, whole or not there; those of earlier golemds are removed."""
    sources = [HERE / f"{name}.py" for name in HALVES]
    text = b"".join(source.read_bytes() for source in sources)
    built = place / blake2b(importlib.util.MAGIC_NUMBER + text, digest_size=8).hexdigest()
    if not built.is_dir():
        shutil.rmtree(place, ignore_errors=True)
        new = place / "new"
        new.mkdir(mode=0o700, parents=True)
        for source in sources:
            compiled = new / f"{source.stem}.pyc"
            py_compile.compile(str(source), str(compiled), doraise=True, invalidation_mode=UNCHECKED)
            with open(compiled, "rb") as file:
                os.fsync(file.fileno())
        new.rename(built)
    return built


def launch_plain(argv: list[str], env: dict[str, str], stdin: int, status: int, memory_bytes: int = 0) -> int:
    """A Launch: a child of this process, in whatever unit this process is; its shim sees to the memory by itself."""
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
            (os.POSIX_SPAWN_DUP2, status, 2),  # why a shim never came to run, such as a Python that is gone
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
