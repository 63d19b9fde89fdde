"""`netc ops`: the operators, and one operator's page."""

from __future__ import annotations

import sys

import click

from .terminal import coloured, write


@click.command("ops")
@click.argument("name", required=False, metavar="NAME")
@click.option("--markdown", is_flag=True, help="All pages, as docs/operators.md has them.")
def command(name: str | None, markdown: bool) -> None:
    """List the operators, or show the page of one."""
    from .. import reference

    if markdown:
        write(reference.reference().rstrip("\n"))
        return
    if name is None:
        write(reference.table())
        return
    operators = {op.name: op for family in reference.families().values() for op in family}
    if name not in operators:
        raise click.UsageError(_unknown(name, list(operators)))
    text = reference.page(operators[name])
    if coloured(sys.stdout):
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        write(text.rstrip("\n"))


def _as_pytorch_has_it(name: str) -> list[str]:
    """The operators that go by this name in PyTorch, such as `nn.Linear`."""
    from netc.compiler.backends.torch.table import names

    wanted = name.rpartition(".")[2].lower()
    return [op.name for op, text in names().items() if wanted in text.lower().replace(",", "").replace(".", " ").split()][:2]


def _unknown(name: str, known: list[str]) -> str:
    from netc.dsl.diagnostics.suggest import near

    names = _as_pytorch_has_it(name) or near(name, known)
    hint = f"did you mean {' or '.join(f'`{n}`' for n in names)}?" if names else "`netc ops` lists all"
    return f"there is no operator `{name}`; {hint}"
