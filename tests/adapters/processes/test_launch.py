"""The shim that a daemon starts is the one that it came with, whatever becomes of the installation meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from golemd.adapters.processes import launch
from golemd.adapters.processes.launch import shim_file
from tests.adapters.processes.helpers import SHIM, Place, run, sh


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation of the shim that the test may change."""
    folder = tmp_path / "installed"
    folder.mkdir()
    for name in launch.HALVES:
        shutil.copy(SHIM.with_name(f"{name}.py"), folder)
    monkeypatch.setattr(launch, "HERE", folder)
    return folder


def test_it_is_built_once_and_those_of_other_golemds_go(installed: Path, tmp_path: Path) -> None:
    first = shim_file(tmp_path)
    built = Path(first).stat().st_mtime_ns
    assert shim_file(tmp_path) == first
    assert Path(first).stat().st_mtime_ns == built
    (installed / "shim_tree.py").write_text((installed / "shim_tree.py").read_text() + "\nMORE = 1\n")
    second = shim_file(tmp_path)
    assert second != first
    assert [folder.name for folder in (tmp_path / "shim").iterdir()] == [Path(second).parent.name]


def test_a_build_that_a_crash_cut_short_is_done_again(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "shim/new").mkdir(parents=True)
    (tmp_path / "shim/new/shim.pyc").write_bytes(b"half")
    assert sorted(file.name for file in Path(shim_file(tmp_path)).parent.iterdir()) == ["shim.pyc", "shim_tree.pyc"]


async def test_attempts_start_while_the_installation_is_replaced_and_when_it_is_gone(
    installed: Path, here: Place
) -> None:
    runner = here.another()
    (installed / "shim.py").write_text("raise SystemExit('of another release')\n")
    assert (await run(runner, sh("exit 5"))).status == 5
    shutil.rmtree(installed)
    assert (await run(runner, sh("exit 6", "A.2"))).status == 6


async def test_where_it_cannot_be_built_the_installed_one_is_run(here: Place) -> None:
    shutil.rmtree(here.state / "shim")
    (here.state / "shim").write_text("in the way")
    runner = here.another()
    assert shim_file(here.state) == str(SHIM)
    assert (await run(runner, sh("exit 5"))).status == 5
