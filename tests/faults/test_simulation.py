"""A small part of the simulation of the whole daemon, and the defects that it must find."""

from __future__ import annotations

import pytest

from tests.faults.proof import Budget
from tests.faults.proofs import named, prove
from tests.faults.simulation import __main__ as script
from tests.faults.simulation.canaries import CANARIES, Canary
from tests.faults.simulation.determinism import digests
from tests.faults.simulation.seed import simulate

FIRST = 0
CANARY_SEEDS = 60  # within so many, each defect must be found


def test_a_part_of_the_proof() -> None:
    result = prove(named("simulation"), Budget(6, brief=True))
    assert result.violations == []
    assert result.cases == 6


def test_a_fresh_process_lives_the_same_life() -> None:
    here = simulate(FIRST)
    (there,) = digests(FIRST, FIRST, hash_seed=99)
    assert there == f"seed {FIRST}: {here.records} records, digest {here.digest}"
    assert here.records > 20


def test_another_seed_is_another_life() -> None:
    assert simulate(FIRST).digest != simulate(FIRST + 1).digest


@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: canary.name)
def test_a_planted_defect_is_found(canary: Canary) -> None:
    for seed in range(CANARY_SEEDS):
        with canary.plant():
            if simulate(seed).violations:
                return
    pytest.fail(f"{canary.name}: not found in {CANARY_SEEDS} seeds")


def test_a_seed_that_fails_is_told_with_its_history(capsys: pytest.CaptureFixture[str]) -> None:
    with CANARIES[0].plant():
        assert script.main(["--seed", "0"]) == 1
        assert script.main(["--seeds", "0-1"]) == 1
    told = capsys.readouterr().out
    assert "asks ProjectInit" in told
    assert "BROKEN" in told
    assert "VIOLATION" in told
    assert "2 seeds, 2 failed" in told
