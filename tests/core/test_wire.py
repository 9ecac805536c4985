"""The wire: every value comes through in every chunking, no bytes do harm, and each limit holds."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from golemd.api.faults import Conflict
from golemd.api.scanner import Scanner
from golemd.api.wire import (
    INTEGER_MAX,
    MSGID_MAX,
    Framer,
    Message,
    Notification,
    Request,
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

integers = st.integers(-INTEGER_MAX, INTEGER_MAX)
floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=40) | st.text(min_size=250, max_size=300)
leaves = st.none() | st.booleans() | integers | floats | texts | st.binary(max_size=300)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(texts, inner), max_leaves=30)
maps = st.dictionaries(texts, values, max_size=20)
msgids = st.integers(0, MSGID_MAX)
requests = st.builds(encode_request, msgids, texts, maps)
responses = st.builds(encode_response, msgids, values)
notifications = st.builds(encode_notification, texts, maps)
errors = st.builds(lambda msgid, text: encode_error(msgid, Conflict("busy", text, n=1)), st.none() | msgids, texts)
messages = requests | responses | notifications | errors


def hexes(words: str) -> list[bytes]:
    return [bytes.fromhex(word) for word in words.split()]


def drain(framer: Framer) -> list[Message]:
    found = []
    while (message := framer.next_message()) is not None:
        found.append(message)
    return found


def read(data: bytes, limits: WireLimits | None = None) -> list[Message]:
    framer = Framer(limits)
    framer.feed(data)
    return drain(framer)


def read_params(params: bytes) -> Any:
    (request,) = read(b"\x94\x00\x07\xa4ping" + params)
    assert isinstance(request, Request)
    return unpack(request.params)


def refusal(data: bytes, limits: WireLimits | None = None) -> WireError:
    with pytest.raises(WireError) as caught:
        read(data, limits)
    return caught.value


def plain(message: Message) -> list[Any]:
    match message:
        case Request():
            return [0, message.msgid, message.method, [unpack(message.params)]]
        case Response():
            error = message.error and msgspec.to_builtins(message.error)
            return [1, message.msgid, error, unpack(message.result)]
        case Notification():
            return [2, message.method, [unpack(message.payload)]]


@given(st.lists(messages, max_size=5), st.lists(st.integers(1, 50)), st.booleans())
def test_messages_come_through_in_every_chunking(sent: list[bytes], sizes: list[int], trusting: bool) -> None:
    framer, data, found = Framer(trusting=trusting), b"".join(sent), []
    for size in sizes:
        framer.feed(data[:size])
        found += drain(framer)
        data = data[size:]
    framer.feed(data)
    found += drain(framer)
    assert [plain(message) for message in found] == [unpack(message) for message in sent]
    assert not framer.mid_message


@given(st.lists(messages, min_size=1, max_size=3), st.booleans())
def test_one_byte_at_a_time_gives_each_message_at_its_last_byte(sent: list[bytes], trusting: bool) -> None:
    framer = Framer(trusting=trusting)
    for message in sent:
        for byte in message[:-1]:
            framer.feed(bytes([byte]))
            assert framer.next_message() is None
            assert framer.mid_message
        framer.feed(message[-1:])
        assert [plain(found) for found in drain(framer)] == [unpack(message)]


@given(messages, st.data())
def test_a_truncated_message_is_never_a_message(message: bytes, data: st.DataObject) -> None:
    cut = message[: data.draw(st.integers(0, len(message) - 1))]
    for trusting in (False, True):
        framer = Framer(trusting=trusting)
        framer.feed(cut)
        assert framer.next_message() is None
        assert framer.mid_message == bool(cut)


@given(st.lists(st.binary(max_size=200), max_size=5), st.booleans())
@example([b"\x93\x02\xa1a\x91\x80", b"\xc1"], False)
def test_random_bytes_raise_nothing_but_a_wire_error(pieces: list[bytes], trusting: bool) -> None:
    framer = Framer(trusting=trusting)
    with contextlib.suppress(WireError):
        for piece in pieces:
            framer.feed(piece)
            drain(framer)


@given(messages, st.data())
def test_a_damaged_message_raises_nothing_but_a_wire_error(message: bytes, data: st.DataObject) -> None:
    spoilt = bytearray(message)
    spoilt[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    for trusting in (False, True):
        framer = Framer(trusting=trusting)
        framer.feed(bytes(spoilt))
        with contextlib.suppress(WireError):
            for found in drain(framer):
                assert trusting or plain(found)[0] in (0, 1, 2)


plain_leaves = st.none() | st.booleans() | st.integers(-(2**31), 2**32 - 1) | texts
plain_maps = st.dictionaries(
    texts, plain_leaves | st.lists(plain_leaves, max_size=5) | st.dictionaries(texts, plain_leaves)
)


@given(st.builds(encode_request, msgids, texts, plain_maps | maps), st.data())
def test_a_request_that_came_whole_is_taken_exactly_when_the_scanner_would_take_it(
    message: bytes, data: st.DataObject
) -> None:
    spoilt = bytearray(message)
    for _ in range(data.draw(st.integers(0, 2))):
        spoilt[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    whole, scanning = Framer(), Framer(WireLimits(nesting=32))
    scanning._plain_bytes = 0
    found: list[Message | str | None] = []
    for framer in (whole, scanning):
        framer.feed(bytes(spoilt))
        try:
            found.append(framer.next_message())
        except WireError as error:
            found.append(error.fault.message)
    assert found[0] == found[1]


def test_a_shallow_limit_leaves_every_request_to_the_scanner() -> None:
    deep = encode_request(1, "m", {"v": {}})
    assert refusal(deep, WireLimits(nesting=3)).fault.code == "too_deep"
    assert read(deep, WireLimits(nesting=4))


@given(st.recursive(leaves | st.floats() | st.integers(-(2**63), 2**64 - 1), st.lists, max_leaves=10))
def test_what_passes_the_framer_is_clean(value: Any) -> None:
    def clean(value: Any) -> bool:
        if isinstance(value, list):
            return all(clean(item) for item in value)
        if isinstance(value, float):
            return value - value == 0
        return not isinstance(value, int) or abs(value) <= INTEGER_MAX

    data = encode_request(1, "m", {"v": value})
    if clean(value):
        assert [plain(message) for message in read(data)] == [[0, 1, "m", [{"v": value}]]]
    else:
        assert refusal(data).fault.code == "malformed"


class CountingBytes(bytearray):
    """Bytes that count how often, and how much, they are read."""

    read = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        self.read += len(found) if isinstance(key, slice) else 1
        return found


@pytest.mark.parametrize(
    "value", ["x" * 200_000, ["abcdefgh"] * 20_000, {str(n): [n] for n in range(20_000)}], ids=["text", "list", "map"]
)
def test_a_large_message_in_single_bytes_costs_no_more_than_a_few_reads_of_each_byte(value: object) -> None:
    message = encode_request(1, "m", {"v": value})
    scanner, data = Scanner(WireLimits()), CountingBytes()
    for byte in message[:-1]:
        data.append(byte)
        assert scanner.scan(data) is None
    data.append(message[-1])
    assert scanner.scan(data) == len(message)
    assert data.read <= 3 * len(message)


def test_a_message_of_one_mebibyte_in_single_bytes_is_taken() -> None:
    limits = WireLimits()
    message = encode_request(1, "m", {"v": "x" * (limits.message_bytes - 20)})
    framer, scanner, data = Framer(), Scanner(limits), CountingBytes()
    for byte in memoryview(message):
        framer.feed(bytes((byte,)))
        data.append(byte)
        found = framer.next_message()
        end = scanner.scan(data)
    assert isinstance(found, Request)
    assert end == len(message) <= limits.message_bytes
    assert data.read <= 3 * len(message)


def test_the_longest_message_passes_and_one_byte_more_does_not() -> None:
    limits = WireLimits(message_bytes=100)
    message = encode_request(1, "m", {"v": "x" * 85})
    assert len(message) < 100
    longest = encode_request(1, "m", {"v": "x" * (85 + 100 - len(message))})
    assert len(longest) == 100
    assert len(read(longest, limits)) == 1
    error = refusal(encode_request(1, "m", {"v": "x" * (86 + 100 - len(message))}), limits)
    assert (error.fault.code, error.msgid, error.fault.data) == ("message_too_large", 1, {"limit": 100})


def test_a_message_too_large_is_refused_when_its_length_is_announced() -> None:
    assert refusal(b"\x94\x00\x05\xa1m\x91\x81\xa1v\xdb\x00\x10\x00\x00").fault.code == "message_too_large"
    assert refusal(b"\x94\x00\x05\xdb\xff\xff\xff\xff").msgid == 5
    assert refusal(b"\xc6\xff\xff\xff\xff").fault.code == "message_too_large"


def test_a_message_too_large_is_refused_when_small_values_add_up_to_it() -> None:
    framer = Framer(WireLimits(message_bytes=1000))
    framer.feed(b"\x94\x00\x05\xa1m\x91\x81\xa1v\xdc\xff\x00" + b"\x00" * 985)
    assert framer.next_message() is None
    framer.feed(b"\x00\x00")
    assert framer.next_message() is None
    framer.feed(b"\x00")
    with pytest.raises(WireError, match="more than 1000 bytes"):
        framer.next_message()


def nested(depth: int) -> bytes:
    """A request whose list of parameters is the second of `depth` containers in each other."""
    return b"\x94\x00\x03\xa1m\x91\x81\xa1v" + b"\x91" * (depth - 4) + b"\x80"


def test_nesting_is_bounded() -> None:
    assert len(read(nested(32))) == 1
    assert (refusal(nested(33)).fault.code, refusal(nested(33)).msgid) == ("too_deep", 3)
    assert refusal(b"\x91" * 1_000_000).fault.code == "too_deep"
    assert refusal(b"\x81\xa1a" * 300_000).fault.code == "too_deep"


def test_containers_beside_each_other_are_not_nested() -> None:
    assert len(read(encode_request(1, "m", {"v": [[[]]] * 1000}))) == 1


def test_the_number_of_values_is_bounded_before_they_arrive() -> None:
    assert refusal(b"\xdf\xff\xff\xff\xff").fault.code == "too_many_elements"
    assert refusal(b"\xdd\xff\xff\xff\xff").fault.code == "too_many_elements"
    megabyte = b"\x94\x00\x09\xa1m\x91\x81\xa1v\xdd\x00\x0f\x00\x00" + b"\x80" * 0xF0000
    assert (refusal(megabyte).fault.code, refusal(megabyte).msgid) == ("too_many_elements", 9)


def test_values_are_counted_over_the_whole_message() -> None:
    limits = WireLimits(elements=20)
    # message 1, its values 4, the map 1, its key and value 2, the items 12
    assert len(read(encode_request(1, "m", {"v": [0] * 12}), limits)) == 1
    assert refusal(encode_request(1, "m", {"v": [0] * 13}), limits).fault.code == "too_many_elements"
    assert refusal(encode_request(1, "m", {"v": [{"a": 0}] * 4 + [0]}), limits).fault.code == "too_many_elements"


def test_counts_begin_anew_with_each_message() -> None:
    limits = WireLimits(elements=10, nesting=3, message_bytes=12)
    message = encode_request(1, "m", {"v": 0})
    assert len(read(message * 50, limits)) == 50


@pytest.mark.parametrize(
    "params",
    hexes("90 dc0000 dd00000000 9180 9190 91c0 91de0000 91df00000000 91dc0000 dc0001dd00000000"),
    ids=bytes.hex,
)
def test_the_forms_of_no_parameters_all_mean_the_empty_map(params: bytes) -> None:
    assert read_params(params) == {}


@pytest.mark.parametrize("first", hexes("81 de0001 df00000001"), ids=bytes.hex)
def test_one_map_is_the_parameters(first: bytes) -> None:
    assert read_params(b"\x91" + first + b"\xa2id\xa1x") == {"id": "x"}


def test_of_a_key_that_occurs_twice_the_last_counts() -> None:
    assert read_params(b"\x91\x82\xa1a\x01\xa1a\x02") == {"a": 2}


@pytest.mark.parametrize(
    "params", hexes("80 c0 a0 9101 91a178 9191c0 91c3 928080 92c0c0 91c405c0c0c0c0c0"), ids=bytes.hex
)
def test_parameters_that_are_not_one_map_are_malformed(params: bytes) -> None:
    error = refusal(b"\x94\x00\x07\xa4ping" + params)
    assert (error.fault.code, error.msgid) == ("malformed", 7)


@pytest.mark.parametrize(
    "value",
    hexes("""
        ca7fc00000 ca7f800000 caff800000 cb7ff8000000000000 cb7ff0000000000000 cbfff0000000000000
        cf0020000000000001 d30020000000000001 d3ffdfffffffffffff a1ff d902c328 a3eda080 c1 c70001
        d6ff00000000 c8000001 d40101 810101 81c4016101 819001 81c001 82a161a1620202
    """),
    ids=bytes.hex,
)
def test_a_value_that_is_no_plain_data_is_malformed(value: bytes) -> None:
    error = refusal(b"\x94\x00\xcd\x01\x00\xa1m\x91\x81\xa1v" + value)
    assert (error.fault.code, error.msgid) == ("malformed", 256)


@pytest.mark.parametrize(
    "value",
    hexes("""
        ca7f7fffff cb7fefffffffffffff cf0020000000000000 d30020000000000000 d3ffe0000000000000 ceffffffff
        d280000000 e0 c401ff d902c3a9 da000161 db0000000161 c5000161 c60000000161 ccff cdffff d080 d18000
    """),
    ids=bytes.hex,
)
def test_a_value_at_the_edge_is_read(value: bytes) -> None:
    assert read_params(b"\x91\x81\xa1v" + value) == {"v": unpack(value)}


@pytest.mark.parametrize(
    "message",
    hexes("""
        00 c0 80 a470696e67 90 9100 940301a16d90 930001a16d 950001a16d90c0 94a17801a16d90 93020190
        940101c3c0 94010181a4636f6465a178c0 9401ffc0c0
    """),
    ids=bytes.hex,
)
def test_a_value_that_is_no_message_is_malformed_and_has_no_id(message: bytes) -> None:
    error = refusal(message)
    assert error.fault.code == "malformed"
    assert error.msgid is None


@pytest.mark.parametrize(
    ("start", "msgid"),
    [
        (b"\x94\x00\x05", 5),
        (b"\x94\x00\xcc\xc8", 200),
        (b"\x94\x00\xce\xff\xff\xff\xff", MSGID_MAX),
        (b"\x94\x00\xcf\x00\x00\x00\x00\x00\x00\x00\x05", 5),
        (b"\xdc\x00\x04\x00\x05", 5),
        (b"\xdd\x00\x00\x00\x04\x00\x05", 5),
        (b"\x94\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00", None),
        (b"\x94\x00\xff", None),
        (b"\x94\x00\xa15", None),
        (b"\x94\x01\x05", None),
        (b"\x94\x00", None),
        (b"\x93\x02\xa15", None),
    ],
)
def test_the_id_of_a_damaged_request_is_told_where_it_is_legible(start: bytes, msgid: int | None) -> None:
    assert refusal(start + b"\xc1").msgid == msgid


def test_an_id_of_which_bytes_are_missing_is_not_guessed() -> None:
    assert refusal(b"\x94\x00\xcd\x01\x00", WireLimits(message_bytes=1)).msgid == 256
    assert refusal(b"\x94\x00\xcd\x01", WireLimits(message_bytes=1)).msgid is None


@pytest.mark.parametrize("msgid", [-1, MSGID_MAX + 1, 1.0, "1", None])
def test_an_id_out_of_range_is_malformed(msgid: object) -> None:
    assert refusal(pack([0, msgid, "m", []])).msgid is None


def test_a_framer_is_dead_after_an_error() -> None:
    framer = Framer()
    framer.feed(encode_request(1, "first", {}) + b"\xc1" + encode_request(2, "second", {}))
    assert framer.next_message() is not None
    with pytest.raises(WireError) as first:
        framer.next_message()
    with pytest.raises(WireError) as second:
        framer.next_message()
    with pytest.raises(WireError):
        framer.feed(b"\x94")
    assert second.value is first.value
    assert not framer.mid_message
    assert framer.held == 0
