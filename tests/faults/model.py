"""What the outside knows: every answer that a client was given, and what must therefore be in the journal for ever.

Independent of the daemon's own code: it knows methods, tokens, answered ids and the journal's published line format.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from golemd.api import calls
from golemd.api.faults import Fault
from tests.faults.outside import commands_of, head_seq, records_of

Record = Mapping[str, Any]

FIRST_TYPES: Final[dict[type[Any], tuple[str, ...]]] = {
    calls.ProjectInit: ("project.registered",),
    calls.ItemAdd: ("item.added",),
    calls.ItemEdit: ("item.edited",),
    calls.ItemCancel: ("gate.superseded", "run.aborted", "item.cancelled"),
    calls.GateDecide: ("gate.decided",),
    calls.RunStart: ("project.configured", "breaker.reset", "dispatch.started"),
    calls.RunStop: ("dispatch.halted",),
}
"""What the first record of a call's command may be."""
LAST_TYPES: Final[dict[type[Any], tuple[str, ...]]] = {
    calls.ProjectInit: ("project.configured",),
    calls.ItemCancel: ("item.cancelled",),
    calls.RunStart: ("dispatch.started",),
}
"""What its last record must be, where that shows that it is whole."""


class Acknowledged(Struct, frozen=True):
    """A call that was answered, and with what id (an item's, or a project's)."""

    call: calls.Change[Any]
    answered: str
    must_be_there: bool  # False: it may have had nothing to change


def id_of(reply: Any) -> str:
    """The id that an answer names."""
    if hasattr(reply, "id"):
        return str(reply.id)
    return str(reply.project if isinstance(reply.project, str) else reply.project.name)


class Model:
    """Everything that was answered, and every violation that was found. Shared by threads."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, Acknowledged] = {}
        self.refused: set[str] = set()
        self.must_be_lost: dict[str, str] = {}  # attempt → how it was killed
        self.never_accepted: dict[str, str] = {}
        self.violations: list[str] = []
        self.counts: Counter[str] = Counter()
        self._durable: list[str] = []  # hashes of records that were durable when last looked at
        self._lock = threading.Lock()

    def violated(self, what: str) -> None:
        """Note that a promise was broken; what is seen again and again is told once."""
        with self._lock:
            if what not in self.violations:
                self.violations.append(what)

    def count(self, what: str, by: int = 1) -> None:
        """Count something for the table."""
        with self._lock:
            self.counts[what] += by

    def take_answer(self, call: calls.Change[Any], reply: Any) -> None:
        """A changing call was answered: now, or again by the token of an earlier one."""
        with self._lock:
            before = self.acknowledged.get(call.token)
            if before is None:
                self.acknowledged[call.token] = Acknowledged(call, id_of(reply), _changed_something(call, reply))
        if before is None:
            self.count(f"acknowledged {call.METHOD}")
        elif before.must_be_there:
            self.count("tokens repeated")
            if not reply.repeated or id_of(reply) != before.answered:
                told = f"repeated={reply.repeated}, {id_of(reply)} after {before.answered}"
                self.violated(f"token {call.token} ({call.METHOD}) again: {told}")

    def take_refusal(self, call: calls.Change[Any], fault: Fault) -> None:
        """A changing call was refused: it may have changed nothing."""
        self.count(f"refused {fault.code}")
        with self._lock:
            if call.token in self.acknowledged:
                self.violations.append(f"token {call.token} ({call.METHOD}) was answered, then refused: {fault!r}")
            self.refused.add(call.token)

    # --- the journal -------------------------------------------------------------------------------------------------

    def check(self, state: Path) -> list[dict[str, Any]]:
        """Compare the journal on disk (whose daemon is dead) with all that is known. The records."""
        self.count("journal checks")
        try:
            records = records_of(state)
        except AssertionError as error:
            self.violated(f"a line of the journal is not whole, or does not follow: {error}")
            return []
        self._check_prefix(records, head_seq(state))
        self.check_records(records)
        return records

    def _check_prefix(self, records: Sequence[Record], durable: int) -> None:
        hashes = [record["h"] for record in records]
        if hashes[: len(self._durable)] != self._durable:
            self.violated(f"the journal has changed below record {len(self._durable)}, which was durable")
        if durable > len(hashes):
            self.violated(f"the head names record {durable}, the journal ends at {len(hashes)}")
        self._durable = hashes[:durable]

    def check_records(self, records: Sequence[Record]) -> None:
        """Every acknowledged command is there once, whole, as it was answered; what was killed is no success."""
        commands = commands_of(records)
        if records and records[-1].get("more"):
            commands.pop()
        by_token: dict[str, list[list[Record]]] = {}
        for command in commands:
            if command[0].get("body"):
                by_token.setdefault(command[0]["cause"], []).append(list(command))
        with self._lock:
            acknowledged, refused = list(self.acknowledged.values()), set(self.refused)
        for known in acknowledged:
            self._check_command(known, by_token.get(known.call.token, []))
        for token in refused & by_token.keys():
            self.violated(f"token {token} was refused, and changed something")
        self._check_killed(records)

    def _check_command(self, known: Acknowledged, found: list[list[Record]]) -> None:
        name = f"token {known.call.token} ({known.call.METHOD})"
        if len(found) > 1 or (not found and known.must_be_there):
            self.violated(f"{name} was acknowledged, and is in the journal {len(found)} times")
            return
        for command in found:
            first, last, kind = command[0], command[-1], type(known.call)
            if first["type"] not in FIRST_TYPES[kind] or last["type"] not in LAST_TYPES.get(kind, (last["type"],)):
                self.violated(f"{name} is not whole: {[record['type'] for record in command]}")
            if known.answered not in (first.get("item"), first.get("project")):
                self.violated(f"{name} was answered with {known.answered}, recorded is {first.get('item')}")
            if problem := _differs(known.call, first["data"]):
                self.violated(f"{name} is recorded with another {problem}: {json.dumps(first['data'])[:200]}")

    def _check_killed(self, records: Sequence[Record]) -> None:
        for record in records:
            data = record["data"]
            good = record["type"] == "attempt.accepted" or data.get("outcome") == "passed"
            for killed in (self.must_be_lost, self.never_accepted):
                if good and data.get("attempt") in killed:
                    self.violated(f"{data['attempt']} was killed ({killed[data['attempt']]}), and counts as a success")

    def check_ends(self, records: Sequence[Record]) -> None:
        """At the end of all: what lost its supervisor is recorded as lost, unless nobody wanted it any more."""
        lost = {record["data"]["attempt"] for record in records if record["type"] == "attempt.lost"}
        cancelled = {record.get("item") for record in records if record["type"] == "item.cancelled"}
        for attempt, how in self.must_be_lost.items():
            if attempt not in lost and attempt.split(".")[0] not in cancelled:
                self.violated(f"{attempt} was killed ({how}), and is not recorded as lost")


def _changed_something(call: calls.Change[Any], reply: Any) -> bool:
    """Whether the answer says that the call had an effect, which the journal must then hold."""
    if isinstance(call, calls.RunStart):
        return not reply.attached
    if isinstance(call, calls.ItemEdit | calls.ItemCancel):
        return not reply.note
    return not isinstance(call, calls.RunStop)


def _differs(call: calls.Change[Any], data: Record) -> str:
    """Which field of a call is not recorded as it was asked."""
    asked = {name: getattr(call, name, None) for name in ("title", "description", "priority", "gate", "option", "cap")}
    return next((name for name, value in asked.items() if value and name in data and data[name] != value), "")
