"""Telling people: the command and what it gets, notify-send, and that nothing of it is left afterwards."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import pytest
import trio

from golemd.adapters.notifier import SESSION, Notifier
from golemd.adapters.processes import proctable
from tests.path.ground import carrying, ended

DOCUMENT = b'{"id": "WRK-1.g1"}'


def program(folder: Path, script: str, name: str = "tell") -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return str(path)


def notifier(*command: str, seconds: float = 60.0, **environ: str) -> Notifier:
    found = Notifier.find(command, {"PATH": os.environ["PATH"], **environ}, f"test-{uuid.uuid4().hex}", seconds)
    assert found is not None
    return found


async def tell(found: Notifier) -> str:
    return await found.tell("WRK-1.g1", "WRK-1 waits for you", "Keep <it> & go on?", DOCUMENT)


async def test_a_command_gets_the_document_and_its_words_and_environment(tmp_path: Path) -> None:
    script = f'cat > "{tmp_path}/in"; echo "$1 $COLOUR $(pwd)" > {tmp_path}/out; env > {tmp_path}/env; sleep 0'
    assert await tell(notifier(program(tmp_path, script), "word", COLOUR="red")) == ""
    assert json.loads((tmp_path / "in").read_text()) == {"id": "WRK-1.g1"}
    assert (tmp_path / "out").read_text() == f"word red {Path.home()}\n"
    assert "GOLEM_ATTEMPT=notify:WRK-1.g1" in (tmp_path / "env").read_text()


async def test_a_command_on_the_path_and_one_that_reads_nothing_are_fine(tmp_path: Path) -> None:
    program(tmp_path, f"echo here $PATH > {tmp_path}/out")
    for own, path in ((str(tmp_path), ""), (str(tmp_path), "/nowhere"), ("/nowhere", str(tmp_path))):
        found = Notifier.find(("tell",), {"PATH": own}, "i", 60.0)
        assert found is not None
        assert await found.tell("g", "t", "t", b"x" * 2_000_000, path) == ""
        assert (tmp_path / "out").read_text() == f"here {path or own}\n"
        (tmp_path / "out").unlink()


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("exit 3", "it exited with status 3"),
        ("echo one >&2; echo; printf 'no \\033[31mnetwork\\n' >&2; exit 1", "it exited with status 1: no  [31mnetwork"),
        ("kill -9 $$", "it was ended by signal 9"),
        ("head -c 100000 /dev/zero | tr '\\0' x >&2; echo >&2; echo end >&2; exit 1", "it exited with status 1: end"),
        ("head -c 1000 /dev/zero | tr '\\0' x >&2; exit 1", "it exited with status 1: " + "x" * 399 + "…"),
    ],
)
async def test_what_went_wrong_is_said_in_one_line(tmp_path: Path, script: str, problem: str) -> None:
    assert await tell(notifier(program(tmp_path, script))) == problem


async def test_a_program_that_cannot_be_started_is_a_problem_and_no_error(tmp_path: Path) -> None:
    assert await tell(notifier("/no/such/program")) == "there is no program /no/such/program"
    (tmp_path / "no-program").write_bytes(b"\x7fELF")
    (tmp_path / "no-program").chmod(0o700)
    assert await tell(notifier(str(tmp_path / "no-program"))) == "it could not be started: Exec format error"


async def test_one_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    script = f"setsid sleep 600 & trap '' TERM; sleep 600 & echo $! > {tmp_path}/pid; echo $$ >> {tmp_path}/pid; wait"
    found = notifier(program(tmp_path, script), seconds=1.0)
    assert await tell(found) == "it had not ended after 1 s, and was ended"
    assert all(ended(int(pid), 0) for pid in (tmp_path / "pid").read_text().split())
    assert carrying(f"GOLEM_INSTANCE={found._instance}") == []


async def test_what_goes_into_the_background_is_ended_when_the_command_has_ended(tmp_path: Path) -> None:
    found = notifier(program(tmp_path, f"setsid sleep 600 2>/dev/null & echo $! > {tmp_path}/pid"))
    assert await tell(found) == ""
    assert ended(int((tmp_path / "pid").read_text()), 0)


async def test_a_cancelled_one_leaves_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "began")
    found = notifier(program(tmp_path, f"setsid sleep 600 & echo > {tmp_path}/began; wait"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell, found)
        await trio.to_thread.run_sync((tmp_path / "began").read_bytes)
        nursery.cancel_scope.cancel()
    assert carrying(f"GOLEM_INSTANCE={found._instance}") == []


async def test_notify_send_gets_a_title_and_a_text_without_markup(tmp_path: Path) -> None:
    program(tmp_path, f'printf "%s\\n" "$@" > {tmp_path}/words', "notify-send")
    path = f"{tmp_path}:{os.environ['PATH']}"
    found = notifier(PATH=path, DBUS_SESSION_BUS_ADDRESS="unix:path=/nowhere")
    assert await found.tell("g", "WRK-1\nwaits", "Keep <it> & go \x1b[2Jon?", DOCUMENT) == ""
    words = (tmp_path / "words").read_text().splitlines()
    assert words == ["--app-name=golemd", "--", "WRK-1 waits", "Keep &lt;it&gt; &amp; go  [2Jon?"]


def test_without_a_command_there_must_be_notify_send_and_a_session_bus(tmp_path: Path) -> None:
    program(tmp_path, "", "notify-send")
    here = {"PATH": str(tmp_path)}
    (tmp_path / "bus").touch()
    assert Notifier.find((), here, "i", 1.0) is None
    assert Notifier.find((), here | {"XDG_RUNTIME_DIR": str(tmp_path / "none")}, "i", 1.0) is None
    assert Notifier.find((), {"PATH": "/nowhere", "DBUS_SESSION_BUS_ADDRESS": "x"}, "i", 1.0) is None
    assert Notifier.find((), here | {"XDG_RUNTIME_DIR": str(tmp_path)}, "i", 1.0) is not None
    assert Notifier.find((), here | {"DBUS_SESSION_BUS_ADDRESS": "x"}, "i", 1.0) is not None
    assert "XDG_RUNTIME_DIR" in SESSION


async def test_who_runs_a_notification_is_no_agent_unless_an_agent_started_it(tmp_path: Path) -> None:
    """The mark is not believed: whether an agent is above decides."""
    instance = f"test-{uuid.uuid4().hex}"
    os.mkfifo(tmp_path / "go")
    script = f"cat {tmp_path}/go > /dev/null"
    for above, agent in (
        ({}, None),
        ({"GOLEM_INSTANCE": instance, "GOLEM_ATTEMPT": "WRK-1.1.build.1"}, "WRK-1.1.build.1"),
    ):
        marked = f"GOLEM_INSTANCE={instance} GOLEM_ATTEMPT=notify:g sh -c 'echo $$; {script}' & wait"
        process = await trio.lowlevel.open_process(
            ["/bin/sh", "-c", marked], env={"PATH": os.environ["PATH"], **above}, stdout=-1
        )
        assert process.stdout is not None
        pid = int(await process.stdout.receive_some(20))
        assert proctable.attempt_of(pid, instance) == agent
        await trio.to_thread.run_sync((tmp_path / "go").write_bytes, b"")
        await process.wait()
        await process.stdout.aclose()
