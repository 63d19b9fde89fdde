"""Syntax errors: one function each, which takes a span and returns a diagnostic.

The titles say what is wrong, and the help says what to write. An edit is `safe` if it is what the author meant without doubt; other edits
are offered, but `netc check --fix` does not apply them.

    >>> from .source import SourceFile
    >>> problem = decimal_comma(Span(SourceFile("<text>", "x -> dropout 0,5"), 14, 15))
    >>> problem.message, problem.help
    ('a decimal number is written with a point', ('write `.`',))
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from .diagnostics.diagnostic import Diagnostic, Edit, Mark
from .lexer import is_too_large
from .source import Span


def syntax_error(span: Span, message: str, label: str = "", help: tuple[str, ...] = (), edits: tuple[Edit, ...] = ()) -> Diagnostic:
    return Diagnostic("error", "syntax", message, span, label, help=help, edits=edits)


def empty_file(span: Span) -> Diagnostic:
    return Diagnostic(
        "error",
        "empty-file",
        "there is no model in this file",
        span,
        "only spaces and comments",
        help=("begin with a model such as `input 3 -> dense 2 sigmoid`",),
    )


def lone_carriage_return(span: Span, edits: tuple[Edit, ...]) -> Diagnostic:
    """A line end of classic Mac OS. Read as a space, it would join lines, and a comment would swallow all lines after it."""
    help = ("end each line with a line feed, or with a carriage return and a line feed",)
    return syntax_error(span, "a carriage return alone does not end a line", help=help, edits=edits)


def missing_brace(span: Span) -> Diagnostic:
    return Diagnostic("error", "missing-brace", "this `{` is never closed", span, "opened here", help=("add a `}` where its body ends",))


def open_value(span: Span) -> Diagnostic:
    help = ("write a value in braces, `{i}`",)
    return Diagnostic("error", "missing-brace", "this `{` is never closed in the string", span, "opened here", help=help)


def empty_value(span: Span) -> Diagnostic:
    return syntax_error(span, "expected a value between `{` and `}`")


def unexpected_brace(span: Span) -> Diagnostic:
    return Diagnostic("error", "unexpected-brace", "unmatched `}`", span, "no `{` is open here")


def missing_bracket(span: Span, bracket: str, closer: str) -> Diagnostic:
    return Diagnostic("error", "missing-bracket", f"this `{bracket}` is never closed", span, f"a `{closer}` is missing")


def unopened_bracket(span: Span, bracket: str, opener: str) -> Diagnostic:
    return Diagnostic("error", "missing-bracket", f"unmatched `{bracket}`", span, f"no `{opener}` is open here")


def wrong_bracket(span: Span, bracket: str, opener: Span, closer: str) -> Diagnostic:
    message = f"expected `{closer}`, found `{bracket}`"
    mark = Mark(opener, f"this `{opener.text}` is open")
    return Diagnostic("error", "missing-bracket", message, span, f"`{closer}` belongs here", (mark,))


def unterminated_string(span: Span) -> Diagnostic:
    return Diagnostic(
        "error", "unterminated-string", 'this string has no closing `"`', span, "begins here", help=('end it with `"` on the same line',)
    )


def single_quotes(span: Span) -> Diagnostic:
    inside = span.text.strip("'“”„‘’")
    # Braces in double quotes are a formula. An apostrophe in front of the rest of a line is no string, but has the braces of the line.
    is_plain = bool(inside) and not any(character in inside for character in '{}"')
    return Diagnostic(
        "error",
        "unterminated-string" if not inside else "syntax",
        "strings are written in double quotes",
        span,
        help=(f'write `"{inside}"`',) if is_plain else (),
        edits=(Edit(span, f'"{inside}"'),) if is_plain else (),
    )


LOOKALIKES = {
    "“": '"', "”": '"', "„": '"', "‘": '"', "’": '"', "×": "x", "−": "-", "–": "-", "—": "-", "·": "*", "∗": "*", "÷": "/",
    "≤": "<=", "≥": ">=", "≠": "!=", "\u00a0": "a plain space", "\u3000": "a plain space",
}  # fmt: skip
"""By what looks like one, the character that is meant; those that Unicode says are wide or styled forms are not among them."""


SUPERSCRIPTS = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹")
"""Digits that mean a power: the plain digit is no replacement for them."""


def _plain_form(character: str) -> str:
    """The ASCII character that a wide or styled one is a form of; empty for all others."""
    # A late import, because only a text with a stray character needs it.
    from unicodedata import normalize  # 100 KB of tables, for this alone

    plain = normalize("NFKC", character)
    return plain if plain != character and plain.isascii() and plain.isprintable() and len(plain) == 1 else ""


def stray_character(span: Span, character: str, words: Collection[str] = ()) -> Diagnostic:
    """The error for a character that is no token, or for `&&` and `||`. It is an edit only if the replacement is among `words`, the tokens
    that may follow here."""
    shown = character if character.isprintable() and not character.isspace() else f"U+{ord(character):04X}"
    plain = LOOKALIKES.get(character) or _plain_form(character)
    word = {"&&": "and", "||": "or"}.get(character, "")
    raised = character in SUPERSCRIPTS
    help: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    if plain == "a plain space":
        help, edits = ("replace this character, which looks like a space, with a plain space",), (Edit(span, " "),)
    elif word:
        help, edits = (f"write `{word}` in a condition, `(a, b) -> logical_{word}` for tensors",), (Edit(span, f" {word} "),)
        edits = edits if word.upper() in words else ()
    elif raised:
        help, edits = (f"write a power with `**`: `** {plain}`",), (Edit(span, f" ** {plain}", safe=False),) if "POWER" in words else ()
    elif plain:
        help, edits = (f"did you mean `{plain}`?",), (Edit(span, plain),)
    # Nothing in the language resembles these, so a guess would mislead.
    elif character == "$" or character == "\\":
        help = ()
    elif character == "!":
        help, edits = ("write `not` in a condition, `a -> logical_not` for a tensor",), (Edit(span, "not ", safe=False),)
        edits = edits if "NOT" in words else ()
    elif character == "&":
        help, edits = ("write `and` in a condition, `(a, b) -> logical_and` for tensors",), (Edit(span, " and ", safe=False),)
        edits = edits if "AND" in words else ()
    elif character == "|":
        help = ("write `or` in a condition, `(a, b) -> logical_or` for tensors, `->` between stages",)
    elif character == "?":
        help = ("write `a if condition else b`, for tensors `(condition, a, b) -> where`",)
    elif character == "^":
        help, edits = ("write `**` for a power",), (Edit(span, "**", safe=False),)
    note = ("names consist of the letters A to Z and a to z, digits and `_`",) if character.isalpha() else ()
    unexpected = "unexpected characters" if word else "unexpected character"
    return Diagnostic("error", "stray-character", f"{unexpected} `{shown}`", span, notes=note, help=help, edits=edits)


_FRACTION = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][+-]?[0-9]+)?")
"""`.5`, a number but for its first digit."""


def bad_number(span: Span, text: str) -> Diagnostic:
    if is_too_large(text):
        return Diagnostic("error", "bad-number", "this number is too large", span)
    why, help = _explain_number(text)
    digit = f"0{text}" if _FRACTION.fullmatch(text) else f"{text}0" if text.endswith(".") and text[:-1].isdigit() else ""
    edits = (Edit(span, digit, safe=text.startswith(".")),) if digit else ()
    # `3xh` may be a bad number to the lexer, but is a shape to its author.
    sizes = _capitalize_sizes(text)
    if sizes:
        edits = (Edit(span, sizes, safe=False),)
    return Diagnostic("error", "bad-number", why, span, help=help, edits=edits)


def _capitalize_sizes(text: str) -> str:
    """The sizes of a text such as `3Xh`, written as the language has them: `3xH`. Empty if it is no list of sizes."""
    sizes = re.split("[xX]", text)
    known = len(sizes) > 1 and all(part.isdigit() or (part.isidentifier() and part[0].isalpha()) for part in sizes)
    return "x".join(part if part.isdigit() else part.upper() for part in sizes) if known else ""


def _explain_number(text: str) -> tuple[str, tuple[str, ...]]:
    sizes = re.split("[xX]", text)
    if _FRACTION.fullmatch(text):
        return f"`{text}` is missing a digit before the point", (f"write `0{text}`",)
    if text.endswith(".") and text[:-1].isdigit():
        return f"`{text}` is missing a digit after the point", (f"write `{text}0`, or `{text[:-1]}` for an integer",)
    if upper := _capitalize_sizes(text):
        if "X" in text and all(part.isdigit() for part in sizes):
            return f"the sizes in `{text}` are separated by a small `x`", (f"write `{upper}`",)
        return f"the names of dimensions in `{text}` are not in capitals", (f"write `{upper}`, or a list: `[{', '.join(sizes)}]`",)
    if len(sizes) > 1 and sizes[-1] == "":
        return f"`{text}` is missing a size after its last `x`", ()
    if text.replace("_", "").isdigit():
        return f"`{text}` is not a number", ("use `_` only between two digits, one at a time",)
    return f"`{text}` is neither a number nor a name", ("put a space after the number, or begin the name with a letter",)


def too_much_nesting(span: Span, what: str, limit: int) -> Diagnostic:
    message = f"{what} are nested more than {limit} levels deep"
    return Diagnostic("error", "too-much-nesting", message, span, help=("name a part: `let k = ...`, `x = ...` or a `block`",))


def too_many(span: Span, what: str, parts: str, limit: int) -> Diagnostic:
    return Diagnostic("error", "too-many-nodes", f"this {what} has more than {limit:_} {parts}", span)


def reserved_word(span: Span, word: str) -> Diagnostic:
    return Diagnostic(
        "error",
        "reserved-word",
        f"`{word}` is a keyword and cannot be a name",
        span,
        help=(f"use another name, such as `{word}_`",),
        edits=(Edit(span, f"{word}_", safe=False),),
    )


def positional_after_keyword(span: Span, keyword: Span) -> Diagnostic:
    mark = Mark(keyword, "the first named argument")
    return Diagnostic(
        "error",
        "positional-after-keyword",
        "positional argument follows a named argument",
        span,
        marks=(mark,),
        help=("put positional arguments before named ones",),
    )


def in_takes_no_arguments(span: Span) -> Diagnostic:
    return syntax_error(
        span, "`in` is the input of the block and takes no arguments", help=("write a stage after an arrow: `in -> dense 2`",)
    )


def model_without_label(span: Span) -> Diagnostic:
    return syntax_error(span, "a derived model cannot have a label", help=("remove the label: the name of the model follows `model`",))


def nothing_to_collect(span: Span, last: Span) -> Diagnostic:
    message = f"`{span.text}[]` collects results of a loop, and this pipeline does not end with a `repeat`"
    return Diagnostic("error", "syntax", message, span, marks=(Mark(last, "it ends with this"),), help=(f"remove `[]`: `{span.text}`",))


def nothing_passed_on(span: Span) -> Diagnostic:
    help = ("name the result that the next iteration takes first, `(h, keys[]) = ...`, or write `each` if all take the same",)
    return syntax_error(span, "one result of a `repeat` must be passed on to the next iteration", help=help)


def bad_arrow(span: Span, text: str) -> Diagnostic:
    return syntax_error(span, f"stages are separated by `->`, not by `{text}`", help=("write `->`",), edits=(Edit(span, "->"),))


def comma_between_arguments(span: Span, written: str) -> Diagnostic:
    message = "the arguments of a stage are separated by spaces, not by commas"
    text = span.file.text
    # Without a space, `conv 64,3` would become the number 643.
    space = "" if text[span.start - 1 : span.start].isspace() or text[span.end : span.end + 1].isspace() else " "
    return syntax_error(span, message, help=(f"remove the comma: `{written}`",), edits=(Edit(span, space),))


def decimal_comma(span: Span) -> Diagnostic:
    """`0,5`."""
    number = span.text.replace(",", ".")
    return syntax_error(span, "a decimal number is written with a point", help=(f"write `{number}`",), edits=(Edit(span, number),))


def foreign_comment(span: Span, message: str) -> Diagnostic:
    edits = (Edit(span, "#"),) if span.text in ("//", "--", "%") else ()
    return syntax_error(span, message, help=("a comment begins with `#`",), edits=edits)


def single_equals(span: Span) -> Diagnostic:
    return syntax_error(span, "`=` is not a comparison", help=("write `==` to compare",), edits=(Edit(span, "=="),))


def double_equals(span: Span, is_argument: bool) -> Diagnostic:
    """`softmax axis==1`; in `softmax ==1`, no argument is named."""
    edits = (Edit(span, "="),) if is_argument else ()
    return syntax_error(span, f"`{span.text}` is a comparison, not an argument", help=("write `name=value`",), edits=edits)


def negative_arguments(span: Span, numbers: Sequence[str], apart: bool) -> Diagnostic:
    """`sort -1`, `transpose -1 -2`. Not `apart`: directly after a list or a number, where parentheses would be a call."""
    first, written = numbers[0], " ".join(f"(-{number})" for number in numbers)
    # Several numbers are several arguments, for which one name would be wrong.
    others = "" if len(numbers) > 1 or first == "inf" else f", `[-{first}]` for a list, or name the argument: `axis=-{first}`"
    message = "a negative positional argument needs parentheses"
    edits = (Edit(span, written),) if apart else ()
    return syntax_error(span, message, f"this subtracts {first}", help=(f"write `{written}`{others}",), edits=edits)


def python_constant(span: Span, text: str) -> Diagnostic:
    word = text.lower()
    return syntax_error(span, f"`{text}` is not a boolean literal", help=(f"write `{word}`",), edits=(Edit(span, word),))


def tensor_order(span: Span, before: Span, many: bool) -> Diagnostic:
    message = "no tensor can follow the one that takes all remaining ones" if many else "a required tensor cannot follow an optional one"
    help = "put the one with `...` last" if many else "put the ones with `?` last"
    return Diagnostic("error", "syntax", message, span, marks=(Mark(before, "this precedes it"),), help=(help,))


def tensor_and_none(span: Span, none: Span) -> Diagnostic:
    message = "a block that takes no tensors cannot declare one"
    return Diagnostic("error", "syntax", message, span, marks=(Mark(none, "no tensors"),), help=("remove `in: none`",))


def no_tensor(span: Span, word: str) -> Diagnostic:
    what = f"expected `none` after `in:`, found `{word}`"
    return syntax_error(span, what, help=("declare a tensor under a name of its own: `block f(x: [N, D]) { ... }`",))


def no_tensor_of_model(span: Span) -> Diagnostic:
    return syntax_error(span, "the tensors of a model are not parameters", help=("remove `in: none`; a model reads tensors with `input`",))
