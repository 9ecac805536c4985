"""`golemd`: arguments, signals, logging; builds the adapters and runs the engine.

Exit status: 0 clean; 2 usage; 65 journal damaged; 70 internal error; 74 journal write failed; 75 another daemon holds
the lock; 76 the journal was written by a newer golemd; 78 configuration or places unusable.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import trio

import golemd
from golemd import service
from golemd.adapters import files, machine
from golemd.adapters import journal as journals
from golemd.adapters.agents.environment import child_environment
from golemd.adapters.clock import SystemClock, boot_id
from golemd.adapters.disk import RealDisk
from golemd.adapters.files import read_text, write_private
from golemd.adapters.notifier import SESSION, Notifier
from golemd.adapters.notify import LongStart, more_time, notify
from golemd.adapters.processes.runner import LocalRunner
from golemd.adapters.socket import SocketLimits, serve
from golemd.adapters.sources import digest_of
from golemd.adapters.state_folder import StateFolder
from golemd.adapters.user_manager import UserManager
from golemd.adapters.workspace import GitWorkspaces
from golemd.api import paths
from golemd.api.calls import decode_call
from golemd.api.events import Record
from golemd.api.faults import Fault, Invalid, Unavailable
from golemd.api.wire import WireLimits
from golemd.api.words import count
from golemd.engine import prepare
from golemd.engine.context import Parts
from golemd.engine.engine import Engine
from golemd.engine.snapshots import FOLDING, Replay
from golemd.logs import Stderr, set_up_logging
from golemd.settings import Settings, read_settings

log = logging.getLogger("golemd")

USAGE: Final = 2
INTERNAL_ERROR: Final = 70
UNUSABLE: Final = 78


class SettingsInvalid(Invalid):
    """golemd.toml cannot be used; exit status 78."""

    exit_status = UNUSABLE


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon in the foreground; returns the exit status."""
    options = _parser().parse_args(argv)
    set_up_logging(options.log_level, options.log_format)
    try:
        return _act(options)
    except Fault as fault:
        return _refuse(fault)
    except BaseExceptionGroup as group:
        return _judge(group)
    except KeyboardInterrupt:
        return 0
    except Exception:
        log.exception("internal error; please report it")
        return INTERNAL_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="golemd", description="The foreman for coding agents, as a daemon.")
    parser.add_argument("--state-dir", metavar="D", help="state folder (default: $XDG_STATE_HOME/golemd)")
    parser.add_argument("--socket", metavar="S", help="where to listen (default: $XDG_RUNTIME_DIR/golemd/golemd.sock)")
    parser.add_argument("--config", metavar="F", help="golemd.toml (default: $XDG_CONFIG_HOME/golemd/golemd.toml)")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    parser.add_argument("--log-format", default="text", choices=["text", "json"])
    parser.add_argument("--check", action="store_true", help="read configuration and journal, start nothing")
    parser.add_argument(
        "--repair", metavar="SEQ", type=int, help="cut a damaged journal after record SEQ, keeping a copy"
    )
    parser.add_argument("--version", action="version", version=f"golemd {golemd.__version__}")
    return parser


def _act(options: argparse.Namespace) -> int:
    state_dir = paths.state_dir(options.state_dir)
    config = paths.config_path(options.config)
    if (options.config or os.environ.get("GOLEMD_CONFIG")) and not config.exists():
        log.warning("there is no %s; all settings have their defaults", config)
    settings = _settings(config)
    if options.check:
        return _check(state_dir, settings)
    if options.repair is not None:
        return _repair(state_dir, options.repair, settings)
    socket_path = paths.socket_path(options.socket, options.state_dir)
    return trio.run(_daemon, state_dir, socket_path, config, settings)


def _refuse(fault: Fault) -> int:
    """Say what is wrong and what to do; the fault knows its exit status."""
    Stderr().write(f"golemd: {fault.message}\n" + (f"        {fault.hint}\n" if fault.hint else ""))
    return int(getattr(fault, "exit_status", UNUSABLE))


def _judge(group: BaseExceptionGroup[BaseException]) -> int:
    """Of several errors at once, a fault with an exit status says why the daemon ended."""
    leaves = list(_leaves(group))
    for error in leaves:
        if isinstance(error, Fault) and hasattr(error, "exit_status"):
            return _refuse(error)
    if all(isinstance(error, KeyboardInterrupt) for error in leaves):
        return 0
    if len(leaves) == 1 and isinstance(leaves[0], Unavailable):  # what is the machine's fault
        return _refuse(leaves[0])
    log.error("internal error; please report it", exc_info=group)
    return INTERNAL_ERROR


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _settings(path: Path) -> Settings:
    text = read_text(path)
    if text is None:
        return Settings()
    found = read_settings(text, str(path))
    if isinstance(found, Settings):
        return found
    listed = "\n        ".join(str(problem) for problem in found)
    raise SettingsInvalid("configuration_invalid", f"{path} has problems:\n        {listed}", "Mend them all.")


def _journal_limits(settings: Settings) -> journals.Limits:
    limits = settings.limits
    return journals.Limits(
        record_bytes=limits.record_bytes, segment_bytes=limits.segment_bytes, reserve_bytes=limits.reserve_bytes
    )


def _check(state_dir: Path, settings: Settings) -> int:
    """`--check`: everything that a start reads, and nothing that it does."""
    if not (state_dir / "journal").exists():
        print(f"golemd: the configuration is good; there is no journal in {state_dir} yet")
        return 0
    found = journals.check(state_dir, RealDisk(), _journal_limits(settings))
    size = f"{count(found.records, 'record')}, {count(found.segments, 'segment')}"
    size += f"; those before record {found.first} were pruned" if found.first > 1 else ""
    print(f"golemd: the configuration is good; the journal is whole: {size}")
    if found.torn is not None:
        print(
            f"        its last {found.torn.bytes} bytes were never confirmed; the next start keeps a copy and cuts them"
        )
    return 0


def _repair(state_dir: Path, seq: int, settings: Settings) -> int:
    """`--repair SEQ`: the only way past a damaged journal. A record after which it cannot be cut is wrong usage."""
    if not any((state_dir / name).exists() for name in ("journal", "head")):
        Stderr().write(f"golemd: there is no journal in {state_dir}\n        Nothing was changed. See: --state-dir\n")
        return USAGE
    folder = StateFolder.open(state_dir)
    try:
        if _is_whole(state_dir, settings):
            Stderr().write("golemd: the journal is whole; there is nothing to repair\n        Nothing was changed.\n")
            return USAGE
        kept = trio.run(journals.repair, state_dir, seq, RealDisk(), _journal_limits(settings))
    except Invalid as fault:
        _refuse(fault)
        return USAGE
    finally:
        folder.close()
    print(f"golemd: cut after record {seq}; the journal as it was is in {kept}")
    return 0


def _is_whole(state_dir: Path, settings: Settings) -> bool:
    try:
        journals.check(state_dir, RealDisk(), _journal_limits(settings))
    except journals.JournalFault:
        return False
    return True


# --- the daemon --------------------------------------------------------------------------------------------------


async def _daemon(state_dir: Path, socket_path: Path, config: Path, settings: Settings) -> int:
    folder = StateFolder.open(state_dir)
    instance = folder.instance()
    replay, clock = Replay(), SystemClock()
    notify(os.environ, "STATUS=Reading the journal", more_time())
    reading = LongStart(os.environ)

    def take(record: Record) -> None:
        replay.take(record)
        reading()

    gc.disable()
    journal = await journals.Journal.open(
        state_dir,
        RealDisk(),
        clock.now_us,
        _journal_limits(settings),
        take,
        codec=journals.Codec(digest_of(*FOLDING), replay.restore),
        wait_for_room=partial(service.wait_for_room, os.environ),
    )
    gc.freeze()  # what was read stays, so no collection need ever walk over it, not even the first one
    gc.enable()
    settings = settings.on_machine(machine.total_memory())

    def settings_now() -> tuple[Settings, Notifier | None]:
        now = _settings(config).on_machine(machine.total_memory())
        return now, _notifier(now, instance, socket_path)

    manager = await trio.to_thread.run_sync(UserManager.find, os.environ)
    launch = await trio.to_thread.run_sync(service.launch_of, manager, os.environ)
    runner = LocalRunner(state_dir, instance, launch)
    parts = Parts(
        state_dir=state_dir,
        socket_path=socket_path,
        settings=settings,
        settings_now=settings_now,
        clock=clock,
        journal=journal,
        runner=runner,
        workspaces=GitWorkspaces(instance),
        files=files,
        machine=machine,
        in_thread=trio.to_thread.run_sync,
        instance=instance,
        boot_id=boot_id(),
        pid=os.getpid(),
        environ=dict(os.environ),
        notifier=_notifier(settings, instance, socket_path),
    )
    engine = Engine(parts, replay.state)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_mind_signals, engine, manager)
        nursery.start_soon(service.tell_of_waiting, engine, os.environ)
        nursery.start_soon(service.tell_of_stopping, engine, os.environ)
        await nursery.start(engine.run, nursery.cancel_scope)
        await nursery.start(_serve, engine, runner, settings)
        _leave_address(state_dir, socket_path)
        service.tell_ready(engine, os.environ)
        nursery.start_soon(service.keep_told, engine, os.environ)
    folder.close()
    log.info("stopped")
    return 0


def _leave_address(state_dir: Path, socket_path: Path) -> None:
    """Where golemctl finds a socket that is in no usual place. On a full disk the daemon is worth more than that."""
    try:
        write_private(state_dir / paths.ADDRESS_FILE, f"{socket_path}\n")
    except OSError as error:
        log.warning("golemctl has to be told of %s: its address cannot be left: %s", socket_path, error)


def _notifier(settings: Settings, instance: str, socket_path: Path) -> Notifier | None:
    """How people are told that something waits for them: as agents are run, and with the way to the desktop."""
    general = settings.environment
    golem = {"GOLEM_SOCKET": str(socket_path)}
    environ = child_environment(os.environ, (*general.pass_env, *SESSION), general.variables, general.path, golem)
    return Notifier.find(settings.notify.command, environ, instance, settings.limits.notify_seconds)


async def _serve(
    engine: Engine,
    runner: LocalRunner,
    settings: Settings,
    task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
) -> None:
    limits = settings.limits
    wire = WireLimits(message_bytes=limits.message_bytes, nesting=limits.nesting, elements=limits.elements)
    await serve(
        engine.parts.socket_path,
        engine.handle,
        decode=decode_call,
        classify=runner.attempt_of,
        limits=SocketLimits(
            connections=limits.connections,
            in_flight=limits.in_flight,
            finish_seconds=limits.finish_seconds,
            follower_bytes=limits.follower_bytes,
            wire=wire,
        ),
        task_status=task_status,
    )


async def _mind_signals(engine: Engine, manager: UserManager | None) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for number in signals:
            if number == signal.SIGHUP:
                await _reload(engine)
                continue
            log.info("%s: stopping", signal.Signals(number).name)
            engine.stop(await service.how_to_stop(manager, os.environ, engine.parts.settings.on_stop))


async def _reload(engine: Engine) -> None:
    """SIGHUP: read configuration again; a bad one is refused and the old one stays."""
    try:
        problems = await prepare.reload(engine)
    except Unavailable as fault:
        if hasattr(fault, "exit_status"):
            raise
        log.error("reload: %s %s", fault.message, fault.hint)
    except Fault as fault:
        log.error("reload: %s %s", fault.message, fault.hint)
    else:
        log.info("reload: the configuration is in force")
        for problem in problems:
            log.warning("reload: %s", problem)


if __name__ == "__main__":
    sys.exit(main())
