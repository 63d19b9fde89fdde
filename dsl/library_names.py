"""Joins the names of other libraries' stages and functions to single tokens: `-> nn.Linear(3, 2)`, `torch.mm(x, w)`.

The parser then reads such a name as any stage, and elaboration, which knows the operators, says what it is called here.

    >>> from .grammar import load_tables
    >>> from .lexer import lex_text
    >>> join_library_names(lex_text("x -> nn.Linear(3, 2)", load_tables())[0])[:3]
    [NAME('x'), ARROW('->'), NAME('nn.Linear')]
"""

from __future__ import annotations

from .habits import LIBRARIES
from .lexer import Token


def join_library_names(tokens: list[Token]) -> list[Token]:
    """The tokens with one for each such name."""
    # Hardly any text has such a name, and then the tokens are not copied.
    if not any(token.text in LIBRARIES for token in tokens):
        return tokens
    out: list[Token] = []
    index = 0
    while index < len(tokens):
        token, end = tokens[index], index + 1
        if token.type == "NAME" and token.text in LIBRARIES and not (out and out[-1].type == "DOT"):
            while [part.type for part in tokens[end : end + 2]] == ["DOT", "NAME"]:
                end += 2
            # Elsewhere `math.pi` and `F.x` may be attributes of a name that the text defines.
            is_called = end > index + 1 and tokens[end].type == "LPAR" and tokens[end].start == tokens[end - 1].end
            if is_called or (out and out[-1].type == "ARROW"):
                token = Token("NAME", "".join(part.text for part in tokens[index:end]), token.start, tokens[end - 1].end)
            else:
                end = index + 1
        out.append(token)
        index = end
    return out
