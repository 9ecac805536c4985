"""`golemctl diff` where items are worked on in the repository itself, which others change too."""

from __future__ import annotations

from tests.path.house import House

SHARED = {"workspace": "shared"}
PARTS: list[dict[str, object]] = [{"name": "first", "is_destructive": True}, {"name": "second", "is_destructive": True}]


def test_a_diff_in_a_shared_workspace_is_of_the_items_own_commits(daemon: House) -> None:
    project = daemon.project(phases=PARTS, execution=SHARED)
    mine = project.work("[[first: write mine.txt x]] [[second: write more.txt y]]")
    daemon.done(mine)
    project.commit({"human.txt": "a person's"})
    other = project.work("[[first: write other.txt z]]")
    daemon.done(other)
    (project.root / "human.txt").write_text("not committed", encoding="utf-8")
    (project.root / "unknown.txt").write_text("not known to git", encoding="utf-8")
    whole = daemon.golemctl("diff", mine)
    assert (whole.status, whole.err) == (0, "")
    assert [line for line in whole.out.splitlines() if line.startswith("+++")] == ["+++ b/mine.txt", "+++ b/more.txt"]
    numbers = daemon.golemctl("diff", mine, "--stat").out
    assert [name in numbers for name in ("mine.txt", "more.txt", "other.txt", "human.txt")] == [
        True,
        True,
        False,
        False,
    ]
    document = daemon.golemctl("diff", other, "--json").json
    assert ("other.txt" in document["diff"], "mine.txt" in document["diff"]) == (True, False)


def test_work_that_phases_share_a_commit_of_is_shown_once(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "plan"}, {"name": "check"}], execution=SHARED)
    item = project.work("[[plan: write plan.md p]] [[check: write check.md c]]")
    daemon.done(item)
    commits = [phase.commit for phase in daemon.show(item).phases]
    assert commits[0] == commits[1]
    assert daemon.golemctl("diff", item).out.count("+++ b/plan.md") == 1


def test_where_nothing_of_an_item_is_committed_yet_its_diff_says_so(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "plan"}], execution=SHARED)
    item = project.work("[[plan: write plan.md p]] [[plan: sleep 600]]")
    daemon.until("attempt.spawned", item)
    (project.root / "human.txt").write_text("x", encoding="utf-8")
    project.git("add", "--intent-to-add", "human.txt")
    said = f"Nothing of {item} is committed yet. Its phases: golemctl show {item}\n"
    shown = daemon.golemctl("diff", item)
    assert (shown.status, shown.out, shown.err) == (0, "", said)
    document = daemon.golemctl("diff", item, "--json")
    assert (document.json["diff"], document.err) == ("", said)
