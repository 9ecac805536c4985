"""The change folder of an item: where what is written about it is kept, `changes/WRK-42_add-csv-export`.

The id alone tells whose it is: a folder that exists is kept, whatever the item is called by now.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

FOLDER: Final = "changes"
SLUG_BYTES: Final = 60
NO_WORDS: Final = "change"
"""Stands for a title without a letter or digit of ASCII."""

_NO_WORD: Final = re.compile(r"[^a-z0-9]+")


def slug(title: str) -> str:
    """A title as a part of a file name: words of ASCII with hyphens between, cut between two words where it can be."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = _NO_WORD.sub("-", plain).strip("-")
    if len(words) > SLUG_BYTES:
        words = words[: SLUG_BYTES + 1].rpartition("-")[0] or words[:SLUG_BYTES]
    return words or NO_WORDS


def folder_of(item: str, title: str, existing: Iterable[str] = ()) -> str:
    """An item's change folder, relative to its workspace; `existing` are the names of the folders in `changes`."""
    mine = sorted(name for name in existing if name.startswith(f"{item}_"))
    return f"{FOLDER}/{mine[0] if mine else f'{item}_{slug(title)}'}"
