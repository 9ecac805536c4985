"""What the operating system refuses while something is done: told as what it is, and tried again."""

from __future__ import annotations

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
