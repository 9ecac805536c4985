"""TOML text → its data, and the line on which each key stands.

Rules. `tomllib` alone decides what is valid; the walker below runs only over text that it has accepted, takes nothing
but positions from it, and therefore checks nothing. Lines count from 1. Source: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

from msgspec import Struct

Path = tuple[str | int, ...]
"""Where a value is: keys of tables and indexes of arrays, from the top."""

_WHERE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_BLANK: Final = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR: Final = re.compile(r"[^,\]}\n#]*")
# The long forms first: three quotes open a text over many lines, which may end in up to five.
_QUOTED: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}' r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}" r'|"(?:[^"\\]|\\.)*"' r"|'[^']*'",
    re.DOTALL,
)


class SyntaxProblem(Struct, frozen=True):
    """Why the text is not TOML, and on which line that shows."""

    line: int
    message: str


class Document(Struct, frozen=True):
    """What a text says, and where."""

    data: dict[str, Any]
    lines: dict[Path, int]

    def locate(self, path: Path) -> int:
        """The line of the value at `path`, else of the nearest table around it that is written down, else 1."""
        for end in range(len(path), 0, -1):
            if (line := self.lines.get(path[:end])) is not None:
                return line
        return 1


def parse(text: str) -> Document | SyntaxProblem:
    """Read a whole TOML text."""
    text = text.replace("\r\n", "\n")
    try:
        return Document(tomllib.loads(text), _Walker(text).walk())
    except RecursionError:
        return SyntaxProblem(1, "is nested too deeply")
    except ValueError as error:  # tomllib's own error is one, and so is that for a number of too many digits
        where = _WHERE.search(str(error))
        line = int(where[1] or 1 + text.rstrip("\n").count("\n")) if where else 1
        return SyntaxProblem(line, "is not valid TOML: " + _WHERE.sub("", str(error)))


class _Walker:
    """One passage over a valid text, noting where every key and element begins."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted = 0  # up to here newlines have been counted …
        self._line = 1  # … and this is the line there
        self._lines: dict[Path, int] = {}
        self._last: dict[Path, int] = {}  # array of tables → index of its newest table

    def walk(self) -> dict[Path, int]:
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self) -> Path:
        depth = 2 if self._text.startswith("[[", self._at) else 1
        self._at += depth
        *outer, name = self._key()
        self._at += depth
        path: Path = (*self._named((), outer), name)
        if depth == 2:
            self._last[path] = self._last.get(self._enter(path), -1) + 1
            path = self._newest(path)
        self._lines.pop(path, None)  # where a table inside it came first; its own header is the better line
        return self._enter(path)

    def _named(self, table: Path, keys: list[str]) -> Path:
        """Follow keys down from a table; an array of tables on the way stands for its newest table."""
        for key in keys:
            table = self._newest(self._enter((*table, key)))
        return table

    def _newest(self, path: Path) -> Path:
        return (*path, self._last[path]) if path in self._last else path

    def _pair(self, table: Path) -> None:
        *outer, name = self._key()
        path = self._enter((*self._named(table, outer), name))
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        """A dotted key; ends behind the space after it."""
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            keys.append(self._part())
            self._skip(_SPACE)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _part(self) -> str:
        if bare := _BARE.match(self._text, self._at):
            self._at = bare.end()
            return bare[0]
        quoted = self._skip(_QUOTED)
        return str(tomllib.loads(f"key = {quoted}")["key"])

    def _value(self, path: Path) -> None:
        match self._text[self._at]:
            case "[":
                self._array(path)
            case "{":
                self._inline(path)
            case '"' | "'":
                self._skip(_QUOTED)
            case _:
                self._skip(_SCALAR)

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        self._skip(_BLANK)
        while self._text[self._at] != "]":
            self._value(self._enter((*path, index)))
            index += 1
            self._comma()
        self._at += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        self._skip(_BLANK)
        while self._text[self._at] != "}":
            self._pair(path)
            self._comma()
        self._at += 1

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found is not None, "the text was accepted by tomllib"
        self._at = found.end()
        return found[0]

    def _enter(self, path: Path) -> Path:
        """Note that a path begins here, unless it has been seen before."""
        if path not in self._lines:
            self._line += self._text.count("\n", self._counted, self._at)
            self._counted = self._at
            self._lines[path] = self._line
        return path
