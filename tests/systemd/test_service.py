"""golemd as a service of a real systemd user manager: installed, watched, restarted, killed, upgraded and stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.path.ground import ended, running, wait_for_line
from tests.systemd.ground import Service


@pytest.mark.proof
def test_install_starts_a_service_that_is_enabled_and_answers(service: Service) -> None:
    found = service.install()
    assert (found["installed"], found["enabled"], found["active"]) == (True, "enabled", "active")
    assert json.loads(service.golemctl("ping", "--json"))["pid"] == found["pid"] == service.pid
    program = service.machine.home / "env/bin/golemd"
    assert f'ExecStart="{program}"\n' in Path(found["unit"]).read_text()
    assert service.known("StatusText").startswith("Ready: 0 projects")
    assert "active     active, pid" in service.golemctl("service", "status")
    service.systemctl("reload", "golemd")
    assert wait_for_line(service.machine.home / "golemd.log", "reload: the configuration is in force")


def test_the_hint_of_an_unreachable_daemon_names_the_service_only_where_it_is_installed(service: Service) -> None:
    before = service.machine.run("golemctl", "ping")
    assert before.status == 69
    assert "systemctl" not in before.err
    view = json.loads(service.golemctl("service", "install", "--no-start", "--json"))
    assert (view["enabled"], view["active"], view["pid"]) == ("enabled", "inactive", None)
    after = service.machine.run("golemctl", "ping")
    assert after.status == 69
    assert "Start it: systemctl --user start golemd, or in a terminal: golemd" in after.err
    assert service.machine.run("golemctl", "service", "status").status == 1


def test_a_service_that_does_not_start_says_how_it_ended_and_where_it_says_why(service: Service) -> None:
    with service.settings("max_agents = 0\n"):
        refused = service.machine.run("golemctl", "service", "install")
        assert refused.status == 1
        assert (
            "golemd has not started: exit status 78, configuration or places are unusable. (service_fai" in refused.err
        )
        assert "journalctl --user --unit golemd" in refused.err
        shown = service.machine.run("golemctl", "service", "status")
        assert (shown.status, "failed (exit status 78, configuration" in shown.out) == (1, True)
        assert "journalctl --user --unit golemd" in shown.err
    assert "max_agents" in service.machine.said()
    assert service.install()["failure"] is None


def test_a_service_whose_program_is_gone_says_so(service: Service) -> None:
    service.install()
    service.systemctl("stop", "golemd")
    program = service.machine.home / "env/bin/golemd"
    away = program.rename(program.with_name("away"))
    try:
        assert service.machine.run("systemctl", "--user", "start", "golemd").status != 0
        shown = service.machine.run("golemctl", "service", "status").out
        assert "(exit status 203, its program is not there)" in shown
    finally:
        away.rename(program)


def test_uninstall_stops_it_and_leaves_no_unit(service: Service) -> None:
    pid = service.install()["pid"]
    view = json.loads(service.golemctl("service", "uninstall", "--json"))
    assert (view["installed"], view["active"]) == (False, "inactive")
    assert ended(pid)
    again = service.machine.run("golemctl", "service", "uninstall")
    assert again.status == 1
    assert "service_not_installed" in again.err


def test_a_unit_that_somebody_made_by_hand_is_left_alone(service: Service) -> None:
    unit = service.folder / "golemd.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    refused = service.machine.run("golemctl", "service", "install")
    assert refused.status == 1
    assert "service_foreign" in refused.err
    assert unit.read_text() == "[Service]\nExecStart=/bin/true\n"
    unit.unlink()


@pytest.mark.parametrize(("said", "linger"), [("Linger=no", False), ("Linger=yes", True), ("", None)])
def test_it_says_how_to_outlive_the_session_only_where_that_is_known_to_be_off(
    service: Service, said: str, linger: bool | None
) -> None:
    with service.program("loginctl", f'[ "$*" = "show-user 65534 --property=Linger" ] && echo "{said}"'):
        done = service.machine.run("golemctl", "service", "install", "--no-start", "--json")
    assert done.json["linger"] is linger
    assert ("loginctl enable-linger" in done.err) == (linger is False)


def test_places_that_were_chosen_by_hand_are_written_into_the_unit(service: Service) -> None:
    state = service.machine.home / "my $tate 100%"
    service.machine.must("env", f"GOLEMD_STATE_DIR={state}", "golemctl", "service", "install")
    assert service.up.line() == "up"
    try:
        status = service.machine.must("env", f"GOLEMD_STATE_DIR={state}", "golemctl", "status", "--json")
        assert json.loads(status)["daemon"]["state_dir"] == str(state)
    finally:
        service.systemctl("stop", "golemd")
        shutil.rmtree(state)


def test_without_a_manager_install_says_so_and_writes_nothing(service: Service) -> None:
    refused = service.machine.run("env", "-u", "XDG_RUNTIME_DIR", "golemctl", "service", "install")
    assert refused.status == 1
    assert "no_user_manager" in refused.err
    assert not (service.folder / "golemd.service").exists()


@pytest.mark.proof
def test_agents_run_in_scopes_of_their_own_which_end_with_them(service: Service) -> None:
    service.install()
    pids = service.start_agents(3)
    scopes = {Path(f"/proc/{pid}/cgroup").read_text().splitlines()[-1].rsplit("/", 1)[-1] for pid in pids}
    assert scopes == set(service.scopes())
    assert len(scopes) == 3
    assert all("golemd.service" in service.known("Before", scope).split() for scope in scopes)
    assert all(scope.startswith(f"golemd-{service.instance[:8]}-WRK-") for scope in scopes)
    service.finish(3)
    assert service.running() == []


def test_an_agent_whose_scope_cannot_be_had_runs_beside_golemd_and_is_adopted_all_the_same(service: Service) -> None:
    service.install()
    name = f"golemd-{service.instance[:8]}-WRK-1.1.build.1.scope"
    service.hold_scope(name)
    try:
        pids = service.start_agents(1)
        assert Path(f"/proc/{pids[0]}/cgroup").read_text().endswith("/golemd.service\n")
        assert "WRK-1.1.build.1 runs without a scope of its own" in service.machine.said()
        service.systemctl("restart", "golemd")
        assert service.running() == pids
        service.finish(1)
    finally:
        service.systemctl("stop", name)


@pytest.mark.proof
def test_a_restart_keeps_three_agents_and_their_work_is_accepted(service: Service) -> None:
    first = service.install()["pid"]
    pids = service.start_agents(3)
    service.systemctl("restart", "golemd")
    assert ended(first)
    assert service.pid != first
    assert service.running() == pids
    assert all(running(pid) for pid in pids)
    service.finish(3)
    assert service.types().count("attempt.spawned") == service.types().count("attempt.adopted") == 3


def test_a_restart_by_a_systemd_before_248_keeps_the_agents(service: Service) -> None:
    service.drop_in("old", "[Service]\nUnsetEnvironment=SYSTEMD_EXEC_PID\n")
    service.install()
    pids = service.start_agents(1)
    service.systemctl("restart", "golemd")
    assert service.running() == pids
    service.finish(1)


def test_installing_again_restarts_it_and_keeps_the_agents(service: Service) -> None:
    first = service.install()["pid"]
    pids = service.start_agents(2)
    again = service.install()
    assert again["pid"] not in (None, first)
    assert service.running() == pids
    service.finish(2)


@pytest.mark.proof
def test_a_stop_ends_every_process(service: Service) -> None:
    first = service.install()["pid"]
    pids = service.start_agents(3)
    service.systemctl("stop", "golemd")
    assert all(ended(pid) for pid in (first, *pids))
    assert service.left() == []
    assert (service.known("ActiveState"), service.known("Result")) == ("inactive", "success")


def test_a_stop_leaves_the_agents_to_the_next_daemon_where_the_settings_say_so(service: Service) -> None:
    with service.settings('on_stop = "keep"\n'):
        service.install()
        pids = service.start_agents(1)
        service.systemctl("stop", "golemd")
        assert all(running(pid) for pid in pids)
        service.systemctl("start", "golemd")
        assert service.running() == pids
        service.finish(1)


def test_a_daemon_that_is_aborted_says_where_it_was(service: Service) -> None:
    service.install()
    service.end(lambda pid: os.kill(pid, signal.SIGABRT))
    assert service.up.line() == "up"
    assert "Fatal Python error: Aborted" in service.machine.said()


@pytest.mark.proof
def test_after_kill_9_it_is_started_again_and_adopts_the_agents(service: Service) -> None:
    service.install()
    pids = service.start_agents(3)
    first = service.end(lambda pid: os.kill(pid, signal.SIGKILL))
    assert service.up.line() == "up"
    assert service.pid != first
    assert service.known("NRestarts") == "1"
    assert service.running() == pids
    service.finish(3)


@pytest.mark.proof
def test_a_daemon_that_hangs_is_killed_by_the_watchdog_started_again_and_adopts_the_agents(service: Service) -> None:
    service.drop_in("watchdog", "[Service]\nWatchdogSec=1\nTimeoutAbortSec=1\n")
    service.install()
    pids = service.start_agents(3)
    service.end(lambda pid: os.kill(pid, signal.SIGSTOP))
    assert service.up.line() == "up"
    assert service.known("NRestarts") == "1"
    assert service.running() == pids
    service.finish(3)


def test_a_second_unit_for_the_same_folder_fails_once_and_disturbs_nothing(service: Service) -> None:
    pid = service.install()["pid"]
    service.systemctl("start", "golemd")
    assert service.pid == pid
    second = service.folder / "golemd-second.service"
    second.write_text((service.folder / "golemd.service").read_text())
    try:
        service.systemctl("daemon-reload")
        assert service.machine.run("systemctl", "--user", "start", second.name).status != 0
        found = [service.known(name, second.name) for name in ("ActiveState", "ExecMainStatus", "NRestarts")]
        assert found == ["failed", "75", "0"]
        assert (service.pid, service.known("ActiveState")) == (pid, "active")
    finally:
        service.machine.run("systemctl", "--user", "reset-failed", second.name)
        second.unlink()


def test_shutdown_by_hand_is_meant_and_is_not_undone(service: Service) -> None:
    first = service.install()["pid"]
    service.golemctl("shutdown")
    assert ended(first)
    assert service.known("Result") == "success"
    assert service.known("NRestarts") == "0"
