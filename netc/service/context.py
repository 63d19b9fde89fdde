"""What surrounds an offset, found in the tokens before it: so also in a text that does not parse.

In: a text and an offset. Out: a `Context`: the word that is being typed, the tokens before it, and the stage that they are arguments of.
"""

from __future__ import annotations

from netc.dsl.grammar import END, load_tables
from netc.dsl.lexer import Token, lex_text
from netc.dsl.record import Record

_OPENING = {"LPAR": "RPAR", "LBRACK": "RBRACK", "LBRACE": "RBRACE"}
_CLOSING = frozenset(_OPENING.values())
_ENDS_STAGE = frozenset(("ARROW", "LBRACE", "RBRACE", "COMMA", "SEMICOLON", "PLUS", "TIMES", "AT", "POWER", "COMPARE", "COLON"))
_GOES_ON = frozenset(("ARROW", "COMMA", "LBRACE", "EQUALS", "COLON", "ELSE", "PLUS", "MINUS", "TIMES", "AT", "POWER", "COMPARE"))
_BINDS = frozenset(("LET", "SHARED", "FN"))


class StageAt(Record):
    """The stage or call that an offset is in the arguments of. `values` is the number of positional arguments before the offset, `given`
    are the names of the others; `called` is true for `name(...)`."""

    name: Token
    values: int
    given: tuple[str, ...]
    called: bool


class Context(Record):
    """`word` is what is typed so far, from the offset `start` on. `before` are the tokens before that, line breaks included, without those
    that end no statement. `inside` is the string or comment that the offset is in."""

    word: str
    start: int
    before: tuple[Token, ...]
    inside: Token | None

    def kind(self, back: int = 1) -> str:
        """The type of a token before the word; empty if there are fewer."""
        return self.before[-back].type if len(self.before) >= back else ""

    def text(self, back: int = 1) -> str:
        """The text of a token before the word."""
        return self.before[-back].text if len(self.before) >= back else ""

    @property
    def begins_statement(self) -> bool:
        """Whether the word is the first of a statement."""
        return self.kind() in ("", "NL", "SEMICOLON", "LBRACE", "RBRACE")

    @property
    def stage(self) -> StageAt | None:
        """The stage whose arguments the word is among."""
        first = _stage_start(self.before)
        if first is None or first == len(self.before):
            return None
        at, called = first, False
        if self.before[at].type != "NAME":
            return None
        if at + 1 < len(self.before) and self.before[at + 1].type == "LPAR" and self.before[at + 1].start == self.before[at].end:
            called = _is_open(self.before[at + 1 :])
        arguments = self.before[at + 2 :] if called else self.before[at + 1 :]
        values, given = _arguments(arguments, called)
        return StageAt(self.before[at], values, given, called)


def context_at(text: str, offset: int) -> Context:
    """The context of an offset."""
    found, comments = lex_text(text, load_tables(), 0, max(0, min(offset, len(text))))
    tokens = [token for token in found if token.type != END]
    inside = next((one for one in comments if one.end == offset and "\n" not in one.text), None)
    if tokens and tokens[-1].end == offset and tokens[-1].type == "UNTERMINATED_STRING":
        inside = tokens[-1]
    if inside is not None:
        return Context("", offset, _statements([one for one in tokens if one is not inside]), inside)
    last = tokens[-1] if tokens else None
    if last is not None and last.end == offset and (last.text[:1].isalpha() or last.text[:1] == "_") and last.type != "LABEL":
        return Context(last.text, last.start, _statements(tokens[:-1]), None)
    label = last if last is not None and last.type == "LABEL" and last.end == offset else None
    return Context("", offset, _statements(tokens), label)


def _statements(tokens: list[Token]) -> tuple[Token, ...]:
    """The tokens without the line breaks that end no statement, as far as what is before them tells."""
    kept: list[Token] = []
    depth: list[str] = []
    for token in tokens:
        if token.type in _OPENING:
            depth.append(token.type)
        elif token.type in _CLOSING and depth:
            depth.pop()
        if token.type == "NL" and ((depth and depth[-1] != "LBRACE") or not kept or kept[-1].type in (*_GOES_ON, "NL")):
            continue
        if token.type in ("ARROW", "ELSE") and kept and kept[-1].type == "NL":
            kept.pop()
        kept.append(token)
    return tuple(kept)


def _stage_start(tokens: tuple[Token, ...]) -> int | None:
    """The index of the first token of the stage that the end is in."""
    depth = 0
    for at in range(len(tokens) - 1, -1, -1):
        kind = tokens[at].type
        if kind in _CLOSING and kind != "RBRACE":
            depth += 1
        elif kind in _OPENING:
            if depth == 0:
                tight = at > 0 and tokens[at - 1].type == "NAME" and tokens[at - 1].end == tokens[at].start
                return None if kind == "LBRACK" else at - 1 if tight and kind == "LPAR" else at + 1
            depth -= 1
        elif depth == 0 and kind == "COMMA" and _in_call(tokens[:at]):
            continue
        elif depth == 0 and (kind in _ENDS_STAGE or kind == "NL" or kind in _BINDS or _assigns(tokens, at)):
            return at + 1
    return 0


def _in_call(tokens: tuple[Token, ...]) -> bool:
    """Whether a comma after these tokens separates the arguments of a call."""
    depth = 0
    for at in range(len(tokens) - 1, 0, -1):
        kind = tokens[at].type
        if kind in _CLOSING:
            depth += 1
        elif kind in _OPENING:
            if depth == 0:
                return kind == "LPAR" and tokens[at - 1].type == "NAME" and tokens[at - 1].end == tokens[at].start
            depth -= 1
        elif depth == 0 and kind in ("NL", "SEMICOLON"):
            return False
    return False


def _assigns(tokens: tuple[Token, ...], at: int) -> bool:
    """Whether the `=` at an index binds a name rather than giving an argument."""
    if tokens[at].type != "EQUALS":
        return False
    before = tokens[at - 2].type if at >= 2 else "NL"
    return before in ("NL", "SEMICOLON", "LBRACE", "RBRACE", "RPAR", *_BINDS) or (at > 0 and tokens[at - 1].type in ("RPAR", "RBRACK"))


def _is_open(tokens: tuple[Token, ...]) -> bool:
    """Whether the bracket that these tokens begin with is still open at their end."""
    depth = 0
    for token in tokens:
        depth += (token.type in _OPENING) - (token.type in _CLOSING)
        if depth == 0:
            return False
    return True


def _arguments(tokens: tuple[Token, ...], called: bool) -> tuple[int, tuple[str, ...]]:
    """The number of positional arguments, and the names of the others."""
    values, given, depth = 0, [], 0
    for at, token in enumerate(tokens):
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        if token.type in _OPENING:
            tight = at > 0 and tokens[at - 1].end == token.start
            values += depth == 0 and not tight and not _after_equals(tokens, at) and not called
            depth += 1
        elif token.type in _CLOSING:
            depth -= 1
        elif depth == 0 and token.type == "NAME" and following is not None and following.type == "EQUALS":
            given.append(token.text)
        elif depth == 0 and called:
            values += token.type == "COMMA"
        elif depth == 0 and token.type in ("NAME", "NUMBER", "DIMS", "STRING", "TRUE", "FALSE") and not _after_equals(tokens, at):
            values += not (at > 0 and tokens[at - 1].type == "DOT")
    return values, tuple(given)


def _after_equals(tokens: tuple[Token, ...], at: int) -> bool:
    back = at - 1
    if back >= 0 and tokens[back].type == "MINUS":
        back -= 1
    return back >= 0 and tokens[back].type == "EQUALS"
