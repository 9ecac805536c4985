"""Words that people read, said in one way everywhere."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """1 phase, 2 phases."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
