"""`--only KEY=VALUE[,VALUE]`: which items are meant.

A comma is OR within one key; several words are AND. Words that could match nothing or say the same twice are mistakes
and are refused. An item without the attribute never matches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import Final

from msgspec import Struct

from golemd.api.faults import Invalid
from golemd.api.model import ENDED, EndedItem, Item, Status

LEVELS: Final = ("low", "medium", "high")
SIZES: Final = ("small", "medium", "large")

_WORD: Final = re.compile(r"\s*([A-Za-z_]*)\s*(=|(?=[<>]))(.*)", re.DOTALL)
_ONE: Final = re.compile(r"-?\d{1,7}")
_SPAN: Final = re.compile(r"(-?\d{1,7})?\.\.(-?\d{1,7})?")
_BOUND: Final = re.compile(r"([<>]=?)\s*(-?\d{1,7})")
_SHOWN: Final = 60  # characters of a wrong word that are quoted


class Term(Struct, frozen=True):
    """One word: the item's `key` must be one of `values`, which are written out in full, as in `priority=3..7`."""

    key: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.key}={','.join(self.values)}"


class Filter(Struct, frozen=True):
    """What all items that are meant have in common; without terms, nothing: then every item is meant."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(str(term) for term in self.terms)

    def matches(self, item: Item | EndedItem) -> bool:
        """Whether this item is meant."""
        return all(_MATCHES.get(term.key, _is_one_of)(item, term) for term in self.terms)

    @property
    def wants_ended(self) -> bool:
        """Whether it asks for done or cancelled items by name."""
        return any(term.key == "status" and not ENDED.isdisjoint(term.values) for term in self.terms)


ALL: Final = Filter()


def parse(words: Iterable[str], pipelines: Collection[str] = ()) -> Filter:
    """The filter that words such as `size=small,m` stand for. `pipelines`: those there are, where they are known.

    Raises Invalid `invalid_filter`, whose hint lists what is allowed.
    """
    terms: list[Term] = []
    for word in words:
        term = _term(word, pipelines)
        earlier = next((each for each in terms if each.key == term.key), None)
        if term in terms:
            raise _refused(f"--only {_quoted(word)} is given twice.", "Leave one of them out.")
        if earlier is not None and term.key not in _SEVERAL:
            joined = ",".join(dict.fromkeys((*earlier.values, *term.values)))
            message = f"No item can match both {earlier} and {term}."
            raise _refused(message, f"For either of them: --only {term.key}={joined}")
        terms.append(term)
    return Filter(tuple(terms))


def _term(word: str, pipelines: Collection[str]) -> Term:
    match = _WORD.fullmatch(word)
    if match is None:
        raise _refused(f"--only {_quoted(word)} is not KEY=VALUE.", _keys())
    name, text = match[1].lower(), match[3]
    key = _ALIASES.get(name, name)
    if key not in KEYS:
        raise _refused(f"--only knows no {_quoted(match[1])}.", _keys())
    given = [value.strip() for value in text.split(",")]
    if not all(given):
        raise _refused(f"--only {_quoted(word)} has an empty value.", f"{key} is {_allowed(key, pipelines)}.")
    values = tuple(_value(key, value, pipelines) for value in given)
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise _refused(f"--only {_quoted(word)} names {_quoted(twice)} twice.", "Name each value once.")
    return Term(key, values)


def _value(key: str, given: str, pipelines: Collection[str]) -> str:
    """A value written out in full."""
    value = KEYS[key](given) if key != "pipeline" or not pipelines or given in pipelines else None
    if value is None:
        raise _refused(f"{key} is never {_quoted(given)}.", f"{key} is {_allowed(key, pipelines)}.")
    return value


# --- what each key accepts ---------------------------------------------------------------------------------------


def _level(words: tuple[str, ...]) -> Callable[[str], str | None]:
    """One of the words; its first letter is enough."""

    def read(given: str) -> str | None:
        return next((word for word in words if given.lower() in (word, word[0])), None)

    return read


def _status(given: str) -> str | None:
    plain = given.lower().replace("-", "_")
    return plain if plain in tuple(Status) else None


def _exact(given: str) -> str:
    return given


def _priority(given: str) -> str | None:
    """A priority or a range of them, as `low..high` with either end open, or a number alone."""
    if _ONE.fullmatch(given):
        return str(int(given))
    if bound := _BOUND.fullmatch(given):
        number = int(bound[2]) + {">": 1, "<": -1}.get(bound[1], 0)
        return f"{number}.." if bound[1][0] == ">" else f"..{number}"
    span = _SPAN.fullmatch(given)
    if span is None or given == "..":
        return None
    low, high = (str(int(end)) if end else "" for end in span.groups())
    return f"{low}..{high}" if not (low and high) or int(low) <= int(high) else None


KEYS: Final[dict[str, Callable[[str], str | None]]] = {
    "status": _status,
    "impact": _level(LEVELS),
    "size": _level(SIZES),
    "risk": _level(LEVELS),
    "complexity": _level(LEVELS),
    "label": _exact,
    "pipeline": _exact,
    "priority": _priority,
}
"""Each key with what writes its values out in full; None for what it does not accept."""
_ALIASES: Final = {"tag": "label", "pipeline_type": "pipeline"}
_SEVERAL: Final = frozenset({"label", "priority"})  # several of these can hold at once
_ALLOWED: Final = {
    "status": f"one of {', '.join(Status)}",
    "size": f"one of {', '.join(SIZES)}",
    **dict.fromkeys(("impact", "risk", "complexity"), f"one of {', '.join(LEVELS)}"),
    "label": "any text without commas",
    "pipeline": "the name of a pipeline",
    "priority": "such as 5, 3..7, 5.. (5 or more), ..5, '>=5' or '<5'",
}


# --- matching ----------------------------------------------------------------------------------------------------


def _is_one_of(item: Item | EndedItem, term: Term) -> bool:
    holder = item if term.key in ("status", "pipeline") else item.assessments
    return getattr(holder, term.key) in term.values


def _has_label(item: Item | EndedItem, term: Term) -> bool:
    return any(label in term.values for label in item.labels)


def _is_within(item: Item | EndedItem, term: Term) -> bool:
    return any(_within(item.priority, value) for value in term.values)


def _within(number: int, value: str) -> bool:
    low, dots, high = value.partition("..")
    if not dots:
        return number == int(low)
    return (not low or number >= int(low)) and (not high or number <= int(high))


_MATCHES: Final[dict[str, Callable[[Item | EndedItem, Term], bool]]] = {"label": _has_label, "priority": _is_within}


# --- refusing ----------------------------------------------------------------------------------------------------


def _keys() -> str:
    return f"Keys are {', '.join(KEYS)}; such as --only size=small,medium --only label=docs"


def _allowed(key: str, pipelines: Collection[str]) -> str:
    return f"one of {', '.join(sorted(pipelines))}" if key == "pipeline" and pipelines else _ALLOWED[key]


def _quoted(word: str) -> str:
    return repr(word if len(word) <= _SHOWN else word[: _SHOWN - 1] + "…")


def _refused(message: str, hint: str) -> Invalid:
    return Invalid("invalid_filter", message, hint)
