"""One item's keys and values, with the place where each stands: JSON lines → rows.

Lines are split at b"\\n" only: a text may hold U+2028 and its like.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from golemd.core.keys import Place, Problem
from golemd.core.toml import Document, Path

_BROKEN: Final = object()
_BOM: Final = b"\xef\xbb\xbf"
_values = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Row(Document, frozen=True):
    """One item. `data`: the values of the keys that were asked for; `kept`: the JSON texts of all.

    `lines` may be those of the whole file, in which the row is at `at`.
    """

    kept: dict[str, str]
    line: int
    at: Path = ()

    def locate(self, path: Path) -> int:
        """The line of what is at `path`, else of the row itself."""
        around = ((*self.at, *path[:end]) for end in range(len(path), 0, -1))
        return next((self.lines[each] for each in around if each in self.lines), self.line)


class Found:
    """What is wrong with the rows of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def refuse(self, line: int, message: str, key: str = "") -> None:
        self.problems.append(Problem(self.file, line, key, message))

    def warn(self, line: int, message: str, key: str = "") -> None:
        self.warnings.append(Problem(self.file, line, key, message, level="warning"))

    def place(self, row: Row) -> Place:
        """Where a row's readers report."""
        return Place(self.file, row, {})

    def take(self, place: Place) -> bool:
        """Take over what was reported at a row; whether it is free of errors."""
        errors = [problem for problem in place.found.values() if problem.level == "error"]
        self.problems += errors
        self.warnings += [problem for problem in place.found.values() if problem.level != "error"]
        return not errors


def rows(data: bytes, keys: Mapping[str, Any], found: Found) -> Iterator[Row]:
    """The JSON objects of a file, line by line. Broken lines are reported and left out."""
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), 1):
        if line.strip():
            row = _row(line, number, keys, found)
            if row is not None:
                yield row


def _row(line: bytes, number: int, keys: Mapping[str, Any], found: Found) -> Row | None:
    try:
        kept = {key: bytes(raw).decode() for key, raw in _values(line).items()}
    except UnicodeDecodeError:
        found.refuse(number, "is not UTF-8")
    except RecursionError:
        found.refuse(number, "is nested too deeply")
    except msgspec.DecodeError as error:
        found.refuse(number, f"is no JSON object: {error}")
    else:
        decoded = {key: _decoded(text, key, number, key in keys, found) for key, text in kept.items()}
        if _BROKEN not in decoded.values():
            return Row({key: decoded[key] for key in decoded if key in keys}, {}, kept, number)
    return None


def _decoded(text: str, key: str, number: int, known: bool, found: Found) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        if known or not isinstance(
            error, msgspec.ValidationError
        ):  # a number beyond all types is kept as it is written
            found.refuse(number, f"cannot be read: {error}", key)
            return _BROKEN
        return None
