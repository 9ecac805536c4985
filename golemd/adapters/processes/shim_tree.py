"""The processes below a shim: who they are, what memory they use together, and how they are signalled.

The other half of `shim`, under the same rules: standard library only, little of it, and nothing of golemd. The memory
limit is the kernel's where the shim is alone in a control group that has one, as in a scope of its own. Elsewhere the
shim measures, and only while the whole machine uses as much as the limit: before that nobody can have reached it.
"""

import _signal as signal  # type: ignore[import-not-found]  # the builtin half of `signal`; the stubs lack it
import posix

GROUPS = "/sys/fs/cgroup"  # where cgroup v2 is mounted
MEASURE_SECONDS = 1.0  # between two looks at what all processes of the attempt use
UNSHARED = (b"Pss_Anon:", b"Pss_Shmem:", b"SwapPss:")  # a process's share of what no file could be read for again


def words(path: str) -> list[bytes]:
    """The words of a small file that the kernel makes up. Raises OSError."""
    with open(path, "rb", 0) as file:
        return file.read(8192).split()


def stat_of(pid: int | str) -> tuple[str, int, int, int]:
    """State, parent, process group and start time (ticks since boot) of a process. OSError when it is gone."""
    with open(f"/proc/{pid}/stat", "rb", 0) as file:
        text = file.read(4096)
    fields = text[text.rindex(b")") + 2 :].split()  # the name before it may hold anything
    return fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[19])


def descendants(root: int) -> dict[int, tuple[int, int]]:
    """Living descendants of `root`: pid to (process group, start time). Zombies are dead and not listed."""
    children: dict[int, list[int]] = {}
    found: dict[int, tuple[str, int, int]] = {}
    for name in posix.listdir("/proc"):
        if name.isdigit():
            try:
                state, parent, group, start = stat_of(name)
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
            found[int(name)] = state, group, start
    tree = list(children.get(root, ()))
    for pid in tree:
        tree += children.get(pid, ())
    return {pid: found[pid][1:] for pid in tree if found[pid][0] not in "ZX"}


def send(pid: int, start: int, number: int) -> bool:
    """Signal exactly this process, not one that has since been given its pid."""
    try:
        fd = posix.pidfd_open(pid)
        try:
            if same := stat_of(pid)[3] == start:
                signal.pidfd_send_signal(fd, number)
        finally:
            posix.close(fd)
    except OSError:
        return False
    return same


class Memory:
    """What all processes of the attempt may use together, in bytes (0: no limit), and who sees to it."""

    def __init__(self, limit: int) -> None:
        self.limit, self.group, self.next_look = limit, "", 0.0
        try:
            group = GROUPS + words("/proc/self/cgroup")[-1].rpartition(b"::")[2].decode()
            if words(f"{group}/cgroup.procs") == [b"%d" % posix.getpid()]:
                self.limit, self.group = int(words(f"{group}/memory.max")[0]), group
        except (OSError, ValueError, IndexError):
            return  # it is not ours alone, or has no limit

    def kills(self) -> tuple[int, int]:
        """How many processes the kernel has ended for memory, and at which limit of ours (0: it was another's)."""
        try:
            found = words(f"{self.group}/memory.events") if self.group else []
            counts = {name: int(count) for name, count in zip(found[::2], found[1::2], strict=True)}
        except (OSError, ValueError):
            return 0, 0
        return counts.get(b"oom_kill", 0), self.limit if counts.get(b"oom") else 0

    def is_ours_to_keep(self) -> bool:
        """Whether there is a limit, and nobody but us to keep it."""
        return self.limit > 0 and not self.group

    def exceeded(self, now: float) -> bool:
        """Whether the attempt uses more than its limit, where that is ours to find out."""
        if now < self.next_look or not self.is_ours_to_keep():
            return False
        self.next_look = now + MEASURE_SECONDS
        machine = kilobytes("/proc/meminfo", (b"MemTotal:", b"SwapTotal:"))
        idle = kilobytes("/proc/meminfo", (b"MemAvailable:", b"SwapFree:"))
        if (machine - idle) << 10 < self.limit:
            return False
        tree = descendants(posix.getpid())
        return sum(kilobytes(f"/proc/{pid}/smaps_rollup", UNSHARED) for pid in tree) << 10 > self.limit


def kilobytes(path: str, names: tuple[bytes, ...]) -> int:
    """The sum of some rows `NAME: NUMBER kB`; 0 for a process that has ended or may not be looked at."""
    try:
        rows = words(path)
    except OSError:
        return 0
    return sum(int(rows[at + 1]) for at, name in enumerate(rows) if name in names)
