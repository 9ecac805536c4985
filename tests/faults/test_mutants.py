"""How defects are planted: what is found, what survives and what is out of date are told apart, and nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.faults.mutants import plant
from tests.faults.mutants.table import FINDER, MUTANTS, Mutant
from tests.faults.proof import Budget, Tally

FOUND = MUTANTS[0]
SURVIVES = msgspec.structs.replace(FOUND, name="harmless", new="        pass\n" + FOUND.old)
OUTDATED = msgspec.structs.replace(FOUND, name="out of date", old="nobody has written this")


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    with plant.copied() as found:
        yield found


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_can_be_planted(copy: Path, mutant: Mutant) -> None:
    with plant.planted(copy, mutant):
        assert (copy / mutant.file).read_text() != (plant.SOURCES / mutant.file).read_text()


def test_a_planted_defect_is_found_and_the_copy_restored(copy: Path) -> None:
    assert plant.survived(copy, FOUND) == ""
    assert (copy / FOUND.file).read_text() == (plant.SOURCES / FOUND.file).read_text()


def test_one_that_survives_and_one_that_is_out_of_date_are_named(copy: Path) -> None:
    brief = msgspec.structs.replace(SURVIVES, finder=(FINDER, "crashes", "20"))
    assert plant.survived(copy, brief).startswith("harmless: ")
    assert plant.survived(copy, OUTDATED).startswith("out of date: its text is 0 times in ")
    assert "does not compile" in plant.survived(copy, msgspec.structs.replace(FOUND, new="        )\n"))


def test_a_finder_that_finds_something_where_nothing_is_planted_is_named(copy: Path) -> None:
    assert "ends with 4" in plant.astray(copy, ("pytest", "-q", "there/is/no/such/test.py"))


def test_survivors_are_violations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plant, "MUTANTS", (OUTDATED, FOUND))
    monkeypatch.setattr(plant, "astray", lambda copy, finder: "")
    tally = Tally(Budget(2))
    plant.prove(tally)
    assert (tally.cases, tally.violated) == (2, 1)
