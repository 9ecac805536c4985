"""That a file system which was cut off is not taken for found again while another namespace still has it."""

from __future__ import annotations

import subprocess

import pytest

from tests.faults.proof import Skipped
from tests.faults.real import mounts


def test_one_that_goes_on_elsewhere_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        with mounts.file_system("ext4") as found:
            monkeypatch.setattr(mounts, "ELSEWHERE_SECONDS", 0.0)
            with subprocess.Popen(
                ["unshare", "--mount", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            ) as other:
                assert other.stdin is not None
                assert other.stdout is not None
                other.stdin.write(b"here\n")
                other.stdin.flush()
                assert other.stdout.readline() == b"here\n"
                with pytest.raises(TimeoutError, match="another namespace"):
                    found.unmount()
            monkeypatch.undo()
            found.mount()
    except Skipped as reason:
        pytest.skip(str(reason))
