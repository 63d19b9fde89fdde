"""What reviewers of emitted sources ask for: each case is the spec that showed it, and Python or PyTorch is the judge of the numbers."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
import torch

import netc
from netc.compiler.backends.python.code.factored_formulas import factor_formula
from netc.compiler.dims import evaluate_dim, make_symbol

SPECS = Path(__file__).parents[2] / "specs"
A, B, C = (make_symbol(name, lower=None) for name in "abc")


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (A * B * C + 2 * A * B, "a * b * (c + 2)"),
        (A * B - A, "a * (b - 1)"),
        (2 * A * A - 2 * A, "2 * a * (a - 1)"),
        (4 * A * A - 4 * A + 1, "(2 * a - 1)**2"),
        (A * A + 2 * A + 1, "(a + 1)**2"),
        (A * A + A + 1, "a**2 + a + 1"),
        ((A - 1) // 2, "(a - 1) // 2"),
        (A // 2 + 1, "a // 2 + 1"),
        (A + B, "a + b"),
    ],
)
def test_formulas_are_factored(formula: object, text: str) -> None:
    found = factor_formula(formula, {name: name for name in "abc"})  # type: ignore[arg-type]
    assert found == text
    for a, b, c in ((3, 4, 5), (1, 2, 8), (10, 3, 2)):
        values = {"a": a, "b": b, "c": c}
        assert eval(found, dict(values)) == evaluate_dim(formula, values)  # type: ignore[arg-type]


def emitted(text: str) -> tuple[str, dict[str, type[torch.nn.Module]]]:
    source = netc.compile(text).source()
    scope: dict[str, type[torch.nn.Module]] = {}
    exec(source, scope)
    return source, scope


HALVES = """
block half(width, act=true) { conv (ceil(width / 2)) 3x3 padding=1 as conv -> if act { relu } }
block layer(x: [N, C, _, _], width, stride=1, squeezed=0) {
  x -> half width as one
    -> if stride > 1 { conv (C // 2) 3x3 stride=stride padding=1 as down -> batch_norm as bn }
    -> if squeezed > 0 { squeeze squeezed as se }
    -> half width act=false as two
}
block squeeze(width) { in * (in -> conv width 1x1 as a -> conv in.channels 1x1 as b -> sigmoid) }
model net { input 4x8x8 -> layer 8 as l1 -> layer 8 stride=2 as l2 -> layer 8 squeezed=4 as l3 -> layer 8 stride=2 squeezed=2 as l4 }
"""


def test_the_ceiling_of_an_integer_keeps_its_formula() -> None:
    source, scope = emitted("block half(width) { dense (ceil(width / 2)) }\nmodel net { input 6 -> half 8 as a -> half 12 as b }")
    assert "width // 2" in source
    layer = next(cls for name, cls in scope.items() if name == "Half")
    assert next(p.shape for p in layer(4, 20).parameters()) == (10, 4)


def test_conditions_in_a_row_are_statements_in_a_row() -> None:
    source, scope = emitted(HALVES)
    assert "if self.se is not None:\n" in source
    assert source.count("self.down(") == 1
    assert "act: bool = True" in source
    assert source.index("class Squeeze") < source.index("class Layer")
    x = torch.randn(2, 4, 8, 8)
    assert scope["Net"]()(x).shape == (2, 4, 2, 2)


def run_linear(x: torch.Tensor, state: dict[str, torch.Tensor], names: list[str]) -> torch.Tensor:
    for name in names:
        x = torch.nn.functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])
    return x


def test_each_of_two_flags_is_merged_with_the_number_that_it_needs() -> None:
    """None stands for a part that is left out, so no flag says it once more. Layers have both parts, one of them, or none."""
    block = (
        "block layer(at, wide=true, low=true) {\n  let many = [7, 9, 5, 6]\n  let few = [3, 1, 2, 5]\n"
        "  (in -> if wide { dense (many[at]) as a -> dense 4 as b }) + (in -> if low { dense (few[at]) as c -> dense 4 as d })\n}\n"
    )
    uses = list(product((True, False), repeat=2))
    stages = " -> ".join(f"layer {i} wide={wide} low={low} as l{i}".lower() for i, (wide, low) in enumerate(uses))
    source, scope = emitted(f"{block}model net {{ input 4 -> {stages} }}")
    assert "bool" not in source
    assert source.count(": int | None") == 2
    module = scope["Net"]()
    state = module.state_dict()
    x = y = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    for i, (wide, low) in enumerate(uses):
        first, second = ([f"l{i}.{part}" for part in parts] for parts in ("ab" * wide, "cd" * low))
        y = run_linear(y, state, first) + run_linear(y, state, second)
    torch.testing.assert_close(module(x), y)


def test_a_parameter_that_explains_numbers_has_a_name() -> None:
    """Other windows would have to be padded, which is another branch: so it is no argument of Swin's class."""
    source = netc.compile_file(SPECS / "vision" / "swin.net", model="swin_t").source()
    assert "window = 7\n" in source
    assert not re.search(r"\b(49|84|169|343|2401|7\*\*\d)\b", source)
