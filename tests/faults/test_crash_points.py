"""The daemon killed at its Nth write, sync, rename or answer: afterwards every acknowledged command is there.

The points are not made up: a run is traced first, and each system call that it made is a point. strace kills the daemon
as it enters the call, so the call is not carried out. All points of a place follow on one state folder, so that what
was acknowledged before the first must survive the last.
"""

from __future__ import annotations

import random
import re
import shutil
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from golemctl.client import Client, DaemonUnreachable
from golemd.api import calls, views
from tests.faults.model import Model
from tests.faults.rig import Daemon, Ended, Rig, rig, strace

POINTS: Final = 25
PLACES: Final = 2  # at the same time
SEED: Final = 7
ITEMS: Final = 4  # added and edited in each life
DURABLE: Final = "write,pwrite64,fdatasync,fsync,rename,renameat,ftruncate,fallocate,symlink,unlinkat,sendto,sendmsg"

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="killing at a system call needs strace")


class Place:
    """A rig with everything that its daemons have acknowledged."""

    def __init__(self, at: Rig) -> None:
        self.rig = at
        self.model = Model()
        self._number = 0
        self._unanswered: calls.Change[views.ItemView] | None = None
        daemon = at.start()
        call = calls.ProjectInit(root=str(at.repository), token="init")
        with at.client() as client:
            self.model.take_answer(call, client.call(call))
        assert daemon.kill(signal.SIGTERM) == 0

    def live(self, before: list[str]) -> int:
        """One life behind strace: start, some commands, a graceful stop; its exit status."""
        daemon = self.rig.launch(before)
        try:
            daemon.wait_ready()
            self._work()
        except Ended as ended:
            if ended.status != -signal.SIGKILL:
                raise
            return ended.status
        except DaemonUnreachable:
            return daemon.wait()
        return daemon.kill(signal.SIGTERM)

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
            assert client.call(calls.JournalVerify(deep=True)).equal is True
            if self._unanswered is not None:  # it took effect or not; from now on it has, once
                self._ask(client, self._unanswered)
            for known in list(self.model.acknowledged.values())[-2 * ITEMS :]:
                self.model.take_answer(known.call, client.call(known.call))
        assert daemon.kill(signal.SIGTERM) == 0, daemon.said
        self.model.check(self.rig.state)


def points_of(output: Path) -> list[tuple[str, int]]:
    """Every (system call, how many-eth of its thread) of a traced life."""
    calls_made = Counter(re.findall(r"^(\d+) +(\w+)\(", output.read_text(errors="replace"), re.MULTILINE))
    most: dict[str, int] = {}
    for (_, name), count in calls_made.items():
        most[name] = max(most.get(name, 0), count)
    return [(name, number) for name in sorted(most) for number in range(1, most[name] + 1)]


def test_a_kill_at_any_write_sync_rename_or_answer_loses_no_acknowledged_command() -> None:
    with rig() as first, rig() as second:
        places = [Place(first), Place(second)]
        output = first.root / "trace"
        assert places[0].live(strace(output=output, trace=DURABLE)) == 0
        points = points_of(output)
        assert len(points) > 2 * POINTS
        chosen = random.Random(SEED).sample(points, POINTS)

        def kill_at(number: int) -> list[int]:
            place, statuses = places[number], []
            for name, count in chosen[number::PLACES]:
                statuses.append(place.live(strace(f"{name}:signal=SIGKILL:when={count}", trace=name)))
                place.look()
            return statuses

        with ThreadPoolExecutor(PLACES) as pool:
            statuses = [status for found in pool.map(kill_at, range(PLACES)) for status in found]
        assert [place.model.violations for place in places] == [[]] * PLACES
        assert set(statuses) <= {0, -signal.SIGKILL}
        assert statuses.count(-signal.SIGKILL) >= POINTS * 3 // 4  # a timing may leave a point unreached
        assert sum(len(place.model.acknowledged) for place in places) > POINTS
