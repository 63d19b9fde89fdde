"""The formatter: the style, comments, and that nothing but the layout changes."""

from __future__ import annotations

import re

import pytest

from netc.compiler.ops.operator import Operator
from netc.dsl.formatter import format_source
from netc.dsl.source import SourceFile
from tests.dsl.helpers import examples, plain, read

OPERATORS = [text for cls in Operator.registry.values() for text in cls.examples]
CASES = {
    "x=a+b*-1->dense  2   bias = false": "x = a + b * -1 -> dense 2 bias=false\n",
    "let k=2**-1;fn f (v,d = 8)=v": "let k = 2 ** -1\nfn f(v, d=8) = v\n",
    "model small (k = 10)=net [1,2] k=k": "model small(k=10) = net [1, 2] k=k\n",
    "\n\n# a\n\n\n\nx\n\n\ny # b\n# c\n": "# a\n\nx\n\ny  # b\n# c\n",
    "repeat 3{relu}\nrepeat 3 { relu; tanh }": "repeat 3 { relu }\nrepeat 3 {\n  relu\n  tanh\n}\n",
    "x\n -> a -> b": "x\n  -> a\n  -> b\n",
    "x -> (a ->\n b)": "x -> (a -> b)\n",
    "x\n # why\n -> a # how\n -> b": "x\n  # why\n  -> a  # how\n  -> b\n",
    "if a { # why\n relu\n # end\n} else {\n}": "if a {  # why\n  relu\n  # end\n} else { }\n",
    "- - x -> relu": "- -x -> relu\n",
    "x -> dense( # why\n) as a": "x\n  -> dense(  # why\n  ) as a\n",
    "block f( # how\n# why\n){relu}": "block f(  # how\n  # why\n) { relu }\n",
    "(a, # one\n b)": "(\n  a,  # one\n  b\n)\n",
    "x -> a as   b{ i+1 }": "x -> a as b{ i+1 }\n",
    "repeat (i,w) in z as l{i} {relu}": "repeat (i, w) in z as l{i} { relu }\n",
    "table (i) [3]=where (i>1,2,3)+(where(i>2, 1,2))": "table (i) [3] = where(i > 1, 2, 3) + (where(i > 2, 1, 2))\n",
    "x=input [T] where (T>3),T<9;(c,x)->where(-1)": "x = input [T] where (T > 3), T < 9\n(c, x) -> where(-1)\n",
    "block f(x:[N],m ? :[N,T] , rest ... ,k = 2) {x}": "block f(x: [N], m?: [N, T], rest..., k=2) { x }\n",
    "block f( in : none ) {g (a in . features) as _}": "block f(in: none) { g (a in.features) as _ }\n",
    "block f(rest ... : [N , ...]) {rest}": "block f(rest...: [N, ...]) { rest }\n",
    "train  a( k = 1 )for m  w=2{epochs   3;metric e=x->mean}": "train a(k=1) for m w=2 {\n  epochs 3\n  metric e = x -> mean\n}\n",
    "train b=a k=2{ steps 4 }": "train b = a k=2 { steps 4 }\n",
    "x\n\ny\nz": "x\n\ny\nz\n",
    "x\n\n# why\n# how\ny": "x\n\n# why\n# how\ny\n",
    "x\n# why\n\ny": "x\n# why\n\ny\n",
    "x = 0..4 if a else 1": None,
    "x->dense 4 . e h[0 .s] (2x3 .t)": "x -> dense 4 .e h[0 .s] (2x3 .t)\n",
    "x -> y\r\n": "x -> y\n",
    f"a{'a' * 60} {'b' * 30} [2, 3] {'c' * 30} as d": f"a{'a' * 60} {'b' * 30} [\n  2, 3\n] {'c' * 30} as d\n",
    f"let a = (b + c) * max(d, e, g) * {'f' * 100}": f"let a = (b + c) * max(\n  d, e, g\n) * {'f' * 100}\n",
    f"(x -> relu) * {'a' * 120}": f"(\n  x -> relu\n) * {'a' * 120}\n",
    f"(x, f {'a' * 100} {'b' * 30})": f"(\n  x,\n  f {'a' * 100}\n    {'b' * 30}\n)\n",
    "x = " + " -> ".join(["conv 64 3x3"] * 8): "x = conv 64 3x3\n" + "  -> conv 64 3x3\n" * 7,
}


@pytest.mark.parametrize("text", CASES)
def test_style(text: str) -> None:
    assert format_source(SourceFile("a.net", text))[0] == CASES[text]


@pytest.mark.parametrize("text", examples())
def test_only_the_layout_changes(text: str) -> None:
    once, problems = format_source(SourceFile("a.net", text))
    assert problems == []
    assert once is not None
    assert plain(read(once)) == plain(read(text))
    assert format_source(SourceFile("a.net", once))[0] == once
    assert once.count("#") == text.count("#")
    assert max(len(line.split("  #")[0]) for line in once.splitlines()) <= 140


def test_comments_in_brackets_stay() -> None:
    """One after each opening bracket and each comma of the examples of all operators, where a line may end."""
    commented = [re.sub(r"[(\[{,]", lambda found: f"{found[0]} # c{found.start()}\n", text) for text in OPERATORS if '"' not in text]
    for text in commented:
        once, problems = format_source(SourceFile("a.net", text))
        assert problems == []
        assert once is not None
        assert re.findall(r"# c\d+", once) == re.findall(r"# c\d+", text)
        assert format_source(SourceFile("a.net", once))[0] == once
    assert sum("#" in text for text in commented) > 150


def test_what_does_not_parse_is_not_touched() -> None:
    text, problems = format_source(SourceFile("a.net", "x -> ->"))
    assert text is None
    assert len(problems) == 1


def test_what_is_laid_out_twice_is_the_same() -> None:
    """What fits into no line is laid out in one before it is in several."""
    text = "x -> if a { x" + " -> conv 64 3x3" * 9 + " -> each i in y { shared f = conv 64 bias=false } }"
    formatted, _ = format_source(SourceFile("a.net", text))
    assert formatted is not None
    assert "shared f = conv 64 bias=false" in formatted
    assert format_source(SourceFile("a.net", formatted))[0] == formatted


@pytest.mark.long
def test_long_texts() -> None:
    text = "x = input 3" + " -> dense 64 relu" * 20_000
    once, _ = format_source(SourceFile("a.net", text))
    assert once is not None
    assert once.count("\n") == 20_001


WIDE = {
    "a stage": "x -> f({0}, {1}) relu",
    "arithmetic": "y = (x -> f {0}) * {1}",
    "a list before arguments": "x -> f [{0}] a={1}",
    "a stage in a tuple": "(x, x -> f (b + c) [1, 2] a={0} b={1} as d) -> concat 1",
    "a loop": "block b {{ repeat (i, a) in enumerate([{0}]) as l{{i}} {{ relu; {1} }} }}",
    "a label that is a keyword": "block b(x: [N]) {{ (out.weight + {0}, out.bias + {1} + out.bias, x) -> f }}",
}


@pytest.mark.parametrize("text", WIDE)
@pytest.mark.parametrize("width", [1, 12, 30, 45, 60, 85])
def test_no_line_is_over_120_columns(text: str, width: int) -> None:
    """Whatever the widths of the names are; and nothing but the layout changes."""
    for one, other in ((width, width), (width, 85), (85, width), (1, width)):
        written = WIDE[text].format("a" * one, "b" * other)
        once, problems = format_source(SourceFile("a.net", written))
        assert once is not None, problems
        assert plain(read(once)) == plain(read(written))
        assert max(map(len, once.splitlines())) <= 120
        assert format_source(SourceFile("a.net", once))[0] == once


LAYOUTS = {
    "a statement": "let a = {}",
    "after an arrow": "x = input 3\n  -> dense units={}",
    "in a block": "block b(k) {{\n  in -> dense units={}\n}}",
    "after an arrow in a block": "block b(k) {{\n  in\n    -> dense units={}\n}}",
    "a second list": "let a = [{}] + {{}}".format(", ".join(["10"] * 10)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_line_is_filled_and_no_longer(layout: str) -> None:
    """What fits into 100 columns stays on its line, to the last column; what does not is broken."""
    seen = set()
    for count in range(1, 40):
        for last in ("1", "10", "100", "1000"):
            text = LAYOUTS[layout].format("[" + "10, " * count + last + "]") + "\n"
            longest = max(map(len, text.splitlines()))
            once, _ = format_source(SourceFile("a.net", text))
            assert once is not None
            assert (once == text) == (longest <= 100), longest
            assert max(map(len, once.splitlines())) <= 100
            seen.add(longest)
    assert {99, 100, 101, 102} <= seen


@pytest.mark.long
def test_many_comments_after_the_last_statement() -> None:
    """Each is looked at once: with 200,000 a formatter that compares them with each other would not end."""
    text = "input 3 -> dense 2  # a\n" + "# c\n" * 200_000
    assert format_source(SourceFile("a.net", text)) == (text, [])


def test_arguments_that_fit_into_one_line_stay_together() -> None:
    text = f"x -> conv({', '.join(f'argument{n}={n}' for n in range(6))}) as a_long_label_of_the_stage_that_leaves_no_room\n"
    formatted = format_source(SourceFile("a.net", text))[0]
    assert (
        formatted
        == f"x\n  -> conv(\n    {text.partition('(')[2].partition(')')[0]}\n  ) as a_long_label_of_the_stage_that_leaves_no_room\n"
    )


def test_parameters_of_a_definition_have_lines_of_their_own() -> None:
    names = [f"parameter{n}" for n in range(10)]
    formatted = format_source(SourceFile("a.net", f"block f({', '.join(names)}) {{ relu }}\n"))[0]
    assert formatted == "block f(\n  " + ",\n  ".join(names) + "\n) { relu }\n"
