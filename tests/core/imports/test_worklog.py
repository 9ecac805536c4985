"""Worklogs: what they tell of items, and that no text is beyond reading."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from golemd.api.model import Past
from golemd.core.imports import read_store, worklog

LOG: Final = """\
# Worklog

## 2026-02-19T02:37:49.555364212+00:00 — WRK-1 (Add (it))

- **Phase:** prd
- **Outcome:** Subphase Complete
- **Summary:** Wrote it. It has
more than one line.

---

## 2026-02-19T02:39:23+00:00 — WRK-1 (Add (it))

- **Status:** Done
- **Phase:** review

---

## soon — WRK-1 (Add it)

- **Phase:** prd

## 2026-02-20T00:00:00Z — WRK-2 (Other)

## Notes of mine
"""


def test_entries_become_notes_of_their_items() -> None:
    assert worklog.histories([LOG.encode()]) == {
        "WRK-1": [
            Past("2026-02-19T02:37:49.555364Z", "prd subphase complete: Wrote it. It has"),
            Past("2026-02-19T02:39:23.000000Z", "review done"),
        ],
        "WRK-2": [Past("2026-02-20T00:00:00.000000Z", "worked on")],
    }


def test_they_are_told_with_what_else_happened() -> None:
    item = "{id: WRK-1, title: a, status: done, created: 2026-01-01, updated: 2026-01-01}"
    files = {"BACKLOG.yaml": f"items:\n- {item}\n".encode(), "_worklog/2026-02.md": LOG.encode()}
    (entry,) = read_store(files).entries
    assert [note.text for note in entry.history] == ["prd subphase complete: Wrote it. It has", "review done"]


LINES: Final = st.sampled_from([*LOG.splitlines(), "", "## — ()", "- **Phase:**"]) | st.text(max_size=10)


@given(st.lists(LINES).map("\n".join).map(str.encode) | st.binary(max_size=50))
def test_no_bytes_are_beyond_reading(data: bytes) -> None:
    for notes in worklog.histories([data]).values():
        assert all(note.at and note.text for note in notes)
