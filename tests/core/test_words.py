"""Words: counted rightly, and without what could harm a terminal."""

from __future__ import annotations

import pytest

from golemd.api.words import count, plain


def test_one_is_singular_and_all_others_are_plural() -> None:
    assert [count(number, "round") for number in (0, 1, 2)] == ["0 rounds", "1 round", "2 rounds"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x1b]8;;http://x\x07link\x1b]8;;\x07", "alink"),
        ("\x9b31mred", "red"),
        ("bell\x07, tab\t, line\nfeed", "bell , tab    , line\nfeed"),
        ("grün", "grün"),
    ],
)
def test_escapes_go_with_all_that_belongs_to_them(text: str, left: str) -> None:
    assert plain(text) == left
