"""The `if`s of a block that its uses decide differently: one class, and what it is for other arguments.

The judge of a class constructed with other arguments is the block alone, compiled with these.
"""

from __future__ import annotations

import inspect
import re
from itertools import product
from typing import Any

import pytest
import torch

import netc
from tests.parity import agree

RESIDUAL = (
    "block cell(width, stride=1) { main = in -> conv width 3x3 stride=stride padding=1 as conv; skip = in -> "
    "if stride != 1 or in.channels != width { conv width 1x1 stride=stride as down }; main + skip }"
)
FLAGS = (
    "block cell(width, normed=false, wide=true) { in -> dense width as fc -> if normed { layer_norm as norm } -> relu "
    "-> if not wide and width > 2 { dense width as out } -> dense 3 as last }"
)
BRANCHES = "block cell(deep) { in -> if deep { dense 3 as fc } else { relu } -> dense 3 as last }"
TWO_STAGES = "block cell(deep) { in -> if deep { dense 3 -> relu } -> dense 3 as last }"
LAYERS = (
    "block cell(width, ratio) { main = in -> (if ratio != 1 { dense (ratio * in.features) relu } -> dense width -> layer_norm) as fc; "
    "if in.features == width { in + (main -> sin) } else { main } }"
)
EITHER = (
    "block cell(width, deep=0) { in -> (if deep > 0 { dense 7 relu -> if deep > 1 { dense 7 relu } -> dense width } "
    "else { dense width tanh }) as fc -> layer_norm as norm }"
)
SEVERAL = (
    "block cell(width, up=0, left=0) { h = in -> dense width as fc; h -> if up > 0 { roll up axis=1 } -> if up + left > 0 "
    "{ grown = sin(in) + in; grown * cos(in) } -> dense 3 as last -> if left > 0 { in + h } }"
)
NESTED = (
    "block cell(width, a=false, b=false) { x = in -> dense width as fc; y = x -> if a { h = in -> sin; h -> if b { dense width as inner -> "
    "cos } else { exp } } else { in -> cos }; x + y }"
)
PARAMETERS = (
    "block cell(width, shift=0) { k = table (i) [in.features] = i + shift; h = in * cast(k, float32) -> dense width as fc; "
    "h -> if shift > 0 { bias = param [width] init=1 as bias; t = table (i) [width] float32 = shift * i; in * bias + t } }"
)
OPPOSITE = (
    "block cell(width, stride=1) { (skip, main) = in -> if stride == 1 { chunk 2 axis=1 } else { (in, in) }; "
    "left = skip -> if stride != 1 { dense width as a }; right = main -> dense width as b; "
    "(left, right) -> concat axis=1 -> dense 3 as last }"
)
SIZES_BY_CONDITION = (
    "block cell(width, wide=false) { h = if wide { (in, in) -> concat axis=1 } else { in -> slice axis=1 start=0 stop=2 }; "
    "h -> dense width as fc -> if not wide { relu } -> dense 3 as last }"
)
SEQUENCE = "block cell(width, deep=false) { in -> dense width as 0 -> relu -> if deep { dense width as 2 } else { layer_norm as 2 } }"

CASES: dict[str, tuple[str, str, list[str], list[str]]] = {
    "residual": (RESIDUAL, "4x8x8", ["4", "8 stride=2", "8"], ["5", "4 stride=3", "6 stride=2"]),
    "flags": (FLAGS, "3", ["4", "4 normed=true", "6 normed=true wide=false"], ["2 wide=false", "5 wide=false", "7 normed=true"]),
    "branches": (BRANCHES, "3", ["true", "false"], ["true", "false"]),
    "two stages": (TWO_STAGES, "3", ["true", "false"], ["true", "false"]),
    "layers": (LAYERS, "4", ["6 1", "6 2", "5 2", "5 1"], ["4 3", "4 1", "7 5", "7 1"]),
    "either": (EITHER, "4", ["6", "5 deep=1", "6 deep=2"], ["3", "4 deep=4", "8 deep=1"]),
    "several": (SEVERAL, "4", ["3", "3 up=1", "3 left=2", "3 up=2 left=1"], ["3 up=1 left=3", "3 up=2", "3 up=3 left=-5", "3 left=-1"]),
    "nested": (NESTED, "4", ["4", "4 a=true", "4 a=true b=true"], ["5", "3 b=true", "6 a=true b=true"]),
    "opposite": (OPPOSITE, "6", ["4", "4 stride=2", "5 stride=3"], ["7", "2 stride=4", "3 stride=0", "4 stride=1"]),
    "sizes by condition": (SIZES_BY_CONDITION, "4", ["3", "5 wide=true"], ["6", "7 wide=true"]),
    "sequence": (SEQUENCE, "3", ["4", "4 deep=true"], ["5", "2 deep=true"]),
    "parameters": (PARAMETERS, "4", ["4", "4 shift=2"], ["5 shift=3", "6"]),
}


def compiled(case: str) -> netc.Model:
    text, given, uses, _ = CASES[case]
    return netc.compile(f"{text}; input {given} -> " + " -> ".join(f"cell {use}" for use in uses))


def classes(model: netc.Model) -> list[str]:
    return re.findall(r"^class (\w+)", model.source(), re.MULTILINE)


def scope_of(model: netc.Model) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    exec(model.source(), scope)
    return scope


@pytest.mark.parametrize("case", CASES)
def test_one_class(case: str) -> None:
    model = compiled(case)
    assert classes(model) == ["Cell", "Net"]
    agree(model)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.sample(3)
def test_other_arguments(case: str) -> None:
    """What the class is for arguments that no use has."""
    text, given, uses, others = CASES[case]
    cell = scope_of(compiled(case))["Cell"]
    for arguments in (*uses, *others):
        alone = netc.compile(f"{text}; input {given} -> cell {arguments} as cell")
        judge = alone.module(seed=1).eval()
        sizes = [int(n) for n in given.split("x")]
        module = constructed(cell, sizes[0], arguments, text)
        module.load_state_dict({key.removeprefix("cell."): value for key, value in judge.state_dict().items()})
        x = torch.randn(2, *sizes)
        torch.testing.assert_close(module.eval()(x), judge(x), rtol=0, atol=0)


def constructed(cell: Any, features: int, arguments: str, text: str) -> torch.nn.Module:
    """The class with the arguments of a use: the block's, and the size of its input where it takes that."""
    declared = re.findall(r"(\w+)(?:=(\w+))?[,)]", re.findall(r"cell(\([^)]*\))", text)[0])
    given = {name: default for name, default in declared if default}
    given |= dict(zip((name for name, _ in declared), (a for a in arguments.split() if "=" not in a), strict=False))
    given |= dict(a.split("=") for a in arguments.split() if "=" in a)
    values = {name: value == "true" if value in ("true", "false") else int(value) for name, value in given.items()}
    taken = list(inspect.signature(cell.__init__).parameters)[1:]
    made = cell(**{name: values.get(name, features) for name in taken})
    assert isinstance(made, torch.nn.Module)
    return made


def test_condition_of_sizes() -> None:
    source = compiled("residual").source()
    assert "if stride != 1 or in_channels != width\n            else None" in source
    assert "skip = x if self.down is None else self.down(x)" in source


def test_condition_of_flags() -> None:
    source = compiled("flags").source()
    assert "self.norm = nn.LayerNorm(width) if normed else None" in source
    assert "self.out = nn.Linear(width, width) if not wide and width > 2 else None" in source


def test_members_of_a_sequence() -> None:
    source = compiled("layers").source()
    assert "        if ratio != 1:\n            layers" in source
    assert "return x + torch.sin(main) if self.use_residual else main" in source


@pytest.mark.parametrize("test", ['mode == "a"', "width > 4.5"])
def test_conditions_that_arguments_do_not_say(test: str) -> None:
    text = f"block cell(width, mode) {{ in -> dense width as fc -> if {test} {{ dense 3 as more }} }}"
    model = netc.compile(f'{text}; input 3 -> cell 4 "a" -> cell 5 "b" -> cell 4 "b" -> cell 5 "a"')
    assert len(classes(model)) == 3
    agree(model)


INNER = {
    "residual": "{ y = in -> dense 4 as a -> dense 4 as b; if flag { in + y } else { y } }",
    "one operator": "{ in -> if flag { dense 4 as a -> tanh -> dense 4 as b } else { dense 4 as a } }",
    "nothing": "{ in -> if flag { dense 4 as a -> relu -> dense 4 as b } }",
    "two": "{ if flag { (in -> dense 4 as a) * (in -> dense 4 as b) } else { in -> dense 4 as a -> tanh } }",
}
LOOPS = {
    "collecting": "{ (_, more[]) = in -> repeat times as m { y = in -> part flag as _; out y, y }; "
    "(in, more) -> concat axis=1 -> dense 4 as e }",
    "collecting, written": "{ (_, more[]) = in -> repeat times as m { y = in -> part flag as q; out y, y }; "
    "more -> concat axis=1 -> dense 4 as e }",
    "plain": "{ in -> repeat times as m { part flag as _ } -> dense 4 as e }",
    "with more": "{ in -> repeat times as m { part flag as q -> tanh } -> dense 4 as e }",
    "each": "{ parts = in -> each i in range(times) as m { part flag as _ }; parts -> concat axis=1 -> dense 4 as e }",
}


@pytest.mark.parametrize(("inner", "loop"), list(product(INNER, LOOPS)))
@pytest.mark.sample(3)
def test_ifs_in_loops(inner: str, loop: str) -> None:
    """An `if` in the body of a loop, decided otherwise in each use of the block around: the loop's members are of one kind or of two."""
    blocks = f"block part(flag) {INNER[inner]}\nblock cell(flag, times) {LOOPS[loop]}\n"
    agree(netc.compile(f"{blocks}input 4 -> cell true 2 -> cell false 2 -> cell true 1 -> cell false 1"))


@pytest.mark.parametrize("uses", ["true 1 -> cell false 1", "true 2 -> cell false 1", "false 1 -> cell true 3 -> cell true 1"])
def test_residual_layers_in_a_loop(uses: str) -> None:
    """YOLO's C2f: one class for the layer, and one for the block around, which passes its parameter on even to layers that only the uses
    with a residual connection have."""
    model = netc.compile(f"block part(flag) {INNER['residual']}\nblock cell(flag, times) {LOOPS['collecting']}\ninput 4 -> cell {uses}")
    assert classes(model) == ["MLayer", "Cell", "Net"]
    agree(model)
    assert "True" not in re.findall(r"class Cell.*?class Net", model.source(), re.DOTALL)[0]
