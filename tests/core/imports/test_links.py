"""Dependencies without cycles."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from golemd.core.imports.links import Links, acyclic


def nobody(name: str) -> tuple[str, ...]:
    return ()


def test_what_has_no_cycle_stays_as_it_is() -> None:
    new = {"a": ("b", "c"), "b": ("c", "gone"), "c": ()}
    assert acyclic(new, nobody) == (new, [])


def test_the_link_that_closes_a_cycle_goes() -> None:
    kept, dropped = acyclic({"a": ("b",), "b": ("c",), "c": ("a", "d"), "d": ()}, nobody)
    assert dropped == [("c", "a")]
    assert kept["c"] == ("d",)
    assert acyclic({"a": ("a",)}, nobody) == ({"a": ()}, [("a", "a")])


def test_a_cycle_by_way_of_what_is_there_already_is_opened_at_the_new_end() -> None:
    old = {"x": ("a",), "y": ("x",)}
    kept, dropped = acyclic({"b": ("a",), "a": ("y", "c"), "c": ()}, lambda name: old.get(name, ()))
    assert dropped == [("a", "y")]
    assert kept == {"b": ("a",), "a": ("c",), "c": ()}


def test_a_long_chain_is_followed_without_recursion() -> None:
    chain = {str(n): (str(n + 1),) for n in range(50_000)}
    assert acyclic(chain, nobody)[1] == []
    assert acyclic({**chain, "50000": ("0",)}, nobody)[1] == [("50000", "0")]


NODES = st.integers(0, 7).map(str)
LINKS = st.dictionaries(NODES, st.lists(NODES, max_size=4, unique=True).map(tuple))


@given(LINKS, LINKS)
def test_nothing_goes_in_circles_and_nothing_is_dropped_for_nothing(new: Links, others: Links) -> None:
    old = {name: tuple(to for to in links if to > name) for name, links in others.items() if name not in new}
    kept, dropped = acyclic(new, lambda name: old.get(name, ()))
    assert set(kept) == set(new)
    for name, links in new.items():
        gone = {to for item, to in dropped if item == name}
        assert kept[name] == tuple(to for to in links if to not in gone)
    whole = {**old, **kept}
    assert not any(reaches(whole, to, name) for name, links in whole.items() for to in links)
    if not dropped:
        assert kept == new


def reaches(links: Links, start: str, goal: str) -> bool:
    seen, ahead = {start}, [start]
    while ahead:
        here = ahead.pop()
        if here == goal:
            return True
        following = [to for to in links.get(here, ()) if to not in seen]
        seen.update(following)
        ahead += following
    return False
