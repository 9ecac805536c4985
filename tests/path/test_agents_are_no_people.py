"""An agent may look at its own item and add follow-ups, and not steer: what people decide is refused to it."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable

from tests.path.ground import Fifo
from tests.path.house import House
from tests.path.repositories import RESULT, Project

ASKS = '[[result {"result": "blocked", "summary": "s", "question": "Which?"}]]'
LINE = '"{python}" -m golemctl --json {words} > "$GOLEM_WORKSPACE"/{number}.json 2>&1; echo "{number} $?"'


def _script(daemon: House, commands: list[str]) -> str:
    lines = [LINE.format(python=sys.executable, words=words, number=number) for number, words in enumerate(commands)]
    paths = f"export PYTHONPATH={os.pathsep.join(path for path in sys.path if path)}"
    return "\n".join([paths, *lines, RESULT])


def _project(daemon: House, commands: list[str]) -> Project:
    return daemon.project(
        phases=[{"name": "build", "agent": "meddler"}],
        pipelines={"asking": [{"name": "ask", "agent": "scripted"}]},
        agents=daemon.agent("meddler", _script(daemon, commands)),
    )


def test_an_agent_that_decides_adds_and_stops_is_refused_and_may_look_at_itself(daemon: House) -> None:
    refused = [
        *("approve WRK-1", "decide WRK-1.g1 answer -m x", "unblock WRK-1 --answer x", "show WRK-1", "status"),
        *("shutdown", "cancel WRK-2", "edit WRK-2 --priority 9", "reload", "run --detach", "stop --now"),
    ]
    allowed = ["show WRK-2", "why WRK-2", "ping"]
    project = _project(daemon, [*refused, *allowed])
    asking = project.add(ASKS, pipeline="asking")
    item = project.add("")
    assert (asking, item) == ("WRK-1", "WRK-2")
    project.run()
    daemon.done(item)
    for number, words in enumerate([*refused, *allowed]):
        answer = json.loads(project.file_of(item, f"{number}.json").splitlines()[0])
        if words in refused:
            assert answer["error"]["code"] == "not_for_agents", (words, answer)
            assert answer["error"]["class"] == "human_required"
            assert answer["error"]["hint"]
        else:
            assert "error" not in answer, (words, answer)
    assert daemon.show(asking).status == "blocked"
    assert daemon.records("gate.decided") == []
    assert len(daemon.records("item.added")) == 2


def test_an_agent_adds_follow_ups_to_its_own_item_up_to_the_quota(daemon: House) -> None:
    commands = ["add one -d why --priority 9", "add ONE", "add two", "add three"]
    project = _project(daemon, commands)
    text = (project.root / "golem.toml").read_text(encoding="utf-8")
    (project.root / "golem.toml").write_text(text.replace("[execution]", "[execution]\nmax_follow_ups = 2"))
    item = project.work()
    daemon.done(item)
    answers = [json.loads(project.file_of(item, f"{n}.json").splitlines()[0]) for n in range(len(commands))]
    assert (answers[0]["origin"], answers[0]["description"], answers[0]["priority"]) == (f"{item}/build", "why", 0)
    assert answers[1]["error"]["code"] == "follow_up_exists"
    assert "error" not in answers[2]
    assert answers[3]["error"]["code"] == "follow_up_refused"


def test_a_descendant_that_has_left_its_session_is_still_an_agent(daemon: House, fifo: Callable[[str], Fifo]) -> None:
    told = fifo("told")
    words = f'"{sys.executable}" -m golemctl --json cancel "$GOLEM_ITEM"'
    paths = os.pathsep.join(path for path in sys.path if path)
    script = f"setsid env -u GOLEM_ATTEMPT PYTHONPATH={paths} sh -c '{words} > {told.path}; true'\n{RESULT}"
    project = daemon.project(phases=[{"name": "build", "agent": "sly"}], agents=daemon.agent("sly", script))
    item = project.work()
    assert json.loads(told.heard().splitlines()[0])["error"]["code"] == "not_for_agents"
    daemon.done(item)


def test_an_agent_that_signals_the_daemon_cannot_be_told_from_its_user(daemon: House) -> None:
    """What the README says: against malice only a sandbox helps. The daemon then stops as it always does."""
    script = f'kill -{signal.SIGTERM} "$DAEMON"; sleep 600'
    agents = {"rude": daemon.agent("rude", script)["rude"] | {"env": {"DAEMON": str(daemon.pid)}}}
    project = daemon.project(phases=[{"name": "build", "agent": "rude"}], agents=agents)
    project.work()
    assert daemon.wait() == 0
    assert daemon.left() == []
