"""Any program gives a model or diagnostics, never an exception: mutated specs, and random programs that mostly parse.

In addition, every span is inside its file, there is a program if and only if there is no error, and each message follows our style.
"""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from profiles import examples

from netc.analysis import Analysis, Choice, analyze
from netc.compiler.ops.operator import Operator
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.render import render_short, render_text, to_json
from netc.dsl.source import SourceFile, Span
from tests.property.programs import Writer

ROOT = Path(__file__).parents[2]
SPECS = [p.read_text(encoding="utf-8") for p in sorted((ROOT / "specs").rglob("*.net"))]
EXAMPLES = [text for cls in Operator.registry.values() for text in cls.examples]
TOKEN = re.compile(r"\s+|->|//|\*\*|==|\w+|.")
WORDS = re.findall(
    r"\S+",
    """
    input in out let repeat each if else as is expect where shared true false N T x y k relu dense conv
    0 1 2 7 2.5 1e300 10_000_000_000 3x3 "s" [ ] ( ) { } -> = + - * / // % @ ** == < , ; [] [1] [N,3]
    param table int64 bool shape batch=false axis=1 tie=x
    """,
)
NOISE = re.compile(r"<class|object at 0x|Traceback|\bNone\b|SymDim|Span\(|\bast\.|netc\.|\{[0-9]\}")
QUIET = settings(max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A spec some of whose words have been replaced by others of their kind, by any others, or left out."""
    words = TOKEN.findall(draw(st.sampled_from([*SPECS, *EXAMPLES])))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.sampled_from([i for i, word in enumerate(words) if not word.isspace()]))
        alike = [word for word in words if word.isidentifier() == words[at].isidentifier() and word.isdigit() == words[at].isdigit()]
        words[at] = draw(st.sampled_from([*alike, "", *WORDS] if draw(st.integers(0, 3)) == 0 else alike))
    return "".join(words)


def spans(one: Diagnostic) -> list[Span]:
    return [one.span, *(m.span for m in one.marks), *(f.span for f in one.trace)]


def check_analysis(analysis: Analysis) -> None:
    """Asserts the invariants of every analysis."""
    for one in analysis.diagnostics:
        for span in spans(one):
            assert 0 <= span.start <= span.end <= len(span.file.text), one
        texts = [one.message, one.label, *one.notes, *one.help, *(m.text for m in one.marks), *(f.text for f in one.trace)]
        for text in texts:
            assert not NOISE.search(text), text
            assert not text.endswith("."), text
            assert len(text) < 2000, text
        assert one.message
        assert not one.message[0].isupper() or one.message[:2].isupper(), one.message
    failed = any(d.severity == "error" for d in analysis.diagnostics)
    assert failed or analysis.program is not None
    assert not failed or analysis.program is None
    render_text(analysis.diagnostics, color=True)
    render_short(analysis.diagnostics)
    to_json(analysis.diagnostics)


def analyzed(text: str) -> Analysis:
    return analyze(SourceFile("a.net", text), Choice()).require_model()


@QUIET
@given(mutated())
def test_mutated_specs(text: str) -> None:
    check_analysis(analyzed(text))


@QUIET
@given(st.randoms(use_true_random=False))
def test_random_programs(random: Random) -> None:
    check_analysis(analyzed(Writer(random).program()))


STATED = ("[N, 0]", "[2, 3]", "[N, 3, 4]", "[7]", "[N, _, 5]", "[0]", "[N, 2 * 8 + 1]")


@st.composite
def wrongly_stated(draw: st.DrawFn) -> str:
    """A spec with shapes stated after some of its arrows, most of which are not the actual ones."""
    parts = draw(st.sampled_from([text for text in (*SPECS, *EXAMPLES) if "->" in text])).split("->")
    for at in draw(st.lists(st.integers(0, len(parts) - 2), min_size=1, max_size=3)):
        parts[at] += f"-> is {draw(st.sampled_from(STATED))} "
    return "->".join(parts)


@settings(QUIET, max_examples=examples(200))
@given(wrongly_stated())
@example("block b(w) { x = in -> is [N, 0]; x -> dense w as _ }\ninput 8 -> b 4 as c -> b 3")
@example("x = input 6\nhalves = x -> is [N, 0] -> chunk 2 axis=1\nhalves -> concat axis=0")
@example("block halve { in -> if in.features % 2 == 0 { chunk 2 axis=1 -> add } }\ninput [T] -> is [N, 0] -> halve")
def test_stages_after_a_wrong_shape(text: str) -> None:
    """They are checked with the stated one."""
    check_analysis(analyzed(text))


FOREIGN = (
    "for i in range(3):",
    "def f(x):",
    "class A:",
    "/* a",
    "*/",
    "{",
    "}",
    "{ relu }",
    "x = x -> dense 3 {",
    "x -> dense 3 }",
    "(",
    ")",
)
OWN = ("x = input 3", "x -> relu", "repeat 2 {", "block b(x) {", "}", "x -> dense 2", "else { relu }", "")


@settings(QUIET, max_examples=examples(200))
@given(st.lists(st.tuples(st.sampled_from(["", "  ", "    "]), st.sampled_from(FOREIGN + OWN)), min_size=1, max_size=9))
def test_foreign_forms_among_braces(lines: list[tuple[str, str]]) -> None:
    """What is left out with a body of Python or a comment of C may open and close braces as it likes."""
    check_analysis(analyzed("\n".join(map("".join, lines))))
