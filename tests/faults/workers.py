"""The clients of the random kills: threads that keep changing things, and repeat what was left unanswered.

A call whose answer never came is kept and asked again, with its token, of the next daemon: it may or may not have taken
effect, and must end up with exactly one. Between two daemons all clients wait at a turnstile.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from typing import Any, Final

from msgspec import Struct

from golemctl.client import Client, DaemonUnreachable
from golemd.api import calls, views
from golemd.api.faults import Fault
from tests.faults.model import Model
from tests.faults.rig import Rig

PROJECT: Final = "demo"
CAP: Final = 100_000
CANCEL_SHARE: Final = 0.003
STOP_SHARE: Final = 0.004
ANSWERS: Final = {"approval": ("approve", ""), "question": ("answer", "the left one"), "failure": ("retry", "")}
KINDS: Final[dict[str, tuple[str, str]]] = {
    "plain": ("plain", ""),
    "slow": ("plain", "[[sleep 0.3]]"),
    "escaping": ("plain", "[[spawn sleep 300]] [[sleep 0.6]]"),
    "stubborn": ("plain", "[[ignore-term]] [[spawn trap '' TERM; sleep 300]] [[sleep 0.3]]"),
    "asking": ("plain", '[[build.1: result {"result":"blocked","question":"which one?"}]]'),
    "approved": ("approved", "[[build: sleep 0.1]]"),
}
"""What items ask of the scripted agent: a pipeline, and directives after the file is written."""


class Pace(Struct, frozen=True):
    """How fast a session goes: what clients ask for, and how long a daemon may live.

    `items`: how many are added at most; `open_items`: how many of them may be open at once. `think_seconds`: at most,
    between two calls of a client, for agents need the processor too. `life_seconds`: at most, once a daemon is ready.
    `look_seconds`: between two looks at the process table.
    """

    items: int = sys.maxsize
    open_items: int = 8
    think_seconds: float = 0.006
    life_seconds: float = 0.4
    look_seconds: float = 0.03


def file_of(token: str) -> str:
    """The file that the item added with a token must leave on its branch."""
    return f"work-{token}.txt"


class Turnstile:
    """Lets the clients in while a daemon is up, and says when all of them are out again."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._inside = 0
        self._generation = 0
        self._changed = threading.Condition()
        self.finishing = False  # no new work: see to it that everything ends
        self.over = False

    def release(self) -> None:
        """Let every client in once."""
        with self._changed:
            self._generation += 1
            self._inside = self._clients
            self._changed.notify_all()

    def enter(self, seen: int) -> int:
        """Wait for the next release; its number."""
        with self._changed:
            self._changed.wait_for(lambda: self._generation > seen or self.over)
            return self._generation

    def leave(self) -> None:
        """A client is out."""
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def wait_empty(self) -> None:
        """Wait until every client is out."""
        with self._changed:
            self._changed.wait_for(lambda: self._inside == 0)

    def end(self) -> None:
        """No more releases."""
        with self._changed:
            self.over = True
            self._changed.notify_all()


class Worker(threading.Thread):
    """One client."""

    def __init__(self, name: str, rig: Rig, model: Model, turnstile: Turnstile, seed: int, pace: Pace) -> None:
        super().__init__(name=name, daemon=True)
        self._pace = pace
        self._rig = rig
        self._model = model
        self._turnstile = turnstile
        self._dice = random.Random(seed)
        self._number = 0
        self._pending: calls.Change[Any] | None = None

    def run(self) -> None:
        seen = 0
        while True:
            seen = self._turnstile.enter(seen)
            if self._turnstile.over:
                return
            try:
                with self._rig.client() as client:
                    while self._step(client):
                        pass
            except DaemonUnreachable as fault:
                if fault.code == "daemon_silent":
                    self._model.violated(f"{self.name} got no answer: {fault.message}")
            except Exception as error:
                self._model.violated(f"{self.name} failed: {error!r}")
            finally:
                self._turnstile.leave()

    def _step(self, client: Client) -> bool:
        """One call that changes something; False when nothing is left to do."""
        if self._pending is None:
            status = client.call(calls.Status(project=PROJECT, all=True))
            if self._turnstile.finishing and is_finished(status):
                return False
            self._pending = self._choose(status)
        call = self._pending
        time.sleep(self._dice.uniform(0, self._pace.think_seconds))
        if call is None:
            client.call(calls.Ping())
            return True
        self._ask(client, call)
        self._pending = None
        if self._dice.random() < 0.1 and self._model.acknowledged.get(call.token):
            self._ask_again(client, call)
        return True

    def _ask(self, client: Client, call: calls.Change[Any]) -> None:
        try:
            self._model.take_answer(call, client.call(call))
        except DaemonUnreachable:
            self._model.count("answers that never came")
            raise
        except Fault as fault:
            self._model.take_refusal(call, fault)
            if fault.CLASS == "internal":
                self._model.violated(f"{call.METHOD} met an internal error: {fault!r}")

    def _ask_again(self, client: Client, call: calls.Change[Any]) -> None:
        if self._model.acknowledged[call.token].must_be_there:
            self._ask(client, call)

    def _choose(self, status: views.StatusView) -> calls.Change[Any] | None:
        dispatch = status.projects[0].dispatch
        open_items = [item for item in status.items if item.status not in ("done", "cancelled")]
        if status.gates and (self._turnstile.finishing or self._dice.random() < 0.5):
            return self._decide(self._dice.choice(status.gates))
        if dispatch.state != "running" and (self._turnstile.finishing or self._dice.random() < 0.5):
            return calls.RunStart(project=PROJECT, cap=CAP, token=self._token())
        if self._turnstile.finishing:
            return None
        wanted = len(status.items) < self._pace.items and len(open_items) < self._pace.open_items
        if wanted and self._dice.random() < 0.5:
            return self._add()
        if not open_items:
            return None
        return self._steer(self._dice.choice(open_items))

    def _steer(self, item: views.ItemView) -> calls.Change[Any]:
        dice = self._dice.random()
        token = self._token()
        if dice < CANCEL_SHARE:
            return calls.ItemCancel(id=item.id, reason="no longer wanted", token=token)
        if dice < CANCEL_SHARE + STOP_SHARE:
            return calls.RunStop(project=PROJECT, now=dice < CANCEL_SHARE + STOP_SHARE / 2, token=token)
        return calls.ItemEdit(id=item.id, title=f"{item.id} by {token}", priority=self._dice.randint(1, 9), token=token)

    def _add(self) -> calls.ItemAdd:
        token = self._token()
        pipeline, more = KINDS[self._dice.choice(sorted(KINDS))]
        text = f"[[build: write {file_of(token)} the work of {token}]] {more}"
        return calls.ItemAdd(project=PROJECT, title=f"item {token}", description=text, pipeline=pipeline, token=token)

    def _decide(self, gate: views.GateView) -> calls.GateDecide:
        option, text = ANSWERS[gate.kind]
        return calls.GateDecide(gate=gate.id, option=option, text=text, content=gate.digest, token=self._token())

    def _token(self) -> str:
        self._number += 1
        return f"{self.name}-{self._number}"


def is_finished(status: views.StatusView) -> bool:
    """Whether every item has ended and nothing runs."""
    ended = all(item.status in ("done", "cancelled") for item in status.items)
    return ended and not status.attempts and not status.gates
