"""Explains a keyword where none is allowed.

`EXPLAINERS` take the position where the automaton stopped, and return a diagnostic, or None if something else is wrong. People use a
keyword as a name, write `=` after one that begins a block, or put a statement into a pipeline.

    >>> from .parser import parse_source
    >>> from .source import SourceFile
    >>> [(error.message, error.help) for error in parse_source(SourceFile("<text>", "model = input 3"))[1]]
    [('`model` is a keyword and cannot be a name', ('use another name, such as `model_`',))]
"""

from __future__ import annotations

from itertools import takewhile

from . import syntax_diagnostics as errors
from .diagnostics.diagnostic import Diagnostic, Edit
from .expected_tokens import AFTER, STATEMENTS, VALUES, Stop
from .grammar import END, load_tables

_DEFINITIONS = frozenset(("BLOCK", "MODEL", "FN", "USE", "TRAIN"))
_BETWEEN_VALUES = frozenset(("ELSE", "AND", "OR"))
_NAME_FOLLOWS = frozenset(("LET", "FN", "BLOCK", "MODEL", "SHARED", "DOT", "EACH"))
_BLOCKS = frozenset(("IF", "REPEAT", "EACH", "SCAN", "FOR"))
"""The keywords that a value and a block follow."""
_VALUE_ENDS = frozenset(("LBRACE", "NL", "ARROW", "IF", "REPEAT", "EACH", "SCAN", "INPUT", "PARAM", "TABLE", "IS", END))


def _explain_keyword_as_name(stop: Stop) -> Diagnostic | None:
    token, previous = stop.token, stop.previous
    if previous is None:
        return None
    is_assigned = token.type in ("EQUALS", "ASSIGN")
    if is_assigned and previous.type in _BETWEEN_VALUES:  # the word was allowed there, so it is no name: `2 if a else=1`
        help, edits = (f"leave out the `{token.text.strip()}`",), (Edit(stop.span, " "),)
        return errors.syntax_error(stop.span, f"expected a value after `{previous.text}`, found `=`", help=help, edits=edits)
    if is_assigned and previous.type in _BLOCKS and _has_block_after_value(stop):
        words = f"leave out the `{token.text.strip()}`"
        return errors.syntax_error(
            stop.span, f"expected {AFTER[previous.type]} after `{previous.text}`, found `=`", help=(words,), edits=(Edit(stop.span, ""),)
        )
    if is_assigned and previous.text in load_tables().keywords and previous.type not in ("TRUE", "FALSE"):
        return errors.reserved_word(stop.span_of(previous), previous.text)
    if token.text in load_tables().keywords and (previous.type in _NAME_FOLLOWS or (previous.type == "COLON" and stop.first.type == "USE")):
        return errors.reserved_word(stop.span, token.text)
    if token.text in load_tables().keywords and "NAME" in stop.possible and "PLUS" not in stop.possible and stop.is_in_header:
        return errors.reserved_word(stop.span, token.text)
    return None


def _has_block_after_value(stop: Stop) -> bool:
    """Whether only a value stands between this token and the `{` of a block, as in `if = k == 4 { relu }`: no tensor can be meant."""
    following = takewhile(lambda token: token.type not in _VALUE_ENDS, stop.tokens[stop.index + 1 :])
    end = stop.index + 1 + len(list(following))
    return end > stop.index + 1 and end < len(stop.tokens) and stop.tokens[end].type == "LBRACE"


def _explain_misplaced_word(stop: Stop) -> Diagnostic | None:
    kind, text, previous = stop.token.type, stop.token.text, stop.previous
    if kind in _DEFINITIONS and stop.at_start:
        return errors.syntax_error(
            stop.span, f"`{text}` is only allowed at the top level of a file", help=(f"move the `{text}` out of this body",)
        )
    if kind in ("INPUT", "PARAM", "TABLE") and previous is not None and previous.type == "ARROW":
        return errors.syntax_error(stop.span, f"`{text}` can only begin a pipeline", "it takes no input")
    if kind in STATEMENTS | _DEFINITIONS and previous is not None and previous.type in VALUES | {"ARROW"}:
        return errors.syntax_error(stop.span, f"`{text}` can only begin a statement", help=("begin a new line before it",))
    if kind == "ELSE":
        return errors.syntax_error(stop.span, "`else` without `if`")
    if kind == "AS" and (previous is None or previous.type in VALUES):
        following = stop.tokens[stop.index + 1]
        help = (f"write it without quotes: `as {following.text[1:-1]}`",) if following.type == "STRING" else ()
        return errors.syntax_error(stop.span, "expected a name after `as`", help=help)
    if kind == "ELLIPSIS" and previous is not None and previous.type == "NAME":
        what = f"write `{previous.text}` alone for all tensors of the tuple"
        edits = (Edit(stop.span, ""),)
        return errors.syntax_error(stop.span, "`...` is only allowed where a tuple is unpacked", help=(what,), edits=edits)
    if kind == "ELLIPSIS":
        return errors.syntax_error(
            stop.span,
            "unexpected `...`",
            help=(
                "use it in the shape of a parameter, `block f(x: [..., D]) { ... }`,"
                " or after a name that takes the remaining tensors of a tuple: `(first, rest...) = parts`",
            ),
        )
    return None


EXPLAINERS = (_explain_keyword_as_name, _explain_misplaced_word)
