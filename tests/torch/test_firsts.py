"""Repeated members of which the first has a flag, tuples that are passed on as a whole, and squares of formulas."""

from __future__ import annotations

import pytest
from torch import nn

import netc
from tests.parity import agree

FIRST = """
block layer(first, scale=1.0) { in -> (if first { layer_norm as norm }) -> dense in.features as fc -> (if not first { relu }) }
model net(depth=4, width=3) {
  input [width] -> repeat i in 0..depth as layers { layer (i == 0) } -> dense 2 as head
}
"""
PAIR = """
block tower(widths) { in -> repeat width in widths as layers { dense width } }
model net(widths=[4, 3]) { input 5 -> tower widths as a -> tower widths as b }
"""
SWAPPED = PAIR.replace("tower widths as b", "tower [widths[1], widths[0]] as b")
SQUARE = """
block b(count) { in -> dense count as fc }
model net(size=12, patch=4) { input [3] -> b (FORMULA) }
"""


def built(model: netc.Model, name: str = "Net", **arguments: object) -> nn.Module:
    scope: dict[str, object] = {}
    exec(compile(model.source(), "net.py", "exec"), scope)
    return scope[name](**arguments)  # type: ignore[operator,no-any-return]


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in module.state_dict().items()}


def test_a_flag_of_the_first() -> None:
    model = netc.compile(FIRST)
    assert "nn.Sequential(*(Layer(width, first=i == 0) for i in range(depth)))" in model.source()
    assert shapes(built(model)) == shapes(model.module())
    for depth in (1, 2, 6):
        assert shapes(built(model, depth=depth)) == shapes(netc.compile(FIRST, params={"depth": depth}).module())
    agree(model)


@pytest.mark.parametrize("condition", ["i != 0", "i % 2 == 0", "i < 2"])
def test_flags_of_others(condition: str) -> None:
    """Not only the first one has it, or all but the first one."""
    model = netc.compile(FIRST.replace("i == 0", condition))
    assert "i == 0" not in model.source().replace("i % 2 == 0", "")
    assert shapes(built(model)) == shapes(model.module())
    agree(model)


def test_numbers_are_no_flags() -> None:
    """1 and 0 are equal to true and false in Python."""
    text = (
        "block b(pad) { in -> conv 3 3 padding=pad }\n"
        "model net(depth=4) { input 3x9 -> repeat i in 0..depth as l { if i == 0 { b 1 } else { b 0 } } }"
    )
    model = netc.compile(text)
    assert "i == 0" not in model.source()
    agree(model)


def test_a_tuple_is_passed_on() -> None:
    model = netc.compile(PAIR)
    assert "self.a = Tower(5, widths)" in model.source()
    assert shapes(built(model, widths=(7, 2))) == shapes(netc.compile(PAIR, params={"widths": [7, 2]}).module())
    swapped = netc.compile(SWAPPED)
    assert "(widths[1], widths[0])" in swapped.source()
    assert shapes(built(swapped)) == shapes(swapped.module())


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("(size // patch) * (size // patch) + 1", "(size // patch) ** 2 + 1"),
        ("(size // patch) * (size // patch) * (size // patch)", "(size // patch) ** 3"),
        ("size // (size // patch) * (size // patch)", "(size // patch) * (size // (size // patch))"),
        ("(size // 5) * (size // patch)", "(size // 5) * (size // patch)"),
    ],
)
def test_squares_of_formulas(formula: str, expected: str) -> None:
    text = SQUARE.replace("FORMULA", formula)
    model = netc.compile(text)
    assert f"self.b1 = B({expected})\n" in model.source()
    for size in (13, 20):
        assert shapes(built(model, size=size)) == shapes(netc.compile(text, params={"size": size}).module())
