"""A real daemon for fault tests: started, killed and started again on one state folder, with a real git repository.

Rules. Readiness is what the daemon itself says on NOTIFY_SOCKET, never a pause. Only processes that this rig started
are ever signalled.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from golemctl.client import Client
from golemd.api import calls, views
from tests.faults.outside import END_SECONDS, Process, processes_of

READY_SECONDS: Final = 60.0  # a start that takes longer has failed
SOURCES: Final = Path(__file__).resolve().parents[2]

CONFIGURATION: Final = """\
[project]
name = "demo"
prefix = "DEMO"
default_pipeline = "plain"
base_branch = "main"

[execution]
agent = "scripted"
max_wip = 8
max_concurrent = 8
grace_seconds = 1

[triage]
enabled = false

[agents.waiter]
kind = "command"
command = ["sh", "waiter.sh"]

[[pipelines.plain.phases]]
name = "build"
verify = ["test -e check.sh"]

[[pipelines.approved.phases]]
name = "build"

[[pipelines.approved.phases]]
name = "review"
gate = "approval"

[[pipelines.waiting.phases]]
name = "build"
agent = "waiter"
"""
WAITER: Final = """\
# Writes its result, and ends when somebody writes a line into the pipe.
echo work > work.txt
result='{"item_id":"%s","phase":"%s","result":"phase_complete","summary":"waited"}'
printf "$result" $GOLEM_ITEM $GOLEM_PHASE > $GOLEM_RESULT
echo ready > $GOLEM_PROJECT_ROOT/ready
read line < $GOLEM_PROJECT_ROOT/go
"""
FILES: Final = {
    "golem.toml": CONFIGURATION,
    "check.sh": "exit 0\n",
    "waiter.sh": WAITER,
}


class Ended(Exception):
    """The daemon ended before it was ready: its exit status and what it said."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"status {status}: {said}")
        self.status = status
        self.said = said


class Daemon:
    """One life of the daemon. `process` is the daemon itself, also under strace."""

    def __init__(self, rig: Rig, process: subprocess.Popen[bytes], ready: socket.socket, log: Path) -> None:
        self.rig = rig
        self.process = process
        self._ready = ready
        self._log = log
        self._pidfd = os.pidfd_open(process.pid)
        self.begun = time.monotonic()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def said(self) -> str:
        """Its standard error so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_ready(self, seconds: float = READY_SECONDS) -> bool:
        """Whether it said that it is ready within the time. Raises Ended when it ended instead."""
        return bool(self._told("READY=1", seconds))

    def wait_told(self, word: str) -> str:
        """What it tells its service manager with this word in it; empty after a while. Raises Ended."""
        return self._told(word, READY_SECONDS)

    def _told(self, word: str, seconds: float) -> str:
        deadline = time.monotonic() + seconds
        while True:
            left = max(0.0, deadline - time.monotonic())
            told = select.select([self._ready.fileno(), self._pidfd], [], [], left)[0]
            if self._ready.fileno() in told and word in (said := self._ready.recv(4096).decode()):
                return said
            if self._pidfd in told:
                raise Ended(self.wait(), self.said)
            if not told:
                return ""

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Signal it, unless it has ended, and wait for its end; the exit status."""
        if self._pidfd < 0:
            return self.process.returncode
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)
        return self.wait()

    def wait(self, seconds: float = END_SECONDS) -> int:
        """Wait for its end; the exit status, negative for a signal."""
        status = self.process.wait(seconds)
        self.close()
        return status

    def close(self) -> None:
        """Let go of the descriptors, once."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._ready.close()
            self._pidfd = -1


class Rig:
    """A place with a repository, a state folder and one daemon at a time."""

    def __init__(self, root: Path, state: Path | None = None, configuration: str = "") -> None:
        self.root = root
        self.state = state or root / "state"
        self.repository = root / "demo"
        self.socket = root / "golemd.sock"
        self.daemons = 0
        self.alive: list[Daemon] = []
        root.mkdir(parents=True, exist_ok=True)
        (root / "home").mkdir(exist_ok=True)
        (root / "golemd.toml").write_text(configuration, encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the caller's but the PATH; git's identity comes with it."""
        who = {f"GIT_{who}_{what}": "rig@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return who | {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GOLEMD_CONFIG": str(self.root / "golemd.toml"),
            "PYTHONPATH": str(SOURCES),
        }

    def argv(self, *options: str) -> list[str]:
        """The daemon's command line for this place."""
        places = ["--state-dir", str(self.state), "--socket", str(self.socket)]
        return [sys.executable, "-m", "golemd", *places, *options]

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run git as a person would; its output."""
        ran = subprocess.run(
            ["git", *arguments], cwd=cwd or self.repository, env=self.environment, capture_output=True, check=True
        )
        return ran.stdout.decode().strip()

    def make_repository(self) -> None:
        """A repository with one commit, ready for `project.init`."""
        self.repository.mkdir()
        for name, text in FILES.items():
            (self.repository / name).write_text(text, encoding="utf-8")
        self.git("init", "--quiet", "--template=", "--initial-branch=main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "Begin")

    def launch(self, before: Sequence[str] = ()) -> Daemon:
        """Start a daemon without waiting for it. `before`: what its command line is put behind, such as strace."""
        self.daemons += 1
        notify, log = self.root / f"ready-{self.daemons}", self.root / f"log-{self.daemons}"
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        ready.bind(str(notify))
        with open(log, "wb") as file:
            process = subprocess.Popen(
                [*before, *self.argv()],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=self.environment | {"NOTIFY_SOCKET": str(notify)},
                start_new_session=True,
            )
        self.alive = [each for each in self.alive if each.process.poll() is None]
        daemon = Daemon(self, process, ready, log)
        self.alive.append(daemon)
        return daemon

    def start(self, before: Sequence[str] = ()) -> Daemon:
        """Start a daemon that is ready. Raises Ended."""
        daemon = self.launch(before)
        if not daemon.wait_ready():
            daemon.kill()
            raise Ended(-signal.SIGKILL, f"not ready after {READY_SECONDS:g} s: {daemon.said}")
        return daemon

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run `golemd` with options to its end, such as --check."""
        return subprocess.run(
            self.argv(*options), env=self.environment, capture_output=True, text=True, timeout=END_SECONDS, check=False
        )

    @contextlib.contextmanager
    def client(self, timeout: float = 30.0) -> Iterator[Client]:
        """A client of this place's daemon."""
        with Client(self.socket, timeout=timeout) as client:
            yield client

    def init(self) -> views.ProjectReady:
        """Register the repository."""
        with self.client() as client:
            return client.call(calls.ProjectInit(root=str(self.repository), token="init"))

    @property
    def instance(self) -> str:
        """The state folder's random name; empty before the first start."""
        with contextlib.suppress(FileNotFoundError):
            return (self.state / "instance").read_text().strip()
        return ""

    def clean_up(self) -> list[Process]:
        """Kill the daemon and whatever of its instance is left; what was left beside the daemon."""
        for daemon in self.alive:
            daemon.kill()
        instance = self.instance
        left = processes_of(instance) if instance else []
        while instance and (found := processes_of(instance)):
            for each in found:
                each.kill()
        return left


@contextlib.contextmanager
def rig(configuration: str = "") -> Iterator[Rig]:
    """A rig in a short-named temporary place, which is removed with all its processes."""
    root = Path(tempfile.mkdtemp(prefix="golem-rig-")).resolve()
    place = Rig(root, configuration=configuration)
    try:
        place.make_repository()
        yield place
    finally:
        place.clean_up()
        shutil.rmtree(root, ignore_errors=True)


# --- strace ------------------------------------------------------------------------------------------------------


def strace(*inject: str, output: Path | None = None, trace: str = "") -> list[str]:
    """What a command line is put behind, so that its system calls are counted and failed as `inject` says.

    With -D the tracer is the grandchild, so the process that was started is the daemon itself. Not with --seccomp-bpf,
    which would be faster: under it strace injects errors, but no signals.
    """
    words = ["strace", "-D", "-f", "-qq", "-o", str(output or "/dev/null")]
    words += ["-e", f"trace={trace}"] if trace else []
    for rule in inject:
        words += ["-e", f"inject={rule}"]
    return words
