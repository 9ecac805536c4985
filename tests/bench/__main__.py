"""Benchmarks beside golemd's peers: `python -m tests.bench [--only NAME]… [--rounds N] [--quick] [--markdown]`.

One table: work, golemd, peer, ratio, floor, goal, met. Everything runs in rounds, A B C … A B C …, and medians count;
read `contest` for the arithmetic, and each benchmark's docstring (`--list` prints them) for what is measured on both
sides and why that is fair. `tests/bench/install` installs the peers. "Floor" must hold at all times, "goal" is where
it should be; exit status 1 when a floor is missed.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from tests.bench import client, idle, journal, processes, rpc, scheduler, start, table
from tests.bench.contest import MISSED, Contest, Result, play
from tests.bench.place import QUICK, Place, Size, missing

BENCHES: Final[dict[str, Callable[[Place], Contest]]] = {
    "append": journal.append,
    "one-writer": journal.one_writer,
    "rpc-durable": rpc.durable,
    "rpc-ping": rpc.ping_beside_changes,
    "rpc-read": rpc.reading,
    "rpc-client": rpc.one_client,
    "replay": start.replay,
    "first-answer": start.first_answer,
    "replayed-answer": start.replayed_answer,
    "golemctl": client.commands,
    "golemctl-status": client.status_of_many,
    "attempt-starts": processes.starts,
    "attempt-ends": processes.ends,
    "attempt-shims": processes.shims,
    "attempt-idle": processes.idle_attempts,
    "scheduler": scheduler.select,
    "idle": idle.idle,
    "generator": rpc.generator,
}
LEFT_OUT: Final = ("graph of 1,000 nodes: this release has no graph language",)
ROUNDS: Final = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for; returns the exit status."""
    options = _parser().parse_args(argv)
    if options.list:
        print("\n\n".join(f"{name}\n\n{inspect.getdoc(bench)}" for name, bench in BENCHES.items()))
        return 0
    if lacking := _lacking():
        print(f"tests.bench: please install {', '.join(lacking)}: bash tests/bench/install", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupted)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed golemd is compiled, as its peers are
    begun = time.monotonic()
    results: list[Result] = []
    failed: dict[str, str] = {}
    status = 0
    try:
        run(options.only or list(BENCHES), options.rounds, QUICK if options.quick else Size(), results, failed)
    except KeyboardInterrupt:
        status = 130
    show = table.markdown if options.markdown else table.terminal
    print(f"{machine()}\n{options.rounds} rounds, {time.monotonic() - begun:.0f} s\n\n{show(results)}\n")
    print("\n".join(f"left out: {each}" for each in LEFT_OUT))
    print("".join(f"FAILED {name}:\n{error}" for name, error in failed.items()), end="")
    return status or int(bool(failed) or any(result.verdict == MISSED for result in results))


def run(names: Sequence[str], rounds: int, size: Size, results: list[Result], failed: dict[str, str]) -> None:
    """Add the results of these benchmarks, each in a place of its own, and those that failed with how they did."""
    for name in names:
        try:
            with Place(size) as place:
                _tell(f"{name}: preparing")
                contest = BENCHES[name](place)
                results += play(contest, rounds, partial(_tell_round, name, rounds))
        except Exception:
            failed[name] = traceback.format_exc()
    _tell("")


def machine() -> str:
    """What it was measured on."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line.split(":", 1)[1].strip() for line in cpuinfo.splitlines() if line.startswith("model name")), "")
    python = f"Python {platform.python_version()}"
    where = f"{os.cpu_count()} cores {model or platform.machine()}, Linux {platform.release()}, {python}"
    return f"{time.strftime('%Y-%m-%d')}, {where}, load {os.getloadavg()[0]:.1f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="golemd beside its peers, in one table.")
    parser.add_argument("--only", action="append", metavar="NAME", choices=BENCHES, help=f"one of {', '.join(BENCHES)}")
    parser.add_argument("--rounds", type=_positive, default=ROUNDS, metavar="N", help=f"default: {ROUNDS}")
    parser.add_argument("--quick", action="store_true", help="small sizes: a look, not a measurement")
    parser.add_argument("--markdown", action="store_true", help="the table as Markdown")
    parser.add_argument("--list", action="store_true", help="what each benchmark measures, and why it is fair")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _lacking() -> list[str]:
    """What is needed and not there."""
    return missing() + [name for name in ("eventsourcing",) if importlib.util.find_spec(name) is None]


def _interrupted(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _tell_round(name: str, rounds: int, number: int) -> None:
    _tell(f"{name}: round {number + 1} of {rounds}")


def _tell(what: str) -> None:
    """Where we are, on one line of a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
