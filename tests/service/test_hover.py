"""Hover, hints and signatures, about texts in which a `|` is where the question is asked."""

from __future__ import annotations

import pytest

from netc.service.hover import make_hover
from netc.service.inlay_hints import list_hints
from netc.service.signatures import find_signature
from tests.service.asked import RESIDUAL, checked_at


@pytest.mark.parametrize(
    ("marked", "parts"),
    [
        (RESIDUAL.replace("dense 2", "den|se 2"), ["gives `[N, T, 2]`", "18 parameters", "### dense"]),
        (RESIDUAL.replace("= x ->", "= |x ->"), ["tensor x [N, T, 8]"]),
        (RESIDUAL.replace("-> residual width", "-> resi|dual width"), ["block residual(units, act=relu)", "Adds what it computes."]),
        (RESIDUAL.replace("residual width", "residual wid|th"), ["constant width = 8", "let width = 8"]),
        (RESIDUAL.replace("[T,", "[|T,"), ["dimension T = T", "known at run time, at least 1"]),
        (RESIDUAL.replace("input [T", "inp|ut [T"), ["# input"]),
    ],
)
def test_hover(marked: str, parts: list[str]) -> None:
    _, checked, offset = checked_at(marked)
    found = make_hover(checked, offset)
    assert found is not None
    assert [part for part in parts if part not in found.text] == []


UNUSED = """\
# Twice as wide.
block wide(units) { in -> dense (2 * units) init=zeros dropout=0.1 -> max axis=1 }
fn g(n) = max(n, 2)
input 3 -> relu
"""


@pytest.mark.parametrize(
    ("at", "parts"),
    [
        ("den|se", ["### dense", "Fully connected"]),
        ("2 * uni|ts", ["parameter units", "block wide(units)"]),
        ("-> ma|x", ["### max", "keepdim"]),
        ("= ma|x", ["function max"]),
        ("block wid|e", ["block wide", "Twice as wide."]),
        ("drop|out", None),
    ],
)
def test_hover_of_text_that_nothing_evaluates(at: str, parts: list[str] | None) -> None:
    _, checked, offset = checked_at(UNUSED.replace(at.replace("|", ""), at, 1))
    found = make_hover(checked, offset)
    assert (found is None) == (parts is None)
    assert found is None or [part for part in parts or () if part not in found.text] == []
    assert found is None or not found.text.startswith("gives")


def test_hover_shows_a_definition_of_several_lines() -> None:
    _, checked, offset = checked_at("block f(\n  x: [N, D],\n  k=(1 + 2),\n) { x -> dense k }\ninput 3 -> |f\n")
    found = make_hover(checked, offset)
    assert found is not None
    assert "```net\nblock f(\n  x: [N, D],\n  k=(1 + 2),\n) { x -> dense k }\n```" in found.text


LONG = ",\n".join(f"  a{at}=1" for at in range(30))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("let k = 3  # :(\nlet j = 4  # :)\ninput 3 -> dense |k\n", "let k = 3  # :("),
        ("block f(  # (\n  k=2,\n) { in -> dense k }\ninput 3 -> |f\n", "block f(  # (\n  k=2,\n) { in -> dense k }"),
        ("let s = [1,\n  2]\ninput 3 -> reshape |s\n", "let s = [1,\n  2]"),
        ("input 3 -> dense |k\nlet k = max(\n  1,\n  2)", "let k = max(\n  1,\n  2)"),
        ("input 3 -> dense |k\nlet k = (\n", "let k = ("),
        (f"block f(\n{LONG}\n) {{ in -> dense a1 }}\ninput 3 -> |f\n", "block f("),
    ],
    ids=["comment", "comment-of-a-parameter", "list", "end-of-file", "never-closed", "long"],
)
def test_hover_shows_the_lines_of_a_definition_alone(text: str, shown: str) -> None:
    _, checked, offset = checked_at(text)
    found = make_hover(checked, offset)
    assert found is not None
    assert f"```net\n{shown}\n```" in found.text


@pytest.mark.parametrize("stage", ["dense 3 |bias=false", "attention |mask=m"])
def test_hover_of_the_name_of_an_argument(stage: str) -> None:
    """Of a setting and of a tensor, which operators take by name."""
    _, checked, offset = checked_at(f"x = input [4, 8]\nm = input [4, 4] bool\nx -> {stage}\n")
    found = make_hover(checked, offset)
    assert found is not None
    assert f"argument {stage.split('|')[1].split('=')[0]}" in found.text


def test_hints_are_at_the_ends_of_lines() -> None:
    _, checked, _ = checked_at(RESIDUAL)
    shown = {checked.source.line_and_column(hint.offset)[0]: hint.text for hint in list_hints(checked)}
    assert shown == {4: "# [N, T, 8]", 5: "# [N, T, 8]", 7: "# [N, T, 8]", 8: "# [N, T, 8]", 9: "# [N, T, 2]"}
    assert all(checked.source.text[hint.offset : hint.offset + 1] == "\n" for hint in list_hints(checked))
    second = checked.source.text.index("y = ")
    assert [hint.text for hint in list_hints(checked, second, second)] == ["# [N, T, 8]"]


def test_hints_of_a_broken_text_are_those_of_the_rest() -> None:
    _, checked, _ = checked_at("x = input 3\ny = x -> dense 4\nz = y -> -> relu\nw = y -> dense 5\n")
    assert [hint.text for hint in list_hints(checked)] == ["# [N, 3]", "# [N, 4]", "# [N, 5]"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("input 8\n-> relU\n-> dense 2", ["# [N, 8]", "# [N, 8] ?", "# [N, 2] ?"]),
        ("input 8\n-> dense 8 5\n-> Linear(5, 6)\n-> relu", ["# [N, 8]", "# [N, 5] ?", "# [N, 6] ?", "# [N, 6] ?"]),
        ("x = input 8\ny = x + (x -> dense 9)\ny -> dense 3", ["# [N, 8]", "# [N, 9]", "# [N, 3] ?"]),
        ("x = input 8\n(x -> dense 9) * x\n-> relu\n-> dense 3", ["# [N, 8]", "# [N, 9]", "# [N, 9] ?", "# [N, 3] ?"]),
        ("input 8\n-> dense 4\n-> is [N, 9]\n-> relu", ["# [N, 8]", "# [N, 4]", "# [N, 9]", "# [N, 9]"]),
        ("input 3x8\n-> reshape [N, 5, _]\n-> relu", ["# [N, 3, 8]"]),
        ("input 3x8\n-> reshape [N, 5, 4]\n-> dense 2", ["# [N, 3, 8]", "# [N, 5, 4]", "# [N, 5, 2]"]),
        ("input 3x8\n-> reshape [8, 3]\n-> dense 2", ["# [N, 3, 8]", "# [N, 8, 3]", "# [N, 8, 2]"]),
        ("input 3x12\n-> unflatten 2 [5, 2]\n-> dense 2", ["# [N, 3, 12]", "# [N, 3, 5, 2]", "# [N, 3, 5, 2]"]),
    ],
)
def test_hints_after_an_error(text: str, expected: list[str]) -> None:
    """A shape that the text states is known, and the others come from the corrected text."""
    _, checked, _ = checked_at(text)
    assert [hint.text for hint in list_hints(checked)] == expected


@pytest.mark.parametrize(
    ("marked", "label", "active"),
    [
        ("input 3 -> dense |", "dense units bias=true", "units"),
        ("input 3 -> dense 3 |", "dense units bias=true", None),
        ("input 3 -> conv 3 |", "conv channels kernel stride=1", "kernel"),
        ("input 3 -> conv 3 3 stride=|", "conv channels kernel stride=1", "stride=1"),
        ("block f(a, b=2) { in -> dense a }\ninput 3 -> f 4 |", "f a b=2", "b=2"),
    ],
)
def test_signature(marked: str, label: str, active: str | None) -> None:
    _, checked, offset = checked_at(marked)
    found = find_signature(checked, offset)
    assert found is not None
    assert found.label.startswith(label)
    assert (None if found.active is None else found.arguments[found.active].text) == active


CLAIMS = """\
x = input [T, 4]
mask = input [T] bool
y = x * (mask -> unsqueeze 2 -> cast float32)
z = x -> mean axis=1 keepdim=true
out y, z
expect y ignores mask
expect y causal T
expect z ignores mask
"""


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("exp|ect y ignores", "proved: `y` ignores `x` where `mask` is false\n\nassumed: all hidden values are finite"),
        ("exp|ect y causal", "proved: `y` depends on no later input along `T`"),
        ("exp|ect z", "`mean` lets hidden positions of `mask` reach the output `z`"),
    ],
)
def test_hover_of_a_claim_says_what_is_proved(at: str, text: str) -> None:
    _, checked, offset = checked_at(CLAIMS.replace(at.replace("|", ""), at))
    found = make_hover(checked, offset)
    assert found is not None
    assert found.text.startswith(text)


def test_a_claim_that_is_not_proved_is_an_error_in_an_editor() -> None:
    _, checked, _ = checked_at(CLAIMS + "|")
    (problem,) = [diagnostic for diagnostic in checked.collect_diagnostics() if diagnostic.code == "leak"]
    assert (problem.span.text, problem.span.start) == ("mean axis=1 keepdim=true", CLAIMS.index("mean axis"))
    assert [mark.span.text for mark in problem.marks] == ["expect z ignores mask"]
