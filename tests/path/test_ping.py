"""ping: whether the daemon answers, and who it is."""

from __future__ import annotations

from golemd import __version__
from golemd.api import calls
from tests.path.house import House


def test_ping_tells_release_pid_newest_record_and_state_folder(daemon: House) -> None:
    pong = daemon.call(calls.Ping())
    assert (pong.version, pong.pid, pong.state_dir) == (__version__, daemon.pid, str(daemon.state))
    assert pong.seq == daemon.records()[-1]["seq"]


def test_a_start_is_the_first_record_of_a_journal(daemon: House) -> None:
    first = daemon.records()[0]
    assert (first["seq"], first["type"], first["data"]["pid"]) == (1, "daemon.started", daemon.pid)
