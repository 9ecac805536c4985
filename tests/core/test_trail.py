"""Trails: packed and unpacked they are the same, on every machine, and growing goes on after that."""

from __future__ import annotations

import sys
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golemd.core import trail
from golemd.core.trail import Trails, packed, unpacked


@given(st.lists(st.integers(0, (1 << 63) - 1), unique=True).map(sorted))
def test_what_is_packed_is_unpacked(seqs: list[int]) -> None:
    assert list(unpacked(packed(array("Q", seqs)))) == seqs


@pytest.mark.parametrize(("step", "size"), [(1, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 4), (1 << 32, 8)])
def test_differences_take_as_many_bytes_as_the_largest_needs(step: int, size: int) -> None:
    data = packed(array("Q", [7, 8, 8 + step]))
    assert len(data) == 1 + 8 + 2 * size
    assert list(unpacked(data)) == [7, 8, 8 + step]


def test_only_what_was_known_then_is_packed() -> None:
    seqs = array("Q", [3, 5, 9])
    assert list(unpacked(packed(seqs, 5))) == [3, 5]
    assert packed(seqs, 2) == packed(array("Q")) == b""
    assert list(unpacked(b"")) == []


def test_bytes_are_the_same_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    seqs = array("Q", [1, 301])
    assert packed(seqs) == bytes([2, 1, 0, 0, 0, 0, 0, 0, 0, 44, 1])
    monkeypatch.setattr(sys, "byteorder", "big" if sys.byteorder == "little" else "little")
    assert packed(seqs) == bytes([2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 44]), "it was turned round"
    assert list(unpacked(packed(seqs))) == [1, 301]


@pytest.mark.parametrize("data", [b"\x03" + bytes(8), bytes([2, *bytes(8), 1])])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"differences of 3 bytes|not a multiple"):
        trail.unpacked(data)


def test_a_packed_trail_is_found_and_grows_when_it_must() -> None:
    trails = Trails()
    for item, seq in (("a", 1), ("b", 2), ("a", 3)):
        trails.add(item, seq)
    trails.pack("a")
    assert (list(trails), len(trails)) == (["a", "b"], 2)
    assert {item: list(seqs) for item, seqs in trails.items()} == {"a": [1, 3], "b": [2]}
    trails.add("a", 4)
    assert list(trails["a"]) == [1, 3, 4]
    assert not trails.packed
    assert trails.get("c") is None


def test_what_is_pruned_is_let_go_of() -> None:
    trails = Trails()
    for item, seq in (("a", 1), ("a", 5), ("b", 2), ("b", 6), ("c", 3), ("d", 7), ("e", 3)):
        trails.add(item, seq)
    for item in ("a", "c", "d"):
        trails.pack(item)
    for _ in range(2):
        trails.cut(4)
        assert {item: list(seqs) for item, seqs in trails.items()} == {"a": [5], "c": [], "d": [7], "b": [6], "e": []}
