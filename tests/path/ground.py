"""Processes, commands and pipes, as tests of the whole path handle them. Nothing here knows golemd."""

from __future__ import annotations

import json
import os
import select
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

GUARD_SECONDS: Final = 60.0
"""Keeps a broken test from hanging; nothing that works takes so long."""
PACKAGES: Final = Path(__file__).resolve().parents[2]
_FOREIGN: Final = ("GOLEM", "NOTIFY_", "GIT_", "XDG_", "LISTEN_", "PYTEST_", "DBUS_")


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


def environment(root: Path) -> dict[str, str]:
    """An environment in which no daemon, repository or configuration of the user's can be found."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    home = root / "home"
    home.mkdir(exist_ok=True)
    own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home / "state")}
    git = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return mine | own | git | {"PYTHONPATH": str(PACKAGES), "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}


def ended(pid: int, seconds: float = GUARD_SECONDS) -> bool:
    """Wait for the end of any process; False when it still runs after so many seconds."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watch], [], [], seconds)[0])
    finally:
        os.close(watch)


def running(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat[stat.rindex(b")") + 2 :][:1] not in b"ZX"


def carrying(mark: str) -> list[int]:
    """Living processes with this entry in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                entries = (entry / "environ").read_bytes().split(b"\0")
            except OSError:  # it has ended, or it is not ours
                continue
            if mark.encode() in entries:
                found.append(int(entry.name))
    return found


def run_command(
    command: Sequence[str | Path], *, cwd: Path | None = None, env: dict[str, str] | None = None, stdin: str = ""
) -> Ended:
    """Run a command to its end."""
    done = subprocess.run(
        [str(word) for word in command],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=GUARD_SECONDS,
        check=False,
        cwd=cwd,
        env=env,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def wait_for_line(file: Path, word: str) -> str:
    """The first line of a growing file that holds a word."""
    tail = subprocess.Popen(["tail", "-n", "+1", "-f", file], stdout=subprocess.PIPE, text=True)
    guard = threading.Timer(GUARD_SECONDS, tail.kill)
    guard.start()
    try:
        assert tail.stdout is not None
        return next((line for line in tail.stdout if word in line), "") or _never(file, word)
    finally:
        guard.cancel()
        tail.kill()
        tail.communicate()


def _never(file: Path, word: str) -> str:
    raise AssertionError(f"{word!r} never came to {file}: {file.read_text(encoding='utf-8', errors='replace')}")


class Fifo:
    """A named pipe: agents that read it wait until the test says go, agents that write to it tell the test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path, 0o600)
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)

    def go(self, words: int = 1) -> None:
        """Let one reader after the other go on."""
        os.write(self._fd, b"go\n" * words)

    def heard(self) -> str:
        """What somebody has written, as soon as there is something."""
        assert select.select([self._fd], [], [], GUARD_SECONDS)[0], f"nobody wrote to {self.path}"
        return os.read(self._fd, 65536).decode()

    def close(self) -> None:
        os.close(self._fd)
