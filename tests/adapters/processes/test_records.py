"""Records that cannot be believed: damaged, foreign, of the future, or not even files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from golemd.adapters.processes import files
from golemd.adapters.processes.records import Lost, Verdict
from golemd.api.faults import Conflict
from tests.adapters.processes.helpers import Place, an_exit, an_identity, make_fifo, write

UNBELIEVABLE = {
    "empty": b"",
    "not JSON": b"\xff\x00garbage",
    "truncated": an_exit()[:-20],
    "no fields": b"{}",
    "of the future": an_exit(v=2),
    "of another attempt": an_exit(attempt="B.1"),
    "a status and a signal": an_exit(signal=9),
    "neither status nor signal": an_exit(status=None),
    "never started with a status": an_exit(reason="never_started"),
    "unknown reason": an_exit(reason="fine"),
    "huge": an_exit(pad="x" * files.MAX_RECORD_BYTES),
    "deep": b'{"x":' + b"[" * 60_000,
    "status of the wrong type": an_exit(status="0"),
}


@pytest.mark.parametrize("name", UNBELIEVABLE)
async def test_an_end_that_cannot_be_believed_is_no_end(
    here: Place, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(here, "exit.json", UNBELIEVABLE[name])
    assert here.runner.result("A.1") is None
    assert "not believed" in caplog.text
    assert here.runner.verdict("A.1") is Verdict.NEVER_STARTED
    assert (await here.runner.fence("A.1")).reason == "never_started"
    assert (here.folder() / "exit.json.unreadable").read_bytes() == UNBELIEVABLE[name]
    (here.folder() / "exit.json").unlink()
    write(here, "exit.json", UNBELIEVABLE[name])
    write(here, "started.json", an_identity())
    assert here.runner.verdict("A.1") is Verdict.LOST


@pytest.mark.parametrize(
    "data", [b"", b"{", an_identity(pid=1), an_identity(start=0), an_identity(v=2), b"x" * 100_000]
)
async def test_an_identity_that_cannot_be_believed_still_means_that_it_may_have_run(here: Place, data: bytes) -> None:
    write(here, "started.json", data)
    seen = here.runner.observe("A.1")
    assert (seen.started, seen.identity) == (True, None)
    assert here.runner.verdict("A.1") is Verdict.LOST
    assert await here.runner.wait("A.1") == Lost(attempt="A.1", identity=None)
    with pytest.raises(Conflict):
        await here.runner.fence("A.1")


def test_a_record_is_a_regular_file_and_nothing_else(here: Place, tmp_path: Path) -> None:
    here.folder().mkdir(parents=True)
    make_fifo(here.folder() / "exit.json")
    assert here.runner.result("A.1") is None
    (here.folder() / "exit.json").unlink()
    (tmp_path / "elsewhere").write_bytes(an_exit())
    (here.folder() / "exit.json").symlink_to(tmp_path / "elsewhere")
    assert here.runner.result("A.1") is None
    (here.folder() / "exit.json").unlink()
    write(here, "exit.json", an_exit())
    assert here.runner.result("A.1") is not None


def test_a_lock_that_cannot_be_looked_at_counts_as_held(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more_files(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    write(here, "prompt.md", b"")
    assert not here.runner.observe("A.1").held
    monkeypatch.setattr(os, "open", no_more_files)
    assert here.runner.observe("A.1").held
