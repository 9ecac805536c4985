"""Ask a program a short question, such as its version: bounded in time and in what is read."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import trio

ASK_SECONDS: Final = 20.0
MAX_BYTES: Final = 2000


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

    It is over when the block is left: one that has to be ended takes its process group with it. `program` is what is
    run where argv[0] says something else. Raises OSError.
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
        if process.returncode is None:  # it is still there, so the group is its own
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdout.aclose()
