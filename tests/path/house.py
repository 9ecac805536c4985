"""A real daemon in a place of its own, and all that tests of the whole path do with it.

Rules. Nothing here sleeps: the start of a daemon is told by its READY=1, the end of a process by its pidfd, and what
happens in between by records and output that are followed. GUARD_SECONDS only keeps a broken test from hanging. Only
processes that were started here, or that carry this daemon's GOLEM_INSTANCE, are ever signalled.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from msgspec.structs import replace

from golemctl.client import Client, Following
from golemd.api import calls, views
from golemd.api.calls import Call
from golemd.api.faults import Fault
from tests.path.ground import GUARD_SECONDS, Ended, carrying, environment, run_command, running
from tests.path.hatchery import Hatched, hatch
from tests.path.repositories import NO_TRIAGE, Project, configuration, table

R = TypeVar("R")
Record = dict[str, Any]


class House:
    """A place with a daemon in it. `hatches`: it is forked from a process that has done the imports, not executed."""

    def __init__(self, root: Path, *, hatches: bool = False) -> None:
        self.root = root
        self.state = root / "state"
        self.socket = self.state / "run" / "golemd.sock"
        self.config = root / "golemd.toml"
        self.log = root / "golemd.log"
        self.env = environment(root)
        self.process: subprocess.Popen[bytes] | Hatched | None = None
        self._hatches = hatches
        self._client: Client | None = None
        self._open: list[Following] = []
        self._manager: socket.socket | None = None
        self.settings()

    # --- its life ------------------------------------------------------------------------------------------------

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line of a daemon in this place."""
        return [sys.executable, "-m", "golemd", *self._arguments(*arguments)]

    def _arguments(self, *more: str | Path) -> list[str]:
        return [str(each) for each in ("--state-dir", self.state, "--config", self.config, *more)]

    def settings(self, **values: Any) -> None:
        """Write golemd.toml. Unless it says otherwise, agents are started however little room the machine has."""
        self.config.write_text(table("", {"min_free_gb": 0, "min_free_memory_mb": 0, **values}), encoding="utf-8")

    def start(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> House:
        """Start a daemon and wait until it is ready."""
        name = f"golemd-test-{uuid.uuid4().hex}"
        self._manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._manager.bind(f"\0{name}")
        environ = self.env | {"NOTIFY_SOCKET": f"@{name}"} | dict(env or {})
        with open(self.log, "ab") as log:
            if self._hatches:
                self.process = hatch(self._arguments(*arguments), self.root, environ, log.fileno())
            else:
                command, none = self.command(*arguments), subprocess.DEVNULL
                self.process = subprocess.Popen(command, stdin=none, stdout=log, stderr=log, cwd=self.root, env=environ)
        self.told("READY=1")
        return self

    def told(self, word: str) -> None:
        """Wait until the daemon has told its service manager this."""
        assert self._manager is not None
        end = os.pidfd_open(self.pid)
        try:
            while True:
                came = select.select([self._manager.fileno(), end], [], [], GUARD_SECONDS)[0]
                if self._manager.fileno() not in came:
                    pytest.fail(f"golemd did not tell {word}:\n{self.said()}")
                if word in self._manager.recv(4096).decode().splitlines():
                    return
        finally:
            os.close(end)

    def golemd(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Ended:
        """Run a golemd that ends by itself, say because it refuses to start."""
        return run_command(self.command(*arguments), env=self.env | dict(env or {}), cwd=self.root)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def instance(self) -> str:
        return (self.state / "instance").read_text(encoding="ascii").strip()

    def said(self) -> str:
        """The daemon's log."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def signal(self, number: int) -> None:
        """Signal the daemon."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self) -> int:
        """The daemon's exit status, when it has ended."""
        assert self.process is not None
        status = self.process.wait(GUARD_SECONDS)
        self.process = None
        self._disconnect()
        return status

    def stop(self) -> int:
        """End the daemon gracefully; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def stop_at_once(self) -> int:
        """End the daemon gracefully, and its agents without grace; its exit status."""
        self.signal(signal.SIGTERM)
        self.told("STOPPING=1")  # two signals in a row may arrive as one
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill9(self) -> None:
        """End the daemon as a crash does."""
        self.signal(signal.SIGKILL)
        self.wait()

    def restart(self) -> House:
        """End the daemon gracefully and start another."""
        assert self.stop() == 0, self.said()
        return self.start()

    def left(self) -> list[int]:
        """Living processes of this daemon's attempts and git commands."""
        return carrying(f"GOLEM_INSTANCE={self.instance}") if (self.state / "instance").exists() else []

    def close(self) -> None:
        """End everything, and insist that a graceful stop was clean and that nothing is left."""
        status = 0
        if self.process is not None:
            self.signal(signal.SIGTERM)
            try:
                status = self.process.wait(GUARD_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                status = self.process.wait()
            self.process = None
        self._disconnect()
        left = self.left()
        names = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left if running(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert status == 0, f"golemd ended with {status}:\n{self.said()}"
        assert not left, f"processes were left: {left} {names}"
        assert "Traceback" not in self.said(), self.said()

    def _disconnect(self) -> None:
        if self._manager is not None and self.process is None:
            self._manager.close()
            self._manager = None
        for following in self._open:
            following.close()
        self._open.clear()
        if self._client is not None:
            self._client.close()
            self._client = None

    # --- asking --------------------------------------------------------------------------------------------------

    @property
    def client(self) -> Client:
        """A connection that is kept."""
        if self._client is None:
            self._client = self.new_client()
        return self._client

    def new_client(self) -> Client:
        """A connection of its own; the caller closes it."""
        return Client(self.socket, timeout=GUARD_SECONDS)

    def call(self, call: Call[R]) -> R:
        """The reply to a call."""
        return self.client.call(call)

    def refused(self, call: Call[Any], code: str, kind: str) -> Fault:
        """The refusal of a call: of this code and class, with a hint, and without a record of its own."""
        before = self.seq
        with pytest.raises(Fault) as caught:
            self.call(call)
        fault = caught.value
        assert (fault.code, fault.CLASS) == (code, kind), repr(fault)
        assert fault.message
        assert fault.hint, f"{fault!r} does not say what to do"
        assert not self.quiet(since=before + 1), "a refusal was recorded"
        return fault

    def repeats(self, call: calls.Change[R]) -> tuple[R, R]:
        """The answers to a call and to the same call again, whose second is marked and leaves no record."""
        signed = _with_token(call)
        first = self.call(signed)
        quiet = self.quiet()
        again = self.call(signed)
        assert not getattr(first, "repeated", False)
        assert getattr(again, "repeated", True), again
        assert self.quiet() == quiet, "the repetition was recorded"
        return first, again

    def quiet(self, since: int = 1) -> int:
        """The number of records that clients caused: those with a token or an actor of their own."""
        return sum(1 for record in self.records(since=since) if not record.get("cause", "").startswith("seq:"))

    def reuses(self, call: calls.Change[Any], other: calls.Change[Any]) -> None:
        """The token of a call that took effect cannot be used for another body."""
        token = uuid.uuid4().hex
        self.call(_with_token(call, token))
        with pytest.raises(Fault) as caught:
            self.call(_with_token(other, token))
        assert (caught.value.code, caught.value.CLASS) == ("token_reused", "conflict")
        assert caught.value.hint

    @property
    def seq(self) -> int:
        """The number of the newest record."""
        return self.call(calls.Ping()).seq

    def show(self, item: str) -> views.ItemDetail:
        return self.call(calls.ItemShow(id=item))

    def gate(self, item: str) -> views.GateView:
        """The item's oldest open gate."""
        return next(gate for gate in self.call(calls.GateList()) if gate.item == item)

    def decide(self, gate: str, option: str, text: str = "", **more: Any) -> views.ItemView:
        return self.call(calls.GateDecide(gate=gate, option=option, text=text, **more))

    def golemctl(
        self, *arguments: str | Path, cwd: Path | None = None, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> Ended:
        """Run a golemctl command to its end."""
        return run_command(
            [sys.executable, "-m", "golemctl", *arguments],
            cwd=cwd or self.root,
            env=self.env | {"GOLEMD_SOCKET": str(self.socket)} | dict(env or {}),
            stdin=stdin,
        )

    def golemctl_process(self, *arguments: str | Path, cwd: Path | None = None) -> subprocess.Popen[str]:
        """A golemctl command under way; the caller waits for its end."""
        return subprocess.Popen(
            [sys.executable, "-m", "golemctl", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd or self.root,
            env=self.env | {"GOLEMD_SOCKET": str(self.socket)},
        )

    # --- waiting -------------------------------------------------------------------------------------------------

    def records(self, kind: str = "", item: str = "", since: int = 1) -> list[Record]:
        """The durable records, of a type's beginning and of an item if they are given."""
        found: list[Record] = []
        while True:
            view = self.call(calls.EventsRead(since=since, item=item, type=kind))
            found += view.records
            if not view.more:
                return found
            since = view.next

    def types(self, item: str = "", since: int = 1) -> list[str]:
        """The types of an item's records, in order."""
        return [record["type"] for record in self.records(item=item, since=since)]

    def follow(self, since: int = 1) -> Generator[Record, None, None]:
        """Records as they become durable; a test that waits too long fails here."""
        following = self.client.follow(calls.EventsFollow(since=since))
        self._open.append(following)
        deadline = time.monotonic() + GUARD_SECONDS
        seen: list[str] = []
        try:
            while True:
                notice = following.take(max(0.0, deadline - time.monotonic()))
                if notice is None:
                    pytest.fail("what the test waits for did not happen:\n" + "\n".join(seen[-40:]) + self.said())
                record: Record = notice.data["record"]
                seen.append(f"{record['seq']} {record['type']} {record.get('item', '')} {str(record['data'])[:300]}")
                yield record
        finally:
            self._open.remove(following)
            following.close()

    def follow_until(self, fits: Callable[[Record], bool], since: int = 1) -> Record:
        """The first record that fits, from a sequence number on."""
        records = self.follow(since)
        try:
            return next(record for record in records if fits(record))
        finally:
            records.close()

    def until(self, kind: str, item: str = "", /, *, since: int = 1, count: int = 1, **fields: Any) -> Record:
        """Wait for a record by its type, item, project and data; the count-th of them."""
        seen = 0

        def fits(record: Record) -> bool:
            nonlocal seen
            whole = {**record["data"], "project": record.get("project")}
            same = all(whole.get(name) == value for name, value in fields.items())
            seen += record["type"] == kind and same and (not item or record.get("item") == item)
            return seen == count

        return self.follow_until(fits, since)

    def done(self, *items: str) -> None:
        """Wait until these items are done."""
        for item in items:
            self.until("item.completed", item)

    def until_output(self, attempt: str, text: str, stream: str = "stdout") -> str:
        """Wait until an attempt has written a text; all of its output so far."""
        self.until("attempt.planned", attempt=attempt)
        following = self.client.follow(calls.LogsFollow(id=attempt, stream=stream))
        deadline = time.monotonic() + GUARD_SECONDS
        whole = ""
        try:
            while text not in whole:
                notice = following.take(max(0.0, deadline - time.monotonic()))
                if notice is None or notice.method == "ended":
                    pytest.fail(f"{attempt} did not write {text!r}, but {whole!r}")
                whole += notice.data["text"]
            return whole
        finally:
            following.close()

    # --- places --------------------------------------------------------------------------------------------------

    def repository(self, name: str = "demo", files: Mapping[str, str] | None = None) -> Project:
        """A git repository with one commit, and nothing of golemd in it."""
        root = self.root / name
        root.mkdir()
        project = Project(self, root, name)
        project.git("init", "-q", "--template=", "--initial-branch=main")
        project.git("config", "user.name", "A. Tester")
        project.git("config", "user.email", "tester@localhost")
        project.commit({"README": "A repository for a test.\n", **(files or {})}, "begin")
        return project

    def project(
        self,
        name: str = "demo",
        *,
        prefix: str = "WRK",
        phases: Sequence[Mapping[str, Any]] = ({"name": "build"},),
        pre_phases: Sequence[Mapping[str, Any]] = (),
        execution: Mapping[str, Any] | None = None,
        agents: Mapping[str, Mapping[str, Any]] | None = None,
        pipelines: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        files: Mapping[str, str] | None = None,
        more: str = "",
    ) -> Project:
        """A registered project. Phases are the scripted agent's, unless they name another. `more`: of golem.toml."""
        text = configuration(name, prefix, phases, execution or {}, agents or {}, pipelines or {}, pre_phases)
        text = text.replace(NO_TRIAGE, "") + more if "[triage]" in more else text + more
        project = self.repository(name, {"golem.toml": text, **(files or {})})
        self.call(calls.ProjectInit(root=str(project.root)))
        return project

    def program(self, name: str, script: str) -> str:
        """An executable shell script outside any repository; its path."""
        path = self.root / "programs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o700)
        return str(path)

    def agent(self, name: str, script: str) -> dict[str, dict[str, Any]]:
        """The section of an agent that runs a shell script; pass it as `agents`, and its name to a phase."""
        return {name: {"kind": "command", "command": [self.program(f"{name}.sh", script)]}}


def _with_token(call: calls.Change[R], token: str = "") -> calls.Change[R]:
    return replace(call, token=token or uuid.uuid4().hex)
