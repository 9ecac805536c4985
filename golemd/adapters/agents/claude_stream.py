"""Claude Code's output: one JSON object a line, `result` the last of them → a Reading.

What was seen of it, and is relied on. A failed API call ends in a `result` of the subtype "success" whose error flag is
set: flag, subtype and exit status must agree. A run that was interrupted may exit with 0 and without a `result`. An API
message comes as one `assistant` event per block, each with the same usage. `total_cost_usd` counts the whole session
when that was resumed; what was added since is in `model_usage_since_last_result`, and versions without that field count
one run only. Texts may hold half a character (a lone surrogate), which Python's own json takes and msgspec does not.
Unknown events, fields of the wrong type, lines cut off and lines without end are passed over.
"""

from __future__ import annotations

import json
import re
from collections import deque
from contextlib import suppress
from typing import Any, Final

from golemd.adapters.agents.words import Reading, Trouble

MAX_LINE_BYTES: Final = 8 << 20  # a longer line is passed over; a result must fit in it
MAX_ERROR_BYTES: Final = 4 << 10  # of standard error, its end
MAX_NAME: Final = 200  # characters of a model's name or a message's id
MAX_COUNT: Final = 1 << 53  # a greater number of tokens is no number of tokens
LATEST_RESET_S: Final = 1 << 33  # seconds since 1970; a later end of a limit is nonsense
REMEMBERED_MESSAGES: Final = 256  # ids of API messages whose usage was counted

_SESSION: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NO_SESSION: Final = re.compile(r"No conversation found|requires a valid session|Session ID \S+ is already in use")
_REFUSED: Final = re.compile(
    r"^error: |^Error: Invalid MCP|cannot be used with root|native binary not installed", re.MULTILINE
)
_NO_TOOL: Final = re.compile(r"^Error: MCP tool \S+ .*not found", re.MULTILINE)  # which it says after it has begun
_DISABLED: Final = re.compile(r"\bdisabled organization\b")  # told as a bad request, which it is not
_SPENT: Final = ("prompt_too_long", "image_error")  # ends of a turn whose conversation is too large to go on
_OUT_OF_BUDGET: Final = "error_max_budget_usd"
_TROUBLES: Final[dict[str, Trouble]] = {
    "authentication_failed": "fatal",
    "oauth_org_not_allowed": "fatal",
    "account_on_hold": "fatal",
    "verification_required": "fatal",
    "cloud_credential_error": "fatal",
    "model_not_found": "fatal",
    "billing_error": "limit",
    "rate_limit": "limit",
    "overloaded": "transient",
    "server_error": "transient",
    "invalid_request": "agent",
    "max_output_tokens": "agent",
}
_STATUSES: Final[dict[int, Trouble]] = {
    401: "fatal",
    402: "limit",
    403: "fatal",
    404: "fatal",
    408: "transient",
    409: "transient",
    429: "limit",
}
FIRST_SERVER_ERROR: Final = 500

Event = dict[str, Any]


class ClaudeReader:
    """Reads one run of the program."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._too_long = False
        self._errors = b""
        self._session = ""
        self._model = ""
        self._final: Event | None = None
        self._answer: bytes | None = None
        self._failure: Event = {}  # the last event that told of a failed API call
        self._cost = 0.0
        self._counted = (0, 0)  # tokens of turns that have ended
        self._running = (0, 0)  # and of the one under way, as far as it is known
        self._seen: deque[str] = deque(maxlen=REMEMBERED_MESSAGES)
        self._reset_us = 0

    def feed(self, data: bytes) -> None:
        """The next piece of its standard output."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._more(data[start:end])
            self._end_of_line()
            start = end + 1
        self._more(data[start:])

    def feed_errors(self, data: bytes) -> None:
        """The next piece of its standard error, of which the end is kept."""
        self._errors = (self._errors + data)[-MAX_ERROR_BYTES:]

    def reading(self, status: int | None) -> Reading:
        """What was said so far; with an exit status, what it comes to."""
        if status is not None:
            self._end_of_line()
        final = self._final or {}
        good = final.get("subtype") == "success" and final.get("is_error") is False
        open_yet = status is None and (good or self._final is None)
        trouble = "" if open_yet or (good and status == 0) else self._trouble()
        return Reading(
            session=self._session,
            model=self._model,
            cost_usd=self._cost,
            input_tokens=self._counted[0] + self._running[0],
            output_tokens=self._counted[1] + self._running[1],
            result=self._answer if good else None,
            ended=self._final is not None,
            success=good and status == 0,
            trouble=trouble,
            message=self._message(trouble, good, status),
            reset_us=self._reset_us if trouble == "limit" else 0,
            cannot_resume=bool(trouble) and self._session_is_spent(),
        )

    def _more(self, piece: bytes) -> None:
        if self._too_long or len(self._line) + len(piece) > MAX_LINE_BYTES:
            self._too_long = True
            self._line.clear()
        else:
            self._line += piece

    def _end_of_line(self) -> None:
        line, self._line, self._too_long = bytes(self._line), bytearray(), False
        with suppress(ValueError, RecursionError):  # whatever it is, it is no event
            self._take(line.decode("utf-8", "replace"))

    def _take(self, line: str) -> None:
        event = json.loads(line)
        if isinstance(event, dict):
            take = _TAKEN.get(_text(event, "type"))
            if take is not None:
                take(self, event)

    def _take_system(self, event: Event) -> None:
        if event.get("subtype") == "init":
            session = _text(event, "session_id")
            self._session = session if _SESSION.fullmatch(session) else self._session
            self._model = _name(event, "model")

    def _take_assistant(self, event: Event) -> None:
        message, own = _object(event, "message"), event.get("parent_tool_use_id") is None  # else of an agent under it
        if _text(event, "error"):
            self._failure = event if own else self._failure
            self._take_limit(_object(_object(event, "api_error_params"), "rate_limit_info"))
            return
        if own:
            self._final, self._failure = None, {}  # a turn goes on
            self._model = _name(message, "model") or self._model
        name = _name(message, "id")
        if name not in self._seen:
            self._seen.append(name)
            self._running = _sum(self._running, _tokens(_object(message, "usage"), _USAGE))

    def _take_rate_limit(self, event: Event) -> None:
        self._take_limit(_object(event, "rate_limit_info"))

    def _take_limit(self, info: Event) -> None:
        seconds = _number(info, "resetsAt")
        if info.get("status") == "rejected" and seconds < LATEST_RESET_S:
            self._reset_us = int(seconds * 1_000_000) or self._reset_us

    def _take_result(self, event: Event) -> None:
        answer = event.get("structured_output")
        self._answer = None if answer is None else _utf8(json.dumps(answer, ensure_ascii=False))
        self._final = event
        self._running = (0, 0)
        added = event.get("model_usage_since_last_result")
        if isinstance(added, dict):
            for usage in added.values():
                row = usage if isinstance(usage, dict) else {}
                self._cost += _number(row, "costUSD")
                self._counted = _sum(self._counted, _tokens(row, _MODEL_USAGE))
        else:
            self._cost = _number(event, "total_cost_usd")
            self._counted = _tokens(_object(event, "usage"), _USAGE)

    def _trouble(self) -> Trouble:
        """Why it is no success."""
        if self._no_session():
            return "transient"
        final, word = self._final or {}, _text(self._failure, "error")
        if _text(final, "subtype") == _OUT_OF_BUDGET:
            return "budget"
        if word in _TROUBLES:
            return "fatal" if _DISABLED.search(_text(final, "result")) else _TROUBLES[word]
        if not self._failure and final.get("terminal_reason") != "api_error":
            refused = (_NO_TOOL if self._session else _REFUSED).search(self._told())
            return "fatal" if refused else "agent"
        status = int(_number(final, "api_error_status") or _number(self._failure, "api_error_status"))
        if not status or status >= FIRST_SERVER_ERROR:
            return "transient"  # no answer, or one that no API gives: the network or something in between
        return _STATUSES.get(status, "agent")

    def _session_is_spent(self) -> bool:
        refused = _text(self._failure, "error") == "invalid_request" and self._trouble() == "agent"
        return refused or (self._final or {}).get("terminal_reason") in _SPENT or self._no_session()

    def _no_session(self) -> bool:
        return not self._session and bool(_NO_SESSION.search(self._told()))

    def _told(self) -> str:
        """What it says went wrong, outside of the conversation."""
        errors = (self._final or {}).get("errors")
        told = [_utf8(each).decode() for each in errors if isinstance(each, str)] if isinstance(errors, list) else []
        if self._final is not None:
            return "\n".join(told)
        is_whole = len(self._errors) < MAX_ERROR_BYTES  # else its first line is not
        errors = self._errors if is_whole else self._errors.partition(b"\n")[2]
        return errors.decode("utf-8", "replace").strip()

    def _message(self, trouble: Trouble, good: bool, status: int | None) -> str:
        if good and trouble:
            return f"it said that it was done, and exited with status {status}"
        if self._final is not None:
            return _text(self._final, "result") or self._told() or _text(self._final, "subtype")
        return self._told() or f"it exited with status {status} before it was done" if trouble else ""


def _utf8(text: str) -> bytes:
    """The program cuts texts in the middle of a character; half of one is replaced."""
    return text.encode("utf-8", "replace")


def _text(event: Event, name: str) -> str:
    value = event.get(name)
    return _utf8(value).decode() if isinstance(value, str) else ""


def _name(event: Event, name: str) -> str:
    return _text(event, name)[:MAX_NAME]


def _object(event: Event, name: str) -> Event:
    value = event.get(name)
    return value if isinstance(value, dict) else {}


def _number(event: Event, name: str) -> float:
    """A number that counts something; 0 for anything else."""
    value = event.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return value if 0 <= value < MAX_COUNT else 0


_USAGE: Final = (("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"), "output_tokens")
_MODEL_USAGE: Final = (("inputTokens", "cacheCreationInputTokens", "cacheReadInputTokens"), "outputTokens")


def _tokens(usage: Event, names: tuple[tuple[str, ...], str]) -> tuple[int, int]:
    """The tokens that were read and written."""
    read, written = names
    return sum(int(_number(usage, name)) for name in read), int(_number(usage, written))


def _sum(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


_TAKEN: Final = {
    "system": ClaudeReader._take_system,
    "assistant": ClaudeReader._take_assistant,
    "rate_limit_event": ClaudeReader._take_rate_limit,
    "result": ClaudeReader._take_result,
}
