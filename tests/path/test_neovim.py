"""Neovim drives golemd over its own MessagePack-RPC, without a line of ours on its side."""

from __future__ import annotations

import json
import shutil

from golemd.api import calls
from tests.path.ground import Ended, run_command
from tests.path.house import House
from tests.path.repositories import Project


def _nvim(daemon: House, expression: str) -> Ended:
    program = shutil.which("nvim")
    assert program, "nvim is not installed; these tests need it"
    open_socket = "let c = sockconnect('pipe', $GOLEMD_SOCKET, #{rpc: v:true})"
    answer = f"call writefile([json_encode({expression})], '/dev/stdout')"
    wrapped = f"try | {open_socket} | {answer} | catch | call writefile([v:exception], '/dev/stderr') | cquit | endtry"
    return run_command(
        [program, "--headless", "--clean", "-n", "-c", wrapped, "-c", "qall!"],
        env=daemon.env | {"GOLEMD_SOCKET": str(daemon.socket)},
        cwd=daemon.root,
    )


def test_neovim_asks_for_status(daemon: House, demo: Project) -> None:
    item = demo.add(title="from Python")
    done = _nvim(daemon, "rpcrequest(c, 'status', {})")
    assert done.status == 0, done.err
    view = json.loads(done.out)
    assert view["daemon"]["pid"] == daemon.pid
    assert [each["id"] for each in view["items"]] == [item]


def test_neovim_adds_an_item(daemon: House, demo: Project) -> None:
    done = _nvim(daemon, "rpcrequest(c, 'item.add', #{title: 'from Neovim', priority: 3})")
    assert done.status == 0, done.err
    assert json.loads(done.out)["id"] == "WRK-1"
    assert daemon.show("WRK-1").title == "from Neovim"


def test_neovim_calls_without_parameters(daemon: House) -> None:
    done = _nvim(daemon, "rpcrequest(c, 'ping')")
    assert done.status == 0, done.err
    assert json.loads(done.out)["pid"] == daemon.pid


def test_neovim_is_told_of_a_refusal_and_the_daemon_lives(daemon: House) -> None:
    done = _nvim(daemon, "rpcrequest(c, 'item.show', #{id: 'WRK-9'})")
    assert "Error invoking 'item.show'" in done.err
    assert done.out == ""
    assert daemon.call(calls.Ping()).pid == daemon.pid
