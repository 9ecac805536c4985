"""Where benchmarks run: a temporary folder, the processes in it, and golemd's peers as servers.

Every process that is started here is ended by its pid when the place is closed, the newest first, also after Ctrl-C;
what golemd's attempts leave is found by its GOLEM_INSTANCE. Servers listen on Unix sockets inside the folder.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec import Struct

from tests.bench.proc import children, ran
from tests.path.ground import GUARD_SECONDS, PACKAGES
from tests.path.house import House

_P = TypeVar("_P", bound=subprocess.Popen[Any])

HERE: Final = Path(__file__).parent
NEEDS: Final = {"git": "git", "redis-server": "redis-server", "supervisord": "supervisor", "gcc": "gcc"}
CALM_SECONDS: Final = 0.5  # is how long a process is watched that should have come to rest,
CALM_SHARE: Final = 0.05  # and how much of that it may run
LOOK_SECONDS: Final = 0.001  # between two looks whether a server answers

REDIS: Final = """\
port 0
unixsocket {folder}/redis.sock
dir {folder}
daemonize no
save ""
appendonly yes
appendfsync always
aof-use-rdb-preamble no
auto-aof-rewrite-percentage 0
"""
SUPERVISOR: Final = """\
[unix_http_server]
file={folder}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
minfds=8192
minprocs=2048
[supervisorctl]
serverurl=unix://{folder}/supervisor.sock
[program:idle]
command={command}
numprocs={count}
process_name=%(process_num)d
startsecs=0
autorestart=false
stopwaitsecs=1
"""


class Size(Struct, frozen=True):
    """How much is done: seconds of each timed turn, and counts of what the rows are about."""

    seconds: float = 1.5
    flushes: tuple[int, ...] = (0, 1, 5)  # milliseconds added to each fdatasync
    events: int = 1_000_000  # in a journal that is read at a start
    slow_events: int = 50_000  # of them, where the peer is so slow that more would only take time
    items: int = 10_000
    many_items: int = 100_000
    calls: int = 300  # of one client after another
    attempts: int = 100
    idle_attempts: int = 1_000
    idle_seconds: float = 10.0
    ends: int = 30  # programs whose end is timed
    clients: int = 64


QUICK: Final = Size(
    seconds=0.5,
    events=50_000,
    slow_events=5_000,
    items=2_000,
    many_items=20_000,
    calls=100,
    attempts=30,
    idle_attempts=50,
    idle_seconds=3.0,
    ends=10,
)
TINY: Final = Size(
    seconds=0.05,
    flushes=(1,),
    events=600,
    slow_events=100,
    items=20,
    many_items=200,
    calls=5,
    attempts=2,
    idle_attempts=2,
    idle_seconds=0.1,
    ends=2,
    clients=4,
)


def missing() -> list[str]:
    """Debian packages that the benchmarks need and that are not there."""
    return [package for program, package in NEEDS.items() if shutil.which(program) is None]


class Place:
    """A temporary folder and what runs in it. `size` is how much is to be done here."""

    def __init__(self, size: Size, whole: Place | None = None) -> None:
        self.size = size
        self._whole = whole or self
        self._closing = ExitStack()
        self._folders = 0
        self.started: list[subprocess.Popen[Any]] = []
        if whole is None:
            folder = tempfile.TemporaryDirectory(prefix="gb-", ignore_cleanup_errors=True)
            self.root = Path(self._closing.enter_context(folder))

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.close()

    def room(self) -> Place:
        """A part of this place, for a `with`: what runs in it ends before the rest does, and its folders go."""
        return Place(self.size, self._whole)

    def at_end(self, what: Callable[[], object]) -> None:
        """Have something done when this place is closed, before what is older in it."""
        self._closing.callback(what)

    def folder(self) -> Path:
        """A fresh folder, with a short path: the addresses of sockets are short."""
        whole = self._whole
        whole._folders += 1
        folder = whole.root / str(whole._folders)
        folder.mkdir()
        self._closing.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def slow(self, flush_ms: float) -> dict[str, str]:
        """The environment in which every fdatasync and fsync takes so much longer; none when it is 0."""
        if not flush_ms:
            return {}
        library = self._whole.root / "slow_flush.so"
        if not library.exists():
            compiler: list[str | Path] = [
                "gcc",
                "-O2",
                "-shared",
                "-fPIC",
                "-o",
                library,
                HERE / "slow_flush.c",
                "-ldl",
            ]
            subprocess.run(compiler, check=True)
        return {"LD_PRELOAD": str(library), "GOLEM_BENCH_FLUSH_US": str(round(flush_ms * 1000))}

    def worker(self, module: str, *arguments: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """A process of this folder's own, `tests.bench.MODULE`, whose standard output is one line of JSON."""
        command = [sys.executable, "-m", f"tests.bench.{module}", *map(str, arguments)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PACKAGES,
            env=os.environ | (env or {}),
            start_new_session=True,
        )
        return self._own(process)

    def ask(self, module: str, *arguments: object, env: dict[str, str] | None = None) -> Any:
        """What a worker says at its end."""
        return said(self.worker(module, *arguments, env=env))

    def serve(
        self, command: Sequence[str | Path], log: Path, env: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """A server in the background."""
        with open(log, "ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | (env or {}),
                start_new_session=True,
            )
        return self._own(process)

    def _own(self, process: _P) -> _P:
        """See to it that a process ends with this place."""
        self._whole.started.append(process)
        self._closing.callback(end, process)
        return process

    def house(self, env: dict[str, str] | None = None, **settings: Any) -> House:
        """A running golemd in a place of its own."""
        house = House(self.folder())
        house.settings(**settings)
        self._closing.callback(_leave, house)
        house.start("--log-level", "warning", env=env)
        assert isinstance(house.process, subprocess.Popen)
        self._whole.started.append(house.process)
        return house

    def redis(self, env: dict[str, str] | None = None, folder: Path | None = None) -> Path:
        """A running redis-server that syncs its log before it answers; its socket."""
        folder = folder or self.folder()
        (folder / "redis.conf").write_text(REDIS.format(folder=folder), encoding="ascii")
        server = self.serve(["redis-server", folder / "redis.conf"], folder / "redis.log", env)
        path = folder / "redis.sock"
        until(lambda: _pongs(path), server)
        return path

    def echo(self) -> Path:
        """A running server that sends back what it is sent; its socket."""
        folder = self.folder()
        path = folder / "echo.sock"
        server = self.serve(
            [sys.executable, "-m", "tests.bench.echo", path], folder / "log", {"PYTHONPATH": str(PACKAGES)}
        )
        until(lambda: _connects(path), server)
        return path

    def supervisor(self, count: int = 1, program: str = "/bin/sleep 100000") -> Supervisor:
        """A running supervisord with that many running programs."""
        found = Supervisor(self.folder(), count, program)
        server = self.serve(found.command, found.config.with_name("out"))
        found.pid = server.pid
        until(lambda: _connects(found.socket) and children(server.pid) == count, server)
        until(lambda: _is_calm(server.pid), server)
        return found


class Supervisor:
    """How supervisord is run with that many of a program in a folder, where it listens, and its pid once it runs."""

    def __init__(self, folder: Path, count: int, program: str = "/bin/sleep 100000") -> None:
        self.socket = folder / "supervisor.sock"
        self.config = folder / "supervisord.conf"
        self.command = ("supervisord", "-c", str(self.config))
        self.pid = 0
        self.config.write_text(SUPERVISOR.format(folder=folder, count=count, command=program), encoding="ascii")


def said(process: subprocess.Popen[str]) -> Any:
    """What a worker says at its end."""
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    return json.loads(out)


def until(true: Callable[[], bool], server: subprocess.Popen[Any]) -> None:
    """Return when something is true of a server that is coming up."""
    deadline = time.monotonic() + GUARD_SECONDS
    while not true():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{server.args!r} did not come up")
        time.sleep(LOOK_SECONDS)


def end(process: subprocess.Popen[Any]) -> None:
    """End a process that was started here: politely, then at once."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GUARD_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _leave(house: House) -> None:
    """End a golemd and its attempts without grace, and whatever they left."""
    try:
        if house.process is not None and house.process.poll() is None:
            house.stop_at_once()
    finally:
        if house.process is not None:
            house.kill9()
        for pid in house.left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _is_calm(pid: int) -> bool:
    """Whether a process hardly runs: what it does at its start is behind it."""
    before = ran(pid)
    time.sleep(CALM_SECONDS)
    return ran(pid).seconds - before.seconds < CALM_SHARE * CALM_SECONDS


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _pongs(path: Path) -> bool:
    """Whether a redis-server answers, which it does with an error while it loads."""
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)):
            return False
        probe.sendall(b"PING\r\n")
        return probe.recv(64).startswith(b"+PONG")
