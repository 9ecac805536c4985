"""The real disk: what the seam promises, on the machine's own file system."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from golemd.adapters import disk as disk_module
from golemd.adapters.disk import How, RealDisk
from golemd.adapters.journal import Limits
from tests.adapters.journal.kit import drafts, opened, reasons, replay, stage_until_full

MIB = 1024 * 1024


@pytest.fixture
def disk() -> RealDisk:
    return RealDisk()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "golemd-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system takes root and the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_created_files_are_private_close_on_exec_and_never_replaced(disk: RealDisk, tmp_path: Path) -> None:
    file = disk.open(tmp_path / "a", How.CREATE)
    assert not os.get_inheritable(file)
    assert os.fstat(file).st_mode & 0o777 == 0o600
    disk.close(file)
    with pytest.raises(FileExistsError):
        disk.open(tmp_path / "a", How.CREATE)
    disk.symlink("a", tmp_path / "link")
    for how in How:
        with pytest.raises(OSError, match=r"link|exists"):
            disk.open(tmp_path / "link", how)


def test_folders_are_private_and_may_exist(disk: RealDisk, tmp_path: Path) -> None:
    disk.make_folder(tmp_path / "f")
    disk.make_folder(tmp_path / "f")
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        disk.make_folder(tmp_path / "file")
    assert disk.names(tmp_path) == ["f", "file"]
    assert disk.names(tmp_path / "none") == []


async def test_bytes_are_appended_overwritten_read_and_cut(disk: RealDisk, tmp_path: Path) -> None:
    file = disk.open(tmp_path / "a", How.CREATE)
    assert disk.append(file, b"hello ") == 6
    assert disk.append(file, memoryview(b"world")) == 5
    disk.close(file)
    file = disk.open(tmp_path / "a", How.UPDATE)
    assert disk.write_at(file, b"W", 6) == 1
    assert disk.read(file, 100, 3) == b"lo World"
    assert disk.read(file, 2, 100) == b""
    disk.truncate(file, 4)
    assert disk.size(file) == 4
    await disk.fdatasync(file)
    disk.drop_cache(file)
    assert disk.read(file, 9, 0) == b"hell"
    disk.close(file)
    disk.rename(tmp_path / "a", tmp_path / "b")
    await disk.sync_folder(tmp_path)
    disk.unlink(tmp_path / "b")
    assert disk.names(tmp_path) == []


def test_a_short_read_is_read_on(disk: RealDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda file, count, offset: pread(file, min(count, 3), offset))
    file = disk.open(tmp_path / "a", How.READ)
    assert disk.read(file, 8, 1) == b"12345678"
    assert disk.read(file, 80, 1) == b"123456789"
    disk.close(file)


async def test_syncs_report_failure_and_are_not_cancelled(disk: RealDisk, tmp_path: Path) -> None:
    read, write = os.pipe()
    for written in (None, 1):
        with pytest.raises(OSError, match="Invalid"):
            await disk.fdatasync(write, written)
    os.close(read)
    os.close(write)
    with pytest.raises(FileNotFoundError):
        await disk.sync_folder(tmp_path / "none")
    with trio.CancelScope() as scope:
        scope.cancel()
        await disk.sync_folder(tmp_path)
    assert not scope.cancelled_caught


@pytest.mark.parametrize(("took", "in_loop"), [(0.0001, True), (0.001, False)])
async def test_little_is_synced_in_the_loop_by_a_quick_disk_and_in_a_thread_by_others(
    took: float, in_loop: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    threads: list[int] = []
    here = threading.get_ident()

    def sync(file: int) -> None:
        nonlocal now
        now += took
        threads.append(threading.get_ident())

    monkeypatch.setattr(os, "fdatasync", sync)
    disk = RealDisk(timer=lambda: now)
    for _ in range(12):
        await disk.fdatasync(0, 300)
    assert threads[0] != here  # nothing is known yet
    assert (threads[-1] == here) is in_loop
    for written in (1 << 20, None):
        await disk.fdatasync(0, written)
        assert threads[-1] != here
    took = 1.0  # it stalls: once in the loop, and then no more
    await disk.fdatasync(0, 300)
    await disk.fdatasync(0, 300)
    assert threads[-1] != here


def test_reserved_space_is_taken_and_given_back_without_changing_the_size(disk: RealDisk, tmp_path: Path) -> None:
    file = disk.open(tmp_path / "a", How.CREATE)
    disk.append(file, b"x" * 10)
    assert disk.reserve(file, 10, 4 * MIB)
    assert disk.size(file) == 10
    assert os.fstat(file).st_blocks * 512 >= 4 * MIB
    disk.truncate(file, 10)
    assert os.fstat(file).st_blocks * 512 < MIB
    assert disk.free_bytes(tmp_path) > 0
    disk.close(file)


class Outcomes:
    """A fallocate that says these error numbers in turn."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)

    def __call__(self, *args: object) -> int:
        code = self.codes.pop(0)
        ctypes.set_errno(code)
        return -1 if code else 0


def test_file_systems_without_reserves_are_told_from_full_ones(
    disk: RealDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = Outcomes(errno.EOPNOTSUPP, errno.EINTR, 0, errno.ENOSPC)
    monkeypatch.setattr(disk_module, "_fallocate", lambda: outcomes)
    assert not disk.reserve(0, 0, 1)
    assert disk.reserve(0, 0, 1)
    with pytest.raises(OSError, match="space") as caught:
        disk.reserve(0, 0, 1)
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.setattr(disk_module, "_fallocate", lambda: None)
    assert not disk.reserve(0, 0, 1)


def test_a_c_library_without_fallocate_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *args, **options: object())
    assert disk_module._fallocate.__wrapped__() is None


def fill_up(file: int) -> None:
    with suppress(OSError):
        for _ in range(1000):
            os.write(file, bytes(64 * 1024))


async def test_on_a_disk_that_fills_up_ends_go_into_the_reserve_and_changes_wait(small: Path) -> None:
    async with opened(small, limits=Limits(reserve_bytes=MIB)) as journal:
        await journal.durable(journal.stage(drafts("a"))[0].seq)
        file = os.open(small / "ballast", os.O_WRONLY | os.O_CREAT)
        fill_up(file)
        os.close(file)
        staged, _ = stage_until_full(journal, "change" * 2000)
        for _ in range(20):
            await journal.durable(journal.stage(drafts("end" * 2000), essential=True)[0].seq)
        assert journal.degraded
        assert not journal.poke()
        (small / "ballast").unlink()
        await journal.durable(journal.stage(drafts("again"))[0].seq)
        assert not journal.degraded
    found = reasons(await replay(small))
    assert found == ["a"] + ["change" * 2000] * staged + ["end" * 2000] * 20 + ["again"]
