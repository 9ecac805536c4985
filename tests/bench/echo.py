"""A server that sends back whatever it is sent: `python -m tests.bench.echo SOCKET`. It ends when it is ended.

What the load generator gets from it is what the generator itself can do; servers that get near that are held back by
it.
"""

from __future__ import annotations

import select
import socket
import sys

PIECE = 1 << 16


def main() -> None:
    with socket.socket(socket.AF_UNIX) as listener, select.epoll() as poll:
        listener.bind(sys.argv[1])
        listener.listen(128)
        poll.register(listener, select.EPOLLIN)
        socks: dict[int, socket.socket] = {}
        while True:
            for file, _ in poll.poll():
                if file == listener.fileno():
                    sock, _address = listener.accept()
                    socks[sock.fileno()] = sock
                    poll.register(sock, select.EPOLLIN)
                elif not _sent_back(socks[file]):
                    socks.pop(file).close()


def _sent_back(sock: socket.socket) -> bool:
    """Whether the client is still there."""
    try:
        data = sock.recv(PIECE)
        sock.sendall(data)
    except OSError:
        return False
    return bool(data)


if __name__ == "__main__":
    main()
