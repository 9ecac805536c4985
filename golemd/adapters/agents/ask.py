"""Ask a program a short question, such as its version: bounded in time and in what is read."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import trio

from golemd.adapters.processes import proctable, reaper

ASK_SECONDS: Final = 20.0
MAX_BYTES: Final = 2000
LEAVE_SECONDS: Final = 1.0  # from the hang-up to the kill


async def first_words(
    argv: Sequence[str], environ: Mapping[str, str], seconds: float = ASK_SECONDS, *, any_status: bool = False
) -> str:
    """What a program prints; empty when it fails, prints more than MAX_BYTES, or does not end in time.

    With `any_status` one that fails is heard too.
    """
    try:
        with trio.fail_after(seconds):
            async with asked(argv, environ) as (process, said):
                answer = b""
                while len(answer) <= MAX_BYTES and (piece := await said.receive_some(MAX_BYTES)):
                    answer += piece
                good = len(answer) <= MAX_BYTES and (await process.wait() == 0 or any_status)
    except (OSError, trio.TooSlowError):
        return ""
    return answer.decode("utf-8", "replace") if good else ""


@asynccontextmanager
async def asked(
    argv: Sequence[str], environ: Mapping[str, str], program: str | None = None
) -> AsyncIterator[tuple[trio.Process, trio.abc.ReceiveStream]]:
    """A program that has nothing to read, no terminal and a session of its own, and what it prints.

    It is over when the block is left: one that has to be ended takes its session with it, and is hung up on, as by a
    terminal that closes, before it is killed: what it holds (pyenv's lock, in many a shell's start) it gives back.
    `program` is what is run where argv[0] says something else. Raises OSError.
    """
    process = await trio.lowlevel.open_process(
        list(argv),
        executable=program,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        with trio.CancelScope(shield=True):
            if process.returncode is None:  # nobody has waited for it, so the number of its session stays its own
                await reaper.end_all(lambda: _session_of(process.pid), LEAVE_SECONDS, signal.SIGHUP)
            await process.wait()
            await process.stdout.aclose()


def _session_of(leader: int) -> list[proctable.Process]:
    return [row for row in proctable.snapshot().values() if row.session == leader and row.alive]
