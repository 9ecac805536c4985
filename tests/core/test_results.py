"""An agent's result file: what is required, what is dropped with a warning, what rejects it."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golemd.api.model import Assessments, Brief, Finding, ResultCode
from golemd.core.results import (
    MAX_LISTED,
    MAX_NOTE,
    MAX_RESULT_BYTES,
    MAX_TEXT,
    MAX_TITLE,
    Result,
    Wish,
    read_result,
)

GOOD: Final = {"item_id": "WRK-1", "phase": "build", "result": "phase_complete", "summary": "done"}


def read(**changes: Any) -> Result | str:
    return read_result(json.dumps({**GOOD, **changes}).encode())


def good(**changes: Any) -> Result:
    found = read(**changes)
    assert isinstance(found, Result)
    return found


@pytest.mark.parametrize("code", ResultCode)
def test_the_required_fields_make_a_result(code: ResultCode) -> None:
    assert read(result=str(code)) == Result("WRK-1", "build", code, "done")


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, 1, ["x"], {}])
def test_a_required_field_that_is_no_text_rejects_the_result(name: str, value: object) -> None:
    assert name in str(read(**{name: value}))
    missing = {key: text for key, text in GOOD.items() if key != name}
    assert name in str(read_result(json.dumps(missing).encode()))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'"\xff"', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "one JSON object"),
        (b"x" * (MAX_RESULT_BYTES + 1), "larger than"),
    ],
)
def test_what_is_not_one_object_is_told_in_words(data: bytes, words: str) -> None:
    assert words in str(read_result(data))


def test_an_unknown_result_is_told_with_the_known_ones() -> None:
    assert str(read(result="done")).endswith("none of phase_complete, subphase_complete, failed, blocked")


@pytest.mark.parametrize("name", ["context", "question", "commit_summary"])
def test_optional_texts_are_kept_or_dropped_with_a_warning(name: str) -> None:
    assert getattr(good(**{name: "text"}), name) == "text"
    assert good(**{name: None}) == good()
    dropped = good(**{name: 7})
    assert (getattr(dropped, name), dropped.warnings) == ("", (f"{name} is not a text and was dropped",))


def test_assessments_are_kept_one_by_one() -> None:
    found = good(updated_assessments={"size": "large", "risk": "large", "impact": None, "complexity": ["low"], "x": 1})
    assert found.assessments == Assessments(size="large")
    assert len(found.warnings) == 2
    assert good(updated_assessments="small").warnings == ("updated_assessments is not an object and was dropped",)


def test_follow_ups_are_texts_or_objects_and_each_is_kept_or_dropped_on_its_own() -> None:
    whole = {"title": " Tidy\nup ", "context": "why", "suggested_size": "small", "suggested_risk": "low"}
    found = good(follow_ups=["Write docs", whole, {"title": "Try", "suggested_size": "tiny"}, 7, " ", {"context": "x"}])
    assert found.follow_ups == (Wish("Write docs"), Wish("Tidy up", "why", "small", "low"), Wish("Try"))
    assert len(found.warnings) == 5
    assert good(follow_ups="one").warnings == ("follow_ups is not a list and was dropped",)


def test_follow_ups_by_the_thousand_are_cut_and_said() -> None:
    found = good(follow_ups=["x" * 1000] * 1000)
    assert len(found.follow_ups) == MAX_LISTED
    assert len(found.follow_ups[0].title) == MAX_TITLE
    assert found.warnings == (f"follow_ups names 1000; only the first {MAX_LISTED} were looked at",)


def test_findings_say_where_and_how_bad() -> None:
    whole = {"title": "Leak", "severity": "high", "text": "y" * 9999, "file": "a.py", "line": 7}
    found = good(findings=[whole, {"text": "only text"}, {"title": "No line", "line": -1}, {"line": 3}])
    assert found.findings == (
        Finding("Leak", "high", "y" * MAX_NOTE, "a.py", 7),
        Finding("only text", text="only text"),
        Finding("No line"),
    )
    assert found.warnings == ("findings[3] has no title and was dropped",)


def test_what_triage_says() -> None:
    found = good(
        pipeline_type="docs",
        duplicates=["WRK-2"],
        description={"problem": "slow", "impact": 3},
        question_kind="decision",
        based_on_commit="abc",
    )
    assert (found.pipeline, found.duplicates, found.brief) == ("docs", ("WRK-2",), Brief(problem="slow"))
    assert (found.question_kind, found.based_on_commit) == ("decision", "abc")
    assert found.warnings == ("description.impact is not a text and was dropped",)
    assert good(description="all of it").brief == Brief(context="all of it")
    assert good(question_kind="").question_kind == ""
    assert good(question_kind="whim").warnings == ("question_kind is none of decision, clarification and was dropped",)


def test_long_texts_are_cut_and_unknown_fields_ignored() -> None:
    found = good(summary="x" * (MAX_TEXT + 1), question="y" * (MAX_TEXT + 1), surprise=1)
    assert (len(found.summary), len(found.question), found.warnings) == (MAX_TEXT, MAX_TEXT, ())


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(repr).map(str.encode)
)
def test_any_bytes_give_a_result_or_a_sentence(data: bytes) -> None:
    assert isinstance(read_result(data), str | Result)
