"""A small part of every proof that `python -m tests.faults` gives, and the table that it prints."""

from __future__ import annotations

import subprocess
from typing import Any

import msgspec
import pytest

from tests.faults import __main__ as script
from tests.faults.proof import Budget, Enough, Skipped, Tally
from tests.faults.proofs import PROOFS, Proof, Result, prove

BRIEF = {
    "crashes": 1500,
    "errors": 300,
    "damages": 2000,
    "fuzz": 20_000,
    "hostile": 25,
    "kill points": 6,
    "error points": 6,
    "power cuts": 4,
    "scarce": 4,
}


@pytest.mark.parametrize("proof", [proof for proof in PROOFS if proof.name in BRIEF], ids=lambda proof: proof.name)
def test_a_part_of_the_proof(proof: Proof) -> None:
    result = prove(proof, Budget(BRIEF[proof.name], brief=True))
    if result.skipped:
        pytest.skip(result.skipped)
    assert result.violations == []
    assert result.cases == BRIEF[proof.name]


def test_a_tally_counts_cases_violations_and_what_was_met() -> None:
    tally = Tally(Budget(2))
    assert tally.goes_on
    tally.case(2)
    tally.meet("a torn end")
    assert not tally.goes_on
    assert tally.expect(True, "this")
    assert not tally.expect(False, "that")
    tally.must_have_met(["a torn end", "a full disk"])
    assert (tally.cases, tally.violated, tally.violations) == (2, 2, ["that", "never met: a full disk"])
    brief = Tally(Budget(1, brief=True))
    brief.case()
    with pytest.raises(Enough):
        brief.case()
    with pytest.raises(Enough):
        brief.violation("that")


@pytest.mark.parametrize(
    ("raised", "result"),
    [
        (None, (2, 0, "")),
        (Skipped("no such disk"), (2, 0, "no such disk")),
        (Enough(), (2, 0, "")),
        (ZeroDivisionError(), (2, 1, "")),
    ],
)
def test_a_proof_that_is_skipped_says_why_and_one_that_fails_is_a_violation(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException | None, result: tuple[int, int, str]
) -> None:
    def gives(tally: Tally) -> None:
        tally.case(2)
        if raised is not None:
            raise raised

    monkeypatch.setattr("tests.faults.proof.prove", gives, raising=False)
    proof = Proof("it", "something", 2, "proof")
    found = prove(proof, Budget(2))
    assert (found.cases, found.violated, found.skipped) == result
    assert prove(proof, Budget(3)).violated == (0 if found.skipped or isinstance(raised, Enough) else 1)


def test_the_script_prints_a_table_and_its_exit_status_tells_of_violations(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def elsewhere(seed: int, proof: Proof, seconds: float) -> Result:
        broken = proof.name == "errors"
        return Result(proof.name, proof.cases, broken, 1.5, ["a promise"] * broken, skipped="no" * (not broken))

    monkeypatch.setattr(script, "_elsewhere", elsewhere)
    assert script.main(["--only", "errors", "--only", "damages", "--minutes", "1"]) == 1
    said = capsys.readouterr().out
    assert "10,000" in said
    assert "VIOLATION errors: a promise" in said
    assert "SKIPPED damages: no" in said
    assert script.main(["--only", "damages"]) == 0


def test_a_proof_in_a_process_of_its_own_hands_its_result_back(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = msgspec.structs.replace(PROOFS[0], cases=1)
    words: list[str] = []
    answer = msgspec.json.encode(Result(tiny.name, 1)) + b"\n"

    def run(argv: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        words.extend(argv)
        return subprocess.CompletedProcess(argv, 0, answer)

    monkeypatch.setattr(subprocess, "run", run)
    assert script._elsewhere(7, tiny, 2.5) == Result(tiny.name, 1)
    assert words[3:] == ["--here", "--only", tiny.name, "--cases", "1", "--seconds", "2.5", "--seed", "7"]
    answer = b""
    assert script._elsewhere(7, tiny, 0).violated == 1
