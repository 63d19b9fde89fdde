"""Find the context of an offset from the tokens before it, so also in a text that does not parse.

In: a text and an offset. Out: a `Context`: the word that is being typed, the tokens before it, and the stage whose arguments they are.

>>> context = find_context("x -> dense 8 bi", 15)
>>> context.word, context.stage.name.text, context.stage.values
('bi', 'dense', 1)
"""

from __future__ import annotations

from netc.dsl.grammar import END, load_tables
from netc.dsl.lexer import Token, lex_text
from netc.dsl.record import Record

_OPENING = {"LPAR": "RPAR", "LBRACK": "RBRACK", "LBRACE": "RBRACE"}
_CLOSING = frozenset(_OPENING.values())
_ENDS_STAGE = frozenset(("ARROW", "LBRACE", "RBRACE", "COMMA", "SEMICOLON", "PLUS", "TIMES", "AT", "POWER", "COMPARE", "COLON"))
_CONTINUES = frozenset(("ARROW", "COMMA", "LBRACE", "EQUALS", "COLON", "ELSE", "PLUS", "MINUS", "TIMES", "AT", "POWER", "COMPARE"))
_BINDING = frozenset(("LET", "SHARED", "FN"))


class StageContext(Record):
    """The stage or call whose arguments surround an offset. `values` is the number of positional arguments before the offset, `named` are
    the names of the others; `called` is true for `name(...)`."""

    name: Token
    values: int
    named: tuple[str, ...]
    called: bool


class Context(Record):
    """`word` is the part of a word that is typed, from the offset `start` on. `before` are the tokens before it, with the line breaks that
    end statements. `inside` is the string or comment that contains the offset."""

    word: str
    start: int
    before: tuple[Token, ...]
    inside: Token | None

    def token_kind(self, back: int = 1) -> str:
        """Return the type of a token before the word; empty if there are fewer tokens."""
        return self.before[-back].type if len(self.before) >= back else ""

    def token_text(self, back: int = 1) -> str:
        """Return the text of a token before the word."""
        return self.before[-back].text if len(self.before) >= back else ""

    @property
    def begins_statement(self) -> bool:
        """Whether the word is the first of a statement."""
        return self.token_kind() in ("", "NL", "SEMICOLON", "LBRACE", "RBRACE")

    @property
    def stage(self) -> StageContext | None:
        """The stage whose arguments include the word."""
        first = _find_stage_start(self.before)
        if first is None or first == len(self.before):
            return None
        index, called = first, False
        if self.before[index].type != "NAME":
            return None
        if (
            index + 1 < len(self.before)
            and self.before[index + 1].type == "LPAR"
            and self.before[index + 1].start == self.before[index].end
        ):
            called = _is_open(self.before[index + 1 :])
        arguments = self.before[index + 2 :] if called else self.before[index + 1 :]
        values, keywords = _count_arguments(arguments, called)
        return StageContext(self.before[index], values, keywords, called)


def find_context(text: str, offset: int) -> Context:
    """Find the context of an offset."""
    # Only the text before the offset is lexed, so what follows cannot change the answer.
    all_tokens, comments = lex_text(text, load_tables(), 0, max(0, min(offset, len(text))))
    tokens = [token for token in all_tokens if token.type != END]
    # A comment ends before the line break, so at the end of its line the offset is still inside.
    inside = next((comment for comment in comments if comment.end == offset and "\n" not in comment.text), None)
    if tokens and tokens[-1].end == offset and tokens[-1].type == "UNTERMINATED_STRING":
        inside = tokens[-1]
    if inside is not None:
        return Context("", offset, _drop_line_breaks([comment for comment in tokens if comment is not inside]), inside)
    last = tokens[-1] if tokens else None
    if last is not None and last.end == offset and (last.text[:1].isalpha() or last.text[:1] == "_") and last.type != "LABEL":
        return Context(last.text, last.start, _drop_line_breaks(tokens[:-1]), None)
    label = last if last is not None and last.type == "LABEL" and last.end == offset else None
    return Context("", offset, _drop_line_breaks(tokens), label)


def _drop_line_breaks(tokens: list[Token]) -> tuple[Token, ...]:
    """Drop the line breaks that end no statement, as far as the tokens before them tell."""
    # As in the layout of the language: inside brackets, after `->`, `,` and operators, and before `->`, a statement goes on.
    kept: list[Token] = []
    depth: list[str] = []
    for token in tokens:
        if token.type in _OPENING:
            depth.append(token.type)
        elif token.type in _CLOSING and depth:
            depth.pop()
        if token.type == "NL" and ((depth and depth[-1] != "LBRACE") or not kept or kept[-1].type in (*_CONTINUES, "NL")):
            continue
        if token.type in ("ARROW", "ELSE") and kept and kept[-1].type == "NL":
            kept.pop()
        kept.append(token)
    return tuple(kept)


def _find_stage_start(tokens: tuple[Token, ...]) -> int | None:
    """Find the index of the first token of the stage that contains the end."""
    depth = 0
    for index in range(len(tokens) - 1, -1, -1):
        kind = tokens[index].type
        if kind in _CLOSING and kind != "RBRACE":
            depth += 1
        elif kind in _OPENING:
            if depth == 0:
                # `f(` without a space is a call; `f (` is a stage with an argument in parentheses.
                tight = index > 0 and tokens[index - 1].type == "NAME" and tokens[index - 1].end == tokens[index].start
                return None if kind == "LBRACK" else index - 1 if tight and kind == "LPAR" else index + 1
            depth -= 1
        elif depth == 0 and kind == "COMMA" and _is_in_call(tokens[:index]):
            continue
        elif depth == 0 and (kind in _ENDS_STAGE or kind == "NL" or kind in _BINDING or _is_binding(tokens, index)):
            return index + 1
    return 0


def _is_in_call(tokens: tuple[Token, ...]) -> bool:
    """Whether a comma after these tokens separates the arguments of a call."""
    depth = 0
    for index in range(len(tokens) - 1, 0, -1):
        kind = tokens[index].type
        if kind in _CLOSING:
            depth += 1
        elif kind in _OPENING:
            if depth == 0:
                return kind == "LPAR" and tokens[index - 1].type == "NAME" and tokens[index - 1].end == tokens[index].start
            depth -= 1
        elif depth == 0 and kind in ("NL", "SEMICOLON"):
            return False
    return False


def _is_binding(tokens: tuple[Token, ...], index: int) -> bool:
    """Whether the `=` at an index binds a name rather than giving an argument."""
    if tokens[index].type != "EQUALS":
        return False
    before = tokens[index - 2].type if index >= 2 else "NL"
    return before in ("NL", "SEMICOLON", "LBRACE", "RBRACE", "RPAR", *_BINDING) or (
        index > 0 and tokens[index - 1].type in ("RPAR", "RBRACK")
    )


def _is_open(tokens: tuple[Token, ...]) -> bool:
    """Whether the bracket that these tokens begin with is still open at their end."""
    depth = 0
    for token in tokens:
        depth += (token.type in _OPENING) - (token.type in _CLOSING)
        if depth == 0:
            return False
    return True


def _count_arguments(tokens: tuple[Token, ...], called: bool) -> tuple[int, tuple[str, ...]]:
    """Count the positional arguments, and return the names of the others."""
    values, named, depth = 0, [], 0
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.type in _OPENING:
            tight = index > 0 and tokens[index - 1].end == token.start
            values += depth == 0 and not tight and not _is_after_equals(tokens, index) and not called
            depth += 1
        elif token.type in _CLOSING:
            depth -= 1
        elif depth == 0 and token.type == "NAME" and following is not None and following.type == "EQUALS":
            named.append(token.text)
        elif depth == 0 and called:
            values += token.type == "COMMA"
        elif depth == 0 and token.type in ("NAME", "NUMBER", "DIMS", "STRING", "TRUE", "FALSE") and not _is_after_equals(tokens, index):
            values += not (index > 0 and tokens[index - 1].type == "DOT")
    return values, tuple(named)


def _is_after_equals(tokens: tuple[Token, ...], index: int) -> bool:
    back = index - 1
    if back >= 0 and tokens[back].type == "MINUS":
        back -= 1
    return back >= 0 and tokens[back].type == "EQUALS"
