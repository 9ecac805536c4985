"""The one table: work, golemd, peer, ratio, target, met; for a terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.bench.contest import Result, Row

HEADS: Final = ("work", "golemd", "peer", "ratio", "floor", "goal", "met")
_LEFT: Final = frozenset({0, len(HEADS) - 1})  # columns of words; the others are numbers


def terminal(results: Sequence[Result]) -> str:
    """Aligned columns."""
    rows = [HEADS, *map(cells, results)]
    widths = _widths(rows)
    return "\n".join("  ".join(_aligned(row, widths)).rstrip() for row in rows)


def markdown(results: Sequence[Result]) -> str:
    """A Markdown table that reads well as it stands, too."""
    rows = [HEADS, *map(cells, results)]
    widths = _widths(rows)
    rule = [("-" * width if at in _LEFT else "-" * (width - 1) + ":") for at, width in enumerate(widths)]
    lines = [_aligned(HEADS, widths), rule, *(_aligned(row, widths) for row in rows[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(result: Result) -> tuple[str, ...]:
    """A result's cells, in the order of HEADS."""
    row = result.row
    theirs = "" if result.theirs is None else measure(result.theirs, row.unit)
    ratio = "" if result.ratio is None else number(result.ratio)
    return (
        row.work,
        measure(result.ours, row.unit),
        theirs,
        ratio,
        _target(row, row.floor),
        _target(row, row.goal),
        result.verdict,
    )


def measure(figure: float, unit: str) -> str:
    """A figure with its unit."""
    return f"{number(figure)} {unit}"


def number(value: float) -> str:
    """Three significant digits, thousands apart: 0.0123, 4.56, 78.9, 12,345."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    digits = f"{value:.3g}"
    return digits if "e" not in digits else f"{value:.6f}".rstrip("0").rstrip(".")


def _target(row: Row, target: float | None) -> str:
    if target is None:
        return ""
    bound = number(target) if row.peer else measure(target, row.unit)
    return f"{'≤' if row.less else '≥'} {bound}"


def _widths(rows: Sequence[tuple[str, ...]]) -> list[int]:
    return [max(len(row[at]) for row in rows) for at in range(len(HEADS))]


def _aligned(row: tuple[str, ...], widths: Sequence[int]) -> list[str]:
    padded = enumerate(zip(row, widths, strict=True))
    return [cell.ljust(width) if at in _LEFT else cell.rjust(width) for at, (cell, width) in padded]
