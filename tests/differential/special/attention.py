"""Attention and its masks."""

from __future__ import annotations

from math import prod
from typing import Any

from hypothesis import strategies as st

from netc.compiler.types.tensor_types import TensorType
from tests.differential.inputs import Draw, Types, tensor
from tests.differential.special.drawing import FLOATS, Arguments, Inputs, ints, size


def _multihead(draw: Draw) -> Types:
    """A mask of queries and keys comes fourth, or is bool and last; whether the last one is a mask of keys follows from its shape."""
    dtype, batch = draw(st.sampled_from(FLOATS)), [size(draw, high=3)] if draw(st.booleans()) else []
    length, span = size(draw), size(draw)
    x = tensor(dtype, (*batch, length, draw(st.sampled_from((4, 6, 8)))))
    key = tensor(dtype, (*batch, span, size(draw)))
    value = tensor(dtype, (*batch, span, size(draw)))
    tensors = draw(st.sampled_from(([x], [x, key], [x, key, value])))
    keys = length if len(tensors) == 1 else span
    masks = draw(st.integers(0, 2))
    if masks:
        kind = "bool" if len(tensors) < 3 else draw(st.sampled_from(("bool", "float32", dtype)))
        each = [draw(st.sampled_from((1, 2))) * prod(batch)] if draw(st.booleans()) else []
        tensors = [*tensors, tensor(kind, (*each, length, keys))]
    if masks == 2 or draw(st.integers(0, 3)) == 0:
        tensors = [*tensors, tensor(draw(st.sampled_from(("bool", "float32", dtype))), (*batch, keys))]
    return tuple(tensors)


def _heads(draw: Draw, types: Types) -> dict[str, Any]:
    """From the first axis of a mask of three, the number of heads follows."""
    features, rank = ints(types)[-1], types[0].rank
    padded = _is_padded(types)
    tensors = types[:-1] if padded else types
    masked = len(tensors) == 4 or (len(tensors) > 1 and tensors[-1].dtype.name == "bool")
    heads = draw(st.sampled_from([h for h in (1, 2, 3) if features % h == 0]))
    if masked and tensors[-1].rank == 3:
        heads = ints(tensors[-1:])[0] // (ints(types)[0] if rank == 3 else 1)
    causal = None if masked else draw(st.sampled_from((None, True)))
    keys = types[min(1, len(tensors) - 1 - masked)]
    return {
        "heads": heads,
        "causal": causal,
        "align": _align(draw, types[0], keys) if causal else None,
        "key_padding_mask": draw(st.sampled_from((True, *[None] * (len(types) == 5)))) if padded else None,
    }


def _align(draw: Draw, queries: TensorType, keys: TensorType) -> str | None:
    """What causal attention needs, of lengths that may differ."""
    length, span = (int(t.shape[-2]) for t in (queries, keys))
    return draw(st.sampled_from([None] * (length == span) + ["start"] + ["end"] * (length <= span)))


def _is_padded(types: Types) -> bool:
    """Whether the last is a mask of keys: it has an axis less than the queries, and cannot be one of queries and keys."""
    queries, last = types[0], types[-1]
    if queries.rank == 2 or last.rank != 2:
        return last.rank == queries.rank - 1
    of_queries = last.shape[0] == queries.shape[-2] and (len(types) == 4 or last.dtype.name == "bool")
    return types[-2].rank == 2 or not of_queries


def _attention(draw: Draw, types: Types) -> dict[str, Any]:
    """A window needs `causal`, and most numbers would be the scale of nothing but zeros and ones."""
    causal = None if len(types) == 4 else draw(st.booleans())
    alike = types[0].shape[-2:-1] == types[1].shape[-2:-1]
    align = _align(draw, *types[:2]) if causal else None
    return {
        "causal": causal,
        "align": align,
        "scale": draw(st.sampled_from((None, 0.5))),
        "window": draw(st.sampled_from((None, 1, 2))) if causal and (alike or align == "end") else None,
    }


INPUTS: dict[str, Inputs] = {
    "multihead_attention": _multihead,
}
ARGUMENTS: dict[str, Arguments] = {
    "attention": _attention,
    "multihead_attention": _heads,
    "rotary": lambda draw, types: {"base": draw(st.sampled_from((None, 100, 500000)))},
}
