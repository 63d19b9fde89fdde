"""`netc ops`: the operators, and the page of an operator, of a word of the language, or of the standard library."""

from __future__ import annotations

import sys

import click

from netc.compiler.backends.backend_registry import list_backends
from netc.compiler.ops import Operator
from netc.dsl.diagnostics.suggest import find_similar_names

from ..plugin_loading import load_installed
from ..reference import operator_reference
from ..reference.foreign_names import stage
from ..reference.word_pages import STD, library, words
from .completion import operators
from .shared_options import plugin_option
from .terminal import colored, write


@click.command("ops")
@click.argument("name", required=False, metavar="NAME", shell_complete=operators)
@click.option("--markdown", is_flag=True, help="Print all pages in Markdown, as in docs/operators/.")
@plugin_option
def command(name: str | None, markdown: bool) -> None:
    """NAME may also be a word of the language, such as `repeat`, or `std` for the standard library."""
    load_installed()
    if markdown:
        write(operator_reference.reference().rstrip("\n"))
        return
    if name is None:
        write(operator_reference.table())
        return
    text = _page(name)
    if colored(sys.stdout):
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        write(text.rstrip("\n"))


def _page(name: str) -> str:
    """The pages that a name has, an operator's first."""
    known = {op.name: op for family in operator_reference.families().values() for op in family}
    found = [operator_reference.page(known[name])] if name in known else []
    found += [words()[name]] if name in words() else []
    found += [library(name) or ""] if name.partition("/")[0] == STD else []
    if not any(found):
        raise click.UsageError(_unknown(name, [*known, *words()]))
    return "\n".join(found)


def _by_target(name: str) -> list[str]:
    """The operators that a target calls so, such as `nn.Linear` or `Gemm`."""
    wanted = name.rpartition(".")[2].lower()
    found = (op.name for backend in list_backends() for op in Operator.registry.values() if wanted in _words(backend.operator_target(op)))
    return list(dict.fromkeys(found))[:2]


def _words(target: str | None) -> list[str]:
    return (target or "").lower().replace(",", "").replace(".", " ").split()


def _unknown(name: str, known: list[str]) -> str:
    names = _by_target(name) or find_similar_names(name, known)
    hint = f"did you mean {' or '.join(f'`{n}`' for n in names)}?" if names else stage(name).help or "`netc ops` lists all"
    return f"there is no operator or word `{name}`; {hint}"
