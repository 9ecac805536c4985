"""Readers of the values that items of other programs have, and how much of them golemd takes.

`nullable` and `doubtful` wrap readers of `core.keys`. What is too long for golemd, and can be shortened without losing
it, is shortened; the rest is refused, with its place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET

from golemd.api.model import Brief, Past
from golemd.core import times
from golemd.core.imports.rows import Row
from golemd.core.keys import Place, Reader, listing, one_of, text, typed
from golemd.core.limits import MAX_DEPENDENCIES, MAX_DESCRIPTION, MAX_LABEL, MAX_LABELS, MAX_PRIORITY, MAX_TITLE

MAX_EXTRA: Final = 65_536  # characters of JSON that golemd has no place for, of one item
MAX_HISTORY: Final = 100  # notes of one item; the newest are kept
MAX_HISTORY_TEXT: Final = 500  # characters of one of them

TEXT: Final = text()
TEXTS: Final = listing(text())
WORD: Final = text(may_be_empty=False)
SIZE: Final = one_of("small", "medium", "large")
LEVEL: Final = one_of("low", "medium", "high")


def nullable(reader: Reader) -> Reader:
    """Null, and for a text an empty one, is as if the key were not there."""

    def read(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
        return UNSET if value is None or value == "" else reader(place, value)

    return read


def doubtful(reader: Reader) -> Reader:
    """What cannot be read is said, and counts as if it were not there."""

    def read(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
        probe = Place(place.file, place.document, {}, place.path)
        taken = nullable(reader)(probe, value)
        for problem in list(probe.found.values())[:1]:
            message = f"{problem.message}; it is kept and not used"
            place.refuse(message, allowed=problem.allowed, level="warning")
        return taken

    return read


def moment(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
    """A time, as records write it."""
    if not typed(place, value, str):
        return UNSET
    try:
        return times.utc(value.strip())
    except ValueError:
        return place.refuse("must be a time such as 2026-03-01T09:00:00Z")


def whole(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
    """A whole number of any size."""
    return value if typed(place, value, int) else UNSET


def brief(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
    """What triage made of an item; parts that are no texts are said."""
    if not typed(place, value, dict):
        return UNSET
    parts = {name: value[name] for name in Brief.__struct_fields__ if isinstance(value.get(name), str)}
    if parts.keys() != value.keys():
        place.refuse("has parts that golemd does not know", level="warning")
    return Brief(**parts)


# --- one row -----------------------------------------------------------------------------------------------------


def taken(place: Place, row: Row, keys: Mapping[str, Reader], required: frozenset[str]) -> dict[str, Any] | None:
    """The row's values by key, those that say nothing left out; None when one of them is wrong or missing."""
    given = {key: keys[key](place.at(key), value) for key, value in row.data.items()}
    for key in required - row.data.keys():
        place.at(key).refuse("is required")
    good = all(problem.level != "error" for problem in place.found.values())
    return {key: value for key, value in given.items() if value is not UNSET} if good else None


def left_over(place: Place, row: Row, used: Collection[str]) -> dict[str, str]:
    """What golemd has no place for, and what it could not take as it is written: JSON texts by key."""
    doubted = {path[0] for path in place.found}
    return {key: kept for key, kept in row.kept.items() if (key not in used or key in doubted) and kept not in _NOTHING}


_NOTHING: Final = frozenset({"null", '""'})


# --- what golemd takes -------------------------------------------------------------------------------------------


def fitted_title(place: Place, title: str, description: str) -> tuple[str, str]:
    """The title on one line and not too long; one that had to be shortened is the beginning of the description."""
    whole = title.strip()
    line = " ".join(whole.splitlines()) if "\n" in whole or "\r" in whole else whole
    if not line:
        place.refuse("must not be empty")
    elif len(line) > MAX_TITLE:
        place.refuse(f"has more than {MAX_TITLE} characters; all of it is in the description", level="warning")
        return line[: MAX_TITLE - 1] + "…", f"{whole}\n\n{description}".strip()
    elif line != whole:
        place.refuse("is put on one line", level="warning")
    return line, description


def fitted_labels(place: Place, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels that are none too long, as many as golemd takes."""
    whole = tuple(dict.fromkeys(label.strip() for label in labels if label.strip()))
    taken = tuple(label for label in whole if len(label) <= MAX_LABEL)[:MAX_LABELS]
    if taken != whole:
        message = f"of {len(whole)} labels {len(taken)} are taken: at most {MAX_LABELS} of {MAX_LABEL} characters"
        place.refuse(message, level="warning")
    return taken


def fitted_priority(place: Place, priority: int) -> int:
    """The priority within golemd's bounds."""
    taken = max(-MAX_PRIORITY, min(MAX_PRIORITY, priority))
    if taken != priority:
        place.refuse(f"is taken as {taken}", level="warning")
    return taken


def fitted_history(notes: list[Past]) -> tuple[Past, ...]:
    """The newest notes, short, oldest first."""
    notes.sort(key=lambda note: note.at)
    return tuple(
        Past(note.at, _short(note.text, MAX_HISTORY_TEXT), _short(note.by, 100)) for note in notes[-MAX_HISTORY:]
    )


def _short(line: str, most: int) -> str:
    return line if len(line) <= most else line[: most - 1] + "…"


def check_size(place: Place, description: str, dependencies: tuple[str, ...], extra: dict[str, str]) -> None:
    """Report what is more than golemd takes of one item."""
    if len(description) > MAX_DESCRIPTION:
        place.at("description").refuse(f"has {len(description)} characters; at most {MAX_DESCRIPTION} are taken")
    if len(dependencies) > MAX_DEPENDENCIES:
        place.at("dependencies").refuse(f"has {len(dependencies)} entries; at most {MAX_DEPENDENCIES} are taken")
    if (size := sum(len(key) + len(value) for key, value in extra.items())) > MAX_EXTRA:
        place.refuse(f"has {size} characters under keys that golemd does not know; at most {MAX_EXTRA} are kept")


def as_json(value: Any) -> str:  # noqa: ANN401 - any plain value
    """A plain value as JSON text."""
    return msgspec.json.encode(value).decode()
