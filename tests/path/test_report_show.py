"""report.show: the final report of a run, which is written once, can always be made again, and holds no secret."""

from __future__ import annotations

import hashlib
import json
import os
import sys

import msgspec

from golemd.api import calls
from golemd.core.report import to_json
from tests.path.house import House
from tests.path.repositories import RESULT, Project

ASKS = '[[result {"result": "blocked", "summary": "s", "question": "Which?"}]]'


def files(daemon: House, run: str) -> dict[str, bytes]:
    """A report's files by their ending."""
    return {ending: (daemon.state / "reports" / f"{run}.{ending}").read_bytes() for ending in ("json", "md")}


def test_a_run_that_has_ended_leaves_its_report_as_json_and_markdown(daemon: House, demo: Project) -> None:
    item = demo.work("[[write a.txt hello]]")
    written = daemon.until("report.written", item)
    found = files(daemon, f"{item}.1")
    assert written["data"]["digests"] == {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
    folder = daemon.state / "reports"
    assert sorted(path.name for path in folder.iterdir()) == [f"{item}.1.json", f"{item}.1.md"]
    assert {path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())} == {0o700, 0o600}
    view = daemon.call(calls.ReportShow(id=item))
    assert (view.path, view.report.finished, view.report.state) == (str(folder / f"{item}.1.md"), True, "completed")
    assert view.markdown.encode() == found["md"]
    assert to_json(view.report) == found["json"]
    assert view.report.through < written["seq"]
    (commit,) = view.report.commits
    assert (commit.commit, commit.insertions) == (demo.git("rev-parse", f"golem/{item}"), 1)
    assert view.report.pins.base_commit == demo.git("rev-parse", "main")
    assert daemon.show(item).runs[0].report == view.path


def test_the_report_of_a_journal_replayed_from_scratch_is_byte_equal(daemon: House, demo: Project) -> None:
    item = demo.work(ASKS)
    daemon.until("gate.opened", item)
    daemon.decide(item, "abort", "no\nmore")
    daemon.until("report.written", item)
    written = files(daemon, f"{item}.1")
    daemon.restart()
    for ending in written:
        (daemon.state / "reports" / f"{item}.1.{ending}").unlink()
    assert daemon.call(calls.ReportShow(id=f"{item}.1")).path is not None
    assert files(daemon, f"{item}.1") == written
    daemon.call(calls.ItemReopen(id=item))
    demo.run()
    daemon.until("gate.opened", item, count=2)
    first = daemon.call(calls.ReportShow(id=f"{item}.1"))
    assert first.markdown.encode() == written["md"]
    assert daemon.call(calls.ReportShow(id=item)).report.run == f"{item}.2"
    assert [run.report for run in daemon.show(item).runs] == [first.path, None]
    assert len(daemon.records("report.written")) == 1


def test_a_daemon_that_is_killed_before_the_report_is_written_writes_it_once_at_the_next_start(
    daemon: House, demo: Project
) -> None:
    reports = daemon.state / "reports"
    reports.write_text("in the way", encoding="utf-8")
    item = demo.work("[[write a.txt hello]]")
    daemon.until("work.kept", item, then="removed")
    demo.halted()
    daemon.kill9()
    reports.unlink()
    daemon.start()
    daemon.until("report.written", item)
    assert daemon.call(calls.ReportShow(id=item)).markdown.encode() == files(daemon, f"{item}.1")["md"]
    daemon.restart()
    assert len(daemon.records("report.written")) == 1
    assert daemon.call(calls.JournalVerify(deep=True)).equal


def test_a_report_that_cannot_be_written_is_told_in_the_log_and_holds_nothing_up(daemon: House, demo: Project) -> None:
    (daemon.state / "reports").write_text("in the way", encoding="utf-8")
    item = demo.work("[[write a.txt hello]]")
    daemon.until("work.kept", item, then="removed")
    demo.halted()
    assert daemon.show(item).status == "done"
    assert daemon.show(item).runs[0].report is None
    view = daemon.call(calls.ReportShow(id=item))
    assert (view.path, view.report.finished) == (None, True)
    other = demo.work("[[write b.txt hello]]")
    daemon.done(other)
    assert daemon.call(calls.ItemReopen(id=item)).status == "ready"
    daemon.call(calls.ItemCancel(id=item))
    told = [line for line in daemon.said().splitlines() if f"The report of {item}.1 cannot be written" in line]
    assert len(told) == 1, "it is tried again at once, and again"
    assert "File exists" in told[0]


def test_a_run_that_goes_on_is_reported_as_it_is_now(daemon: House, demo: Project) -> None:
    item = demo.work(ASKS)
    daemon.until("gate.opened", item)
    view = daemon.call(calls.ReportShow(id=item))
    assert (view.path, view.report.finished, view.report.state) == (None, False, "awaiting")
    assert "**Not final**: the run is still going" in view.markdown
    assert not (daemon.state / "reports").exists()


def test_what_was_never_run_or_does_not_exist_has_no_report(daemon: House, demo: Project) -> None:
    item = demo.add()
    fault = daemon.refused(calls.ReportShow(id=item), "no_run", "not_found")
    assert item in fault.message
    daemon.refused(calls.ReportShow(id=f"{item}.1"), "run_not_found", "not_found")
    daemon.refused(calls.ReportShow(id="WRK-9"), "item_not_found", "not_found")
    daemon.refused(calls.ReportShow(id=""), "item_not_found", "not_found")


def test_a_value_that_was_passed_to_an_agent_is_not_in_its_report(house: House) -> None:
    house.start(env={"PASSED_KEY": "hush-hush-hush"})
    script = f'echo "$PASSED_KEY $OWN_KEY"\nSUMMARY="used $PASSED_KEY and $OWN_KEY"\n{RESULT}'
    agent = house.agent("leaky", script)["leaky"] | {"pass_env": ["PASSED_*"], "env": {"OWN_KEY": "very-secret"}}
    project = house.project(phases=[{"name": "build", "agent": "leaky"}], agents={"leaky": agent})
    item = project.work()
    house.until("report.written", item)
    found = files(house, f"{item}.1")
    assert "used ••• and •••" in found["md"].decode()
    journal = (house.state / "journal.jsonl").read_bytes()
    for text in (*found.values(), journal):
        assert b"hush-hush" not in text
        assert b"very-secret" not in text


def test_an_agent_may_see_the_report_of_its_own_item_and_of_no_other(daemon: House) -> None:
    paths = os.pathsep.join(path for path in sys.path if path)
    asking = f'PYTHONPATH={paths} "{sys.executable}" -m golemctl --json report'
    words = [f'{asking} {named} > "$GOLEM_WORKSPACE"/{named}.json' for named in ("WRK-2.1", "WRK-1")]
    project = daemon.project(
        phases=[{"name": "build", "agent": "curious"}], agents=daemon.agent("curious", "\n".join([*words, RESULT]))
    )
    daemon.call(calls.ItemCancel(id=project.add()))
    item = project.work()
    daemon.done(item)
    assert json.loads(project.file_of(item, "WRK-2.1.json"))["run"] == "WRK-2.1"
    assert json.loads(project.file_of(item, "WRK-1.json"))["error"]["code"] == "not_for_agents"


def test_golemctl_prints_the_report_and_names_its_file(daemon: House, demo: Project) -> None:
    item = demo.work("[[write a.txt hello]] \x1b[31mred")
    daemon.until("report.written", item)
    shown = daemon.golemctl("report", item)
    assert (shown.status, shown.err) == (0, "")
    assert shown.out.startswith(f"# {item}.1: something\n\n**completed** after")
    assert "\x1b" not in shown.out
    found = files(daemon, f"{item}.1")
    assert daemon.golemctl("report", f"{item}.1", "--json").json == json.loads(found["json"])
    assert b"\x1b" not in found["md"]
    assert f"  report {daemon.state}/reports/{item}.1.md\n" in daemon.golemctl("show", item).out
    assert msgspec.json.decode(found["json"])["inputs"]["description"].endswith("\x1b[31mred")
    refused = daemon.golemctl("report", "WRK-9")
    assert (refused.status, refused.out) == (1, "")
