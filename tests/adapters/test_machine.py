"""What the machine has left."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from golemd.adapters.machine import available_memory, free_disk, memory_pressure, total_memory, total_swap


def test_the_least_of_the_file_systems_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"/": 9, "/much": 7, "/little": 3}

    def statvfs(place: Path) -> os.statvfs_result:
        if str(place) not in sizes:
            raise FileNotFoundError(str(place))
        return os.statvfs_result((4096, 512, 100, 50, sizes[str(place)], 0, 0, 0, 0, 255))

    monkeypatch.setattr(os, "statvfs", statvfs)
    assert free_disk([Path("/much"), Path("/little")]) == (3 * 512, "/little")
    assert free_disk([Path("/much/not/yet")]) == (7 * 512, "/much/not/yet")
    assert free_disk([]) is None


def test_a_file_system_that_cannot_be_asked_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def statvfs(place: Path) -> os.statvfs_result:
        raise PermissionError(str(place))

    monkeypatch.setattr(os, "statvfs", statvfs)
    assert free_disk([Path("/locked")]) is None


def test_the_real_disk_and_memory(tmp_path: Path) -> None:
    free = free_disk([tmp_path])
    assert free is not None
    assert free.bytes > 0
    assert 0 < available_memory() <= total_memory() == psutil.virtual_memory().total
    assert total_swap() == psutil.swap_memory().total


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("some avg10=12.34 avg60=0.50 avg300=0.00 total=9\nfull avg10=99.00 avg60=0 avg300=0 total=0\n", 12.34),
        ("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", 0.0),
        ("", None),
        ("nonsense", None),
    ],
)
def test_pressure_is_what_some_programs_wait(tmp_path: Path, text: str, percent: Any) -> None:
    file = tmp_path / "memory"
    file.write_text(text, encoding="ascii")
    assert memory_pressure(file) == percent


def test_a_kernel_without_pressure_information_is_not_asked(tmp_path: Path) -> None:
    assert memory_pressure(tmp_path / "absent") is None
    assert memory_pressure(tmp_path) is None
