"""Run the HTTP server until a signal stops it, by uvicorn.

In: a served model and an address. Out: nothing; the function returns after SIGTERM or SIGINT. Always: every request that arrived before the
signal is answered, and so is every request on a connection that was open or waited to be accepted. Therefore the server goes on for a
moment after the signal. It says that it is not ready, and closes each connection with its next answer. A second signal ends it at once.

    >>> format_address("127.0.0.1", 8000), format_address("::1", 8000)
    ('http://127.0.0.1:8000', 'http://[::1]:8000')
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn

from .application import Draining, make_application
from .new_connections import ignore_new_connections
from .served_model import ServedModel

_DRAIN_SECONDS = 1.0
"""The time after the signal in which new connections are answered."""
_LAST_SECONDS = 0.5
"""The time after that in which requests on connections that the kernel has confirmed arrive."""
_MAX_CONNECTIONS = 4096
_KEEP_ALIVE = 75
"""The seconds after which an idle connection is closed. Proxies keep theirs for up to 60."""


class CannotListen(Exception):
    """An address that the server cannot listen at."""


def open_listener(host: str, port: int) -> socket.socket:
    """Open the socket of the server. Raises `CannotListen`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise CannotListen(f"`{host}` is no address of this machine: {getattr(error, 'strerror', None) or error}") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_MAX_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise CannotListen(f"cannot listen at {format_address(host, port)}: {error.strerror}") from None
    return listener


def format_address(host: str, port: int) -> str:
    """Return the URL of a server."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run_server(model: ServedModel, listener: socket.socket, started: Callable[[], None]) -> None:
    """Serve until a signal. `started` is called when the server answers."""
    draining = Draining()
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # a warning for each damaged form would let anybody fill the log
    config = uvicorn.Config(
        make_application(model, draining),
        log_config=None,
        log_level="error",  # and so would one for each request that is no HTTP
        access_log=False,
        lifespan="on",
        ws="none",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        limit_concurrency=_MAX_CONNECTIONS,
        backlog=_MAX_CONNECTIONS,
        # Answers in progress may take as long as a request.
        timeout_graceful_shutdown=int(model.options.timeout) + 1,
    )
    _Server(config, draining, listener, started).run([listener])


class _Server(uvicorn.Server):
    """A server that drains before it stops."""

    def __init__(self, config: uvicorn.Config, draining: Draining, listener: socket.socket, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._draining, self._listener, self._report_start = draining, listener, started

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._report_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._draining.is_draining:
            self.should_exit = self.force_exit = True
            return
        self._draining.is_draining = True

    async def main_loop(self) -> None:
        tick = 0
        while not self._draining.is_draining and not await self.on_tick(tick):
            tick += 1
            await asyncio.sleep(0.1)
        await self._wait(_DRAIN_SECONDS)
        ignore_new_connections(self._listener)
        await self._wait(_LAST_SECONDS)

    async def _wait(self, seconds: float) -> None:
        """Wait, unless a second signal ends the server."""
        for _ in range(round(seconds / 0.1)):
            if self.force_exit:
                return
            await asyncio.sleep(0.1)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            # A signal that was obeyed is not raised again: the end is orderly, so the exit code is 0.
            self._captured_signals.clear()
