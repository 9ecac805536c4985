"""An agent's result file: JSON bytes → a valid result with warnings, or what is wrong with it.

Required fields reject the result; optional ones that do not parse are dropped with a warning, shown at the phase: one
bad word in a follow-up must not cost a night's work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec
from msgspec import Struct

from golemd.api.model import Assessments, Brief, Finding, ResultCode

MAX_RESULT_BYTES: Final = 1 << 20
MAX_TEXT: Final = 20_000  # characters of one text that are kept; a record must stay small
MAX_TITLE: Final = 300  # characters of a title, as of an item
MAX_NOTE: Final = 2_000  # characters of a text within a list
MAX_LISTED: Final = 100  # follow-ups, findings, duplicates of one result that are looked at
SIZES: Final = ("small", "medium", "large")
LEVELS: Final = ("low", "medium", "high")
DIMENSIONS: Final = {"size": SIZES, "complexity": LEVELS, "risk": LEVELS, "impact": LEVELS}

Warnings = list[str]
Reader = Callable[[str, Any, Warnings], Any]


class Wish(Struct, frozen=True):
    """A follow-up as the agent asks for it."""

    title: str
    context: str = ""
    size: str = ""
    risk: str = ""


class Result(Struct, frozen=True):
    """What an agent says of its attempt."""

    item_id: str
    phase: str
    code: ResultCode
    summary: str
    context: str = ""
    question: str = ""
    question_kind: str = ""
    commit_summary: str = ""
    assessments: Assessments = Assessments()
    follow_ups: tuple[Wish, ...] = ()
    findings: tuple[Finding, ...] = ()
    pipeline: str = ""
    duplicates: tuple[str, ...] = ()
    brief: Brief = Brief()
    based_on_commit: str = ""
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
    warnings: Warnings = []
    return Result(
        found["item_id"],
        found["phase"],
        ResultCode(found["result"]),
        found["summary"][:MAX_TEXT],
        **_optional(found, warnings),
        warnings=tuple(warnings),
    )


def _optional(found: dict[str, Any], warnings: Warnings) -> dict[str, Any]:
    """The optional fields that say something, by the names that Result gives them."""
    read = {field: reader(name, found.get(name), warnings) for name, (field, reader) in _OPTIONAL.items()}
    return {field: value for field, value in read.items() if value is not None}


# --- readers: the value, or None where there is none that can be used --------------------------------------------


def _text(name: str, value: Any, warnings: Warnings) -> str | None:  # noqa: ANN401 - whatever the agent wrote
    if value is None or isinstance(value, str):
        return value and value[:MAX_TEXT]
    warnings.append(f"{name} is not a text and was dropped")
    return None


def _note(name: str, value: Any, warnings: Warnings) -> str:  # noqa: ANN401 - whatever the agent wrote
    return (_text(name, value, warnings) or "")[:MAX_NOTE]


def _word(allowed: Collection[str]) -> Reader:
    """One of a few words; an empty text counts as none."""

    def read(name: str, value: Any, warnings: Warnings) -> str | None:  # noqa: ANN401 - whatever the agent wrote
        if value is None or value == "":
            return None
        if isinstance(value, str) and value in allowed:
            return value
        warnings.append(f"{name} is none of {', '.join(allowed)} and was dropped")
        return None

    return read


def _object(name: str, value: Any, warnings: Warnings) -> dict[str, Any]:  # noqa: ANN401 - whatever the agent wrote
    if value is None or isinstance(value, dict):
        return value or {}
    warnings.append(f"{name} is not an object and was dropped")
    return {}


def _fields(readers: dict[str, Reader], make: Callable[..., Any]) -> Reader:
    """An object, each of its fields on its own."""

    def read(name: str, value: Any, warnings: Warnings) -> Any:  # noqa: ANN401 - whatever the agent wrote
        given = _object(name, value, warnings)
        read = {field: reader(f"{name}.{field}", given.get(field), warnings) for field, reader in readers.items()}
        return make(**{field: value for field, value in read.items() if value is not None})

    return read


def _listing(element: Reader) -> Reader:
    """A list; elements that cannot be used are dropped one by one."""

    def read(name: str, value: Any, warnings: Warnings) -> tuple[Any, ...] | None:  # noqa: ANN401 - as above
        if value is None:
            return None
        if not isinstance(value, list):
            warnings.append(f"{name} is not a list and was dropped")
            return None
        if len(value) > MAX_LISTED:
            warnings.append(f"{name} names {len(value)}; only the first {MAX_LISTED} were looked at")
        read = (element(f"{name}[{index}]", each, warnings) for index, each in enumerate(value[:MAX_LISTED]))
        return tuple(each for each in read if each is not None)

    return read


def _title(name: str, value: Any, warnings: Warnings) -> str | None:  # noqa: ANN401 - whatever the agent wrote
    """One line; a longer text is cut."""
    words = " ".join(value.split()) if isinstance(value, str) else ""
    if not words:
        warnings.append(f"{name} has no title and was dropped")
        return None
    return words if len(words) <= MAX_TITLE else words[: MAX_TITLE - 1] + "…"


def _wish(name: str, value: Any, warnings: Warnings) -> Wish | None:  # noqa: ANN401 - whatever the agent wrote
    given = {"title": value} if isinstance(value, str) else _object(name, value, warnings)
    title = _title(name, given.get("title"), warnings)
    if title is None:
        return None
    return Wish(
        title,
        _note(f"{name}.context", given.get("context"), warnings),
        _word(SIZES)(f"{name}.suggested_size", given.get("suggested_size"), warnings) or "",
        _word(LEVELS)(f"{name}.suggested_risk", given.get("suggested_risk"), warnings) or "",
    )


def _finding(name: str, value: Any, warnings: Warnings) -> Finding | None:  # noqa: ANN401 - whatever the agent wrote
    given = _object(name, value, warnings)
    title = _title(name, given.get("title") or given.get("text"), warnings)
    if title is None:
        return None
    line = given.get("line")
    texts = {key: _note(f"{name}.{key}", given.get(key), warnings) for key in ("severity", "text", "file")}
    return Finding(title, **texts, line=line if isinstance(line, int) and 0 < line < 1 << 31 else 0)


_BRIEF: Final = _fields(dict.fromkeys(Brief.__struct_fields__, _text), Brief)


def _description(name: str, value: Any, warnings: Warnings) -> Brief:  # noqa: ANN401 - whatever the agent wrote
    """What triage made of the item; a plain text is its context."""
    brief: Brief = _BRIEF(name, {"context": value} if isinstance(value, str) else value, warnings)
    return brief


_OPTIONAL: Final[dict[str, tuple[str, Reader]]] = {
    "context": ("context", _text),
    "question": ("question", _text),
    "question_kind": ("question_kind", _word(("decision", "clarification"))),
    "commit_summary": ("commit_summary", _text),
    "updated_assessments": (
        "assessments",
        _fields({name: _word(allowed) for name, allowed in DIMENSIONS.items()}, Assessments),
    ),
    "follow_ups": ("follow_ups", _listing(_wish)),
    "findings": ("findings", _listing(_finding)),
    "pipeline_type": ("pipeline", _text),
    "duplicates": ("duplicates", _listing(_note)),
    "description": ("brief", _description),
    "based_on_commit": ("based_on_commit", _text),
}
"""Field of the file → field of the Result, and how it is read."""
