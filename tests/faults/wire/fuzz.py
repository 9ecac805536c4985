"""Millions of inputs for the framer and for `decode_call`: whatever the bytes, and however they are cut into pieces.

Nothing but WireError comes out of the framer, and nothing but a Fault out of `decode_call`; no more is held than one
message and one piece; what passes is clean; the pieces make no difference; valid messages are taken.
"""

from __future__ import annotations

import resource
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Any, Final

import msgspec

from golemd.api.calls import CALLS, decode_call
from golemd.api.faults import Fault
from golemd.api.wire import INTEGER_MAX, Framer, Message, Notification, Request, WireError, WireLimits
from tests.faults.proof import Tally
from tests.faults.wire.inputs import TOKENS, Input, Kind, inputs

SMALL: Final = WireLimits(message_bytes=256, nesting=6, elements=40)
USUAL: Final = WireLimits()
BLOCK: Final = 2000
COMPARED: Final = 29  # every so many-eth input, of either limits, is also given in pieces, and to a framer that trusts
LOOKED_AT: Final = 9  # every so many-eth accepted message is taken to pieces
LARGE_EVERY: Final = 250  # blocks between two large messages
PEAK_BYTES: Final = 24 << 20  # while a large message is read and decoded
GROWN_KIB: Final = 64 << 10  # of the process, over all inputs
PIECES: Final = (1, 2, 3, 5, 8, 13, 29)
MANY: Final = 16  # pieces: of those of an input there are no more than about so many …
ALL: Final = 8  # … but for every so many-eth one
WHOLE: Final = 1 << 20
MUST_BE_MET: Final = (
    *("malformed", "message_too_large", "too_many_elements", "too_deep", "Request", "Response", "Notification"),
    *("unknown_method", "invalid_params", "invalid_token", "nothing yet", *(f"call {method}" for method in CALLS)),
)

Outcome = tuple[list[Message], str, int | None]
"""The messages that passed; then the code of the fault that ended the framer, "more" when it waits for more bytes, or
""; and the request id that was legible."""


class Fuzz:
    """Gives inputs to framers and looks at what comes out."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self._number = 0
        self._connections: dict[int, Framer] = {}  # by the size of their messages; the next input goes on with them

    def block(self, some: Iterator[Input]) -> None:
        """A number of inputs."""
        for kind, data, method in some:
            self._number += 1
            try:
                if method:
                    self._decode(method, data)
                else:
                    self._one(kind, data, self._number)
            except Exception as error:
                self.tally.violation(f"{kind.value} {data.hex()}: {error!r}")
        self.tally.case(BLOCK)

    def _one(self, kind: Kind, data: bytes, number: int) -> None:
        limits = SMALL if number & 1 else USUAL
        framer = self._connections.pop(limits.message_bytes, None) or Framer(limits)
        outcome = read(framer, data, WHOLE, limits.message_bytes)
        messages, end, _ = outcome
        if not end:
            self._connections[limits.message_bytes] = framer
        self.tally.met[end or "whole"] += 1
        if kind is Kind.VALID and limits is USUAL and (len(messages) != 2 or end):
            self.tally.violation(f"a valid message is not taken: {data.hex()}: {end}")
        if number % COMPARED == 0:
            self._compare(data, limits, _size(number // COMPARED, data), outcome)
        for message in messages:
            self._look(message, limits, number)
        if number % COMPARED == 1:
            self._decode(_METHODS[number % len(_METHODS)], data)

    def _compare(self, data: bytes, limits: WireLimits, pieces: int, outcome: Outcome) -> None:
        """The same in pieces, and by a framer that trusts."""
        found = read(Framer(limits), data, pieces, limits.message_bytes)
        if found != outcome and not _both_refused(found, outcome):
            self.tally.violation(f"{data.hex()} whole: {outcome}; in pieces of {pieces}: {found}")
        found = read(Framer(limits, trusting=True), data, pieces, limits.message_bytes)
        if found[0][: len(outcome[0])] != outcome[0] or (outcome[1] in ("", "more") and found != outcome):
            self.tally.violation(f"{data.hex()} whole: {outcome}; by a framer that trusts: {found}")

    def _look(self, message: Message, limits: WireLimits, number: int) -> None:
        self.tally.met[type(message).__name__] += 1
        if isinstance(message, Request):
            self._decode(message.method, message.params)
        if number % LOOKED_AT == 0:
            match message:
                case Request():
                    raw, most = message.params, limits.nesting - 2
                case Notification():
                    raw, most = message.payload, limits.nesting - 2
                case _:
                    raw, most = message.result, limits.nesting - 1
            if count(msgspec.msgpack.decode(raw), most) > limits.elements:
                self.tally.violation(f"more than {limits.elements} values have passed: {bytes(raw).hex()}")

    def _decode(self, method: str, params: bytes | msgspec.Raw) -> None:
        try:
            call = decode_call(method, params)
        except Fault as fault:
            self.tally.met[fault.code] += 1
        else:
            self.tally.met[f"call {call.METHOD}"] += 1

    def large(self, dice: Random) -> None:
        """A message of a mebibyte, made to take as much memory as it can."""
        filling = dice.choice((b"\x80", b"\xa0", b"\x90", b"\xc0", b"\x81\xa1a\xc0", b"\x91" * 20, b"\xa1x", *TOKENS))
        head = b"\x94\x00\x01\xa8item.add\x91\x82\xa5title\xa1t\xa6labels" + dice.choice((b"\xdd", b"\xdf"))
        data = head + dice.choice((60_000, 1 << 20, 1 << 31)).to_bytes(4) + filling * ((1 << 20) // len(filling))
        tracemalloc.start()
        try:
            for message in read(Framer(), data, 1 << 16, USUAL.message_bytes)[0]:
                self._look(message, USUAL, 1)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        self.tally.expect(peak < PEAK_BYTES, f"{peak} bytes were used to read {data[:40].hex()}…")
        self.tally.meet("large messages")


_METHODS: Final = tuple(CALLS)


def _both_refused(one: Outcome, other: Outcome) -> bool:
    """Whether both refuse the same message, one of them for its size before it came to what is wrong with it."""
    ends = {one[1], other[1]}
    return one[0] == other[0] and "message_too_large" in ends and not ends & {"", "more", "nothing yet"}


def _size(number: int, data: bytes) -> int:
    """How large the pieces of an input are."""
    size = PIECES[number % len(PIECES)]
    return size if number % ALL == 0 else max(size, len(data) // MANY)


def read(framer: Framer, data: bytes, pieces: int, most: int) -> Outcome:
    """Give bytes in pieces of a size; what they came to. Raises AssertionError when the framer holds too much."""
    found: list[Message] = []
    take = framer.next_message
    try:
        for at in range(0, len(data), pieces):
            framer.feed(data[at : at + pieces])
            while (message := take()) is not None:
                found.append(message)
            assert framer.held <= most + pieces, f"{framer.held} bytes are held"
    except WireError as error:
        assert not framer.held, "a dead framer holds bytes"
        return found, error.fault.code, error.msgid
    return found, "more" if framer.mid_message else "nothing yet" if not found else "", None


def count(value: Any, depth: int) -> int:
    """How many values are in one; it must be clean and no deeper than `depth`."""
    match value:
        case dict():
            assert depth > 0, "too deep"
            assert all(isinstance(key, str) for key in value), "a key is no text"
            return 1 + len(value) + sum(count(item, depth - 1) for item in value.values())
        case list():
            assert depth > 0, "too deep"
            return 1 + sum(count(item, depth - 1) for item in value)
        case bool() | None | str() | bytes():
            return 1
        case int():
            assert -INTEGER_MAX <= value <= INTEGER_MAX, f"{value} has passed"
            return 1
        case float():
            assert value - value == 0, f"{value} has passed"
            return 1
    raise AssertionError(f"a {type(value).__name__} has passed")


def prove(tally: Tally) -> None:
    """Inputs in blocks, and large messages in between, until the budget is used up."""
    fuzz = Fuzz(tally)
    some = inputs(tally.budget.seed)
    dice = Random(tally.budget.seed)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    number = 0
    while tally.goes_on and not tally.violated:
        fuzz.block(islice(some, BLOCK))
        if number % LARGE_EVERY == 0:
            fuzz.large(dice)
        number += 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown
    tally.expect(grown < GROWN_KIB, f"the process has grown by {grown} KiB")
    tally.must_have_met(MUST_BE_MET)
