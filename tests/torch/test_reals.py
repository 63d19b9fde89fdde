"""Floats that are computed from sizes: the class computes them from its arguments, with the operations of the spec.

The judge is the compiler's other way to the same network: the spec elaborated with the other sizes. Parameters that are drawn with the same
seed are equal to the last bit only if the numbers of their initializers are.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

import netc

CASES = {
    "power": "x = input width -> dense width init=normal(width ** -0.5)",
    "functions": "input width -> dense width init=normal(1 / sqrt(2 * width) + log(width) * exp(-width) + float(width) // 3)",
    "negative": "input width -> dense width init=uniform(-(width ** -0.5), width ** -0.5)",
    "order": "input width -> dense width init=normal(1 / (width - 0.5) / (2 / width ** 0.5) + (0.1 - (0.3 - width * 0.7)) ** 2 ** 0.5)",
    "constant": "input width -> dense width init=constant(0.1 * width) bias_init=width",
    "number": "input width -> dense width init=(0.1 * width ** 0.5) bias_init=(0.2 / width)",
    "tensor": "x = input width\nx / width ** 0.5 -> dense 3",
    "param": "x = input width\nx * (param [width] init=normal(width ** -0.5) as scale) + (param [width] init=width as shift)",
    "table": "x = input width\nt = table (i, j) [3, 3] float32 = width if i > j else width * 0.25\n(x -> dense 3) @ t",
    "constant table": "x = input width\nt = table (i) [3] float32 = width * 0.25\n(x -> dense 3) * t",
    "integer table": "x = input width\nt = table (i) [3] int64 = width * 2.0\n(x -> dense 3) * t",
    "power table": "x = input width\nt = table (i) [3] float32 = i * (width ** -0.5) + width\n(x -> dense 3) * t",
    "scale": "x = input [T, width]\n(x, x, x) -> attention scale=(1 / sqrt(x.features)) -> dense 3",
    "parameter": (
        "block b(std) { in -> dense in.features init=normal(std) as inner -> relu }\n"
        "input width -> b (2 / width ** 0.5) -> b 0.5 -> dense 3"
    ),
    "two ways": (
        "block b(std, n) { in -> dense (3 * n) init=normal(std) -> relu }\ninput width -> b (width ** -0.5) 2 -> b (width ** -0.5 / 2) 4"
    ),
    "through blocks": (
        "block a(std) { in -> dense in.features init=normal(std) as one -> relu }\nblock b(std) { in -> a (std / 3.0) as two -> relu }\n"
        "input width -> b (width * 0.01) -> b (width * 0.02)"
    ),
    "stage value": (
        "block b(first) { in -> first as one -> relu }\n"
        "block c() { in -> b (dense 3 init=normal(in.features ** -0.5)) as own -> relu }\ninput width -> c -> dense width -> c"
    ),
    "integers": "x = input [5] int64\nx + (param [5] int64 init=constant(width * 2.0) trainable=false) -> cast float32 -> dense width",
    "default": "input width -> dense width init=normal(width / 8.0)",
    "depth": "input 4 -> repeat width as layers { dense 4 init=normal(0.02 / sqrt(2 * width)) relu }",
    "recursion": (
        "block b(w, inner, n) { in -> inner as used -> if n > 0 { b (w * 2) (dense 8 init=normal(w ** -0.5)) (n - 1) as below } }\n"
        "input 8 -> b width (dense 8 init=normal(width ** -0.5)) 2 -> relu"
    ),
    "loop": "input width -> repeat rate in [0.5 * width, width / 2.0] as layers { dense width init=normal(rate) relu }",
    "probability": "block b(rate) { in -> dense 4 -> dropout rate }\ninput 4 -> b (width / 100.0) -> b 0.5 -> dense width",
}
"""Models with a parameter `width`."""
FIXED = {
    "rounded": "input 8 -> dense (int(width * 1.5)) -> dense 3",
    "compared": "input width -> if width ** 0.5 > 2 { relu } -> dense 3",
    "extreme": "input width -> dense 3 init=normal(max(width * 0.1, 0.2))",
    "summed": "input width -> dense 3 init=normal(sum([width * 0.1, 0.2, width]))",
    "size": "input 4 -> dense (width * 0.5) init=ones",
    "long": "let s = width * 0.1\nlet t = s * s + s * s + s * s + s * s\nlet u = t * t + t * t\ninput width -> dense 3 init=normal(u)",
}
"""Those whose number of a float is not computed by the class: `width` is no argument."""


def compiled(text: str, width: int) -> netc.Model:
    return netc.compile(f"let width = 7\n{text}", params={"width": width})


def class_of(model: netc.Model) -> type[torch.nn.Module]:
    scope: dict[str, Any] = {}
    exec(model.source(), scope)
    found = [c for c in scope.values() if isinstance(c, type) and issubclass(c, torch.nn.Module)]
    return found[-1]


def started(made: Any) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return made().state_dict()  # type: ignore[no-any-return]


@pytest.mark.share(2)
@pytest.mark.parametrize("name", CASES)
def test_other_sizes(name: str) -> None:
    model = compiled(CASES[name], 8)
    for width in (8, 5, 12):
        other = compiled(CASES[name], width)
        expected, module = class_of(other), class_of(model)
        found = started(lambda module=module, width=width: module(width=width))
        torch.testing.assert_close(found, started(expected), rtol=0, atol=0)
        size = other.inputs[next(iter(other.inputs))].shape[-1]
        x = (
            torch.linspace(-2, 2, 6 * int(size)).reshape(2, 3, -1)
            if name == "scale"
            else torch.linspace(-2, 2, 2 * int(size)).reshape(2, -1)
        )
        judge = other.module(weights=found).eval()
        mine = module(width=width).eval()
        mine.load_state_dict(found)
        torch.testing.assert_close(mine(x), judge(x), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", FIXED)
def test_sizes_that_stay(name: str) -> None:
    model = compiled(FIXED[name], 8)
    assert "width" not in class_of(model)().__init__.__code__.co_varnames  # type: ignore[misc]
