"""Every benchmark, in sizes that measure nothing: it runs, its rows have figures, and it leaves nothing behind."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import load
from tests.bench.contest import play
from tests.bench.place import TINY, Place
from tests.path.ground import GUARD_SECONDS, PACKAGES, running


@pytest.mark.parametrize("name", bench.BENCHES)
def test_a_benchmark_runs_and_says_what_it_measures(name: str) -> None:
    about = inspect.getdoc(bench.BENCHES[name]) or ""
    assert "golemd" in about
    with Place(TINY) as place:
        contest = bench.BENCHES[name](place)
        results = play(contest, 1)
        pids = [process.pid for process in place.started]
    assert results
    assert all(result.ours >= 0 for result in results)
    assert not place.root.exists()
    assert not [pid for pid in pids if running(pid)]


def test_slower_flushes_are_slower_for_whoever_flushes(tmp_path: Path) -> None:
    program = "import os, time; b = time.perf_counter(); os.fdatasync(1); os.fsync(1); print(time.perf_counter() - b)"
    with Place(TINY) as place, open(tmp_path / "out", "w+", encoding="ascii") as out:
        env = os.environ | place.slow(20)
        subprocess.run([sys.executable, "-c", program], check=True, env=env, stdout=out)
        out.seek(0)
        assert float(out.read()) >= 0.04
        assert place.slow(0) == {}


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A temporary folder near the root: the address of a socket has room for 107 bytes, and pytest's may take 75."""
    with tempfile.TemporaryDirectory(prefix="g", dir="/tmp") as folder:
        yield Path(folder)


def test_after_an_interrupt_nothing_is_left(short_folder: Path) -> None:
    command = [sys.executable, "-m", "tests.bench", "--only", "rpc-read", "--rounds", "1000"]
    env = os.environ | {"TMPDIR": str(short_folder)}
    process = subprocess.Popen(command, cwd=PACKAGES, env=env, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + GUARD_SECONDS
    try:
        while not list(short_folder.glob("gb-*/*/supervisor.sock")):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGINT)
        assert process.wait(GUARD_SECONDS) == 130
    finally:
        process.kill()
        process.communicate()
    assert not list(short_folder.glob("gb-*"))
    assert not [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _mentions(pid, str(short_folder))]


def _mentions(pid: int, path: str) -> bool:
    try:
        return running(pid) and path.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_the_load_generator_tells_whole_answers_from_parts_and_refusals() -> None:
    assert load.redis_answered(b"$3\r\n1-0\r\n")
    assert not load.redis_answered(b"$3\r\n")
    with pytest.raises(RuntimeError, match="redis refused"):
        load.redis_answered(b"-ERR no\r\n")
    assert load.golemd_answered(b"\x94\x01\x01\xc0\x80")
    assert not load.golemd_answered(b"\x94\x01\x01\xc0")
    with pytest.raises(RuntimeError, match="golemd refused"):
        load.golemd_answered(b"\x94\x01\x01\x80\xc0")
    assert not load.supervisor_answered(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(RuntimeError, match="supervisord refused"):
        load.supervisor_answered(b"HTTP/1.1 500 no\r\n")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert bench.main(["--only", "idle"]) == 2
    said = capsys.readouterr().err
    assert "redis-server" in said
    assert "supervisor" in said
    assert "bash tests/bench/install" in said


def test_the_list_prints_every_docstring(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--list"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in bench.BENCHES)
