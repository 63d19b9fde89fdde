"""`netc ops`: list the operators, or show the page of an operator, a word of the language, or the standard library.

$ netc ops relu
# relu

`max(x, 0)`.
...
"""

from __future__ import annotations

import click

from netc.compiler.backends.backend_registry import list_backends
from netc.compiler.ops import Operator
from netc.dsl.diagnostics.suggest import find_similar_names

from ..plugin_loading import load_installed_plugins
from ..reference import operator_reference
from ..reference.foreign_names import advise_stage
from ..reference.word_pages import STD, format_library, read_word_pages
from .completion import complete_operators
from .shared_options import plugin_option
from .terminal import write_markdown, write_text


@click.command("ops")
@click.argument("name", required=False, metavar="NAME", shell_complete=complete_operators)
@click.option("--markdown", is_flag=True, help="Print all pages in Markdown, as in docs/operators/.")
@plugin_option
def command(name: str | None, markdown: bool) -> None:
    """NAME may also be a word of the language, such as `repeat`, or `std` for the standard library."""
    load_installed_plugins()
    if markdown:
        write_text(operator_reference.format_reference().rstrip("\n"))
        return
    if name is None:
        write_text(operator_reference.format_table())
        return
    write_markdown(_make_page(name))


def _make_page(name: str) -> str:
    """Return all pages with this name, the operator's first: `where` is an operator and a word of the language."""
    known = {op.name: op for family in operator_reference.group_by_family().values() for op in family}
    pages = [operator_reference.format_page(known[name])] if name in known else []
    pages += [read_word_pages()[name]] if name in read_word_pages() else []
    pages += [format_library(name) or ""] if name.partition("/")[0] == STD else []
    if not any(pages):
        raise click.UsageError(_unknown_name(name, [*known, *read_word_pages()]))
    return "\n".join(pages)


def _find_by_target(name: str) -> list[str]:
    """Return at most two operators with this name in a target: `nn.Linear` and `Gemm` are `dense`."""
    # `torch.nn.Linear`, `nn.Linear` and `Linear` are the same
    wanted = name.rpartition(".")[2].lower()
    names = (
        op.name for backend in list_backends() for op in Operator.registry.values() if wanted in _split_words(backend.operator_target(op))
    )
    return list(dict.fromkeys(names))[:2]


def _split_words(target: str | None) -> list[str]:
    return (target or "").lower().replace(",", "").replace(".", " ").split()


def _unknown_name(name: str, known: list[str]) -> str:
    names = _find_by_target(name) or find_similar_names(name, known)
    hint = f"did you mean {' or '.join(f'`{n}`' for n in names)}?" if names else advise_stage(name).help or "`netc ops` lists all"
    return f"there is no operator or word `{name}`; {hint}"
