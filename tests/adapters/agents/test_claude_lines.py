"""What Claude Code's events say to people, a line of output at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golemd.adapters import agents
from tests.adapters.agents import samples


def shown(line: bytes | str) -> list[str]:
    show = agents.kind_of("claude").shown
    assert show is not None
    return show(line.decode() if isinstance(line, bytes) else line)


def using(name: object, given: object) -> bytes:
    block = {"type": "tool_use", "id": "t", "name": name, "input": given}
    return samples.line({"type": "assistant", "message": {"content": [block]}})


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (samples.said(text="I will\nwrite it."), ["I will", "write it."]),
        (using("Write", {"content": "x", "file_path": "/w/a.txt"}), ["Write /w/a.txt"]),
        (using("Bash", {"command": "make\n  test", "description": "test"}), ["Bash make test"]),
        (using("StructuredOutput", {"item_id": "W-1", "summary": "it is done"}), ["StructuredOutput it is done"]),
        (using("TodoRead", {}), ["TodoRead"]),
        (samples.failed("overloaded"), ["API Error"]),
        (samples.result(), ["All done."]),
        (samples.result(result=None, errors=["No conversation", 5]), ["No conversation"]),
        (
            samples.line({"type": "system", "subtype": "api_retry", "error": "rate_limit", "attempt": 3}),
            ["waits for its service (rate_limit), try 3"],
        ),
        (samples.init(), []),
        (samples.limit(), []),
        (samples.line({"type": "user", "message": {"content": [{"type": "tool_result", "content": "x"}]}}), []),
        ("claude: a warning", ["claude: a warning"]),
        ("[1, 2]", []),
        ("7", []),
    ],
)
def test_what_is_said_and_used_is_shown_and_nothing_else(line: bytes | str, lines: list[str]) -> None:
    assert shown(line) == lines


_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["type", "message", "content", "input", "x"]), inner)
    ),
)


@given(st.sampled_from(["assistant", "result", "system", "user", ""]), _JSON, _JSON)
def test_whatever_the_events_hold_lines_come_out(kind: str, message: object, result: object) -> None:
    event = {"type": kind, "subtype": "api_retry", "message": message, "result": result, "errors": result}
    assert all(isinstance(line, str) for line in shown(json.dumps(event)))
    assert all(isinstance(line, str) for line in shown(json.dumps({"type": kind, "message": {"content": message}})))


def test_nested_without_end_is_passed_on_as_it_is() -> None:
    assert shown("[" * 100_000) == ["[" * 100_000]
