"""Parse the text of `--search` into a search space.

In: a list of parameters, each with a range or a list of values. Out: a range for each name. Always: values are read as `--set` reads them,
so nothing of the text becomes code, and an error has the place in the text.

    >>> space = parse_search("width=64..512 step 64, rate=1e-4..1e-2 log, depth in [2,4,8]")
    >>> space["width"], space["rate"]
    (IntRange(low=64, high=512, step=64, log=False), FloatRange(low=0.0001, high=0.01, step=None, log=True))
    >>> space["depth"]
    Alternatives(values=(('2', 2), ('4', 4), ('8', 8)))
"""

from __future__ import annotations

from functools import cache
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from ..inputs.set_values import NotAValue, parse_constant
from .search_space import Alternatives, FloatRange, IntRange, SearchRange, SearchSpace, read_exactly

GRAMMAR = r"""
start: _parameter ("," _parameter)*
_parameter: range | alternatives
range: NAME "=" NUMBER ".." NUMBER (STEP NUMBER | LOG)*
alternatives: NAME "in" "[" item ("," item)* "]"
item: (WORD | STRING | _list | _group)+
_list: LSQB [_parts ("," _parts)*] RSQB
_group: LPAR _parts RPAR
_parts: (WORD | STRING | _list | _group)+
NAME: /[^\W\d]\w*/
NUMBER: /-?\d[\d_]*(\.\d+)?([eE][+-]?\d+)?/
STEP: "step"
LOG: "log"
WORD: /[^\s,()\[\]"]+/
STRING: /"[^"\n]*"/
LSQB: "["
RSQB: "]"
LPAR: "("
RPAR: ")"
%ignore /\s+/
"""
EXAMPLE = "`width=64..512 step 64`, `rate=1e-4..1e-2 log` or `depth in [2,4,8]`"


class SearchTextError(ValueError):
    """A mistake in the text of a search, from `start` to `end` of the text."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start, self.end = start, end


@cache
def _make_parser() -> Lark:
    # the keywords are names too, and only the parser's state tells which one is meant
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", propagate_positions=True)


def parse_search(text: str) -> SearchSpace:
    """Parse the text. Raises `SearchTextError`."""
    try:
        tree = _make_parser().parse(text)
    except UnexpectedInput as error:
        raise _describe_unexpected(error, text) from None
    space: dict[str, SearchRange] = {}
    for parameter in tree.children:
        assert isinstance(parameter, Tree)
        name = parameter.children[0]
        assert isinstance(name, Token)
        if name in space:
            raise _make_error(f"`{name}` is in the search twice", name)
        space[str(name)] = _read_range(parameter) if parameter.data == "range" else _read_alternatives(parameter, text)
    return space


def _describe_unexpected(error: UnexpectedInput, text: str) -> SearchTextError:
    start = error.pos_in_stream
    token = getattr(error, "token", None)
    # at the end of the text, Lark gives the position of the last token
    if start is None or start < 0 or (token is not None and token.type == "$END") or not text[start:].strip():
        end = len(text.rstrip())
        return SearchTextError(f"the search ends too early; a parameter is written as {EXAMPLE}", end, end + 1)
    return SearchTextError(f"a parameter of a search is written as {EXAMPLE}", start, start + 1)


def _make_error(message: str, first: Token, last: Token | None = None) -> SearchTextError:
    end = (last or first).end_pos
    return SearchTextError(message, first.start_pos or 0, end if end is not None else 0)


def _read_range(tree: Tree[Token]) -> SearchRange:
    """Read `NAME=LOW..HIGH`, with `step STEP` and `log`."""
    tokens: list[Any] = list(tree.children)
    name, low_token, high_token, *modifiers = tokens
    low, high = _read_number(low_token), _read_number(high_token)
    if not low < high:
        remedy = f"for one value, use `--set {name}={low_token}`" if low == high else f"write `{name}={high_token}..{low_token}`"
        raise _make_error(f"the end of the range of `{name}` is not above its begin; {remedy}", low_token, high_token)
    step: int | float | None = None
    log = False
    for index, modifier in enumerate(modifiers):
        match modifier.type:
            case "STEP" if step is None:
                step = _read_number(modifiers[index + 1])
                if not 0 < read_exactly(step) <= read_exactly(high) - read_exactly(low):
                    raise _make_error(f"a step of `{name}` is larger than 0 and at most HIGH - LOW", modifiers[index + 1])
                if isinstance(low, int) and isinstance(high, int) and isinstance(step, float):
                    remedy = f"for numbers with fractions, write `{name}={float(low)}..{float(high)} step {step}`"
                    raise _make_error(f"a range of integers has a step that is an integer; {remedy}", modifiers[index + 1])
            case "LOG" if not log:
                log = True
            case "STEP" | "LOG":
                raise _make_error(f"`{modifier}` is in the range twice", modifier)
    if log and low <= 0:
        raise _make_error("a `log` range begins above 0", low_token)
    if log and step is not None:
        raise _make_error("a range has a `step` or is `log`, not both", modifiers[0], modifiers[-1])
    if isinstance(low, int) and isinstance(high, int):
        assert not isinstance(step, float), "refused above"
        return IntRange(low, high, step or 1, log)
    return FloatRange(float(low), float(high), None if step is None else float(step), log)


def _read_number(token: Token) -> int | float:
    try:
        number = int(token) if token.lstrip("-").replace("_", "").isdigit() else float(token)
    except ValueError:
        raise _make_error(f"`{token}` is not a number of a range", token) from None
    if not abs(number) < 2**63:  # an int64, which databases store
        raise _make_error(f"`{token}` is too large; the numbers of a range are below 2**63, about 9.2e18", token)
    return number


def _read_alternatives(tree: Tree[Token], text: str) -> SearchRange:
    """Read `NAME in [A, B, ...]`."""
    name, *items = tree.children
    values: list[tuple[str, object]] = []
    for item in items:
        assert isinstance(item, Tree)
        start, end = item.meta.start_pos, item.meta.end_pos
        word = text[start:end]
        try:
            value = parse_constant(word)
        except NotAValue as error:
            raise SearchTextError(str(error), start, end) from None
        if repr(value) in [repr(other) for _, other in values]:  # 8 == 8.0, but they are different values of a parameter
            raise SearchTextError(f"`{name}` has the value `{word}` twice", start, end)
        values.append((word, value))
    return Alternatives(tuple(values))
