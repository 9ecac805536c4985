"""What is on the disk is replaced or removed while agents run: golemd, a package of its, Python, systemd itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import golemd
from tests.path.ground import ended, running, wait_for_line
from tests.systemd.ground import Machine, Service

NEXT: Final = f"{golemd.__version__}+next"


@pytest.fixture
def restored(machine: Machine) -> Iterator[Machine]:
    """The machine, whose installation may be changed."""
    python = machine.python.readlink()
    yield machine
    machine.install()
    machine.python.unlink(missing_ok=True)
    machine.python.symlink_to(python)


def _shim(service: Service, attempt: str) -> str:
    """Which file the shim of a running attempt was started from."""
    (spawned,) = [each["data"] for each in service.records("attempt.spawned") if each["data"]["attempt"] == attempt]
    return Path(f"/proc/{spawned['shim_pid']}/cmdline").read_text().split("\0")[3]


def _statuses(service: Service) -> list[int]:
    return [record["data"]["status"] for record in service.records("attempt.exited")]


@pytest.mark.proof
def test_an_upgrade_keeps_the_agents_of_the_old_golemd_and_starts_new_ones_its_own_way(
    service: Service, restored: Machine
) -> None:
    service.install()
    pids = service.start_agents(3)
    old = _shim(service, "WRK-1.1.build.1")
    restored.install(NEXT)
    service.systemctl("restart", "golemd")
    assert json.loads(service.golemctl("ping", "--json"))["version"] == NEXT
    assert service.running() == pids
    assert all(running(pid) for pid in pids)
    service.finish(3)
    assert service.types().count("attempt.adopted") == 3
    assert _statuses(service) == [0, 0, 0]
    service.golemctl("add", "One more", cwd=service.project)
    service.golemctl("run", "--detach", cwd=service.project)
    service.hear(1)
    assert _shim(service, "WRK-4.1.build.1") != old
    assert not Path(old).exists()
    service.finish(4)


def test_until_it_is_restarted_the_old_golemd_goes_on_as_if_nothing_had_been_installed(
    service: Service, restored: Machine
) -> None:
    service.install()
    service.start_agents(1)
    restored.install(NEXT)
    service.golemctl("add", "One more", cwd=service.project)
    service.hear(1)
    assert _shim(service, "WRK-2.1.build.1") == _shim(service, "WRK-1.1.build.1")
    assert json.loads(service.golemctl("ping", "--json"))["version"] == golemd.__version__
    service.finish(2)


def test_an_upgrade_that_stops_half_way_costs_no_agent(service: Service, restored: Machine) -> None:
    service.install()
    pids = service.start_agents(2)
    restored.remove()
    assert service.machine.run("systemctl", "--user", "restart", "golemd").status != 0
    assert all(running(pid) for pid in pids)
    assert "No module named 'golemd'" in service.machine.said()
    service.go.write("go")
    restored.install(NEXT)
    service.systemctl("stop", "golemd")
    service.systemctl("reset-failed", "golemd")
    service.machine.log.write_text("")  # of what Python says where there is no golemd
    service.systemctl("start", "golemd")
    service.go.write("go")
    service.until("item.completed", 2)
    assert _statuses(service) == [0, 0]
    assert service.types().count("attempt.spawned") == 2


def test_another_python_on_the_disk_is_no_concern_of_agents_that_run(service: Service, restored: Machine) -> None:
    service.install()
    pids = service.start_agents(2)
    other = restored.home / "env/bin/python-other"
    shutil.copy(restored.python.resolve(), other)
    restored.python.unlink()
    restored.python.symlink_to(other)
    service.systemctl("restart", "golemd")
    assert Path(f"/proc/{service.pid}/exe").readlink() == other
    assert service.running() == pids
    service.finish(2)
    assert _statuses(service) == [0, 0]


def test_while_python_is_gone_attempts_wait_and_none_is_spent(service: Service, restored: Machine) -> None:
    service.install()
    service.start_agents(1)
    service.golemctl("add", "Its sequel", "--dep", "WRK-1", cwd=service.project)
    away = restored.python.with_name("python-away")
    restored.python.rename(away)
    service.go.write("go")
    rejected = json.loads(wait_for_line(service.state / "journal.jsonl", '"attempt.rejected"'))["data"]
    away.rename(restored.python)
    assert (rejected["attempt"], rejected["outcome"], rejected["spends"]) == (
        "WRK-2.1.build.1",
        "transient",
        "transient",
    )
    assert f"{restored.python}: not found" in rejected["message"]
    assert "systemctl --user restart golemd" in rejected["message"]
    service.hear(1)
    service.finish(2)


def test_a_manager_that_is_executed_anew_loses_nothing(service: Service) -> None:
    first = service.install()["pid"]
    pids = service.start_agents(2)
    scopes = service.scopes()
    service.systemctl("daemon-reexec")
    assert (service.pid, service.scopes(), service.running()) == (first, scopes, pids)
    service.golemctl("add", "One more", cwd=service.project)
    more = service.hear(1)
    assert len(service.scopes()) == 3
    service.systemctl("restart", "golemd")
    assert ended(first)
    assert service.running() == sorted([*pids, *more])
    service.finish(3)
