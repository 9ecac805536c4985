"""Dependencies without cycles: which of new ones have to go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

Links = dict[str, tuple[str, ...]]


def acyclic(
    new: Mapping[str, tuple[str, ...]], others: Callable[[str], Sequence[str]]
) -> tuple[Links, list[tuple[str, str]]]:
    """The dependencies of new items without those that close a cycle, and those: (item, dependency).

    `others` tells the dependencies of items that are there already, which stay as they are and have no cycle among
    themselves.
    """
    kept: Links = dict(new)
    dropped: list[tuple[str, str]] = []
    while True:
        closing = _closing(kept, others)
        if not closing:
            return kept, dropped
        dropped += closing
        for item, dependency in closing:
            kept[item] = tuple(each for each in kept[item] if each != dependency)


def _closing(new: Links, others: Callable[[str], Sequence[str]]) -> list[tuple[str, str]]:
    """Links of new items of which each closes a cycle; none when there is no cycle.

    Depth first, without recursion. A link of another item that closes one stands for the last new link on the way.
    """
    over: set[str] = set()
    found: list[tuple[str, str]] = []
    for root in new:
        if root in over:
            continue
        way = [root]
        on_way = {root}
        ahead = [iter(new[root])]
        while way:
            following = next(ahead[-1], None)
            if following is None:
                here = way.pop()
                ahead.pop()
                on_way.discard(here)
                over.add(here)
            elif following in on_way:
                if (link := _last_new(way, following, new)) not in found:
                    found.append(link)
            elif following not in over:
                way.append(following)
                on_way.add(following)
                ahead.append(iter(new[following] if following in new else others(following)))
    return found


def _last_new(way: list[str], first: str, new: Links) -> tuple[str, str]:
    """The last link of a new item on the cycle that leads from the end of the way back to `first`."""
    cycle = [*way[way.index(first) :], first]
    return next((item, to) for item, to in reversed(list(pairwise(cycle))) if item in new)
