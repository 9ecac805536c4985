"""What these tests share: specs, a place that is checked for left processes, and shims that pause or fail."""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio

from golemd.adapters.processes import proctable, reaper
from golemd.adapters.processes.launch import launch_plain
from golemd.adapters.processes.records import AttemptSpec, Exit
from golemd.adapters.processes.runner import LocalRunner

SHIM = Path(__file__).parents[3] / "golemd/adapters/processes/shim.py"
PATIENCE_SECONDS = 20.0
BASE_ENV = {"PATH": os.environ["PATH"], "HOME": "/"}


class Place:
    """A state folder with an instance of its own, and runners for it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.instance = uuid.uuid4().hex
        self.runner = LocalRunner(state, self.instance)

    def another(self, **options: Any) -> LocalRunner:
        return LocalRunner(self.state, self.instance, **options)

    def folder(self, attempt: str = "A.1") -> Path:
        return self.state / "attempts" / attempt

    def alive(self) -> list[proctable.Process]:
        return proctable.choose(self.instance, lambda _: True)


@contextmanager
def place(state: Path) -> Iterator[Place]:
    """A Place; afterwards whatever was left is killed, and the test fails for it."""
    here = Place(state)
    yield here
    left = here.alive()
    for row in left:
        reaper.send(row.pid, row.start, 9)
    here.runner.observe_all()  # reaps
    assert not left


def sh(script: str, attempt: str = "A.1", /, **fields: Any) -> AttemptSpec:
    """An attempt that runs a shell script."""
    env = {**BASE_ENV, **fields.pop("env", {})}
    return AttemptSpec(
        **{
            "attempt": attempt,
            "argv": ("/bin/sh", "-c", script),
            "cwd": "/",
            "grace_seconds": 5.0,
            "env": env,
            **fields,
        }
    )


def py(script: str, **fields: Any) -> AttemptSpec:
    """An attempt that runs a Python script."""
    return sh("", **{"argv": (sys.executable, "-I", "-S", "-c", script), **fields})


async def run(runner: LocalRunner, spec: AttemptSpec) -> Exit:
    """Submit an attempt and wait for its end."""
    with trio.fail_after(PATIENCE_SECONDS):
        await runner.submit(spec)
        end = await runner.wait(spec.attempt)
    assert isinstance(end, Exit)
    return end


async def hear(fifo: Path) -> str:
    """What is written into a FIFO until its writers close it: how a program says that it is ready."""

    def read() -> str:
        return fifo.read_text()

    with trio.fail_after(PATIENCE_SECONDS):
        return (await trio.to_thread.run_sync(read, abandon_on_cancel=True)).strip()


def write(here: Place, name: str, data: bytes) -> None:
    here.folder().mkdir(parents=True, exist_ok=True)
    (here.folder() / name).write_bytes(data)


def an_identity(**changed: object) -> bytes:
    fields = {"v": 1, "attempt": "A.1", "pid": 4000, "start": 7, "shim_pid": 4001, "shim_start": 7}
    return json.dumps({**fields, "boot_id": proctable.boot_id(), "at": "2026-01-01T00:00:00Z", **changed}).encode()


def an_exit(**changed: object) -> bytes:
    fields = {"v": 1, "attempt": "A.1", "status": 0, "signal": None, "reason": "", "errno": None, "duration_s": 1.5}
    more = {"cpu_s": 1, "max_rss_kb": 9, "ended_descendants": 0, "at": "2026-01-01T00:00:00Z"}
    return json.dumps({**fields, **more, **changed}).encode()


def make_fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


async def gone(pid: int) -> None:
    """Until a process has ended; one that is gone already is fine."""
    row = proctable.look_up(pid)
    if row is not None and row.alive:
        with trio.fail_after(PATIENCE_SECONDS):
            await reaper.ended(pid, row.start)


_CHANGED_SHIM = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("shim", {shim!r})
shim = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shim)
def fails(number):
    def call(*_):
        raise OSError(number, os.strerror(number))
    return call
def pause(*_):
    with open({fifo!r}, "w") as fifo:
        fifo.write(str(os.getpid()))
    with open({fifo!r} + ".go") as go:
        go.read()
real_write = shim.Folder.write
def paused_write(before, folder, name, *rest):
    if name == "started.json" and before:
        pause()
    real_write(folder, name, *rest)
    if name == "started.json" and not before:
        pause()
{change}
os._exit(shim.main(sys.argv[1], int(sys.argv[2])))
"""
PAUSE_BEFORE_STARTED = "shim.Folder.write = lambda *args: paused_write(True, *args)"
PAUSE_AFTER_STARTED = "shim.Folder.write = lambda *args: paused_write(False, *args)"


def launch_file(file: str, argv: list[str], env: dict[str, str], stdin: int, status: int, memory_bytes: int = 0) -> int:
    """A Launch of another file than the shim."""
    return launch_plain([*argv[:3], file, *argv[4:]], env, stdin, status, memory_bytes)


class ChangedShim:
    """A Launch of the real shim with one thing changed: that a system call fails, or that it pauses at a point.

    Paused, it writes its pid into `fifo` and goes on when `fifo`.go is opened for writing and closed.
    """

    def __init__(self, folder: Path, change: str) -> None:
        self.fifo = make_fifo(folder / "paused")
        make_fifo(folder / "paused.go")
        self.file = folder / "changed_shim.py"
        self.file.write_text(_CHANGED_SHIM.format(shim=str(SHIM), fifo=str(self.fifo), change=change))

    def __call__(self, argv: list[str], env: dict[str, str], stdin: int, status: int, memory_bytes: int) -> int:
        return launch_file(str(self.file), argv, env, stdin, status, memory_bytes)

    def go_on(self) -> None:
        Path(f"{self.fifo}.go").write_text("")
