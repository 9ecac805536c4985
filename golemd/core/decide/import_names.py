"""What entries of a backlog elsewhere are called here, and what they depend on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from golemd.api.config import ProjectConfig
from golemd.api.faults import Conflict
from golemd.api.model import EndedItem, Item, Project
from golemd.core.imports.entries import Backlog, Entry
from golemd.core.imports.links import Links, acyclic
from golemd.core.state import State

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_NAMED: Final = 5  # of a long list in a sentence


class Source(Struct, frozen=True):
    """Entries that are new here, oldest first, and those that are here already.

    `here`: the ids of the project's items, by what each is called and by what it was called first.
    """

    project: Project
    config: ProjectConfig
    fresh: tuple[Entry, ...]
    there: tuple[tuple[Entry, Item | EndedItem], ...]
    here: dict[str, str]


class Names(Struct, frozen=True):
    """`ids`: entry → id here; `numbers`: id → the number that the project has used up with it."""

    ids: dict[str, str]
    numbers: dict[str, int]


def sorted_out(state: State, project: Project, backlog: Backlog) -> Source:
    """Tell what is new from what is here: called the same at first, and made at the same moment."""
    mine = [item for kind in (state.items, state.ended) for item in kind.values() if item.project == project.name]
    made = {(item.source or item.id, moment): item for item in mine for moment in (item.created_at, "")}
    pairs = [(entry, made.get((called(entry), entry.created_at))) for entry in backlog.entries]
    there = tuple((entry, item) for entry, item in pairs if item is not None)
    fresh = [entry for entry, item in pairs if item is None]
    fresh.sort(key=lambda entry: entry.created_at or "~")  # what does not say is the youngest
    here = {item.id: item.id for item in mine} | {item.source: item.id for item in mine if item.source}
    return Source(project, state.config_of(project.name), tuple(fresh), there, here)


def called(entry: Entry) -> str:
    """What an entry was called first."""
    return entry.source or entry.key


def check_prefixes(state: State, source: Source) -> None:
    """A prefix belongs to one project. Raises Conflict `prefix_taken`, with a proposal."""
    own = source.project
    others = {each.prefix: each.name for each in state.projects.values() if each.name != own.name}
    taken = next((prefix for entry in source.fresh if (prefix := _prefix(entry.key)) in others), None)
    if taken is not None:
        owner = others[taken]
        message = f"It has items {taken}-…, and the prefix {taken} belongs to the project {owner}."
        hint = (
            f"Import it there: golemctl --project {owner} import …, or add --renumber: "
            f"the items become {own.prefix}-1, {own.prefix}-2, …"
        )
        raise Conflict("prefix_taken", message, hint, prefix=taken, owner=owner, proposal=own.prefix)


def _prefix(name: str) -> str:
    return name.rpartition("-")[0]


# --- ids ---------------------------------------------------------------------------------------------------------


def names_of(state: State, source: Source, *, renumber: bool) -> Names:
    """The id of every entry: its own where it is one and is free, else the project's next number."""
    keys = [entry.key for entry in source.fresh]
    kept = {key for key in keys if not renumber and _ID.fullmatch(key) and not is_taken(state, key)}
    named = {*kept, *(name for entry in source.fresh for name in entry.dependencies if not renumber)}
    numbers = _numbers(source.project.prefix, named)
    highest = max(numbers.values(), default=0)
    following = _free(state, source.project, kept, highest)
    ids = {entry.key: item.id for entry, item in source.there}
    for key in keys:
        ids[key] = key
        if key not in kept:
            number = next(following)
            ids[key] = f"{source.project.prefix}-{number}"
            numbers[ids[key]] = number
    if keys:
        numbers[ids[keys[0]]] = max(numbers.get(ids[keys[0]], 0), highest)
    return Names(ids, numbers)


def is_taken(state: State, name: str) -> bool:
    """Whether there is an item of that id, in any project."""
    return name in state.items or name in state.ended


def _numbers(prefix: str, names: Iterable[str]) -> dict[str, int]:
    """The numbers in names of the project's prefix; none when not all of them are numbers: then they are random."""
    mine = {name: name.rpartition("-")[2] for name in names if _prefix(name) == prefix}
    return {name: int(end) for name, end in mine.items()} if all(map(_NUMBER.fullmatch, mine.values())) else {}


def _free(state: State, project: Project, kept: set[str], highest: int) -> Iterator[int]:
    number = max(project.next_number, highest + 1)
    while True:
        name = f"{project.prefix}-{number}"
        if name not in kept and not is_taken(state, name):
            yield number
        number += 1


# --- dependencies ------------------------------------------------------------------------------------------------


def links_of(state: State, source: Source, names: Names) -> tuple[Links, list[str]]:
    """What every new item depends on here, and what leads nowhere or had to be left out."""
    here = source.here | names.ids
    there = set(here.values())
    remarks: list[str] = []
    wanted: Links = {}
    for entry in source.fresh:
        found = {each: here.get(each, each) for each in entry.dependencies}
        lost = [each for each, name in found.items() if name not in there and not is_taken(state, name)]
        if lost:
            message = f"depends on {_listed(lost)}, which is nowhere, and waits for it"
            remarks.append(remark(entry, names, message))
        usable = (name for each, name in found.items() if each not in lost or _ID.fullmatch(each))
        wanted[names.ids[entry.key]] = tuple(dict.fromkeys(usable))
    kept, dropped = acyclic(wanted, lambda name: state.known(name).dependencies if is_taken(state, name) else ())
    entries = {names.ids[entry.key]: entry for entry in source.fresh}
    for name, dependency in dropped:
        message = f"depends on {dependency} in a circle; here it does not"
        remarks.append(remark(entries[name], names, message))
    return kept, remarks


def remark(entry: Entry, names: Names, message: str) -> str:
    """Something that a person should know of an entry."""
    return f"{entry.file}:{entry.line}: {names.ids[entry.key]} {message}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
