"""An agent's result file: JSON bytes → a valid result with warnings, or what is wrong with it.

Required fields reject the result; optional ones that do not parse are dropped with a warning, shown at the phase.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from golemd.api.model import Assessments, ResultCode

MAX_RESULT_BYTES: Final = 1 << 20
MAX_TEXT: Final = 20_000  # characters of one text that are kept; a record must stay small
_SIZES: Final = ("small", "medium", "large")
_LEVELS: Final = ("low", "medium", "high")
_DIMENSIONS: Final = {"size": _SIZES, "complexity": _LEVELS, "risk": _LEVELS, "impact": _LEVELS}


class Result(Struct, frozen=True):
    """What an agent says of its attempt."""

    item_id: str
    phase: str
    code: ResultCode
    summary: str
    context: str = ""
    question: str = ""
    commit_summary: str = ""
    assessments: Assessments = Assessments()
    warnings: tuple[str, ...] = ()


def read_result(data: bytes) -> Result | str:
    """The result in the file's bytes, or a sentence that says what is wrong with it."""
    if len(data) > MAX_RESULT_BYTES:
        return f"the result file is larger than {MAX_RESULT_BYTES} bytes"
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"the result file is not JSON: {error}"
    if not isinstance(found, dict):
        return "the result file does not hold one JSON object"
    for name in ("item_id", "phase", "result", "summary"):
        if not isinstance(found.get(name), str):
            return f"the result has no text in its required field {name!r}"
    codes = [str(code) for code in ResultCode]
    if found["result"] not in codes:
        return f"the result is {found['result'][:80]!r}, which is none of {', '.join(codes)}"
    warnings: list[str] = []
    optional = {name: read(found[name], warnings) for name, read in _OPTIONAL.items() if found.get(name) is not None}
    return Result(
        item_id=found["item_id"],
        phase=found["phase"],
        code=ResultCode(found["result"]),
        summary=found["summary"][:MAX_TEXT],
        context=optional.get("context", ""),
        question=optional.get("question", ""),
        commit_summary=optional.get("commit_summary", ""),
        assessments=optional.get("updated_assessments", Assessments()),
        warnings=tuple(warnings),
    )


def _text(name: str) -> Callable[[Any, list[str]], str]:
    def read(value: Any, warnings: list[str]) -> str:  # noqa: ANN401 - whatever the agent wrote
        if isinstance(value, str):
            return value[:MAX_TEXT]
        warnings.append(f"{name} is not a text and was dropped")
        return ""

    return read


def _assessments(value: Any, warnings: list[str]) -> Assessments:  # noqa: ANN401 - whatever the agent wrote
    if not isinstance(value, dict):
        warnings.append("updated_assessments is not an object and was dropped")
        return Assessments()
    good: dict[str, str] = {}
    for name, allowed in _DIMENSIONS.items():
        given = value.get(name)
        if given is None:
            continue
        if given in allowed:
            good[name] = given
        else:
            warnings.append(f"updated_assessments.{name} is none of {', '.join(allowed)} and was dropped")
    return Assessments(**good)


_OPTIONAL: Final[dict[str, Callable[[Any, list[str]], Any]]] = {
    "context": _text("context"),
    "question": _text("question"),
    "commit_summary": _text("commit_summary"),
    "updated_assessments": _assessments,
}
