"""Lines of Claude Code's stream, shortened; each function gives one, with what a test wants to be different."""

from __future__ import annotations

import json
from typing import Any, Final

SESSION: Final = "cb67af96-c9f8-459e-8e5f-e80944c67638"
MODEL: Final = "claude-opus-5-5"
RESET_S: Final = 1_795_173_795
ANSWER: Final = {"item_id": "W-1", "phase": "build", "result": "phase_complete", "summary": "ünd done"}


def line(event: object) -> bytes:
    """One event as it is written."""
    return json.dumps(event, ensure_ascii=False).encode() + b"\n"


def init(**more: Any) -> bytes:
    return line({"type": "system", "subtype": "init", "session_id": SESSION, "model": MODEL, "tools": [], **more})


def said(number: str = "msg_1", text: str = "I will.", **more: Any) -> bytes:
    usage = {
        "input_tokens": 1000,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 200,
        "output_tokens": 1,
    }
    message = {"id": number, "model": MODEL, "content": [{"type": "text", "text": text}], "usage": usage}
    return line({"type": "assistant", "message": message, "parent_tool_use_id": None, "session_id": SESSION, **more})


def failed(word: str, **more: Any) -> bytes:
    message = {"id": "f-1", "model": "<synthetic>", "content": [{"type": "text", "text": "API Error"}]}
    return line({"type": "assistant", "message": message, "error": word, "is_api_error_message": True, **more})


def result(**more: Any) -> bytes:
    added = {
        "inputTokens": 2000,
        "outputTokens": 100,
        "cacheReadInputTokens": 400,
        "cacheCreationInputTokens": 60,
        "costUSD": 0.25,
    }
    usual = {
        "subtype": "success",
        "is_error": False,
        "terminal_reason": "completed",
        "result": "All done.",
        "total_cost_usd": 4.0,
        "usage": {"input_tokens": 7, "output_tokens": 8, "cache_read_input_tokens": 1},
        "model_usage_since_last_result": {MODEL: added},
        "type": "result",
    }
    return line({**usual, **more})


def api_error(word: str, status: int | None = None, said: str = "API Error: made to fail", **more: Any) -> bytes:
    """A call that failed for good, and the end of the run that it caused."""
    facts: dict[str, Any] = {"is_error": True, "terminal_reason": "api_error", "model_usage_since_last_result": {}}
    end = result(result=said, api_error_status=status, **{**facts, **more})
    return init() + failed(word, api_error_status=status) + end


def limit(status: str = "rejected", resets: object = RESET_S) -> bytes:
    return line({"type": "rate_limit_event", "rate_limit_info": {"status": status, "resetsAt": resets}})


WHOLE: Final = (
    line({"type": "system", "subtype": "ui_invalidate"})
    + init()
    + said("msg_1")
    + said("msg_1", "another block of it")
    + line({"type": "user", "message": {"content": [{"type": "tool_result", "content": "é" * 300}]}})
    + limit("allowed")
    + b"a warning that is no JSON \xff\n\n"
    + said("msg_2", "Done.")
    + result(structured_output=ANSWER)
)
"""A run that went well, with what may stand between its events."""
