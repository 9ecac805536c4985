"""Text that golemd adds to files, on disk and in what is committed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from golemd.adapters.workspace import Addition, Committed, Workspace, commit_phase, snapshot
from golemd.adapters.workspace.additions import MOST_BYTES
from golemd.api.faults import Conflict
from tests.adapters.workspace.lab import Lab

BRANCH = "golem/WRK-1"
LOG = "log/a.md"
ENTRY = Addition(LOG, "one\n")


class Work:
    """A worktree at the start of a phase, and how its phases are committed."""

    def __init__(self, lab: Lab, place: Workspace, head: str, tree: str) -> None:
        self.lab, self.place, self.head, self.tree = lab, place, head, tree
        self.log = place.path / LOG

    async def commit(self, *additions: Addition, attempt: str = "1", tree: str = "") -> Committed:
        tree = tree or await snapshot(self.lab.git, self.place)
        done = await commit_phase(
            self.lab.git,
            self.place,
            BRANCH,
            self.head,
            self.tree,
            tree,
            "work",
            (("Golem-Attempt", attempt), ("Golem-Tree", tree)),
            additions=additions,
        )
        self.head, self.tree = done.head, await snapshot(self.lab.git, self.place)
        return done

    def committed(self) -> str:
        return self.lab.sh("show", f"{BRANCH}:{LOG}", cwd=self.place.path)

    def status(self) -> str:
        return self.lab.sh("status", "--porcelain", cwd=self.place.path)

    def write(self, text: str) -> None:
        self.log.parent.mkdir(exist_ok=True)
        self.log.write_text(text, encoding="utf-8")


@pytest.fixture
async def work(lab: Lab) -> Work:
    prepared = await lab.prepare()
    return Work(lab, lab.workspace(), prepared.head, prepared.tree)


async def test_they_are_on_disk_and_in_the_commit_and_grow(work: Work) -> None:
    (work.place.path / "code").write_text("x", encoding="utf-8")
    done = await work.commit(ENTRY, Addition("log/.first", "1\n", to_new=True))
    assert done.files == 1, "what golemd adds is not the phase's work"
    done = await work.commit(Addition(LOG, "two\n"), Addition("log/.first", "2\n", to_new=True), attempt="2")
    assert done.files == 0
    assert work.log.read_text(encoding="utf-8") == "one\ntwo\n"
    assert work.committed() == "one\ntwo"
    assert work.status() == ""


@pytest.mark.parametrize("left", ["", "o", "one\n"])
async def test_what_a_crash_left_on_disk_is_there_once(work: Work, left: str) -> None:
    await work.commit(Addition(LOG, "zero\n"))
    work.write("zero\n" + left)
    assert (await work.commit(ENTRY, attempt="2", tree=work.tree)).commit
    assert work.log.read_text(encoding="utf-8") == "zero\none\n"
    assert work.committed() == "zero\none"
    assert work.status() == ""


async def test_what_people_changed_there_stays_theirs(work: Work) -> None:
    await work.commit(Addition(LOG, "zero\n"))
    work.write("mine")
    assert (await work.commit(ENTRY, attempt="2", tree=work.tree)).commit
    assert work.log.read_text(encoding="utf-8") == "mine\none\n"
    assert work.committed() == "zero\none"
    assert work.status() == " M log/a.md"


def _folder_is_a_file(log: Path) -> None:
    log.parent.write_text("x", encoding="utf-8")


def _folder_is_a_link(log: Path) -> None:
    log.parent.symlink_to(log.parent.parent)


def _file_is_a_folder(log: Path) -> None:
    log.mkdir(parents=True)


def _file_is_a_link(log: Path) -> None:
    log.parent.mkdir()
    log.symlink_to("../code")


def _file_is_a_pipe(log: Path) -> None:
    log.parent.mkdir()
    os.mkfifo(log)


def _file_is_huge(log: Path) -> None:
    log.parent.mkdir()
    with open(log, "wb") as file:
        file.truncate(MOST_BYTES + 1)


@pytest.mark.parametrize(
    "hinder",
    [_folder_is_a_file, _folder_is_a_link, _file_is_a_folder, _file_is_a_link, _file_is_a_pipe, _file_is_huge],
)
async def test_what_is_in_the_way_is_never_written_through(work: Work, hinder: Callable[[Path], None]) -> None:
    (work.place.path / "code").write_text("x", encoding="utf-8")
    hinder(work.log)
    with pytest.raises(Conflict, match="nothing can be added there"):
        await work.commit(ENTRY)
    assert (work.place.path / "code").read_text(encoding="utf-8") == "x"
