"""Random kills of the real daemon: `python -m tests.faults.kills --kills 200 [--seed N] [--minutes M]`.

A daemon, several clients that keep changing things, scripted agents in a real git repository. The daemon is killed at
random moments, also while it starts, and now and then a shim or an agent is. After every kill the journal on disk is
compared with what the clients were told; after every start the daemon is asked to verify itself and to answer old
tokens again. In the end everything must finish and no process may be left. A seed fixes what is done and when it is
meant to happen; the machine's timing is its own, so a failing seed may need some repetitions.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any, Final

from golemctl.client import DaemonUnreachable
from golemd.api import calls
from golemd.api.faults import Fault
from tests.faults.model import Model
from tests.faults.outside import processes_of
from tests.faults.rig import Daemon, Ended, Rig, rig
from tests.faults.watcher import Watcher
from tests.faults.workers import PROJECT, Pace, Turnstile, Worker, file_of, is_finished

CLIENTS: Final = 4
KILL_STARTING_WITHIN_SECONDS: Final = 0.3  # after the launch
STARTING_SHARE: Final = 0.3
VICTIM_SHARE: Final = 0.9
QUIET_SHARE: Final = 0.5
TOKENS_REPEATED: Final = 5
FINISH_SECONDS: Final = 180.0
LOOK_SECONDS: Final = 0.1


class Kills:
    """One session of random kills on one rig."""

    def __init__(self, place: Rig, seed: int, pace: Pace = Pace()) -> None:  # noqa: B008 - frozen
        self.rig = place
        self.pace = pace
        self.model = Model()
        self.dice = random.Random(seed)
        self.turnstile = Turnstile(CLIENTS)
        self.watcher = Watcher(place, self.model, seed, pace.look_seconds)
        self.workers = [
            Worker(f"c{n}", place, self.model, self.turnstile, seed * 1000 + n, pace) for n in range(CLIENTS)
        ]
        self.jobs = 0  # items that have ended
        self.slowest_start = 0.0

    def run(self, kills: int, until: float = float("inf")) -> Model:
        """Kill that often, until that monotonic moment, or until all jobs have ended; then let everything finish."""
        try:
            self._register()
            for thread in (self.watcher, *self.workers):
                thread.start()
            done = 0
            while (
                done < kills and self.jobs < self.pace.items and time.monotonic() < until and not self.model.violations
            ):
                done += self._one_life()
            self._finish()
        except Ended as ended:
            self.model.violated(f"the daemon ended by itself: {ended}")
        finally:
            self.turnstile.end()
            if self.watcher.is_alive():
                self.watcher.end()
        return self.model

    def _register(self) -> None:
        daemon = self.rig.start()
        call = calls.ProjectInit(root=str(self.rig.repository), token="init")
        with self.rig.client() as client:
            self.model.take_answer(call, client.call(call))
        daemon.kill()

    # --- one life ------------------------------------------------------------------------------------------------

    def _one_life(self) -> int:
        """Start a daemon, let the clients in, kill it at a random moment; how many kills that took."""
        daemon, kills = self._start()
        if self.dice.random() < VICTIM_SHARE:
            self.watcher.want_a_victim()
        checks = threading.Thread(target=self._checks, args=(self.dice.random(),), daemon=True)
        checks.start()
        if self.dice.random() < QUIET_SHARE:
            checks.join()
        self.turnstile.release()
        time.sleep(self.dice.uniform(0, self.pace.life_seconds))
        status = daemon.kill()
        if status != -9:
            self.model.violated(f"the daemon ended by itself with status {status}: {daemon.said[-2000:]}")
        self.model.count("daemons killed at work")
        self.turnstile.wait_empty()
        checks.join()
        self._after(daemon)
        return kills + 1

    def _start(self) -> tuple[Daemon, int]:
        """A daemon that is ready, and how many were killed on the way."""
        kills = 0
        while True:
            daemon = self.rig.launch()
            if self.dice.random() >= STARTING_SHARE:
                if not daemon.wait_ready():
                    raise Ended(daemon.kill(), f"it did not become ready: {daemon.said}")
                break
            if daemon.wait_ready(self.dice.uniform(0, KILL_STARTING_WITHIN_SECONDS)):
                break
            daemon.kill()
            kills += 1
            self.model.count("daemons killed while starting")
            self._after(daemon)
        self.slowest_start = max(self.slowest_start, time.monotonic() - daemon.begun)
        return daemon, kills

    def _after(self, daemon: Daemon) -> None:
        """What a dead daemon left: the journal, and what it said."""
        self._count_jobs(self.model.check(self.rig.state))
        if "Traceback" in daemon.said or " ERROR " in daemon.said:
            self.model.violated(f"the daemon said: {daemon.said[-3000:]}")

    def _count_jobs(self, records: list[dict[str, Any]]) -> None:
        ended = {record["item"] for record in records if record["type"] in ("item.completed", "item.cancelled")}
        self.jobs = len(ended)

    def _checks(self, chance: float) -> None:
        """Ask a daemon to verify itself and to answer old tokens again. It may be killed meanwhile."""
        dice = random.Random(chance)
        try:
            with self.rig.client() as client:
                found = client.call(calls.JournalVerify(deep=True))
                self.model.count("deep verifications")
                if not found.equal:
                    self.model.violated(f"the state is not what the journal replays to: {found}")
                known = [each.call for each in list(self.model.acknowledged.values()) if each.must_be_there]
                again = dice.sample(known, min(len(known), TOKENS_REPEATED))
                for call in [*known[-2:], *again]:
                    self.model.take_answer(call, client.call(call))
        except DaemonUnreachable:
            self.model.count("checks cut short by a kill")
        except Fault as fault:
            self.model.violated(f"a known token, or the verification, was refused: {fault!r}")

    # --- the end -------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        """No more kills: everything must come to an end, and nothing may be left."""
        daemon = self.rig.start()
        self.turnstile.finishing = True
        self.turnstile.release()
        self._wait_finished()
        self._checks(0)
        self.turnstile.wait_empty()
        status = daemon.kill(15)
        if status != 0:
            self.model.violated(f"the graceful stop ended with status {status}: {daemon.said[-2000:]}")
        self._after(daemon)
        records = self.model.check(self.rig.state)
        left = processes_of(self.rig.instance)
        if left:
            self.model.violated(f"processes were left: {left}")
        self.model.check_ends(records)
        self._check_exits(records)
        self._check_work(records)
        self.model.count("records", len(records))

    def _wait_finished(self) -> None:
        deadline = time.monotonic() + FINISH_SECONDS
        with self.rig.client() as client:
            while not is_finished(status := client.call(calls.Status(project=PROJECT, all=True))):
                if time.monotonic() > deadline:
                    left = [(i.id, i.status, i.why) for i in status.items if i.status not in ("done", "cancelled")]
                    self.model.violated(f"not finished after {FINISH_SECONDS:g} s: {left}")
                    return
                time.sleep(LOOK_SECONDS)

    def _check_exits(self, records: list[dict[str, Any]]) -> None:
        """Every recorded end is the one that the shim wrote; every program ran once."""
        ends = Counter(record["data"]["attempt"] for record in records if record["type"] == "attempt.exited")
        for record in records:
            if record["type"] == "attempt.exited":
                data = record["data"]
                written = json.loads((self.rig.state / "attempts" / data["attempt"] / "exit.json").read_bytes())
                told = [(data.get(name), written[name]) for name in ("status", "signal")]
                if any(one != other for one, other in told) or ends[data["attempt"]] != 1:
                    self.model.violated(f"the end of {data['attempt']} is recorded as {data}, written is {written}")
        for log in (self.rig.state / "attempts").glob("*/stdout.log"):
            if log.read_text(errors="replace").count("scripted: write") > 1:
                self.model.violated(f"{log.parent.name} has run more than once: {log.read_text()}")
        self.model.count("ends compared", len(ends))

    def _check_work(self, records: list[dict[str, Any]]) -> None:
        """Every done item's file is on its branch, and no attempt was committed twice."""
        done = {record["item"] for record in records if record["type"] == "item.completed"}
        for known in self.model.acknowledged.values():
            if isinstance(known.call, calls.ItemAdd) and known.answered in done:
                self._check_file(known.answered, file_of(known.call.token))
        trailers = self.rig.git("log", "--branches", "--format=%(trailers:key=Golem-Attempt,valueonly,separator=)")
        twice = [name for name, often in Counter(trailers.split()).items() if often > 1]
        if twice:
            self.model.violated(f"committed more than once: {twice}")
        self.model.count("items done", len(done))

    def _check_file(self, item: str, name: str) -> None:
        try:
            self.rig.git("cat-file", "-e", f"golem/{item}:{name}")
        except subprocess.CalledProcessError:
            self.model.violated(f"{item} is done, and {name} is not on its branch")


def table(session: Kills, seconds: float) -> str:
    """The counts, one a line."""
    model = session.model
    rows = [*sorted(model.counts.items()), ("acknowledged in all", len(model.acknowledged))]
    rows += [("attempts that had to be lost", len(model.must_be_lost))]
    lines = [f"{name:<40}{count:>10}" for name, count in rows]
    lines += [f"{'slowest start, seconds':<40}{session.slowest_start:>10.2f}", f"{'seconds':<40}{seconds:>10.1f}"]
    return "\n".join([*lines, f"{'violations':<40}{len(model.violations):>10}"])


def main(argv: list[str] | None = None) -> int:
    """The script; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how often the daemon is killed")
    parser.add_argument("--seed", type=int, default=None, help="of the dice (default: a random one)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop killing after this time")
    options = parser.parse_args(argv)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    begun = time.monotonic()
    with rig() as place:
        session = Kills(place, seed)
        model = session.run(options.kills, begun + options.minutes * 60)
    print(table(session, time.monotonic() - begun))
    for violation in model.violations:
        print(f"VIOLATION: {violation}")
    if model.violations:
        print(f"repeat: python -m tests.faults.kills --kills {options.kills} --seed {seed}")
    return 1 if model.violations else 0


if __name__ == "__main__":
    sys.exit(main())
