"""Stores as other programs leave them, made up: the same backlog written in each version of each format."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, Final

Item = dict[str, Any]
Files = dict[str, bytes]

CROCKFORD: Final = "0123456789abcdefghjkmnpqrstvwxyz"
WORDS: Final = (
    "login",
    "café",
    "naïve",
    "日本語",
    "\u2028",
    "tab\there",
    '"quoted"',
    "back\\slash",
    "emoji 🎉",
    "#42: yes",
)
PHASES: Final = ("prd", "design", "build", "review")
LEVELS: Final = ("low", "medium", "high")


def items(active: int, archived: int, made_id: Callable[[random.Random, int], str], seed: int = 7) -> list[Item]:
    """A backlog in phase-golem's words: active items of every status, then done and merged ones."""
    dice = random.Random(seed)
    ids = [made_id(dice, number) for number in range(active + archived)]
    made = [_item(dice, number, ids) for number in range(active)]
    for number in range(active, active + archived):
        item = _item(dice, number, ids[active:]) | {"status": "done", "phase": "review", "blocked_reason": None}
        if number % 25 == 0:
            survivor = made[number % active]
            survivor["context"] = f"{survivor['context'] or ''}\n[Merged from {item['id']}] Title: x".strip()
            item |= {"status": "merged", "survivor": survivor["id"]}
        made.append(item)
    return made


def _item(dice: random.Random, number: int, ids: list[str]) -> Item:
    status = ("new", "scoping", "ready", "in_progress", "blocked")[number % 5]
    earlier = ids[: number % len(ids)]
    return {
        "id": ids[number % len(ids)] if number >= len(ids) else ids[number],
        "title": f"{dice.choice(WORDS).strip() or 'line'} {number}",
        "status": status,
        "came_from": ("new", "scoping", "ready", "in_progress")[number // 5 % 4] if status == "blocked" else None,
        "blocked_reason": f"which one, {number}?" if status == "blocked" else None,
        "phase": "research" if status == "scoping" else PHASES[number % 4] if status == "in_progress" else None,
        "text": dice.choice((None, f"written by a person: {dice.choice(WORDS)}")),
        "context": dice.choice((None, f"seen by triage {number}")),
        "problem": dice.choice(("", f"it hurts {number}")),
        "priority": dice.randint(-9, 9),
        "tags": dice.sample(WORDS[:4], dice.randint(0, 3)),
        "dependencies": dice.sample(earlier, min(len(earlier), dice.randint(0, 2))),
        "size": dice.choice((None, "small", "medium", "large")),
        **{name: dice.choice((None, *LEVELS)) for name in ("complexity", "risk", "impact")},
        "origin": f"{dice.choice(ids)}/build" if number % 3 == 0 else None,
        "created": f"2026-0{1 + number % 9}-1{number % 10}T0{number % 10}:00:00.{number:06}789",
        "updated": f"2026-10-01T00:00:00.{number:06}",
        "commit": f"{number:040x}" if number % 2 else None,
    }


# --- task-golem ----------------------------------------------------------------------------------------------------


def hex_id(dice: random.Random, number: int) -> str:
    return f"WRK-{dice.getrandbits(20):05x}"


def crockford_id(dice: random.Random, number: int) -> str:
    return "tg-" + "".join(dice.choices(CROCKFORD, k=6))


def uuid7(dice: random.Random, number: int) -> str:
    return f"0190a1b2-{number:04x}-7{dice.getrandbits(12):03x}-8{dice.getrandbits(12):03x}-{dice.getrandbits(48):012x}"


def numeric_id(dice: random.Random, number: int) -> str:
    return f"WRK-{number + 1:03}"


_NATIVE: Final = {"new": "todo", "scoping": "todo", "ready": "todo", "in_progress": "doing", "merged": "todo"}


def task_golem_line(item: Item, *, prefix: str = "x-pg-", parent: bool = False) -> Item:
    """An item as task-golem holds it, with phase-golem's keys."""
    status = item["status"]
    native = _NATIVE.get(status, status)
    line: Item = {
        "id": item["id"],
        "title": item["title"],
        "status": native,
        "priority": item["priority"],
        "description": item["context"] if item["context"] is not None else item["text"],
        "tags": item["tags"],
        "dependencies": item["dependencies"],
        "created_at": item["created"] + "Z",
        "updated_at": item["updated"] + "Z",
        "blocked_reason": item["blocked_reason"],
        "blocked_from_status": _NATIVE[item["came_from"]] if status == "blocked" else None,
        "claimed_by": "agent-1" if native == "doing" else None,
        "claimed_at": item["updated"] + "Z" if native == "doing" else None,
    } | ({"parent": None} if parent else {})
    parts = {
        "context": item["context"],
        "problem": item["problem"],
        "solution": "",
        "impact": "",
        "sizing_rationale": "",
    }
    added = {
        "blocked-from-status": item["came_from"],
        "complexity": item["complexity"],
        "description": parts if item["context"] is not None else None,
        "impact": item["impact"],
        "last-phase-commit": item["commit"],
        "origin": item["origin"],
        "phase": item["phase"],
        "phase-pool": item["phase"] and ("pre" if item["phase"] == "research" else "main"),
        "pipeline-type": "feature",
        "risk": item["risk"],
        "size": item["size"],
        "status": status if native == "todo" and status != "merged" else None,
    }
    return line | {prefix + name: value for name, value in added.items() if value is not None}


def task_golem(backlog: list[Item], *, events: bool = False, **how: Any) -> Files:
    """A `.task-golem` folder."""
    header = json.dumps({"schema_version": 1}, separators=(",", ":"))
    ended = {"done", "merged"}
    active = sorted((item for item in backlog if item["status"] not in ended), key=lambda item: item["id"])
    archived = [item for item in backlog if item["status"] in ended]
    files = {
        name: _lines([header, *(json.dumps(task_golem_line(item, **how), ensure_ascii=False) for item in some)])
        for name, some in (("tasks.jsonl", active), ("archive.jsonl", archived))
    }
    if events:
        files["events.jsonl"] = _lines([_event(item, "blocked") for item in active if item["status"] == "blocked"])
        files["events.archive.jsonl"] = _lines([_event(item, "done") for item in archived])
    return files


def _event(item: Item, status: str) -> str:
    event = {
        "v": 1,
        "task_id": item["id"],
        "ts": item["updated"] + "Z",
        "author": "a@example.org",
        "type": "status_transition",
        "text": item["blocked_reason"] or "finished",
        "status": status,
    }
    return json.dumps(event)


def _lines(lines: list[str]) -> bytes:
    return "".join(line + "\n" for line in lines).encode()


# --- BACKLOG.yaml --------------------------------------------------------------------------------------------------

_OLD_WORDS: Final = {"scoping": "researching", "ready": "scoped"}


def backlog_yaml(backlog: list[Item], version: int) -> Files:
    """A BACKLOG.yaml; what is merged was dropped from such files."""
    lines = [f"schema_version: {version}", "items:"]
    for item in backlog:
        if item["status"] != "merged":
            lines += _yaml_item(item, version)
    lines.append("next_item_id: 601")
    return {"BACKLOG.yaml": "\n".join(lines).encode() + b"\n"}


def _yaml_item(item: Item, version: int) -> list[str]:
    def word(status: str | None) -> str | None:
        return _OLD_WORDS.get(status or "", status) if version == 1 else status

    keys: Item = {
        "title": item["title"],
        "status": word(item["status"]),
        "phase": item["phase"],
        **{name: item[name] for name in ("size", "complexity", "risk", "impact")},
        "requires_human_review": False,
        "origin": item["origin"],
        "blocked_from_status": word(item["came_from"]),
        "blocked_reason": item["blocked_reason"],
        "tags": item["tags"],
        "dependencies": item["dependencies"],
        "created": item["created"] + "+00:00",
        "updated": item["updated"] + "+00:00",
    }
    if version > 1:
        parts = {"context": item["context"] or "", "problem": item["problem"], "solution": ""}
        described = item["context"] if version == 2 else parts if item["context"] is not None else None
        keys |= {"pipeline_type": "feature", "description": described, "last_phase_commit": item["commit"]}
    lines = [f"- id: {item['id']}"]
    for key, value in keys.items():
        if isinstance(value, dict):
            lines += [
                f"  {key}:",
                *(f"    {name}: {json.dumps(inner, ensure_ascii=False)}" for name, inner in value.items()),
            ]
        elif isinstance(value, list):
            lines += [f"  {key}:", *(f"  - {json.dumps(each, ensure_ascii=False)}" for each in value)] if value else []
        elif key in ("created", "updated", "status"):
            lines.append(f"  {key}: {value}")
        elif value is not None:
            lines.append(f"  {key}: {json.dumps(value, ensure_ascii=False)}")
    return lines


# --- all of them ---------------------------------------------------------------------------------------------------

Store = Callable[[int, int], tuple[list[Item], Files]]


def _written(made_id: Callable[[random.Random, int], str], write: Callable[[list[Item]], Files]) -> Store:
    def make(active: int, archived: int) -> tuple[list[Item], Files]:
        backlog = items(active, archived, made_id)
        return backlog, write(backlog)

    return make


STORES: Final[dict[str, Store]] = {
    "task-golem 0.1": _written(hex_id, task_golem),
    "task-golem 0.2": _written(crockford_id, lambda backlog: task_golem(backlog, events=True, parent=True)),
    "task-golem v3": _written(uuid7, lambda backlog: task_golem(backlog, events=True, parent=True)),
    "task-golem by hand": _written(numeric_id, lambda backlog: task_golem(backlog, prefix="x-")),
    "BACKLOG.yaml v1": _written(numeric_id, lambda backlog: backlog_yaml(backlog, 1)),
    "BACKLOG.yaml v2": _written(numeric_id, lambda backlog: backlog_yaml(backlog, 2)),
    "BACKLOG.yaml v3": _written(numeric_id, lambda backlog: backlog_yaml(backlog, 3)),
}
"""Every version of every format, by name: a number of active and of archived items → what they are, and the files."""
