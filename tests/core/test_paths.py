"""Places: by argument, by environment, by convention; and where a client looks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from golemd.api import paths


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment of our own: nothing of the caller's is seen."""
    for name in ("GOLEMD_STATE_DIR", "GOLEMD_SOCKET", "GOLEMD_CONFIG", "GOLEM_SOCKET", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_an_argument_wins_over_the_environment_and_that_over_the_convention(home: Path) -> None:
    environ = {"GOLEMD_STATE_DIR": "/e/state", "GOLEMD_SOCKET": "/e/sock", "GOLEMD_CONFIG": "/e/conf"}
    assert paths.state_dir("~/mine", environ) == home / "mine"
    assert paths.state_dir(None, environ) == Path("/e/state")
    assert paths.state_dir(None, {}) == home / "state" / "golemd"
    assert paths.socket_path("/a/sock", None, environ) == Path("/a/sock")
    assert paths.socket_path(None, None, environ) == Path("/e/sock")
    assert paths.config_path("/a/conf", environ) == Path("/a/conf")
    assert paths.config_path(None, environ) == Path("/e/conf")
    assert paths.config_path(None, {}) == home / "config" / "golemd" / "golemd.toml"


def test_a_relative_place_is_seen_from_the_current_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    assert paths.state_dir("here", {}) == home / "here"


def test_the_socket_is_in_the_runtime_folder_unless_the_state_folder_was_chosen(home: Path) -> None:
    runtime = {"XDG_RUNTIME_DIR": "/run/user/1"}
    assert paths.socket_path(None, None, runtime) == Path("/run/user/1/golemd/golemd.sock")
    assert paths.socket_path(None, None, {}) == home / "state/golemd/run/golemd.sock"
    assert paths.socket_path(None, "/s", runtime) == Path("/s/run/golemd.sock")
    assert paths.socket_path(None, None, {**runtime, "GOLEMD_STATE_DIR": "/s"}) == Path("/s/run/golemd.sock")


def test_a_client_looks_where_it_is_told_first(home: Path) -> None:
    environ = {"GOLEMD_SOCKET": "/d", "GOLEM_SOCKET": "/a"}
    assert paths.find_socket("/g", environ) == Path("/g")
    assert paths.find_socket(None, environ) == Path("/d")
    assert paths.find_socket(None, {"GOLEM_SOCKET": "/a"}) == Path("/a")


def test_a_client_takes_the_usual_place_or_the_address_that_the_daemon_left(home: Path) -> None:
    usual = home / "state/golemd/run/golemd.sock"
    address = home / "state/golemd/address"
    assert paths.find_socket(None, {}) == usual
    usual.parent.mkdir(parents=True)
    address.write_text("/elsewhere/golemd.sock\n", encoding="utf-8")
    assert paths.find_socket(None, {}) == Path("/elsewhere/golemd.sock")
    address.write_text("not a path", encoding="utf-8")
    assert paths.find_socket(None, {}) == usual
    address.write_bytes(b"\xff\xfe")
    assert paths.find_socket(None, {}) == usual
    address.write_text("/elsewhere/golemd.sock", encoding="utf-8")
    usual.touch()
    assert paths.find_socket(None, {}) == usual


def test_a_runtime_folder_that_we_may_not_enter_is_no_usual_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: object) -> os.stat_result:
        raise PermissionError(13, "denied")

    (home / "state/golemd").mkdir(parents=True)
    (home / "state/golemd/address").write_text("/elsewhere/s", encoding="utf-8")
    monkeypatch.setattr(os, "stat", denied)
    assert paths.find_socket(None, {"XDG_RUNTIME_DIR": "/run/user/0"}) == Path("/elsewhere/s")
