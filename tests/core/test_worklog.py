"""The worklog: which records are news, and how they are written."""

from __future__ import annotations

import re
from typing import Final

import pytest
from msgspec.structs import replace

from golemd.api import events as ev
from golemd.api.config import Pipeline
from golemd.api.events import Event, Record
from golemd.api.model import GateKind, Phase, Resolution, ResultCode, Run, RunState, Stage
from golemd.core.worklog import MAX_SUMMARY, Entry, entry_of, markdown, to_be_kept


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


# --- what a commit adds


def life(*events: Event) -> list[Record]:
    """The records of one item, one a day."""
    return [replace(record(event), seq=seq, ts=f"2026-11-{seq:02}T00:00:00Z") for seq, event in enumerate(events, 1)]


def committed(phase: str, *, deferred: bool = False) -> ev.CommitCreated:
    return ev.CommitCreated(run="r", phase=phase, attempt="a", head="h", tree="t", deferred=deferred)


def completed(phase: str) -> ev.PhaseCompleted:
    return ev.PhaseCompleted(run="r", phase=phase, summary="all")


CREATED: Final = ev.RunCreated(run="r", number=1, pipeline=Pipeline("feature"), config_digest="d")
DONE: Final = ev.AttemptAccepted(attempt="WRK-1.1.build.1", result=ResultCode.PHASE_COMPLETE)
ASKED: Final = gate(GateKind.QUESTION)


def run_at(stage: Stage, *, more_rounds: bool = False) -> Run:
    phase = Phase("build", stage=stage, accepted="WRK-1.1.build.1", summary="built", more_rounds=more_rounds)
    return Run("r", "WRK-1", "demo", 1, RunState.EXECUTING, Pipeline("feature"), "d", (phase,))


@pytest.mark.parametrize(
    ("events", "run", "told"),
    [
        pytest.param([CREATED, DONE], run_at(Stage.COMMIT), ["02 Complete"], id="the phase that is committed"),
        pytest.param([CREATED, DONE], run_at(Stage.GATE), [], id="not one that waits for approval"),
        pytest.param([CREATED, DONE], run_at(Stage.COMMIT, more_rounds=True), [], id="nor one with rounds to come"),
        pytest.param(
            [CREATED, ASKED, accepted(ResultCode.SUBPHASE_COMPLETE), DONE],
            run_at(Stage.COMMIT),
            ["02 Blocked", "03 Subphase Complete", "04 Complete"],
            id="what came before it",
        ),
        pytest.param(
            [ASKED, CREATED, ASKED, committed("plan"), completed("plan"), ASKED],
            run_at(Stage.GATE),
            ["06 Blocked"],
            id="not what an earlier commit or run has told",
        ),
        pytest.param(
            [CREATED, committed("plan", deferred=True), completed("plan"), DONE],
            run_at(Stage.COMMIT),
            ["03 Complete", "04 Complete"],
            id="phases that were not committed yet",
        ),
        pytest.param(
            [CREATED, committed("plan"), committed("plan", deferred=True), completed("plan")],
            run_at(Stage.BODY),
            ["04 Complete"],
            id="a phase that was done again and not committed yet",
        ),
    ],
)
def test_a_commit_adds_what_no_earlier_one_has_told(events: list[Event], run: Run, told: list[str]) -> None:
    files = to_be_kept(life(*events), run, "A title")
    assert set(files) <= {"_worklog/2026-11.md"}
    text = "".join(files.values())
    found = re.findall(r"^## 2026-11-(\d\d).*\n\n(?:- \*\*Phase.*\n)?- \*\*Outcome:\*\* (.*)$", text, re.MULTILINE)
    assert [" ".join(each) for each in found] == told


def test_what_agents_wrote_is_without_escapes() -> None:
    text = markdown(record(ev.ItemCompleted()), Entry("Done", "\x1b[31mred\x1b[0m\nline"), "a \x1b]0;t\x07title")
    assert "\x1b" not in text
    assert "(a title)" in text
    assert "- **Summary:** red line" in text


def test_each_month_has_its_file() -> None:
    first, second = life(CREATED, ASKED)[1:] * 2
    moved = replace(second, ts="2026-12-01T00:00:00Z")
    assert list(to_be_kept([first, moved], run_at(Stage.BODY), "A")) == ["_worklog/2026-11.md", "_worklog/2026-12.md"]
