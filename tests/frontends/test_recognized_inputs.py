"""Operators of several inputs, found again where a PyTorch module or an ONNX file writes them out. PyTorch is the judge."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

import netc
from netc.compiler.dims import make_symbol
from netc.compiler.frontends.composites import definition_patterns
from netc.compiler.frontends.composites.definition_patterns import RECOGNIZED, find_patterns, make_patterns
from netc.compiler.frontends.composites.pattern_matching import UnusablePattern
from netc.compiler.frontends.composites.tensor_terms import Terms
from netc.compiler.frontends.torch import from_module
from netc.compiler.ir.graph import OpNode
from netc.compiler.ops import Operator
from netc.compiler.ops.element_types import FLOATS
from netc.compiler.ops.kinds import NUMBER
from netc.compiler.ops.operand import Input, Inputs
from netc.compiler.ops.operator import Arg, Init, OpInputs, ParameterSpec
from netc.compiler.types.tensor_types import FLOAT32, TensorType

X = TensorType(FLOAT32, (make_symbol("N"), make_symbol("T")))
Computed = Callable[["Module", Tensor, Tensor], Tensor]


class Module(nn.Module):
    def __init__(self, compute: Computed) -> None:
        super().__init__()
        self.compute = compute
        self.bias = nn.Parameter(torch.randn(8))
        self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        return self.compute(self, x, gate)


@pytest.fixture(scope="module", autouse=True)
def gated() -> Iterator[None]:
    """An operator of netc with two inputs, and two more that may be absent."""

    class Gated(Operator):
        """`x` times a power of the gate, scaled and shifted."""

        __module__ = "netc.compiler.ops.gated"  # no plugin
        name = "gated"
        x = Input(FLOATS)
        gate = Input(FLOATS)
        scale = Input(FLOATS, optional=True)
        bias = Input(FLOATS, optional=True)
        power = Arg(NUMBER, default=1.5)
        definition = """
            y = x * sigmoid(gate) ** power
            z = if given(scale) { y * exp(scale) } else { y }
            if given(bias) { z + bias } else { z }
        """

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(definition_patterns, "RECOGNIZED", (*RECOGNIZED, "gated"))
        make_patterns.cache_clear()
        yield
    make_patterns.cache_clear()
    Operator.registry.remove("gated")


FORMS: dict[str, Computed] = {
    "(x, gate) -> gated": lambda self, x, gate: x * torch.sigmoid(gate) ** 1.5,
    "(x, gate) -> gated bias=bias": lambda self, x, gate: x * torch.sigmoid(gate) ** 1.5 + self.bias,
    "(x, gate) -> gated scale=bias": lambda self, x, gate: torch.exp(self.bias) * (torch.sigmoid(gate) ** 1.5 * x),
    "(x, gate) -> gated scale=bias bias=gate": lambda self, x, gate: gate + x * torch.sigmoid(gate) ** 1.5 * self.bias.exp(),
    "(x, x) -> gated": lambda self, x, gate: x * torch.sigmoid(x) ** 1.5,
    "(x -> dense 8 as a, gate -> dense 8 as b) -> gated bias=(bias * 2)": lambda self, x, gate: (
        2 * self.bias + torch.sigmoid(self.b(gate)) ** 1.5 * self.a(x)
    ),
}
OTHERS: dict[str, Computed] = {
    "another power": lambda self, x, gate: x * torch.sigmoid(gate) ** 1.25 + self.bias,
    "a factor": lambda self, x, gate: x.sum(-1, keepdim=True).exp() - torch.sigmoid(gate) ** 1.5,
}


def imported(compute: Computed) -> str:
    """The last line of the spec, whose module computes what PyTorch does."""
    module, x, gate = Module(compute).eval(), torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    made = netc.from_torch(module, (x, gate), {0: ["N", "T"], 1: ["N", "T"]})
    torch.testing.assert_close(made.module()(x, gate), module(x, gate))
    return made.spec().splitlines()[-1]


@pytest.mark.parametrize("text", FORMS)
def test_a_module_that_writes_it_out(text: str) -> None:
    assert imported(FORMS[text]) == text


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_another_function_stays(name: str) -> None:
    assert "gated" not in imported(OTHERS[name])


@pytest.mark.parametrize(
    "stage", ["(x, g) -> gated", "(x, g) -> gated scale=s", "(x, g) -> gated bias=b", "(x, g) -> gated scale=s bias=b"]
)
def test_an_onnx_file_that_writes_it_out(stage: str, tmp_path: Path) -> None:
    declared = "".join(f"{name} = input [T, 8]; " for name in re.findall(r"\b[xgsb]\b", stage))
    onnx.save(netc.compile(declared + stage).onnx(), tmp_path / "net.onnx")
    assert netc.from_onnx(tmp_path / "net.onnx").spec().splitlines()[-1] == stage


def test_every_operator_of_the_table_can_be_recognized() -> None:
    found = {pattern.op.name for rank in range(1, 6) for pattern in make_patterns(rank)}
    assert found >= {*RECOGNIZED, "gelu", "layer_norm", "rms_norm", "normalize", "gated"}


class _Mixed(Operator):
    x = Input(FLOATS)
    y = Input(FLOATS)


class _Unused(_Mixed):
    """It has an input that the result does not depend on."""

    definition = "x * 2"


class _Learned(_Mixed):
    """It has a parameter."""

    definition = "x * y * alpha"

    def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
        return (ParameterSpec("alpha", (), init=Init("ones")),)


class _Two(_Mixed):
    """It has two results."""

    definition = "(x * 2, y * 2)"


class _Any(Operator):
    """It has any number of inputs."""

    xs = Inputs()
    definition = "xs -> concat (-1)"


@pytest.mark.parametrize(
    ("operator", "why"),
    [
        (_Unused, "does not use all of its inputs"),
        (_Learned, "has a parameter"),
        (_Two, "has 2 results"),
        (_Any, "`xs` is any number of tensors"),
    ],
)
def test_what_cannot_be_recognized_is_refused(operator: type[Operator], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "name", "unusable")  # later than the class, so that it is not registered
    with pytest.raises(UnusablePattern, match=why):
        find_patterns(operator(), X)


def test_a_term_is_small_where_each_step_reads_its_input_several_times() -> None:
    # A delta rule in place, as in Qwen3.5, has 63 such steps. Written out, the term of the last one would have 5**10 operators.
    def steps(m: nn.Module, x: Tensor, gate: Tensor) -> Tensor:
        for _ in range(12):
            x = x * x.sin() + x.cos() * x.tanh() - x
        return x + gate

    graph = from_module(Module(steps), (torch.randn(2, 8), torch.randn(2, 8))).program.main
    makers = {id(value): node for node in graph.nodes if isinstance(node, OpNode) for value in node.outputs}
    terms = Terms(lambda value: makers.get(id(value)), graph.outputs[0])
    assert len(repr(terms.term)) < 200_000
