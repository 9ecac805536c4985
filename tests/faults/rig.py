"""A real daemon for fault tests: started, killed and started again on one state folder, with a real git repository.

Rules. Readiness is what the daemon itself says on NOTIFY_SOCKET, never a pause. Only processes that this rig started
are ever signalled. What a test knows of the journal is read from the files here, not asked from the code under test.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from golemctl.client import Client
from golemd.api import calls, views

READY_SECONDS: Final = 60.0  # a start that takes longer has failed
END_SECONDS: Final = 60.0
SLOT_BYTES: Final = 512
SOURCES: Final = Path(__file__).resolve().parents[2]
SEAL: Final = b',"h":"'

CONFIGURATION: Final = """\
[project]
name = "demo"
prefix = "DEMO"
default_pipeline = "plain"
base_branch = "main"

[execution]
agent = "scripted"
max_wip = 4
max_concurrent = 3
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
max_retries = 0
"""
FILES: Final = {
    "golem.toml": CONFIGURATION,
    "check.sh": "exit 0\n",
    "waiter.sh": "echo waiting > $GOLEM_PROJECT_ROOT/began\nread line < $GOLEM_PROJECT_ROOT/go\nexit 3\n",
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
        deadline = time.monotonic() + seconds
        while True:
            left = max(0.0, deadline - time.monotonic())
            told = select.select([self._ready, self._pidfd], [], [], left)[0]
            if self._ready in told and b"READY=1" in self._ready.recv(4096).split(b"\n"):
                return True
            if self._pidfd in told:
                raise Ended(self.wait(), self.said)
            if not told:
                return False

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


# --- the journal, read from outside ------------------------------------------------------------------------------


def segments(state: Path) -> list[Path]:
    """The journal's files in order."""
    return sorted((state / "journal").glob("*-*.jsonl"))


def lines_of(state: Path) -> list[bytes]:
    """Every whole line of the journal, without its line feed."""
    return [line for file in segments(state) for line in file.read_bytes().split(b"\n")[:-1]]


def records_of(state: Path) -> list[dict[str, Any]]:
    """Every record. Raises AssertionError for a line that is not sealed or does not follow."""
    found = []
    previous = "0" * 32
    for number, line in enumerate(lines_of(state), 1):
        record = msgspec.json.decode(line, type=dict[str, Any])
        mark = hashlib.blake2b(line[: line.rindex(SEAL)], digest_size=16).hexdigest()
        assert (record["seq"], record["prev"], record["h"]) == (number, previous, mark), line[:200]
        previous = mark
        found.append(record)
    return found


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
    data = file.read_bytes() if file.exists() else b""
    found = 0
    for at in range(0, len(data), SLOT_BYTES):
        slot = data[at : at + SLOT_BYTES].rstrip(b" \n")
        body = slot[: slot.rfind(SEAL)]
        if slot.endswith(hashlib.blake2b(body, digest_size=16).hexdigest().encode() + b'"}'):
            found = max(found, msgspec.json.decode(slot)["seq"])
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


# --- strace ------------------------------------------------------------------------------------------------------


def strace(*inject: str, output: Path | None = None, trace: str = "") -> list[str]:
    """What a command line is put behind, so that its system calls are counted and failed as `inject` says.

    With -D the tracer is the grandchild, so the process that was started is the daemon itself.
    """
    words = ["strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", str(output or "/dev/null")]
    words += ["-e", f"trace={trace}"] if trace else []
    for rule in inject:
        words += ["-e", f"inject={rule}"]
    return words
