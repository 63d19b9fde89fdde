"""`netc play`: the playground in a browser."""

from __future__ import annotations

import sys

import click

from .command_failure import Failed
from .completion import FolderName
from .playground_server import HOST, NotBuilt, built, server
from .terminal import write


@click.command("play")
@click.option("--port", type=click.IntRange(0, 65535), default=8123, show_default=True, metavar="N", help="Port; 0 selects a free one.")
@click.option("--folder", type=FolderName(), metavar="DIR", help="Folder that `make playground` built, if not in this checkout.")
def command(port: int, folder: str | None) -> None:
    """This command serves the page to this machine alone; netc runs in the page. Press Ctrl-C to stop."""
    try:
        serving = server(folder or built(), port)
    except NotBuilt as error:
        raise Failed(f"{error}; `make playground` builds it in a checkout of netc") from None
    except OSError as error:
        raise Failed(f"cannot use port {port}: {error.strerror or error}") from None
    write(f"http://{HOST}:{serving.server_address[1]}/")
    sys.stdout.flush()
    with serving:
        serving.serve_forever()
