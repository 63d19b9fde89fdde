"""The token filter: which newlines end a statement, what neighbors settle, how brackets are balanced."""

from __future__ import annotations

import pytest

from netc.dsl.diagnostics import Diagnostic
from netc.dsl.grammar import load_tables
from netc.dsl.lexer import lex_text
from netc.dsl.source import SourceFile
from netc.dsl.token_filter import filter_tokens


def kinds(text: str) -> str:
    problems: list[Diagnostic] = []
    tokens, _ = lex_text(text, load_tables())
    return " ".join(token.type for token in filter_tokens(SourceFile("a", text), tokens, problems))


CASES = {
    "a\nb": "NAME NL NAME $END",
    "\n\n a ;; \n # c\n b;\n": "NAME NL NAME $END",
    "a\n -> b ->\n c": "NAME ARROW NAME ARROW NAME $END",
    "a +\n b": "NAME PLUS NAME $END",
    "a\n + b": "NAME NL PLUS NAME $END",
    "a;-> b": "NAME NL ARROW NAME $END",
    "(a\n b)": "LPAR NAME NAME RPAR $END",
    "({a\n b\n})": "LPAR LBRACE NAME NL NAME RBRACE RPAR $END",
    "if a {\n}\nelse {\n}": "IF NAME LBRACE RBRACE ELSE LBRACE RBRACE $END",
    "x = in\ny": "NAME ASSIGN IN NL NAME $END",
    "a x=1": "NAME NAME EQUALS NUMBER $END",
    "(a, b) = c": "LPAR_NAMES NAME COMMA NAME RPAR ASSIGN NAME $END",
    "(a, b) -> c": "LPAR NAME COMMA NAME RPAR ARROW NAME $END",
    "f((a -> b), c=(d -> e)) c=(d -> e) f=(d)": (
        "NAME LPAR_TIGHT LPAR_FLOW NAME ARROW NAME RPAR COMMA NAME EQUALS LPAR_FLOW NAME ARROW NAME RPAR RPAR "
        "NAME_AFTER EQUALS LPAR_FLOW NAME ARROW NAME RPAR NAME_AFTER EQUALS LPAR NAME RPAR $END"
    ),
    "shared a = (b -> c)": "SHARED NAME EQUALS LPAR NAME ARROW NAME RPAR $END",
    "f(a) f (a)": "NAME LPAR_TIGHT NAME RPAR NAME LPAR NAME RPAR $END",
    "f[a][b] [c]": "NAME LBRACK_TIGHT NAME RBRACK LBRACK_TIGHT NAME RBRACK LBRACK NAME RBRACK $END",
    "repeat (i, w) in z {}": "REPEAT LPAR_NAMES NAME COMMA NAME RPAR BINDER_IN NAME LBRACE RBRACE $END",
    "repeat i in z {}": "REPEAT NAME BINDER_IN NAME LBRACE RBRACE $END",
    "input 3 where a, f(b, c), d": "INPUT NUMBER WHERE NAME COMMA_WHERE NAME LPAR_TIGHT NAME COMMA NAME RPAR COMMA_WHERE NAME $END",
    "(a -> where, b)": "LPAR NAME ARROW WHERE COMMA NAME RPAR $END",
    "input 3 where a -> b, c": "INPUT NUMBER WHERE NAME ARROW NAME COMMA NAME $END",
    '(a\n b "c\nd': "LPAR NAME NAME UNTERMINATED_STRING NAME REPORTED RPAR $END",
    '(a "b\nc': "LPAR NAME UNTERMINATED_STRING RPAR NL NAME $END",
    "(a": "LPAR NAME REPORTED RPAR $END",
    "a)": "NAME REPORTED $END",
    "{ a": "LBRACE NAME RBRACE $END",
    "a }": "NAME REPORTED $END",
}


@pytest.mark.parametrize("text", CASES)
def test_tokens(text: str) -> None:
    got = kinds(text).replace("REPORTED REPORTED", "REPORTED")
    assert got == CASES[text]


def test_a_label_is_one_token() -> None:
    tokens, comments = lex_text("x as a.b{i + 1}c # note", load_tables())
    assert [token.text for token in tokens] == ["x", "as a.b{i + 1}c", ""]
    assert [comment.text for comment in comments] == ["# note"]
