"""Lives of the whole daemon behind strace, on one state folder, and what must be there after each of them."""

from __future__ import annotations

import signal
from collections.abc import Collection
from typing import Final

from golemctl.client import Client, DaemonUnreachable
from golemd.api import calls, views
from golemd.api.faults import Unavailable
from tests.faults.model import Model
from tests.faults.real.tracing import Point, points_of
from tests.faults.rig import Daemon, Ended, Rig, strace

KILLED: Final = -signal.SIGKILL
ITEMS: Final = 4  # added and edited in each life
PYTHONS_OWN: Final = "signal wakeup fd:\nTraceback"  # a write that failed there: Python tells of it, and goes on


class Place:
    """A rig with everything that its daemons have acknowledged. `ends`: what a life's exit status may be."""

    def __init__(self, at: Rig, ends: Collection[int]) -> None:
        self.rig = at
        self.model = Model()
        self._ends = ends
        self._number = 0
        self._unanswered: calls.Change[views.ItemView] | None = None
        daemon = at.start()
        call = calls.ProjectInit(root=str(at.repository), token="init")
        with at.client() as client:
            self.model.take_answer(call, client.call(call))
        daemon.kill(signal.SIGTERM)

    def points(self, traced: str) -> list[Point]:
        """Every point of a life without faults."""
        output = self.rig.root / "trace"
        self.live(strace(output=output, trace=traced))
        return points_of(output)

    def live(self, before: list[str]) -> int:
        """One life behind strace: start, some commands, a graceful stop; its exit status."""
        daemon = self.rig.launch(before)
        try:
            daemon.wait_ready()
            self._work()
            status = daemon.kill(signal.SIGTERM)
        except Ended as ended:
            status = ended.status
        except (DaemonUnreachable, Unavailable):
            status = daemon.wait()
        defects = daemon.said.count("Traceback") - daemon.said.count(PYTHONS_OWN)
        if status not in self._ends or defects:
            self.model.violated(f"behind {' '.join(before)} it ended with {status}: {daemon.said[-2000:]}")
        return status

    def _work(self) -> None:
        with self.rig.client() as client:
            for _ in range(ITEMS):
                self._number += 1
                name = f"p{self._number}"
                added = self._ask(client, calls.ItemAdd(title=name, token=f"{name}-add"))
                self._ask(client, calls.ItemEdit(id=added.id, priority=5, token=f"{name}-edit"))

    def _ask(self, client: Client, call: calls.Change[views.ItemView]) -> views.ItemView:
        self._unanswered = call
        reply = client.call(call)
        self.model.take_answer(call, reply)
        self._unanswered = None
        return reply

    def look(self) -> None:
        """Compare the journal with what was acknowledged; start plainly, and ask some tokens again."""
        self.model.check(self.rig.state)
        daemon: Daemon = self.rig.start()
        with self.rig.client() as client:
            if not client.call(calls.JournalVerify(deep=True)).equal:
                self.model.violated("the state is not what the journal replays to")
            if self._unanswered is not None:  # it took effect or not; from now on it has, once
                self._ask(client, self._unanswered)
            for known in list(self.model.acknowledged.values())[-2 * ITEMS :]:
                self.model.take_answer(known.call, client.call(known.call))
        if daemon.kill(signal.SIGTERM) != 0:
            self.model.violated(f"a plain life did not end well: {daemon.said[-2000:]}")
        self.model.check(self.rig.state)
