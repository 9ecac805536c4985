"""A user with a systemd manager of its own, golemd installed as a service in it, and agents that wait for the test.

Rules. Nothing here sleeps: each start of the daemon writes to a pipe (`up`), each agent writes its pid to another
(`here`) and waits at a third (`go`), and the end of a process is told by its pidfd. Everything is run as the user, from
a copy of the packages that lies where an installation lies, so that a test can install another release over it.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import platformdirs

import golemd
from tests.path.ground import GUARD_SECONDS, Ended, carrying, ended, run_command
from tests.path.repositories import RESULT, configuration

HERE: Final = Path(__file__).parent
REPOSITORY: Final = HERE.parents[1]
UID: Final = 65534
PACKAGES: Final = ("golemd", "golemctl")
DROP_IN: Final = """\
[Service]
ExecStartPost=/bin/sh -c 'echo up >%h/pipes/up'
StandardError=append:%h/golemd.log
"""
AGENT: Final = f"""#!/bin/sh
echo $$ >PIPES/here
read -r go <PIPES/go
THEN
echo done >a.txt
{RESULT}
"""


class Machine:
    """The manager and its user, as long as the tests run."""

    def __init__(self) -> None:
        folders = {sys.base_prefix, sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        self._process = subprocess.Popen(
            [HERE / "with-user-systemd", *sorted(folders), "--", "sh", "-c", 'echo "$HOME"; exec cat'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline().strip()
        if not said:
            raise RuntimeError(self._process.communicate()[1])
        self.home = Path(said)
        self.packages = self.home / f"env/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        self._make_environment(folders)

    def close(self) -> None:
        """End the manager and everything in it."""
        _, errors = self._process.communicate(timeout=GUARD_SECONDS)
        assert self._process.returncode == 0, errors

    def _make_environment(self, folders: set[str]) -> None:
        """An environment with golemd and golemctl, that has everything else from the one of the tests."""
        programs = self.home / "env/bin"
        programs.mkdir(parents=True)
        self.install()
        (self.packages / "others.pth").write_text("".join(f"{folder}\n" for folder in sorted(folders)))
        python = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
        self.python.symlink_to(python)
        (self.home / "env/pyvenv.cfg").write_text(f"home = {python.parent}\n")
        for name in ("golemd", "golemctl"):
            program = programs / name
            program.write_text(f"#!{programs}/python\nimport sys\nfrom {name}.__main__ import main\nsys.exit(main())\n")
            program.chmod(0o755)
        self.own(self.home / "env")

    def install(self, version: str = golemd.__version__) -> None:
        """Install golemd of a certain version over the one that is there, as a package manager does.

        Another version has another shim, and brings another release of a package that golemd needs.
        """
        self.remove()
        sources = {name: REPOSITORY / name for name in PACKAGES}
        if version != golemd.__version__:
            sources["platformdirs"] = Path(platformdirs.__file__).parent
        for name, source in sources.items():
            shutil.copytree(source, self.packages / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(REPOSITORY / "systemd/golemd.service", self.packages / "golemctl")
        file = self.packages / "golemd/__init__.py"
        file.write_text(file.read_text().replace(f'"{golemd.__version__}"', f'"{version}"'))
        for half in (self.packages / "golemd/adapters/processes").glob("shim*.py"):
            half.write_text(f"{half.read_text()}\nRELEASE = {version!r}\n")
        self.own(self.packages)

    def remove(self) -> None:
        """Remove golemd and what another version of it brought, as half of an installation."""
        for name in (*PACKAGES, "platformdirs"):
            shutil.rmtree(self.packages / name, ignore_errors=True)

    @property
    def python(self) -> Path:
        """The interpreter of the user's environment."""
        return self.home / "env/bin/python"

    def own(self, folder: Path) -> None:
        """Give a folder and all in it to the user."""
        for each in (folder, *folder.rglob("*")):
            os.chown(each, UID, UID, follow_symlinks=False)

    def command(self, *words: str | Path, cwd: Path | None = None) -> list[str | Path]:
        """The command line that runs a command as the user."""
        own = [f"HOME={self.home}", f"XDG_RUNTIME_DIR=/run/user/{UID}", "LC_ALL=C.UTF-8", "USER=nobody"]
        path = f"PATH={self.home}/env/bin:/usr/local/bin:/usr/bin:/bin"
        enter = ["nsenter", f"--mount=/proc/{self._process.pid}/ns/mnt", "setpriv", f"--reuid={UID}", f"--regid={UID}"]
        return [*enter, "--clear-groups", "env", "-i", "-C", cwd or self.home, *own, path, *words]

    def run(self, *words: str | Path, cwd: Path | None = None) -> Ended:
        """Run a command as the user; how it ended."""
        return run_command(self.command(*words, cwd=cwd))

    def must(self, *words: str | Path, cwd: Path | None = None) -> str:
        """The same, and insist that it succeeds; what it printed."""
        done = self.run(*words, cwd=cwd)
        assert done.status == 0, f"{words}: {done.err}\n{self.said()}"
        return done.out.strip()

    @property
    def log(self) -> Path:
        """The daemon's log."""
        return self.home / "golemd.log"

    def said(self) -> str:
        """What the daemon has said so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


class Pipe:
    """A named pipe between the test and the user's processes; both ends stay open."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        os.chown(path, UID, UID)
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        self._read = b""

    def line(self) -> str:
        """The next line that somebody writes."""
        while b"\n" not in self._read:
            assert select.select([self._fd], [], [], GUARD_SECONDS)[0], "nobody wrote"
            self._read += os.read(self._fd, 4096)
        line, self._read = self._read.split(b"\n", 1)
        return line.decode()

    def write(self, line: str) -> None:
        os.write(self._fd, line.encode() + b"\n")

    def close(self) -> None:
        os.close(self._fd)


class Service:
    """golemd as that user's service. Installed by `install`, and gone without a trace after `close`."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.folder = machine.home / ".config/systemd/user"
        pipes = machine.home / "pipes"
        pipes.mkdir()
        machine.own(pipes)
        self.up, self.here, self.go = (Pipe(pipes / name) for name in ("up", "here", "go"))
        self.drop_in("pipes", DROP_IN)

    def drop_in(self, name: str, text: str) -> None:
        """Settings for this test; to be written before the manager reads them."""
        folder = self.folder / "golemd.service.d"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.conf").write_text(text)
        self.machine.own(folder)

    def install(self) -> dict[str, Any]:
        """Install and start it; what is said of it. Returns when it is ready."""
        found: dict[str, Any] = json.loads(self.golemctl("service", "install", "--json"))
        assert self.up.line() == "up"
        return found

    def golemctl(self, *words: str | Path, cwd: Path | None = None) -> str:
        return self.machine.must("golemctl", *words, cwd=cwd)

    def systemctl(self, *words: str) -> str:
        return self.machine.must("systemctl", "--user", *words)

    def known(self, name: str, unit: str = "golemd.service") -> str:
        """A property of a unit, as systemd knows it."""
        return self.systemctl("show", "--value", f"--property={name}", unit)

    @property
    def pid(self) -> int:
        return int(self.known("MainPID"))

    @property
    def state(self) -> Path:
        return self.machine.home / ".local/state/golemd"

    @property
    def instance(self) -> str:
        return (self.state / "instance").read_text().strip()

    def scopes(self) -> list[str]:
        """The scopes of attempts that there are."""
        listed = self.systemctl("list-units", "--all", "--plain", "--no-legend", "golemd-*.scope")
        return [line.split()[0] for line in listed.splitlines()]

    @contextmanager
    def settings(self, text: str) -> Iterator[None]:
        """A golemd.toml, for a while."""
        folder = self.machine.home / ".config/golemd"
        folder.mkdir()
        (folder / "golemd.toml").write_text(text)
        self.machine.own(folder)
        try:
            yield
        finally:
            shutil.rmtree(folder)

    @contextmanager
    def program(self, name: str, script: str) -> Iterator[None]:
        """A shell script in place of the system's program of this name, for a while."""
        file = self.machine.home / "env/bin" / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        try:
            yield
        finally:
            file.unlink()

    def hold_scope(self, name: str) -> None:
        """Have a scope of this name, with something in it that has nothing to do with golemd."""
        inside = f"echo held >{self.machine.home}/pipes/here; exec sleep 600"
        scope = ("systemd-run", "--user", "--scope", f"--unit={name}", "sh", "-c", inside)
        self.machine.must("systemd-run", "--user", "--collect", *scope)  # from inside the manager's own group
        assert self.here.line() == "held"

    def start_agents(self, count: int, then: str = "") -> list[int]:
        """Start so many agents, each waiting at `go`; their pids, when each start is recorded.

        `then`: a line of shell that they run before they do their work.
        """
        self._make_project(then)
        for number in range(count):
            self.golemctl("add", f"Item {number}", cwd=self.project)
        self.golemctl("run", "--detach", cwd=self.project)
        self.until("attempt.spawned", count)
        return self.hear(count)

    def hear(self, count: int) -> list[int]:
        """The pids of the next agents that say they are there."""
        return sorted(int(self.here.line()) for _ in range(count))

    @property
    def project(self) -> Path:
        """The repository that the agents work on."""
        return self.machine.home / "demo"

    def until(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Wait for the count-th record of a type; that record."""
        follow = self.machine.command("golemctl", "events", "--follow", "--since", "1", "--type", kind, "--json")
        with subprocess.Popen([*map(str, follow)], stdout=subprocess.PIPE, text=True) as following:
            assert following.stdout is not None
            guard = threading.Timer(GUARD_SECONDS, following.kill)
            guard.start()
            lines = [following.stdout.readline() for _ in range(count)]
            guard.cancel()
            following.kill()
        assert all(lines), self.machine.said()
        record: dict[str, Any] = json.loads(lines[-1])
        return record

    def _make_project(self, then: str) -> None:
        home, project = self.machine.home, self.project
        project.mkdir()
        agent = home / "agent.sh"
        agent.write_text(AGENT.replace("PIPES", str(home / "pipes")).replace("THEN", then))
        agent.chmod(0o755)
        agents = {"patient": {"kind": "command", "command": [str(agent)]}}
        limits = {"max_wip": 3, "max_concurrent": 3, "max_retries": 0}
        phases = [{"name": "build", "agent": "patient"}]
        (project / "golem.toml").write_text(configuration("demo", "WRK", phases, limits, agents, {}))
        self.machine.own(project)
        git = ("git", "-c", "user.name=A", "-c", "user.email=a@localhost")
        self.machine.must("git", "init", "-q", "--initial-branch=main", cwd=project)
        for name, value in (("user.name", "A. Tester"), ("user.email", "tester@localhost")):
            self.machine.must("git", "config", name, value, cwd=project)
        self.machine.must("git", "add", ".", cwd=project)
        self.machine.must(*git, "commit", "-q", "-m", "begin", cwd=project)
        self.golemctl("init", cwd=project)

    def finish(self, count: int) -> None:
        """Let the agents go, and see every item to done."""
        follow = self.machine.command("golemctl", "run", cwd=self.project)
        with subprocess.Popen([*map(str, follow)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
            for _ in range(count):
                self.go.write("go")
            said, _ = run.communicate(timeout=GUARD_SECONDS)
        assert run.returncode == 0, said
        items = self.status()["items"]
        assert [item["status"] for item in items] == ["done"] * count, items

    def status(self) -> Any:
        return json.loads(self.golemctl("status", "--all", "--json"))

    def running(self) -> list[int]:
        """The pids of the agents that the daemon knows to run."""
        return sorted(attempt["pid"] for attempt in self.status()["attempts"])

    def records(self, kind: str = "") -> list[dict[str, Any]]:
        """What has happened, of a type's beginning if one is given."""
        found: list[dict[str, Any]] = json.loads(self.golemctl("events", "--type", kind, "--json"))
        return found

    def types(self) -> list[str]:
        """The same, one word a record."""
        return [record["type"] for record in self.records()]

    def end(self, act: Callable[[int], object]) -> int:
        """Do something to the daemon that ends it, and wait for the end; the pid it had."""
        pid = self.pid
        act(pid)
        assert ended(pid)
        return pid

    def left(self) -> list[int]:
        """Processes of attempts and of git that live."""
        return carrying(f"GOLEM_INSTANCE={self.instance}")

    def close(self) -> None:
        """Stop it, remove it, and insist that no process, scope or unit is left."""
        home = self.machine.home
        self.machine.run("systemctl", "--user", "stop", "golemd")
        self.machine.run("golemctl", "service", "uninstall")
        left = self.left() if (self.state / "instance").exists() else []
        for pid in left:
            os.kill(pid, 9)
            ended(pid)
        shutil.rmtree(self.folder / "golemd.service.d")
        self.systemctl("daemon-reload")
        for pipe in (self.up, self.here, self.go):
            pipe.close()
        log = self.machine.said()
        for name in (".local", "demo", "pipes", "agent.sh", "golemd.log"):
            place = home / name
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        assert not left, f"processes were left: {left}\n{log}"
        assert not (self.folder / "golemd.service").exists()
        assert "Traceback" not in log, log
