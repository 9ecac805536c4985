"""golemd as a service of a real `systemd --user`: the tests that are marked for the proofs, each of them one case."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from tests.faults.proof import Skipped, Tally

SOURCES: Final = Path(__file__).resolve().parents[2]
SECONDS: Final = 900.0


def prove(tally: Tally) -> None:
    """Run them; there is nothing more to show after that. Raises Skipped where there is no systemd to be had."""
    with tempfile.TemporaryDirectory(prefix="golem-service-") as folder:
        report = Path(folder) / "report.xml"
        words = ["-q", "-m", "proof", "tests/systemd", f"--junitxml={report}"]
        subprocess.run(
            [sys.executable, "-m", "pytest", *words],
            cwd=SOURCES,
            stdout=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
        cases = list(ElementTree.parse(report).iter("testcase"))
    skipped = [str(each.get("message")) for case in cases for each in case.iter("skipped")]
    if skipped:
        raise Skipped(skipped[0])
    for case in cases:
        tally.case()
        for problem in (*case.iter("failure"), *case.iter("error")):
            tally.violation(f"{case.get('name')}: {problem.get('message')}")
