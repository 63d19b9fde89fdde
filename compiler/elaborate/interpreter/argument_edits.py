"""Edits of the arguments of a stage, for helps that say what to write instead.

The functions take a stage as it is written, and some of its arguments, and return edits, or a `Hint`: a sentence with the edits that carry
it out. An edit covers whole arguments and what separates them, so that the result is a stage again.

    >>> strip_brackets("(-1)"), strip_brackets("(a) + (b)")
    ('-1', '(a) + (b)')
"""

from __future__ import annotations

import re
from itertools import accumulate

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.record import Record
from netc.dsl.source import Span

_CLOSING = re.compile(r"\s*,?\s*\)")
_LABEL = re.compile(r"[A-Za-z_]\w*")
_SIMPLE = (ast.NumberLiteral, ast.Dims, ast.String, ast.Boolean, ast.Name, ast.ListExpr)


class Hint(Record):
    """A sentence of help and the edits that do what it says, none if that is for the reader to decide. False without a sentence."""

    help: str = ""
    edits: tuple[Edit, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.help)


def strip_brackets(text: str) -> str:
    """The expression without parentheses around all of it: `(-1)` becomes `-1`, and `(a) + (b)` stays."""
    while text[:1] == "(" and text[-1:] == ")" and '"' not in text:
        # The brackets enclose all of it only if none of them closes before the end.
        depths = list(accumulate((character == "(") - (character == ")") for character in text))
        if 0 in depths[:-1]:
            break
        text = text[1:-1].strip()
    return text


def arguments_of(node: ast.Apply) -> list[Span]:
    """All arguments as they are written, in their order; without an activation after the brackets of a call."""
    last = () if node.activation is None or node.called else (node.activation,)
    return sorted((a.span for a in (*node.positional, *node.keywords, *last)), key=lambda span: span.start)


def remove_arguments(node: ast.Apply, first: Span, last: Span, *, safe: bool) -> tuple[Edit, ...]:
    """Leaves out the arguments from `first` to `last`, and what separates them from their neighbors."""
    arguments = arguments_of(node)
    after = next((span for span in arguments if span.start >= last.end), None)
    before = next((span for span in reversed(arguments) if span.end <= first.start), None)
    if after is not None:
        return (Edit(Span(first.file, first.start, after.start), "", safe=safe),)
    if before is None and node.called:
        return (Edit(first.to(last), "", safe=safe),)
    # The last argument is removed with the space before it; every other one with the separator after it.
    start = node.name_span.end if before is None else before.end
    return (Edit(Span(first.file, start, last.end), "", safe=safe),)


def replace_arguments(first: Span, last: Span, text: str, *, safe: bool = True) -> tuple[Edit, ...]:
    """Other text in place of the arguments from `first` to `last`."""
    return (Edit(first.to(last), text, safe=safe),)


def move_activation_last(node: ast.Apply, argument: Span, activation: str) -> tuple[Edit, ...]:
    """An activation without its name after the other arguments, but not after another one."""
    if node.called:
        return _activation_without_brackets(node, argument, activation)
    if node.activation is not None:
        return ()
    arguments = arguments_of(node)
    rest = [span for span in arguments if span.start >= argument.end]
    if not rest:
        return replace_arguments(argument, argument, activation)
    between = argument.file.text[rest[0].start : rest[-1].end]
    return replace_arguments(argument, rest[-1], f"{between} {activation}")


def _activation_without_brackets(node: ast.Apply, argument: Span, activation: str) -> tuple[Edit, ...]:
    """`dense(2, activation="relu")` as `dense 2 relu`, since no activation can be in brackets. Only if the arguments are simple ones, and
    all that the brackets contain."""
    return _rewrite_without_brackets(node, argument, [activation])


def remove_call_brackets(node: ast.Apply) -> tuple[Edit, ...]:
    """`dense(2, bias=false)` as `dense 2 bias=false`, on the same terms."""
    return _rewrite_without_brackets(node, None, []) if node.called and node.activation is None else ()


def _rewrite_without_brackets(node: ast.Apply, without: Span | None, last: list[str]) -> tuple[Edit, ...]:
    """The arguments, but for one of them, and then `last`."""
    file, arguments = node.span.file, arguments_of(node)
    written = [a for a in (*node.positional, *node.keywords) if a.span != without]
    end = _CLOSING.match(file.text, arguments[-1].end if arguments else file.text.find("(", node.name_span.end) + 1)
    simple = all(isinstance(a.value if isinstance(a, ast.Keyword) else a, _SIMPLE) for a in written)
    first = arguments[0].start if arguments else node.name_span.end + 1
    # A list or an expression may need the brackets or the commas of the call, so only simple arguments are moved out.
    if end is None or not simple or file.text[node.name_span.end : first].strip() != "(":
        return ()
    words = [*(span.text for span in arguments if span != without), *last]
    return (Edit(Span(file, node.name_span.end, end.end()), "".join(f" {word}" for word in words), safe=True),)


def split_off_stage(node: ast.Apply, argument: Span) -> tuple[Edit, ...]:
    """The last argument as a stage of its own. A stage with a label is left to the reader: which of the two has it? So is one that is not
    among others of a pipeline."""
    arguments = arguments_of(node)
    alone = not argument.file.text[: node.name_span.start].rstrip().endswith("->")
    if alone or node.called or node.label is not None or argument.end != arguments[-1].end:
        return ()
    before = next((span for span in reversed(arguments) if span.end <= argument.start), node.name_span)
    return (Edit(Span(argument.file, before.end, argument.end), f" -> {argument.text}", safe=True),)


def label_hint(node: ast.Apply, keyword: ast.Keyword) -> Hint:
    """A label that is written as an argument, `name="fc"` as in Keras: it comes after the stage."""
    if keyword.name not in ("name", "label"):
        return Hint()
    text = keyword.value.value if isinstance(keyword.value, ast.String) else keyword.value.span.text
    if node.label is not None or not _LABEL.fullmatch(text):
        return Hint("a label is written after the stage, without quotes: `as NAME`")
    (left_out,) = remove_arguments(node, keyword.span, keyword.span, safe=True)
    start, file = left_out.span.start, node.span.file
    rest = file.text[left_out.span.end : node.span.end]
    return Hint(
        f"a label is written after the stage: `as {text}`", (Edit(Span(file, start, node.span.end), f"{rest} as {text}", safe=True),)
    )
