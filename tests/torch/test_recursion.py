"""Blocks that are within themselves: one class that makes itself, and what it is for other arguments.

The judge of a class constructed with another number of levels is the block alone, compiled with that number.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

import netc
from tests.parity import agree

U_NET = """
block cell(x: [N, C, H, W], width, depth) {
  inner = x -> conv width 3x3 stride=2 padding=1 as down -> batch_norm relu as down_norm
  deep = inner -> if depth > 1 { cell (2 * width) (depth - 1) as middle }
  up = deep -> conv_transpose C 2x2 stride=2 as up -> relu
  x + up
}
"""
HOURGLASS = """
block residual(x: [N, C, _, _], width) {
  main = x -> conv width 3x3 padding=1 as conv -> batch_norm relu as bn
  skip = x -> if C != width { conv width 1x1 as project }
  main + skip
}
block cell(x: [N, C, _, _], depth, blocks=1) {
  side = x -> repeat blocks as side { residual C }
  low = x -> max_pool 2 -> residual C as low1
  inner = low -> if depth > 1 { cell (depth - 1) blocks=blocks as low2 } else { residual C as low2 }
  wide = inner -> residual C as low3 -> upsample scale=2
  side + wide
}
"""
FRACTAL = """
block cell(x: [N, C, _, _], width, columns, act=relu, last=false) {
  one = x -> conv width 3x3 padding=1 as conv -> act
  if columns > 1 {
    two = x -> cell width (columns - 1) act=act last=true as first -> cell width (columns - 1) act=act as second
    (one + two) / 2 -> if last { batch_norm as norm }
  } else { one -> if last { batch_norm as norm } }
}
"""
WITHIN_ANOTHER = """
block cell(x: [N, D], width, depth) {
  y = x -> dense width relu as fc
  if depth > 0 { left = y -> cell (width + 2) (depth - 1) as left -> dense width as join; left + y } else { y }
}
block pair(width) { in -> cell width 2 as one -> cell width 1 as two }
"""
TREE = """
block join(x: [N, _, _, _], others..., width) { (x, others) -> concat axis=1 -> conv width 1x1 as conv }
block cell(x: [N, C, _, _], others..., depth, width, stride=1, enter=false, last=relu) {
  small = x -> if stride > 1 { max_pool stride }
  (seen...) = if enter { (others, small) } else { others }
  if depth > 1 {
    first = x -> cell (depth - 1) width stride=stride last=last as tree1
    (first, seen, first) -> cell (depth - 1) width last=last as tree2
  } else {
    skip = small -> if C != width { conv width 1x1 as project }
    first = x -> conv width 3x3 stride=stride padding=1 as conv1
    second = first + skip -> conv width 3x3 padding=1 as conv2
    (second, first, seen) -> join width as root -> last
  }
}
"""
"""What a `seen` has together depends on `enter`, also where all trees of the model with that depth enter."""
NESTED = """
block cell(x: [N, D], others..., depth, wide=false, twice=false) {
  (seen...) = if wide { if twice { (others, x, x) } else { (others, x) } } else { others }
  y = x -> dense D relu as fc
  if depth > 0 { (y, seen, y) -> cell (depth - 1) twice=twice as next } else { (y, seen) -> concat axis=1 -> dense D as last }
}
"""
FRONT = """
block cell(x: [N, D], others..., depth, enter=false) {
  y = x -> dense D relu as fc
  (seen...) = if enter { (y, others) } else { others }
  if depth > 0 { (y, seen, y) -> cell (depth - 1) as next } else { (y, seen) -> concat axis=1 -> dense D as last }
}
"""
CASES = {
    "u-net": (
        U_NET,
        "4x16x16",
        "{} -> cell 6 3 as cell",
        "Cell(4, 6, depth=3)",
        {"6 3": (6, 3), "3 2": (3, 2), "5 1": (5, 1), "2 4": (2, 4)},
    ),
    "hourglass": (
        HOURGLASS,
        "4x16x16",
        "model net(c=4) {{ {} -> conv c 1x1 as stem -> cell 3 blocks=2 as cell }}",
        "Cell(c, depth=3, blocks=2)",
        {"3 blocks=2": (3, 2), "1": (1, 1), "4": (4, 1)},
    ),
    "fractal": (
        FRACTAL,
        "4x8x8",
        "{} -> cell 6 3 act=gelu as cell",
        "Cell(4, 6, columns=3)",
        {"6 3 act=gelu": (6, 3), "5 1 act=gelu": (5, 1), "3 4 act=gelu last=true": (3, 4, True), "3 1 act=gelu last=true": (3, 1, True)},
    ),
    "trees": (
        WITHIN_ANOTHER,
        "5",
        "{} -> pair 4 as p -> cell 3 3 as cell",
        "Cell(4, 3, depth=3)",
        {"3 3": (3, 3), "2 0": (2, 0), "7 5": (7, 5)},
    ),
}
"""The block, its input, the model, how it makes the class, and for arguments of the block the constructor's."""
APART = {
    "a stage of its own": (
        "block b(x: [N, D], layer, depth, width) {\n"
        "  y = x -> layer as own; y -> if depth > 1 { b (dense width) (depth - 1) (2 * width) as inner } }\n"
        "input 3 -> b (dense 5) 3 4 as body -> relu"
    ),
    "a list that gets shorter": (
        "block b(x: [N, D], widths) { y = x -> dense widths[0] relu as fc; y -> if len(widths) > 1 { b widths[1..len(widths)] as next } }\n"
        "input 3 -> b [4, 8, 16] as body -> relu"
    ),
    "by way of another block": (
        "block a(x: [N, D], n) { y = x -> dense D relu as fc; y -> if n > 0 { b (n - 1) as inner } }\n"
        "block b(x: [N, D], n) { x -> a n as one -> layer_norm as norm }\ninput 3 -> a 3 as body -> relu"
    ),
    "a tuple": (
        "block t(x: [N, D], others..., n) { y = x -> dense D as fc\n"
        "  if n > 0 { (y, others, y) -> t (n - 1) as inner } else { (y, others) -> concat axis=1 } }\n"
        "input 3 -> t 3 as body -> relu"
    ),
    "in a sequence": (
        "block b(x: [N, D], n) { x -> (dense D relu -> if n > 0 { b (n - 1) } -> layer_norm) as seq -> relu }\n"
        "input 3 -> b 3 as body -> relu"
    ),
}
"""Models whose levels may be a class each: what counts is what they compute."""


def compiled(case: str) -> Any:
    block, given, model, *_ = CASES[case]
    return netc.compile(block + model.format(f"input {given}"))


@pytest.mark.parametrize("case", CASES)
def test_one_class_makes_itself(case: str) -> None:
    model = compiled(case)
    text = model.source()
    agree(model)
    assert len(re.findall(r"^class Cell\d*\(", text, re.MULTILINE)) == 1
    inside = text.partition("class Cell(")[2].partition("\n\n\n")[0]
    assert re.search(r"self\.\w+ = Cell\(", inside)
    assert f"= {CASES[case][3]}" in text


@pytest.mark.parametrize("case", CASES)
def test_other_numbers_of_levels(case: str) -> None:
    block, given, *_, uses = CASES[case]
    scope: dict[str, Any] = {}
    exec(compiled(case).source(), scope)
    sizes = [int(n) for n in given.split("x")]
    width = 4 if case == "trees" else sizes[0]
    for arguments, values in uses.items():
        shape = "x".join(map(str, (width, *sizes[1:])))
        judge = netc.compile(f"{block}input {shape} -> cell {arguments} as cell -> sum axis=1").module(seed=1).eval()
        module = scope["Cell"](width, *values).eval()
        module.load_state_dict({key.removeprefix("cell."): value for key, value in judge.state_dict().items()})
        x = torch.randn(2, width, *sizes[1:])
        torch.testing.assert_close(module(x).sum(1), judge(x), rtol=0, atol=0)


TREE_MODEL = """
input 4x16x16 -> cell 1 6 stride=2 as one -> cell 2 8 stride=2 enter=true as two
  -> cell 3 8 enter=true as three -> cell 1 6 enter=true as four
"""
FRONT_MODEL = """
input 4 -> cell 2 enter=true as one -> cell 1 as two -> dense 6 -> cell 1 enter=true as three
"""
NESTED_MODEL = """
input 4 -> cell 2 wide=true as one -> cell 1 wide=true twice=true as two -> cell 1 as three -> dense 6 -> cell 1 wide=true as four
"""
WITH_TUPLES = {
    "alone": (TREE + TREE_MODEL, (4,), "1 6", (6, 1), {}),
    "deep": (TREE + TREE_MODEL, (6,), "3 6 stride=2 enter=true", (6, 3), {"stride": 2, "enter": True}),
    "others": (TREE + TREE_MODEL, (4, 2, 5), "1 3", (3, 1), {}),
    "others, deep, entering": (TREE + TREE_MODEL, (4, 2, 5), "2 3 enter=true", (3, 2), {"enter": True}),
    "others, deep": (TREE + TREE_MODEL, (4, 3), "2 5", (5, 2), {}),
    "others, entering": (TREE + TREE_MODEL, (5, 3, 1, 2), "1 5 enter=true", (5, 1), {"enter": True}),
    "in front": (FRONT + FRONT_MODEL, (3, 2, 4), "2 enter=true", (2,), {"enter": True}),
    "nothing in front": (FRONT + FRONT_MODEL, (5, 1), "0", (0,), {}),
    "no if holds": (NESTED + NESTED_MODEL, (3, 2), "2", (2,), {}),
    "one holds": (NESTED + NESTED_MODEL, (3, 2), "1 wide=true", (1,), {"wide": True}),
    "both hold": (NESTED + NESTED_MODEL, (5,), "2 wide=true twice=true", (2,), {"wide": True, "twice": True}),
}
"""The model; the channels of the block's inputs, of the first one and of the tuple; and arguments in the text and of the class."""


@pytest.mark.parametrize("case", WITH_TUPLES)
@pytest.mark.sample(2)
def test_tuples(case: str) -> None:
    text, (width, *others), arguments, positional, keywords = WITH_TUPLES[case]
    compiled = netc.compile(text)
    agree(compiled)
    assert len(re.findall(r"^class Cell\d*\(", compiled.source(), re.MULTILINE)) == 1
    scope: dict[str, Any] = {}
    exec(compiled.source(), scope)
    axes = (8, 8) if text.startswith(TREE) else ()
    block = text.rpartition("}")[0] + "}\n"
    inputs = [f"x{i} = input {'x'.join(map(str, (size, *axes)))}\n" for i, size in enumerate((width, *others))]
    names = ", ".join(f"x{i}" for i in range(len(inputs)))
    judge = netc.compile(f"{block}{''.join(inputs)}({names}) -> cell {arguments} as cell -> sum axis=1").module(seed=1).eval()
    total = {"other_channels" if axes else "other_features": sum(others)} if others else {}
    module = scope["Cell"](width, *positional, **keywords, **total).eval()
    module.load_state_dict({key.removeprefix("cell."): value for key, value in judge.state_dict().items()})
    x, *more = (torch.randn(2, size, *axes) for size in (width, *others))
    torch.testing.assert_close(module(x, tuple(more)).sum(1), judge(x, *more), rtol=0, atol=0)


@pytest.mark.parametrize("case", APART)
def test_what_is_no_one_class(case: str) -> None:
    model = netc.compile(APART[case])
    assert model.diagnostics == ()
    agree(model)
