"""That rows which borrow from the tests see a failure there: a state machine's, a service's, a session of kills'."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.faults import jobs, properties, service
from tests.faults.kills import Kills
from tests.faults.model import Model
from tests.faults.proof import Budget, Skipped, Tally


class Sound(RuleBasedStateMachine):
    @rule()
    def go_on(self) -> None:
        pass


class Unsound(RuleBasedStateMachine):
    @rule()
    def fail(self) -> None:
        raise AssertionError("a promise")


@pytest.mark.parametrize(("machine", "violated"), [(Sound, 0), (Unsound, 1)])
def test_a_state_machine_that_fails_is_a_violation(
    monkeypatch: pytest.MonkeyPatch, machine: type[RuleBasedStateMachine], violated: int
) -> None:
    monkeypatch.setattr(properties, "MACHINES", (properties.Machine(machine, 2, 2),))
    tally = Tally(Budget(5))
    properties.prove(tally)
    assert bool(tally.violated) is bool(violated)
    assert tally.cases >= (1 if violated else 5)
    assert all("promise" in violation or "only" in violation for violation in tally.violations)


REPORT = '<testsuites><testsuite><testcase name="one"/><testcase name="two">{}</testcase></testsuite></testsuites>'


@pytest.mark.parametrize(
    ("inside", "violations"), [("", []), ('<failure message="it did not stop"/>', ["two: it did not stop"])]
)
def test_a_case_of_the_service_that_fails_is_a_violation(
    monkeypatch: pytest.MonkeyPatch, inside: str, violations: list[str]
) -> None:
    _report(monkeypatch, inside)
    tally = Tally(Budget(2))
    service.prove(tally)
    assert (tally.cases, tally.violations) == (2, violations)


def test_without_systemd_the_service_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    _report(monkeypatch, '<skipped message="it needs root"/>')
    with pytest.raises(Skipped, match="it needs root"):
        service.prove(Tally(Budget(2)))


def _report(monkeypatch: pytest.MonkeyPatch, inside: str) -> None:
    def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        Path(words[-1].removeprefix("--junitxml=")).write_text(REPORT.format(inside))
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(subprocess, "run", run)


def test_what_a_session_of_kills_has_found_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Kills, kills: int) -> Model:
        self.jobs = 3
        self.model.violated("a promise")
        return self.model

    monkeypatch.setattr(Kills, "run", broken)
    tally = Tally(Budget(3))
    jobs.prove(tally)
    assert tally.cases == 3
    assert tally.violations[0] == "seed 0: a promise"
