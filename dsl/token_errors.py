"""Explains text that is not a token, such as a single quote, a malformed number or a stray character.

`EXPLAINERS` take the position where the automaton stopped, and return a diagnostic, or None if the token there is valid. The diagnostic
has an edit only if the intended token is allowed there.

    >>> from .parser import parse_source
    >>> from .source import SourceFile
    >>> [(error.message, error.help) for error in parse_source(SourceFile("<text>", "use 'lib.net'"))[1]]
    [('strings are written in double quotes', ('write `"lib.net"`',))]
"""

from __future__ import annotations

from . import syntax_diagnostics as errors
from .diagnostics.diagnostic import Diagnostic
from .expected_tokens import Stop
from .record import replace

_INTENDED = {"SINGLE_QUOTED": {"STRING"}, "BAD_ARROW": {"ARROW"}}
"""For text that is no token, the tokens that may be meant."""


def _explain_lexical(stop: Stop) -> Diagnostic | None:
    """The error for text that is not a token. It has an edit only if the intended token may stand here."""
    problem, intended, previous = _lexical_error(stop), _INTENDED.get(stop.token.type), stop.previous
    apart = previous is None or previous.end < stop.token.start or not previous.text.isidentifier()
    following = stop.tokens[min(stop.index + 1, len(stop.tokens) - 1)]
    # Next to a dot or a number, the replaced text would merge with its neighbor into another token.
    apart = apart and not (following.type.endswith(("DOT", "NUMBER")) and following.start == stop.token.end)
    if stop.token.type == "BAD_NUMBER":
        intended = {"DIMS"} if "x" in stop.token.text.lower() else {"NUMBER"}
    if problem is None or intended is None or (apart and intended & stop.possible):
        return problem
    return replace(problem, edits=())


def _lexical_error(stop: Stop) -> Diagnostic | None:
    token, span = stop.token, stop.span
    match token.type:
        case "STRAY" | "QUESTION":
            again, words = stop.tokens[stop.index + 1], stop.possible if "ARROW" not in stop.possible else ()
            # `&&` and `||` are one mistake, not two.
            if token.text in ("&", "|") and again.text == token.text and again.start == token.end:
                return errors.stray_character(stop.span_between(token.start, again.end), token.text + again.text, words)
            return errors.stray_character(span, token.text, words)
        case "UNTERMINATED_STRING":
            return errors.unterminated_string(stop.span_between(token.start, token.start + len(token.text.rstrip())))
        case "SINGLE_QUOTED":
            return errors.single_quotes(span)
        case "BAD_NUMBER":
            return errors.bad_number(span, token.text)
        case "BAD_ARROW":
            return errors.bad_arrow(span, token.text)
        case "SEMICOLON":
            return errors.syntax_error(span, "unexpected `;` inside brackets", help=("close the brackets before the `;`",))
    return None


EXPLAINERS = (_explain_lexical,)
