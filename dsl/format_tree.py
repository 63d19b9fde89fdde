"""The formatter's tree: the tokens of a text grouped by brackets and statements, with the comments attached.

The text must parse. Every token and every comment of it is in the tree exactly once; tests of the formatter compare both.

    >>> (statement,) = group_tokens(SourceFile("<text>", "x -> dense (2 * n)  # why")).statements
    >>> [item.token.text if isinstance(item, Leaf) else "(...)" for item in statement.items]
    ['x', '->', 'dense', '(...)']
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

from .brackets import OPENERS
from .grammar import END, load_tables
from .lexer import Token, lex_text
from .source import SourceFile
from .token_filter import filter_tokens

_CLOSERS = frozenset(("RPAR", "RBRACK"))


class Leaf:
    """A token. `trailing` are comments after it on its line, `below` those on lines of their own after it, inside the statement."""

    __slots__ = ("token", "trailing", "below")

    def __init__(self, token: Token) -> None:
        self.token = token
        self.trailing: list[str] = []
        self.below: list[str] = []

    @property
    def has_comments(self) -> bool:
        return bool(self.trailing or self.below)


class BracketText:
    """`( ... )` or `[ ... ]`."""

    __slots__ = ("open", "items", "close")

    def __init__(self, open: Leaf) -> None:
        self.open = open
        self.items: list[Item] = []
        self.close = open


class StatementText:
    """One statement; `above` are comments on lines of their own before it, each with whether an
    empty line precedes it; `blank`: whether one precedes the statement itself."""

    __slots__ = ("items", "above", "blank")

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.above: list[tuple[str, bool]] = []
        self.blank = False


class Braces:
    """`{ ... }`; `closing` are the comments before the `}`; `inline`: it is on one line in the text."""

    __slots__ = ("open", "statements", "close", "closing", "inline")

    def __init__(self, open: Leaf) -> None:
        self.open = open
        self.statements: list[StatementText] = []
        self.close = open
        self.closing: list[tuple[str, bool]] = []
        self.inline = True


Item = Leaf | BracketText | Braces


def group_tokens(source: SourceFile) -> Braces:
    """The whole file, as if it were in braces."""
    tokens, comments = lex_text(source.text, load_tables())
    return _TokenGrouper(source, filter_tokens(source, tokens, []), comments).group_file()


class _TokenGrouper:
    def __init__(self, source: SourceFile, tokens: list[Token], comments: list[Token]) -> None:
        self.text = source.text
        # NL and FLOW are no text: the filter made them. Where a statement begins is kept in `starts` instead.
        self.tokens = [token for token in tokens if token.type not in ("NL", "FLOW")]
        self.starts = {after.start for before, after in pairwise(tokens) if before.type in ("NL", "LBRACE")}
        self.comments: dict[int, list[Token]] = {}
        starts = [token.start for token in self.tokens]
        # A comment belongs to the token before it; -1 is the beginning of the text.
        for comment in comments:
            self.comments.setdefault(bisect_right(starts, comment.start) - 1, []).append(comment)

    def group_file(self) -> Braces:
        root = Braces(Leaf(Token("LBRACE", "", 0, 0)))
        if self.tokens[0].type != END:
            self.starts.add(self.tokens[0].start)
        stack: list[Braces | BracketText] = [root]
        above = self._flag_blank_lines(self.comments.get(-1, []), 0)
        for index, token in enumerate(self.tokens):
            if token.type == END:
                root.closing = above
                break
            if token.type == "RBRACE":
                braces = stack[-1]
                assert isinstance(braces, Braces)
                braces.closing, above = above, []
                self._begin_statement(stack, token, [], closing=True)
            else:
                self._begin_statement(stack, token, above, closing=False)
                above = []
            leaf = self._place_token(stack, token)
            above = self._attach_comments(index, token, leaf)
        return root

    def _begin_statement(self, stack: list[Braces | BracketText], token: Token, above: list[tuple[str, bool]], closing: bool) -> None:
        top = stack[-1]
        if isinstance(top, Braces) and token.start in self.starts and not closing:
            statement = StatementText()
            statement.above = above
            statement.blank = self._has_blank_before(token)
            top.statements.append(statement)

    def _place_token(self, stack: list[Braces | BracketText], token: Token) -> Leaf:
        leaf = Leaf(token)
        top = stack[-1]
        if token.type == "RBRACE" or token.type in _CLOSERS:
            top.close = leaf
            stack.pop()
            if isinstance(top, Braces):
                top.inline = "\n" not in self.text[top.open.token.start : token.end]
            return leaf
        items = top.items if isinstance(top, BracketText) else top.statements[-1].items
        if token.type in OPENERS or token.type == "LBRACE":
            inner: Braces | BracketText = Braces(leaf) if token.type == "LBRACE" else BracketText(leaf)
            items.append(inner)
            stack.append(inner)
        else:
            items.append(leaf)
        return leaf

    def _attach_comments(self, index: int, token: Token, leaf: Leaf) -> list[tuple[str, bool]]:
        """Attaches the comments after a token to it and returns those that belong to the next statement."""
        comments = self.comments.get(index, [])
        # A comment on the token's own line trails it; one on a line of its own may belong to the next statement.
        newline = self.text.find("\n", token.end, comments[-1].start) if comments else -1
        own_line = [comment for comment in comments if 0 <= newline < comment.start]
        leaf.trailing = [comment.text.rstrip() for comment in comments[: len(comments) - len(own_line)]]
        following = self.tokens[index + 1]
        if following.type in ("RBRACE", END) or following.start in self.starts:
            return self._flag_blank_lines(own_line, comments[0].end if leaf.trailing else token.end)
        leaf.below = [comment.text.rstrip() for comment in own_line]
        return []

    def _flag_blank_lines(self, comments: list[Token], after: int) -> list[tuple[str, bool]]:
        """Comments with whether an empty line precedes each."""
        result = []
        for comment in comments:
            result.append((comment.text.rstrip(), self.text.count("\n", after, comment.start) > 1))
            after = comment.end
        return result

    def _has_blank_before(self, token: Token) -> bool:
        position = token.start
        newlines = 0
        while position and self.text[position - 1] in " \t\r\f\n;":
            position -= 1
            newlines += self.text[position] == "\n"
        return newlines > 1
