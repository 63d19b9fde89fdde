"""`netc lsp`: the language server, which an editor starts."""

from __future__ import annotations

import click


@click.command("lsp")
@click.option("--stdio", is_flag=True, help="Speak on standard input and output. There is no other way; editors pass this.")
def command(stdio: bool) -> None:
    """Serve an editor: the Language Server Protocol on standard input and output.

    Needs `pip install netc[lsp]`. docs/editors.md says how editors are set up.
    """
    try:
        from ..lsp.serve import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol", "cattrs", "attrs"):
            raise
        raise click.ClickException(f"the language server needs the package {error.name}: `pip install netc[lsp]`") from None
    serve()
