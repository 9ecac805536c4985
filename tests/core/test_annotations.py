"""Annotations of the words are values, not texts: msgspec would have each text compiled, at every start."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from golemd.api import calls, events


def structs(base: type[Any]) -> Iterator[type[Any]]:
    for each in base.__subclasses__():
        yield each
        yield from structs(each)


def test_no_struct_of_the_words_has_an_annotation_that_is_a_text() -> None:
    words = {each for each in structs(Struct) if each.__module__.startswith("golemd.api.")}
    assert words >= {*calls.CALLS.values(), *events.EVENTS.values()}
    texts = [each for each in words if any(isinstance(kind, str) for kind in each.__annotations__.values())]
    assert not texts, "without `from __future__ import annotations`"
