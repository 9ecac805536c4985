"""The memory limit of an attempt under a real manager: on its scope, kept by the kernel or the shim, and told."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.systemd.ground import Machine, Service

LIMIT_MB: Final = 128
FIRST: Final = "WRK-1.1.build.1"
EATS: Final = "tail /dev/zero"  # it keeps the last line, however long that gets
WORDS: Final = f"{LIMIT_MB} MB for all its processes together (max_memory_mb in golemd.toml)"


@pytest.fixture
def limited(service: Service) -> Iterator[Service]:
    """The service, started, with a memory limit for its agents."""
    with service.settings(f"max_memory_mb = {LIMIT_MB}\n"):
        service.install()
        yield service


@pytest.fixture
def kernel_limits(machine: Machine) -> None:
    """Only where this user's manager was given the memory controller of cgroup v2."""
    group = machine.must("systemctl", "--user", "show", "--value", "--property=ControlGroup")
    if "memory" not in machine.must("cat", f"/sys/fs/cgroup{group}/cgroup.controllers").split():
        pytest.skip("this kernel has bound the memory controller to cgroup v1, so no user's manager can have it")


def _ended(service: Service) -> dict[str, Any]:
    """Let two agents go, of which the first runs out of memory; its end."""
    service.go.write("go")
    service.go.write("go")
    rejected = service.until("attempt.rejected")["data"]
    assert (rejected["attempt"], rejected["outcome"]) == (FIRST, "out_of_memory")
    assert WORDS in rejected["message"]
    assert WORDS in service.until("gate.opened")["data"]["question"]
    service.until("item.completed")
    items = {item["id"]: item["status"] for item in service.status()["items"]}
    assert items == {"WRK-1": "blocked", "WRK-2": "done"}
    ended = {record["data"]["attempt"]: record["data"] for record in service.records("attempt.exited")}
    return dict(ended[FIRST])


@pytest.mark.proof
def test_an_agent_that_runs_away_is_ended_and_the_others_go_on(limited: Service) -> None:
    limited.start_agents(2, then=f'[ "$GOLEM_ITEM" = WRK-2 ] || exec {EATS}')
    ended = _ended(limited)
    assert (ended["reason"], ended["memory_limit_mb"]) == ("memory", LIMIT_MB)
    assert ended["signal"] in (signal.SIGTERM, signal.SIGKILL)
    assert limited.left() == []
    warned = "your systemd manager cannot limit memory here" in limited.machine.said()
    assert warned == ("oom_kills" not in ended)


def test_what_an_agent_has_started_counts_as_well(limited: Service) -> None:
    limited.start_agents(2, then=f'[ "$GOLEM_ITEM" = WRK-2 ] || {{ {EATS} | cat; exit 5; }}')
    assert _ended(limited)["memory_limit_mb"] == LIMIT_MB


def test_the_kernel_keeps_the_limit_of_the_scope_and_says_so(kernel_limits: None, limited: Service) -> None:
    limited.start_agents(2, then=f'[ "$GOLEM_ITEM" = WRK-2 ] || {{ {EATS} | cat; exit 5; }}')
    limits = {limited.known("MemoryMax", scope) for scope in limited.scopes()}
    assert limits == {str(LIMIT_MB << 20)}
    ended = _ended(limited)
    assert (ended["reason"], ended["status"], ended["oom_kills"]) == ("", 5, 1)
    assert limited.types().count("attempt.lost") == 0
