"""What the operating system refuses while something is done: told as what it is, and tried again."""

from __future__ import annotations

import os
import shutil

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


def test_a_file_in_the_place_of_an_attempts_folder_is_told_and_is_no_defect(daemon: House, demo: Project) -> None:
    item = demo.add("[[write a.txt x]]")
    folder = daemon.state / "attempts" / f"{item}.1.build.1"
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("in the way")
    demo.run()
    rejected = daemon.until("attempt.rejected", item)["data"]
    assert rejected["outcome"] == "transient"
    assert str(folder) in rejected["message"]
    assert "Traceback" not in daemon.said()


def failing_git(house: House, command: str, words: str) -> dict[str, str]:
    """The environment of a daemon whose git fails at a command, saying this, once an attempt has ended and until there
    is a file `mended`.
    """
    ended = f"ls {house.state}/attempts/*/exit.json >/dev/null 2>&1 && [ ! -e {house.root}/mended ]"
    fails = f'case " $* " in *" {command} "*) if {ended}; then echo "{words}" >&2; exit 128; fi;; esac'
    git = house.program("git", f'{fails}\nexec {shutil.which("git")} "$@"')
    return {"PATH": f"{os.path.dirname(git)}:{os.environ['PATH']}"}


def test_what_an_attempt_left_is_looked_at_again_when_git_could_not_for_the_moment(house: House) -> None:
    house.start(env=failing_git(house, "write-tree", "fatal: sha1 file: No space left on device"))
    demo = house.project(execution={"max_retries": 0})
    item = demo.work("[[write a.txt x]] [[spend 0.50]]")
    told = f"Looking at what {item} has done fails: fatal: sha1 file: No space left on device"
    while told not in house.call(calls.ItemWhy(id=item)).why:
        assert not house.show(item).gates
    (house.root / "mended").touch()
    house.restart()  # which does not wait for so long
    house.done(item)
    assert demo.file_of(item, "a.txt") == "x"
    assert [each["data"]["attempt"] for each in house.records("budget.spent", item)] == [f"{item}.1.build.1"]


def test_what_an_attempt_has_cost_counts_when_what_it_left_cannot_be_looked_at(house: House) -> None:
    house.start(env=failing_git(house, "write-tree", "fatal: whatever"))
    demo = house.project(execution={"max_retries": 0})
    item = demo.work("[[write a.txt x]] [[spend 0.50]]")
    assert "fatal: whatever" in house.until("gate.opened", item)["data"]["question"]
    assert house.show(item).spent_usd == 0.5
    (house.root / "mended").touch()
    house.decide(item, "retry")
    house.done(item)
