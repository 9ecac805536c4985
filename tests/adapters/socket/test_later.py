"""Answers that somebody else gives later."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from golemd.adapters.socket import Later, Session, SocketLimits, Stream
from golemd.api.faults import NotFound
from tests.adapters.socket.lab import Call, Lab


class Promises:
    """A handler that promises every answer; the test gives them."""

    def __init__(self) -> None:
        self.made: dict[Any, Later] = {}
        self._more = trio.Event()

    def handle(self, call: Call, session: Session) -> Later:
        later = self.made[call.params["n"]] = Later()
        self._more.set()
        return later

    async def of(self, number: int) -> Later:
        """The answer that is still to come for this call."""
        while number not in self.made:
            self._more = trio.Event()
            await self._more.wait()
        return self.made[number]


async def test_answers_come_as_they_are_given(lab: Lab) -> None:
    promises = Promises()
    client = await (await lab.start(handler=promises.handle)).connect()
    first, second = await client.send("x", n=1), await client.send("x", n=2)
    (await promises.of(2)).give({"n": 2})
    assert await client.response() == (second, {"n": 2})
    (await promises.of(1)).give(NotFound("no_such_item", "it is not there"))
    assert await client.response() == (first, "no_such_item")


async def test_a_defect_that_is_given_is_told_to_the_log_only(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    promises = Promises()
    client = await (await lab.start(handler=promises.handle)).connect()
    msgid = await client.send("x", n=1)
    (await promises.of(1)).give(ZeroDivisionError("the secret of the house"))
    assert await client.response() == (msgid, "internal")
    assert "the secret of the house" in caplog.text


async def test_a_stream_may_be_given(lab: Lab) -> None:
    promises = Promises()
    client = await (await lab.start(handler=promises.handle)).connect()
    msgid = await client.send("x", n=1)
    produce = lab.follower(Call("follow", {"count": 1}))
    (await promises.of(1)).give(Stream("begun", produce))
    assert await client.response() == (msgid, "begun")
    assert (await client.news())[0] == "event"


async def test_a_promise_is_a_call_in_flight(lab: Lab) -> None:
    promises = Promises()
    client = await (await lab.start(SocketLimits(in_flight=1), promises.handle)).connect()
    first, second = await client.send("x", n=1), await client.send("x", n=2)
    assert await client.response() == (second, "too_many_calls")
    (await promises.of(1)).give("done")
    assert await client.response() == (first, "done")


async def test_a_client_that_sends_no_more_is_still_given_what_it_was_promised(lab: Lab) -> None:
    promises = Promises()
    client = await (await lab.start(handler=promises.handle)).connect()
    msgid = await client.send("x", n=1)
    await client.stream.send_eof()
    later = await promises.of(1)
    await trio.testing.wait_all_tasks_blocked()
    later.give("late")
    assert await client.response() == (msgid, "late")
    assert await client.read() is None


async def test_an_answer_for_a_client_that_has_gone_does_no_harm(lab: Lab) -> None:
    promises = Promises()
    client = await (await lab.start(handler=promises.handle)).connect()
    await client.send("x", n=1)
    later = await promises.of(1)
    lab.scope.cancel()
    await lab.stopped.wait()
    later.give("too late")


def test_an_answer_that_nobody_waits_for_is_dropped() -> None:
    Later().give("nobody")
