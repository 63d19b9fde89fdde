"""Stop the arrival of new connections at a socket without losing one.

In: a socket that listens. Out: nothing; the kernel then ignores packets that ask for a connection, while the ones that it has confirmed can
still be accepted. Always: closing the socket at once would reset connections that clients believe to be open, and whose requests may be on
their way. A client that is ignored asks again after a second, and then learns that nobody listens. Only Linux can do this; elsewhere the
function does nothing.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys

_SO_ATTACH_FILTER = 26
# A filter of the kernel (classic BPF) sees a packet from its TCP header on. Byte 13 has the flags, and 2 is SYN, the wish to connect.
_LOAD_FLAGS = (0x30, 0, 0, 13)
_SKIP_UNLESS_SYN = (0x45, 0, 1, 2)
_DROP = (0x06, 0, 0, 0)
_KEEP = (0x06, 0, 0, 0xFFFF)


def ignore_new_connections(listener: socket.socket) -> None:
    """Let the kernel ignore new connections, where it can."""
    if not sys.platform.startswith("linux"):
        return
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in (_LOAD_FLAGS, _SKIP_UNLESS_SYN, _DROP, _KEEP))
    buffer = ctypes.create_string_buffer(program, len(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program) // 8, ctypes.addressof(buffer)))
    except OSError:  # a sandbox may forbid it, and then the socket is only closed
        return
