"""Where a MessagePack value ends, and whether what is in it may pass: each byte is looked at once, nothing is built.

What has passed is clean: its text is UTF-8, its map keys are text, its integers lie within ±2^53, its floats are
finite, it has no extension types, and it is within the limits.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from golemd.api.faults import Invalid

INTEGER_MAX: Final = 2**53


class WireLimits(Struct, frozen=True):
    """What one message may be. `elements` counts every value in it: each key, each item, each container."""

    message_bytes: int = 1 << 20
    nesting: int = 32
    elements: int = 1 << 16


# What a first byte says: its kind, how many bytes of number follow it, and the number itself where it is in the byte.
_PLAIN, _NUMBER, _BINARY, _TEXT, _LIST, MAP, _REFUSED = range(7)


def _tokens() -> tuple[tuple[int, int, int], ...]:
    rows = [(_PLAIN, 0, 0)] * 256
    for n in range(16):
        rows[0x80 + n] = (MAP, 0, n)
        rows[0x90 + n] = (_LIST, 0, n)
    for n in range(32):
        rows[0xA0 + n] = (_TEXT, 0, n)
    sized: dict[int, dict[int, int]] = {
        _PLAIN: {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xD0: 1, 0xD1: 2, 0xD2: 4},
        _NUMBER: {0xCA: 4, 0xCB: 8, 0xCF: 8, 0xD3: 8},
        _BINARY: {0xC4: 1, 0xC5: 2, 0xC6: 4},
        _TEXT: {0xD9: 1, 0xDA: 2, 0xDB: 4},
        _LIST: {0xDC: 2, 0xDD: 4},
        MAP: {0xDE: 2, 0xDF: 4},
        _REFUSED: dict.fromkeys((0xC1, 0xC7, 0xC8, 0xC9, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8), 0),
    }
    for kind, widths in sized.items():
        for first, width in widths.items():
            rows[first] = (kind, width, 0)
    return tuple(rows)


TOKENS: Final = _tokens()

# Which bits are an acceptable number, by the first byte of its token.
_ACCEPTABLE: Final[dict[int, Callable[[int], bool]]] = {
    0xCA: lambda bits: bits >> 23 & 0xFF != 0xFF,  # an exponent of ones is NaN or infinite
    0xCB: lambda bits: bits >> 52 & 0x7FF != 0x7FF,
    0xCF: lambda bits: bits <= INTEGER_MAX,
    0xD3: lambda bits: bits <= INTEGER_MAX or bits >= 2**64 - INTEGER_MAX,  # two's complement
}


class Scanner:
    """Finds the end of one MessagePack value in bytes that grow, and checks what is in it. Builds nothing."""

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self.begin()

    def begin(self) -> None:
        """Forget what was scanned: other bytes are to come."""
        self._position = 0  # of the first token that has not been passed
        self._needed = 1  # bytes without which the next look is in vain
        self._left = 1  # values still to come in the innermost open container
        self._is_map = False
        self._outer: list[tuple[int, bool]] = []  # the same two of the containers around it
        self._elements = 1

    def scan(self, data: bytearray) -> int | None:
        """The length of the value at the start of `data`; None when more is needed, and then `data` must be the same
        bytes with more behind them the next time. Faults: a Fault is raised, and the scanner is of no further use.
        """
        size = len(data)
        if size < self._needed:
            return None
        position, left, is_map, outer = self._position, self._left, self._is_map, self._outer
        end = position
        while left:
            end = position + 1
            if end > size:
                break
            first = data[position]
            kind, width, amount = TOKENS[first]
            if width:
                end += width
                if end > size:
                    break
                amount = int.from_bytes(data[position + 1 : end])
            if is_map and not left & 1 and kind != _TEXT:
                raise malformed("a map key is not text")
            if _BINARY <= kind <= _TEXT:
                end += amount
                if end > size:
                    break
                if kind == _TEXT:
                    try:
                        data[end - amount : end].decode()
                    except UnicodeDecodeError as error:
                        raise malformed("text in it is not UTF-8") from error
            elif kind == _NUMBER and not _ACCEPTABLE[first](amount):
                raise malformed("a number is not finite, or an integer beyond ±2^53")
            position = end
            left -= 1
            if kind >= _LIST:
                self._open(kind, amount)
                outer.append((left, is_map))
                left, is_map = (amount << 1, True) if kind == MAP else (amount, False)
            while not left and outer:
                left, is_map = outer.pop()
        if end > self._limits.message_bytes:
            raise _beyond("message_too_large", self._limits.message_bytes, "{} bytes", "send less at once")
        if left:
            self._position, self._needed, self._left, self._is_map = position, end, left, is_map
            return None
        self.begin()
        return end

    def _open(self, kind: int, amount: int) -> None:
        if kind == _REFUSED:
            raise malformed("it has an extension type or a byte that MessagePack does not know")
        self._elements += amount << 1 if kind == MAP else amount
        if self._elements > self._limits.elements:
            raise _beyond("too_many_elements", self._limits.elements, "{} values", "ask for less, or in several calls")
        if len(self._outer) >= self._limits.nesting:
            raise _beyond("too_deep", self._limits.nesting, "{} lists and maps in each other", "flatten the value")


def malformed(what: str) -> Invalid:
    """The fault of bytes that are no MessagePack-RPC message."""
    return Invalid("malformed", f"the message cannot be read: {what}", "MessagePack-RPC is: [0, msgid, method, [{…}]]")


def _beyond(code: str, limit: int, what: str, hint: str) -> Invalid:
    return Invalid(code, f"the message has more than {what.format(limit)}", hint, limit=limit)
