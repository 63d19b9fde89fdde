"""Explains forms of other languages: Python's methods, slices and assignments, the comments of C.

In: the position where the automaton stopped. Out: one diagnostic, or None where the cause is another.
"""

from __future__ import annotations

from itertools import pairwise

from . import syntax_diagnostics as errors
from .diagnostics.diagnostic import Diagnostic, Edit
from .expected_tokens import VALUES, Stop, found
from .grammar import END
from .habits import HABITS, LIBRARIES, METHODS, TAKE_LISTS
from .lexer import Token
from .source import SourceFile

_ATTRIBUTES = ("shape", "rank", "channels", "features", "dtype")
_FIRST_OF_VALUES = frozenset(("NAME", "NUMBER", "DIMS", "STRING", "TRUE", "FALSE"))
"""What a value, and no operator, may begin with."""
_LONGEST = 60
"""The longest text that a help repeats."""


def continued(source: SourceFile, tokens: list[Token], first: int, end: int) -> int:
    """Where a statement that did not parse ends, if it is one of Python with a body, or a comment of C, of several lines, and what is
    added to it opens no brace that it does not close, and closes none that it does not open."""
    reached = _reached(source, tokens, first, end)
    return reached if _closes_its_braces(tokens[end:reached]) else end


def _reached(source: SourceFile, tokens: list[Token], first: int, end: int) -> int:
    before = [token.type for token in tokens[first:end]]
    if tokens[first].text in HABITS and "COLON" in before:
        return _indented(source, tokens, first, end)
    if [token.text for token in tokens[first : first + 2]] in (["/", "*"], ["/", "**"]):
        texts = [token.text for token in tokens]
        closed = next((at for at in range(first + 2, len(tokens) - 1) if texts[at] in ("*", "**") and texts[at + 1] == "/"), 0)
        return next((at for at in range(closed, len(tokens)) if tokens[at].type in ("NL", END)), end) if closed else end
    return end


def _closes_its_braces(tokens: list[Token]) -> bool:
    depth = 0
    for token in tokens:
        depth += (token.type == "LBRACE") - (token.type == "RBRACE")
        if depth < 0:
            return False
    return depth == 0


def _indented(source: SourceFile, tokens: list[Token], first: int, end: int) -> int:
    """The end of the lines that are further to the right than the first token."""

    def column(token: Token) -> int:
        return token.start - source.text.rfind("\n", 0, token.start)

    at = end
    while tokens[at].type == "NL" or (tokens[at].type != END and column(tokens[at]) > column(tokens[first])):
        if tokens[at].type != "NL":
            at = end = next(after for after in range(at, len(tokens)) if tokens[after].type in ("NL", END))
        else:
            at += 1
    return end


def _habit(stop: Stop) -> Diagnostic | None:
    """A keyword of another language where a stage is expected: the cause of the errors that follow."""
    for at in range(stop.first_index, stop.at + 1):
        token = stop.tokens[at]
        first = at == stop.first_index or stop.tokens[at - 1].type in ("ARROW", "RBRACE", "ASSIGN", "EQUALS")
        if first and token.type in ("NAME", "FOR") and token.text in HABITS:
            return errors.syntax(stop.span_of(token), f"`{token.text}` is not part of the language", help=(HABITS[token.text],))
    if stop.previous is not None and stop.previous.text == "lambda" and stop.token.type in ("NAME", "COLON"):
        return errors.syntax(stop.span_of(stop.previous), "`lambda` is not part of the language", help=(HABITS["lambda"],))
    return None


def _comment(stop: Stop) -> Diagnostic | None:
    """`// a net`, `/* a net */`, `% a net`, `-- a net`, and the strings that Python has for comments."""
    if stop.at_start and (stop.token.type == "TIMES" or stop.source.text.startswith('"""', stop.token.start)):
        text = stop.source.text[stop.token.start : stop.token.start + 3]
        mark = text if text == '"""' else text[:2] if text[:2] in ("//", "/*", "--") else stop.token.text
        return errors.comment(stop.between(stop.token.start, stop.token.start + len(mark)), f"a statement cannot begin with `{mark}`")
    return None


def _dotted(stop: Stop, last: int) -> tuple[str, Token]:
    """The names before the last dot of `torch.nn.relu`, whose last name is `tokens[last]`, with their dots; and the first of them."""
    at = last
    while at >= 2 and stop.tokens[at - 1].type == "DOT" and stop.tokens[at - 2].type == "NAME":
        at -= 2
    return stop.source.text[stop.tokens[at].start : stop.tokens[last].start], stop.tokens[at]


def _method(stop: Stop) -> Diagnostic | None:
    """`x.relu()`: a stage called as a method. `F.relu(x)`: a function of a library."""
    if stop.token.type != "LPAR_TIGHT" or stop.at < 3 or stop.tokens[stop.at - 2].type != "DOT":
        return None
    owner, first = _dotted(stop, stop.at - 1)
    name = stop.tokens[stop.at - 1]
    end = stop.end_of_bracket
    arguments = stop.source.text[stop.token.start : end]
    short = len(arguments) <= _LONGEST and "\n" not in arguments and not _misses_commas(stop, end)
    if first.text in LIBRARIES:
        return _of_a_library(stop, owner, first, name, f"{name.text}{arguments if short else ''}")
    if name.text in _ATTRIBUTES:
        edits = (Edit(stop.between(stop.token.start, end), ""),) if not arguments[1:-1].strip() else ()
        message = f"`{owner}{name.text}` is an attribute, not a method"
        return errors.syntax(stop.span, message, help=(f"write `{owner}{name.text}`",), edits=edits)
    stage = METHODS.get(name.text, name.text) + (arguments if short and arguments != "()" else "")
    if name.text in TAKE_LISTS and short and arguments[1:-1].strip(" []()"):
        stage = f"{METHODS.get(name.text, name.text)} [{arguments[1:-1].strip(' []()')}]"
    if first.text == "model":
        help = "training is a section of the spec, `train { ... }`: see `netc ops train`; `netc run` runs the model"
        return errors.syntax(stop.between(first.start, name.end), "a spec has no object `model`", help=(help,))
    if first.text == "self":
        help = f"the layers of a model are not defined before they are used: write its operator, `x -> dense 10 as {name.text}`"
        return errors.syntax(stop.between(first.start, name.end), "there is no `self`", help=(help,))
    written = f"{owner[:-1]} -> {stage}"
    changed = _as_stage(stop, first, end, written) if short else ()
    return errors.syntax(stop.span, "tensors have no methods", help=(f"write the stage after an arrow: `{written}`",), edits=changed)


def _misses_commas(stop: Stop, end: int) -> bool:
    """Whether two values follow each other in the brackets that end there: a help that repeats them would be wrong too."""
    inside = [token.type for token in stop.tokens[stop.at :] if token.end <= end]
    return any(one in VALUES and two in _FIRST_OF_VALUES for one, two in pairwise(inside))


def _as_stage(stop: Stop, first: Token, end: int, written: str) -> tuple[Edit, ...]:
    """The edit that writes the call of a method as a pipeline, in parentheses within arithmetic; none if another method follows."""
    after = next((token for token in stop.tokens[stop.at :] if token.start >= end), stop.tokens[-1])
    if after.type == "DOT":
        return ()
    before = stop.tokens[max(stop.tokens.index(first) - 1, 0)]
    alone = after.type in ("NL", "ARROW", "RBRACE", END) and (before is first or before.type in ("NL", "ASSIGN", "LBRACE", "OUT"))
    return (Edit(stop.between(first.start, end), written if alone else f"({written})", safe=False),)


def _of_a_library(stop: Stop, owner: str, first: Token, name: Token, rest: str) -> Diagnostic:
    help = f"leave out `{owner}`: write `{rest}`"
    return errors.syntax(
        stop.between(first.start, name.start - 1),
        f"`{owner}` is not " + ("part of the language" if first.text in LIBRARIES else "a stage"),
        "the name of a stage has no dots",
        help=(help,),
        edits=(Edit(stop.between(first.start, name.start), "", safe=first.text in LIBRARIES),),
    )


def _name_with_dots(stop: Stop) -> Diagnostic | None:
    """`-> nn.Linear(3, 2)`."""
    previous = stop.previous
    if stop.token.type != "DOT" or previous is None or previous.type != "NAME" or "ARROW" not in stop.possible:
        return None
    at = stop.at + 1
    while [token.type for token in stop.tokens[at : at + 3]] == ["NAME", "DOT", "NAME"]:
        at += 2
    if stop.tokens[at].type != "NAME":
        return errors.syntax(stop.span, f"`{previous.text}.` is not a stage", "the name of a stage has no dots")
    return _of_a_library(stop, stop.source.text[previous.start : stop.tokens[at].start], previous, stop.tokens[at], stop.tokens[at].text)


def _slice(stop: Stop) -> Diagnostic | None:
    """`x[:, 0]`, `x[..., 0]`, `x[1:3]`, `x[0, :]`."""
    opener, owner = stop.opener, stop.before_opener
    if opener is None or opener.type != "LBRACK_TIGHT" or owner is None or stop.token.type not in ("COLON", "ELLIPSIS", "COMMA"):
        return None
    end = stop.closing
    if not any(token.type in ("COLON", "ELLIPSIS") and token.start < end for token in stop.tokens[stop.at :]):
        return None
    if stop.token.type == "ELLIPSIS" and "ELLIPSIS" in stop.possible:
        return None
    help = f"take a part with a stage: `{owner.text} -> select axis=1 index=0`, `{owner.text} -> slice axis=1 start=2 stop=8`"
    return errors.syntax(stop.span, "an index is a single value: there are no slices", help=(help,))


def _augmented(stop: Stop) -> Diagnostic | None:
    """`x += 1`."""
    previous = stop.previous
    if stop.token.type not in ("EQUALS", "ASSIGN") or previous is None or previous.type not in ("PLUS", "MINUS", "TIMES", "POWER", "AT"):
        return None
    if previous.end != stop.token.start:
        return None
    target = stop.source.text[stop.first.start : previous.start].strip()
    value = stop.tokens[stop.at + 1].text.strip()
    name = target if target.isidentifier() and len(target) <= _LONGEST else "x"
    help = f"use a new name: `{name}2 = {name} {previous.text} {value or 1}`"
    message = f"`{previous.text}=` is not part of the language: a name cannot be reassigned"
    return errors.syntax(stop.between(previous.start, stop.token.end), message, help=(help,))


def _incremented(stop: Stop) -> Diagnostic | None:
    """`x++`, `x--`."""
    before = stop.before if stop.token.type in ("NL", END) else [*stop.before, stop.token]
    match [token.type for token in before]:
        case ["NAME", ("PLUS" | "MINUS") as one, two] if one == two and before[1].end == before[2].start:
            name, sign = before[0].text if before[0].end - before[0].start <= _LONGEST else "x", before[1].text
            message = f"`{2 * sign}` is not part of the language: a name cannot be reassigned"
            help = f"use a new name: `let {name}2 = {name} {sign} 1`"
            return errors.syntax(stop.between(before[1].start, before[2].end), message, help=(help,))
    return None


_COMPARISONS = {"==": "==", "!=": "!=", "<>": "!="}
"""What is meant by an operator that begins so."""


def _compared(stop: Stop) -> Diagnostic | None:
    """`a === b`, `a !== b`, `a <> b`."""
    previous = stop.previous
    if previous is None or previous.type != "COMPARE" or previous.end != stop.token.start:
        return None
    written = previous.text + stop.token.text
    meant = _COMPARISONS.get(written[:2])
    if stop.token.text not in ("=", ">") or meant is None:
        return None
    span = stop.between(previous.start, stop.token.end)
    return errors.syntax(span, f"`{written}` is not a comparison", help=(f"write `{meant}`",), edits=(Edit(span, meant),))


def _annotated(stop: Stop) -> Diagnostic | None:
    """`x: input 3`, `x := input 3`, `let n: int = 3`."""
    before = [token.type for token in stop.before]
    if stop.token.type == "COLON" and before[-1:] == ["INPUT"]:
        help = (f"leave out the colon: `input {_value_after(stop, '10')}`",)
        return errors.syntax(stop.span, "`input` has no colon after it", help=help, edits=(Edit(stop.span, ""),))
    if stop.token.type != "COLON" or before not in (["NAME"], ["LET", "NAME"]):
        return None
    name = stop.before[-1].text
    if before == ["LET", "NAME"]:
        return errors.syntax(stop.span, "a `let` has no type", help=(f"write `let {name} = ...`",))
    after = stop.tokens[stop.at + 1]
    if after.type in ("NUMBER", "NAME", "STRING") and _in_section(stop) and not _goes_on(stop):
        help = (f"leave out the colon: `{name} {_value_after(stop, '...')}`",)
        return errors.syntax(stop.span, "a setting has no colon", help=help, edits=(Edit(stop.span, ""),))
    whole = stop.between(stop.token.start, after.end)
    edits = (Edit(whole, "="),) if whole.text == ":=" else ()
    return errors.syntax(stop.span, "a tensor is named with `=`, not with `:`", help=(f"write `{name} = ...`",), edits=edits)


def _value_after(stop: Stop, example: str) -> str:
    """The value after a colon, if it is a short word or list; otherwise the example."""
    after = stop.tokens[stop.at + 1]
    end = after.end
    if after.type == "LBRACK":
        end = next((token.end for token in stop.tokens[stop.at + 1 :] if token.type in ("RBRACK", "NL", END)), end)
    text = stop.source.text[after.start : end]
    return text if after.type in ("NUMBER", "DIMS", "NAME", "STRING", "LBRACK") and len(text) <= _LONGEST and "\n" not in text else example


def _in_section(stop: Stop) -> bool:
    """Whether the position is directly in a train section."""
    depth, at = 0, stop.first_index - 1
    while at >= 0:
        depth += (stop.tokens[at].type == "RBRACE") - (stop.tokens[at].type == "LBRACE")
        if depth < 0:
            break
        at -= 1
    # From the opening brace back to the beginning of its line.
    while at > 0 and stop.tokens[at - 1].type != "NL":
        at -= 1
    return at >= 0 and stop.tokens[at].type == "TRAIN"


def _goes_on(stop: Stop) -> bool:
    """Whether the statement goes on with an arrow, so that it is a pipeline."""
    end = next((at for at in range(stop.at, len(stop.tokens)) if stop.tokens[at].type in ("NL", "RBRACE", END)), len(stop.tokens))
    return any(token.type == "ARROW" for token in stop.tokens[stop.at : end])


def _unnamed_section(stop: Stop) -> Diagnostic | None:
    """`train (beta=0.1) {`."""
    if stop.token.type != "LPAR" or [token.type for token in stop.before] != ["TRAIN"]:
        return None
    help = "write `train name(...) {`; in a file with models the name is the model's, or `train name(...) for model {`"
    return errors.syntax(stop.span, "a train section with parameters needs a name", help=(help,))


def _logic(stop: Stop) -> Diagnostic | None:
    """`x and y` of tensors."""
    if stop.token.type not in ("AND", "OR") or "ARROW" not in stop.possible:
        return None
    word = stop.token.text
    return errors.syntax(stop.span, f"`{word}` is only defined for compile-time values", help=(f"write `(a, b) -> logical_{word}`",))


def _list_of_stages(stop: Stop) -> Diagnostic | None:
    """`-> [dense 2, relu]`."""
    if stop.token.type != "LBRACK" or stop.previous is None or stop.previous.type != "ARROW":
        return None
    help = "write the stages one after the other: `-> dense 2 -> relu`; in parentheses they are a group"
    return errors.syntax(stop.span, "a list is not a stage", help=(help,))


def _names_of_use(stop: Stop) -> Diagnostic | None:
    """`use "std/mlp.net" (mlp)`, `use "std/mlp.net" import mlp`."""
    if [token.type for token in stop.before] != ["USE", "STRING"] or stop.token.type in ("NL", END):
        return None
    end = next(at for at in range(stop.at, len(stop.tokens)) if stop.tokens[at].type in ("NL", END))
    names = [token.text for token in stop.tokens[stop.at : end] if token.type == "NAME" and token.text not in HABITS]
    help = f"write them after a colon: `: {', '.join(names[:3]) or 'name'}`"
    return errors.syntax(stop.span, f"expected `:` and names, found {found(stop)}", help=(help,))


def _repeat_of_einops(stop: Stop) -> Diagnostic | None:
    """`repeat "b c -> b c 2"`."""
    if [token.type for token in stop.before[-2:]] != ["REPEAT", "STRING"]:
        return None
    help = "for what einops's `repeat` does, write `-> unsqueeze axis -> expand [...]`, or `tile`"
    return errors.syntax(stop.span, "`repeat` is a loop, and takes no pattern", help=(help,))


EXPLAINED = (
    _names_of_use,
    _habit,
    _comment,
    _method,
    _name_with_dots,
    _slice,
    _augmented,
    _incremented,
    _compared,
    _annotated,
    _unnamed_section,
    _logic,
    _list_of_stages,
    _repeat_of_einops,
)
"""In the order in which they are tried."""
