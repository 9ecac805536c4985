"""Where the records of each item are in the journal: ascending sequence numbers, small for items that have ended.

A trail that is packed is a few bytes: the width of a difference (1, 2, 4 or 8), the first number in 8 bytes, and from
each number to the next the difference, all little-endian. It is unpacked for whoever asks, and stays as it is.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import accumulate
from operator import sub
from typing import Final

FIRST_BYTES: Final = 8
WIDTHS: Final = {array(code).itemsize: code for code in "QIHB"}


class Trails(Mapping[str, "array[int]"]):
    """Item → the numbers of its records. `packed` holds those that are not expected to grow, `grown` all others."""

    def __init__(self) -> None:
        self.packed: dict[str, bytes] = {}
        self.grown: dict[str, array[int]] = {}

    def __getitem__(self, item: str) -> array[int]:
        grown = self.grown.get(item)
        return unpacked(self.packed[item]) if grown is None else grown

    def __iter__(self) -> Iterator[str]:
        yield from self.packed
        yield from self.grown

    def __len__(self) -> int:
        return len(self.packed) + len(self.grown)

    def add(self, item: str, seq: int) -> None:
        """Record `seq`, the newest of all, is of this item."""
        trail = self.grown.get(item)
        if trail is None:
            data = self.packed.pop(item, None)
            trail = self.grown[item] = array("Q") if data is None else unpacked(data)
        trail.append(seq)

    def pack(self, item: str) -> None:
        """The item has ended."""
        self.packed[item] = packed(self.grown.pop(item))

    def cut(self, first: int) -> None:
        """Let go of all records before `first`."""
        for item, data in self.packed.items():
            if _first(data) < first:
                seqs = unpacked(data)
                self.packed[item] = packed(seqs[bisect_left(seqs, first) :])
        for item, seqs in self.grown.items():
            if seqs and seqs[0] < first:
                self.grown[item] = seqs[bisect_left(seqs, first) :]


def packed(seqs: array[int], until: int = sys.maxsize) -> bytes:
    """Ascending numbers up to `until` as bytes; none at all are no bytes."""
    if not seqs or until < seqs[0]:
        return b""
    known = seqs[: bisect_right(seqs, until)]
    differences = list(map(sub, known[1:], known))
    width = next(width for width in sorted(WIDTHS) if max(differences, default=0) < 1 << 8 * width)
    tail = _little(array(WIDTHS[width], differences)).tobytes()
    return bytes([width]) + known[0].to_bytes(FIRST_BYTES, "little") + tail


def unpacked(data: bytes) -> array[int]:
    """The inverse. Raises ValueError for other bytes."""
    if not data:
        return array("Q")
    with suppress(KeyError):
        differences = _little(array(WIDTHS[data[0]], data[1 + FIRST_BYTES :]))
        return array("Q", accumulate(differences, initial=_first(data)))
    raise ValueError(f"no trail has differences of {data[0]} bytes")


def _first(data: bytes) -> int:
    return int.from_bytes(data[1 : 1 + FIRST_BYTES], "little") if data else sys.maxsize


def _little(numbers: array[int]) -> array[int]:
    """As every machine reads them."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
