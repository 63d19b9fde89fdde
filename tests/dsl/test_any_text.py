"""Any text gives a tree or diagnostics, never an exception; what parses survives the formatter."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from netc.dsl.diagnostics.render import render_short, render_text, to_json
from netc.dsl.formatter import format_source
from netc.dsl.parser import parse_source, parse_value
from netc.dsl.source import SourceFile
from tests.dsl import helpers
from tests.dsl.helpers import plain, read

WORDS = re.split(
    "[ ]",
    '-> ( ) [ ] { } x input 3 3x3 repeat in if else as a{i} "s" " \' \n ; , = == + - * ** . .. ... # let out block model fn use where '
    "each table param shared expect is not and or true : é \x1b 1e999 .5 3abc \r\n @ N a= train f( x[",
)
fragments = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(helpers.examples()))
    for _ in range(draw(st.integers(1, 4))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 5))
        text = text[:at] + draw(st.sampled_from([*WORDS, "", " ", "\n", " # c\n"])) + text[at + length :]
    return text


@settings(max_examples=examples(300))
@given(st.one_of(st.text(max_size=80), fragments, mutations()))
def test_any_text(text: str) -> None:
    source = SourceFile("a.net", text)
    file, problems = parse_source(source)
    for span in [one.span for one in problems] + [mark.span for one in problems for mark in one.marks]:
        assert 0 <= span.start <= span.end <= len(text)
    shown = render_text(problems) + render_text(problems, width=40) + render_short(problems)
    assert all(character == "\n" or character.isprintable() for character in shown)
    to_json(problems)
    parse_value(source)
    once, _ = format_source(source)
    assert (once is None) == bool(problems)
    if once is not None:
        assert plain(read(once)) == plain(file)
        assert format_source(SourceFile("a.net", once))[0] == once
