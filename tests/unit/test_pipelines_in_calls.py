"""Pipelines among the arguments of calls: the same graph as the text in which they have names."""

from __future__ import annotations

import pytest
import torch

import netc
from netc.dsl.formatter import format_source
from netc.dsl.source import SourceFile

PAIRS = [
    ("exp(x -> dense 3 as a)", "p = x -> dense 3 as a; exp(p)"),
    ("relu((x -> dense 4 as a) + y)", "p = x -> dense 4 as a; relu(p + y)"),
    ("maximum(x, (y -> dense 4 as a) * x)", "p = y -> dense 4 as a; maximum(x, p * x)"),
    ("relu((x, y) -> add)", "p = (x, y) -> add; relu(p)"),
    ("x -> mul other=(y + param [4] as b)", "p = param [4] as b; x -> mul other=(y + p)"),
    ("relu(x @ param [4, 2] as b)", "p = param [4, 2] as b; relu(x @ p)"),
    ("concat(x -> sin, y, x -> cos, axis=1)", "p = x -> sin; q = x -> cos; concat(p, y, q, axis=1)"),
    ("concat((x -> sin, y), axis=1)", "p = x -> sin; concat(p, y, axis=1)"),
    ("exp(-(x -> sin) * 2 - (y -> cos) ** 2)", "p = x -> sin; q = y -> cos; exp(-p * 2 - q ** 2)"),
    ("mul(x, other=y -> sin)", "p = y -> sin; mul(x, other=p)"),
    ("relu(mul(x, other=((y -> sin) + 1)))", "p = y -> sin; relu(mul(x, other=(p + 1)))"),
    ("exp(relu(x -> dense 3 as a) -> sin)", "p = x -> dense 3 as a; q = relu(p) -> sin; exp(q)"),
    ("relu(if x.features > 3 { x -> sin } else { x })", "p = x -> sin; relu(p)"),
    ("relu((x -> dense 3 -> dense 4) as g)", "p = (x -> dense 3 -> dense 4) as g; relu(p)"),
    ("where(x > 0, x -> sin, y)", "p = x -> sin; (x > 0, p, y) -> where"),
    ("relu(where(x > 0, x -> sin, y))", "p = x -> sin; (x > 0, p, y) -> where -> relu"),
    ("exp(\n  x  # why\n    -> sin\n    -> dense 3 bias=false as a,\n)", "p = x -> sin -> dense 3 bias=false as a; exp(p)"),
    ("both(x -> sin, z=y -> cos)", "p = x -> sin; q = y -> cos; both(p, z=q)"),
    ("relu(fn_of(2) * (x -> sin))", "p = x -> sin; relu(4 * p)"),
]


def format_text(text: str) -> str:
    formatted, problems = format_source(SourceFile("text", text))
    assert formatted is not None, problems
    return formatted


START = "fn fn_of(n) = n * 2\nblock both(w: [N, D], z: [N, D]) { w * z -> dense 2 }\nx = input 4\ny = input 4\n"


@pytest.mark.parametrize(("text", "named"), PAIRS)
def test_has_the_graph_of_the_text_with_names(text: str, named: str) -> None:
    judge = computed(START + named)
    for same in (START + text, format_text(START + text)):
        operators, result = computed(same)
        assert operators == judge[0]
        assert torch.equal(result, judge[1])


def computed(text: str) -> tuple[list[str], torch.Tensor]:
    """The operators of a text, and what its module computes."""
    model = netc.compile(text)
    module = model.module(seed=3).eval()
    for weight in module.parameters():
        torch.nn.init.normal_(weight, generator=torch.Generator().manual_seed(weight.numel()))
    x = torch.linspace(-2, 2, 8).reshape(2, 4)
    return sorted(node.op_type for node in model.onnx().graph.node), module(x, x * x - 1)


@pytest.mark.parametrize(("text", "named"), PAIRS)
def test_a_layout_of_one_line_is_kept(text: str, named: str) -> None:
    if "\n" not in text:
        assert format_text(START + text).splitlines()[-1] == text
