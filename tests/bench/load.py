"""A load generator: many clients of one server in one process, each with one request under way at a time.

As a module it is the single client whose waiting is measured while others load the server:
`python -m tests.bench.load SOCKET REQUEST_HEX SECONDS`.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Raw

PIECE = 1 << 16

Request = Callable[[int], bytes]  # the number of a client → its next request
Whole = Callable[[bytes], bool]  # whether these bytes are a whole answer; raises RuntimeError for one that refuses


def drive(path: Path, clients: int, request: Request, whole: Whole, going: Callable[[], bool]) -> float:
    """Answers per second to that many clients, for as long as it is `going`."""
    with _connected(path, clients) as socks:
        poll = select.epoll()
        numbers = {}
        for number, sock in enumerate(socks):
            poll.register(sock, select.EPOLLIN)
            numbers[sock.fileno()] = (number, sock)
        parts: dict[int, bytes] = {}
        answers = 0
        begun = time.perf_counter()
        for number, sock in enumerate(socks):
            sock.sendall(request(number))
        while going():
            for file, _ in poll.poll():
                number, sock = numbers[file]
                data = sock.recv(PIECE)
                if not data:
                    raise RuntimeError("the server closed a connection")
                if parts:
                    data = parts.pop(file, b"") + data
                if whole(data):
                    answers += 1
                    sock.sendall(request(number))
                else:
                    parts[file] = data
        took = time.perf_counter() - begun
        poll.close()
        return answers / took


@contextmanager
def _connected(path: Path, clients: int) -> Iterator[list[socket.socket]]:
    socks: list[socket.socket] = []
    try:
        for _ in range(clients):
            sock = socket.socket(socket.AF_UNIX)
            socks.append(sock)
            sock.connect(str(path))
        yield socks
    finally:
        for sock in socks:
            sock.close()


def for_seconds(seconds: float) -> Callable[[], bool]:
    """Going, for that long."""
    deadline = time.perf_counter() + seconds
    return lambda: time.perf_counter() < deadline


_answer = msgspec.msgpack.Decoder(tuple[int, int, Raw, Raw]).decode


def golemd_answered(data: bytes) -> bool:
    """Whole, for MessagePack-RPC."""
    try:
        answer = _answer(data)
    except msgspec.DecodeError:
        return False
    if bytes(answer[2]) != b"\xc0":
        raise RuntimeError(f"golemd refused: {msgspec.msgpack.decode(answer[2])}")
    return True


def redis_answered(data: bytes) -> bool:
    """Whole, for redis's protocol and answers of one line or one short text."""
    if data.startswith(b"-"):
        raise RuntimeError(f"redis refused: {data!r}")
    return data.endswith(b"\r\n") and (not data.startswith(b"$") or data.count(b"\r\n") == 2)


def supervisor_answered(data: bytes) -> bool:
    """Whole, for XML-RPC."""
    if b"<fault>" in data or not data.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"supervisord refused: {data!r}")
    return data.endswith(b"</methodResponse>\n")


def xml_request(method: str, *texts: str) -> bytes:
    """An XML-RPC request over HTTP, on a connection that is kept."""
    params = "".join(f"<param><value><string>{text}</string></value></param>" for text in texts)
    body = f"<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
    head = f"POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode("ascii")


def main() -> None:
    """One client after another request for so many seconds; prints its waiting times in microseconds."""
    path, request, seconds = sys.argv[1], bytes.fromhex(sys.argv[2]), float(sys.argv[3])
    going = for_seconds(seconds)
    times = []
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        while going():
            begun = time.perf_counter()
            sock.sendall(request)
            data = sock.recv(PIECE)
            while not golemd_answered(data):
                data += sock.recv(PIECE)
            times.append((time.perf_counter() - begun) * 1e6)
    times.sort()
    print(json.dumps({"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100]}))


if __name__ == "__main__":
    main()
