"""The eye on the process table during the random kills: no two attempts of a run at once. And the hand that kills them.

Looking again and again is the point here: there is no descriptor that announces a violation.
"""

from __future__ import annotations

import json
import random
import signal
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.faults.model import Model
from tests.faults.outside import Process, processes_of
from tests.faults.rig import Rig


class Watcher(threading.Thread):
    """Looks at the instance's processes all the time, whether a daemon lives or not."""

    def __init__(self, rig: Rig, model: Model, seed: int, look_seconds: float) -> None:
        super().__init__(name="watcher", daemon=True)
        self._rig = rig
        self._model = model
        self._look_seconds = look_seconds
        self._dice = random.Random(seed)
        self._over = threading.Event()
        self._wanted = threading.Event()

    def want_a_victim(self) -> None:
        """Kill a shim or a program at the next look."""
        self._wanted.set()

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(self._look_seconds):
            try:
                found = processes_of(instance) if (instance := self._rig.instance) else []
                self._compare(found)
                if self._wanted.is_set() and self._kill_one(found):
                    self._wanted.clear()
            except Exception as error:
                self._model.violated(f"the watcher failed: {error!r}")

    def _compare(self, found: list[Process]) -> None:
        """A run's attempts of which a program lives: one at most. All were seen, and those that live on lived then."""
        self._model.count("looks at the process table")
        runs: dict[str, dict[str, list[Process]]] = defaultdict(lambda: defaultdict(list))
        for each in found:
            if each.attempt and not each.shim:
                run = ".".join(each.attempt.split(".")[:2])
                runs[run][each.attempt].append(each)
        for run, attempts in runs.items():
            self._model.count("live attempts seen", len(attempts))
            if len(attempts) > 1:
                living = [name for name, each in attempts.items() if any(one.runs for one in each)]
                if len(living) > 1:
                    self._model.violated(f"{run} has several live attempts at once: {living}")

    def _kill_one(self, found: list[Process]) -> bool:
        """Kill a shim or a program; whether there was one."""
        attempts = sorted({each.attempt for each in found if each.attempt})
        if not attempts:
            return False
        attempt = self._dice.choice(attempts)
        folder = self._rig.state / "attempts" / attempt
        who = _record(folder / "started.json")
        if who is None or (folder / "exit.json").exists():
            return False
        shim = Process(who["shim_pid"], who["shim_start"], attempt, True)
        if self._dice.random() < 0.5:
            return self._kill_shim(shim, folder)
        return self._kill_program(Process(who["pid"], who["start"], attempt, False), shim, folder)

    def _kill_shim(self, shim: Process, folder: Path) -> bool:
        if not shim.kill():
            return False
        self._model.count("shims killed")
        if not (folder / "exit.json").exists():
            self._model.must_be_lost[shim.attempt] = "its shim"
        return True

    def _kill_program(self, program: Process, shim: Process, folder: Path) -> bool:
        if not program.kill():
            return False
        self._model.count("programs killed")
        shim.kill(0)  # signal 0 only waits: for the record of the end
        end = _record(folder / "exit.json")
        if end is not None and end["signal"] == signal.SIGKILL and _record(folder / "result.json") is None:
            self._model.never_accepted[program.attempt] = "its program"
        return True


def _record(path: Path) -> dict[str, Any] | None:
    """A JSON object in a file; None when there is none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
