"""`golemctl demo` as anybody would run it: three items to done, and nothing left behind, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
TOO_LONG_SECONDS = 30


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment whose temporary files are the test's own; nothing of the demo may be left in it."""
    place = tmp_path / "tmp"
    place.mkdir()
    yield os.environ | {"TMPDIR": str(place), "PYTHONPATH": str(ROOT), "GOLEMD_SOCKET": "/nowhere"}
    assert _processes_in(place) == []


def _processes_in(place: Path) -> list[str]:
    """The command lines of processes that were started for this place."""
    lines = []
    for process in psutil.process_iter():
        try:
            lines.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return [line for line in lines if str(place) in line]


def _demo(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "golemctl", "demo", *arguments]


def test_three_items_are_done_and_nothing_is_left(environment: dict[str, str]) -> None:
    done = subprocess.run(_demo(), env=environment, capture_output=True, text=True, timeout=TOO_LONG_SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == "3 of 3 items done"
    for told in (
        "failed → fix 1  sh check.sh: 1 failed: a text is still a draft",
        "asks       approval",
        "golemctl approve DEMO-3",
    ):
        assert told in done.stdout
    assert os.listdir(environment["TMPDIR"]) == []


def test_temporary_files_may_be_deep_in_folders(environment: dict[str, str]) -> None:
    deep = Path(environment["TMPDIR"]) / ("deep" * 25)
    deep.mkdir()
    done = subprocess.run(
        _demo(), env=environment | {"TMPDIR": str(deep)}, capture_output=True, text=True, timeout=TOO_LONG_SECONDS
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_kept_is_said_and_holds_the_work(environment: dict[str, str]) -> None:
    done = subprocess.run(
        _demo("--keep", "--json"), env=environment, capture_output=True, text=True, timeout=TOO_LONG_SECONDS
    )
    (name,) = os.listdir(environment["TMPDIR"])
    place = Path(environment["TMPDIR"], name)
    assert done.stdout == f'{{"done":3,"of":3,"place":"{place}"}}\n'
    assert f"golemd --state-dir {place}/state" in done.stderr
    letter = subprocess.run(
        ["git", "-C", place / "demo", "show", "golem/DEMO-2:letter.txt"], capture_output=True, text=True, check=True
    )
    assert letter.stdout == "Dear reader, all is well.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_demo_ends_its_daemon_and_leaves_nothing(environment: dict[str, str], number: int) -> None:
    with subprocess.Popen(_demo(), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith(b"DEMO-1"):
                break
        demo.send_signal(number)
        assert demo.wait(TOO_LONG_SECONDS) == 130
    assert os.listdir(environment["TMPDIR"]) == []


def test_without_git_it_says_so(environment: dict[str, str]) -> None:
    done = subprocess.run(
        _demo(),
        env=environment | {"PATH": environment["TMPDIR"]},
        capture_output=True,
        text=True,
        timeout=TOO_LONG_SECONDS,
    )
    assert done.returncode == 1
    assert "git is not installed" in done.stderr
    assert os.listdir(environment["TMPDIR"]) == []


def test_a_daemon_that_cannot_start_is_quoted(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'golemd' in sys.orig_argv: sys.exit('no daemon today')\n"
    )
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    done = subprocess.run(
        _demo(), env=environment | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=TOO_LONG_SECONDS
    )
    assert done.returncode == 1
    assert "ended before it answered" in done.stderr
    assert "no daemon today" in done.stderr
    assert os.listdir(environment["TMPDIR"]) == []
