"""`netc play`: the playground in a browser."""

from __future__ import annotations

import sys

import click

from .command_failure import Failed
from .completion import FolderName
from .playground_server import HOST, NotBuilt, built, server
from .terminal import write


@click.command("play")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8123, show_default=True, metavar="N", help="The port; 0 for one that is free."
)
@click.option("--folder", type=FolderName(), metavar="DIR", help="Where `make playground` has built it, if not in this checkout.")
def command(port: int, folder: str | None) -> None:
    """The page runs netc itself; this only hands out its files, to this machine alone. Ctrl-C ends it."""
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
