"""Models of every opset: onnx checks them, and ONNX Runtime computes what the PyTorch module does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx_opsets import check
from zoo.small import SMALL

import netc
from netc.compiler.backends.backend_names import OPSET, OPSETS
from netc.compiler.backends.onnx.opsets.forms import FORMS
from netc.compiler.backends.onnx.opsets.schemas import VALUES
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.compiler.onnx_standard.operator_schemas import find_schema
from netc.compiler.ops import Operator
from tests.differential.values import torch_alone

SINCE = {
    "bitwise_and": 18,
    "bitwise_or": 18,
    "bitwise_xor": 18,
    "deform_conv": 19,
    "fold": 18,
    "istft": 18,
    "scatter_reduce": 18,
}
"""The lowest opset that can say the examples of an operator, where that is not the lowest of all."""
EXAMPLES = [(name, text) for name, cls in sorted(Operator.registry.items()) for text in cls.examples]
LEVELS = [pytest.param(opset, marks=pytest.mark.long if opset in (17, 20) else pytest.mark.zoo) for opset in OPSETS]
"""Those in which most of the operators are others are `long`, the rest of them `pytest -m zoo tests/onnx`."""
SAMPLE = [
    "input [T, 8] -> rms_norm",
    "input [2, T, 8] -> rotary",
    "q = input [4, T, 8]; k = input [2, T, 8]; v = input [2, T, 8]; (q, k, v) -> attention causal=true",
    "q = input [2, T, 8]; k = input [2, S, 8]; v = input [2, S, 8]; m = input [T, S] bool batch=false; (q, k, v, m) -> attention",
    "input [T, 8] -> multihead_attention 2 causal=true",
    "input [T, 8] -> gelu",
    "input [T, 8] -> gelu approximate=tanh",
    "input [T, 8] -> mish",
    "input [T, 8] -> max axis=1",
    "input [T, 8] -> std axis=-1",
    "input [T, 8] bool -> any axis=1",
    "input [T, 8] int64 -> bitwise_not",
    "input [T, 8] uint8 -> bitwise_not",
    "input 3x8x8 -> conv 4 3x3 padding=1 padding_mode=circular",
    "input 3x8x8 -> upsample scale=2 mode=bilinear",
    "input [3, H, W] -> upsample size=[5, 5] mode=bilinear",
    "x = input 3x8x8; at = input [4, 5, 2]; (x, at) -> grid_sample mode=bicubic",
    "input [T] -> rfft",
    "input [T, 8] -> cumprod axis=1",
    "input [T, 5] -> lstm 4 proj_size=3",
    "x = input [3] bfloat16; x -> sin",
    "input [24] -> stft 8 pad_mode=reflect",
    "x = input [T] where T >= 9; x -> stft 8 4 pad_mode=constant",
]


@pytest.mark.parametrize("text", SAMPLE)
def test_the_lowest(text: str) -> None:
    check(netc.compile(text), OPSETS[0])


@pytest.mark.parametrize("opset", [OPSETS[0], 21, 22])
@pytest.mark.parametrize("size", ["8x8", "9x8", "8x9", "9x9", "HxW"])
@pytest.mark.parametrize(
    "stage",
    [
        "max_pool 2 stride=3 padding=1",
        "max_pool 3x2 stride=2x3 padding=1",
        "avg_pool 2 stride=3",
        "avg_pool 2 stride=3 padding=1 count_include_pad=false",
        "lp_pool 2 stride=3",
    ],
)
def test_windows_that_start_after_the_input(stage: str, size: str, opset: int) -> None:
    """PyTorch drops them. ONNX's definition counts them before opset 22."""
    model = netc.compile(f"input 2x{size} -> {stage} ceil_mode=true")
    for height in (8, 9):
        check(model, opset, {"H": height, "W": 9} if "H" in size else None)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("stage", ["softplus", "softplus beta=2", "logsigmoid", "mish", "softsign", "elu", "selu", "celu", "silu"])
def test_large_numbers_of_float16(stage: str, opset: int) -> None:
    """ONNX Runtime computes some operators by onnx's definition in one opset, and by a kernel in others."""
    model = netc.compile(f"input 6 float16 -> {stage}")
    x = np.array([[-1000, -30, -12, 12, 30, 1000]], np.float16)
    wanted = model.module()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(OnnxSession(model.onnx(opset=opset))(x), wanted, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("opset", LEVELS)
@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_examples(name: str, text: str, opset: int) -> None:
    model = netc.compile(text)
    if torch_alone(model):
        pytest.skip("ONNX has no such operator")
    logical = name.startswith("bitwise") and all(v.dtype.name == "bool" for v in model.inputs.values())
    if opset >= SINCE.get(name, 0) or logical:
        check(model, opset)
        return
    with pytest.raises(netc.CompileError) as caught:
        model.onnx(opset=opset)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "onnx-unsupported"
    assert diagnostic.message.endswith(f"opset {SINCE[name]} has")


@pytest.mark.parametrize("opset", LEVELS)
@pytest.mark.parametrize("name", SMALL)
def test_the_zoo(name: str, opset: int) -> None:
    small = SMALL[name]
    if name == "mixtral" and opset < 18:
        pytest.skip("grouped_linear needs more")
    check(small.compiled(), opset, dict(small.sizes), dict(small.below))


def test_what_an_opset_lacks_is_said_at_its_stage() -> None:
    text = "input [12, 16] -> relu -> fold 8x8 2 stride=2"
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(text).onnx(opset=17)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == "`fold` cannot be exported to ONNX here: opset 17 has no `Col2Im` of this kind, opset 18 has"
    assert diagnostic.span is not None
    assert text[diagnostic.span.start :].startswith("fold")


@pytest.mark.parametrize("opset", [16, 26, 0, -1])
def test_other_opsets(opset: int) -> None:
    with pytest.raises(ValueError, match=r"an opset must be from 17 to 25"):
        netc.compile("input 3 -> relu").onnx(opset=opset)


def test_no_opset() -> None:
    with pytest.raises(TypeError, match="`opset` must be an integer or None, not str"):
        netc.compile("input 3 -> relu").onnx(opset="17")  # type: ignore[arg-type]


def test_the_usual_one() -> None:
    model = netc.compile("input 3 -> relu")
    assert model.onnx().SerializeToString() == model.onnx(opset=OPSET).SerializeToString()


@pytest.mark.long
def test_each_replacement_is_needed() -> None:
    """Each is an operator that the lowest opset lacks, in the newest form."""
    for op_type in FORMS:
        old, new = find_schema(op_type, OPSETS[0]), find_schema(op_type, OPSET)
        valued = any(of == op_type and since > OPSETS[0] for (of, _, _), since in VALUES.items())
        changed = old is None or old.max_input < new.max_input or set(old.attributes) < set(new.attributes)
        assert changed or valued, op_type
