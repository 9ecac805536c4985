"""events.follow: one notification per durable record."""

from __future__ import annotations

from golemd.api import calls
from tests.path.ground import GUARD_SECONDS
from tests.path.house import House
from tests.path.repositories import Project

RECORDS = 40  # of nearly 100 kB: more than a follower may leave unread


def test_without_a_start_only_what_is_new_comes(daemon: House, demo: Project) -> None:
    demo.add()
    following = daemon.client.follow(calls.EventsFollow())
    assert following.started.since == daemon.seq + 1
    added = demo.add()
    notice = following.take(GUARD_SECONDS)
    following.close()
    assert notice is not None
    assert (notice.method, notice.data["record"]["item"]) == ("event", added)


def test_from_a_start_what_was_and_what_comes_arrives_without_gap_or_double(daemon: House, demo: Project) -> None:
    follow = daemon.follow(since=1)
    known = [next(follow)["seq"] for _ in range(daemon.seq)]
    demo.add()
    demo.add()
    assert [*known, next(follow)["seq"], next(follow)["seq"]] == list(range(1, daemon.seq + 1))
    follow.close()


def test_a_follow_is_chosen_by_item_and_type(daemon: House, demo: Project) -> None:
    one, two = demo.add(), demo.add()
    following = daemon.client.follow(calls.EventsFollow(since=1, item=two, type="item.e"))
    daemon.call(calls.ItemEdit(id=one, priority=1))
    daemon.call(calls.ItemEdit(id=two, priority=2))
    notice = following.take(GUARD_SECONDS)
    following.close()
    assert notice is not None
    assert (notice.data["record"]["item"], notice.data["record"]["data"]["priority"]) == (two, 2)


def test_a_follower_that_does_not_read_is_told_where_to_go_on(daemon: House, demo: Project) -> None:
    for _ in range(RECORDS):
        demo.add("x" * 99_000)
    following = daemon.client.follow(calls.EventsFollow(since=1))
    for _ in range(RECORDS):  # between two of them the daemon gets at least one record further
        daemon.call(calls.Ping())
    seen = 0
    while (notice := following.take(GUARD_SECONDS)) is not None and notice.method == "event":
        seen = notice.data["record"]["seq"]
    following.close()
    assert notice is not None
    assert (notice.method, notice.data["resume_seq"]) == ("lagged", seen + 1)
    assert len(daemon.records(since=seen + 1)) == daemon.seq - seen


def test_the_answer_to_a_change_comes_after_its_record_is_shown_to_nobody_earlier(daemon: House, demo: Project) -> None:
    follow = daemon.follow(since=daemon.seq + 1)
    item = demo.add()
    record = next(follow)
    follow.close()
    assert (record["item"], record["d"] < record["seq"]) == (item, True)


def test_a_start_that_is_neither_number_nor_time_is_refused(daemon: House) -> None:
    daemon.refused(calls.EventsFollow(since="soon"), "invalid_since", "invalid")
