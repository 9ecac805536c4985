"""The order in which an attempt's records become durable, as the kernel sees it: no kill shows what a sync does."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from golemd.adapters.processes.launch import spawn_shim
from golemd.adapters.processes.records import Exit
from tests.adapters.processes.helpers import Place, gone, run, sh

CALLS = "openat,write,pwrite64,ftruncate,fdatasync,fsync,rename,renameat,renameat2,link,linkat,execve,wait4"

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="seeing system calls needs strace")


def traced(trace: Path) -> list[str]:
    """The system calls of the shim itself, in order; descriptors come with their paths."""
    lines = trace.read_text(errors="replace").splitlines()
    shim = lines[0].split()[0]
    return [line.split(maxsplit=1)[1] for line in lines if line.split()[0] == shim]


def place_of(calls: Sequence[str], pattern: str, after: int = -1) -> int:
    """Where the first call after a place matches."""
    found = (at for at, call in enumerate(calls) if at > after and re.match(pattern, call))
    place = next(found, None)
    assert place is not None, f"no {pattern} after {calls[after] if after >= 0 else 'the start'}: {calls}"
    return place


def published(calls: Sequence[str], name: str, folder: Path) -> tuple[int, int]:
    """Where a record was written last before it got its name, and where that name was durable."""
    temporary = re.escape(f"<{folder}/{name}.tmp>")
    renamed = place_of(calls, rf'rename\w*\(.*"{name}\.tmp",.*"{name}"')
    written = max(at for at in range(renamed) if re.match(rf"(pwrite64|write|ftruncate)\(\d+{temporary}", calls[at]))
    assert written < place_of(calls, rf"fdatasync\(\d+{temporary}", written) < renamed
    assert not [call for call in calls if re.match(rf'openat\(.*"{name}",.*O_(WRONLY|RDWR)', call)]
    return written, place_of(calls, rf"fsync\(\d+<{re.escape(str(folder))}>", renamed)


async def test_a_record_is_whole_and_durable_before_anything_follows_from_it(here: Place, tmp_path: Path) -> None:
    trace = tmp_path / "trace"

    def launch(argv: list[str], env: dict[str, str], stdin: int, status: int, memory_bytes: int = 0) -> int:
        strace = [str(shutil.which("strace")), "-D", "-f", "-qq", "-y", "-o", str(trace), "-e", f"trace={CALLS}", "--"]
        return spawn_shim([*strace, *argv], env, stdin, status)

    end = await run(here.another(launch=launch), sh("exit 7"))
    assert isinstance(end, Exit)
    assert end.status == 7
    for tracer in here.alive():  # it is still writing what it saw
        await gone(tracer.pid)
    calls = traced(trace)
    _, started = published(calls, "started.json", here.folder())
    gate = place_of(calls, r'write\(\d+<pipe:.*"1", 1\)')
    assert started < gate
    assert gate < place_of(calls, r'write\(\d+<pipe:.*"started\\n"')
    nobody_left = max(at for at, call in enumerate(calls) if call.startswith("wait4(") and "ECHILD" in call)
    written, _ = published(calls, "exit.json", here.folder())
    assert nobody_left < written
    assert not [call for call in calls[:gate] if call.startswith("wait4(")]
