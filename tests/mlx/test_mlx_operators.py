"""Every operator in MLX: outputs against PyTorch, and the table of operators that have no form in MLX."""

from __future__ import annotations

import math

import pytest
import torch

import netc
from netc.compiler.ops import Operator
from tests.array_cases import (
    CASES,
    CUMULATIVE,
    DIVISIONS,
    EDGES,
    HIDDEN,
    POOLED,
    RESIZED,
    SAMPLING,
    list_special_rows,
    make_places,
    pair_numbers,
    resize_exactly,
)
from tests.array_gradients import flatten
from tests.case_ids import case_id

pytest.importorskip("mlx.core", reason="mlx is not installed")

import mlx.core as mx
import numpy as np

from tests.mlx.mlx_models import Pair, agree, convert, input_gradients, read

REFUSED = ("digamma", "erfc", "lgamma", "match", "roi_align")
"""Operators without a form in MLX: MLX has no function for the first three. `match` solves an assignment by SciPy, and the samples of
`roi_align` are counted by the values of boxes."""
REFUSED_USES = {
    "x = input 3x9x9; x -> fractional_max_pool 2 5": "it draws its own samples",
    "a = input [2, 3] int64; b = input [3, 2] int64; a @ b": "MLX multiplies matrices of floats only",
    "x = input [T] float64; x -> rfft": "MLX transforms float32 only",
    "input [T, 3] -> std axis=1 correction=2.5": "the correction is no integer",
    "x = input [8, 3]; gradient((x -> gru 4 -> sum axis=[1, 2]), x)": "`gru` is a loop",
}
EXAMPLES = [(name, index, text) for name, cls in sorted(Operator.registry.items()) for index, text in enumerate(cls.examples)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=f"example of {name}: {case_id(text)}", marks=[pytest.mark.long, pytest.mark.thorough(2)] if index else ())
        for name, index, text in EXAMPLES
        if name not in REFUSED
    ],
)
def test_an_example_agrees_with_pytorch(text: str) -> None:
    agree(text)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in CASES.items()])
def test_a_case_agrees_with_pytorch(text: str) -> None:
    agree(text)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HIDDEN.items()])
def test_queries_that_see_no_key_are_pytorch_s(text: str) -> None:
    """In training: in evaluation, one of PyTorch's kernels gives NaN."""
    pair, x = Pair(netc.compile(text), training=True), torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(read(pair.mlx(convert(x))), read(pair.torch(x)), rtol=1e-5, atol=1e-6)
    for wanted, found in input_gradients(text):
        np.testing.assert_allclose(read(found), read(wanted), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", CUMULATIVE)
def test_the_last_of_equal_extremes_gets_the_gradient(text: str) -> None:
    pair, x = Pair(netc.compile(text)), list_special_rows().requires_grad_()
    wanted = flatten(pair.torch(x))
    for left, right in zip(flatten(pair.mlx(convert(x.detach()))), wanted, strict=True):
        np.testing.assert_array_equal(read(left), read(right))
    wanted[0].sum().backward()
    found = mx.grad(lambda x: flatten(pair.mlx(x))[0].sum())(convert(x.detach()))
    np.testing.assert_array_equal(read(found), read(x.grad))


@pytest.mark.parametrize(("mode", "padding"), SAMPLING)
def test_samples_at_infinite_places_are_pytorch_s(mode: str, padding: str) -> None:
    pair = Pair(netc.compile(f"x = input 2x4x5; at = input [8, 8, 2]; (x, at) -> grid_sample mode={mode} padding_mode={padding}"))
    given = torch.randn(1, 2, 4, 5, generator=torch.Generator().manual_seed(0)), make_places()
    np.testing.assert_allclose(read(pair.mlx(*convert(given))), read(pair.torch(*given)), rtol=1e-4, atol=1e-5)


def test_taps_of_bfloat16_are_at_their_places() -> None:
    """Torchvision has no kernel for them. Without offsets, it is a convolution."""
    model = netc.compile("x = input [1, 20, 20] bfloat16; o = input [18, 20, 20] bfloat16; (x, o) -> deform_conv 1 3x3 padding=1")
    pair, x = Pair(model), torch.randn(2, 1, 20, 20, generator=torch.Generator().manual_seed(0)).bfloat16()
    wanted = torch.nn.functional.conv2d(x, *pair.torch.parameters(), padding=1)
    found = pair.mlx(convert(x), convert(torch.zeros(2, 18, 20, 20, dtype=x.dtype)))
    np.testing.assert_allclose(read(found), read(wanted), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("text", DIVISIONS)
def test_special_numbers_are_divided_as_in_pytorch(text: str, dtype: str) -> None:
    left, right = pair_numbers(getattr(torch, dtype))
    model = netc.compile(f"x = input [P] {dtype}; y = input [P] {dtype}; {text}")
    found = Pair(model).mlx(convert(left), convert(right))
    np.testing.assert_array_equal(read(found), read(DIVISIONS[text](left, right)))


GRADIENTS = (
    "input 2x5x5 -> conv_transpose 3 1x2 stride=2 padding=[1, 2]",
    "input 2x5 -> conv_transpose 3 5 stride=3 output_padding=2",
    "x = input [3, 8]; (y, at) = x -> topk 3; y",
    "x = input 2x8x8; (y, at) = x -> max_pool 2; (y -> relu, at) -> max_unpool 2",
    "x = input 2x5x6; grid = input [4, 5, 2]; (x, grid) -> grid_sample mode=bicubic padding_mode=reflection",
    "x = input 2x5x5; at = x -> conv 18 3x3 padding=1 as offset; (x, at) -> deform_conv 4 3x3 padding=1",
    "x = input [4]; index = input [T] int64; src = input [T]; (x, index, src) -> scatter_reduce 1 amax",
    "x = input [4]; index = input [T] int64; src = input [T]; (x * 0, index, src * 0) -> scatter_reduce 1 amin",
)
"""Operators in which MLX's own gradients are errors, wrong, or not PyTorch's where elements are equal."""


@pytest.mark.parametrize(
    "text",
    [pytest.param(text, id=case_id(text)) for text in (*GRADIENTS, *POOLED)]
    + [
        pytest.param(text, id=f"{name}: {case_id(text)}", marks=[pytest.mark.long, pytest.mark.thorough(4)])
        for name, index, text in EXAMPLES
        if not index and name not in (*REFUSED, "masked_fill") and text not in REFUSED_USES
    ],
)
def test_gradients_are_pytorch_s(text: str) -> None:
    """By all inputs, in evaluation mode. MLX multiplies gradients by the mask of `masked_fill`, so that NaN, as of a softmax of a row that
    is masked completely, stays NaN."""
    for wanted, found in input_gradients(text):
        left, right = read(wanted), read(found)
        scale = float(np.abs(left).max(initial=1e-3))
        np.testing.assert_allclose(right, left, rtol=1e-4, atol=2e-5 * scale)


@pytest.mark.share(2)
@pytest.mark.parametrize("text", EDGES)
def test_gradients_at_an_edge_are_pytorch_s(text: str) -> None:
    for wanted, found in input_gradients(text, EDGES[text]):
        np.testing.assert_allclose(read(found), read(wanted), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", REFUSED)
def test_what_mlx_lacks_is_an_error(name: str) -> None:
    with pytest.raises(netc.CompileError, match=f"`{name}` has no MLX form") as caught:
        netc.compile(Operator.registry[name].examples[0]).source("mlx")
    assert [d.code for d in caught.value.diagnostics] == ["missing-form"]


@pytest.mark.parametrize("text", REFUSED_USES)
def test_a_use_that_mlx_lacks_is_an_error(text: str) -> None:
    with pytest.raises(netc.CompileError, match=REFUSED_USES[text]) as caught:
        netc.compile(text).source("mlx")
    assert [d.code for d in caught.value.diagnostics] == ["source-unsupported"]


def test_nearly_all_operators_have_a_form() -> None:
    assert len(REFUSED) <= 0.15 * len(Operator.registry)


@pytest.mark.parametrize(
    ("dtype", "reduce", "values"),
    [
        ("float16", "amax", [1000.0] * 100),
        ("float32", "amin", [torch.finfo(torch.float32).min] * 2),
        ("bfloat16", "amax", [7.0] * 1000),
        ("float32", "amax", [1.0, 3.0, 3.0, 2.0]),
        ("float32", "amax", [math.inf, 3.0, math.inf, -math.inf]),
        ("float16", "amin", [-math.inf, 3.0, -math.inf]),
    ],
    ids=["float16", "smallest", "bfloat16", "float32", "infinite", "negative-infinite"],
)
def test_equal_extremes_share_the_gradient(dtype: str, reduce: str, values: list[float]) -> None:
    text = f"x = input 2; index = input [K] int64; v = input [K]; (x, index, v) -> scatter_reduce 1 {reduce}"
    model = netc.compile(text, dtype=dtype)
    x = torch.tensor([[0.0, 0.0]], dtype=getattr(torch, dtype))
    index, v = torch.zeros(1, len(values), dtype=torch.int64), torch.tensor([values], dtype=getattr(torch, dtype), requires_grad=True)
    wanted = model.module()(x, index, v)
    wanted[0, 0].backward()
    module = model.mlx()

    def compute(values: mx.array) -> mx.array:
        return module(convert(x), convert(index), values)[0, 0]

    assert compute(convert(v.detach())).item() == wanted[0, 0].item()
    assert v.grad is not None
    found = np.array(mx.grad(compute)(convert(v.detach())).astype(mx.float32))
    np.testing.assert_allclose(found, v.grad.float().numpy(), rtol=1e-2)


@pytest.mark.sample(2)
@pytest.mark.parametrize("text", RESIZED)
def test_resizing_is_exact(text: str) -> None:
    model, x, wanted = resize_exactly(text)
    np.testing.assert_allclose(read(model.mlx()(convert(x))), wanted.numpy(), rtol=1e-6, atol=1e-6)
