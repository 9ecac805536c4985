"""Requests for agents, and running what they come to: real programs, their output read by the kind's reader."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from golemd.adapters import agents
from golemd.adapters.agents import Launch, Reading, Request
from golemd.api.config import Agent

PATIENCE_SECONDS: Final = 40.0  # for what takes a second; only a failing test waits so long


class Lab:
    """A workspace, a folder for an attempt, and a home of their own."""

    def __init__(self, root: Path) -> None:
        self.workspace = root / "tree"
        self.attempt = root / "attempt"
        self.home = root / "home"
        for folder in (self.workspace, self.attempt, self.home):
            folder.mkdir()

    def request(self, agent: Agent, prompt: str = "do it", **more: Any) -> Request:
        """A request of the item W-1, phase build, whose prompt is in its file."""
        prompt_file = self.attempt / "prompt.md"
        prompt_file.write_text(prompt, encoding="utf-8")
        fields: dict[str, Any] = {
            "item": "W-1",
            "phase": "build",
            "number": 1,
            "description": prompt,
            "prompt_file": str(prompt_file),
            "result_file": str(self.attempt / "result.json"),
            "workspace": str(self.workspace),
            "project_root": str(self.workspace.parent),
        }
        return Request(agent=agent, **{**fields, **more})

    def start(self, launch: Launch, env: Mapping[str, str]) -> Running:
        """Run it in the workspace, with the environment that it wants under the one that is given."""
        own = {"PATH": os.environ["PATH"], "HOME": str(self.home), "TMPDIR": str(self.home)}
        return Running(launch, {**own, **launch.env, **env}, self.workspace)


class Running:
    """A program under way; use it as a context manager, so that none outlives its test."""

    def __init__(self, launch: Launch, env: dict[str, str], folder: Path) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(launch.argv, stdin=pipe, stdout=pipe, stderr=pipe, env=env, cwd=folder)
        assert self.process.stdin is not None
        self.process.stdin.write((launch.stdin or "").encode())
        self.process.stdin.close()
        self.process.stdin = None

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self, how: signal.Signals | None = None, kind: str = "claude") -> Reading:
        """Wait for its end, or cause it; what its output says."""
        if how is not None:
            self.process.send_signal(how)
        out, errors = self.process.communicate(timeout=PATIENCE_SECONDS)
        reader = agents.reader(kind)
        reader.feed(out)
        reader.feed_errors(errors)
        return reader.reading(self.process.returncode)
