"""The change folder: one that exists is kept; a new one has a short name that every file system takes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golemd.core.changes import SLUG_BYTES, folder_of, slug


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Add CSV export", "add-csv-export"),
        ("  Fix: the  (login) -- page! ", "fix-the-login-page"),
        ("Café déjà vu", "cafe-deja-vu"),
        ("日本語", "change"),
        ("!?", "change"),
        ("", "change"),
        ("x" * 80, "x" * SLUG_BYTES),
        ("word " * 20, "word-" * 11 + "word"),
        ("a" * 59 + " b", "a" * 59),
        ("a" * 60 + " b", "a" * 60),
        ("../../etc/passwd", "etc-passwd"),
    ],
)
def test_a_title_becomes_a_part_of_a_file_name(title: str, expected: str) -> None:
    assert slug(title) == expected


@given(st.text())
def test_every_title_has_a_short_name(title: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", slug(title))
    assert len(slug(title)) <= SLUG_BYTES


def test_a_folder_that_exists_is_kept() -> None:
    assert folder_of("WRK-4", "New title") == "changes/WRK-4_new-title"
    there = ["WRK-42_other", "WRK-4_old-title", "WRK-4_older", "WRK-4", "x"]
    assert folder_of("WRK-4", "New title", there) == "changes/WRK-4_old-title"
