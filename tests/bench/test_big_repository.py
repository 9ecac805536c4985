"""The measurement of a big repository works, on a small one, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import big_repository


def test_every_step_is_measured_and_all_is_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--files", "80", "--blobs", "1", "--blob-mb", "1", "--place", str(tmp_path)]
    assert big_repository.main(arguments) == 0
    said = capsys.readouterr().out
    for step in ("enter: a new worktree", "examine after an attempt", "commit the phase", "bring it back", "tidy"):
        assert step in said
    assert list(tmp_path.iterdir()) == []
