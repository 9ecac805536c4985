"""A fake of the Messages API on loopback, for agents that speak it. The prompt says what the "model" does:

    [[write PATH TEXT]] [[read PATH]] [[edit PATH OLD => NEW]] [[bash CMD]] [[tool NAME JSON]] [[structured JSON]]
    [[say TEXT]] [[sleep SECONDS]] [[hold]]

Directives of the newest user message that has any are carried out in order. Each that is a tool is one answer of the
model; `say`, `sleep` and `hold` belong to the answer that they stand before. `hold` sets `api.held` and answers when
the test sets `api.go_on`, or never. Relative paths are meant from the folder that the agent says it works in. After
the last directive the model says what `say` gave it and ends its turn.

Faults: `api.fail(...)` makes the next requests fail. All that was asked is in `api.requests`. Nothing leaves the
machine: it listens on 127.0.0.1, on a port of its own, and ends with its `with` block, held answers and all.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

INPUT_TOKENS: Final = 1000
OUTPUT_TOKENS: Final = 50
CACHED_TOKENS: Final = 200
KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
_DIRECTIVE: Final = re.compile(r"\[\[\s*(write|read|edit|bash|tool|structured|say|sleep|hold)\b[ \t]*")
_FOLDER: Final = re.compile(r"working directory: (/[^\n]+)", re.IGNORECASE)
_REMINDER: Final = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)


@dataclass
class Failure:
    """How requests fail. `mode`: status | html | empty | malformed | cut (the answer ends in the middle)."""

    status: int = 500
    message: str = "made to fail"
    kind: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    mode: str = "status"
    times: int = -1  # -1: for ever


class MessagesApi:
    """The server; use it as a context manager. `headers` are sent with every good answer."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.held = threading.Event()
        self.go_on = threading.Event()
        self.over = threading.Event()
        self._failure = Failure(times=0)
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self  # type: ignore[attr-defined]  # how a handler finds us
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.over.set()
        self.go_on.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """What an agent takes as its base address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, failure: Failure) -> None:
        """From now on requests fail like this, as often as it says."""
        with self._lock:
            self._failure = replace(failure)

    def take(self, request: dict[str, Any]) -> Failure | None:
        """Note a request; the failure that it meets, if any."""
        with self._lock:
            self.requests.append(request)
            if self._failure.times == 0:
                return None
            self._failure.times -= 1
            return self._failure


@dataclass
class Step:
    """One answer of the model: what it waits for, says, and the tool that it uses (none: the end of its turn)."""

    waits: list[tuple[str, str]]
    text: str
    tool: str = ""
    given: dict[str, Any] = field(default_factory=dict)


def script(prompt: str, folder: str) -> list[Step]:
    """The answers that a prompt asks for; the last one uses no tool."""
    steps: list[Step] = []
    current = Step([], "")
    for verb, argument in _directives(prompt):
        if verb in ("sleep", "hold"):
            current.waits.append((verb, argument))
        elif verb == "say":
            current.text += argument
        else:
            current.tool, current.given = _tool(verb, argument, folder)
            steps.append(current)
            current = Step([], "")
    return [*steps, current]


def _directives(prompt: str) -> Iterator[tuple[str, str]]:
    for match in _DIRECTIVE.finditer(prompt):
        rest = prompt[match.end() :]
        if match[1] in ("structured", "tool"):
            start = rest.index("{")
            end = start + json.JSONDecoder().raw_decode(rest[start:])[1]
            yield match[1], rest[:end]
        else:
            yield match[1], rest.split("]]", 1)[0].strip()


def _tool(verb: str, argument: str, folder: str) -> tuple[str, dict[str, Any]]:
    first, _, rest = argument.partition(" ")
    path = os.path.join(folder, first)
    if verb == "write":
        return "Write", {"file_path": path, "content": rest + "\n"}
    if verb == "read":
        return "Read", {"file_path": path}
    if verb == "edit":
        old, new = rest.split(" => ")
        return "Edit", {"file_path": path, "old_string": old, "new_string": new}
    if verb == "bash":
        return "Bash", {"command": argument, "description": "as the prompt says"}
    if verb == "structured":
        return "StructuredOutput", json.loads(argument)
    return first, json.loads(rest)


def next_step(request: dict[str, Any]) -> Step:
    """What the model does now, from the whole conversation that a request holds."""
    folder = _FOLDER.search(json.dumps(request).replace("\\n", "\n"))
    prompt, done = "", 0
    for message in request.get("messages", []):
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if message["role"] == "assistant":
            done += sum(block["type"] == "tool_use" for block in blocks)
            continue
        said = _REMINDER.sub("", "".join(block["text"] for block in blocks if block["type"] == "text"))
        if _DIRECTIVE.search(said):
            prompt, done = said, 0
    steps = script(prompt, folder[1].strip() if folder else "/")
    return steps[min(done, len(steps) - 1)]


class _Server(ThreadingHTTPServer):
    """A thread for each connection; an agent that hangs up is none of our faults."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection of an agent."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: the tests look at `requests`."""

    def do_GET(self) -> None:
        self._answer(200, b"{}", {})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        api: MessagesApi = self.server.api  # type: ignore[attr-defined]  # set by MessagesApi
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if not self.path.partition("?")[0].endswith("/messages"):
            self._answer(200, b'{"input_tokens": 1}', {})
            return
        request = json.loads(body)
        failure = api.take(request)
        if failure is not None and failure.mode != "cut":
            self._fail(failure)
            return
        step = next_step(request)
        for verb, argument in step.waits if failure is None else ():
            if verb == "hold":
                api.held.set()
                api.go_on.wait()
            else:
                api.over.wait(float(argument))
        if api.over.is_set():
            self.close_connection = True
            return
        number, whole = len(api.requests), failure is None
        if request.get("stream"):
            events = "".join(_events(step, request, number))
            self._stream(events if whole else events[: len(events) // 2], api.headers)
        else:
            self._answer(200, json.dumps(_message(step, request, number)).encode(), api.headers, whole)

    def _fail(self, failure: Failure) -> None:
        kind = failure.kind or KINDS.get(failure.status, "api_error")
        error = {"type": "error", "error": {"type": kind, "message": failure.message}}
        if failure.mode == "html":
            self._answer(200, b"<html><body>log in first</body></html>", {"content-type": "text/html"})
        elif failure.mode == "empty":
            self._stream("", {})
        elif failure.mode == "malformed":
            self._stream("event: message_start\ndata: {no json\n\n", {})
        else:
            self._answer(failure.status, json.dumps(error).encode(), failure.headers)

    def _stream(self, events: str, headers: dict[str, str]) -> None:
        self.close_connection = True
        self.send_response(200)
        for name, value in {"content-type": "text/event-stream", "connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(events.encode())

    def _answer(self, status: int, body: bytes, headers: dict[str, str], whole: bool = True) -> None:
        self.send_response(status)
        given = {"content-type": "application/json", "request-id": "req_fake", **headers}
        for name, value in {**given, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if whole else body[: len(body) // 2])
        self.close_connection = self.close_connection or not whole


def _message(step: Step, request: dict[str, Any], number: int) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": step.text or ("" if step.tool else "Done.")}]
    if step.tool:
        call = {"type": "tool_use", "id": f"toolu_fake_{number}", "name": step.tool, "input": step.given}
        content = [*(block for block in content if block["text"]), call]
    return {
        "id": f"msg_fake_{number}",
        "type": "message",
        "role": "assistant",
        "model": request.get("model", ""),
        "content": content,
        "stop_reason": "tool_use" if step.tool else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": CACHED_TOKENS,
            "output_tokens": OUTPUT_TOKENS,
        },
    }


def _events(step: Step, request: dict[str, Any], number: int) -> Iterator[str]:
    """The same as a stream of server-sent events."""
    whole = _message(step, request, number)
    usage = {**whole["usage"], "output_tokens": 1}
    yield _event("message_start", message={**whole, "content": [], "stop_reason": None, "usage": usage})
    for index, block in enumerate(whole["content"]):
        if block["type"] == "text":
            empty: dict[str, Any] = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            empty = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield _event("content_block_start", index=index, content_block=empty)
        yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=ended, usage={"output_tokens": OUTPUT_TOKENS})
    yield _event("message_stop")


def _event(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"
