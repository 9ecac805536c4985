"""The kind `command`, the table of kinds, and the reader that says nothing."""

from __future__ import annotations

import os

import pytest

from golemd.adapters import agents
from golemd.adapters.agents import Reading
from golemd.api.config import Agent
from golemd.api.faults import Invalid
from tests.adapters.agents.lab import Lab


def test_placeholders_are_filled_and_other_braces_stay(lab: Lab) -> None:
    agent = Agent(
        "command", ("run", "{prompt_file}", "--to={result_file}", "{item}.{phase}", "{x}"), args=("{workspace}",)
    )
    argv = agents.launch(lab.request(agent)).argv
    place = lab.attempt
    assert argv == ("run", f"{place}/prompt.md", f"--to={place}/result.json", "W-1.build", "{x}", str(lab.workspace))


def test_a_program_with_a_slash_is_found_from_the_projects_root(lab: Lab) -> None:
    root = lab.workspace.parent
    assert agents.launch(lab.request(Agent("command", ("./agent.sh",)))).argv == (f"{root}/agent.sh",)
    assert agents.launch(lab.request(Agent("command", ("~/agent.sh",)))).argv == (os.path.expanduser("~/agent.sh"),)
    assert agents.launch(lab.request(Agent("command", ("{project_root}/a",)))).argv == (f"{root}/a",)


def test_nothing_is_read_from_the_output_of_programs_that_write_for_people() -> None:
    for kind in ("command", "scripted"):
        reader = agents.reader(kind)
        reader.feed(b'{"type": "result", "subtype": "success", "is_error": false}\n')
        reader.feed_errors(b"error: no\n")
        assert reader.reading(None) == reader.reading(0) == reader.reading(1) == Reading()


def test_an_unknown_kind_is_refused_with_those_that_there_are(lab: Lab) -> None:
    for ask in (lambda: agents.launch(lab.request(Agent("oracle"))), lambda: agents.reader("oracle")):
        with pytest.raises(Invalid) as caught:
            ask()
        assert caught.value.code == "agent_unavailable"
        assert all(kind in caught.value.hint for kind in agents.KINDS)
