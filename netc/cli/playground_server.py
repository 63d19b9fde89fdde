"""`netc play`: the files of the playground on a port of this machine.

In: a folder that `make playground` has built. Out: a server. Always: it answers this machine alone, with regular files of the folder: no
link leads out of it. A page elsewhere that gets a browser to ask it, under another name of this machine, reads what netc publishes.
"""

from __future__ import annotations

import os
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import BinaryIO

from ..files.package_data import folder

HOST = "127.0.0.1"


class NotBuilt(ValueError):
    """The folder has no playground."""


class _Handler(SimpleHTTPRequestHandler):
    # what browsers insist on, whatever the system's own table says
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".json": "application/json",
    }

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")  # a new build is seen at once
        super().end_headers()

    def send_head(self) -> BytesIO | BinaryIO | None:
        if self._is_served():
            return super().send_head()
        self.send_error(404)
        return None

    def _is_served(self) -> bool:
        """Whether the path is a regular file of the folder, or the folder itself."""
        try:
            path = os.path.realpath(self.translate_path(self.path))
            inside = os.path.commonpath((path, os.path.realpath(self.directory))) == os.path.realpath(self.directory)
            return inside and (os.path.isfile(path) or os.path.isdir(path))
        except ValueError:  # a NUL, or another drive
            return False

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        self.send_error(404)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that does not wait for the answer, or sends no HTTP, is no news."""


def built() -> str:
    """Where a checkout has its playground."""
    return os.path.join(os.path.dirname(folder("specs", "specs")), "build", "playground")


def server(path: str, port: int) -> ThreadingHTTPServer:
    """A server of the folder, which `serve_forever` starts; port 0 is any that is free. Raises `NotBuilt`, or `OSError` for the port."""
    if not os.path.isfile(os.path.join(path, "worker.mjs")):
        raise NotBuilt(f"`{path}` has no playground")
    return _Server((HOST, port), partial(_Handler, directory=path))
