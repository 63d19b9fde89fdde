"""The outline and the folding ranges of a text.

In: a checked text. Out: `Symbol`s, nested as their definitions are; `Fold`s as ranges of offsets.

    >>> from .workspace import Workspace
    >>> workspace = Workspace()
    >>> workspace.open_text("/a.net", "block layer { relu }; model tiny { input 3 -> layer }")
    >>> [(symbol.kind, symbol.name.text) for symbol in list_symbols(workspace.check_text("/a.net"))]
    [('block', 'layer'), ('model', 'tiny')]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netc.compiler.binding.declarations import declared_names, kind_of
from netc.compiler.binding.section_names import UNNAMED
from netc.dsl import ast
from netc.dsl.lexer import Token
from netc.dsl.record import Record
from netc.dsl.source import Span
from netc.dsl.tree_walk import walk_nodes

from .checked_text import CheckedText

_BRACKETS = {"RPAR": "LPAR", "RBRACK": "LBRACK", "RBRACE": "LBRACE"}


class Symbol(Record):
    """A definition: `name` is the span of its name, `span` the span of the full definition."""

    text: str
    kind: str
    name: Span
    span: Span
    inner: tuple[Symbol, ...] = ()


class Fold(Record):
    """Lines that can be folded: offsets in the first and the last line. `kind` is `region` or `comment`."""

    start: int
    end: int
    kind: str


def list_symbols(checked: CheckedText) -> list[Symbol]:
    """List the definitions of a text, in order."""
    return [symbol for item in checked.file.items for symbol in _iterate_symbols(item)]


def _iterate_symbols(item: ast.Node) -> Iterator[Symbol]:
    inside = _list_inner_symbols(item.body) if isinstance(item, (ast.Block, ast.ModelDecl, ast.TrainDecl)) else ()
    if isinstance(item, ast.TrainDecl):
        name = item.name or ast.Name(Span(item.span.file, item.span.start, item.span.start + len(UNNAMED)), UNNAMED)
        yield Symbol(name.name, "train", name.span, item.span, inside)
    for name in declared_names(item):
        yield Symbol(name.name, kind_of(item), name.span, item.span, inside)
    if isinstance(item, (ast.Assign, ast.Flow, ast.Out)):
        yield from _iterate_labels(item)


def _list_inner_symbols(body: ast.Body) -> tuple[Symbol, ...]:
    return tuple([symbol for statement in body.statements for symbol in _iterate_symbols(statement)])


def _iterate_labels(statement: ast.Node) -> Iterator[Symbol]:
    """Iterate over the labeled stages of a statement, which are the names in the state dict."""
    for node in walk_nodes(statement):
        label = getattr(node, "label", None)
        if isinstance(label, ast.Label) and label.span.text:
            yield Symbol(label.span.text, "label", label.span, node.span)


def list_folds(checked: CheckedText) -> list[Fold]:
    """List brackets and comments that span several lines."""
    # From the tokens, not the tree, so that folded regions stay folded while the text does not parse.
    text = checked.source.text
    return sorted([*_fold_brackets(text, checked.tokens), *_fold_comments(text, checked.comments)], key=lambda fold: (fold.start, fold.end))


def _fold_brackets(text: str, tokens: Iterable[Token]) -> Iterator[Fold]:
    opened: list[Token] = []
    for token in tokens:
        if token.type in _BRACKETS.values():
            opened.append(token)
        elif token.type in _BRACKETS and opened and opened[-1].type == _BRACKETS[token.type]:
            start = opened.pop().end
            # The line of the closing bracket stays visible.
            if "\n" in text[start : token.start]:
                yield Fold(start, text.rindex("\n", start, token.start), "region")


def _fold_comments(text: str, comments: Iterable[Token]) -> Iterator[Fold]:
    run: list[Token] = []
    for comment in comments:
        if run and text[run[-1].end : comment.start].strip(" \t\r") != "\n":
            yield from _fold_run(run)
            run = []
        run.append(comment)
    yield from _fold_run(run)


def _fold_run(run: list[Token]) -> Iterator[Fold]:
    if len(run) > 1:
        yield Fold(run[0].start, run[-1].end, "comment")
