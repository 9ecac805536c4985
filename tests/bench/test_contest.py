"""The benchmarks' own arithmetic: rounds in turn, medians, ratios, verdicts; and how they are shown."""

from __future__ import annotations

import pytest

from tests.bench import table
from tests.bench.contest import FLOOR, GOAL, MISSED, UNJUDGED, Contest, Row, judge, play, verdict

MORE = Row("append", "/s", "ours", 1.0, 1.3, peer="theirs")
LESS = Row("ping", "ms", "ours", 1.0, 0.3, less=True)


def test_turns_are_played_in_turn_and_every_round_is_told() -> None:
    played: list[str] = []

    def turn(name: str) -> dict[str, float]:
        played.append(name)
        return {name: 1.0}

    contest = Contest([lambda: turn("a"), lambda: turn("b")], [Row("work", "/s", "a", peer="b")])
    told: list[int] = []
    play(contest, 3, told.append)
    assert played == ["a", "b"] * 3
    assert told == [0, 1, 2]


def test_the_ratio_is_the_median_of_the_ratios_and_not_the_ratio_of_the_medians() -> None:
    result = judge(MORE, {"ours": [10.0, 20.0, 90.0], "theirs": [10.0, 40.0, 30.0]})
    assert (result.ours, result.theirs, result.ratio) == (20.0, 30.0, 1.0)
    assert result.verdict == FLOOR


def test_a_peer_that_measured_nothing_is_no_division_by_zero() -> None:
    assert judge(MORE, {"ours": [1.0], "theirs": [0.0]}).ratio == float("inf")


def test_a_figure_without_a_peer_is_held_against_bounds_of_its_own_unit() -> None:
    result = judge(LESS, {"ours": [0.2, 0.9, 5.0]})
    assert (result.ours, result.theirs, result.ratio, result.verdict) == (0.9, None, None, FLOOR)


@pytest.mark.parametrize(
    ("row", "figure", "expected"),
    [
        (MORE, 1.3, GOAL),
        (MORE, 1.29, FLOOR),
        (MORE, 1.0, FLOOR),
        (MORE, 0.99, MISSED),
        (LESS, 0.3, GOAL),
        (LESS, 0.31, FLOOR),
        (LESS, 1.0, FLOOR),
        (LESS, 1.01, MISSED),
        (Row("shown only", "/s", "ours"), 0.0, UNJUDGED),
        (Row("none at all", "/s", "ours", 0.0, 0.0, less=True), 0.0, GOAL),
        (Row("none at all", "/s", "ours", 0.0, 0.0, less=True), 0.1, MISSED),
    ],
)
def test_every_verdict(row: Row, figure: float, expected: str) -> None:
    assert verdict(row, figure) == expected


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (0.01234, "0.0123"),
        (4.5678, "4.57"),
        (78.94, "78.9"),
        (999.9, "1,000"),
        (12345.6, "12,346"),
        (1e-5, "0.00001"),
    ],
)
def test_numbers_have_three_digits_that_count(value: float, shown: str) -> None:
    assert table.number(value) == shown


def test_the_table_is_aligned_in_a_terminal_and_legal_as_markdown() -> None:
    results = [judge(MORE, {"ours": [2000.0], "theirs": [1000.0]}), judge(LESS, {"ours": [0.5]})]
    lines = table.terminal(results).splitlines()
    assert lines[0].split() == list(table.HEADS)
    assert [line.split() for line in lines[1:]] == [
        ["append", "2,000", "/s", "1,000", "/s", "2", "≥", "1", "≥", "1.3", "goal"],
        ["ping", "0.5", "ms", "≤", "1", "ms", "≤", "0.3", "ms", "floor"],
    ]
    marked = table.markdown(results).splitlines()
    assert {line.count("|") for line in marked} == {len(table.HEADS) + 1}
    assert len({len(line) for line in marked}) == 1
    assert marked[1].replace("|", "").replace(" ", "").strip("-:") == ""
