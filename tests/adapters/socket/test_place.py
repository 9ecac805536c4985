"""Where the socket is: a folder of ours alone, a name replaced and removed with care, a path of any length."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from golemd.adapters.socket import connect_address
from golemd.adapters.socket.place import PATH_BYTES, listening
from golemd.api.faults import Unavailable
from tests.adapters.socket.lab import Lab


@contextmanager
def refused(code: str) -> Iterator[None]:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(Unavailable) as caught:
        yield
    assert caught.value.code == code
    assert caught.value.hint
    assert len(os.listdir("/proc/self/fd")) == len(before)


def listen(path: Path) -> None:
    with listening(path):
        raise AssertionError("it listens")


def reachable(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock, connect_address(path) as address:
        try:
            sock.connect(address)
        except OSError:
            return False
        return True


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folder_and_socket_are_ours_alone_and_the_socket_goes_with_its_listener(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "run" / "golemd.sock"
    with listening(path):
        assert (mode(path.parent), mode(path)) == (0o700, 0o600)
        assert reachable(path)
        assert os.listdir(path.parent) == ["golemd.sock"]
    assert os.listdir(path.parent) == []


def test_a_wider_folder_of_ours_is_tightened(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(0o755)
    with listening(folder / "golemd.sock"):
        assert mode(folder) == 0o700


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    before = mode(folder)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with refused("socket_folder_unsafe"):
        listen(folder / "golemd.sock")
    assert mode(folder) == before


def test_a_shared_folder_like_tmp_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    with refused("socket_folder_unsafe"):
        listen(folder / "golemd.sock")
    assert mode(folder) == 0o1777


def test_the_root_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = os.stat("/").st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner)
    before = mode(Path("/"))
    with refused("socket_folder_unsafe"):
        listen(Path("/golemd.sock"))
    assert mode(Path("/")) == before


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with refused("socket_folder_unsafe"):
        listen(tmp_path / "run" / "golemd.sock")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with refused("socket_folder_unsafe"):
        listen(tmp_path / "dangling" / "golemd.sock")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with refused("socket_folder_unsafe"):
        listen(tmp_path / "run" / "golemd.sock")


def test_a_folder_that_cannot_be_made_is_told() -> None:
    with refused("socket_unavailable"):
        listen(Path("/proc/nowhere/golemd.sock"))


@pytest.mark.parametrize("name", ["x" * 200, "x" * 300])
def test_a_name_that_the_kernel_does_not_take_is_told(tmp_path: Path, name: str) -> None:
    with refused("socket_unavailable"):
        listen(tmp_path / "run" / name)


def test_a_file_of_somebody_at_the_path_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run" / "notes.txt"
    path.parent.mkdir()
    path.write_text("mine")
    with refused("socket_path_taken"):
        listen(path)
    assert path.read_text() == "mine"
    assert os.listdir(path.parent) == ["notes.txt"]


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run" / "golemd.sock"
    path.parent.mkdir()
    for name in ("golemd.sock", ".golemd.sock.new"):  # a daemon that was killed, once at work and once at its start
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path.parent / name))
    assert not reachable(path)
    with listening(path):
        assert reachable(path)
        assert os.listdir(path.parent) == ["golemd.sock"]


def test_a_socket_that_has_been_replaced_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "run" / "golemd.sock"
    with listening(path):
        with listening(path):
            assert reachable(path)
        assert not path.exists()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
            other.listen()
    assert path.is_socket()


def test_a_folder_that_has_been_removed_does_not_disturb_the_end(tmp_path: Path) -> None:
    path = tmp_path / "run" / "golemd.sock"
    with listening(path):
        path.unlink()
        path.parent.rmdir()
    assert not path.parent.exists()


def test_a_path_of_any_length_can_be_listened_at_and_connected_to(tmp_path: Path) -> None:
    short = tmp_path / "golemd.sock"
    long = tmp_path / ("x" * 200) / ("y" * 200) / "golemd.sock"
    edge = Path("/" + "e" * (PATH_BYTES - 1))
    with connect_address(short) as address:
        assert address == str(short)
    with connect_address(edge) as address:
        assert address == str(edge)
    with listening(long):
        assert reachable(long)
        assert long.is_socket()
    with pytest.raises(FileNotFoundError), connect_address(tmp_path / ("z" * 200) / "golemd.sock"):
        raise AssertionError("the folder is not there")


async def test_calls_pass_over_a_long_path_and_the_name_is_removed_at_the_end(lab: Lab, tmp_path: Path) -> None:
    lab.path = tmp_path / ("x" * 150) / "golemd.sock"
    client = await (await lab.start()).connect()
    assert await client.call("echo", a=1) == {"a": 1}
    lab.scope.cancel()
    await lab.stopped.wait()
    assert not lab.path.exists()
    assert await client.read() is None
