"""A daemon whose agent is the real Claude Code; its service is a fake on loopback, and the item says what it does."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import pytest

from tests.fakes.messages_api import Failure, MessagesApi
from tests.path.house import House
from tests.path.repositories import Project

INSTALL: Final = Path(__file__).parents[1] / "fakes" / "install_claude"
NO_NODE: Final = 3
AS_SUBSCRIBER: Final = {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-fake", "ANTHROPIC_API_KEY": ""}
DONE: Final = (
    '[[structured {"item_id": "@item", "phase": "@phase", "result": "phase_complete", "summary": "did @phase"}]]'
)


def used_up(reset_s: int = 0, *, seconds: int = 0) -> dict[str, str]:
    """The headers with which the service says that an account is used up until a moment, or for so many seconds."""
    return {
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-reset": str(reset_s or int(time.time()) + seconds),
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
    }


def installed() -> str:
    """The real program, installed once; a machine without node or npm has none, and no other reason counts."""
    done = subprocess.run([INSTALL], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == NO_NODE:
        pytest.skip("node and npm are needed to install claude")
    assert done.returncode == 0, "claude could not be installed: see what npm says"
    return done.stdout.strip()


class Model(MessagesApi):
    """It fills @item and @phase in, as the heading of the prompt names them."""

    def take(self, request: dict[str, Any]) -> Failure | None:
        text = json.dumps(request["messages"])
        named = re.search(r"# (\S+): phase (\w+)", text)
        if named is not None:
            request["messages"] = json.loads(text.replace("@item", named[1]).replace("@phase", named[2]))
        return super().take(request)


class Site:
    """A daemon with a project whose agent is claude."""

    def __init__(self, daemon: House, program: str, api: Model) -> None:
        self.daemon, self.program, self.api = daemon, program, api

    def project(
        self, *phases: dict[str, Any], env: dict[str, str] | None = None, more: str = "", **agent: Any
    ) -> Project:
        own = {
            "ANTHROPIC_BASE_URL": self.api.url,
            "ANTHROPIC_API_KEY": "fake-key",
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "IS_SANDBOX": "1",
        }
        wanted = {name: value for name, value in {**own, **(env or {})}.items() if value}
        section = {"kind": "claude", "command": [self.program], **agent, "env": wanted}
        return self.daemon.project(
            phases=phases or [{"name": "build"}],
            agents={"claude": section},
            execution={"agent": "claude", "max_wip": 2},
            pipelines={"other": [{"name": "write", "agent": "scripted"}]},
            more=more,
        )

    def argv(self, attempt: str) -> list[str]:
        """How an attempt was started."""
        spec = json.loads((self.daemon.state / "attempts" / attempt / "spec.json").read_text(encoding="utf-8"))
        return [str(word) for word in spec["argv"]]

    def sessions(self, item: str) -> list[str]:
        return [record["data"]["session"] for record in self.daemon.records("attempt.session", item)]

    def prompt(self, attempt: str) -> str:
        """What an attempt was told."""
        return (self.daemon.state / "attempts" / attempt / "prompt.md").read_text(encoding="utf-8")
