"""Every operator in Flax: outputs against PyTorch, and the table of operators that have no form in Flax."""

from __future__ import annotations

import pytest

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

pytest.importorskip("flax")

import jax
import numpy as np
import torch

from tests.flax.flax_models import Pair, agree, input_gradients, to_jax, to_numpy

REFUSED = {
    "match": "`match` has no Flax form",
    "roi_align": "`roi_align` has no Flax form",
}
"""Operators without a form in Flax, with the message. `match` solves an assignment by SciPy, which XLA cannot trace; the samples of
`roi_align` are counted by the values of boxes."""
REFUSED_USES = {
    "x = input 3x9x9; x -> fractional_max_pool 2 5": "it draws its own samples",
    "x = input [8, 3]; gradient((x -> gru 4 -> sum axis=[1, 2]), x)": "`gru` is a loop",
}
EXAMPLES = [(name, index, text) for name, cls in sorted(Operator.registry.items()) for index, text in enumerate(cls.examples)]


@pytest.mark.share(2)
@pytest.mark.thorough(24)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=f"example of {name}: {case_id(text)}", marks=pytest.mark.long if index else ())
        for name, index, text in EXAMPLES
        if name not in REFUSED
    ],
)
def test_an_example_agrees_with_pytorch(text: str) -> None:
    agree(text)


@pytest.mark.share(2)
@pytest.mark.thorough(8)
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in CASES.items()])
def test_a_case_agrees_with_pytorch(text: str) -> None:
    agree(text)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HIDDEN.items()])
def test_queries_that_see_no_key_are_pytorch_s(text: str) -> None:
    """In training: in evaluation, one of PyTorch's kernels gives NaN."""
    pair, x = Pair(netc.compile(text), training=True), torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(to_numpy(pair.flax(to_jax(x))), to_numpy(pair.torch(x)), rtol=1e-5, atol=1e-6)
    for wanted, found in input_gradients(text):
        np.testing.assert_allclose(to_numpy(found), to_numpy(wanted), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", CUMULATIVE)
def test_the_last_of_equal_extremes_gets_the_gradient(text: str) -> None:
    pair, x = Pair(netc.compile(text)), list_special_rows().requires_grad_()
    wanted = flatten(pair.torch(x))
    for left, right in zip(flatten(pair.flax(to_jax(x.detach()))), wanted, strict=True):
        np.testing.assert_array_equal(to_numpy(left), to_numpy(right))
    wanted[0].sum().backward()
    found = jax.grad(lambda x: flatten(pair.flax(x))[0].sum())(to_jax(x.detach()))
    np.testing.assert_array_equal(to_numpy(found), to_numpy(x.grad))


@pytest.mark.parametrize(("mode", "padding"), SAMPLING)
def test_samples_at_infinite_places_are_pytorch_s(mode: str, padding: str) -> None:
    pair = Pair(netc.compile(f"x = input 2x4x5; at = input [8, 8, 2]; (x, at) -> grid_sample mode={mode} padding_mode={padding}"))
    given = torch.randn(1, 2, 4, 5, generator=torch.Generator().manual_seed(0)), make_places()
    np.testing.assert_allclose(to_numpy(pair.flax(*to_jax(given))), to_numpy(pair.torch(*given)), rtol=1e-4, atol=1e-5)


@pytest.mark.rest
def test_taps_of_bfloat16_are_at_their_places() -> None:
    """Torchvision has no kernel for them. Without offsets, it is a convolution."""
    model = netc.compile("x = input [1, 20, 20] bfloat16; o = input [18, 20, 20] bfloat16; (x, o) -> deform_conv 1 3x3 padding=1")
    pair, x = Pair(model), torch.randn(2, 1, 20, 20, generator=torch.Generator().manual_seed(0)).bfloat16()
    wanted = torch.nn.functional.conv2d(x, *pair.torch.parameters(), padding=1)
    found = pair.flax(to_jax(x), to_jax(torch.zeros(2, 18, 20, 20, dtype=x.dtype)))
    np.testing.assert_allclose(to_numpy(found), to_numpy(wanted), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("text", DIVISIONS)
def test_special_numbers_are_divided_as_in_pytorch(text: str, dtype: str) -> None:
    left, right = pair_numbers(getattr(torch, dtype))
    model = netc.compile(f"x = input [P] {dtype}; y = input [P] {dtype}; {text}")
    found = Pair(model).flax(to_jax(left), to_jax(right))
    np.testing.assert_array_equal(to_numpy(found), to_numpy(DIVISIONS[text](left, right)))


@pytest.mark.thorough(20)
@pytest.mark.parametrize(
    "text",
    [pytest.param(text, id=case_id(text)) for text in POOLED]
    + [
        pytest.param(text, id=f"{name}: {case_id(text)}", marks=pytest.mark.long)
        for name, index, text in EXAMPLES
        if not index and name not in REFUSED
    ],
)
def test_gradients_of_an_example_are_pytorch_s(text: str) -> None:
    """By all inputs, in evaluation mode."""
    for wanted, found in input_gradients(text):
        left, right = to_numpy(wanted), to_numpy(found)
        scale = float(np.abs(left).max(initial=1e-3))
        np.testing.assert_allclose(right, left, rtol=1e-4, atol=2e-5 * scale)


@pytest.mark.share(2)
@pytest.mark.thorough(4)
@pytest.mark.parametrize("text", EDGES)
def test_gradients_at_an_edge_are_pytorch_s(text: str) -> None:
    for wanted, found in input_gradients(text, EDGES[text]):
        np.testing.assert_allclose(to_numpy(found), to_numpy(wanted), rtol=1e-5, atol=1e-6)


def test_the_cross_entropy_of_probabilities_has_a_second_derivative() -> None:
    model = netc.compile("x = input 1; t = input 1; (x -> sigmoid, t) -> binary_cross_entropy reduction=none")
    x, t = torch.tensor([0.3, 40.0, -1.0], dtype=torch.float64, requires_grad=True), torch.tensor([0.2, 1.0, 1.0], dtype=torch.float64)
    (first,) = torch.autograd.grad(model.module()(x[:, None], t[:, None]).sum(), x, create_graph=True)
    (wanted,) = torch.autograd.grad(first.sum(), x)
    module = model.flax()
    found = jax.jit(jax.vmap(jax.grad(jax.grad(lambda x, t: module(x[None, None], t[None, None]).sum()))))(to_jax(x.detach()), to_jax(t))
    np.testing.assert_allclose(to_numpy(found), to_numpy(wanted), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_flax_lacks_is_an_error(name: str) -> None:
    with pytest.raises(netc.CompileError, match=REFUSED[name]) as caught:
        netc.compile(Operator.registry[name].examples[0]).source("flax")
    assert [d.code for d in caught.value.diagnostics] == ["missing-form"]


@pytest.mark.parametrize("text", REFUSED_USES)
def test_a_use_that_flax_lacks_is_an_error(text: str) -> None:
    with pytest.raises(netc.CompileError, match=REFUSED_USES[text]) as caught:
        netc.compile(text).source("flax")
    assert [d.code for d in caught.value.diagnostics] == ["source-unsupported"]


def test_nearly_all_operators_have_a_form() -> None:
    assert len(REFUSED) <= 0.05 * len(Operator.registry)


@pytest.mark.sample(1)
@pytest.mark.thorough(8)
@pytest.mark.parametrize("text", RESIZED)
def test_resizing_is_exact(text: str) -> None:
    model, x, wanted = resize_exactly(text)
    np.testing.assert_allclose(to_numpy(model.flax()(to_jax(x))), wanted.numpy(), rtol=1e-6, atol=1e-6)
