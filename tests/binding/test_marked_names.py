"""The names of texts whose definitions are marked by hand.

A subscript after a name says which definition it refers to: `x₁ = input 3; x₁ -> relu₀`. `₀` is for what the language provides, and for
what is unknown. A word without a subscript is no occurrence of a name.
"""

from __future__ import annotations

import re

import pytest

from netc.compiler.binding.declarations import DECLARATIONS
from netc.compiler.binding.file_names import FileNames, bind_file
from netc.compiler.binding.name_scopes import Definition
from netc.dsl import ast
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile

SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉"
MARKED = {
    "statements": "x₁ = input 3; let k₂ = 4; y₃ = x₁ -> dense₀ k₂; out y₃, x₁",
    "rebound in an inner body": "h₁ = input 4; h₁ -> repeat 2 { h₂ = in -> relu₀; h₂ -> tanh₀ }; h₁ -> relu₀",
    "used above its definition": "let a₁ = b₂; let b₂ = 3; input 3 -> dense₀ a₁",
    "a tensor above its definition": "x₁ = input 3; out y₀; y₂ = x₁ -> relu₀",
    "unpacked": "let (a₁, (b₂, _)) = [4, [5, 6]]; let c₃ = [a₁, b₂]; input 3 -> dense₀ c₃[0]",
    "both branches": "x₁ = input 3; x₁ -> if true { y₂ = in -> relu₀; y₂ } else { y₃ = in -> tanh₀; y₃ }",
    "loop": "let ws₁ = [4, 5]; input 3 -> repeat (i₂, w₃) in enumerate₀(ws₁) as l{i₂} { dense₀ w₃ as d{i₂} }",
    "comprehension": "let w₁ = 3; let all₂ = [w₃ + v₄ for w₃ in 0..w₁ for v₄ in 0..w₃ if v₄ < w₃]; input 3 -> dense₀ all₂[w₁]",
    "scan": "h₁ = input 4x3; h₁ -> scan (h₂ = zeros₀) axis₀=1 { h₃ = in + h₂; h₃ }",
    "table": "let i₁ = 3; t₂ = table (i₃, j₄) [i₁, i₁] = i₃ + 2 * j₄; input 3 -> dense₀ i₁",
    "list of inputs": "let n₁ = 2; xs₂ = input [n₁] for i₃ in n₁; xs₂ -> stack₀",
    "a stage is no tensor": "relu₁ = input 3; relu₁ -> relu₀ -> dense₀ 4 relu₀",
    "a stage is no number": "let dropout₁ = 0.1; input 3 -> dropout₀ dropout₁",
    "a stage that is bound": "let norm₁ = (batch_norm₀ eps₀=0.1); x₂ = input 3; x₂ -> norm₁; (x₂ -> relu₀ -> norm₁) -> norm₁",
    "no stage of the name": "x₁ = input 3; y₂ = input 3; x₁ -> y₂",
    "words of arguments": "let same₁ = 3; input 3x8x8 -> conv₀ 4 same₁ padding₀=same -> max_pool₀ same₁",
    "call": "x₁ = input 3; let w₂ = 2; y₃ = exp₀(w₂ * x₁); concat₀(x₁, y₃, axis₀=1)",
    "fn": "fn twice₁(n₂, by₃=2) = n₂ * by₃; let n₄ = 3; input 3 -> dense₀ twice₁(n₄, by₃=n₄)",
    "block": "block f₁(x₂: [N₃, D₄], k₅=1) { x₂ -> dense₀ (D₄ * k₅) }; input 3 -> f₁ k₅=2",
    "a size that the file binds": "let d₁ = 3; block f₂(x₃: [N₄, d₁, e₅]) { x₃ -> dense₀ e₅ }; input [d₁, 4] -> f₂",
    "a dimension below": "block f₁(x₂: [N₃, _, _]) { x₂ -> is [N₃, T₄, 3] }; x₅ = input [T₄, 3]; x₅ -> f₁ -> is [N₀, T₄, 3]",
    "optional tensor": "block f₁(x₂: [N₃, D₄], m₅?: [N₃, D₄]) { if given₀(m₅) { x₂ + m₅ } else { x₂ } }; x₆ = input 3; f₁(x₆, m₅=x₆)",
    "shared": "let w₁ = 3; shared s₂ = dense₀ w₁; x₃ = input 3; x₃ -> s₂ -> s₂",
    "default": "let std₁ = 0.1; default dense₀ init₀=normal₀(std₁); input 3 -> dense₀ 3",
    "derived model": "model base₁(w₂) { input 3 -> dense₀ w₂ }; model m₃(w₄=4) = base₁ w₂=w₄",
    "section": (
        "train for m₁ { t₅ = input 2; loss₆ = mse₀(y₄, t₅); optimizer₀ adam₀ lr₀=0.1 }; "
        "model m₁(w₂=2) { x₃ = input 3; y₄ = x₃ -> dense₀ w₂ }"
    ),
    "derived section": (
        "train long = short₀ rate₀=0.2 { metric best₁ = error₃ }; x₄ = input 3; y₅ = x₄ -> dense₀ 2; "
        "train short(rate₆=0.1) { error₃ = y₅ -> mean₀; loss₇ = error₃; optimizer₀ adam₀ lr₀=rate₆ }"
    ),
    "settings": (
        "model m₅(rate₁=0.1, steps₂=5) { x₃ = input 3; y₄ = x₃ -> dense₀ 2 }; train for m₅ { loss₆ = y₄ -> mean₀; "
        "optimizer₀ adam₀ lr₀=rate₁; schedule₀ warmup₀ steps₂ -> cosine₀; steps₀ steps₂ }"
    ),
    "label": "let i₁ = 2; input 3 -> dense₀ 4 as l{i₁} -> dense₀ 5 as x",
    "long sum": "x₁ = input 3; x₁ + x₁ * 2 - x₁ + x₁",
}


def read(marked: str) -> tuple[str, dict[tuple[int, int], int]]:
    """The text without its subscripts, and the number at each name."""
    text, numbers, end = "", {}, 0
    for match in re.finditer(rf"(\w*?[^\W{SUBSCRIPTS}]+)([{SUBSCRIPTS}]+)", marked):
        text += marked[end : match.start()] + match[1]
        numbers[len(text) - len(match[1]), len(text)] = int("".join(str(SUBSCRIPTS.index(c)) for c in match[2]))
        end = match.end()
    return text + marked[end:], numbers


def bind(text: str) -> FileNames:
    file, _ = parse_source(SourceFile("a.net", text))
    return bind_file(file, lambda use: {})


@pytest.mark.parametrize("name", MARKED)
def test_names_refer_to_what_is_marked(name: str) -> None:
    text, numbers = read(MARKED[name])
    names = bind(text)
    found = {(one.span.start, one.span.end): one for one in names.occurrences if one.name != "_"}
    assert {text[slice(*place)] for place in found.keys() ^ numbers.keys()} == set()
    groups: dict[tuple[int, int] | None, set[int]] = {}
    for place, one in found.items():
        target = None if one.definition is None else (one.definition.span.start, one.definition.span.end)
        groups.setdefault(target, set()).add(numbers[place])
    assert groups.pop(None, {0}) == {0}
    assert [*map(len, groups.values())] == [1] * len(groups), groups
    assert len({*map(frozenset, groups.values())}) == len(groups)
    assert frozenset((0,)) not in map(frozenset, groups.values())


def test_names_of_what_does_not_parse_are_known() -> None:
    names = bind("x = input 3\nlet width = 3 +\ny = x -> dense width\n")
    used = [one for one in names.occurrences if one.name == "width"]
    assert [one.definition is not None for one in used] == [True] * len(used)
    assert any(item.is_broken for item in names.items)


def test_a_use_binds_its_names() -> None:
    names_of_other = Definition(bind("let a = 1").top.names["a"].span, "a", "let", ast.Broken(bind("").file.span, ()))
    file, _ = parse_source(SourceFile("b.net", 'use "o.net": a, missing\ninput 3 -> dense a missing'))
    names = bind_file(file, lambda use: {"a": names_of_other, "b": names_of_other})
    found = [(one.name, one.definition is names_of_other) for one in names.occurrences]
    assert found == [("a", True), ("missing", False), ("dense", False), ("a", True), ("missing", False)]
    assert "b" not in names.top.names


def test_what_an_item_reads_is_found_once() -> None:
    """Items are bound again only if what they found in the file has changed."""
    block, _ = parse_source(SourceFile("a.net", "block f(x: [N, d, D]) { g d -> dense T }"))
    known: dict[int, object] = {}
    first = block.items

    def bound(rest: str) -> tuple[object, list[str]]:
        items = (*first, *parse_source(SourceFile("a.net", rest))[0].items)
        names = bind_file(ast.File(block.span, items), lambda use: {}, known)  # type: ignore[arg-type]
        item = names.items[0]
        return item, [one.definition.kind for one in item.occurrences if one.name in ("d", "g", "T") and one.definition]

    alone, kinds = bound("")
    assert kinds == ["variable", "variable"]
    assert bound("let other = 3")[0] is alone
    assert bound("let d = 3")[1] == ["let", "let"]
    assert bound("block g() { relu }")[1] == ["variable", "block", "variable"]
    assert bound("input [T]")[1] == ["variable", "variable", "dimension"]
    assert bound("let other = 4")[1] == ["variable", "variable"]


def test_inputs_declare_dimensions_wherever_they_are() -> None:
    names = bind(
        "a = input [A, 2]; (b, c) = (input [B, 2], input [C, 2]); d = input [D, 2] + -input [E, 2]; input [F, 2] -> relu; "
        "e = if true { input [G, 2] } else { input [H, 2] }; out e, input [I, J + A]; let J = 3"
    )
    assert [one.name for one in names.occurrences if one.definition is not None and one.definition.kind == "dimension"] == [*"ABCDEFGHIA"]


def test_what_an_item_reaches_are_the_definitions_its_names_lead_to() -> None:
    names = bind("let a = b; let b = c; let c = a + unknown; fn f(x) = x + c; let g = f(1) * h; let h = 1; block k(h) { dense h }")
    by_name = {item.item.name.name: item for item in names.items}  # type: ignore[union-attr]
    reached = {name: {other for other, it in by_name.items() if id(it.item) in names.reachable_nodes(one)} for name, one in by_name.items()}
    cycle = {"a", "b", "c"}
    assert reached == {**dict.fromkeys(cycle, cycle), "f": {"f", *cycle}, "g": {"g", "f", "h", *cycle}, "h": {"h"}, "k": {"k"}}


def test_names_are_visible_from_their_statement_on_and_in_their_comprehension() -> None:
    text = "a = input 3; b = a -> relu; let l = [i + 1 for i in 0..3]; c = b; block f(p) { q = in }"
    top = bind(text).top
    places = {part: text.index(part) for part in ("relu", "i + 1", "in }")}
    seen = {part: {*top.scope_at(place).visible_names(place)} for part, place in places.items()}
    assert seen == {"relu": {*"ablf"}, "i + 1": {*"abilf"}, "in }": {*"pqlf"}}


USES = {
    ("Call", "function"),
    ("Default", "operator"),
    ("ExpectShape", "name"),
    *(("ExpectClaim", field) for field in ("name", "verb", "subject")),
    ("Setting", "word"),
    ("Use", "names"),
    *((kind, "dtype") for kind in ("InputDecl", "ParamDecl", "StoredTableDecl", "TableDecl")),
    *(("NamePattern", "parts"), ("UnpackedItem", "pattern"), ("UnpackedItem", "name")),  # of the `let` around them
    ("TrainDecl", "name"),  # sections have names of their own
}
"""The fields with names that a node does not bind."""


def test_each_field_with_names_binds_or_uses_them() -> None:
    """A new construct is listed in DECLARATIONS, or here."""
    fields = {
        (kind.__name__, field)
        for kind in vars(ast).values()
        if isinstance(kind, type) and issubclass(kind, ast.Node)
        for field, annotation in vars(kind).get("__annotations__", {}).items()
        if re.search(r"\bName\b|\bNamePattern\b", annotation)
    }
    assert fields == USES | {(kind.__name__, declaration.field) for kind, declaration in DECLARATIONS.items()}
