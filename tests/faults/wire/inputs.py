"""Inputs for the wire, made quickly: valid messages, the same damaged, token soup, noise, and parameters of calls.

One generator gives them all; a seed fixes what it gives. Each input comes with its kind, for only of some kinds is it
known what must be made of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from random import Random
from typing import Any, Final

import msgspec

from golemd.api.calls import CALLS
from golemd.api.faults import Conflict
from golemd.api.wire import encode_error, encode_notification, encode_request, encode_response

POOL: Final = 1 << 16  # bytes of noise drawn at once: drawing them one by one would be most of the time
LARGEST_NOISE: Final = 64
CANDIDATES: Final[tuple[Any, ...]] = (
    *("", "DEMO-1", "x" * 40, "ü\u2028", "seq:9", "t" * 140, 0, -1, 7, 2**31, 2**53, True, 0.5, 1e300, None, b"\xff"),
    *([], ["a", "b"], [[]], {}, {"k": "v"}, {"k": [None]}),
)
"""Values for parameters. Which of them a field takes, msgspec says."""
TOKENS: Final = (
    *(bytes([first]) for first in (*range(0x7E, 0xA2), *range(0xBE, 0x100))),
    *(bytes([first]) + claim for first in (0xC4, 0xD9, 0xC7) for claim in (b"\x00", b"\x05", b"\xff")),
    *(
        bytes([first]) + claim
        for first in (0xC5, 0xDA, 0xDC, 0xDE)
        for claim in (b"\x00\x00", b"\x00\x03", b"\xff\xff")
    ),
    *(bytes([first]) + claim for first in (0xC6, 0xDB, 0xDD, 0xDF) for claim in (bytes(4), b"\xff" * 4, b"\0\0\0\2")),
    *(b"\xca\x7f\x80\x00\x00", b"\xca\x3f\x80\x00\x00", b"\xcb\x7f\xf0" + bytes(6), b"\xcb\x7f\xf8" + bytes(6)),
    *(b"\xcf" + b"\xff" * 8, b"\xcf\x00\x20" + bytes(6), b"\xd3\x80" + bytes(7), b"\xd3\xff\xe0" + bytes(6)),
    *(
        b"\xa1a",
        b"\xa1\xff",
        b"\xa4ping",
        b"\xa6status",
        b"\x81\xa1a" * 4,
        b"\x91" * 9,
        b"\x92\x01\x02",
        b"\x94\x00\x01\xa4ping\x90",
    ),
)
"""Pieces of which token soup is made."""


class Kind(Enum):
    """How an input was made."""

    VALID = "valid messages"
    CALL = "a request with parameters of any kind"
    PARAMETERS = "such parameters alone"
    DAMAGED = "damaged messages"
    SOUP = "token soup"
    NOISE = "noise"


_BY_DICE: Final = (
    *([Kind.DAMAGED] * 5 + [Kind.SOUP] * 3 + [Kind.PARAMETERS] * 5),
    *(Kind.CALL, Kind.VALID, Kind.NOISE),
)

Input = tuple[Kind, bytes, str]
"""How it was made; its bytes; and for parameters alone the method that they are for, else ""."""


def valid_messages() -> list[bytes]:
    """Messages of all shapes; a request for every method, with as many of its fields as have a value here."""
    found = [encode_notification("event", {"follow": 1, "record": {"seq": 9}}), encode_notification("lagged", {})]
    found += [encode_response(3, {"a": [1, 2.5, None, True, b"\x00", "x" * 300]}), encode_response(2**32 - 1, [])]
    found += [encode_error(5, Conflict("busy", "it is busy", "wait", n=1)), encode_error(None, Conflict("x", "y"))]
    for number, (method, call) in enumerate(CALLS.items()):
        values = {field.encode_name: accepted(field.type) for field in msgspec.structs.fields(call)}
        for turn in range(4):
            params = {name: some[turn % len(some)] for name, some in values.items() if some}
            found.append(encode_request(number, method, params))
    return found


def accepted(kind: Any) -> list[Any]:
    """The candidates that a field of this type takes."""

    def takes(value: Any) -> bool:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return False
        return True

    return [value for value in CANDIDATES if takes(value)]


def streams(seed: int) -> Iterator[bytes]:
    """Inputs for a socket, without an end."""
    return (data for _, data, method in inputs(seed) if not method)


def inputs(seed: int) -> Iterator[Input]:
    """Inputs without an end."""
    dice = Random(seed)
    pack = msgspec.msgpack.Encoder().encode
    messages = valid_messages()
    methods = [*CALLS, "nothing", "?"]
    fields = {
        method: [*CALLS[method].__struct_fields__, "surprise"] if method in CALLS else ["x"] for method in methods
    }
    while True:
        pool = dice.randbytes(POOL)
        for at in range(0, POOL - 2 * LARGEST_NOISE, 8):
            first, second, third, fourth = pool[at], pool[at + 1], pool[at + 2], pool[at + 3]
            kind = _BY_DICE[first & 15]
            message = messages[(second << 8 | third) % len(messages)]
            match kind:
                case Kind.DAMAGED:
                    yield kind, _damaged(message, messages, pool[at + 3 : at + 12]), ""
                case Kind.SOUP:
                    start = message[: fourth % 8] if fourth & 128 else b""
                    tokens = [TOKENS[byte % len(TOKENS)] for byte in pool[at : at + fourth % 12]]
                    yield kind, start + b"".join(tokens), ""
                case Kind.CALL | Kind.PARAMETERS:
                    method = methods[second % len(methods)]
                    names = fields[method]
                    drawn = pool[at + 4 : at + 4 + 2 * (third % 4)]
                    params = {
                        names[name % len(names)]: CANDIDATES[value % len(CANDIDATES)]
                        for name, value in zip(drawn[::2], drawn[1::2], strict=True)
                    }
                    if kind is Kind.CALL:
                        yield kind, encode_request(fourth, method, params), ""
                    else:
                        yield kind, pack(params), method
                case Kind.VALID:
                    yield kind, message + messages[fourth % len(messages)], ""
                case Kind.NOISE:
                    yield kind, pool[at : at + fourth % LARGEST_NOISE], ""


def _damaged(message: bytes, messages: list[bytes], dice: bytes) -> bytes:
    """A message with one to three changes."""
    for turn in range(1 + dice[0] % 3):
        how, where, what = dice[1 + turn], dice[2 + turn], dice[3 + turn]
        at = (where | (what & 1) << 8) % (len(message) + 1)
        match how % 8:
            case 0:
                message = message[:at] + bytes([what]) + message[at + 1 :]
            case 1:
                message = message[:at] + message[at + 1 :]
            case 2:
                message = message[:at] + TOKENS[what % len(TOKENS)] + message[at:]
            case 3:
                message = message[:at] + TOKENS[what % len(TOKENS)] + message[at + 1 :]
            case 4:
                message = message[:at]
            case 5:
                message = message[:at] + messages[what % len(messages)][at:]
            case 6:
                message = message[:at] + message[at // 2 :]
            case _:
                message = (
                    message[:at] + bytes([message[at] ^ 1 << what % 8]) + message[at + 1 :] if message[at:] else b""
                )
    return message
