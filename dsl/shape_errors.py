"""Explains a shape that is written in another notation, or a number where a stage belongs.

`EXPLAINERS` take the position where the automaton stopped, and return a diagnostic, or None if something else is wrong. People bring the
tuples and commas of Python, `input (3, 224)` and `input 3,224,224`, and chains of layer sizes: `input 3 -> 2 -> 1`.

    >>> from .parser import parse_source
    >>> from .source import SourceFile
    >>> [(error.message, error.help) for error in parse_source(SourceFile("<text>", "input (3, 224)"))[1]]
    [('a shape is not a tuple', ('write a shape in square brackets: `[3, 224]`',))]
"""

from __future__ import annotations

from . import syntax_diagnostics as errors
from .diagnostics.diagnostic import Diagnostic, Edit
from .expected_tokens import Stop, describe_token

_LONGEST_SHAPE = 60
"""The longest shape that is repeated in a help."""


def _explain_tuple_shape(stop: Stop) -> Diagnostic | None:
    """`input (3, 224)`: a shape in parentheses."""
    if stop.opener is None or stop.token.type != "COMMA" or stop.before_opener is None:
        return None
    if stop.opener.type != "LPAR" or stop.before_opener.type not in ("INPUT", "PARAM", "IS"):
        return None
    start, end = stop.opener.start, stop.bracket_end
    items = stop.source.text[start + 1 : end - 1].strip().removesuffix(",")
    is_shape = end - start <= _LONGEST_SHAPE and "\n" not in items and _are_sizes(stop, start, end)
    shape = f"[{items}]" if is_shape else "[3, 224]"
    edits = (Edit(stop.span_between(start, end), shape),) if is_shape else ()
    return errors.syntax_error(stop.span, "a shape is not a tuple", help=(f"write a shape in square brackets: `{shape}`",), edits=edits)


def _are_sizes(stop: Stop, start: int, end: int) -> bool:
    """Whether sizes stand between two brackets, such as `3, 2 * N + 1`: else no shape was meant, as in `input(mean -> relu, target)`."""
    kinds = [token.type for token in stop.tokens if start < token.start < end - 1]
    if kinds[-1:] == ["COMMA"]:  # `(3,)`
        kinds.pop()
    sizes, operators = kinds[::2], kinds[1::2]
    return {*sizes} <= {"NAME", "NUMBER"} and {*operators} <= {"COMMA", "PLUS", "MINUS", "TIMES"} and len(sizes) > len(operators)


def _explain_comma_sizes(stop: Stop) -> Diagnostic | None:
    """`input 3,224,224`: a shape with commas."""
    if (
        stop.token.type != "COMMA"
        or stop.opener is not None
        or len(stop.tokens_before) < 2
        or stop.tokens_before[-2].type not in ("INPUT", "PARAM", "IS")
    ):
        return None
    index = stop.index - 1
    while stop.tokens[index].type == "NUMBER" and stop.tokens[index + 1].type == "COMMA" and stop.tokens[index + 2].type == "NUMBER":
        index += 2
    first, last = stop.tokens[stop.index - 1], stop.tokens[index]
    numbers = [token.text.replace("_", "") for token in stop.tokens[stop.index - 1 : index + 1 : 2]]
    sizes = "x".join(numbers)
    if last is first or len(sizes) > _LONGEST_SHAPE or not all(map(str.isdecimal, numbers)):
        return None
    edit = Edit(stop.span_between(first.start, last.end), sizes)
    return errors.syntax_error(
        stop.span, "the sizes of a shape are separated by `x`, not by commas", help=(f"write `{sizes}`",), edits=(edit,)
    )


def _explain_number_as_stage(stop: Stop) -> Diagnostic | None:
    """`input 3 -> 2 -> 1`, and a statement that begins with a shape."""
    if stop.token.type not in ("NUMBER", "DIMS"):
        return None
    if stop.token.type == "NUMBER" and stop.previous is not None and stop.previous.type == "ARROW":
        stage = f"dense {stop.token.text}"
        help = f"name the operator, for a layer of {stop.token.text} units: `-> {stage}`"
        edit = Edit(stop.span, stage, safe=False)
        return errors.syntax_error(stop.span, f"expected a stage after `->`, found {describe_token(stop)}", help=(help,), edits=(edit,))
    if stop.token.type == "DIMS" and stop.at_start:
        help = f"declare a tensor of this shape: `x = input {stop.token.text}`, or `w = param {stop.token.text} as w`"
        return errors.syntax_error(stop.span, f"a statement cannot begin with the shape {describe_token(stop)}", help=(help,))
    return None


EXPLAINERS = (_explain_tuple_shape, _explain_comma_sizes, _explain_number_as_stage)
