"""Shared stages and ties: one set of parameters, whatever uses it."""

from __future__ import annotations

import pytest
import torch

import netc
from netc.compiler.analysis.state_dict import collect_parameters
from tests.parity import agree

ENCODE = (
    "block encode(w) { x = in -> dense w; y = x -> sum axis=1 -> unsqueeze 1 -> expand [-1, in.shape[1], -1]; x + y -> mean axis=1 };"
    "shared e = encode 8"
)
SHARED = {
    "operator": "shared f = dense 4; a = input 3; b = input 3; (a -> f) + (b -> f)",
    "sequence": "shared f = (dense 4 relu -> dense 2); a = input [T, 3]; b = input 3; (a -> f -> mean axis=1) + (b -> f)",
    "block": "block g(w) { in -> dense w -> sin }; shared f = g 4; a = input 3; b = input 3; (a -> f) * (b -> f)",
    "handed to a sequence": "shared f = dense 4; input 4 -> (f -> dense 4 relu -> f) as inner -> f",
    "passed on twice": "shared f = dense 4; input 4 -> (relu -> (f -> dense 4 -> sin) as b -> f) as a",
    "handed to a list": "shared f = dense 4; input 4 -> repeat 3 as layers { f -> dense 4 tanh }",
    "only inside": "shared f = dense 4; input 4 -> repeat 3 as layers { in + (in -> f) }",
    "two lengths": f"a = input [6, 3]; b = input [9, 3]; {ENCODE}; (a -> e) + (b -> e)",
    "a length that is known and one that is not": f"a = input [T, 3]; b = input [9, 3]; {ENCODE}; (a -> e) + (b -> e)",
    "two symbols": f"a = input [T, 3]; b = input [S, 3]; {ENCODE}; (a -> e) + (b -> e)",
    "a list": "shared f = (repeat 3 as layers { in + (in -> dense 4) }); a = input 4; b = input 4; (a -> f) + (b -> f)",
    "no parameters": "shared f = relu; a = input 3; b = input 3; (a -> f) + (b -> f)",
}


@pytest.mark.parametrize("text", SHARED.values(), ids=SHARED.keys())
def test_agrees(text: str) -> None:
    model = netc.compile(text)
    assert list(model.module().state_dict()) == list(collect_parameters(model.program))
    agree(model)


def test_one_attribute_and_one_class() -> None:
    text = netc.compile(SHARED["two lengths"]).source()
    assert text.count("self.e = Encode(8)") == 1
    assert text.count("class ") == 2
    assert "length = x.shape[1]" in text


def test_is_an_argument_of_forward() -> None:
    text = netc.compile(SHARED["handed to a sequence"]).source()
    assert "def forward(self, x: Tensor, f: nn.Module) -> Tensor:" in text
    assert "self.inner(input, self.f)" in text


TIES = {
    "sibling": "tokens = input [T] int64; tokens -> embedding 9 4 as wte -> dense 9 bias=false tie=wte as head",
    "later": "tokens = input [T] int64; tokens -> embedding 9 4 tie=head as wte -> dense 9 bias=false as head",
    "inside a sequence": 'tokens = input [T] int64; tokens -> (embedding 9 4 -> dropout 0.1) as emb -> dense 9 tie="emb.0" as head',
    "inside a named sequence": "tokens = input [T] int64; "
    "tokens -> (embedding 9 4 as wte -> tanh as act) as emb -> dense 9 tie=emb.wte as head",
    "inside a block": "block b() { in -> embedding 9 4 as wte -> sin }; tokens = input [T] int64; "
    "tokens -> b as emb -> dense 9 tie=emb.wte as head",
    "within a sequence": "input 4 -> (dense 4 as a -> dense 4 tie=a as b) as mlp",
    "in each iteration": "input 4 -> repeat 3 as layers { dense 4 as a -> tanh -> dense 4 tie=a as b }",
    "a numbered stage of a list": 'input 4 -> (dense 4 -> sin -> cos -> sin) as first -> dense 4 tie="first.0" as last',
    "a numbered stage of a dictionary": "input 4 -> (sin -> dense 4 -> cos -> dense 4 -> exp -> cos -> sin) as first "
    '-> dense 4 tie="first.1" as last',
}


@pytest.mark.parametrize("text", TIES.values(), ids=TIES.keys())
def test_ties(text: str) -> None:
    model = netc.compile(text)
    module = model.module()
    named: dict[str, torch.Tensor] = dict(module.named_parameters(remove_duplicate=False))
    tied = {name: info.tied_to for name, info in collect_parameters(model.program).items() if info.tied_to is not None}
    assert tied
    assert all(named[name] is named[target] for name, target in tied.items() if target is not None)
    agree(model)


@pytest.mark.parametrize(
    ("sample", "line"),
    [
        ("sibling", "self.head.weight = self.wte.weight"),
        ("inside a sequence", "self.head.weight = self.emb[0].weight"),
        ("inside a named sequence", "self.head.weight = self.emb.wte.weight"),
        ("a numbered stage of a list", "self.last.weight = self.first[0].weight"),
        ("a numbered stage of a dictionary", 'self.last.weight = self.first["1"].weight'),
    ],
)
def test_tie_text(sample: str, line: str) -> None:
    assert line in netc.compile(TIES[sample]).source()
