"""`netc play`: serve the playground to a browser on this machine.

In: a folder that `make playground` has built. Out: an HTTP server. Always: it answers this machine alone, and serves regular files of the
folder only: no link leads out of it. A foreign page that makes the browser ask this server under another host name can read only what netc
publishes.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import BinaryIO

import click

from ..files.package_data import find_data_folder as find_package_folder
from .command_failure import CommandFailed
from .completion import FolderName
from .terminal import write_text

HOST = "127.0.0.1"


@click.command("play")
@click.option("--port", type=click.IntRange(0, 65535), default=8123, show_default=True, metavar="N", help="Port; 0 selects a free one.")
@click.option("--folder", type=FolderName(), metavar="DIR", help="Folder that `make playground` built, if not in this checkout.")
def command(port: int, folder: str | None) -> None:
    """This command serves the page to this machine alone; netc runs in the page. Press Ctrl-C to stop."""
    try:
        serving = make_server(folder or find_built_folder(), port)
    except NotBuilt as error:
        raise CommandFailed(f"{error}; `make playground` builds it in a checkout of netc") from None
    except OSError as error:
        raise CommandFailed(f"cannot use port {port}: {error.strerror or error}") from None
    write_text(f"http://{HOST}:{serving.server_address[1]}/")
    # standard output is buffered in a pipe, and the command does not end
    sys.stdout.flush()
    with serving:
        serving.serve_forever()


class NotBuilt(ValueError):
    """The folder has no playground."""


class _Handler(SimpleHTTPRequestHandler):
    # browsers refuse scripts and WebAssembly of other types, and the table of the system may lack these
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".json": "application/json",
    }

    def log_message(self, format: str, *args: object) -> None:
        """Write no line for each request."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")  # a new build is seen at once
        super().end_headers()

    def send_head(self) -> BytesIO | BinaryIO | None:
        if self._is_in_folder():
            return super().send_head()
        self.send_error(404)
        return None

    def _is_in_folder(self) -> bool:
        """Whether the path leads to a file or folder within the served folder, also after following links."""
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
        """Ignore the error: a browser that closes the connection early would fill the terminal with tracebacks."""


def find_built_folder() -> str:
    """Return the folder where `make playground` puts the playground of a checkout."""
    return os.path.join(os.path.dirname(find_package_folder("specs", "specs")), "build", "playground")


def make_server(path: str, port: int) -> ThreadingHTTPServer:
    """Return a server for the folder. Port 0 selects a free one. Raises `NotBuilt`, or `OSError` for the port."""
    if not os.path.isfile(os.path.join(path, "worker.mjs")):
        raise NotBuilt(f"`{path}` has no playground")
    return _Server((HOST, port), partial(_Handler, directory=path))
