"""Explains forms of other languages: Python's methods, slices and assignments, and the comments of C.

`EXPLAINERS` take the position where the automaton stopped, and return one diagnostic, or None if something else is wrong.

    >>> from .parser import parse_source
    >>> [(error.message, error.help) for error in parse_source(SourceFile("<text>", "y = x.flatten(1)"))[1]]
    [('tensors have no methods', ('write the stage after an arrow: `x -> flatten(1)`',))]
"""

from __future__ import annotations

from itertools import pairwise

from . import syntax_diagnostics as errors
from .brackets import OPENERS
from .diagnostics.diagnostic import Diagnostic, Edit
from .expected_tokens import VALUES, Stop, describe_token
from .grammar import END
from .habits import HABITS, LIBRARIES, METHODS, TAKE_LISTS
from .lexer import Token
from .source import SourceFile

_ATTRIBUTES = ("shape", "rank", "channels", "features", "dtype")
_FIRST_OF_VALUES = frozenset(("NAME", "NUMBER", "DIMS", "STRING", "TRUE", "FALSE"))
"""The first tokens of values, which no operator begins with."""
_BEFORE_VALUES = frozenset(("PLUS", "MINUS", "TIMES", "AT", "POWER", "COMPARE", "EQUALS", "AND", "OR", "NOT", "DOTDOT"))
"""Tokens after which a value must follow."""
_NO_VALUES = frozenset(("PLUS", "TIMES", "AT", "POWER", "COMPARE", "EQUALS", "AND", "OR", "COMMA", "RPAR", "RBRACK"))
"""Tokens that no value begins with."""
_STAGE_ENDS = frozenset(("ARROW", "NL", "COMMA", END))
_LONGEST = 60
"""The longest text that a help repeats."""


def find_broken_end(source: SourceFile, tokens: list[Token], first: int, end: int) -> int:
    """Where a statement that did not parse ends, if it is one of Python with a body, or a comment of C, of several lines, and what is
    added to it opens no brace that it does not close, and closes none that it does not open."""
    reached = _find_foreign_end(source, tokens, first, end)
    # Skipped lines must keep the braces balanced: a body of Python that opened one without closing it made the parser run forever.
    return reached if _closes_its_braces(tokens[end:reached]) else end


def _find_foreign_end(source: SourceFile, tokens: list[Token], first: int, end: int) -> int:
    before = [token.type for token in tokens[first:end]]
    if tokens[first].text in HABITS and "COLON" in before:
        return _find_indented_end(source, tokens, first, end)
    if [token.text for token in tokens[first : first + 2]] in (["/", "*"], ["/", "**"]):
        texts = [token.text for token in tokens]
        closed = next((index for index in range(first + 2, len(tokens) - 1) if texts[index] in ("*", "**") and texts[index + 1] == "/"), 0)
        return next((index for index in range(closed, len(tokens)) if tokens[index].type in ("NL", END)), end) if closed else end
    return end


def _closes_its_braces(tokens: list[Token]) -> bool:
    depth = 0
    for token in tokens:
        depth += (token.type == "LBRACE") - (token.type == "RBRACE")
        if depth < 0:
            return False
    return depth == 0


def _find_indented_end(source: SourceFile, tokens: list[Token], first: int, end: int) -> int:
    """The end of the lines that are further to the right than the first token."""

    def column(token: Token) -> int:
        return token.start - source.text.rfind("\n", 0, token.start)

    index = end
    while tokens[index].type == "NL" or (tokens[index].type != END and column(tokens[index]) > column(tokens[first])):
        if tokens[index].type != "NL":
            index = end = next(after for after in range(index, len(tokens)) if tokens[after].type in ("NL", END))
        else:
            index += 1
    return end


def _explain_habit(stop: Stop) -> Diagnostic | None:
    """A keyword of another language where a stage is expected: the cause of the errors that follow."""
    for index in range(stop.first_index, stop.index + 1):
        token = stop.tokens[index]
        # The word of the other language may be far before the stop: `def f(x):` fails at the colon only.
        first = index == stop.first_index or stop.tokens[index - 1].type in ("ARROW", "RBRACE", "ASSIGN", "EQUALS")
        if first and token.type in ("NAME", "FOR") and token.text in HABITS:
            return errors.syntax_error(stop.span_of(token), f"`{token.text}` is not part of the language", help=(HABITS[token.text],))
    if stop.previous is not None and stop.previous.text == "lambda" and stop.token.type in ("NAME", "COLON"):
        return errors.syntax_error(stop.span_of(stop.previous), "`lambda` is not part of the language", help=(HABITS["lambda"],))
    return None


def _explain_comment(stop: Stop) -> Diagnostic | None:
    """`// a net`, `/* a net */`, `% a net`, `-- a net`, and the strings that Python has for comments."""
    if stop.at_start and (stop.token.type == "TIMES" or stop.source.text.startswith('"""', stop.token.start)):
        text = stop.source.text[stop.token.start : stop.token.start + 3]
        mark = text if text == '"""' else text[:2] if text[:2] in ("//", "/*", "--") else stop.token.text
        return errors.foreign_comment(
            stop.span_between(stop.token.start, stop.token.start + len(mark)), f"a statement cannot begin with `{mark}`"
        )
    return None


def _read_dotted_name(stop: Stop, last: int) -> tuple[str, Token]:
    """The names before the last dot of `torch.nn.relu`, whose last name is `tokens[last]`, with their dots; and the first of them."""
    index = last
    while index >= 2 and stop.tokens[index - 1].type == "DOT" and stop.tokens[index - 2].type == "NAME":
        index -= 2
    return stop.source.text[stop.tokens[index].start : stop.tokens[last].start], stop.tokens[index]


def _explain_method(stop: Stop) -> Diagnostic | None:
    """`x.relu()`: a stage called as a method. `F.relu(x)`: a function of a library."""
    if stop.token.type != "LPAR_TIGHT" or stop.index < 3 or stop.tokens[stop.index - 2].type != "DOT":
        return None
    owner, first = _read_dotted_name(stop, stop.index - 1)
    name = stop.tokens[stop.index - 1]
    end = stop.next_bracket_end
    arguments = stop.source.text[stop.token.start : end]
    # A help repeats the arguments only if they are valid here, since following a help must not lead to the next error.
    short = len(arguments) <= _LONGEST and "\n" not in arguments and not _misses_tokens(stop, end)
    if first.text in LIBRARIES:
        return _explain_library_name(stop, owner, first, name, f"{name.text}{arguments if short else ''}")
    if name.text in _ATTRIBUTES:
        # `x.shape()` without arguments is safe to rewrite; what arguments mean here is for the reader to decide.
        edits = (Edit(stop.span_between(stop.token.start, end), ""),) if not arguments[1:-1].strip() else ()
        message = f"`{owner}{name.text}` is an attribute, not a method"
        return errors.syntax_error(stop.span, message, help=(f"write `{owner}{name.text}`",), edits=edits)
    stage = METHODS.get(name.text, name.text) + (arguments if short and arguments != "()" else "")
    if name.text in TAKE_LISTS and short and arguments[1:-1].strip(" []()"):
        stage = f"{METHODS.get(name.text, name.text)} [{arguments[1:-1].strip(' []()')}]"
    if first.text == "model":
        help = "training is a section of the spec, `train { ... }`: see `netc ops train`; `netc run` runs the model"
        return errors.syntax_error(stop.span_between(first.start, name.end), "a spec has no object `model`", help=(help,))
    if first.text == "self":
        help = f"the layers of a model are not defined before they are used: write its operator, `x -> dense 10 as {name.text}`"
        return errors.syntax_error(stop.span_between(first.start, name.end), "there is no `self`", help=(help,))
    pipeline = f"{owner[:-1]} -> {stage}"
    changed = _edit_to_stage(stop, first, end, pipeline) if short else ()
    return errors.syntax_error(stop.span, "tensors have no methods", help=(f"write the stage after an arrow: `{pipeline}`",), edits=changed)


def _misses_tokens(stop: Stop, end: int) -> bool:
    """Whether a comma is missing between two values, or a value after an operator or before a comma, in the brackets that end there: a
    help that repeats them would be wrong too."""
    inside = [token.type for token in stop.tokens[stop.index :] if token.end <= end]
    return any(
        (one in VALUES and two in _FIRST_OF_VALUES)
        or (one in _BEFORE_VALUES and two in _NO_VALUES)
        or (one in OPENERS | {"COMMA"} and two == "COMMA")
        for one, two in pairwise(inside)
    )


def _edit_to_stage(stop: Stop, first: Token, end: int, written: str) -> tuple[Edit, ...]:
    """The edit that writes the call of a method as a pipeline, in parentheses within arithmetic; none if another method follows."""
    after = next((token for token in stop.tokens[stop.index :] if token.start >= end), stop.tokens[-1])
    # Of a chain of methods, an edit of the first call would leave the second one on a stage's name.
    if after.type == "DOT":
        return ()
    before = stop.tokens[max(stop.tokens.index(first) - 1, 0)]
    alone = after.type in ("NL", "ARROW", "RBRACE", END) and (before is first or before.type in ("NL", "ASSIGN", "LBRACE", "OUT"))
    return (Edit(stop.span_between(first.start, end), written if alone else f"({written})", safe=False),)


def _explain_library_name(stop: Stop, owner: str, first: Token, name: Token, rest: str) -> Diagnostic:
    help = f"leave out `{owner}`: write `{rest}`"
    return errors.syntax_error(
        stop.span_between(first.start, name.start - 1),
        f"`{owner}` is not " + ("part of the language" if first.text in LIBRARIES else "a stage"),
        "the name of a stage has no dots",
        help=(help,),
        edits=(Edit(stop.span_between(first.start, name.start), "", safe=first.text in LIBRARIES),),
    )


def _explain_dotted_stage(stop: Stop) -> Diagnostic | None:
    """`-> nn.Linear(3, 2)`."""
    previous = stop.previous
    if stop.token.type != "DOT" or previous is None or previous.type != "NAME" or "ARROW" not in stop.possible:
        return None
    index = stop.index + 1
    while [token.type for token in stop.tokens[index : index + 3]] == ["NAME", "DOT", "NAME"]:
        index += 2
    if stop.tokens[index].type != "NAME":
        return errors.syntax_error(stop.span, f"`{previous.text}.` is not a stage", "the name of a stage has no dots")
    return _explain_library_name(
        stop, stop.source.text[previous.start : stop.tokens[index].start], previous, stop.tokens[index], stop.tokens[index].text
    )


def _explain_slice(stop: Stop) -> Diagnostic | None:
    """`x[:, 0]`, `x[..., 0]`, `x[1:3]`, `x[0, :]`."""
    opener, owner = stop.opener, stop.before_opener
    if opener is None or opener.type != "LBRACK_TIGHT" or owner is None or stop.token.type not in ("COLON", "ELLIPSIS", "COMMA"):
        return None
    end = stop.bracket_end
    if not any(token.type in ("COLON", "ELLIPSIS") and token.start < end for token in stop.tokens[stop.index :]):
        return None
    if stop.token.type == "ELLIPSIS" and "ELLIPSIS" in stop.possible:
        return None
    help = f"take a part with a stage: `{owner.text} -> select axis=1 index=0`, `{owner.text} -> slice axis=1 start=2 stop=8`"
    return errors.syntax_error(stop.span, "an index is a single value: there are no slices", help=(help,))


def _explain_augmented_assignment(stop: Stop) -> Diagnostic | None:
    """`x += 1`."""
    previous = stop.previous
    if stop.token.type not in ("EQUALS", "ASSIGN") or previous is None or previous.type not in ("PLUS", "MINUS", "TIMES", "POWER", "AT"):
        return None
    # With a space, `x + = 1` is some other mistake.
    if previous.end != stop.token.start:
        return None
    target = stop.source.text[stop.first.start : previous.start].strip()
    value = stop.tokens[stop.index + 1].text.strip()
    name = target if target.isidentifier() and len(target) <= _LONGEST else "x"
    help = f"use a new name: `{name}2 = {name} {previous.text} {value or 1}`"
    message = f"`{previous.text}=` is not part of the language: a name cannot be reassigned"
    return errors.syntax_error(stop.span_between(previous.start, stop.token.end), message, help=(help,))


def _explain_increment(stop: Stop) -> Diagnostic | None:
    """`x++`, `x--`."""
    before = stop.tokens_before if stop.token.type in ("NL", END) else [*stop.tokens_before, stop.token]
    match [token.type for token in before]:
        case ["NAME", ("PLUS" | "MINUS") as one, two] if one == two and before[1].end == before[2].start:
            name, sign = before[0].text if before[0].end - before[0].start <= _LONGEST else "x", before[1].text
            message = f"`{2 * sign}` is not part of the language: a name cannot be reassigned"
            help = f"use a new name: `let {name}2 = {name} {sign} 1`"
            return errors.syntax_error(stop.span_between(before[1].start, before[2].end), message, help=(help,))
    return None


_COMPARISONS = {"==": "==", "!=": "!=", "<>": "!="}
"""The intended operator, by the first two characters of the one that is written."""


def _explain_comparison(stop: Stop) -> Diagnostic | None:
    """`a === b`, `a !== b`, `a <> b`."""
    previous = stop.previous
    if previous is None or previous.type != "COMPARE" or previous.end != stop.token.start:
        return None
    operator = previous.text + stop.token.text
    correction = _COMPARISONS.get(operator[:2])
    # Only JavaScript's and SQL's comparisons; anything else after a comparison has another cause.
    if stop.token.text not in ("=", ">") or correction is None:
        return None
    span = stop.span_between(previous.start, stop.token.end)
    return errors.syntax_error(span, f"`{operator}` is not a comparison", help=(f"write `{correction}`",), edits=(Edit(span, correction),))


def _explain_annotation(stop: Stop) -> Diagnostic | None:
    """`x: input 3`, `x := input 3`, `let n: int = 3`."""
    before = [token.type for token in stop.tokens_before]
    if stop.token.type == "COLON" and before[-1:] == ["INPUT"]:
        help = (f"leave out the colon: `input {_value_after(stop, '10')}`",)
        return errors.syntax_error(stop.span, "`input` has no colon after it", help=help, edits=(Edit(stop.span, ""),))
    if stop.token.type != "COLON" or before not in (["NAME"], ["LET", "NAME"]):
        return None
    name = stop.tokens_before[-1].text
    if before == ["LET", "NAME"]:
        return errors.syntax_error(stop.span, "a `let` has no type", help=(f"write `let {name} = ...`",))
    after = stop.tokens[stop.index + 1]
    if after.type in ("NUMBER", "NAME", "STRING") and _is_in_section(stop) and not _has_arrow_after(stop):
        help = (f"leave out the colon: `{name} {_value_after(stop, '...')}`",)
        return errors.syntax_error(stop.span, "a setting has no colon", help=help, edits=(Edit(stop.span, ""),))
    span = stop.span_between(stop.token.start, after.end)
    edits = (Edit(span, "="),) if span.text == ":=" else ()
    return errors.syntax_error(stop.span, "a tensor is named with `=`, not with `:`", help=(f"write `{name} = ...`",), edits=edits)


def _explain_label_in_front(stop: Stop) -> Diagnostic | None:
    """`x -> fc: dense 3`."""
    if stop.token.type != "COLON" or [token.type for token in stop.tokens_before[-2:]] != ["ARROW", "NAME"]:
        return None
    label, after = stop.tokens_before[-1], stop.tokens[stop.index + 1]
    if after.type != "NAME":
        return None
    end = stop.find_end(stop.index + 1, _STAGE_ENDS)
    labeled = f"{stop.span_between(after.start, end).text} as {label.text}"
    help = labeled if len(labeled) <= _LONGEST and "\n" not in labeled else f"{after.text} ... as {label.text}"
    edits = (Edit(stop.span_between(label.start, end), labeled),)
    return errors.syntax_error(stop.span, "a label comes after its stage", help=(f"write `{help}`",), edits=edits)


def _value_after(stop: Stop, example: str) -> str:
    """The value after a colon, if it is a short word or list; otherwise the example."""
    after = stop.tokens[stop.index + 1]
    end = after.end
    if after.type == "LBRACK":
        end = next((token.end for token in stop.tokens[stop.index + 1 :] if token.type in ("RBRACK", "NL", END)), end)
    text = stop.source.text[after.start : end]
    return text if after.type in ("NUMBER", "DIMS", "NAME", "STRING", "LBRACK") and len(text) <= _LONGEST and "\n" not in text else example


def _is_in_section(stop: Stop) -> bool:
    """Whether the position is directly in a train section."""
    # Backwards to the brace that is open here. The token filter has balanced all brackets, so counting braces is enough.
    depth, index = 0, stop.first_index - 1
    while index >= 0:
        depth += (stop.tokens[index].type == "RBRACE") - (stop.tokens[index].type == "LBRACE")
        if depth < 0:
            break
        index -= 1
    # From the opening brace back to the beginning of its line.
    while index > 0 and stop.tokens[index - 1].type != "NL":
        index -= 1
    return index >= 0 and stop.tokens[index].type == "TRAIN"


def _has_arrow_after(stop: Stop) -> bool:
    """Whether the statement goes on with an arrow, so that it is a pipeline."""
    end = next(
        (index for index in range(stop.index, len(stop.tokens)) if stop.tokens[index].type in ("NL", "RBRACE", END)), len(stop.tokens)
    )
    return any(token.type == "ARROW" for token in stop.tokens[stop.index : end])


def _explain_unnamed_section(stop: Stop) -> Diagnostic | None:
    """`train (beta=0.1) {`."""
    if stop.token.type != "LPAR" or [token.type for token in stop.tokens_before] != ["TRAIN"]:
        return None
    help = "write `train name(...) {`; in a file with models the name is the model's, or `train name(...) for model {`"
    return errors.syntax_error(stop.span, "a train section with parameters needs a name", help=(help,))


def _explain_logic(stop: Stop) -> Diagnostic | None:
    """`x and y` of tensors."""
    if stop.token.type not in ("AND", "OR") or "ARROW" not in stop.possible:
        return None
    word = stop.token.text
    return errors.syntax_error(stop.span, f"`{word}` is only defined for compile-time values", help=(f"write `(a, b) -> logical_{word}`",))


def _explain_list_of_stages(stop: Stop) -> Diagnostic | None:
    """`-> [dense 2, relu]`."""
    if stop.token.type != "LBRACK" or stop.previous is None or stop.previous.type != "ARROW":
        return None
    help = "write the stages one after the other: `-> dense 2 -> relu`; in parentheses they are a group"
    return errors.syntax_error(stop.span, "a list is not a stage", help=(help,))


def _explain_names_of_use(stop: Stop) -> Diagnostic | None:
    """`use "std/mlp.net" (mlp)`, `use "std/mlp.net" import mlp`."""
    if [token.type for token in stop.tokens_before] != ["USE", "STRING"] or stop.token.type in ("NL", END):
        return None
    end = next(index for index in range(stop.index, len(stop.tokens)) if stop.tokens[index].type in ("NL", END))
    names = [token.text for token in stop.tokens[stop.index : end] if token.type == "NAME" and token.text not in HABITS]
    help = f"write them after a colon: `: {', '.join(names[:3]) or 'name'}`"
    return errors.syntax_error(stop.span, f"expected `:` and names, found {describe_token(stop)}", help=(help,))


def _explain_einops_repeat(stop: Stop) -> Diagnostic | None:
    """`repeat "b c -> b c 2"`."""
    if [token.type for token in stop.tokens_before[-2:]] != ["REPEAT", "STRING"]:
        return None
    help = "for what einops's `repeat` does, write `-> unsqueeze axis -> expand [...]`, or `tile`"
    return errors.syntax_error(stop.span, "`repeat` is a loop, and takes no pattern", help=(help,))


EXPLAINERS = (
    _explain_names_of_use,
    _explain_habit,
    _explain_comment,
    _explain_method,
    _explain_dotted_stage,
    _explain_slice,
    _explain_augmented_assignment,
    _explain_increment,
    _explain_comparison,
    _explain_annotation,
    _explain_label_in_front,
    _explain_unnamed_section,
    _explain_logic,
    _explain_list_of_stages,
    _explain_einops_repeat,
)
"""In the order in which they are tried."""
