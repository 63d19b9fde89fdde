"""Parameters of blocks that are stages, such as `activation=relu`: one class that takes what makes or computes them.

The judge of the class with another stage is the block alone, compiled with that.
"""

from __future__ import annotations

import inspect
import re
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

import netc
from tests.parity import agree

ROW = "block cell(width, act=relu, norm=batch_norm) { conv width 3x3 padding=1 as 0 -> norm as 1 -> act }"
WIRED = "block cell(width, act=gelu) { x = in -> dense width as fc -> act; x * (in -> dense width as gate -> act) }"
TRAILING = "block cell(width, act) { in -> dense width act as fc1 -> dense width as fc2 }"
GROUP = "block cell(width, act=relu) { x = in -> (dense (2 * width) -> act -> dense width) as mlp; x + sin(x) }"
PASSED = (
    "block inner(width, act=relu) { dense width as 0 -> act }\n"
    "block cell(width, act, deep) { h = in -> (if deep { inner width act=act } -> inner width act=act -> inner width act=identity) as fc; "
    "h + sin(h) }"
)

Case = tuple[str, str, list[str]]
CASES: dict[str, Case] = {
    "row": (ROW, "3x8x8", ["4", "4 act=hardswish", "4 act=identity", "5 act=(leaky_relu 0.3)", "4 norm=instance_norm"]),
    "wired": (WIRED, "4", ["4", "4 act=relu", "5 act=identity", "5 act=(gelu approximate=tanh)", "5 act=(elu 0.5)"]),
    "trailing": (TRAILING, "4", ["4 act=relu", "4 act=silu"]),
    "group": (GROUP, "4", ["4", "4 act=silu", "5 act=(softplus beta=2)"]),
    "passed": (PASSED, "4", ["4 relu true", "4 relu false", "4 tanh false", "4 (leaky_relu 0.5) true"]),
}


def compiled(case: str) -> netc.Model:
    text, given, uses = CASES[case]
    return netc.compile(f"{text}\ninput {given} -> " + " -> ".join(f"cell {use}" for use in uses))


def scope_of(source: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    exec(source, scope)
    return scope


@pytest.mark.parametrize("case", CASES)
def test_one_class(case: str) -> None:
    model = compiled(case)
    assert re.findall(r"^class (\w+)", model.source(), re.MULTILINE)[-2:] == ["Cell", "Net"]
    assert len(re.findall(r"^class Cell\w*", model.source(), re.MULTILINE)) == 1
    agree(model)


OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "row": ("5 act=(celu 0.5)", {"act": partial(nn.CELU, alpha=0.5), "norm": nn.BatchNorm2d}),
    "wired": ("6 act=softsign", {"act": functional.softsign}),
    "trailing": ("3 mish", {"act": functional.mish}),
    "group": ("7 act=selu", {"act": nn.SELU}),
    "passed": ("4 selu true", {"act": nn.SELU, "deep": True}),
}


@pytest.mark.parametrize("case", OTHERS)
def test_other_stages(case: str) -> None:
    """What the class is for a stage that no use gives."""
    use, given_by_name = OTHERS[case]
    text, given, _ = CASES[case]
    judge = netc.compile(f"{text}\ninput {given} -> cell {use} as cell").module(seed=1).eval()
    cell = scope_of(compiled(case).source())["Cell"]
    sizes = {"in_channels": 3, "in_features": 4, "width": int(use[0])}
    taken = inspect.signature(cell.__init__).parameters
    module = cell(**{name: value for name, value in (sizes | given_by_name).items() if name in taken})
    module.load_state_dict({key.removeprefix("cell."): value for key, value in judge.state_dict().items()})
    x = torch.randn(2, *map(int, given.split("x")))
    torch.testing.assert_close(module.eval()(x), judge(x), rtol=0, atol=0)


def test_signatures() -> None:
    row, wired = compiled("row").source(), compiled("wired").source()
    assert "act: Callable[..., nn.Module] = nn.ReLU" in row
    assert "norm: Callable[..., nn.Module] = nn.BatchNorm2d" in row
    assert "act=partial(nn.LeakyReLU, negative_slope=0.3)" in row
    assert "act=nn.Identity" in row
    assert "norm=nn.InstanceNorm2d" in row or "norm=partial(nn.InstanceNorm2d" in row
    assert "act: Callable[[Tensor], Tensor] = F.gelu" in wired
    assert 'act=partial(F.gelu, approximate="tanh")' in wired
    assert "act=nn.Identity()" in wired


def test_no_argument_where_all_are_alike() -> None:
    text, given, _ = CASES["row"]
    source = netc.compile(f"{text}\ninput {given} -> cell 4 act=silu -> cell 5 act=silu").source()
    assert "nn.SiLU()" in source
    assert "Callable" not in source
    alone = netc.compile(f"{text}\ninput {given} -> cell 4 act=identity -> cell 5 act=identity").source()
    assert "Identity" not in alone


def test_numbers_that_differ() -> None:
    """Of one operator, the numbers are the arguments."""
    text, given, _ = CASES["row"]
    source = netc.compile(f"{text}\ninput {given} -> cell 4 act=(leaky_relu 0.1) -> cell 5 act=(leaky_relu 0.2)").source()
    assert "nn.LeakyReLU(negative_slope=negative_slope)" in source
    assert "Callable" not in source


def test_optional_argument() -> None:
    """A number that is needed only where a flag is set is None where it is not."""
    text = (
        "fn wide(n) = int(n * 1.5)\n"
        "block cell(n, extra) { h = in -> (dense n -> if extra { inner wide(n) } -> dense n) as fc; h + sin(h) }\n"
        "block inner(extra) { h = in -> dense extra as a; h -> dense 4 as b -> sin }"
    )
    model = netc.compile(f"{text}\ninput 4 -> cell 4 true -> cell 6 false -> cell 8 true")
    source = model.source()
    assert "extra: int | None = None" in source
    assert "if extra is not None" in source
    agree(model)
