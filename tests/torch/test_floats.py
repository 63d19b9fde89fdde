"""Floats that are parameters: the class takes them, with their defaults, as it takes sizes.

The judge is the compiler's other way to the same network: the spec elaborated with the other number. What layers say of themselves is
compared, which has their probabilities and epsilons, and the results in both modes.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch

import netc
from tests.parity import inputs_for, sizes_of, tensor

CASES = {
    "dropout": ("model m(p=0.2) { input 4 -> dense 8 relu -> dropout p -> dense 3 }", 0.6),
    "epsilon": ("model m(p=1e-5) { input 4 -> layer_norm eps=p -> dense 3 -> batch_norm eps=p }", 0.1),
    "none by default": ("model m(p=1e-6) { input 4 -> rms_norm eps=p -> dense 3 }", 0.1),
    "momentum": ("model m(p=0.3) { input 4 -> batch_norm momentum=p -> dense 3 }", 0.7),
    "slope": ("model m(p=0.3) { input 4 -> dense 8 -> leaky_relu p -> dense 3 -> elu p }", -0.2),
    "threshold": ("model m(p=0.3) { input 4 -> dense 8 -> threshold 0.1 p -> softplus beta=p }", 2.0),
    "rotary": ("model m(p=10_000) { x = input [T, 8]; x -> split_heads 2 -> rotary base=p -> merge_heads }", 500),
    "attention": ("model m(p=0.4) { x = input [T, 8]; (x, x, x) -> attention dropout=p scale=p -> dense 3 }", 0.1),
    "multi-head": ("model m(p=0.4) { x = input [T, 8]; (x, x, x) -> multihead_attention 2 dropout=p }", 0.1),
    "recurrent": ("model m(p=0.4) { (y, _) = input [T, 8] -> gru 5 layers=2 dropout=p; y }", 0.1),
    "clamp": ("model m(p=0.4) { input 4 -> dense 8 -> clamp min=-p max=p }", 0.1),
    "arithmetic": ("model m(p=0.4) { x = input 4; x * p + (1 - p) * (x -> dense 4) }", 0.1),
    "initializer": ("model m(p=0.4) { input 4 -> dense 4 init=normal(p) bias_init=p }", 0.1),
    "block": (
        "block b(p, q=0.5) { in + (in -> dense in.features -> dropout (p * q)) }\nmodel m(p=0.4) { input 4 -> b p -> b (p / 2) -> b 0.3 }",
        0.1,
    ),
    "zero in one use": ("block b(p) { in + (in -> dense 4 -> dropout p) }\nmodel m(p=0.4) { input 4 -> b 0.0 -> b p }", 0.1),
    "rates": (
        "block b(p) { in + (in -> dense 4 -> drop_path p) }\nmodel m(p=0.4) { input 4 -> repeat i in 0..4 { b (p * i / 3) } }",
        0.9,
    ),
    "rates of two loops": (
        "block b(p) { in + (in -> dense 4 -> drop_path p) }\n"
        "model m(p=0.4) { input 4 -> (repeat i in 0..3 { b (p * i / 6) }) as a -> (repeat i in 0..4 { b (p * (3 + i) / 6) }) as c }",
        0.9,
    ),
    "statement": ("let p = 0.4\ninput 4 -> dense 4 -> dropout p", 0.1),
    "negative": ("model m(p=-0.4) { input 4 -> dense 4 -> leaky_relu p }", 0.1),
}
STAYS = {
    "compared": "model m(p=0.4) { input 4 -> dense 4 -> if p > 0 { dropout p } }",
    "rounded": "model m(p=0.5) { input 4 -> dense (round(8 * p)) -> leaky_relu p }",
    "zero": "model m(p=0.0) { input 4 -> dense 4 -> dropout p }",
}
"""Those with a number that decides which stages there are, or of what size; and one without effect."""


def class_of(model: netc.Model) -> Any:
    scope: dict[str, Any] = {}
    exec(model.source(), scope)
    return [c for c in scope.values() if isinstance(c, type) and issubclass(c, torch.nn.Module)][-1]


def compiled(text: str, **params: Any) -> netc.Model:
    return netc.compile('use "std/attention.net": split_heads, merge_heads\n' + text if "heads" in text else text, params=params)


@pytest.mark.parametrize("name", CASES)
def test_other_numbers(name: str) -> None:
    text, other = CASES[name]
    model, wanted = compiled(text), compiled(text, p=other)
    torch.manual_seed(0)
    mine = class_of(model)(p=other)
    torch.manual_seed(0)
    judge = class_of(wanted)()
    torch.testing.assert_close(mine.state_dict(), judge.state_dict(), rtol=0, atol=0)
    assert [m.extra_repr() for m in mine.modules()] == [m.extra_repr() for m in judge.modules()]
    arrays = inputs_for(wanted, {**sizes_of(wanted, {})[1], "N": 5})
    inputs = [tensor(arrays[name], type_) for name, type_ in wanted.inputs.items()]
    for mode in (True, False):
        results = []
        for module in (mine, judge):
            torch.manual_seed(1)
            results.append(module.train(mode)(*inputs))
        torch.testing.assert_close(*results, rtol=0, atol=0)


@pytest.mark.parametrize("name", CASES)
def test_default(name: str) -> None:
    model = compiled(CASES[name][0])
    parameter = inspect.signature(class_of(model).__init__).parameters["p"]
    stated = float(CASES[name][0].partition("p=" if "model" in CASES[name][0] else "p = ")[2].split(")")[0].split("\n")[0])
    assert parameter.default == stated


@pytest.mark.parametrize("name", STAYS)
def test_numbers_that_stay(name: str) -> None:
    assert "p" not in inspect.signature(class_of(compiled(STAYS[name])).__init__).parameters


def test_rates_read_as_they_are_written() -> None:
    source = compiled(CASES["rates of two loops"][0]).source()
    assert "B(p * i / 6) for i in range(3)" in source
    assert "B(p * i / 6) for i in range(3, 7)" in source


@pytest.mark.parametrize(
    ("rate", "written"), [("p * 0 / 6", "0.0"), ("p * 1 / 6", "p / 6"), ("p * 6 / 6", "p"), ("p * 2 / 6", "p * 2 / 6")]
)
def test_no_number_that_does_nothing(rate: str, written: str) -> None:
    text = f"block b(q) {{ in + (in -> dense 4 -> drop_path q) }}\nmodel m(p=0.4) {{ input 4 -> b ({rate}) as one -> b 0.3 as two }}"
    assert f"self.one = B({written})" in compiled(text).source()
