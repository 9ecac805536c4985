"""What the kernel says of a process: its memory, its time on a processor, how often it was put on one."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class Ran(Struct, frozen=True):
    """Of all threads of a process since it began: seconds on a processor, and how often it was given one."""

    seconds: float
    times: int


def ran(pid: int) -> Ran:
    """How long and how often a process has run."""
    seconds, times = 0, 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        on_cpu, _, slices = (thread / "schedstat").read_text(encoding="ascii").split()
        seconds += int(on_cpu)
        times += int(slices)
    return Ran(seconds / 1e9, times)


def memory(pid: int) -> dict[str, float]:
    """Kilobytes by the kernel's names: Rss, Pss (shared pages divided by their users), Private_Dirty and so on."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    return {name: float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}


def children(pid: int) -> int:
    """How many children a process of one thread has."""
    return len(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split())


def own_memory(pid: int) -> float:
    """Kilobytes that nobody shares with the process."""
    found = memory(pid)
    return found["Private_Clean"] + found["Private_Dirty"]
