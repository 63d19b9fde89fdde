"""The index of a text: what each identifier refers to, found by its position."""

from __future__ import annotations

import re

import pytest

from netc.analysis import Choice, analyze
from netc.compiler.elaborate.index import Index, Reference
from netc.dsl.source import SourceFile

RESIDUAL = """\
let width = 32 # a constant
fn doubled(v, by=2) = v * by
block residual(units, act=relu) {
  main = in -> dense units act -> layer_norm
  main + in
}
shared head = dense 4
x = input [T, 32]
mask = input [T] bool
(a, b) = (x -> residual 32, x -> residual (doubled(width / 2)) act=gelu)
c = a + b -> repeat i in [1, 2] as layers { dropout (0.1 * i) -> dense width as proj{i} }
places = table (t, k) [T, 32] = t / k
big = if x.features > 16 { c } else { c -> dense width }
d = x + places -> is [N, T, width] -> dense 5 -> concat axis=-1
e = exp(big)
out d, e -> head, mask
"""
BINDINGS = (
    *("width = 32", "doubled(", "v, by", "by=2", "residual(", "units,", "act=relu", "main =", "head =", "x = input", "T, 32", "mask ="),
    *("a, b) =", "b) =", "c = a", "i in", "places =", "t, k)", "k) [", "big =", "d = x", "e = exp"),
)
"""Where each name is bound."""
LANGUAGE = {"in", "relu", "gelu", "dense", "layer_norm", "dropout", "concat", "exp", "bool", "act", "axis", "N"}


def index_of(text: str) -> Index:
    analysis = analyze(SourceFile("test.net", text), Choice(), index=True)
    assert not analysis.failed, analysis.diagnostics
    assert analysis.index is not None
    return analysis.index


def named(index: Index, name: str) -> list[Reference]:
    return [r for r in index.references if r.name == name]


def test_there_is_no_index_unless_it_is_asked_for() -> None:
    assert analyze(SourceFile("test.net", "input 3 -> dense 2"), Choice()).index is None


def test_every_identifier_has_an_entry() -> None:
    """Every word of the text that is not a keyword, a number, a comment or an attribute."""
    index = index_of(RESIDUAL)
    found = {(r.span.start, r.span.end) for r in index.references}
    keywords = {"let", "fn", "block", "shared", "input", "repeat", "as", "table", "if", "else", "is", "out"}
    text = re.sub(r"#.*", lambda m: " " * len(m[0]), RESIDUAL)
    words = [m for m in re.finditer(r"(?<![.\w])[A-Za-z_]\w*", text) if m[0] not in keywords]
    labels = {m.span(1) for m in re.finditer(r"\bas (\S+)", text)}
    not_taken = text.index("else")
    missing = [
        m[0]
        for m in words
        if m.span() not in found
        and not (not_taken < m.start() < text.index("}", not_taken))
        and not any(a <= m.start() < b for a, b in labels)
    ]
    # `in` of a loop is a keyword, and a head `in` is its input; the branch that is not taken is not evaluated
    assert [m for m in missing if m != "in"] == []
    assert labels <= found


def test_definitions_are_the_text_of_the_binding() -> None:
    index = index_of(RESIDUAL)
    starts = {re.split(r"\W", text)[0]: RESIDUAL.index(text) for text in BINDINGS}
    for reference in index.references:
        if reference.definition is None:
            assert reference.name in LANGUAGE, reference
        elif reference.kind == "label":
            assert reference.definition == reference.span
        else:
            assert (reference.definition.text, reference.definition.start) == (reference.name, starts[reference.name])


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("x", "tensor", ["[N, T, 32]"]),
        ("mask", "tensor", ["bool [N, T]"]),
        ("width", "constant", ["32"]),
        ("i", "constant", ["1", "2"]),
        ("doubled", "function", []),
        ("residual", "block", []),
        ("head", "shared", []),
        ("dense", "operator", []),
        ("T", "dimension", ["T"]),
        ("bool", "type", []),
    ],
)
def test_kinds_and_values(name: str, kind: str, values: list[str]) -> None:
    found = named(index_of(RESIDUAL), name)
    assert found
    assert {r.kind for r in found} == {kind}
    assert [str(v) for v in found[-1].values] == values


def test_a_block_used_with_several_shapes_has_several_types() -> None:
    text = "block f() { y = in -> relu\n y -> dense 4 }\nx = input 8\nx -> f -> f -> f"
    index = index_of(text)
    (binding, use) = named(index, "y")
    assert [str(v) for v in use.values] == ["[N, 8]", "[N, 4]"]
    assert use.count == 2  # the third use is the second again
    assert use.definition == binding.span
    relu = next(s for s in index.stages if s.span.text == "relu")
    assert [str(t) for t in relu.types] == ["[N, 8]", "[N, 4]"]


def test_each_stage_has_the_type_of_its_result() -> None:
    index = index_of("input 3x32x32 -> conv 8 3 relu -> (max_pool 2 -> flatten) as features -> dense 10")
    types = {s.span.text: [str(t) for t in s.types] for s in index.stages}
    assert types["conv 8 3 relu"] == ["[N, 8, 30, 30]"]
    assert types["max_pool 2"] == ["[N, 8, 15, 15]"]
    assert types["(max_pool 2 -> flatten) as features"] == ["[N, 1800]"]
    assert types["dense 10"] == ["[N, 10]"]


def test_a_parameter_is_found_from_the_argument() -> None:
    text = "block f(units, rate=0.5) { dense units -> dropout rate }\ninput 3 -> f units=4 rate=0.1"
    index = index_of(text)
    keyword = index.reference_at(index.references[0].span.file, text.rindex("rate"))
    assert keyword is not None
    assert keyword.definition is not None
    assert keyword.definition.start == text.index("rate")
    assert [r.span.start for r in index.references_to(keyword.definition)] == [m.start() for m in re.finditer(r"\brate\b", text)]


def test_a_name_can_be_found_in_a_text_with_errors() -> None:
    source = SourceFile("test.net", "x = input 3\ny = x -> dens 2\ny -> dense 4")
    index = analyze(source, Choice(), index=True).index
    assert index is not None
    use = index.reference_at(source, source.text.rindex("y"))
    assert use is not None
    assert use.definition is not None
    assert use.definition.start == source.text.index("y")
    assert use.values == ()


def test_a_tie_refers_to_the_label() -> None:
    text = "input [T] int64 -> embedding 10 4 as words -> dense 10 bias=false tie=words"
    index = index_of(text)
    definition, use = named(index, "words")
    assert use.definition == definition.span
