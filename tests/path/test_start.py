"""Starting: what golemd refuses to start with, by exit status and words, and what it mends by itself."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import stat

import pytest

import golemd
from golemd.api import calls
from tests.path.ground import wait_for_line
from tests.path.house import House
from tests.path.repositories import Project

pytestmark = pytest.mark.executed


def test_version_help_and_usage(house: House) -> None:
    assert house.golemd("--version").out == f"golemd {golemd.__version__}\n"
    assert house.golemd("--help").status == 0
    wrong = house.golemd("--nonsense")
    assert (wrong.status, "--nonsense" in wrong.err) == (2, True)


def test_a_second_daemon_of_the_same_folder_ends_with_75_naming_the_first(daemon: House) -> None:
    second = daemon.golemd()
    assert (second.status, f"pid {daemon.pid}" in second.err) == (75, True)
    assert "golemctl shutdown" in second.err
    assert daemon.call(calls.Ping()).pid == daemon.pid


def test_folder_and_socket_are_the_owners_alone(daemon: House) -> None:
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in (daemon.state, daemon.socket.parent, daemon.socket)}
    assert modes == {daemon.state: 0o700, daemon.socket.parent: 0o700, daemon.socket: 0o600}
    assert (daemon.state / "address").read_text(encoding="utf-8").strip() == str(daemon.socket)


def test_wider_folders_are_tightened(house: House) -> None:
    house.socket.parent.mkdir(parents=True)
    for folder in (house.state, house.socket.parent):
        folder.chmod(0o755)
    house.start()
    assert [stat.S_IMODE(each.stat().st_mode) for each in (house.state, house.socket.parent)] == [0o700, 0o700]


def test_a_socket_in_a_folder_shared_with_others_is_refused(house: House) -> None:
    shared = house.root / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    refused = house.golemd("--socket", shared / "golemd.sock")
    assert (refused.status, "shared with others" in refused.err, "--socket" in refused.err) == (78, True, True)


def test_what_is_no_socket_is_not_replaced(house: House) -> None:
    house.socket.parent.mkdir(parents=True, mode=0o700)
    house.socket.write_text("precious", encoding="utf-8")
    refused = house.golemd()
    assert (refused.status, "is no socket" in refused.err) == (78, True)
    assert house.socket.read_text(encoding="utf-8") == "precious"


def test_a_socket_that_a_dead_daemon_left_is_replaced(house: House) -> None:
    house.socket.parent.mkdir(parents=True, mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(house.socket))
    house.start()
    assert house.call(calls.Ping()).pid == house.pid


def test_a_crash_leaves_nothing_that_hinders_the_next_start(daemon: House) -> None:
    daemon.kill9()
    assert daemon.socket.exists()
    daemon.start()
    assert daemon.call(calls.Ping()).pid == daemon.pid


def test_a_bad_golemd_toml_ends_with_78_and_all_problems_at_once(house: House) -> None:
    house.config.write_text('max_agents = 0\non_stop = "perhaps"\nmax_agent = 3\n', encoding="utf-8")
    for arguments in ((), ("--check",)):
        refused = house.golemd(*arguments)
        assert refused.status == 78
        for words in ("golemd.toml:1:", "golemd.toml:2:", "golemd.toml:3:", "max_agents", "on_stop", "end, keep"):
            assert words in refused.err, (words, refused.err)
    assert not (house.state / "journal").exists()


def test_a_golemd_toml_that_is_no_toml_ends_with_78(house: House) -> None:
    house.config.write_text("max_agents = = 3\n", encoding="utf-8")
    assert house.golemd().status == 78


def test_a_state_folder_that_cannot_be_made_ends_with_78(house: House) -> None:
    house.state.write_text("a file", encoding="utf-8")
    refused = house.golemd()
    assert (refused.status, "--state-dir" in refused.err) == (78, True)


def test_check_reads_configuration_and_journal_and_starts_nothing(house: House) -> None:
    assert house.golemd("--check").status == 0
    assert not house.state.exists()
    house.start()
    house.project().add()
    number = house.seq
    house.stop()
    before = sorted(path.name for path in house.state.rglob("*"))
    checked = house.golemd("--check")
    assert (checked.status, str(number + 1) in checked.out) == (0, True)
    assert sorted(path.name for path in house.state.rglob("*")) == before


def test_a_damaged_journal_ends_with_65_and_repair_is_the_way_past_it(house: House) -> None:
    house.start()
    demo = house.project()
    kept = demo.add(title="kept")
    last_good = house.seq
    demo.add(title="damaged")
    demo.add(title="after")
    house.kill9()
    (segment,) = (house.state / "journal").glob("*.jsonl")
    untouched = house.golemd("--repair", str(last_good))
    assert (untouched.status, "the journal is whole" in untouched.err) == (2, True), untouched
    whole = segment.read_bytes()
    segment.write_bytes(whole.replace(b'"damaged"', b'"dAmaged"'))
    for arguments in ((), ("--check",)):
        refused = house.golemd(*arguments)
        assert (refused.status, segment.name in refused.err) == (65, True), refused
        assert f"--repair {last_good}" in refused.err
    wrong = house.golemd("--repair", str(last_good + 1))
    assert (wrong.status, "not the end of a command" in wrong.err) == (2, True), wrong
    repaired = house.golemd("--repair", str(last_good))
    assert repaired.status == 0, repaired.err
    house.start()
    assert [item.id for item in house.call(calls.Status()).items] == [kept]
    assert house.records("journal.repaired")


def test_a_configuration_that_was_named_and_is_not_there_is_told_of(house: House) -> None:
    done = house.golemd("--check", "--config", "/nowhere.toml")
    assert (done.status, "WARNING there is no /nowhere.toml" in done.err) == (0, True), done


def test_where_there_is_no_journal_nothing_is_repaired_and_nothing_made(house: House) -> None:
    done = house.golemd("--repair", "0")
    assert (done.status, f"there is no journal in {house.state}" in done.err) == (2, True), done
    assert not house.state.exists()


def test_a_journal_whose_segments_are_gone_can_be_begun_anew(house: House) -> None:
    house.start()
    house.kill9()
    shutil.rmtree(house.state / "journal")
    assert house.golemd().status == 65
    assert house.golemd("--repair", "0").status == 0
    house.start()


def test_a_torn_end_is_cut_and_recorded(house: House) -> None:
    house.start()
    house.project().add()
    house.kill9()
    (segment,) = (house.state / "journal").glob("*.jsonl")
    with open(segment, "ab") as file:
        file.write(b'{"v":1,"seq":5,"d":4,"ts":"20')
    house.start()
    (repaired,) = house.records("journal.repaired")
    assert repaired["data"]["cut_bytes"] == 29
    assert house.call(calls.JournalVerify(deep=True)).equal


def test_sighup_reads_configuration_again_and_a_bad_one_changes_nothing(daemon: House, demo: Project) -> None:
    file = demo.root / "golem.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("max_retries = 0", "max_retries = -1"), encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    assert "ERROR" in wait_for_line(daemon.log, "golem.toml has 1 problem")
    assert len(daemon.records("project.configured")) == 1
    file.write_text(text.replace("max_retries = 0", "max_retries = 5"), encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    configured = daemon.until("project.configured", by="reload")
    assert configured["data"]["config"]["execution"]["max_retries"] == 5
    assert len(daemon.records("project.configured")) == 2


def test_a_project_that_another_daemon_holds_is_not_worked_on(daemon: House, demo: Project) -> None:
    daemon.stop()
    (daemon.root / "second").mkdir()
    second = House(daemon.root / "second").start()
    try:
        second.call(calls.ProjectInit(root=str(demo.root)))
        daemon.start()
        demo.add()
        fault = daemon.refused(calls.RunStart(project="demo"), "project_held", "conflict")
        assert str(second.pid) in fault.message
        assert "is not worked on" in daemon.said()
    finally:
        second.close()
    demo.run()
    daemon.done("WRK-1")


def test_the_log_can_be_json(house: House) -> None:
    house.start("--log-format", "json", "--log-level", "info")
    house.stop()
    lines = [json.loads(line) for line in house.said().splitlines()]
    assert any("ready" in str(line) for line in lines)


def test_a_very_long_socket_path_works(house: House) -> None:
    deep = house.root / ("d" * 100) / ("e" * 60)
    deep.mkdir(parents=True, mode=0o700)
    house.socket = deep / "golemd.sock"
    house.start("--socket", house.socket)
    assert house.call(calls.Ping()).pid == house.pid
    assert house.golemctl("ping", "--json").json["pid"] == house.pid
