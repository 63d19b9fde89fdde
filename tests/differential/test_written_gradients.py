"""The derivative of every operator that netc writes out for ONNX equals autograd's through PyTorch's functions, or is refused by name.

The cases of all operators go through it. `make test` runs the first derivatives of the examples; `make long` runs those of all cases, and
second derivatives.
"""

from __future__ import annotations

import re
from pathlib import Path
from zlib import crc32

import onnxruntime
import pytest
import torch
from case_ids import case_id

import netc
from netc.compiler.backends.onnx.unsupported_in_onnx import UnsupportedInOnnx
from netc.compiler.derivatives.missing_derivatives import LOOPS, WITHOUT_DERIVATIVE, WITHOUT_PART
from netc.compiler.ir.flat_graph import FlatGraph
from netc.compiler.ops import Operator
from tests.case_families import FAMILIES
from tests.differential.refused_derivatives import REFUSED
from tests.differential.values import torch_alone
from tests.differential.written_gradients import feed, make_session, run_autograd, run_session
from tests.parity import SEED, inputs_for, sizes_of

EXAMPLES = [text for _, cls in sorted(Operator.registry.items()) for text in cls.examples]
CASES = [text for module in FAMILIES.values() for text in module.CASES]
NO_KERNEL = onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented
CALLS = ("a loop has no derivative in closed form", "a shared stage has no derivative in closed form")
"""Refusals of calls, which have no operator."""
TOLERANCE = 1e-4
"""Relative to the greatest number of a result: float32 is rounded once more for each stage of a derivative."""
NOT_IN_TORCH = re.compile(r"is not differentiable with respect to|derivative for .* is not implemented|returned an invalid gradient")
"""What PyTorch says of derivatives that it has not itself."""
LISTED = {*WITHOUT_DERIVATIVE, *LOOPS, *WITHOUT_PART, "gru_cell", "lstm_cell", "rnn_cell"}
"""The operators that are refused. Those with a definition and parameters are refused in a shared stage, too."""
ROUNDED = {
    "input 3 -> cast float16": "the cosine of a half is computed in another order",
    "input 3x14 -> upsample size=287 mode=nearest_exact": "PyTorch rounds one position otherwise in its backward pass",
    "input [T, 3] -> norm p=-2.5 axis=[1, 2]": "the second derivative is a difference of large numbers",
    "input [T, 3] -> normalize p=-inf": "the second derivative is a difference of large numbers",
    "a = input [3, 4]; b = input [3, 1]; (a, b) -> cosine_similarity axis=2": "the second derivative is 0 but for rounding",
    "a = input [64]; b = input [64]; (a * 1e30, b * 1e30) -> hypot": "the second derivative overflows in PyTorch's formula or in netc's",
    "a = input [64]; b = input [64]; (a * 1e30, b * 1e30) -> logaddexp": "the second derivative overflows",
    "a = input [64]; b = input [64]; (a * 1e-30, b * 1e-30) -> hypot": "the second derivative overflows",
}
"""Cases that are not compared, and why."""


def can_differentiate(model: netc.Model) -> bool:
    """Whether the model has inputs and results of floats, and no inputs of half types, whose derivatives would be rounded too coarsely."""
    main = model.program.main
    dtypes = [value.type.dtype for value in main.inputs if value.type.dtype.is_float]
    return bool(dtypes) and all(d.size > 2 for d in dtypes) and any(value.type.dtype.is_float for value in main.outputs)


def check(text: str, order: int = 1) -> bool:
    """Compare at two sizes of each symbol. Return whether the derivative was written out."""
    model = netc.compile(text)
    if not can_differentiate(model) or torch_alone(model) or text in ROUNDED:
        return False
    try:
        session = make_session(model, order)
    except UnsupportedInOnnx as error:
        check_refusal(model, str(error))
        return False
    except NO_KERNEL:
        return False
    state = model.module(seed=SEED).state_dict()
    for sizes in sizes_of(model):
        fed = feed(model, inputs_for(model, sizes))
        try:
            wanted = run_autograd(model, state, fed, sizes, order)
        except RuntimeError as error:
            if NOT_IN_TORCH.search(str(error)):
                return False
            raise
        for found, peer in zip(run_session(session, fed), wanted, strict=True):
            assert found.shape == peer.shape
            largest = peer[peer.isfinite()].abs().max().item() if peer.isfinite().any() else 0.0
            torch.testing.assert_close(
                found.double(),
                peer.double(),
                rtol=TOLERANCE,
                atol=TOLERANCE * (0.1 + largest),
                equal_nan=True,
                msg=lambda m: f"{text}: {m}",
            )
    return True


def check_refusal(model: netc.Model, reason: str) -> None:
    """It names an operator that the tables have: one of the model, or of a derivative."""
    if reason.endswith(CALLS):
        return
    name = re.findall(r"`(\w+)`", reason.partition(": ")[2])[0]
    assert name in LISTED, reason
    names = {item.node.op.name for item in FlatGraph(model.program.main).iterate_operators()}
    assert name in {*names, "digamma", "avg_pool"}, reason


@pytest.mark.parametrize("text", [pytest.param(text, id=case_id(text)) for text in EXAMPLES if crc32(text.encode()) % 3 == 0])
def test_examples(text: str) -> None:
    check(text)


@pytest.mark.long
@pytest.mark.thorough(3)
@pytest.mark.parametrize("text", [pytest.param(text, id=case_id(text)) for text in dict.fromkeys((*EXAMPLES, *CASES))])
def test_all_cases(text: str) -> None:
    """By the first and the second derivative."""
    if check(text):
        check(text, order=2)


@pytest.mark.parametrize("name", sorted(Operator.registry))
def test_every_operator_is_covered(name: str) -> None:
    """An operator has a derivative for its first example, or is in the list of operators that have none."""
    operator = Operator.registry[name]
    model = netc.compile(operator.examples[0])
    if not can_differentiate(model) or torch_alone(model):
        pytest.skip("its example has no floats to differentiate by")
    try:
        make_session(model)
    except UnsupportedInOnnx as error:
        assert name in LISTED
        check_refusal(model, str(error))
    else:
        assert name not in (*WITHOUT_DERIVATIVE, *LOOPS)


@pytest.mark.parametrize("name", WITHOUT_PART)
def test_limits_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedInOnnx, match=f"`{name}` with these inputs: it has none {re.escape(WITHOUT_PART[name])}"):
        make_session(netc.compile(REFUSED[name]))


def test_the_documentation_names_all_operators_without_a_derivative() -> None:
    page = (Path(__file__).parents[2] / "docs" / "language" / "training.md").read_text(encoding="utf-8")
    section = page.partition("## Derivatives in the loss")[2].partition("\n## ")[0]
    assert [name for name in (*LOOPS, *WITHOUT_DERIVATIVE) if f"`{name}`" not in section] == []
