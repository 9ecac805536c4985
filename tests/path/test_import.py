"""import: the backlog of another program, in one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from golemd.api import calls, views
from golemd.engine.imports import MAX_PROBLEMS
from tests.core.imports.stores import STORES, hex_id, items, task_golem
from tests.path.house import House
from tests.path.repositories import Project

LINE: Final[dict[str, Any]] = {
    "id": "tg-9k2mz",
    "title": "Add it",
    "status": "todo",
    "priority": 0,
    "description": None,
    "tags": [],
    "dependencies": [],
    "created_at": "2026-03-01T09:00:00Z",
    "updated_at": "2026-03-01T09:05:00Z",
}


def store(folder: Path, *lines: dict[str, Any] | str) -> Path:
    """A task-golem store in a folder; a dict is laid over a good line."""
    folder.mkdir(parents=True)
    texts = [line if isinstance(line, str) else json.dumps({**LINE, **line}) for line in lines]
    (folder / "tasks.jsonl").write_text("\n".join(['{"schema_version":1}', *texts, ""]), encoding="utf-8")
    return folder


def bring(daemon: House, path: Path, **fields: Any) -> views.Imported:
    return daemon.call(calls.Import(**{"format": "tg", "path": str(path), **fields}))


@pytest.mark.parametrize("version", STORES)
def test_a_store_of_every_version_comes_in_whole_and_only_once(daemon: House, demo: Project, version: str) -> None:
    backlog, files = STORES[version](100, 500)
    for name, data in files.items():
        (demo.root / name).write_bytes(data)
    written = [item for item in backlog if item["status"] != "merged" or "yaml" not in version]
    answer = bring(daemon, demo.root)
    assert sum(answer.added.values()) == len(written)
    shown = {item.id: item for item in daemon.call(calls.Status(all=True)).items}
    assert set(shown) == {item["id"] for item in written}
    for item in written:
        assert shown[item["id"]].title == item["title"]
        assert shown[item["id"]].dependencies == tuple(item["dependencies"])
    before = daemon.seq
    again = bring(daemon, demo.root)
    assert (again.added, again.unchanged, again.changed, daemon.seq) == ({}, len(written), (), before)


def test_work_goes_on_where_it_was(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "plan"}, {"name": "build"}])
    blocked = {"id": "tg-2", "status": "blocked", "blocked_reason": "which?", "blocked_from_status": "doing"}
    folder = store(daemon.root / "old", {"status": "doing", "x-pg-phase": "build"}, {**blocked, "x-pg-phase": "plan"})
    assert bring(daemon, folder).added == {"in_progress": 1, "blocked": 1}
    project.run()
    daemon.done("tg-9k2mz")
    assert [record["data"]["phase"] for record in daemon.records("phase.started", "tg-9k2mz")] == ["build"]
    gate = daemon.gate("tg-2")
    assert (gate.kind, gate.question, gate.phase, daemon.show("tg-2").phase) == ("question", "which?", None, "plan")
    assert daemon.call(calls.GateShow(gate="tg-2")).title == "Add it"
    daemon.call(calls.ItemUnblock(id="tg-2", answer="the first"))
    daemon.done("tg-2")
    assert "The answer: the first" in (daemon.state / "attempts" / "tg-2.1.build.1" / "prompt.md").read_text("utf-8")


def test_the_store_is_found_by_its_repository_its_folder_and_its_file(daemon: House, demo: Project) -> None:
    inner = store(demo.root / ".task-golem", {})
    for path in (demo.root, inner, inner / "tasks.jsonl"):
        assert sum(bring(daemon, path, dry_run=True).added.values()) == 1
    log = demo.root / "_worklog" / "2026-02.md"
    log.parent.mkdir()
    log.write_text(
        "## 2026-02-19T02:37:49+00:00 — tg-9k2mz (Add it)\n\n- **Phase:** prd\n- **Outcome:** Complete\n", "utf-8"
    )
    bring(daemon, inner)
    assert [note.text for note in daemon.show("tg-9k2mz").history] == ["prd complete"]
    copy = inner.rename(daemon.root / "elsewhere") / "tasks.jsonl"
    backup = copy.rename(copy.with_name("tasks.jsonl.bak"))
    assert bring(daemon, backup).unchanged == 1
    old = daemon.root / "old.yaml"
    old.write_text("items:\n- {id: a, title: b, status: ready, created: 2026-01-01, updated: 2026-01-01}\n", "utf-8")
    assert bring(daemon, old).added == {"ready": 1}


def test_what_is_not_there_or_not_a_backlog_is_refused(daemon: House, demo: Project) -> None:
    for kind in ("tg", "jsonl"):
        missing = calls.Import(format=kind, path=str(daemon.root / "missing"))
        daemon.refused(missing, "nothing_to_import", "not_found")
    daemon.refused(calls.Import(format="tg", path=str(demo.root)), "nothing_to_import", "not_found")
    daemon.refused(calls.Import(format="tg", path="tasks.jsonl"), "invalid_path", "invalid")
    daemon.refused(calls.Import(format="plans", path="/x"), "unknown_format", "invalid")
    daemon.refused(calls.Import(format="jsonl", path=str(demo.root)), "unreadable_file", "invalid")
    daemon.refused(calls.Import(format="jsonl", path=str(demo.root), project="no"), "project_not_found", "not_found")
    other = daemon.refused(
        calls.Import(format="jsonl", path=str(demo.root / "golem.toml")), "import_invalid", "invalid"
    )
    assert other.data["problems"][0].startswith("golem.toml:1: ")


def test_broken_lines_are_all_told_and_nothing_comes_in(daemon: House, demo: Project) -> None:
    folder = store(daemon.root / "old", "{", {"id": "a"}, {"title": 3, "status": "open"}, {"id": "a"})
    fault = daemon.refused(calls.Import(format="tg", path=str(folder)), "import_invalid", "invalid")
    assert fault.message.splitlines()[0] == "Nothing was imported: there are 4 problems."
    assert [each.split(" ")[0] for each in fault.data["problems"]] == [
        "tasks.jsonl:2:",
        "tasks.jsonl:4:",
        "tasks.jsonl:4:",
        "tasks.jsonl:5:",
    ]
    answer = bring(daemon, folder, skip_broken=True)
    assert (answer.added, len(answer.warnings)) == ({"ready": 1}, 4)
    single = daemon.refused(
        calls.Import(format="tg", path=str(store(daemon.root / "one", "{"))), "import_invalid", "invalid"
    )
    assert "there is 1 problem.\n" in single.message


def test_thousands_of_broken_lines_are_an_answer_of_usual_size(daemon: House, demo: Project) -> None:
    folder = store(daemon.root / "old", *(["{"] * (MAX_PROBLEMS + 10)))
    fault = daemon.refused(calls.Import(format="tg", path=str(folder)), "import_invalid", "invalid")
    assert fault.data["problems"][-1] == "… and 10 more"


def test_a_prefix_of_another_project_is_refused_with_a_proposal(daemon: House, demo: Project) -> None:
    other = daemon.project("other", prefix="OT")
    folder = store(daemon.root / "old", {"id": "WRK-3fa21"})
    call = calls.Import(format="tg", path=str(folder), project="other")
    fault = daemon.refused(call, "prefix_taken", "conflict")
    assert fault.data["proposal"] == "OT"
    assert bring(daemon, folder, project="other", renumber=True).renamed == {"WRK-3fa21": "OT-1"}
    assert other.add() == "OT-2"


def test_a_big_backlog_comes_in_as_one_command(daemon: House, demo: Project) -> None:
    for name, data in task_golem(items(2_000, 8_000, lambda dice, number: f"{hex_id(dice, number)}{number}")).items():
        (demo.root / name).write_bytes(data)
    before = daemon.seq
    answer = bring(daemon, demo.root, token="once")
    assert sum(answer.added.values()) == 10_000
    assert daemon.seq == before + 10_400, "one record an item, and one a question"
    assert [record["more"] for record in daemon.records(since=before + 1)[:3]] == [True, True, True]
    assert "more" not in daemon.records(since=daemon.seq)[0]
    again = bring(daemon, demo.root, token="once")
    assert (again.repeated, again.added) == (True, answer.added)
    daemon.kill9()
    daemon.start()
    verified = daemon.call(calls.JournalVerify(deep=True))
    assert verified.equal is True
    assert daemon.call(calls.Status()).projects[0].counts["done"] == answer.added["done"]


def test_repeating_an_import_by_token_has_no_second_effect(daemon: House, demo: Project) -> None:
    folder = store(daemon.root / "old", {}, {"id": "no id"})
    first, again = daemon.repeats(calls.Import(format="tg", path=str(folder)))
    assert (first.added, first.renamed) == ({"ready": 2}, {"no id": "WRK-1"})
    assert (again.added, again.renamed) == (first.added, first.renamed)


def test_a_token_of_another_body_is_refused(daemon: House, demo: Project) -> None:
    one, two = (store(daemon.root / name, {"id": name}) for name in ("one", "two"))
    daemon.reuses(calls.Import(format="tg", path=str(one)), calls.Import(format="tg", path=str(two)))


def test_golemctl_brings_it_in_and_tells_what_became_of_it(daemon: House, demo: Project) -> None:
    store(demo.root / "old", {"dependencies": ["gone"]}, {"id": "no id", "status": "doing"})
    trial = daemon.golemctl("import", "tg", "old", "--dry-run", cwd=demo.root)
    assert trial.out.splitlines()[0] == "2 items would be imported into demo: 1 ready, 1 in progress"
    done = daemon.golemctl("import", "tg", "old", cwd=demo.root)
    assert (done.status, done.out.splitlines()) == (
        0,
        ["2 items imported into demo: 1 ready, 1 in progress", "Under new ids:", "  no id → WRK-1"],
    )
    assert done.err.splitlines() == ["tasks.jsonl:2: tg-9k2mz depends on gone, which is nowhere, and waits for it"]
    (demo.root / "old" / "tasks.jsonl").write_text(
        (demo.root / "old" / "tasks.jsonl").read_text("utf-8").replace("Add it", "Add more", 1), "utf-8"
    )
    again = daemon.golemctl("import", "tg", demo.root / "old", cwd=demo.root)
    assert again.out.splitlines() == [
        "0 items imported into demo.",
        "1 item left as here, imported before.",
        "Changed in the source since, and left as here: tg-9k2mz",
    ]
    answered = daemon.golemctl("import", "tg", "old", "--json", cwd=demo.root).json
    assert (answered["unchanged"], answered["changed"]) == (1, ["tg-9k2mz"])
    plans = daemon.golemctl("import", "plans", "old", cwd=demo.root)
    assert plans.status == 2
    assert "'plans' is not one of 'tg', 'jsonl'" in plans.err
