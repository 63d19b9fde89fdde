"""What is written in another form computes the same: the PyTorch module is the judge."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx_opsets import check
from zoo.small import SMALL

import netc
from netc.compiler.backends.backend_names import OPSET
from tests.parity import SEED, agree, inputs_for, run_module, sizes_of
from tests.streams.pieces import same_in_pieces


def counted(proto: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in proto.graph.node)


def attentions(proto: onnx.ModelProto) -> list[int]:
    """The number of heads of each Attention of three axes, 0 for one of four."""
    found = [node for node in proto.graph.node if node.op_type == "Attention"]
    return [next((a.i for a in node.attribute if a.name == "q_num_heads"), 0) for node in found]


def trained(model: netc.Model) -> dict[str, torch.Tensor]:
    """Weights as after some training: no scale is 1, no shift 0, and no variance 1."""
    generator = torch.Generator().manual_seed(3)
    state = model.module(seed=SEED).state_dict()
    for name, tensor in state.items():
        if tensor.dtype.is_floating_point and (tensor.ndim == 1 or tensor.numel() == max(tensor.shape, default=1)):
            noise = torch.randn(tensor.shape, generator=generator).to(tensor.dtype) / 8
            state[name] = tensor + (noise.abs() if name.endswith("running_var") else noise)
    return state


def same(text: str, tolerance: float = 1e-5) -> netc.Model:
    """Raises AssertionError unless ONNX Runtime computes what the PyTorch module does, with other weights than at the start."""
    model = netc.compile(text)
    weights = trained(model)
    module = model.module(weights=weights).eval()
    session = model.session(weights=weights)
    for sizes in sizes_of(model):
        arrays = inputs_for(model, sizes)
        found = session(*arrays.values())
        (wanted,) = run_module(module, model, arrays)
        np.testing.assert_allclose(np.asarray(found), wanted.numpy(), rtol=tolerance, atol=tolerance)
    onnx.checker.check_model(model.onnx(weights=weights), full_check=True)
    return model


@pytest.mark.parametrize(
    "text",
    [
        "input 3x8x8 -> conv 4 3x3 -> batch_norm",
        "input 3x8x8 -> conv 4 3x3 bias=false -> batch_norm -> relu",
        "input 4x8x8 -> conv 4 3x3 groups=2 padding=1 -> batch_norm eps=0.1",
        "input 3x8 -> conv 4 3 -> batch_norm affine=false",
        "input 3x4x4 -> conv_transpose 5 3x3 stride=2 bias=false -> batch_norm",
        "input 3x8x8 -> conv 4 3x3 padding=1 padding_mode=circular -> batch_norm",
    ],
)
def test_batch_normalization_is_part_of_a_convolution(text: str) -> None:
    assert "BatchNormalization" not in counted(same(text).onnx())


@pytest.mark.parametrize(
    "text",
    [
        "input 3x8x8 -> batch_norm -> conv 4 3x3",
        "input 3x8x8 -> conv 4 3x3 relu -> batch_norm",
        "input 4x4x4 -> conv_transpose 4 3x3 groups=2 -> batch_norm",
        "x = input 3x8x8; y = x -> conv 4 3x3; (y, y -> batch_norm) -> add",
        "shared c = conv 3 1x1\ninput 3x8x8 -> c -> batch_norm -> c -> batch_norm",
    ],
)
def test_batch_normalization_that_stays(text: str) -> None:
    assert "BatchNormalization" in counted(same(text).onnx())


def test_variances_of_nothing() -> None:
    """The factor is 1 / sqrt(eps), as in PyTorch."""
    model = netc.compile("input 3x8x8 -> conv 4 3x3 as c -> batch_norm as b")
    weights = model.module(seed=1).state_dict()
    weights["b.running_var"].zero_()
    weights["b.running_mean"].fill_(3.0)
    arrays = inputs_for(model, {"N": 2})
    (wanted,) = run_module(model.module(weights=weights).eval(), model, arrays)
    np.testing.assert_allclose(model.session(weights=weights)(*arrays.values()), wanted.numpy(), rtol=1e-4, atol=1e-3)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["float16"])
def test_batch_normalization_of_other_types(dtype: str) -> None:
    agree(netc.compile("input 3x8x8 -> conv 4 3x3 -> batch_norm -> conv 2 1x1", dtype=dtype))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("x = input [T, 4]; s = param [6] init=normal as s; (x -> dense 6) * s", 0),
        ("x = input [H, W, 4]; s = param [6, 1, 1] init=normal as s; (x -> dense 6 -> permute [0, 3, 1, 2]) * s", 0),
        ("x = input [T, 4]; s = param [1] init=normal as s; (x -> dense 6) * s", 1),
        ("x = input [6, 4]; s = param [6, 1] init=normal as s; (x -> dense 6) * s", 1),
        ("x = input [T, 4]; s = param [6] init=normal as s; (x -> dense 6 relu) * s", 1),
        ("x = input [T, 4]; s = param [6] init=normal as s; y = x -> dense 6; y * s + y", 1),
    ],
)
def test_scales_of_dense_layers(text: str, left: int) -> None:
    assert counted(same(text).onnx())["Mul"] == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "x = input [T, 4]; w = param [4] init=normal as w; b = param [4] init=normal as b; (x -> layer_norm affine=false) * w + b",
            (0, 0),
        ),
        ("x = input [T, 4]; w = param [4] init=normal as w; (x -> layer_norm affine=false) * w", (0, 0)),
        ("x = input [T, 4]; w = param [1] init=normal as w; (x -> layer_norm affine=false) * w", (1, 0)),
        ("x = input [T, 4]; w = param [4] init=normal as w; (x -> layer_norm) * w", (1, 0)),
    ],
)
def test_scales_of_normalizations(text: str, left: tuple[int, int]) -> None:
    found = counted(same(text).onnx())
    assert (found["Mul"], found["Add"]) == left


SPLIT = 'rearrange "n t (h d) -> n h t d" h=2'
MERGE = 'rearrange "n h t d -> n t (h d)"'


@pytest.mark.parametrize(
    ("text", "heads"),
    [
        (f"x = input [T, 8] -> {SPLIT}; (x -> copy, x, x) -> attention -> {MERGE}", 0),
        (f"x = input [T, 8]; q = x -> dense 8 -> {SPLIT}; k = x -> dense 8 -> {SPLIT}; v = x -> dense 8 -> {SPLIT}; "
         f"(q, k, v) -> attention causal=true -> {MERGE}", 2),
        (f"x = input [T, 8]; q = x -> dense 8 -> {SPLIT} -> rotary; k = x -> dense 8 -> {SPLIT} -> rotary; v = x -> dense 8 -> {SPLIT}; "
         f"(q, k, v) -> attention -> {MERGE}", 2),
        (f"x = input [T, 8]; q = x -> dense 8 -> {SPLIT} -> relu; k = x -> dense 8 -> {SPLIT}; v = x -> dense 8 -> {SPLIT}; "
         f"(q, k, v) -> attention -> {MERGE}", 0),
    ],
)  # fmt: skip
def test_attention_splits_the_heads_itself(text: str, heads: int) -> None:
    if "copy" in text:
        text = text.replace("x -> copy", "x")
    assert attentions(same(text).onnx()) == [heads]


@pytest.mark.parametrize(
    ("shared", "attention", "remains"),
    [
        (4, "attention causal=true", {"Transpose": 0, "Reshape": 0}),
        (2, "attention causal=true scale=0.3", {"Transpose": 0, "Reshape": 0}),
        (4, "attention causal=true window=3", {"Transpose": 4, "Reshape": 4}),  # what is remembered is not all that is joined
    ],
)
def test_keys_of_earlier_positions_are_joined_by_attention(tmp_path: Path, shared: int, attention: str, remains: dict[str, int]) -> None:
    split = 'rearrange "n t (h d) -> n h t d"'
    text = f"""
    x = input [T, 8]
    q = x -> dense 32 -> {split} h=4 -> rotary
    k = x -> dense ({shared} * 8) -> {split} h={shared} -> rotary
    v = x -> dense ({shared} * 8) -> {split} h={shared}
    (q, k, v) -> {attention} -> {MERGE}
    """
    stream = same_in_pieces(netc.compile(text), total=9)
    stream.save(tmp_path / "step.onnx", seed=0)
    proto = onnx.load(str(tmp_path / "step.onnx"))
    onnx.checker.check_model(proto, full_check=True)
    nodes = counted(proto)
    assert {name: nodes[name] for name in remains} == remains


APART = 'rearrange "n w t (h d) -> n w h t d" h=2'
TOGETHER = 'rearrange "n w h t d -> n w t (h d)"'


@pytest.mark.parametrize("rotary", ["", " -> rotary"])
@pytest.mark.parametrize(("axes", "heads"), [("3, 5, 8", 2), ("3, T, 8", 0), ("W, 5, 8", 0), ("W, T, 8", 0)])
def test_windows_are_part_of_the_batch(axes: str, heads: int, rotary: str) -> None:
    """A Reshape infers one size only, and RotaryEmbedding has four axes itself."""
    text = (
        f"x = input [{axes}]; q = x -> dense 8 -> {APART}{rotary}; k = x -> dense 8 -> {APART}{rotary}; v = x -> dense 8 -> {APART}; "
        f"(q, k, v) -> attention causal=true -> {TOGETHER}"
    )
    assert attentions(same(text).onnx()) == [0 if rotary else heads]


def test_heads_that_are_also_used_otherwise_stay() -> None:
    text = (
        f"x = input [T, 8]; q = x -> dense 8 -> {SPLIT}; k = x -> dense 8 -> {SPLIT}; v = x -> dense 8 -> {SPLIT}; "
        f"a = (q, k, v) -> attention; (a -> {MERGE}) + (q -> {MERGE})"
    )
    assert attentions(same(text).onnx()) == [0]


def test_sums_before_normalizations() -> None:
    proto = same("x = input [T, 8]; y = x -> dense 8; (x + y) -> layer_norm").onnx()
    assert counted(proto)["Sum"] == 1
    assert "Sum" not in counted(netc.compile("x = input [T, 8]; y = x -> dense 8; (x + y) -> layer_norm", dtype="float16").onnx())


def test_masks_are_not_stretched_over_the_batch() -> None:
    text = "q = input [3, 2, 5, 8]; m = param [2, 5, 5] init=normal as m; (q, q, q, m) -> attention"
    assert "Expand" not in counted(same(text).onnx())


def test_without_optimization_stages_are_as_they_are_written() -> None:
    proto = netc.compile("input 3x8x8 -> conv 4 3x3 as c -> batch_norm as b").onnx(optimize=False)
    assert [node.op_type for node in proto.graph.node] == ["Conv", "BatchNormalization"]
    assert {tensor.name for tensor in proto.graph.initializer} >= {"c.weight", "b.weight", "b.running_mean"}


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL)
def test_the_zoo(name: str) -> None:
    """Weights are as after a training: no scale is 1 and no shift 0."""
    small = SMALL[name]
    check(small.compiled(), OPSET, dict(small.sizes), dict(small.below), weights=trained)
