"""How a program is started, what it gets, and how its end is recorded."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
from pathlib import Path

import psutil
import pytest
import trio

from golemd.adapters.processes import proctable
from golemd.adapters.processes.launch import launch_plain
from golemd.adapters.processes.records import Exit, Identity
from golemd.api.faults import Conflict, Invalid, Unavailable
from tests.adapters.processes.helpers import ChangedShim, Place, gone, hear, make_fifo, py, run, sh

LIBRARY_SIGNALS = 1 << 31 | 1 << 32  # 32 and 33, which the C library lets nobody change


async def test_an_exit_status_is_recorded_with_what_the_program_used(here: Place) -> None:
    end = await run(here.runner, sh("exit 42"))
    assert (end.status, end.signal, end.reason, end.errno, end.ended_descendants) == (42, None, "", None, 0)
    assert end.duration_s > 0
    assert end.cpu_s > 0
    assert end.max_rss_kb > 500
    assert end.at.endswith("Z")
    assert here.runner.result("A.1") == end


async def test_the_cpu_time_of_descendants_counts_even_if_they_outlive_the_program(here: Place) -> None:
    busy = (
        "import _signal, posix, time\n"
        "_signal.signal(15, _signal.SIG_IGN)\n"
        "posix.fork()\n"
        "began = time.process_time()\n"
        "while time.process_time() < began + 0.1: pass\n"
    )
    assert (await run(here.runner, py(busy))).cpu_s >= 0.2


async def test_a_signal_that_ends_the_program_is_recorded(here: Place) -> None:
    end = await run(here.runner, sh("kill -USR1 $$"))
    assert (end.status, end.signal, end.reason) == (None, signal.SIGUSR1, "")


async def test_output_goes_to_the_logs_and_input_comes_from_the_file(here: Place, tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.md"
    prompt.write_text("do it\n")
    await run(here.runner, sh("cat; pwd; echo bad >&2", stdin=str(prompt), cwd=str(tmp_path)))
    assert here.runner.logs("A.1", "stdout", 0, 100) == f"do it\n{tmp_path}\n".encode()
    assert here.runner.logs("A.1", "stderr", 0, 100) == b"bad\n"


async def test_without_an_input_file_the_input_is_empty(here: Place) -> None:
    assert (await run(here.runner, sh("read line"))).status == 1


async def test_the_environment_is_the_given_one_and_the_markers(here: Place) -> None:
    await run(here.runner, py("import posix\nprint(posix.environ)", env={"SECRET": "s\udcff3", "PATH": "/bin"}))
    shown = here.runner.logs("A.1", "stdout", 0, 4000)
    assert b"b'SECRET': b's\\xff3'" in shown
    assert f"b'GOLEM_INSTANCE': b'{here.instance}'".encode() in shown
    assert b"b'GOLEM_ATTEMPT': b'A.1'" in shown
    assert b"b'PYTHONUNBUFFERED': b'1'" in shown


async def test_values_of_the_environment_are_not_on_disk_and_not_in_arguments_or_reprs(here: Place) -> None:
    fifo = make_fifo(here.state.parent / "fifo")
    spec = sh(f"echo $$ > {fifo}; exec sleep 100", env={"API_KEY": "hunter2-very-secret"})
    assert "hunter2" not in repr(spec)
    assert "env=<3 hidden>" in repr(spec)
    identity = await here.runner.submit(spec)
    assert isinstance(identity, Identity)
    await hear(fifo)
    for file in here.folder().iterdir():
        assert b"hunter2" not in file.read_bytes(), file
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for pid in (identity.pid, identity.shim_pid):
        assert b"hunter2" not in b" ".join(map(os.fsencode, psutil.Process(pid).cmdline()))
    assert stat.S_IMODE(here.folder().stat().st_mode) == 0o700
    assert "API_KEY" in json.loads((here.folder() / "spec.json").read_bytes())["env"]
    here.runner.stop("A.1", grace_now=True)
    await here.runner.wait("A.1")


async def test_a_wider_folder_that_was_there_is_tightened(here: Place) -> None:
    here.folder().mkdir(parents=True)
    here.folder().chmod(0o755)
    await run(here.runner, sh("true"))
    assert stat.S_IMODE(here.folder().stat().st_mode) == 0o700


async def test_the_program_starts_with_default_signals_its_own_session_and_only_three_fds(here: Place) -> None:
    script = (
        "import posix\n"
        "print(posix.getpid() == posix.getsid(0) == posix.getpgrp(), sorted(posix.listdir('/proc/self/fd')))\n"
        "print(open('/proc/self/oom_score_adj').read())\n"
        "print(*[l for l in open('/proc/%d/status' % posix.getpid()) if l.startswith('SigBlk')])\n"
    )
    await run(here.runner, py(script))
    first, oom, blocked = filter(None, here.runner.logs("A.1", "stdout", 0, 4000).decode().split("\n"))
    assert first == "True ['0', '1', '2', '3']"  # 3 is the listing itself
    assert int(oom) >= 500
    assert blocked.split() == ["SigBlk:", "0" * 16]


async def test_an_fd_that_the_daemon_left_inheritable_reaches_nobody(here: Place) -> None:
    for fd in os.pipe2(0):
        identity = await here.runner.submit(sh("exec sleep 600", f"A.{fd}"))
        assert isinstance(identity, Identity)
        held = [os.readlink(entry) for entry in Path(f"/proc/{identity.shim_pid}/fd").iterdir()]  # noqa: ASYNC240 - /proc
        assert os.readlink(f"/proc/self/fd/{fd}") not in held
        here.runner.stop(f"A.{fd}", grace_now=True)
        await here.runner.wait(f"A.{fd}")
        os.close(fd)


async def test_ignored_signals_of_the_daemon_do_not_reach_the_program(here: Place) -> None:
    before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        await run(here.runner, sh("grep SigIgn /proc/self/status"))
    finally:
        signal.signal(signal.SIGUSR2, before)
    ignored = int(here.runner.logs("A.1", "stdout", 0, 100).split()[1], 16)
    assert ignored & ~LIBRARY_SIGNALS == 0


async def test_a_program_is_found_by_path_and_unreadable_places_are_passed_over(here: Place, tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    path = f"{tmp_path}/none:{tmp_path}:/bin:/usr/bin"
    end = await run(here.runner, sh("", argv=("tool",), env={"PATH": path}))
    assert (end.reason, end.stage, end.errno) == ("spawn_failed", "exec", errno.EACCES)
    assert (await run(here.runner, sh("", "A.2", argv=("true",), env={"PATH": path}))).status == 0


@pytest.mark.parametrize(
    ("fields", "stage", "number"),
    [
        ({"argv": ("/proc/nowhere/agent",)}, "exec", errno.ENOENT),
        ({"argv": ("no-such-agent",)}, "exec", errno.ENOENT),
        ({"argv": ("/etc/passwd",)}, "exec", errno.EACCES),
        ({"cwd": "/proc/nowhere"}, "cwd", errno.ENOENT),
        ({"stdin": "/proc/nowhere"}, "stdin", errno.ENOENT),
    ],
)
async def test_a_program_that_cannot_be_started_is_recorded_with_the_stage_and_the_reason(
    here: Place, fields: dict[str, str], stage: str, number: int
) -> None:
    end = await run(here.runner, sh("true", **fields))
    assert (end.reason, end.stage, end.errno) == ("spawn_failed", stage, number)
    assert (end.status, end.signal) == (None, None)


@pytest.mark.parametrize(
    ("change", "stage", "number"),
    [
        ("shim.posix.fork = fails(11)", "fork", errno.EAGAIN),
        ("shim.stat_of = fails(28)", "identity", errno.ENOSPC),
    ],
)
async def test_what_the_shim_itself_cannot_do_is_recorded_and_nothing_has_run(
    here: Place, tmp_path: Path, change: str, stage: str, number: int
) -> None:
    end = await here.another(launch=ChangedShim(tmp_path, change)).submit(sh(f"touch {tmp_path}/ran"))
    assert isinstance(end, Exit)
    assert (end.reason, end.stage, end.errno, end.status) == ("spawn_failed", stage, number, None)
    assert not (tmp_path / "ran").exists()


async def test_when_no_room_can_be_reserved_for_the_end_nothing_runs_and_it_may_be_tried_again(
    here: Place, tmp_path: Path
) -> None:
    full = here.another(launch=ChangedShim(tmp_path, "shim.posix.posix_fallocate = fails(28)"))
    with pytest.raises(Unavailable, match="reserve: No space") as caught:
        await full.submit(sh(f"touch {tmp_path}/ran"))
    assert (caught.value.code, caught.value.data["errno"]) == ("could_not_spawn", errno.ENOSPC)
    assert not (tmp_path / "ran").exists()
    assert (await run(here.runner, sh("exit 3"))).status == 3


async def test_a_launch_that_fails_may_be_tried_again(here: Place) -> None:
    def no_processes(*_: object) -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with pytest.raises(Unavailable) as caught:
        await here.another(launch=no_processes).submit(sh("true"))
    assert (caught.value.code, caught.value.data["errno"]) == ("could_not_spawn", errno.EAGAIN)
    assert (await run(here.runner, sh("exit 3"))).status == 3


async def test_a_shim_that_ends_without_a_word_may_be_tried_again(here: Place) -> None:
    def silent(argv: list[str], env: dict[str, str], stdin: int, status: int, memory_bytes: int) -> int:
        return os.posix_spawn("/bin/true", ["true"], env)

    with pytest.raises(Unavailable, match="its shim ended without a word"):
        await here.another(launch=silent).submit(sh("true"))
    assert (await run(here.runner, sh("exit 3"))).status == 3


@pytest.mark.parametrize(
    ("replaced", "words"),
    [
        ("/nowhere/python", "/nowhere/python: not found"),
        ("/etc/passwd", "/etc/passwd: Permission denied"),
    ],
)
async def test_a_shim_that_cannot_even_begin_says_why_and_may_be_tried_again(
    here: Place, replaced: str, words: str
) -> None:
    def through_a_shell(argv: list[str], env: dict[str, str], stdin: int, status: int, memory_bytes: int) -> int:
        return launch_plain(["/bin/sh", "-c", 'exec "$@"', "sh", replaced, *argv[1:]], env, stdin, status)

    with pytest.raises(Unavailable, match=words) as caught:
        await here.another(launch=through_a_shell).submit(sh("true"))
    assert caught.value.code == "could_not_spawn"
    assert "systemctl --user restart golemd" in caught.value.hint
    assert (await run(here.runner, sh("exit 3"))).status == 3


async def test_of_what_a_broken_python_says_the_error_is_told(here: Place, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text(
        "#!/bin/sh\nyes 'no prefix' | head -c 100000 >&2\necho Fatal error: no codec >&2\necho x >&2\nexit 1\n"
    )
    broken.chmod(0o700)

    def with_it(argv: list[str], env: dict[str, str], stdin: int, status: int, memory_bytes: int) -> int:
        return launch_plain([str(broken), *argv[1:]], env, stdin, status)

    with pytest.raises(Unavailable, match="Fatal error: no codec"):
        await here.another(launch=with_it).submit(sh("true"))


async def test_what_is_said_beside_the_status_is_passed_over(here: Place, tmp_path: Path) -> None:
    chatty = ChangedShim(tmp_path, "import os; os.write(2, b'a warning\\nstarted late\\n')")
    assert (await run(here.another(launch=chatty), sh("exit 3"))).status == 3


async def test_an_attempt_whose_identity_is_unreadable_is_not_started_again(here: Place) -> None:
    here.folder().mkdir(parents=True)
    (here.folder() / "started.json").write_text("{")
    with pytest.raises(Conflict, match="has started"):
        await here.runner.submit(sh("true"))


@pytest.mark.parametrize(
    "fields",
    [
        {"argv": ()},
        {"argv": ("a\0b",)},
        {"env": {"A=B": "1"}},
        {"cwd": "here"},
        {"stdin": "prompt.md"},
        {"wall_seconds": -1.0},
        {"memory_bytes": -1},
        {"grace_seconds": float("inf")},
        {"attempt": "../../etc"},
    ],
)
async def test_a_spec_that_cannot_work_is_refused_before_anything_happens(
    here: Place, fields: dict[str, object]
) -> None:
    with pytest.raises(Invalid):
        await here.runner.submit(sh("true", **fields))
    assert not here.folder().parent.exists()


async def test_an_attempt_runs_once_however_often_it_is_submitted(here: Place, tmp_path: Path) -> None:
    fifo = make_fifo(tmp_path / "fifo")
    spec = sh(f"echo ran >> {tmp_path}/ran; cat {fifo}; exit 5")
    found: list[Identity | Exit] = []

    async def submit() -> None:
        found.append(await here.runner.submit(spec))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(submit)
    assert isinstance(found[0], Identity)
    assert found[0] == found[1] == found[2] == await here.another().submit(spec)
    assert here.runner.result("A.1") is None
    await trio.to_thread.run_sync(fifo.write_text, "")
    end = await here.runner.wait("A.1")
    assert end == await here.runner.submit(spec)
    assert isinstance(end, Exit)
    assert end.status == 5
    assert (tmp_path / "ran").read_text() == "ran\n"


async def test_ten_attempts_at_once_end_each_with_its_own_status_and_output(here: Place) -> None:
    ends: dict[int, Exit] = {}

    async def one(number: int) -> None:
        ends[number] = await run(here.runner, sh(f"echo {number}; exit {number}", f"A.{number}"))

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(one, number)
    assert {number: end.status for number, end in ends.items()} == {number: number for number in range(10)}
    for number in range(10):
        assert here.runner.logs(f"A.{number}", "stdout", 0, 10) == f"{number}\n".encode()


async def test_nothing_is_kept_of_attempts_that_are_over(here: Place) -> None:
    for number in range(3):
        await run(here.runner, sh("exit 0", f"A.{number}"))
    assert not here.runner._seen_end
    assert not here.runner._children


async def test_ended_shims_are_reaped_though_nobody_waits(here: Place) -> None:
    await here.runner.submit(sh("exit 0"))
    identity = here.runner.observe("A.1").identity
    assert identity is not None
    await gone(identity.shim_pid)
    here.runner.observe("A.1")
    assert proctable.look_up(identity.shim_pid) is None
