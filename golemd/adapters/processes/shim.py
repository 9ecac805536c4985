"""The shim: one small process per attempt, which starts the program, keeps its limits and records its end.

    python -I -S shim.py ATTEMPT_FOLDER [STATUS_FD]        (standard input: the marshalled spec)

It outlives the daemon, so it needs nothing from it: standard library only, everything is imported before it begins
(the installation may be replaced while it runs), and it never imports golemd. Its rules:

* It holds `flock` on the attempt's folder for life. The lock held elsewhere, `started.json` or `exit.json` present:
  it ends at once and touches nothing. So an attempt runs at most once.
* The program waits behind a gate until the room for `exit.json` is reserved and `started.json` is durable.
* It is single threaded (the program's death signal is tied to the thread that forks) and a subreaper: what escapes its
  parent becomes a child here, and the end is recorded only when no descendant is left; but those that refuse SIGKILL
  for KILL_SECONDS, being another user's (sudo), are counted and left.
* SIGTERM and SIGINT ask for the end, and asking again changes nothing; SIGQUIT takes the grace away, and so does
  printing on, to twice the limit of the logs.
* It imports little on purpose: `json`, `signal` and `ctypes` would double its start-up time. What it knows of the
  processes below it and of their memory is in `shim_tree`, which lies beside it.

On STATUS_FD it writes one line: `started`, `over` (somebody else holds the attempt, or it has run), `ended` (it could
not be spawned; `exit.json` says why) or `failed STAGE ERRNO` (nothing could be recorded and nothing has run).
"""

import _signal as signal  # type: ignore[import-not-found]  # the builtin half of `signal`; the stubs lack it
import fcntl
import marshal
import posix
import sys
import time
from _ctypes import call_function, dlopen, dlsym

MYPY = False  # as type checkers understand it; `typing` costs more than all else here
if MYPY:
    from golemd.adapters.processes.shim_tree import Memory, descendants, send, stat_of
else:
    sys.path.insert(0, __file__.rpartition("/")[0])  # an isolated interpreter does not look beside a script
    from shim_tree import Memory, descendants, send, stat_of

RESERVE_BYTES = 4096  # room for exit.json, allocated before the program runs
TICK_SECONDS = 1.0  # how often the logs are measured, at most
FIRST_TICK_SECONDS = 0.05  # early on more often, so that a flood is noticed soon
TICKS_PER_IDLE = 4  # silence is measured to a quarter of its limit or better
FIRST_RESCAN_SECONDS = 0.005  # between rounds of SIGKILL, doubling up to TICK_SECONDS
KILL_SECONDS = 10.0  # how long SIGKILL is repeated before what refuses it is left
PROGRAM_OOM_SCORE = 500  # the program goes before its supervisor
MAX_FDS = 65536

PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36
WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD)

_prctl = dlsym(dlopen(None, 0), "prctl")  # type: ignore[arg-type]  # None is the process itself, as in dlopen(3)


def prctl(option: int, value: int | bytes) -> None:
    """The system call. A refusal costs a safety net and never the attempt, so it is not looked at."""
    call_function(_prctl, (option, value, 0, 0, 0))


class Spec:
    """What to run, as the runner marshalled it. Limits are in seconds and bytes, 0 is none."""

    attempt: str
    boot_id: str
    programs: list[bytes]  # paths to try in turn
    argv: list[bytes]
    env: dict[bytes, bytes]
    cwd: bytes
    stdin: bytes
    wall_seconds: float
    idle_seconds: float
    output_bytes: int
    memory_bytes: int
    grace_seconds: float


class SpawnFailed(Exception):
    """The program could not be started. Its arguments: at which stage, and the errno."""


def utc() -> str:
    """Now, RFC 3339."""
    ns = time.time_ns()
    t = time.gmtime(ns // 10**9)
    return f"{t[0]:04}-{t[1]:02}-{t[2]:02}T{t[3]:02}:{t[4]:02}:{t[5]:02}.{ns // 1000 % 10**6:06}Z"


def to_json(record: dict[str, object]) -> bytes:
    """One line of JSON. Values are numbers, null, and plain ASCII text: ids, fixed words and times."""
    text = {k: f'"{v}"' if isinstance(v, str) else "null" if v is None else repr(v) for k, v in record.items()}
    return ("{" + ",".join(f'"{k}":{v}' for k, v in text.items()) + "}\n").encode("ascii")


class Folder:
    """The attempt's folder: its lock, and records that are either whole and durable, or absent."""

    def __init__(self, path: str) -> None:
        self.fd = posix.open(path, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        self.reserve = -1

    def claim(self) -> bool:
        """Take the lock, for life. False: this attempt is somebody else's, or has run."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return not {"started.json", "exit.json"}.intersection(posix.listdir(self.fd))

    def open(self, name: str, flags: int) -> int:
        """Open a file of the folder for writing, creating it."""
        flags |= posix.O_WRONLY | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_CLOEXEC
        return posix.open(name, flags, 0o600, dir_fd=self.fd)

    def reserve_exit(self) -> None:
        """Allocate the blocks of exit.json, so that a full disk cannot lose the end. Overwritten in place later."""
        fd = self.open("exit.json.tmp", posix.O_TRUNC)
        posix.posix_fallocate(fd, 0, RESERVE_BYTES)
        self.reserve = fd

    def write(self, name: str, record: dict[str, object], fd: int) -> None:
        """Write and publish a record: data, fdatasync, rename, fsync of the folder. A failed fsync is not retried."""
        data = to_json(record)
        done = 0
        while done < len(data):
            done += posix.pwrite(fd, data[done:], done)
        posix.ftruncate(fd, len(data))
        posix.fdatasync(fd)
        posix.rename(name + ".tmp", name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        posix.fsync(self.fd)
        posix.close(fd)


def execute(spec: Spec) -> None:
    """execve, trying the places that PATH gives in turn; returns only by an OSError."""
    failure: OSError = FileNotFoundError(2, "not found")
    for program in spec.programs:
        try:
            posix.execve(program, spec.argv, spec.env)
        except (FileNotFoundError, NotADirectoryError, PermissionError) as miss:
            failure = miss if isinstance(miss, PermissionError) else failure
    raise failure


def yield_to_oom_killer() -> None:
    """Let the kernel take the program before the shim, the daemon, and the user's desktop."""
    try:
        with open("/proc/self/oom_score_adj", "r+b", 0) as file:
            if int(file.read(16)) < PROGRAM_OOM_SCORE:
                posix.pwrite(file.fileno(), b"%d" % PROGRAM_OOM_SCORE, 0)
    except OSError:
        return  # a container may forbid it; the attempt is as good without


def become_program(spec: Spec, shim: int, fds: tuple[int, ...], gate: int, errors: int) -> None:
    """In the child: wait at the gate, then become the program. Does not return."""
    stage = b"spawn"
    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        posix.setsid()
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if posix.read(gate, 1) != b"1" or posix.getppid() != shim:
            return  # the shim is gone: nobody would know of this program
        yield_to_oom_killer()
        for target, fd in enumerate(fds):
            posix.dup2(fd, target)
        errors = posix.dup2(errors, 3, inheritable=False)
        stage = b"cwd"
        posix.chdir(spec.cwd)
        stage = b"exec"
        execute(spec)
    except OSError as failure:
        posix.write(errors, b"%s %d" % (stage, failure.errno or 0))
    finally:
        posix._exit(127)


class Attempt:
    """One program, from the fork to the record of its end."""

    def __init__(self, folder: Folder, spec: Spec) -> None:
        self.folder, self.spec, self.grace = folder, spec, spec.grace_seconds
        self.child = self.errors = -1
        self.status: int | None = None  # wait status of the program, once reaped
        self.reason = ""
        self.asked = False  # somebody wants it stopped
        self.kill_at: float | None = None  # once the end has begun: when SIGKILL comes
        self.rescan, self.tick = FIRST_RESCAN_SECONDS, FIRST_TICK_SECONDS
        self.ended: set[int] = set()  # pids that were signalled
        self.survivors = 0  # that could not be
        self.cpu, self.max_rss, self.size = 0.0, 0, 0
        self.logs: tuple[int, ...] = ()
        self.memory = Memory(spec.memory_bytes)
        self.began = self.grown = self.finished = time.monotonic()

    def spawn(self, status: int) -> None:
        """Fork the program behind its gate, make its identity durable, open the gate. Raises SpawnFailed."""
        folder, spec, shim, stage = self.folder, self.spec, posix.getpid(), "reserve"
        try:
            folder.reserve_exit()
            stage = "logs"
            self.logs = folder.open("stdout.log", posix.O_APPEND), folder.open("stderr.log", posix.O_APPEND)
            stage = "stdin"
            source = posix.open(spec.stdin, posix.O_RDONLY | posix.O_CLOEXEC)
            stage = "fork"
            gate, opener = posix.pipe2(posix.O_CLOEXEC)
            self.errors, errors = posix.pipe2(posix.O_CLOEXEC)
            self.child = posix.fork()
            if self.child == 0:
                for fd in (opener, folder.fd, status):  # first of all: neither gate nor lock may stay open here
                    posix.closerange(fd, fd + 1)
                become_program(spec, shim, (source, *self.logs), gate, errors)
            for fd in (gate, errors, source):
                posix.close(fd)
            stage = "identity"
            who = {"pid": self.child, "start": stat_of(self.child)[3], "shim_pid": shim, "shim_start": stat_of(shim)[3]}
            identity = {"v": 1, "attempt": spec.attempt, **who, "boot_id": spec.boot_id, "at": utc()}
            folder.write("started.json", identity, folder.open("started.json.tmp", posix.O_TRUNC))
            stage = "gate"
            posix.write(opener, b"1")
            posix.close(opener)
        except OSError as failure:
            if self.child > 0:
                posix.close(opener)  # the gate stays shut: the child sees the end of the pipe and leaves
                posix.waitpid(self.child, 0)
            raise SpawnFailed(stage, failure.errno) from failure
        self.began = self.grown = time.monotonic()

    def supervise(self) -> None:
        """Until no descendant is left that can be ended. The end begins when the program ends, somebody asks, or a
        limit is reached.
        """
        while self.reap():
            now = time.monotonic()
            if self.kill_at is None and (self.asked or self.status is not None or self.limit_reached(now)):
                self.kill_at = now + self.grace
                self.signal_all(signal.SIGTERM)
            if self.kill_at is not None and (now >= self.kill_at or 0 < 2 * self.spec.output_bytes < self.printed()):
                self.kill_at = min(self.kill_at, now)
                refusing = self.signal_all(signal.SIGKILL)
                if refusing and now >= self.kill_at + KILL_SECONDS:
                    self.survivors = refusing
                    return
            self.pause(now)

    def reap(self) -> bool:
        """Collect every child that has died. False when none is left, and so no descendant either."""
        while True:
            try:
                pid, status, usage = posix.wait4(-1, posix.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self.cpu += usage.ru_utime + usage.ru_stime
            self.max_rss = max(self.max_rss, usage.ru_maxrss)
            if pid == self.child:
                self.status = status
                self.finished = time.monotonic()

    def printed(self) -> int:
        """How large the logs are together."""
        return sum(posix.fstat(fd).st_size for fd in self.logs)

    def limit_reached(self, now: float) -> bool:
        """Measure the logs; whether a limit is reached, which is then the reason of the end."""
        spec = self.spec
        size = self.printed()
        if size != self.size:
            self.size, self.grown = size, now
        if 0 < spec.output_bytes < size:
            self.reason = "output"
        elif 0 < spec.wall_seconds <= now - self.began:
            self.reason = "timeout"
        elif 0 < spec.idle_seconds <= now - self.grown:
            self.reason = "idle"
        elif self.memory.exceeded(now):
            self.reason, self.grace = "memory", 0.0  # what it gets to go on, it takes from everybody
        return bool(self.reason)

    def signal_all(self, number: int) -> int:
        """To every descendant, once each: the program's group as a whole, all others by themselves.

        Answers how many there are if none of them takes signals from us, else 0: what is left may still end.
        """
        group = self.child if self.status is None else 0  # a reaped leader's number may name another group by now
        tree = descendants(posix.getpid())
        refusing = len(tree)
        try:
            if group > 1:  # 0 and 1 would reach far more
                posix.killpg(group, number)
        except OSError:
            group = 0  # not a group yet, or it takes no signals from us; then one by one
        for pid, (member, start) in tree.items():
            if member == group or send(pid, start, number):
                self.ended.add(pid)
                refusing = 0
            if number == signal.SIGTERM:
                send(pid, start, signal.SIGCONT)  # one that is stopped could not hear it
        return refusing

    def pause(self, now: float) -> None:
        """Sleep until a signal or the next deadline, and take in what the signals ask."""
        timeout = self.next_wake(now)
        while True:
            came = signal.sigwaitinfo(WATCHED) if timeout is None else signal.sigtimedwait(WATCHED, timeout)
            if came is None:
                return
            timeout = 0.0
            if came.si_signo == signal.SIGCHLD:
                continue
            if came.si_signo == signal.SIGQUIT:
                self.grace, self.kill_at = 0.0, self.kill_at and now
            self.asked = True
            self.reap()  # a program that has just ended by itself was not stopped
            self.reason = self.reason or ("stopped" if self.status is None else "")

    def next_wake(self, now: float) -> float | None:
        """Seconds to sleep; None when only a signal can bring news."""
        spec, wakes = self.spec, []
        if self.kill_at is not None:
            if now < self.kill_at:
                left = self.kill_at - now
                return min(left, FIRST_TICK_SECONDS) if spec.output_bytes else left
            self.rescan = min(self.rescan * 2, TICK_SECONDS)
            return self.rescan
        if spec.wall_seconds:
            wakes.append(self.began + spec.wall_seconds - now)
        if spec.idle_seconds:
            wakes += self.grown + spec.idle_seconds - now, max(spec.idle_seconds / TICKS_PER_IDLE, FIRST_TICK_SECONDS)
        if spec.output_bytes or spec.idle_seconds or self.memory.is_ours_to_keep():
            self.tick = min(self.tick * 2, TICK_SECONDS)
            wakes.append(self.tick)
        return max(min(wakes), 0.001) if wakes else None

    def record(self, stage: str = "", errno: int | None = None) -> None:
        """Write exit.json: where the spawn failed, or else the program's own status, whatever ended it."""
        said = posix.read(self.errors, 64).split() if self.status is not None else []  # no writer is left: no blocking
        if said:
            stage, errno = said[0].decode(), int(said[1])
        end = {"v": 1, "attempt": self.spec.attempt, "status": None, "signal": None}
        kills, limit = self.memory.kills()
        if self.status is not None and not stage:
            code = posix.waitstatus_to_exitcode(self.status)
            end["signal" if code < 0 else "status"] = abs(code)
            if self.reason == "memory":
                limit = self.memory.limit  # by our own measure
            elif kills and code == -signal.SIGKILL:
                self.reason = self.reason or "memory"  # it was not we who killed it
        why = {"reason": "spawn_failed" if stage else self.reason, "errno": errno, "stage": stage}
        took = {"duration_s": round(max(self.finished - self.began, 0.0), 6), "cpu_s": round(self.cpu, 6)}
        used = {**took, "max_rss_kb": self.max_rss, "ended_descendants": len(self.ended - {self.child})}
        more = {"oom_kills": kills, "memory_limit": limit, "survivors": self.survivors}
        self.folder.write("exit.json", {**end, **why, **used, **more, "at": utc()}, self.folder.reserve)


def tell(status: int, line: str) -> None:
    """One line for the daemon, which may be gone."""
    try:
        posix.write(status, line.encode() + b"\n")
        posix.close(status)
    except OSError:
        return


def main(path: str, status: int = -1) -> int:
    """Run the attempt. Exit status 0: its end is recorded, or it was not ours; 1: nothing has run."""
    signal.pthread_sigmask(signal.SIG_SETMASK, WATCHED)  # they wait until they are asked for
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it was ignored, ends would be thrown away
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_NAME, b"golem-shim")
    posix.closerange(max(status, 2) + 1, MAX_FDS)  # whatever the daemon forgot to close
    folder = Folder(path)
    posix.fchdir(folder.fd)  # keep no workspace busy
    if not folder.claim():
        tell(status, "over")
        return 0
    spec = Spec()
    spec.__dict__.update(marshal.load(sys.stdin.buffer))
    attempt = Attempt(folder, spec)
    try:
        attempt.spawn(status)
    except SpawnFailed as failure:
        if folder.reserve < 0:
            tell(status, "failed {} {}".format(*failure.args))
            return 1
        attempt.record(*failure.args)
        tell(status, "ended")
        return 0
    tell(status, "started")
    attempt.supervise()
    attempt.record()
    return 0


if __name__ == "__main__":
    posix._exit(main(sys.argv[1], *map(int, sys.argv[2:3])))  # the record is durable; the interpreter has no more to do
