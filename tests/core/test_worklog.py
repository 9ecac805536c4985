"""The worklog: which records are news, and how they are written."""

from __future__ import annotations

from typing import Final

import pytest

from golemd.api import events as ev
from golemd.api.events import Event, Record
from golemd.api.model import GateKind, Resolution, ResultCode
from golemd.core.worklog import MAX_SUMMARY, Entry, entry_of, markdown


def record(event: Event) -> Record:
    return Record(seq=1, d=0, ts="2026-11-20T09:11:00Z", type=event.TYPE, item="WRK-1", data=event, prev="", h="")


def gate(kind: GateKind) -> ev.GateOpened:
    return ev.GateOpened(gate="WRK-1.g1", run="WRK-1.1", phase="build", kind=kind, key="k", question="?", options=())


def accepted(result: ResultCode) -> ev.AttemptAccepted:
    return ev.AttemptAccepted(attempt="WRK-1.1.build.2", result=result, summary="half")


CASES: Final[list[tuple[Event, Entry | None]]] = [
    (ev.PhaseCompleted(run="r", phase="build", summary="all"), Entry("Complete", "all", "build")),
    (ev.PhaseFailed(run="r", phase="build", reason="no"), Entry("Failed", "no", "build")),
    (ev.PhaseSkipped(run="r", phase="build", reason="small"), Entry("Skipped", "small", "build")),
    (accepted(ResultCode.SUBPHASE_COMPLETE), Entry("Subphase Complete", "half", "build")),
    (accepted(ResultCode.PHASE_COMPLETE), None),
    (gate(GateKind.QUESTION), Entry("Blocked", "?", "build")),
    (gate(GateKind.GUARDRAIL), Entry("Blocked", "?", "build")),
    (gate(GateKind.FAILURE), None),
    (gate(GateKind.APPROVAL), None),
    (ev.ItemCancelled(resolution=Resolution.CANCELLED, reason="no"), Entry("Cancelled", "no")),
    (ev.ItemCancelled(resolution=Resolution.DUPLICATE, duplicate_of="WRK-2"), Entry("Merged", "into WRK-2")),
    (ev.ItemCompleted(), Entry("Done")),
    (ev.DaemonStarted(version="1", pid=1, boot_id="b"), None),
]


@pytest.mark.parametrize(("event", "entry"), CASES)
def test_each_record_is_news_or_not(event: Event, entry: Entry | None) -> None:
    assert entry_of(record(event)) == entry


def test_an_entry_is_a_heading_and_its_fields_each_on_one_line() -> None:
    event = ev.PhaseCompleted(run="r", phase="build", summary="two\n\nlines " + "x" * MAX_SUMMARY)
    entry = entry_of(record(event))
    assert entry is not None
    text = markdown(record(event), entry, "A\ntitle")
    head, empty, phase, outcome, summary, *end = text.split("\n")
    assert head == "## 2026-11-20T09:11:00Z — WRK-1 (A title)"
    assert (empty, phase, outcome) == ("", "- **Phase:** build", "- **Outcome:** Complete")
    assert summary.startswith("- **Summary:** two lines x")
    assert summary.endswith("…")
    assert end == ["", "---", ""]
