"""The Unix socket: takes function(call, session) → reply, and knows no engine.

Rules:
* What one client sends or leaves unread ends or delays no other: every connection has its own task for all that takes
  waiting, every limit its name in SocketLimits, and a connection that has much to say gives way after TURN messages or
  TURN_SECONDS.
* One task reads whole messages from all connections (see `readers`), and a call that the handler answers at once is
  answered there. Calls that must wait run beside each other, as tasks or as a Later that somebody else gives, and their
  answers come as they are ready. Calls that have begun are carried to their end even when the client has gone; those
  that nobody has looked at are not begun, and streams end with their connection.
* All bytes of a connection leave through its Outbox, whole and in order.
* The folder of the socket, ours alone, is the guard; the mode of the socket and the credentials of the other side
  come on top. The caller holds the daemon's lock, so what lies at the path is stale and may be replaced.
* While nothing happens nothing wakes.
"""

from golemd.adapters.socket.connection import Caller, Decode, Handler, Later, Session, SocketLimits, Stream
from golemd.adapters.socket.place import connect_address, peer_credentials
from golemd.adapters.socket.server import Classify, serve

__all__ = [
    "Caller",
    "Classify",
    "Decode",
    "Handler",
    "Later",
    "Session",
    "SocketLimits",
    "Stream",
    "connect_address",
    "peer_credentials",
    "serve",
]
