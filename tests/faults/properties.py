"""The state machines of the tests, with thousands of examples: any life of a daemon's core, any life of a journal.

In the quick proof their lives are short; with more time they are as long as in the tests, and come from fresh dice.
"""

from __future__ import annotations

from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from msgspec import Struct

from tests.adapters.journal.test_crashes import JournalMachine
from tests.core.test_machine import Daemon
from tests.faults.proof import Tally

FRESH: Final = 50  # examples of one machine, before the other's turn


class Machine(Struct, frozen=True):
    """A state machine, and how many steps its lives have in the quick proof, and in the long one."""

    machine: type[RuleBasedStateMachine]
    few: int
    many: int


MACHINES: Final = (Machine(Daemon, 10, 40), Machine(JournalMachine, 3, 12))


def prove(tally: Tally) -> None:
    """As many examples of each as are promised, always the same ones; then fresh ones until the time is over."""
    each = -(-tally.budget.cases // len(MACHINES))
    for machine in MACHINES:
        _run(tally, machine, examples=each, steps=machine.few, derandomize=True)
    while tally.goes_on and not tally.violated:
        for machine in MACHINES:
            _run(tally, machine, examples=FRESH, steps=machine.many, derandomize=False)


def _run(tally: Tally, machine: Machine, *, examples: int, steps: int, derandomize: bool) -> None:
    ended = 0

    class Counted(machine.machine):  # type: ignore[name-defined,misc]  # which one is known at run time only
        def teardown(self) -> None:
            nonlocal ended
            ended += 1
            super().teardown()

    how: dict[str, Any] = {"max_examples": examples, "stateful_step_count": steps, "derandomize": derandomize}
    quiet = settings(**how, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    name = machine.machine.__name__
    try:
        run_state_machine_as_test(Counted, settings=quiet)
    except Exception as error:
        tally.violation(f"{name}: {error!r}; {' '.join(getattr(error, '__notes__', []))}")
    tally.case(ended)
    tally.meet(name, ended)
    tally.expect(ended >= examples, f"{name}: only {ended} of {examples} examples")
