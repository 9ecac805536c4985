"""A short question to a program: its answer, or nothing, and soon."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from golemd.adapters.agents.ask import MAX_BYTES, first_words
from tests.path.ground import ended

ENV = {"PATH": os.environ["PATH"]}


async def asked(script: str, seconds: float = 20) -> str:
    return await first_words(("/bin/sh", "-c", script), ENV, seconds)


async def test_the_answer_is_what_it_prints() -> None:
    assert await asked("echo 1.2.3; echo no >&2") == "1.2.3\n"
    assert await asked(f"head -c {MAX_BYTES} /dev/zero | tr '\\0' x") == "x" * MAX_BYTES


@pytest.mark.parametrize("script", ["echo 1.2.3; exit 3", "echo 1.2.3; kill -9 $$", "exec yes", "read it && echo more"])
async def test_one_that_fails_or_never_stops_printing_or_asks_back_gives_no_answer(script: str) -> None:
    assert await asked(script) == ""


async def test_one_that_is_not_there_gives_no_answer() -> None:
    assert await first_words(("/no/such/program",), ENV) == ""


async def test_one_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    assert await asked(f"sleep 600 & echo $$ $! > {pids}; echo 1.2.3; wait", seconds=0.5) == ""
    assert all(ended(int(pid)) for pid in pids.read_text().split())
