"""Ask a program a short question, such as its version: bounded in time and in what is read."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import trio

ASK_SECONDS: Final = 20.0
MAX_BYTES: Final = 2000


async def first_words(argv: Sequence[str], environ: Mapping[str, str], seconds: float = ASK_SECONDS) -> str:
    """What a program prints; empty when it fails, prints more than MAX_BYTES, or does not end in time.

    It is over when this returns. One that had to be ended takes its process group with it.
    """
    try:
        with trio.fail_after(seconds):
            return await _answer(argv, environ)
    except (OSError, trio.TooSlowError):
        return ""


async def _answer(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    process = await trio.lowlevel.open_process(
        list(argv),
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = b""
    try:
        while len(said) <= MAX_BYTES and (piece := await process.stdout.receive_some(MAX_BYTES)):
            said += piece
        good = len(said) <= MAX_BYTES and await process.wait() == 0
    finally:
        if process.returncode is None:  # it is still there, so the group is its own
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdout.aclose()
    return said.decode("utf-8", "replace") if good else ""
