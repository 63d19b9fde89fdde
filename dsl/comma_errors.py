"""Explains a comma where none is allowed.

`EXPLAINERS` take the position where the automaton stopped, and return a diagnostic, or None if something else is wrong. People write the
comma for an arrow to the next stage, a list, a tuple of tensors, a space, or the point of a decimal number.

    >>> from .parser import parse_source
    >>> from .source import SourceFile
    >>> [(error.message, error.help) for error in parse_source(SourceFile("<text>", "a, b = split x"))[1]]
    [('several names need parentheses', ('write `(a, b) = ...`',))]
"""

from __future__ import annotations

import re
from itertools import takewhile

from . import syntax_diagnostics as errors
from .diagnostics.diagnostic import Diagnostic, Edit
from .expected_tokens import STATEMENTS, VALUES, Stop

_EQUALS = ("EQUALS", "ASSIGN")
_NAMED = frozenset(("NAME", "COMMA", "LPAR", "LPAR_TIGHT", "RPAR"))
"""The tokens that may come before the `=` of a statement."""
_ARGUMENTS = frozenset(("NUMBER", "DIMS"))
"""The tokens that may follow the name of a stage, but not the name of an activation."""


def _explain_comma(stop: Stop) -> Diagnostic | None:
    if stop.token.type not in ("COMMA", "COMMA_WHERE"):
        return None
    # In brackets, a comma is never an arrow or the point of a number, so the other explainers would mislead.
    if stop.opener is not None:
        return _explain_comma_in_brackets(stop, stop.opener.type)
    for explain in (_explain_names, _explain_tensors, _explain_decimal, _explain_next_stage, _explain_list):
        diagnostic = explain(stop)
        if diagnostic is not None:
            return diagnostic
    return errors.comma_between_arguments(stop.span, stop.text_without(stop.token)) if _is_after_value(stop) else None


def _is_after_value(stop: Stop) -> bool:
    return stop.previous is not None and stop.previous.type in VALUES and stop.first.type not in STATEMENTS


def _explain_comma_in_brackets(stop: Stop, opener: str) -> Diagnostic | None:
    if opener == "LBRACK_TIGHT":
        return errors.syntax_error(stop.span, "an index must be a single value", help=("put a space before `[` if it begins a list",))
    if opener != "LPAR":
        return None
    single = "an argument in parentheses must be a single value"
    if stop.before_opener is not None and stop.before_opener.type in ("NAME", "WHERE"):
        help = f"pass tensors to a stage with an arrow: `(a, b) -> {stop.before_opener.text}`"
        return errors.syntax_error(stop.span, single, help=(help,))
    if stop.previous is not None and stop.previous.type == "NUMBER":
        help = "write `3x3` for a size for each axis, `[3, 3]` for a list"
        return errors.syntax_error(stop.span, single, help=(help,), edits=_bracket_as_list(stop))
    return None


def _bracket_as_list(stop: Stop) -> tuple[Edit, ...]:
    """`(3, 3)` as `[3, 3]`."""
    assert stop.opener is not None
    begin, end = stop.opener.start, stop.bracket_end
    inside = stop.source.text[begin + 1 : end - 1]
    return (Edit(stop.span_between(begin, end), f"[{inside.rstrip(', ')}]"),) if re.fullmatch(r"[\d\s,.-]+", inside) else ()


def _explain_names(stop: Stop) -> Diagnostic | None:
    """`a, b = ...`."""
    if stop.first.type == "NAME" and stop.has_names_before_equals() and all(t.type in ("NAME", "COMMA") for t in stop.tokens_before):
        return errors.syntax_error(stop.span, "several names need parentheses", help=("write `(a, b) = ...`",))
    return None


def _explain_tensors(stop: Stop) -> Diagnostic | None:
    """`a, b -> ...`, where a pipeline begins: with the statement, or after what names its result."""
    begin = _pipeline_index(stop)
    words = list(takewhile(lambda t: t.type in ("NAME", "COMMA"), stop.tokens[begin:]))
    if stop.index - begin != 1 or len(words) < 3 or stop.tokens[begin + len(words)].type != "ARROW":
        return None
    span = stop.span_between(words[0].start, words[-1].end)
    tuple_text = f"({', '.join(word.text for word in words[::2])})"
    help = (f"write `{tuple_text} -> ...`",)
    return errors.syntax_error(stop.span, "several tensors need parentheses", help=help, edits=(Edit(span, tuple_text),))


def _pipeline_index(stop: Stop) -> int:
    """The index of the token that the statement's pipeline begins with: the first, or that after `name =` or `(a, b) =`."""
    named = list(takewhile(lambda t: t.type in _NAMED, stop.tokens_before))
    is_named = len(named) < len(stop.tokens_before) and stop.tokens_before[len(named)].type in _EQUALS
    return stop.first_index + (len(named) + 1 if is_named else 0)


def _explain_decimal(stop: Stop) -> Diagnostic | None:
    """`0,5`."""
    if not _is_after_value(stop):
        return None
    assert stop.previous is not None
    number = stop.span_between(stop.previous.start, stop.tokens[stop.index + 1].end)
    # Only `0,5`: `3,5` may as well be a shape or a list.
    return errors.decimal_comma(number) if re.fullmatch(r"0,[0-9]+", number.text) else None


def _explain_next_stage(stop: Stop) -> Diagnostic | None:
    """`..., dense 3`: a name with arguments of its own, in a pipeline. It is a guess: the arrow is no safe edit."""
    name, argument = stop.tokens[stop.index + 1], stop.tokens[min(stop.index + 2, len(stop.tokens) - 1)]
    alone = stop.index - _pipeline_index(stop) == 1 and stop.first.type == "NAME"
    # A statement that begins with a name is a pipeline only if something says so; `dense 3, relu 4` may be a list of arguments.
    begun = alone or any(t.type in ("ARROW", "INPUT") for t in stop.tokens_before)
    if not _is_after_value(stop) or not begun or name.type != "NAME" or argument.type not in _ARGUMENTS:
        return None
    help = (f"write an arrow: `-> {name.text} {argument.text}`",)
    return errors.syntax_error(
        stop.span, "stages are separated by arrows, not by commas", help=help, edits=(Edit(stop.span, " ->", safe=False),)
    )


def _explain_list(stop: Stop) -> Diagnostic | None:
    """`name=a, b`: values of one kind for one argument."""
    if (
        not _is_after_value(stop)
        or len(stop.tokens_before) < 3
        or stop.tokens_before[-2].type != "EQUALS"
        or stop.tokens_before[-3].type != "NAME"
    ):
        return None
    kind, end = stop.tokens_before[-1].type, stop.index
    # A list has items of one kind, and the token after the last item must not be `=`: then that item is the name of the next argument.
    while stop.tokens[end].type == "COMMA" and stop.tokens[end + 1].type == kind and stop.tokens[end + 2].type not in _EQUALS:
        end += 2
    if end == stop.index:
        return None
    list_text = f"[{', '.join(token.text for token in stop.tokens[stop.index - 1 : end : 2])}]"
    values = stop.span_between(stop.tokens_before[-1].start, stop.tokens[end - 1].end)
    help = (f"write a list: `{stop.tokens_before[-3].text}={list_text}`",)
    return errors.syntax_error(stop.span, "an argument has a single value", help=help, edits=(Edit(values, list_text),))


def _explain_comma_argument(stop: Stop) -> Diagnostic | None:
    """`(conv 64, 3x3)`: the comma is valid syntax, but not what was meant."""
    if stop.previous is None or stop.previous.type != "COMMA" or "INPUT" not in stop.possible:
        return None
    argument = stop.token.type in ("DIMS", "STRING", "LBRACK", "TRUE", "FALSE")
    return errors.comma_between_arguments(stop.span_of(stop.previous), stop.text_without(stop.previous)) if argument else None


EXPLAINERS = (_explain_comma, _explain_comma_argument)
