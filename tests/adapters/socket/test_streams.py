"""Streams: what goes on after the reply, until it is over, the client is too slow, or has gone."""

from __future__ import annotations

import socket

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from golemd.adapters.socket import Session, SocketLimits
from tests.adapters.socket.lab import Call, Lab


async def test_a_stream_answers_first_and_then_goes_on(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    assert await client.call("follow", count=3) == {"following": {"count": 3}}
    for number in range(3):
        assert await client.news() == ("event", {"follow": 1, "n": number, "text": ""})
    assert await client.call("echo") == {}


async def test_a_stream_ends_with_its_connection(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    await client.call("follow")
    await wait_all_tasks_blocked()
    assert lab.produced == ["follow"]
    await client.aclose()
    await wait_all_tasks_blocked()
    assert lab.produced == ["follow", "end of follow"]


async def test_a_stream_that_is_answered_after_the_client_ceased_to_send_does_not_begin(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    await client.send("wait_then_follow")
    await client.stream.send_eof()
    await wait_all_tasks_blocked()
    lab.release.set()
    assert await client.response() == (1, "late")
    assert await client.read() is None
    assert lab.produced == []


async def test_a_stream_after_a_call_that_waited_begins(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    lab.release.set()
    assert await client.call("wait_then_follow", count=1) == "late"
    assert (await client.news())[0] == "event"


@pytest.mark.parametrize(("method", "code"), [("follow_missing", "no_such_item"), ("follow_defect", "internal")])
async def test_a_stream_that_fails_says_which_and_why_and_the_connection_lives(
    lab: Lab, method: str, code: str
) -> None:
    client = await (await lab.start()).connect()
    await client.call(method)
    kind, payload = await client.news()
    assert (kind, payload["code"], payload["data"]) == ("error", code, {"follow": 1})
    assert "secret" not in str(payload)
    assert await client.call("echo") == {}


async def test_a_follower_that_does_not_read_is_cut_off_while_another_client_is_answered(lab: Lab) -> None:
    await lab.start(SocketLimits(follower_bytes=100_000))
    follower, other = await lab.connect(), await lab.connect()
    await follower.send("follow", count=1000, bytes=10_000)
    for number in range(50):
        assert await other.call("echo", n=number) == {"n": number}
    await wait_all_tasks_blocked()
    assert lab.produced == ["follow", "end of follow"]
    assert await follower.response() == (1, {"following": {"count": 1000, "bytes": 10_000}})
    seen = 0
    while (news := await follower.news())[0] == "event":
        assert news[1]["n"] == seen
        seen += 1
    assert news == ("lagged", {"follow": 1, "resume_seq": seen})
    assert 10 <= seen < 200
    assert await follower.call("echo") == {}


async def test_a_follower_that_reads_is_never_cut_off(lab: Lab) -> None:
    client = await (await lab.start(SocketLimits(follower_bytes=100_000))).connect()
    await client.call("follow_to_the_end", count=300, bytes=10_000)
    for number in range(300):
        kind, payload = await client.news()
        assert (kind, payload["n"]) == ("event", number)


async def test_a_record_larger_than_the_bound_passes_when_nothing_is_queued(lab: Lab) -> None:
    client = await (await lab.start(SocketLimits(follower_bytes=1000))).connect()
    await client.call("follow", count=1, bytes=500_000)
    assert (await client.news())[0] == "event"


async def test_a_stream_is_told_when_its_client_takes_no_more(lab: Lab) -> None:
    sessions: list[Session] = []

    def keep(call: Call, session: Session) -> object:
        sessions.append(session)
        return {}

    await lab.start(handler=keep)
    with lab.connect_raw() as sock:
        sock.shutdown(socket.SHUT_RD)
        sock.sendall(b"\x94\x00\x01\xa4echo\x90")
        await wait_all_tasks_blocked()
        assert not sessions[0].offer(b"\xc0")


async def test_a_stream_is_a_call_in_flight_until_it_ends(lab: Lab) -> None:
    client = await (await lab.start(SocketLimits(in_flight=2))).connect()
    assert await client.call("follow") == {"following": {}}
    assert await client.call("follow_to_the_end") == {"following": {}}
    await wait_all_tasks_blocked()
    assert await client.call("follow") == {"following": {}}
    assert await client.call("follow") == "too_many_calls"


async def test_messages_that_come_close_together_go_together(lab: Lab) -> None:
    client = await (await lab.start()).connect()
    await client.call("follow_to_the_end", count=1000)
    with trio.fail_after(20):
        for number in range(1000):
            assert (await client.news())[1]["n"] == number
