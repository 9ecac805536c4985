"""Text on a terminal: cleaned, measured, cut, wrapped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golemctl.render import text
from golemctl.render.text import clean, cut, width
from tests.path.golemctl_sample import LOOK


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1;2|q\x1b\\after", "after"),
        ("\x9b2Jx\x9d0;t\x9cy", "xy"),
        ("\x1b(Bx\x1b7y", "xy"),
        ("cut off \x1b[3", "cut off "),
        ("a\tb\nc\u2028d", "a b c d"),
        ("bell\x07 null\x00 delete\x7f c1\x85", "bell null delete c1 "),
        ("\u202eevil\u200b", "evil"),
        ("lone \ud800", "lone \ufffd"),
        ("語 é ü", "語 é ü"),
    ],
)
def test_text_is_cleaned_of_what_could_harm_a_terminal(dirty: str, expected: str) -> None:
    assert clean(dirty) == expected


@given(st.text())
def test_cleaning_leaves_no_control_characters_and_is_done_once(dirty: str) -> None:
    once = clean(dirty)
    assert clean(once) == once
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in once)


@given(st.text(), st.integers(1, 30))
def test_what_is_cut_wrapped_or_padded_fits(dirty: str, columns: int) -> None:
    cleaned = clean(dirty)
    assert width(cut(cleaned, columns)) <= columns
    assert width(text.pad(cut(cleaned, columns), columns)) == columns
    assert all(width(line) <= max(columns, 2) for line in text.wrap(cleaned, columns))


def test_wide_characters_take_two_columns_and_marks_none() -> None:
    assert [width(each) for each in ("abc", "語語", "e\u0301", "😀")] == [3, 4, 1, 2]
    assert cut("語語語語", 5) == "語語…"
    assert text.pad("語", 4) == "語  "


def test_wrapping_loses_no_word_and_breaks_what_is_longer_than_a_line() -> None:
    assert text.wrap("one two three", 7) == ["one two", "three"]
    assert "".join(text.wrap("x" * 25, 10)) == "x" * 25
    assert text.wrap("    indented code", 80) == ["    indented code"]


def test_durations_and_moments_read_as_people_say_them() -> None:
    assert [text.span(each) for each in (-1, 372, 3723)] == ["00:00", "06:12", "1:02:03"]
    assert [text.lasted(each) for each in (12, 38 * 60, 7500)] == ["12 s", "38 min", "2 h 05 min"]
    assert text.clock("2026-11-20T09:41:02.123456Z") == "09:41:02"
    assert text.moment("nonsense") == "-"
    assert text.clock(None) == "--:--:--"


def test_a_path_in_the_home_folder_is_shortened() -> None:
    assert text.folder("/home/me/src", LOOK) == "~/src"
    assert text.folder("/home/meadow", LOOK) == "/home/meadow"


@given(st.lists(st.text(st.sampled_from("ab é語\u0301"), max_size=6)), st.booleans())
def test_aligned_texts_have_the_width_of_the_widest(texts: list[str], right: bool) -> None:
    aligned = text.aligned(texts, right=right)
    assert {width(each) for each in aligned} <= {text.widest(texts)}
    assert [each.strip() for each in aligned] == [each.strip() for each in texts]
    assert text.widest(texts) == max(map(width, texts), default=0)
