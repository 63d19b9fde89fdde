"""An operator of netc that has a definition and nothing else: its types and its costs are derived, in every part of netc."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
import pytest
import torch

import netc
from netc.compiler.dims import Facts
from netc.compiler.ops import Operator
from netc.compiler.ops.element_types import FLOATS
from netc.compiler.ops.kinds import NUMBER
from netc.compiler.ops.operand import Input
from netc.compiler.ops.operator import Arg, OpInputs
from netc.compiler.types.tensor_types import FLOAT32, TensorType


@pytest.fixture(scope="module")
def gated() -> Iterator[type[Operator]]:
    class Gated(Operator):
        """`x` times a power of the gate."""

        __module__ = "netc.compiler.ops.gated"  # no plugin
        name = "gated"
        x = Input(FLOATS)
        gate = Input(FLOATS, optional=True)
        power = Arg(NUMBER, default=1.5, positional=True)
        definition = "if given(gate) { x * sigmoid(gate) ** power } else { x * sigmoid(x) ** power }"

    assert not Gated.is_plugin()
    yield Gated
    Operator.registry.remove("gated")


@pytest.fixture(scope="module")
def product() -> Iterator[type[Operator]]:
    class Product(Operator):
        """A matrix product, halved."""

        __module__ = "netc.compiler.ops.gated"
        name = "half_product"
        x = Input(FLOATS)
        y = Input(FLOATS)

        def write_definition(self, given: OpInputs) -> str:
            return "(x @ y) / 2" if given.x.rank > 1 else ""

    yield Product
    Operator.registry.remove("half_product")


@pytest.mark.usefixtures("gated")
def test_a_definition_is_enough() -> None:
    x, gate = torch.randn(2, 5, 8), torch.randn(2, 5, 8)
    model = netc.compile("x = input [T, 8]; g = input [T, 8]; (x, g) -> gated -> gated 2")
    first = x * torch.sigmoid(gate) ** 1.5
    wanted = first * torch.sigmoid(first) ** 2
    torch.testing.assert_close(model.module()(x, gate), wanted)
    torch.testing.assert_close(torch.from_numpy(model.session()(x.numpy(), gate.numpy())), wanted, rtol=1e-3, atol=1e-4)
    onnx.checker.check_model(model.onnx())


@pytest.mark.usefixtures("gated", "product")
def test_costs_are_those_of_the_definition() -> None:
    # a sigmoid, a power and a product for each of 8 features
    assert str(netc.compile("x = input [T, 8]; g = input [T, 8]; (x, g) -> gated").summary().totals.flops) == "24*T"
    totals = netc.compile("x = input [T, 3]; y = input [3, 5] batch=false; (x, y) -> half_product").summary().totals
    assert (str(totals.multiply_adds), str(totals.flops)) == ("15*T", "35*T")  # 5 results, of 3 products each and one half


@pytest.mark.usefixtures("gated", "product")
@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("x = input 3; g = input 4; (x, g) -> gated", "cannot multiply [N, 3] and [N, 4]"),
        ("x = input [3] batch=false; y = input 3 batch=false; (x, y) -> half_product", "`define` gives no text"),
    ],
)
def test_inputs_that_it_does_not_take_are_named(text: str, cause: str) -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(text)
    (problem,) = caught.value.diagnostics
    assert problem.code == "refused-by-definition"
    assert problem.message.endswith(f"does not compile for these inputs: {cause}")
    assert len({mark.span.text for mark in problem.marks if mark.text.startswith("this is the input `")}) == 2


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("x * sigmoid(x", "this `(` is never closed"),
        ("x * sigmoid(y)", "`y` is not defined here"),
        ("x -> dense 3", "it has parameters that `parameters` does not declare"),
        ("let k = 3", "the definition of `gated` has no result"),
    ],
)
def test_a_wrong_definition_is_named(text: str, cause: str, gated: type[Operator], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gated, "definition", text)
    with pytest.raises(netc.CompileError) as caught:
        netc.compile("input 3 -> gated")
    assert [problem.message for problem in caught.value.diagnostics] == [
        f"the definition of `gated` does not compile for these inputs: {cause}"
    ]


def test_an_operator_needs_a_rule_or_a_definition() -> None:
    with pytest.raises(TypeError, match="the operator `nothing` needs a `definition`, or an `infer_types`"):

        class Nothing(Operator):
            name = "nothing"
            x = Input()

    assert "nothing" not in Operator.registry


@pytest.mark.parametrize("name", ["silu", "lerp", "layer_norm"])
def test_declared_costs_stay(name: str) -> None:
    """Papers count an activation as one operation for each element, however it is composed."""
    op, x = Operator.registry[name](**({"weight": 0.5} if name == "lerp" else {})), TensorType(FLOAT32, (4, 6))
    given = op.bind_inputs((x, x) if name == "lerp" else (x,), Facts.empty())
    assert op.count_flops(given, op.check_and_infer(given)) == {"silu": 24, "lerp": 24, "layer_norm": 24 * 7}[name]
