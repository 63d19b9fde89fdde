"""`netc lsp`: run the language server, which an editor starts."""

from __future__ import annotations

import click

from netc.compiler.errors.optional_packages import format_install_command

from .command_failure import FAILED, CommandFailed


@click.command("lsp")
@click.option("--stdio", is_flag=True, help="Use standard input and output, the only transport. Editors pass this option.")
def command(stdio: bool) -> None:
    """The server needs two more packages: `pip install pygls lsprotocol`. docs/editors.md shows how to set up your editor."""
    try:
        from ..lsp.serve import InvalidMessage, run_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol", "cattrs", "attrs"):
            raise
        how = format_install_command("pygls", "lsprotocol")
        raise click.ClickException(f"the language server needs the package {error.name}: run `{how}`") from None
    try:
        ended = run_server()
    except InvalidMessage as error:
        raise CommandFailed(f"what comes on standard input is not the protocol: {error}") from None
    # the protocol requires exit code 1 after an `exit` without a `shutdown`
    if not ended:
        click.get_current_context().exit(FAILED)
