"""export: a project's items as lines of JSON, which another daemon takes in."""

from __future__ import annotations

import json
from pathlib import Path

from golemd.api import calls
from tests.core.imports.stores import STORES
from tests.path.house import House
from tests.path.repositories import Project


def test_what_one_daemon_exports_another_imports_as_the_same(daemon: House, tmp_path: Path) -> None:
    phases = [{"name": name} for name in ("prd", "design", "build", "review")]
    here = daemon.project(phases=phases, pre_phases=[{"name": "research"}])
    for name, data in STORES["task-golem 0.2"](100, 500)[1].items():
        (here.root / name).write_bytes(data)
    daemon.call(calls.Import(format="tg", path=str(here.root)))
    written = daemon.golemctl("export", cwd=here.root)
    assert (written.status, written.err, len(written.out.splitlines())) == (0, "", 601)
    (tmp_path / "second").mkdir()
    second = House(tmp_path / "second")
    try:
        second.start()
        there = second.project(phases=phases, pre_phases=[{"name": "research"}])
        (second.root / "items.jsonl").write_text(written.out, encoding="utf-8")
        brought = second.golemctl("import", "jsonl", second.root / "items.jsonl", cwd=there.root)
        assert (brought.status, brought.err) == (0, "")
        again = second.golemctl("export", cwd=there.root)
        assert again.out.splitlines()[1:] == written.out.splitlines()[1:]
        ours, theirs = (house.call(calls.Status(all=True)).items for house in (daemon, second))
        assert [(item.id, item.status, item.gate, item.phase) for item in theirs] == [
            (item.id, item.status, item.gate, item.phase) for item in ours
        ]
        answer = second.golemctl("import", "jsonl", second.root / "items.jsonl", "--json", cwd=there.root).json
        assert (answer["added"], answer["unchanged"]) == ({}, 600)
    finally:
        second.close()


def test_what_was_done_here_is_exported_with_what_its_runs_did(daemon: House, demo: Project) -> None:
    done = demo.work("[[write a.txt hello]]", labels=("text",), vars={"x": "1"})
    daemon.done(done)
    waiting = demo.add()
    page = daemon.call(calls.Export())
    first, second = (json.loads(line) for line in page.lines)
    assert (first["id"], first["status"], first["labels"], first["vars"]) == (done, "done", ["text"], {"x": "1"})
    assert first["description"] == "[[write a.txt hello]]"
    assert first["history"][0]["text"].startswith(f"{done}.1.build completed")
    assert (second["id"], second["history"]) == (waiting, [])
    assert (page.more, json.loads(page.header)["project"]) == (False, "demo")


def test_a_reopened_item_has_what_its_earlier_runs_did(daemon: House, demo: Project) -> None:
    item = demo.work()
    daemon.done(item)
    daemon.until("report.written", item)
    daemon.call(calls.ItemReopen(id=item))
    (line,) = daemon.call(calls.Export()).lines
    assert (json.loads(line)["status"], len(json.loads(line)["history"])) == ("ready", 1)


def test_a_long_backlog_is_read_in_pages(daemon: House, demo: Project) -> None:
    long = "x" * 90_000
    ids = [demo.add(long) for _ in range(8)]
    first = daemon.call(calls.Export())
    assert first.more is True
    assert 0 < len(first.lines) < 8
    second = daemon.call(calls.Export(after=first.next))
    assert (second.more, [json.loads(line)["id"] for line in first.lines + second.lines]) == (False, ids)
    assert len(daemon.golemctl("export", cwd=demo.root).out.splitlines()) == 9


def test_an_empty_project_has_a_header_alone(daemon: House, demo: Project) -> None:
    plain = daemon.golemctl("export", cwd=demo.root)
    assert len(plain.out.splitlines()) == 1
    assert daemon.golemctl("export", "--json", cwd=demo.root).json["items"] == []


def test_one_json_document_where_it_is_asked_for(daemon: House, demo: Project) -> None:
    item = demo.add()
    document = daemon.golemctl("export", "--json", cwd=demo.root).json
    assert document["header"]["format"] == "golemd"
    assert [line["id"] for line in document["items"]] == [item]


def test_an_unknown_project_is_refused(daemon: House, demo: Project) -> None:
    daemon.refused(calls.Export(project="no"), "project_not_found", "not_found")
