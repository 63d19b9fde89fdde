"""Labels with levels in the emitted source, and what flows through a sequence untouched: one function, in text a person would write."""

from __future__ import annotations

import pytest

import netc
from tests.parity import agree

BY_TURNS = """
input 8 -> (repeat (i, w) in enumerate([4, 6, 5]) { dense w as fc.{i} -> layer_norm as norms.{i} } -> dense 3 as out.last) as body
"""
U_NET = """
x = input 8
(deep, kept...) = x -> repeat (i, w) in enumerate([6, 4, 2]) as down {
  (h, kept...) = in
  out h -> dense w relu as fc -> layer_norm as norm, h, kept
}
(deep, kept) -> repeat i in 0..3 as up {
  (h, side, kept...) = in
  out (h, side) -> concat axis=1 -> dense side.features as fc -> layer_norm as norm, kept
}
"""
ADDED = """
x = input 3
nothing = {}
(x, nothing) -> repeat 3 as layers {{
  (a, sum) = in
  y = a -> dense 3
  out y, sum + y
}} -> concat axis=1
"""
LEVELS = {
    "by turns": BY_TURNS,
    "in a block": "block f(n) { dense n as a.0 -> dense n as b.x -> dense n as a.1 }\ninput 3 -> f 4 as one -> f 5 as two",
    "levels in levels": "input 3 -> dense 3 as a.0.x -> dense 3 as b -> dense 3 as a.0.y -> dense 3 as a.1.x -> dense 3 as a.1.y",
    "out of order": "input 3 -> dense 3 as a.1 -> dense 4 as a.0",
    "keys of a dictionary": "input 3 -> dense 3 as a.keys -> dense 3 as a.forward -> dense 3 as a.plain -> dense 3 as b.items",
    "parameters": "x = input 3\nx * (param [3] init=ones as a.scale) -> dense 3 as a.fc\n",
    "parameters alone": "x = input 3\nx * (param [3] init=ones as a.0) + (param [3] init=ones trainable=false as a.1)",
    "shared": "shared f = dense 3 relu as a.f\ninput 3 -> f -> dense 3 as a.g -> f",
    "lists": "input 3 -> repeat 3 as a.0 { dense 3 as x -> relu } -> each i in 0..2 as a.1 { dense (i + 1) } -> concat axis=1",
    "ties": 'block f { dense 3 as a.0 -> dense 3 as a.1 }\ninput 3 -> f as g.x -> dense 3 bias=false tie="g.x.a.1" as g.y',
    "numbers": "input 3 -> (dense 3 as 0.fc -> dense 4 -> dense 3 as 0.last) as a",
}


@pytest.mark.parametrize("name", LEVELS)
def test_levels(name: str) -> None:
    """The module has the keys that the labels say, and all three targets agree."""
    model = netc.compile(LEVELS[name])
    assert model.diagnostics == ()
    assert set(model.module().state_dict()) == set(model.parameters)
    agree(model)


def test_a_level_is_a_list() -> None:
    text = netc.compile(BY_TURNS).source()
    assert "self.fc = nn.ModuleList([nn.Linear(8, 4), nn.Linear(4, 6), nn.Linear(6, 5)])" in text
    assert "self.norms = nn.ModuleList(" in text
    assert 'self.out = nn.ModuleDict({"last": nn.Linear(5, 3)})' in text
    assert "self.fc[1](" in text


def test_levels_pass_on_a_tuple() -> None:
    """All levels of the U-Net take and return the skips as one tuple, so that equal levels are one class."""
    model = netc.compile(U_NET)
    assert model.diagnostics == ()
    agree(model)
    text = model.source()
    assert text.count("\nclass ") == 3
    assert "return self.norm(x), (h, *kept)" in text
    assert "return self.norm(self.fc(torch.cat((h, kept[0]), dim=1))), kept[1:]" in text


@pytest.mark.parametrize(
    "text",
    [
        "x = input 3\n(x, x) -> repeat 2 { (a, b) = in; out b, a -> dense 3 } -> concat axis=1",
        "x = input 3\n(x, x) -> repeat 2 as l { (a, b...) = in; y = a -> dense 3; out y, b, y } -> concat axis=1",
        "x = input 3\na = x -> tanh\nx -> ((a, in -> dense 3) -> concat axis=1)",
        "x = input 3\ny = x -> tanh\nx -> (in -> dense 3, y, in) as g -> concat axis=1",
        "x = input 3\ny = x -> tanh\nx -> (in -> dense 3 -> layer_norm, y, in, y) as g -> repeat 2 { (a, b...) = in; out b, a -> dense 4 }"
        " -> concat axis=1",
        ADDED.format("param [3] as first"),
        ADDED.format("table (i) [1] float32 = 0"),
        "x = input [T, 3]\n(x, x) -> repeat 2 as l { (a, b) = in; out a -> dense 3, b } -> concat axis=1",
    ],
)
def test_results_keep_their_order(text: str) -> None:
    agree(netc.compile(text))
