"""Answers: how the daemon writes them, and how a client that trusts it reads them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from golemd.api.faults import Conflict, Fault, WireFault, from_wire
from golemd.api.scanner import Scanner
from golemd.api.wire import (
    ANSWER_LIMITS,
    LOOKS,
    Framer,
    Message,
    Response,
    WireError,
    WireLimits,
    encode_error,
    encode_notification,
    encode_request,
    encode_response,
)

pack = msgspec.msgpack.encode
unpack = msgspec.msgpack.decode


def drain(framer: Framer) -> list[Message]:
    found = []
    while (message := framer.next_message()) is not None:
        found.append(message)
    return found


def read_response(data: bytes) -> Response:
    framer = Framer()
    framer.feed(data)
    (message,) = drain(framer)
    assert isinstance(message, Response)
    return message


def test_an_error_answers_the_request_or_is_a_notification() -> None:
    fault = Conflict("gate_open", "the gate WRK-1.g1 is open", "decide it", gate="WRK-1.g1")
    body = {
        "code": "gate_open",
        "class": "conflict",
        "message": "the gate WRK-1.g1 is open",
        "hint": "decide it",
        "data": {"gate": "WRK-1.g1"},
    }
    assert unpack(encode_error(9, fault)) == [1, 9, body, None]
    assert unpack(encode_error(None, fault)) == [2, "error", [body]]
    response = read_response(encode_error(9, fault))
    assert response.error is not None
    assert isinstance(from_wire(response.error), Conflict)


def test_the_encodings_are_those_of_the_specification() -> None:
    assert unpack(encode_request(1, "ping", {"a": 1})) == [0, 1, "ping", [{"a": 1}]]
    assert unpack(encode_response(1, ["x"])) == [1, 1, None, ["x"]]
    assert unpack(encode_notification("event", {"follow": 1})) == [2, "event", [{"follow": 1}]]


@pytest.mark.parametrize(
    ("text", "written"), [("a\ud800b", "a\ufffdb"), ("\udcff", "\ufffd"), ("\ud83d\ude00\udc80", "😀\ufffd")]
)
def test_text_that_is_not_unicode_is_mended_wherever_it_is(text: str, written: str) -> None:
    raw = msgspec.Raw(pack({"n": 1}))
    result = {text: [text, (text, 1, 0.5, b"\x80"), WireFault("c", "invalid", text)], "raw": raw}
    response = read_response(encode_response(1, result))
    fault = {"code": "c", "class": "invalid", "message": written, "hint": "", "data": {}}
    assert unpack(response.result) == {written: [written, [written, 1, 0.5, b"\x80"], fault], "raw": {"n": 1}}


class Loop(list[Any]):
    """A list within itself."""

    def __init__(self) -> None:
        super().__init__()
        self.append(self)


@pytest.mark.parametrize(
    "data", [object(), 2**70, Loop(), ["\udcff", object()]], ids=["type", "size", "loop", "mended"]
)
def test_an_error_is_written_even_if_its_data_cannot_be(data: object) -> None:
    fault = Fault("odd", "it is odd: \udcff", "look", data_of_it=data)
    response = read_response(encode_error(1, fault))
    assert response.error == WireFault("odd", "internal", "it is odd: \ufffd", "look", {})


@pytest.mark.parametrize(
    ("value", "error"),
    [(object(), TypeError), (2**70, OverflowError), (Loop(), RecursionError)],
    ids=["type", "size", "loop"],
)
def test_a_result_that_cannot_be_written_raises_what_the_documentation_says(
    value: object, error: type[Exception]
) -> None:
    with pytest.raises(error):
        encode_response(1, value)


def test_a_trusting_framer_takes_an_answer_longer_than_any_request_without_scanning_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(scanner: Scanner, data: bytearray) -> int | None:
        raise AssertionError("scanned")

    monkeypatch.setattr(Scanner, "scan", never)
    answer = encode_response(1, [{"id": f"WRK-{n}"} for n in range(200_000)])
    assert len(answer) > WireLimits().message_bytes
    framer = Framer(ANSWER_LIMITS, trusting=True)
    found = []
    for start in range(0, len(answer), 1 << 16):
        framer.feed(answer[start : start + (1 << 16)])
        assert framer.held == min(start + (1 << 16), len(answer))
        found += drain(framer)
    assert len(found) == 1
    assert framer.held == 0


@pytest.mark.parametrize("step", [1, 100, 1000])
def test_a_trusting_framer_looks_a_bounded_number_of_times_at_each_byte(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = encode_response(1, ["abcdefgh"] * 5000)
    looked: list[int] = []

    class Counting:
        def decode(self, data: bytes) -> Any:
            looked.append(len(data))
            return decoder.decode(data)

    decoder = msgspec.msgpack.Decoder(Response)
    monkeypatch.setattr("golemd.api.wire._frames", Counting())
    framer = Framer(ANSWER_LIMITS, trusting=True)
    found = []
    for start in range(0, len(answer), step):
        framer.feed(answer[start : start + step])
        found += drain(framer)
    assert len(found) == 1
    assert sum(looked) <= (LOOKS + 3) * len(answer)


def test_a_trusting_framer_still_bounds_the_length_and_tells_what_is_wrong() -> None:
    for data, code in ((b"\xdb\xff\xff\xff\xff", "message_too_large"), (b"\x91" * 5000 + b"\x90", "too_deep")):
        framer = Framer(trusting=True)
        framer.feed(data + b"\x00" * (2 << 20))
        with pytest.raises(WireError) as caught:
            framer.next_message()
        assert caught.value.fault.code == code
    framer = Framer(trusting=True)
    framer.feed(b"\x91" * 5000 + b"\x90")
    with pytest.raises(WireError, match="in each other"):
        framer.next_message()
