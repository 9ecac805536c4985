"""Guardrails: which of an item's assessments are above what goes on without a human. Pure arithmetic of words."""

from __future__ import annotations

from typing import Final

from golemd.api.config import Guardrails
from golemd.api.model import Assessments, Item
from golemd.core.results import DIMENSIONS, LEVELS, SIZES

_MAXIMA: Final = {"size": ("max_size", SIZES), "complexity": ("max_complexity", LEVELS), "risk": ("max_risk", LEVELS)}


def exceeded(limits: Guardrails, assessed: Assessments, approved: Assessments) -> tuple[str, ...]:
    """The assessed dimensions above their maximum, in words; what a human approved before passes up to there."""
    found = []
    for name, (limit, words) in _MAXIMA.items():
        value = getattr(assessed, name)
        if not value:  # not assessed, so it passes
            continue
        highest = getattr(limits, limit)
        passes = max(_rank(words, highest), _rank(words, getattr(approved, name)))
        if _rank(words, value) > passes:
            found.append(f"{name} {value} (at most {highest})")
    return tuple(found)


def _rank(words: tuple[str, ...], value: str) -> int:
    """Where a word stands among its own; what is none of them stands below all."""
    return words.index(value) if value in words else -1


def unassessed(item: Item) -> tuple[str, ...]:
    """The dimensions of which nothing is known."""
    return tuple(name for name in DIMENSIONS if not getattr(item.assessments, name))


def question(item: Item, problems: tuple[str, ...]) -> str:
    """What the human is asked."""
    unknown = unassessed(item)
    more = f" Not assessed: {', '.join(unknown)}." if unknown else ""
    return f"{item.title}: above the guardrails: {', '.join(problems)}.{more} Go on all the same?"
