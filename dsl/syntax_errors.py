"""Explains why a token is not allowed at its position.

`explain_error` takes the tokens and the position where the automaton stopped. It returns one diagnostic, or None if the token filter has
already reported the cause. Common mistakes have explainers of their own, which come first; everything else is "expected this, found that".

    >>> from .parser import parse_source
    >>> [(error.message, error.help) for error in parse_source(SourceFile("<text>", "x = input 3 dense 2"))[1]]
    [('unexpected argument `2`', ('separate stages with `->`: `-> dense 2`',))]
"""

from __future__ import annotations

import re

from . import comma_errors, foreign_forms, keyword_errors, shape_errors, token_errors
from . import syntax_diagnostics as errors
from .diagnostics.diagnostic import Diagnostic, Edit
from .expected_tokens import VALUES, Stop, describe_token, explain_expected
from .grammar import END
from .lexer import Token
from .source import SourceFile

_STAGE_STARTS = frozenset(("NAME", "LPAR", "IF", "REPEAT", "EACH", "SCAN", "IN", "INPUT", "PARAM", "TABLE", "IS"))
_OPERATORS = frozenset(("PLUS", "MINUS", "TIMES", "AT", "POWER", "COMPARE"))
_ENDS_IN_ARITHMETIC = {"LPAR": "TABLE", "WHERE": "INPUT"}
"""The operands that end in compile-time arithmetic, by the token where the parser stops. A list of inputs is no operand."""
_AFTER_SOURCE = frozenset(("NL", "ARROW", "COMMA", END))
_LONGEST_HELP = 60
_CONSTANTS = frozenset(("LBRACK", "STRING", "TRUE", "FALSE"))
_FREEZE_HELP = "freeze what is in parentheses: `(repeat 2 { ... }) trainable=false`"
_CHAIN_HELP = ("write `a < b and b < c`, or `logical_and(a < b, b < c)` for tensors",)
_ARGUMENT_HELP = ("put a computed argument in parentheses: `dense (2 * k)`",)


def explain_error(source: SourceFile, tokens: list[Token], index: int, possible: frozenset[str], unit: str) -> Diagnostic | None:
    """`possible` are the terminals allowed at `tokens[at]`; `unit` says what the tokens are: a file or an expression."""
    stop = Stop(source, tokens, index, possible, unit)
    token = stop.token
    # Empty tokens are inserted by the filter, which has reported why. Only END is empty and real.
    if token.type == "REPORTED" or (token.start == token.end and token.type != END):
        return None
    for explain in _EXPLAINERS:
        problem = explain(stop)
        if problem is not None:
            return problem
    return explain_expected(stop)


def _explain_label(stop: Stop) -> Diagnostic | None:
    if stop.token.type != "LABEL":
        return None
    text = stop.token.text
    if stop.previous is not None and stop.previous.type == "RBRACE":
        return errors.syntax_error(
            stop.span,
            "a label precedes the body",
            help=(f"write `repeat 2 {text} {{ ... }}`; label an `if` or a `scan` in parentheses: `(if ...) {text}`",),
        )
    if stop.has_in_statement("SCAN"):
        return errors.syntax_error(stop.span, "a `scan` has no label", help=(f"label it in parentheses: `(scan ...) {text}`",))
    if stop.first.type in ("INPUT",) or stop.has_in_statement("INPUT"):
        name = text.split()[-1]
        return errors.syntax_error(stop.span, "an input cannot have a label", help=(f"name it with `{name} = input ...`",))
    return errors.syntax_error(stop.span, "unexpected label", help=("put the label directly after a stage and its arguments",))


def _explain_bracket_after_label(stop: Stop) -> Diagnostic | None:
    if stop.token.type not in ("LBRACK", "LBRACK_TIGHT") or stop.previous is None or stop.previous.type != "LABEL":
        return None
    text = stop.previous.text
    return errors.syntax_error(
        stop.span, "a label cannot be indexed", help=(f"write the index in braces: `{text}.{{i}}` or `{text}{{i}}`",)
    )


def _explain_equals(stop: Stop) -> Diagnostic | None:
    if stop.token.type not in ("EQUALS", "ASSIGN"):
        return None
    if "COMPARE" in stop.possible and (stop.first.type in ("LET", "EXPECT", "FN") or stop.is_in_condition):
        return errors.single_equals(stop.span)
    if stop.previous is not None and stop.previous.type in VALUES:
        if stop.first.text == "self":
            help = "write the layer where it is used, with its name after it: `x -> dense 10 as fc`"
            return errors.syntax_error(stop.span_between(stop.first.start, stop.previous.end), "there is no `self`", help=(help,))
        special = _explain_equals_after_table(stop) or _explain_equals_after_out(stop)
        if special is not None:
            return special
        what = "the left side of `=` must be a name, or names in parentheses"
        return errors.syntax_error(stop.span, what, help=("write `x = ...` or `(a, b) = ...` to name tensors",))
    return None


def _explain_declared_in(stop: Stop) -> Diagnostic | None:
    """`block f(in, width)`."""
    previous = stop.previous
    if previous is None or previous.type != "IN" or stop.token.type not in ("COMMA", "RPAR"):
        return None
    if not stop.is_in_header or stop.first.type != "BLOCK":
        return None
    end = stop.tokens[stop.index + 1].start if stop.token.type == "COMMA" else previous.end
    help = "leave it out: a block that declares no tensors takes one, called `in`; for one that takes none, write `in: none`"
    span = stop.span_between(previous.start, previous.end)
    edits = (Edit(stop.span_between(previous.start, end), ""),)
    return errors.syntax_error(span, "`in` is not declared", "every block has it", help=(help,), edits=edits)


def _explain_equals_after_table(stop: Stop) -> Diagnostic | None:
    """`table [3] = ...`."""
    index = next((n for n, token in enumerate(stop.tokens_before) if token.type == "TABLE"), None)
    if index is None or index + 1 >= len(stop.tokens_before) or not stop.tokens_before[index + 1].type.startswith("LBRACK"):
        return None
    help = "name them before the shape: `table (i) [3] = [1, 2, 3][i]`"
    return errors.syntax_error(stop.span, "a table has names for the indices of its elements", help=(help,))


def _explain_equals_after_out(stop: Stop) -> Diagnostic | None:
    """`out y = ...`, `out (a, b) = ...`."""
    name = stop.span_between(stop.first.end, stop.span.start).text.strip()
    if stop.first.type != "OUT" or not re.fullmatch(r"\w+|\([\w\s,]+\)", name):
        return None
    help = f"name it in a statement of its own: `{name} = ...`, then `out {name}`"
    return errors.syntax_error(stop.span, "`out` takes tensors that have a name", help=(help,))


def _explain_arrow(stop: Stop) -> Diagnostic | None:
    at_arrow = stop.token.type == "ARROW" and stop.previous is not None and stop.previous.type in VALUES
    if stop.token.type != "LPAR_FLOW" and not at_arrow:
        return None
    if stop.opener is not None and stop.opener.type.startswith("LBRACK"):
        return errors.syntax_error(
            stop.span,
            "a list cannot contain a pipeline",
            "its items are compile-time values",
            help=("several tensors are a tuple, in parentheses: `(a -> b, c) -> stage`",),
        )
    if stop.opener is not None or not at_arrow:
        return errors.syntax_error(
            stop.span,
            "a pipeline cannot be an argument",
            "arguments are compile-time values",
            help=("name the tensor first, and pass it to the stage with an arrow: `(a, b) -> stage`",),
        )
    if stop.first.type == "LET":
        return errors.syntax_error(
            stop.span, "`let` names a compile-time value, not a tensor", help=("name a tensor without `let`: `x = a -> b`",)
        )
    if stop.first.type == "SHARED":
        return errors.syntax_error(
            stop.span, "only one stage can be shared", help=("put the stages in parentheses: `shared f = (a -> b)`",)
        )
    return None


def _explain_operator(stop: Stop) -> Diagnostic | None:
    token, previous = stop.token, stop.previous
    if previous is None or previous.type not in VALUES or (token.type not in _OPERATORS and token.type != "IN"):
        return None
    if ("AND" in stop.possible or stop.has_comparison_before()) and token.type in ("COMPARE", "IN"):
        return errors.syntax_error(stop.span, "comparisons cannot be chained", help=_CHAIN_HELP)
    if token.text == "==" and previous.type == "NAME":
        # `softmax axis==1` names an argument, `softmax ==1` compares a stage with a number; only the first has one obvious edit.
        is_argument = stop.index > 1 and stop.tokens[stop.index - 2].type in VALUES  # otherwise the name is a stage's
        after = stop.tokens[stop.index + 1]
        end = after.end if after.type == "EQUALS" and after.start == token.end else token.end  # `===`
        return errors.double_equals(stop.span_between(token.start, end), is_argument)
    if "ARROW" not in stop.possible or token.type == "IN":
        return None
    following = stop.tokens[stop.index + 1]
    is_spaced = token.end < following.start  # `dense 3 - 1` subtracts, and `sort -1` does not
    takes_arguments = previous.type not in ("LABEL", "RBRACE")
    if takes_arguments and not is_spaced and (numbers := _find_negative_numbers(stop)):
        apart = previous.type == "NAME" or previous.end < token.start
        return errors.negative_arguments(stop.span_between(token.start, numbers[-1].end), [number.text for number in numbers], apart)
    if (token.text == "//" and following.type != "NUMBER") or (token.text == "/" and following.text.startswith("*")):
        return errors.foreign_comment(stop.span, f"`{token.text}` cannot follow a stage")
    if token.type == following.type == "MINUS" and token.end == following.start:
        return errors.foreign_comment(stop.span_between(token.start, following.end), "`--` cannot follow a stage")
    grouping_help = "to compute with the result of a pipeline, put it in parentheses: `(a -> b) + c`"
    return errors.syntax_error(
        stop.span, f"`{token.text}` cannot follow a stage", help=(grouping_help, *(_ARGUMENT_HELP if takes_arguments else ()))
    )


def _find_negative_numbers(stop: Stop) -> list[Token]:
    """Return the numbers after several `-` in a row."""
    numbers, index = [], stop.index
    while stop.tokens[index].type == "MINUS" and (stop.tokens[index + 1].type == "NUMBER" or stop.tokens[index + 1].text == "inf"):
        numbers.append(stop.tokens[index + 1])
        index += 2
    return numbers


def _explain_body(stop: Stop) -> Diagnostic | None:
    kind = stop.token.type
    if kind == "COLON" and ("LBRACE" in stop.possible or stop.first.type in ("BLOCK", "MODEL", "REPEAT", "EACH", "SCAN", "IF", "ELSE")):
        return errors.syntax_error(
            stop.span, "expected `{`, found `:`", "a body is written in braces", help=("write `{` here and `}` after the body",)
        )
    if kind == "LBRACE" and stop.first.type == "FN" and "EQUALS" in stop.possible:
        return errors.syntax_error(stop.span, "the body of a `fn` is a single expression", help=("write `fn f(x) = ...`",))
    if stop.token.text == "trainable" and "LBRACE" in stop.possible:
        return errors.syntax_error(stop.span, "`trainable` cannot precede a body", help=(_FREEZE_HELP,))
    if kind in _STAGE_STARTS and "LBRACE" in stop.possible and (stop.has_in_statement("REPEAT") or stop.has_in_statement("EACH")):
        help = "write the body in braces: `repeat 3 { dense 8 }`"
        return errors.syntax_error(stop.span, f"expected `{{`, found {describe_token(stop)}", help=(help,))
    after_label = stop.previous is not None and stop.previous.type == "LABEL" and "{" in stop.previous.text
    if kind != "LBRACE" and after_label and "LBRACE" in stop.possible:
        return errors.syntax_error(
            stop.span,
            f"expected `{{`, found {describe_token(stop)}",
            help=("put a space before the body: a `{` directly after a label belongs to the label",),
        )
    return None


def _explain_unbracketed_source(stop: Stop) -> Diagnostic | None:
    """`x + table (i) [3] = 2 * i`, `x * input T where T <= 8`: an operand that ends in compile-time arithmetic."""
    kind = _ENDS_IN_ARITHMETIC.get(stop.token.type)
    index = next((n for n in range(stop.index - 1, stop.first_index, -1) if stop.tokens[n].type in (kind, "ARROW")), None)
    if index is None or stop.tokens[index].type != kind or stop.tokens[index - 1].type not in _OPERATORS:
        return None
    source, end = stop.tokens[index], stop.find_end(index, _AFTER_SOURCE)
    text = stop.source.text[source.start : end]
    inside = [token.text for token in stop.tokens[index:] if token.start < end]
    is_whole = kind != "TABLE" or "=" in inside  # the formula may be on the next line
    written = f": `({text})`" if len(text) <= _LONGEST_HELP - 2 and "\n" not in text else ""
    help = f"put it in parentheses{written if is_whole else ', together with its formula'}"
    # A parenthesis within a brace that is never closed would be a further error.
    is_closed = sum(inside.count(bracket) for bracket in "([{") == sum(inside.count(bracket) for bracket in ")]}")
    around = (Edit(stop.span_between(source.start, source.start), "("), Edit(stop.span_between(end, end), ")"))
    edits = around if is_closed and is_whole else ()
    return errors.syntax_error(
        stop.span_between(source.start, source.end),
        f"{'a' if kind == 'TABLE' else 'an'} `{source.text}` in arithmetic needs parentheses",
        f"its {'formula' if kind == 'TABLE' else 'conditions'} would take the rest of the line",
        help=(help,),
        edits=edits,
    )


def _explain_value_as_pipeline(stop: Stop) -> Diagnostic | None:
    """`sizes = [1, 2]`: a compile-time value without `let`."""
    if (
        stop.token.type not in _CONSTANTS
        or stop.previous is None
        or stop.previous.type not in ("EQUALS", "ASSIGN")
        or stop.opener is not None
    ):
        return None
    if not {token.type for token in stop.tokens_before} <= {"NAME", "COMMA", "LPAR_NAMES", "RPAR", "EQUALS", "ASSIGN"}:
        return None
    edits = (Edit(stop.span_between(stop.first.start, stop.first.start), "let ", safe=True),)
    help = ("name compile-time values with `let`",)
    return errors.syntax_error(stop.span, f"expected a pipeline after `=`, found {describe_token(stop)}", help=help, edits=edits)


def _read_kinds_before(tokens: list[Token], last: int) -> list[str]:
    """The types of the tokens of the statement that ends with `tokens[last]`, with the bodies that it has."""
    first, depth = last + 1, 0
    while first > 0 and (depth > 0 or tokens[first - 1].type not in ("NL", "LBRACE")):
        first -= 1
        depth += (tokens[first].type == "RBRACE") - (tokens[first].type == "LBRACE")
    return [token.type for token in tokens[first : last + 1]]


def _explain_operator_first(stop: Stop) -> Diagnostic | None:
    """A line that begins with an operator, as continued lines do in other languages."""
    text, index = stop.token.text, stop.first_index - 1
    if not stop.at_start or stop.token.type not in _OPERATORS or stop.previous is None or stop.previous.type != "NL":
        return None
    while index > 0 and stop.tokens[index].type == "NL":
        index -= 1
    above = _read_kinds_before(stop.tokens, index)
    end = stop.tokens[index].end
    after = stop.tokens[stop.index + 1].start
    edits: tuple[Edit, ...] = (Edit(stop.span_between(end, end), f" {text}"), Edit(stop.span_between(stop.token.start, after), ""))
    # `let a` without its `=`, or a header without its brace, has no value that an operator could continue.
    first = above[0] if above else ""
    unfinished = first in ("BLOCK", "MODEL", "TRAIN") or (first in ("LET", "FN") and not {"EQUALS", "ASSIGN"} & set(above))
    if stop.tokens[index].type not in VALUES - {"RBRACE"} or "ARROW" in above or unfinished:
        edits = ()  # nothing is there to continue, or the result of a body or a pipeline, which needs brackets
    help = (f"a line is continued by an operator at its end: move the `{text}` to the line above",)
    if stop.span.file.text[end : stop.token.start].strip() == ";":
        help = (f"remove the `;`, so that the `{text}` continues the statement before it",)
        edits = (Edit(stop.span_between(end, stop.token.start), " "),) if edits else ()
    if stop.token.type == "COMPARE" and "COMPARE" in above:
        help, edits = _CHAIN_HELP, ()
    return errors.syntax_error(stop.span, f"a statement cannot begin with {describe_token(stop)}", help=help, edits=edits)


def _explain_space_before_index(stop: Stop) -> Diagnostic | None:
    if stop.previous is None or stop.token.type != "LBRACK" or "PLUS" not in stop.possible:
        return None
    if stop.previous.type in ("NAME", "RPAR", "RBRACK"):
        edits = (Edit(stop.span_between(stop.previous.end, stop.token.start), ""),)
        return errors.syntax_error(stop.span, "unexpected space before an index", help=(f"write `{stop.previous.text}[`",), edits=edits)
    return None


def _explain_missing_arrow(stop: Stop) -> Diagnostic | None:
    if stop.previous is None or stop.previous.type not in VALUES or "ARROW" not in stop.possible:
        return None
    if stop.token.text == "trainable" and stop.previous.type == "RBRACE":
        return errors.syntax_error(stop.span, "`trainable` cannot follow a body", help=(_FREEZE_HELP,))
    if stop.token.type in _STAGE_STARTS:
        end = "the end of the line" if "NL" in stop.possible and stop.opener is None else "the end of the group"
        edits = (Edit(stop.span_between(stop.token.start, stop.token.start), "-> ", safe=False),)
        return errors.syntax_error(
            stop.span, f"expected `->` or {end}, found {describe_token(stop)}", help=("separate stages with `->`",), edits=edits
        )
    if stop.token.type in ("NUMBER", "DIMS", "STRING", "LBRACK"):
        # After a body or a label, an argument has no stage to belong to; the generic message lists what may follow.
        if stop.previous.type in ("RBRACE", "LABEL"):
            return None
        if [token.type for token in stop.tokens_before[-2:]] == ["INPUT", "NAME"]:
            named = f"{stop.previous.text} = input {stop.token.text}"
            # After `input conv 4 3`, the second number would be the next mistake: the word is a stage, not a name.
            is_last = stop.tokens[stop.index + 1].type not in ("NUMBER", "DIMS", "NAME")
            begins = is_last and stop.first is stop.tokens_before[-2] and len(stop.tokens_before) == 2 and stop.token.type != "LBRACK"
            moved = (Edit(stop.span_between(stop.first.start, stop.token.end), named),) if begins else ()
            return errors.syntax_error(stop.span, "the name of an input comes before it", help=(f"write `{named}`",), edits=moved)
        written = [token.text.replace("_", "") for token in (stop.previous, stop.token)]  # `100_000x8` is not a shape
        if [token.type for token in stop.tokens_before[-2:]] == ["INPUT", "NUMBER"] and all(map(str.isdecimal, written)):
            sizes = "x".join(written)
            span = stop.span_between(stop.previous.start, stop.token.end)
            return errors.syntax_error(
                span, "the sizes of a shape are separated by `x`", help=(f"write `{sizes}`",), edits=(Edit(span, sizes),)
            )
        return _explain_stray_argument(stop, stop.previous)
    return None


def _explain_stray_argument(stop: Stop, previous: Token) -> Diagnostic:
    """`input 3 dense 2`, and other values that no stage takes."""
    message = f"unexpected argument {describe_token(stop)}"
    if previous.type == "NUMBER" and [token.type for token in stop.tokens_before[-3:-1]] in (["NAME", "MINUS"], ["NUMBER", "MINUS"]):
        minus = stop.tokens_before[-2]
        if stop.tokens_before[-3].end < minus.start and minus.end == previous.start:  # `draw x uniform -1 1`
            kinds = [token.type for token in stop.tokens_before]
            # `input 3 x -1 2`: nothing says where the stage begins, so parentheses would only be the next error.
            is_stage = "INPUT" not in kinds[max((i for i, kind in enumerate(kinds) if kind == "ARROW"), default=0) :]
            return errors.negative_arguments(stop.span_between(minus.start, previous.end), [previous.text], is_stage)
    is_value = [token.type for token in stop.tokens_before[-2:-1]] == ["EQUALS"]  # `dtype=float32 3`: the word belongs to its argument
    if previous.type != "NAME" or is_value or not stop.has_in_statement("INPUT"):
        return errors.syntax_error(stop.span, message, help=("write arguments after the name of a stage",))
    help = f"separate stages with `->`: `-> {previous.text} {stop.token.text}`"
    before = stop.tokens_before[-2]
    start = before.start if before.type == "DOT" else previous.start  # `input 3 . dense 2`
    edits: tuple[Edit, ...] = (Edit(stop.span_between(start, previous.start), "-> ", safe=False),)
    if any(token.type == "WHERE" for token in stop.tokens_before):
        edits = ()  # the user may have meant a condition
    return errors.syntax_error(stop.span, message, help=(help,), edits=edits)


def _explain_state(stop: Stop) -> Diagnostic | None:
    """`scan (h)`, `scan h`: a state without a start."""
    before = [token.type for token in stop.tokens_before]
    if stop.possible & {"ASSIGN", "EQUALS"} and (before[-3:] == ["SCAN", "LPAR", "NAME"] or before[-2:] == ["SCAN", "NAME"]):
        name = stop.tokens_before[-1].text
        help = f"write what it is before the first step: `({name} = start)`"
        return errors.syntax_error(stop.span, f"the state `{name}` has no start", help=(help,))
    return None


_EXPLAINERS = (
    *token_errors.EXPLAINERS,
    *foreign_forms.EXPLAINERS,
    *keyword_errors.EXPLAINERS,
    _explain_label,
    _explain_bracket_after_label,
    *shape_errors.EXPLAINERS,
    _explain_unbracketed_source,
    _explain_value_as_pipeline,
    _explain_operator_first,
    *comma_errors.EXPLAINERS,
    _explain_declared_in,
    _explain_state,
    _explain_equals,
    _explain_arrow,
    _explain_operator,
    _explain_body,
    _explain_space_before_index,
    _explain_missing_arrow,
)
"""The explainers in the order in which they are tried: the first one that returns a diagnostic wins, so the special precede the general."""
