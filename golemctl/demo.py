"""`golemctl demo`: three items to done, with a daemon of its own in a temporary place; nothing of it stays.

The agent is the built-in scripted one, so neither a key nor a network is needed: what it does stands in the items'
descriptions. One item goes through plainly, one through a failing verify that is fixed, one through an approval.
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
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

from msgspec import Struct

from golemctl import git
from golemctl.app import REFUSED, Ask
from golemctl.client import Client
from golemctl.follow import Records
from golemctl.render.progress import Progress
from golemctl.render.text import cut
from golemd.api import calls
from golemd.api.faults import Fault, Unavailable

READY_SECONDS: Final = 10.0
"""How long the daemon may take to answer."""
ALL_DONE_SECONDS: Final = 20.0
"""How long the three items may take."""
END_SECONDS: Final = 10.0
"""How long the daemon may take to end before it is killed."""
LOG_LINES: Final = 12
_READY: Final = b"READY=1"

_CONFIGURATION: Final = """\
[project]
name = "demo"
prefix = "DEMO"
default_pipeline = "plain"
base_branch = "main"

[execution]
agent = "scripted"
max_wip = 3
max_concurrent = 3

[triage]
enabled = false

[[pipelines.plain.phases]]
name = "plan"

[[pipelines.plain.phases]]
name = "build"
verify = ["sh check.sh"]

[[pipelines.approved.phases]]
name = "build"
verify = ["sh check.sh"]

[[pipelines.approved.phases]]
name = "review"
gate = "approval"
"""
_SETTINGS: Final = """\
min_free_gb = 0
min_free_memory_mb = 0

[notify]
command = ["true"]  # the demo answers its own question, so nobody is to be told of it
"""
_CHECK: Final = """\
# What golemd runs after a build: no text may call itself a draft.
if grep -n draft ./*.txt; then
    echo "1 failed: a text is still a draft"
    exit 1
fi
echo "every text is finished"
"""
_FILES: Final = {
    "golem.toml": _CONFIGURATION,
    "check.sh": _CHECK,
    "README": "A repository for the demo of golemd.\n",
    "welcome.txt": "Welcome.\n",
}


class Wanted(Struct, frozen=True):
    """One item of the demo."""

    title: str
    description: str
    pipeline: str


_ITEMS: Final = (
    Wanted("Greet the reader", "[[plan: write plan.txt say hello]] [[build: write hello.txt Hello!]]", "plain"),
    Wanted(
        "Write the letter",
        """[[plan: result {"result": "phase_complete", "summary": "The letter is short: no plan is needed."}]]
[[build.1: write letter.txt a draft of a letter]]
[[build.2: write letter.txt Dear reader, all is well.]]""",
        "plain",
    ),
    Wanted(
        "Publish the notice",
        """[[build: write notice.txt Open from nine to five.]]
[[review: result {"result": "phase_complete", "summary": "The notice reads well."}]]""",
        "approved",
    ),
)


class Place(Struct, frozen=True):
    """Where everything of the demo is."""

    root: Path

    @property
    def repository(self) -> Path:
        return self.root / "demo"

    @property
    def socket(self) -> Path:
        return self.root / "golemd.sock"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def log(self) -> Path:
        return self.root / "golemd.log"


def run_demo(ask: Ask, *, keep: bool) -> int:
    """The whole demo; golemctl's exit status."""
    place = Place(Path(tempfile.mkdtemp(prefix="golem-demo-")).resolve())
    try:
        with _ending_on_signals():
            done = _run(ask, place, keep)
    except BaseException:
        if keep:
            ask.out.aside(f"What there is of the demo is in {place.root}")
        raise
    finally:
        if not keep:
            shutil.rmtree(place.root, ignore_errors=True)
    line = f"{done} of {len(_ITEMS)} items done"
    if ask.out.json:
        ask.out.document({"done": done, "of": len(_ITEMS), "place": str(place.root) if keep else None})
    ask.out.say(line)
    return 0 if done == len(_ITEMS) else REFUSED


def _run(ask: Ask, place: Place, keep: bool) -> int:
    _make_repository(place)
    ask.out.say(f"A git repository, and a golemd of its own, in {place.root}")
    with _daemon(place), Client(place.socket, timeout=ask.options.timeout) as client:
        ready = client.call(calls.ProjectInit(root=str(place.repository)))
        for wanted in _ITEMS:
            call = calls.ItemAdd(
                project=ready.project.name,
                title=wanted.title,
                description=wanted.description,
                pipeline=wanted.pipeline,
            )
            item = client.call(call)
            ask.out.say(f"$ golemctl add {wanted.title!r} --pipeline {wanted.pipeline}", f"{item.id}")
        ask.out.say("$ golemctl run")
        done = _follow(ask, client, place, ready.project.name)
        ask.out.say("", *_what_came_of_it(ask, place), *_what_to_look_at(ask, place, keep))
        return done


# --- what happens ------------------------------------------------------------------------------------------------


def _follow(ask: Ask, client: Client, place: Place, project: str) -> int:
    """Watch until all items have ended, approving what asks for it. Answers how many are done."""
    started = client.call(calls.RunStart(project=project))
    progress = Progress(project, started.dispatch)
    follow = calls.EventsFollow(since=started.since)
    records = Records(lambda: Client(place.socket), follow, ask.out.aside, patience=0)
    deadline = time.monotonic() + ALL_DONE_SECONDS
    ended = 0
    try:
        while ended < len(_ITEMS):
            record = records.take(max(0.0, deadline - time.monotonic()))
            if record is None:
                if time.monotonic() >= deadline:
                    ask.out.aside(f"Not all was done within {ALL_DONE_SECONDS:g} s.")
                    break
                continue
            ask.out.say(*progress.lines(record, ask.out.look()))
            ended += record["type"] in ("item.completed", "item.cancelled")
            if record["type"] == "gate.opened":
                _decide(ask, client, record)
    finally:
        records.close()
    return progress.done


def _decide(ask: Ask, client: Client, record: dict[str, Any]) -> None:
    """The demo is its own human: it approves what an approval holds, and nothing else."""
    gate = record["data"]
    if gate["kind"] != "approval":
        ask.out.aside(f"{record['item']} waits for a human, which the demo did not expect.")
        return
    ask.out.say(f"$ golemctl approve {record['item']}        (here the demo does it for you)")
    shown = client.call(calls.GateShow(gate=gate["gate"]))
    client.call(calls.GateDecide(gate=shown.id, option="approve", text="Approved by the demo.", content=shown.digest))


def _what_came_of_it(ask: Ask, place: Place) -> list[str]:
    """The commits, as git tells them."""
    log = git.read(str(place.repository), "log", "--oneline", "--branches", "--not", "main", "--")
    look = ask.out.look()
    commits = [cut(f"  {line}", look.width) for line in log.splitlines()]
    return ["What came of it, on a branch of its own for each item:", *commits, ""]


def _what_to_look_at(ask: Ask, place: Place, keep: bool) -> list[str]:
    lines = [
        "What to look at in a project of your own:",
        "  golemctl status             everything at a glance, what waits for you first",
        "  golemctl show DEMO-2        an item's phases, attempts, checks and decisions",
        "  golemctl logs DEMO-2        what its agent wrote",
        "  golemctl diff DEMO-3        what it changed",
        "  golemctl gates              what waits for a decision",
        "  golemctl events             every fact, as it was recorded",
    ]
    if keep:
        lines += ["", "To look at this one again, in two terminals:"]
        lines += [f"  golemd --state-dir {place.state} --socket {place.socket}"]
        lines += [f"  golemctl --socket {place.socket} show DEMO-2"]
    return [*lines, ""]


# --- the place ---------------------------------------------------------------------------------------------------


def _make_repository(place: Place) -> None:
    """A real repository with one commit, whatever the user's own git configuration says."""
    place.repository.mkdir()
    for name, text in _FILES.items():
        (place.repository / name).write_text(text, encoding="utf-8")
    _git(place, "init", "--quiet", "--template=", "--initial-branch=main")
    for name, value in {"user.name": "golemd demo", "user.email": "demo@localhost"}.items():
        _git(place, "config", name, value)
    _git(place, "add", "--all")
    _git(place, "commit", "--quiet", "--no-gpg-sign", "--no-verify", "-m", "Begin the demo")


def _git(place: Place, *arguments: str) -> None:
    git.read(str(place.repository), *arguments)


@contextlib.contextmanager
def _daemon(place: Place) -> Iterator[None]:
    """A golemd of the demo's own: answering inside the block, ended behind it, however the block is left."""
    (place.root / "golemd.toml").write_text(_SETTINGS, encoding="utf-8")
    with open(place.log, "wb") as log, _readiness() as (ready, name):
        child = subprocess.Popen(
            [sys.executable, "-m", "golemd", "--state-dir", place.state, "--socket", place.socket],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(place, name),
            start_new_session=True,  # Ctrl-C ends the demo, and the demo ends it
        )
        try:
            _wait_until_ready(child, ready, place)
            yield
        finally:
            _end(child, place)


def _environment(place: Place, notify: str) -> dict[str, str]:
    """The caller's, without what would lead to another daemon, and with the packages that this one is run from."""
    mine = {name: value for name, value in git.environment().items() if not name.startswith(("GOLEM", "NOTIFY_"))}
    packages = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (packages, mine.get("PYTHONPATH"))))
    config = str(place.root / "golemd.toml")
    return mine | {"NOTIFY_SOCKET": notify, "GOLEMD_CONFIG": config, "PYTHONPATH": path}


@contextlib.contextmanager
def _readiness() -> Iterator[tuple[socket.socket, str]]:
    """The socket on which the daemon says READY=1 (sd_notify), and its name: none of a file, whose path may be long."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as ready:
        ready.bind("")  # Linux gives it a free name, behind a zero byte
        yield ready, f"@{ready.getsockname()[1:].decode()}"


def _wait_until_ready(child: subprocess.Popen[bytes], ready: socket.socket, place: Place) -> None:
    end = os.pidfd_open(child.pid)
    deadline = time.monotonic() + READY_SECONDS
    try:
        while True:
            left = deadline - time.monotonic()
            told = select.select([ready.fileno(), end], [], [], max(0.0, left))[0]
            if ready.fileno() in told and _READY in ready.recv(4096).split(b"\n"):
                return
            if end in told:
                raise _not_started(f"The demo's golemd ended before it answered (status {child.wait()}).", place)
            if not told:
                raise _not_started(f"The demo's golemd did not answer within {READY_SECONDS:g} s.", place)
    finally:
        os.close(end)


def _not_started(message: str, place: Place) -> Unavailable:
    said = place.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    return Unavailable("demo_not_started", message, "\n".join(["It said:", *said]) if said else "It said nothing.")


def _end(child: subprocess.Popen[bytes], place: Place) -> None:
    """Ask the daemon to stop and wait for it; in the end kill it. Only this child is ever signalled."""
    if child.poll() is not None:
        return
    try:
        with Client(place.socket, timeout=END_SECONDS) as client:
            client.call(calls.Shutdown())
    except Fault:
        child.terminate()
    try:
        child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


@contextlib.contextmanager
def _ending_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP leave the block as Ctrl-C does, so that its daemon is ended too."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
