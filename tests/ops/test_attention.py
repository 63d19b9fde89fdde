"""Attention: shapes, refusals and parameters equal PyTorch's."""

from itertools import product

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import netc
from netc.compiler.dims import Facts, make_symbol
from netc.compiler.ops.attention import Attention
from netc.compiler.ops.multihead import MultiheadAttention
from netc.compiler.ops.operator import Operator, OperatorError
from netc.compiler.types.tensor_types import BOOL, FLOAT32, Shape, TensorType

NOTHING = Facts.empty()


def inferred(op: Operator, *types: TensorType) -> Shape | None:
    try:
        return op.check_and_infer(op.bind_inputs(types, NOTHING))[0].shape
    except OperatorError:
        return None


def attended(q: Shape, k: Shape, v: Shape, mask: Shape | None = None) -> Shape | None:
    """By the way that goes for all shapes; PyTorch is asked to group heads where it would not by default."""
    return _attended(q, k, v, mask, False) or _attended(q, k, v, mask, True)


def _attended(q: Shape, k: Shape, v: Shape, mask: Shape | None, grouped: bool) -> Shape | None:
    tensors = [torch.ones([int(d) for d in s]) for s in (q, k, v)]  # type: ignore[arg-type]
    try:
        with nn.attention.sdpa_kernel(nn.attention.SDPBackend.MATH):
            return tuple(
                F.scaled_dot_product_attention(
                    *tensors,
                    attn_mask=None if mask is None else torch.ones([int(d) for d in mask]),  # type: ignore[arg-type]
                    enable_gqa=grouped,
                ).shape
            )
    except (RuntimeError, IndexError):
        return None


def test_heads_group_or_agree() -> None:
    for heads, keys, values, batch in product((1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 4), (1, 2, 3)):
        shapes = ((2, heads, 3, 8), (batch, keys, 5, 8), (batch, values, 5, 6))
        found = inferred(Attention(), *(TensorType(FLOAT32, s) for s in shapes))
        assert found == attended(*shapes), shapes


def test_features_and_lengths_must_agree() -> None:
    for key, length in product((7, 8), (4, 5)):
        shapes = ((2, 4, 3, 8), (2, 4, 5, key), (2, 4, length, 6))
        found = inferred(Attention(), *(TensorType(FLOAT32, s) for s in shapes))
        assert found == attended(*shapes), shapes


@pytest.mark.parametrize("rank", [2, 3, 4, 5])
def test_masks_stretch_to_the_scores(rank: int) -> None:
    for sizes in product(*((1, 2, 3), (1, 2), (1, 4, 3), (1, 3, 2), (1, 5, 3))[5 - rank :]):
        shapes = ((2, 4, 3, 8), (2, 4, 5, 8), (2, 4, 5, 8))
        found = inferred(Attention(), *(TensorType(FLOAT32, s) for s in (*shapes, sizes)))
        assert found == attended(*shapes, sizes), sizes


MODULES = [(8, 8, 8, True), (8, 8, 8, False), (8, 6, 6, True), (8, 6, 4, False), (8, 8, 4, True)]


@pytest.mark.parametrize("added", [False, True])
@pytest.mark.parametrize(("features", "keys", "values", "bias"), MODULES)
def test_parameters_are_those_of_the_module(features: int, keys: int, values: int, bias: bool, added: bool) -> None:
    n = make_symbol("N")
    types = (TensorType(FLOAT32, (n, 3, features)), TensorType(FLOAT32, (n, 5, keys)), TensorType(FLOAT32, (n, 5, values)))
    op = MultiheadAttention(heads=2, bias=bias, add_bias_kv=added)
    given = op.bind_inputs(types, NOTHING)
    assert op.check_and_infer(given)[0] == types[0]
    module = nn.MultiheadAttention(features, 2, bias=bias, kdim=keys, vdim=values, add_bias_kv=added)
    expected = {name: tuple(p.shape) for name, p in module.state_dict().items()}
    assert {spec.name: spec.shape for spec in op.parameters(given)} == expected
    for spec in op.parameters(given):
        if spec.init.kind == "zeros":
            assert not module.get_parameter(spec.name).any()


def test_a_bool_input_in_the_last_place_is_a_mask() -> None:
    x, c = TensorType(FLOAT32, (2, 3, 8)), TensorType(FLOAT32, (2, 5, 8))
    op = MultiheadAttention(heads=2)
    assert op.bind_inputs((x, TensorType(BOOL, (3, 3))), NOTHING).names == ("query", "attn_mask")
    assert op.bind_inputs((x, c), NOTHING).names == ("query", "key")
    assert op.bind_inputs((x, c, c, TensorType(FLOAT32, (3, 5))), NOTHING).names == ("query", "key", "value", "attn_mask")
    for shape in product((3, 4), (5, 6)):
        assert (inferred(op, x, c, TensorType(BOOL, shape)) is None) == (shape != (3, 5))
    assert inferred(op, x, c, TensorType(BOOL, (4, 3, 5))) == (2, 3, 8)
    assert inferred(op, x, c, TensorType(BOOL, (2, 3, 5))) is None


def test_weights_are_a_second_result() -> None:
    both = netc.compile("(y, w) = input [T, 8] -> multihead_attention 2 add_zero_attn=true average_attn_weights=false; out y, w")
    assert [str(t) for t in both.outputs.values()] == ["[N, T, 8]", "[N, 2, T, T + 1]"]


def test_flops_are_those_of_the_products() -> None:
    n = make_symbol("N")
    x = TensorType(FLOAT32, (n, 3, 8))
    op = MultiheadAttention(heads=2, bias=False)
    given = op.bind_inputs((x,), NOTHING)
    projections, products, softmax = 4 * 2 * 3 * 8 * 8, 2 * 2 * 3 * 3 * 8, 3 * 3 * 3 * 2
    assert op.count_flops(given, (x,)) == n * (projections + products + softmax)


# --- queries that are fewer than keys ------------------------------------------------------------------------------------------------


def test_a_cache_gives_what_one_pass_does() -> None:
    """Whole, in chunks and one by one, with PyTorch and ONNX Runtime: with `align=end`, and a window too."""
    q, k, v = torch.randn(3, 2, 4, 7, 8, generator=torch.Generator().manual_seed(0))
    for window in ("", " window=3"):
        whole = netc.compile(f"q = input 4xTx8; k = input 4xTx8; v = input 4xTx8; (q, k, v) -> attention causal=true{window}").module()
        text = f"q = input 4xTx8; k = input 4xSx8 where S >= T; v = input 4xSx8; (q, k, v) -> attention causal=true align=end{window}"
        step = netc.compile(text)
        session = step.session()
        for run in (step.module(), lambda *x, session=session: torch.from_numpy(session(*x))):
            for sizes in ([7], [3, 4], [2, 1, 1, 3], [1] * 7):
                ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
                parts = [run(q[:, :, end - n : end], k[:, :, :end], v[:, :, :end]) for n, end in zip(sizes, ends, strict=True)]
                torch.testing.assert_close(torch.cat(parts, 2), whole(q, k, v), rtol=1e-5, atol=1e-5)


def test_what_pytorch_calls_lower_right() -> None:
    from torch.nn.attention.bias import causal_lower_right, causal_upper_left

    q, k = torch.randn(2, 4, 3, 8), torch.randn(2, 4, 5, 8)
    for align, mask in (("end", causal_lower_right(3, 5)), ("start", causal_upper_left(3, 5))):
        module = netc.compile(f"q = input 4x3x8; k = input 4x5x8; (q, k, k) -> attention causal=true align={align}").module()
        torch.testing.assert_close(module(q, k), F.scaled_dot_product_attention(q, k, k, attn_mask=mask))


def test_a_mask_fits_the_scores_without_the_values() -> None:
    for batches in product((1, 2), repeat=4):
        shapes = [(b, 2, length, 4) for b, length in zip(batches, (3, 5, 5), strict=False)]
        mask = (batches[3], 1, 3, 5)
        types = [TensorType(FLOAT32, s) for s in (*shapes, mask)]
        assert inferred(Attention(), *types) == attended(*shapes, mask), batches


def test_where_all_keys_are_hidden() -> None:
    """PyTorch's fast path alone gives NaN there; its other kernels and ONNX Runtime agree. `netc compile` notes it."""
    model = netc.compile("x = input [T, 8]; p = input [T] bool; x -> multihead_attention 2 key_padding_mask=p")
    module = model.module(seed=1).eval()
    x, padding = torch.ones(1, 3, 8), torch.ones(1, 3, dtype=torch.bool)
    with torch.no_grad():
        fast = module(x, padding)
    assert fast.isnan().all()
    slow = module(x, padding).detach()
    found = model.session(weights=module.state_dict())(x.numpy(), padding.numpy())
    torch.testing.assert_close(torch.from_numpy(found), slow)
