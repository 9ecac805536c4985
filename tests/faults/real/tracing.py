"""strace at a process that waits for it: what it calls is written down, or made to fail, or kills it."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.faults.real.places import Meanwhile

ATTACHED: Final = b"attached"
END_SECONDS: Final = 60.0
Point = tuple[str, int]
"""A system call, and how many-eth of its thread."""


@contextmanager
def traced(calls: str, inject: str = "", output: Path | None = None) -> Iterator[Meanwhile]:
    """What attaches strace; it ends with the process."""
    tracers: list[subprocess.Popen[bytes]] = []

    def attach(pid: int) -> None:
        words = ["strace", "-f", "-o", str(output or "/dev/null"), "-e", f"trace={calls}"]
        words += ["-e", f"inject={inject}"] if inject else []
        tracer = subprocess.Popen([*words, "-p", str(pid)], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        tracers.append(tracer)
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        if ATTACHED not in said:
            raise OSError(f"strace did not attach: {said.decode()}")

    try:
        yield attach
    finally:
        for tracer in tracers:
            tracer.communicate(timeout=END_SECONDS)


def points_of(output: Path) -> list[Point]:
    """Every point of a traced life."""
    made = Counter(re.findall(r"^(\d+) +(\w+)\(", output.read_text(errors="replace"), re.MULTILINE))
    most: dict[str, int] = {}
    for (_, name), count in made.items():
        most[name] = max(most.get(name, 0), count)
    return [(name, number) for name in sorted(most) for number in range(1, most[name] + 1)]
