"""The options of a server, and its limits: what one request may ask for, and how many may wait."""

from __future__ import annotations

from netc.dsl.record import Record

HOST, PORT = "127.0.0.1", 8000


class ServerOptions(Record):
    """`max_batch` samples of several requests are computed in one run, for which a request waits at most `max_wait` milliseconds. A request
    has at most `max_rows` samples and `max_body` bytes, and is answered within `timeout` seconds. `max_queue` requests may wait."""

    max_batch: int = 64
    max_wait: float = 0.0
    max_rows: int = 1024
    max_body: int = 16 << 20
    max_queue: int = 256
    timeout: float = 30.0
