"""The memory limit of an attempt: kept by its shim where nobody else does, and told as the kernel tells it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from golemd.adapters.processes import shim_tree
from golemd.adapters.processes.records import Exit
from tests.adapters.processes.helpers import ChangedShim, Place, py, run, sh

MIB = 1 << 20
EAT = "import _signal, posix\n{before}\neaten = b'x' * ({size} << 20)\n_signal.pause()\n"
ROWS = {
    # memory.events → reason, oom_kills, memory_limit
    "low 0\nhigh 0\nmax 31\noom 1\noom_kill 1\noom_group_kill 0\n": ("memory", 1, 300 * MIB),
    "low 0\nhigh 0\nmax 0\noom 0\noom_kill 2\n": ("memory", 2, 0),  # another's limit, or the machine's end
    "low 0\nhigh 0\nmax 9\noom 0\noom_kill 0\n": ("", 0, 0),  # somebody else has killed it
    "": ("", 0, 0),
    "oom_kill many\n": ("", 0, 0),
    "oom_kill": ("", 0, 0),
}


@pytest.mark.parametrize("before", ["", "_signal.signal(15, _signal.SIG_IGN)", "posix.fork() and _signal.pause()"])
async def test_an_attempt_that_uses_more_than_its_limit_is_ended_at_once(here: Place, before: str) -> None:
    eat = EAT.format(before=before, size=200)
    end = await run(here.runner, py(eat, memory_bytes=100 * MIB, grace_seconds=600.0))
    assert (end.reason, end.memory_limit, end.oom_kills) == ("memory", 100 * MIB, 0)
    assert end.signal in (signal.SIGTERM, signal.SIGKILL)


def test_what_processes_share_is_counted_once_and_files_are_not(tmp_path: Path) -> None:
    own = shim_tree.kilobytes("/proc/self/smaps_rollup", shim_tree.UNSHARED) << 10  # the children share it, too
    memory = shim_tree.Memory(own + 150 * MIB)
    shared = b"x" * (100 * MIB)
    ready, tells = os.pipe()
    go_on, go = os.pipe()
    children = []
    for _ in range(3):
        if (child := os.fork()) == 0:
            os.write(tells, b"1")
            os.read(go_on, 1)
            os._exit(len(shared) == 0)
        children.append(child)
    assert sum(len(os.read(ready, 1)) for _ in children) == 3
    used = {name: memory.exceeded(now) for name, now in (("looked", 1.0), ("too soon", 1.5))}
    smaller = shim_tree.Memory(40 * MIB).exceeded(1.0)
    os.write(go, b"111")
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    assert used == {"looked": False, "too soon": False}
    assert smaller
    for fd in (ready, tells, go_on, go):
        os.close(fd)


def test_what_is_far_more_than_the_machine_uses_is_not_even_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shim_tree, "descendants", lambda _: pytest.fail("it was looked at"))
    assert not shim_tree.Memory(1 << 60).exceeded(1.0)
    assert not shim_tree.Memory(0).exceeded(1.0)


def test_a_process_that_has_ended_uses_nothing() -> None:
    assert shim_tree.kilobytes("/proc/0/smaps_rollup", shim_tree.UNSHARED) == 0
    assert shim_tree.kilobytes("/proc/self/smaps_rollup", shim_tree.UNSHARED) > 1000


def a_group(folder: Path, holds: str = "{os.getpid()}", most: str = str(300 * MIB)) -> ChangedShim:
    """A shim that finds itself in a control group of such a kind, as files in a folder."""
    own = Path("/proc/self/cgroup").read_text().split()[-1].removeprefix("0::")
    group = Path(f"{folder}/groups{own}")
    group.mkdir(parents=True)
    (group / "memory.max").write_text(f"{most}\n")
    (folder / "events").symlink_to(group / "memory.events")
    procs = f"open({str(group / 'cgroup.procs')!r}, 'w').write(f'{holds}\\n')"
    change = f"import shim_tree; shim_tree.GROUPS = {str(folder / 'groups')!r}; {procs}"
    return ChangedShim(folder, change)


async def in_group(here: Place, launch: ChangedShim, events: str, then: str, folder: Path) -> Exit:
    script = f"printf '{events}' > {folder}/events; {then}"
    return await run(here.another(launch=launch), sh(script.replace("\n", "\\n"), memory_bytes=8 << 40))


@pytest.mark.parametrize("events", ROWS)
async def test_a_killed_program_ran_out_of_memory_where_the_kernel_says_so(
    here: Place, tmp_path: Path, events: str
) -> None:
    end = await in_group(here, a_group(tmp_path), events, "kill -9 $$", tmp_path)
    assert (end.reason, end.oom_kills, end.memory_limit, end.signal) == (*ROWS[events], signal.SIGKILL)


async def test_a_program_that_bears_the_end_of_a_process_of_its_own_ended_by_itself(
    here: Place, tmp_path: Path
) -> None:
    end = await in_group(here, a_group(tmp_path), "oom 1\noom_kill 1\n", "exit 137", tmp_path)
    assert (end.reason, end.status, end.oom_kills, end.memory_limit) == ("", 137, 1, 300 * MIB)


async def test_a_group_that_others_are_in_tells_nothing_of_the_attempt(here: Place, tmp_path: Path) -> None:
    group = a_group(tmp_path, holds=f"{os.getpid()}\\n{{os.getpid()}}")
    end = await in_group(here, group, "oom 1\noom_kill 1\n", "kill -9 $$", tmp_path)
    assert (end.reason, end.signal, end.oom_kills) == ("", signal.SIGKILL, 0)


async def test_where_the_group_has_no_limit_the_shim_keeps_it(here: Place, tmp_path: Path) -> None:
    runner = here.another(launch=a_group(tmp_path, most="max"))
    end = await run(runner, py(EAT.format(before="", size=200), memory_bytes=100 * MIB))
    assert (end.reason, end.memory_limit) == ("memory", 100 * MIB)


async def test_where_the_kernel_keeps_the_limit_the_shim_does_not_meddle(here: Place, tmp_path: Path) -> None:
    runner = here.another(launch=a_group(tmp_path))
    eat = EAT.format(before="", size=200).replace("_signal.pause()", "import time; time.sleep(1.3)")
    assert (await run(runner, py(eat, memory_bytes=100 * MIB))).reason == ""


async def test_an_attempt_that_is_ended_on_purpose_is_not_told_to_have_run_out_of_memory(
    here: Place, tmp_path: Path
) -> None:
    events = "oom 1\noom_kill 1\n"
    script = f"trap '' TERM; printf '{events}' > {tmp_path}/events; sleep 600".replace("\n", "\\n")
    runner = here.another(launch=a_group(tmp_path))
    end = await run(runner, sh(script, wall_seconds=0.3, grace_seconds=0.1))
    assert (end.reason, end.oom_kills) == ("timeout", 1)
