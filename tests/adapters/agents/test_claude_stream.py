"""What Claude Code's stream means, from samples: every kind of end, and every kind of damage."""

from __future__ import annotations

import json
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golemd.adapters import agents
from golemd.adapters.agents import Reading
from golemd.adapters.agents.claude_stream import MAX_ERROR_BYTES, MAX_LINE_BYTES, MAX_NAME, ClaudeReader
from tests.adapters.agents import samples
from tests.adapters.agents.samples import ANSWER, MODEL, RESET_S, SESSION, WHOLE


def read(stream: bytes, status: int | None = 0, errors: bytes = b"") -> Reading:
    reader = agents.reader("claude")
    reader.feed(stream)
    reader.feed_errors(errors)
    return reader.reading(status)


def test_a_whole_run_is_a_success_with_all_that_it_said() -> None:
    found = read(WHOLE)
    assert found.result is not None
    assert json.loads(found.result) == ANSWER
    assert found == Reading(
        session=SESSION,
        model=MODEL,
        cost_usd=0.25,
        input_tokens=2460,
        output_tokens=100,
        result=found.result,
        ended=True,
        success=True,
        message="All done.",
    )


@settings(deadline=None)
@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_however_the_stream_is_cut_into_pieces_it_says_the_same(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(WHOLE)]
    reader = ClaudeReader()
    for start, end in pairwise(places):
        reader.feed(WHOLE[start:end])
    assert reader.reading(0) == read(WHOLE)


@settings(deadline=None)
@given(st.integers(0, len(WHOLE) - 2))
def test_a_stream_that_breaks_off_is_never_a_success(end: int) -> None:
    for status in (0, 1, -9, 143):
        found = read(WHOLE[:end], status)
        assert not found.success
        assert not found.ended
        assert (found.trouble, found.result) == ("agent", None)
        assert found.message == f"it exited with status {status} before it was done"


@settings(deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_rubbish_is_never_a_success_and_never_raises(out: bytes, errors: bytes) -> None:
    assert not read(out, 0, errors).success


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)
_NAMES = (
    *("subtype", "session_id", "model", "message", "error", "usage", "rate_limit_info", "api_error_params"),
    *("is_error", "errors", "result", "total_cost_usd", "model_usage_since_last_result", "api_error_status"),
    *("parent_tool_use_id", "terminal_reason"),
)


@settings(deadline=None)
@given(
    st.sampled_from(["system", "assistant", "rate_limit_event", "result", "user", "news"]),
    st.dictionaries(st.sampled_from(_NAMES), _VALUES | st.just("init") | st.just({"m": 3})),
)
def test_fields_of_any_type_are_borne(kind: str, fields: dict[str, Any]) -> None:
    found = read(samples.line({"type": kind, **fields}))
    assert found.input_tokens >= 0
    assert found.cost_usd >= 0
    found.message.encode()


def test_a_run_under_way_says_what_it_has_used_and_has_no_trouble() -> None:
    found = read(samples.init() + samples.said("a") + samples.said("a") + samples.said("b"), None)
    assert found == Reading(session=SESSION, model=MODEL, input_tokens=2460, output_tokens=2)


def test_what_it_used_in_a_turn_that_ended_is_not_counted_twice() -> None:
    found = read(samples.said("a") + samples.result() + samples.said("b") + samples.result())
    assert (found.cost_usd, found.input_tokens, found.output_tokens) == (0.5, 4920, 200)


def test_versions_that_give_no_difference_count_one_run() -> None:
    found = read(samples.said("a") + samples.result(model_usage_since_last_result=None))
    assert (found.cost_usd, found.input_tokens, found.output_tokens) == (4.0, 8, 8)


def test_the_model_that_answered_last_is_the_one_that_is_named() -> None:
    other = {"id": "m", "model": "another", "usage": {}}
    found = read(samples.init() + samples.said(message=other) + samples.failed("rate_limit"), None)
    assert found.model == "another"


def test_a_final_event_that_has_not_exited_is_open_and_an_ended_error_is_not() -> None:
    found = read(WHOLE, None)
    assert (found.ended, found.success, found.trouble) == (True, False, "")
    found = read(samples.api_error("rate_limit", 429), None)
    assert (found.ended, found.trouble) == (True, "limit")


def test_asking_twice_and_a_last_line_without_its_end_change_nothing() -> None:
    reader = ClaudeReader()
    reader.feed(WHOLE[:-1])
    assert not reader.reading(None).ended
    assert reader.reading(0) == reader.reading(0) == read(WHOLE)


def test_an_overlong_line_is_passed_over_whole_however_it_comes() -> None:
    blank, end = b" " * (MAX_LINE_BYTES + 1), samples.result()
    for pieces in ((blank, end), (end[:-1], blank, b"\n"), (blank + end,)):
        reader = ClaudeReader()
        for piece in pieces:
            reader.feed(piece)
        assert not reader.reading(0).ended


@pytest.mark.parametrize("cost", [True, -1.0, 1e300, "1", None, float("inf")])
def test_a_cost_that_is_no_cost_counts_nothing(cost: object) -> None:
    assert read(samples.result(model_usage_since_last_result=None, total_cost_usd=cost)).cost_usd == 0
    assert read(samples.result(model_usage_since_last_result={"m": cost, "n": {"costUSD": cost}})).cost_usd == 0


def test_the_model_is_known_from_the_beginning_and_stays_when_a_message_names_none() -> None:
    assert read(samples.init(), None).model == MODEL
    assert read(samples.init() + samples.said(message={"id": "m"}), None).model == MODEL
    assert len(read(samples.init(model="m" * 10_000), None).model) == MAX_NAME


def test_a_turn_that_began_after_the_final_event_makes_it_the_final_event_no_more() -> None:
    assert not read(WHOLE + samples.said("msg_3")).ended
    assert read(WHOLE + samples.said("msg_3", parent_tool_use_id="toolu_1")).success


@pytest.mark.parametrize("status", [1, 143, -15])
def test_an_exit_status_that_disagrees_with_the_final_event_is_no_success(status: int) -> None:
    found = read(WHOLE, status)
    assert (found.ended, found.success, found.trouble) == (True, False, "agent")
    assert found.message == f"it said that it was done, and exited with status {status}"
    assert found.result is not None


@pytest.mark.parametrize(
    "more",
    [{"is_error": True}, {"is_error": None}, {"is_error": 0}, {"subtype": "error_max_turns"}, {"subtype": None}],
)
def test_a_final_event_whose_flag_and_kind_disagree_is_no_success(more: dict[str, Any]) -> None:
    found = read(samples.init() + samples.result(**more, structured_output=ANSWER))
    assert (found.success, found.trouble, found.result) == (False, "agent", None)


def test_a_model_that_gave_no_structured_answer_has_none() -> None:
    found = read(samples.init() + samples.result())
    assert (found.success, found.result) == (True, None)


@pytest.mark.parametrize(
    ("word", "status", "trouble"),
    [
        ("authentication_failed", 401, "fatal"),
        ("authentication_failed", None, "fatal"),
        ("oauth_org_not_allowed", 403, "fatal"),
        ("account_on_hold", 403, "fatal"),
        ("verification_required", 403, "fatal"),
        ("cloud_credential_error", None, "fatal"),
        ("model_not_found", 404, "fatal"),
        ("billing_error", 400, "limit"),
        ("rate_limit", 429, "limit"),
        ("overloaded", 529, "transient"),
        ("server_error", 500, "transient"),
        ("server_error", None, "transient"),
        ("invalid_request", 400, "agent"),
        ("max_output_tokens", None, "agent"),
        ("unknown", None, "transient"),
        ("unknown", 400, "agent"),
        ("unknown", 401, "fatal"),
        ("unknown", 402, "limit"),
        ("unknown", 403, "fatal"),
        ("unknown", 404, "fatal"),
        ("unknown", 408, "transient"),
        ("unknown", 409, "transient"),
        ("unknown", 429, "limit"),
        ("unknown", 500, "transient"),
        ("unknown", 529, "transient"),
        ("a word of tomorrow", 503, "transient"),
    ],
)
def test_each_failure_of_a_call_has_its_class(word: str, status: int | None, trouble: str) -> None:
    found = read(samples.api_error(word, status), 1)
    assert (found.ended, found.success, found.trouble) == (True, False, trouble)
    assert found.message == "API Error: made to fail"
    assert found.cannot_resume == (word == "invalid_request")


def test_a_failure_without_its_own_event_is_judged_by_the_final_one() -> None:
    end = {"is_error": True, "terminal_reason": "api_error"}
    assert read(samples.result(**end, api_error_status=429), 1).trouble == "limit"
    assert read(samples.result(**end), 1).trouble == "transient"


def test_a_failure_is_known_by_its_own_event_where_the_final_one_does_not_name_it_or_is_missing() -> None:
    assert read(samples.api_error("unknown", 401, terminal_reason="completed"), 1).trouble == "fatal"
    assert read(samples.init() + samples.failed("unknown", api_error_status=401), 1).trouble == "fatal"


def test_a_failure_of_an_agent_under_it_is_not_its_own() -> None:
    under = samples.failed("authentication_failed", parent_tool_use_id="toolu_1")
    end = samples.result(is_error=True, subtype="error_max_turns", result=None)
    found = read(samples.init() + under + end, 1)
    assert (found.trouble, found.message) == ("agent", "error_max_turns")


def test_a_success_can_be_resumed_whatever_failed_before() -> None:
    found = read(samples.init() + samples.failed("invalid_request") + samples.result())
    assert (found.success, found.cannot_resume) == (True, False)


def test_a_failure_that_was_overcome_explains_nothing() -> None:
    end = samples.result(is_error=True, subtype="error_max_turns")
    assert read(samples.failed("rate_limit") + samples.said("m") + end, 1).trouble == "agent"


def test_a_failure_before_the_stream_broke_off_explains_it() -> None:
    assert read(samples.init() + samples.failed("server_error"), 1).trouble == "transient"


def test_a_limit_says_when_it_ends() -> None:
    found = read(samples.limit() + samples.api_error("rate_limit", 429), 1)
    assert (found.trouble, found.reset_us) == ("limit", RESET_S * 1_000_000)
    info = {"rate_limit_info": {"status": "rejected", "resetsAt": RESET_S}}
    found = read(samples.failed("rate_limit", api_error_params=info) + samples.result(is_error=True), 1)
    assert found.reset_us == RESET_S * 1_000_000
    found = read(samples.limit() + samples.limit(resets=None) + samples.api_error("rate_limit", 429), 1)
    assert found.reset_us == RESET_S * 1_000_000


@pytest.mark.parametrize(
    "event", [samples.limit("allowed_warning"), samples.limit(resets=2e10), samples.limit(resets="1")]
)
def test_a_warning_or_nonsense_says_nothing_of_an_end(event: bytes) -> None:
    assert read(event + samples.api_error("rate_limit", 429), 1).reset_us == 0


def test_a_limit_that_did_not_stop_the_run_is_no_trouble() -> None:
    found = read(samples.limit() + WHOLE)
    assert (found.success, found.reset_us) == (True, 0)


@pytest.mark.parametrize("said", ["No conversation found with session ID: x", "--resume requires a valid session ID"])
def test_a_session_that_is_gone_cannot_be_resumed_and_costs_no_retry(said: str) -> None:
    end = samples.result(subtype="error_during_execution", is_error=True, errors=[said, 7], result=None)
    found = read(end, 1)
    assert (found.trouble, found.cannot_resume, found.message) == ("transient", True, said)


@pytest.mark.parametrize("reason", ["prompt_too_long", "image_error"])
def test_a_conversation_that_is_too_large_cannot_be_resumed(reason: str) -> None:
    assert read(samples.api_error("unknown", 400, terminal_reason=reason), 1).cannot_resume


def test_an_end_by_its_own_limits_is_its_failure() -> None:
    end = samples.result(
        subtype="error_max_budget_usd", is_error=True, errors=["Reached maximum budget ($1)"], result=None
    )
    found = read(samples.init() + end, 1)
    assert (found.trouble, found.message, found.cost_usd) == ("budget", "Reached maximum budget ($1)", 0.25)


@pytest.mark.parametrize(
    ("errors", "trouble", "cannot_resume"),
    [
        (b"error: unknown option '--x'\n", "fatal", False),
        (b"warning\nerror: option '--max-budget-usd' is invalid", "fatal", False),
        (b"--dangerously-skip-permissions cannot be used with root/sudo privileges", "fatal", False),
        (b"claude native binary not installed", "fatal", False),
        (b"Error: Session ID 1-2 is already in use.", "transient", True),
        (b"Segmentation fault\n", "agent", False),
    ],
)
def test_what_it_says_when_it_does_not_begin_has_its_class(errors: bytes, trouble: str, cannot_resume: bool) -> None:
    found = read(b"", 1, errors)
    assert (found.trouble, found.cannot_resume, found.ended) == (trouble, cannot_resume, False)
    assert found.message == errors.decode().strip()


def test_errors_of_a_run_that_had_begun_are_not_taken_for_a_refusal() -> None:
    errors = b"error: a hook says so\nSession ID 1-2 is already in use"
    found = read(samples.init() + samples.said(), 1, errors)
    assert (found.trouble, found.cannot_resume) == ("agent", False)


def test_a_session_that_is_no_id_is_not_taken() -> None:
    assert read(samples.init(session_id="--dangerous"), None).session == ""


def test_half_a_character_spoils_neither_the_end_nor_the_answer() -> None:
    end = samples.result(result="x").replace(b'"x"', b'"cut \\ud83d", "structured_output": {"summary": "\\ud83d"}')
    found = read(samples.init() + end)
    assert (found.success, found.message, found.result) == (True, "cut ?", b'{"summary": "?"}')


def test_a_line_of_fifty_megabytes_is_passed_over_in_little_memory() -> None:
    reader = ClaudeReader()
    reader.feed(samples.init())
    piece = b"x" * (1 << 20)
    tracemalloc.start()
    reader.feed(b'{"type": "result", "result": "')
    for _ in range(50):
        reader.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    reader.feed(b'"}\n' + samples.result())
    assert peak < 3 * MAX_LINE_BYTES
    assert reader.reading(0).success


def test_deep_nesting_is_passed_over() -> None:
    assert read(b'{"a":' * 200_000 + b"\n" + WHOLE).success


def test_of_errors_a_bounded_end_of_whole_lines_is_kept() -> None:
    errors = b"".join(b"line %d\n" % number for number in range(10_000))
    whole, pieces = ClaudeReader(), ClaudeReader()
    whole.feed_errors(errors)
    for start in range(0, len(errors), 1000):
        pieces.feed_errors(errors[start : start + 1000])
    assert whole.reading(1) == pieces.reading(1)
    assert whole.reading(1).message == errors[-MAX_ERROR_BYTES:].partition(b"\n")[2].decode().strip()
