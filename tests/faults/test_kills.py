"""A few of the random kills of `kills.py`, and proof that its eye sees what it is there to see."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from golemd.api import calls, views
from tests.faults.kills import Kills, main
from tests.faults.model import Model
from tests.faults.rig import rig

KILLS = 6
SEED = 20261121


@pytest.mark.proof
def test_random_kills_break_no_promise_and_everything_finishes() -> None:
    with rig() as place:
        session = Kills(place, SEED)
        model = session.run(KILLS)
        assert model.violations == []
        assert model.counts["daemons killed at work"] + model.counts["daemons killed while starting"] >= KILLS
        assert model.counts["acknowledged item.add"] > 0
        assert model.counts["tokens repeated"] > KILLS
        assert model.counts["deep verifications"] > 0
        assert model.counts["live attempts seen"] > 0
        assert model.counts["items done"] > 0
        assert place.clean_up() == []


def test_a_violation_is_the_scripts_exit_status_and_names_the_command_that_repeats_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: Kills, kills: int, until: float) -> Model:
        self.model.violated("a promise")
        return self.model

    monkeypatch.setattr(Kills, "run", broken)
    assert main(["--kills", "3", "--seed", "5"]) == 1
    said = capsys.readouterr().out
    assert "VIOLATION: a promise" in said
    assert "python -m tests.faults.kills --kills 3 --seed 5" in said


# --- the eye -----------------------------------------------------------------------------------------------------

ADD = calls.ItemAdd(title="a title", priority=3, token="t1")
VIEW = views.ItemView(id="DEMO-1", project="demo", title="a title", status="ready", pipeline="plain")


def record(seq: int, kind: str, *, cause: str = "", more: bool = False, **data: Any) -> dict[str, Any]:
    """A record as the model reads it."""
    found = {"seq": seq, "type": kind, "project": "demo", "item": "DEMO-1", "cause": cause, "data": data, "h": str(seq)}
    return found | ({"more": True} if more else {}) | ({"body": "digest"} if cause else {})


def added(seq: int = 1, **data: Any) -> dict[str, Any]:
    return record(seq, "item.added", cause="t1", **{"title": "a title", "priority": 3, **data})


@pytest.mark.parametrize(
    ("records", "what"),
    [
        ([], "in the journal 0 times"),
        ([added(1), added(2)], "in the journal 2 times"),
        ([added(1) | {"more": True}], "in the journal 0 times"),
        ([added(1, title="another")], "another title"),
        ([added(1) | {"item": "DEMO-2"}], "answered with DEMO-1"),
        ([record(1, "item.edited", cause="t1")], "not whole"),
    ],
)
def test_an_acknowledged_command_that_is_not_there_once_and_whole_is_seen(
    records: list[dict[str, Any]], what: str
) -> None:
    model = Model()
    model.take_answer(ADD, VIEW)
    model.check_records(records)
    assert len(model.violations) == 1
    assert what in model.violations[0]
    model = Model()
    model.take_answer(ADD, VIEW)
    model.check_records([added()])
    assert model.violations == []


@pytest.mark.parametrize("again", [VIEW, msgspec.structs.replace(VIEW, id="DEMO-2", repeated=True)])
def test_a_token_that_is_answered_otherwise_the_second_time_is_seen(again: views.ItemView) -> None:
    model = Model()
    model.take_answer(ADD, VIEW)
    model.take_answer(ADD, msgspec.structs.replace(VIEW, repeated=True))
    assert model.violations == []
    model.take_answer(ADD, again)
    assert "again" in model.violations[0]


def test_a_refused_command_that_changed_something_is_seen() -> None:
    model = Model()
    model.refused.add("t1")
    model.check_records([added()])
    assert "refused" in model.violations[0]


def test_a_killed_attempt_that_counts_as_a_success_is_seen() -> None:
    model = Model()
    model.must_be_lost["DEMO-1.1.build.1"] = "its shim"
    model.check_records([record(1, "attempt.accepted", attempt="DEMO-1.1.build.1")])
    assert "success" in model.violations[0]
    model.check_ends([])
    assert "not recorded as lost" in model.violations[1]
