"""The kind `scripted`: the real program does what the directives say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

import pytest

from golemd.adapters import agents
from golemd.adapters.agents.scripted import directives
from golemd.api.config import Agent
from tests.adapters.agents.lab import PATIENCE_SECONDS, Lab


def run(lab: Lab, description: str, **more: Any) -> tuple[int, Any]:
    """Its exit status, and what is in its result file."""
    launch = agents.launch(lab.request(Agent("scripted"), description, **more))
    done = subprocess.run(
        launch.argv, input=(launch.stdin or "").encode(), cwd=lab.workspace, timeout=PATIENCE_SECONDS, check=False
    )
    result = lab.attempt / "result.json"
    return done.returncode, json.loads(result.read_text()) if result.exists() else None


@pytest.mark.parametrize(
    ("text", "phase", "number", "found"),
    [
        ("[[write a.txt x y]] then [[sleep 2]]", "build", 1, [("write", "a.txt x y"), ("sleep", "2")]),
        ("[[build.2: exit 3]] [[build: exit 4]] [[plan: exit 5]]", "build", 1, [("exit", "4")]),
        ("[[build.2: exit 3]] [[build: exit 4]]", "build", 2, [("exit", "3"), ("exit", "4")]),
        ('[[result {"findings": [[1]]}]] [[exit 0]]', "p", 1, [("result", '{"findings": [[1]]}'), ("exit", "0")]),
        ("[[result no json]]", "p", 1, [("result", "no json")]),
        ("[[ignore-term]] [[dance]] [exit 1]", "p", 1, [("ignore-term", "")]),
    ],
)
def test_directives_hold_for_their_phase_and_attempt(
    text: str, phase: str, number: int, found: list[tuple[str, str]]
) -> None:
    assert directives(text, phase, number) == found


def test_files_are_written_and_appended_and_the_result_says_so(lab: Lab) -> None:
    status, result = run(lab, "[[write sub/a.txt one]] [[append sub/a.txt two]] [[sleep 0]]")
    assert status == 0
    assert (lab.workspace / "sub" / "a.txt").read_text() == "one\ntwo\n"
    assert result["result"] == "phase_complete"
    assert result["summary"] == "did: write sub/a.txt, append sub/a.txt, sleep 0"
    assert (result["item_id"], result["phase"]) == ("W-1", "build")


def test_without_directives_there_was_nothing_to_do(lab: Lab) -> None:
    assert run(lab, "words only")[1]["summary"] == "there was nothing to do"


def test_a_result_of_ones_own_gets_the_ids_that_it_lacks(lab: Lab) -> None:
    _, result = run(lab, '[[result {"result": "blocked", "phase": "other"}]]')
    assert result == {"item_id": "W-1", "phase": "other", "summary": "scripted", "result": "blocked"}


def test_a_result_that_is_no_json_is_written_as_it_stands(lab: Lab) -> None:
    with pytest.raises(json.JSONDecodeError):
        run(lab, "[[result {broken]]")
    assert (lab.attempt / "result.json").read_text() == "{broken"


@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_it_says_what_it_has_spent_and_is_believed(lab: Lab, pieces: int) -> None:
    text = "[[spend 0.25 1500]] [[spend 1]] [[spend a lot]] [[write a.txt scripted: spend 9]]"
    launch = agents.launch(lab.request(Agent("scripted"), text))
    done = subprocess.run(
        launch.argv,
        input=(launch.stdin or "").encode(),
        cwd=lab.workspace,
        timeout=PATIENCE_SECONDS,
        check=True,
        stdout=subprocess.PIPE,
    )
    reader = agents.reader("scripted")
    for start in range(0, len(done.stdout), pieces):
        reader.feed(done.stdout[start : start + pieces])
    reader.feed_errors(b"scripted: spend 7")
    found = reader.reading(0)
    assert (found.cost_usd, found.output_tokens, found.session) == (1.25, 1500, "")


def test_an_exit_ends_it_at_once_without_a_result(lab: Lab) -> None:
    assert run(lab, "[[exit 7]] [[write late.txt x]]") == (7, None)
    assert not (lab.workspace / "late.txt").exists()


def test_what_it_spawns_is_in_a_session_of_its_own_and_outlives_it(lab: Lab) -> None:
    fifo = lab.workspace / "fifo"
    os.mkfifo(fifo)
    status, _ = run(lab, "[[spawn exec 3<>fifo; ps -o sid= -p $$ >&3; echo $$ >&3; exec sleep 600]]")
    with open(fifo) as told:
        session, pid = int(told.readline()), int(told.readline())
    os.kill(pid, signal.SIGKILL)
    assert (status, session) == (0, pid)


def test_it_can_be_made_deaf_to_sigterm(lab: Lab) -> None:
    fifo = lab.workspace / "fifo"
    os.mkfifo(fifo)
    launch = agents.launch(lab.request(Agent("scripted"), "[[ignore-term]] [[write fifo ready]] [[sleep 600]]"))
    with lab.start(launch, {}) as running:
        with open(fifo) as told:
            assert told.readline() == "ready\n"
        running.process.send_signal(signal.SIGTERM)
        running.end(signal.SIGKILL, "scripted")
        assert running.process.returncode == -signal.SIGKILL
