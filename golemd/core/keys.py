"""Reading a TOML file by a table of keys: one Reader for each key, and every problem at once.

Rules. A Reader takes a Place and a raw value and returns the normalised one; what it cannot accept it reports at the
Place and answers with UNSET, so that the default stands in and the rest of the file is still looked at. Defaults are
those of the Structs that are built. One problem a key, and none below a key that has one: what follows from a mistake
is not a second mistake. No message shows a text that was not asked to be a name or one of a few words, for it may be
a secret.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from golemd.core.toml import Document, Path

Reader = Callable[["Place", Any], Any]
Keys = Mapping[str, Reader]

SHOWN: Final = 60
"""At most so many characters of a value are quoted in a message."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_TYPES: Final[dict[type, str]] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
    type(None): "null",
}


class Problem(Struct, frozen=True):
    """One thing that is wrong with a file: where, what, and what is allowed there. `line` counts from 1."""

    file: str
    line: int
    key: str
    message: str
    allowed: tuple[str, ...] = ()
    suggestion: str = ""
    level: str = "error"  # error | warning

    def __str__(self) -> str:
        key = f" {self.key}:" if self.key else ""
        suggestion = f"; did you mean {self.suggestion}?" if self.suggestion else ""
        allowed = f"; allowed: {', '.join(self.allowed)}" if self.allowed else ""
        return f"{self.file}:{self.line}:{key} {self.message}{suggestion}{allowed}"


class Place(Struct, frozen=True):
    """A key of a file, and where problems with it go.

    `lenient`: the file was written for a program that ignored keys it did not know, outside of strict tables, and that
    had other names for some.
    """

    file: str
    document: Document
    found: dict[Path, Problem]
    path: Path = ()
    lenient: bool = False

    def at(self, *more: str | int) -> Place:
        """The place of a key, or of an element, within this one."""
        return Place(self.file, self.document, self.found, (*self.path, *more), self.lenient)

    @property
    def is_written(self) -> bool:
        """Whether the file has this key."""
        return self.path in self.document.lines

    @property
    def is_clean(self) -> bool:
        """Whether nothing has been reported here, nor for a table around."""
        return not any(self.path[:end] in self.found for end in range(len(self.path) + 1))

    def refuse(
        self, message: str, *, allowed: Collection[str] = (), suggestion: str = "", level: str = "error"
    ) -> UnsetType:
        """Report a problem of this key, unless it or a table around it has one already."""
        if self.is_clean:
            line = self.document.locate(self.path)
            key = dotted(self.path)
            self.found[self.path] = Problem(self.file, line, key, message, tuple(allowed), suggestion, level)
        return UNSET


def dotted(path: Path) -> str:
    """A path as TOML writes a key, with the indexes of elements in brackets."""
    parts = [
        f"[{part}]" if isinstance(part, int) else "." + (part if _BARE.fullmatch(part) else shown(part))
        for part in path
    ]
    return "".join(parts).removeprefix(".")


def shown(value: Any) -> str:  # noqa: ANN401 - any plain value of a TOML file
    """A value as TOML writes it, cut short, and safe for a terminal."""
    if isinstance(value, str):
        value = value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"
        return json.dumps(value, ensure_ascii=not value.isprintable())
    return json.dumps(value)


def closest(word: str, known: Collection[str]) -> str:
    """The known word that was probably meant, or an empty text."""
    return next(iter(difflib.get_close_matches(word, known, n=1)), "")


# --- readers of one value ----------------------------------------------------------------------------------------


def typed(place: Place, value: Any, *kinds: type) -> bool:  # noqa: ANN401 - any plain value of a TOML file
    """Whether the value is exactly of one of these types; reports it otherwise."""
    if type(value) in kinds:
        return True
    place.refuse(f"must be {_TYPES[kinds[0]]}, not {_TYPES.get(type(value), 'a date or time')}")
    return False


def text(*, may_be_empty: bool = True, rule: re.Pattern[str] | None = None, meaning: str = "") -> Reader:
    """A text without NUL, which no program's argument or environment can hold. `meaning` says the rule in words."""

    def read(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
        if not typed(place, value, str):
            return UNSET
        if "\0" in value:
            return place.refuse("must not hold the character NUL")
        if not value.strip() and not may_be_empty:
            return place.refuse("must not be empty")
        if rule and not rule.fullmatch(value):
            return place.refuse(f"must be {meaning}, not {shown(value)}")
        return value

    return read


def optional(reader: Reader) -> Reader:
    """A text of which spaces around it do not count, and which is None when nothing is left."""

    def read(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
        value = value.strip() if isinstance(value, str) else value
        return None if value == "" else reader(place, value)

    return read


def flag(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
    """true or false."""
    return value if typed(place, value, bool) else UNSET


def whole(low: int, high: int) -> Reader:
    """A whole number within bounds."""

    def read(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
        return _within(place, value, low, high) if typed(place, value, int) else UNSET

    return read


def number(low: float, high: float) -> Reader:
    """A number within bounds, with or without a fraction."""

    def read(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
        if not typed(place, value, float, int):
            return UNSET
        value = _within(place, value, low, high)
        return value if value is UNSET else float(value)

    return read


def one_of(*words: str) -> Reader:
    """One of a few words."""

    def read(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
        if value in words:
            return value
        if not typed(place, value, str):
            return UNSET
        return place.refuse(f"unknown value {shown(value)}", allowed=words, suggestion=closest(value, words))

    return read


def _within(place: Place, value: float, low: float, high: float) -> Any:  # noqa: ANN401 - the value, or UNSET
    # Written so that nan, which compares with nothing, is refused too.
    return value if low <= value <= high else place.refuse(f"must be between {low} and {high}, not {shown(value)}")


# --- readers of many values --------------------------------------------------------------------------------------


def listing(element: Reader, *, may_be_empty: bool = True) -> Reader:
    """A list, as a tuple."""

    def read(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
        if not typed(place, value, list):
            return UNSET
        if not value and not may_be_empty:
            return place.refuse("must not be an empty list")
        values = [element(place.at(index), inner) for index, inner in enumerate(value)]
        return tuple(inner for inner in values if inner is not UNSET)

    return read


def mapping(name: Reader, element: Reader) -> Reader:
    """A table whose keys the user chooses. What stands under a bad name is kept, so that it is looked at as well."""

    def read(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
        if not typed(place, value, dict):
            return UNSET
        pairs = {key: element(place.at(key), inner) for key, inner in value.items()}
        for key in value:
            name(place.at(key), key)
        return {key: inner for key, inner in pairs.items() if inner is not UNSET}

    return read


def table(
    make: Callable[..., Any],
    keys: Keys,
    *,
    required: frozenset[str] = frozenset(),
    strict: bool = False,
    old_names: Mapping[str, str] = MappingProxyType({}),
) -> Reader:
    """A table whose keys are known, given to `make` by name. A required one that is missing is an empty text.

    Anything else counts as an empty table once it has been reported, so that elements keep their indexes. In a lenient
    file an unknown key is a warning, unless the table is strict, and `old_names` (old → today's) count too.
    """

    def read(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
        value = value if typed(place, value, dict) else {}
        renamed = old_names if place.lenient else {}
        for old in value.keys() & renamed.keys():
            if renamed[old] in value:
                place.at(old).refuse(f"is another name of {renamed[old]}, which is there too; remove one of them")
        names = {key: renamed.get(key, key) for key in value}
        given = {name: keys[name](place.at(key), value[key]) for key, name in names.items() if name in keys}
        for key, name in names.items():
            if name not in keys:
                _refuse_unknown(place.at(key), keys, warn=place.lenient and not strict)
        for key in required - value.keys():
            place.at(key).refuse("is required")
        blank = dict.fromkeys(required, "")
        return make(**blank | {key: inner for key, inner in given.items() if inner is not UNSET})

    return read


def _refuse_unknown(here: Place, keys: Keys, *, warn: bool) -> None:
    key = str(here.path[-1])
    meant = closest(key, keys)
    message, level = ("unknown key, ignored", "warning") if warn else ("unknown key", "error")
    here.refuse(message, suggestion=meant, allowed=() if meant else sorted(keys), level=level)


def later(reader: Reader, *accepted: Any) -> Reader:  # noqa: ANN401 - values of the reader's type
    """A key whose function is not built yet: only off and its default are accepted; none means that it must go."""

    def read(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
        read_value = reader(place, value)
        if read_value is UNSET or read_value in accepted:
            return read_value
        instead = " or ".join(shown(choice) for choice in accepted if choice is not None)
        way_out = f"remove it or set it to {instead}" if instead else "remove it"
        return place.refuse(f"is not available in this release; {way_out}")

    return read


def ordered(found: Collection[Problem]) -> tuple[Problem, ...]:
    """Problems from the first line to the last."""
    return tuple(sorted(found, key=lambda problem: (problem.line, problem.key)))
