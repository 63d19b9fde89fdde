"""tract's profile, as measured with tract 0.23 on the cases of all operators."""

from __future__ import annotations

from .node_conditions import (
    INTEGERS,
    flips_symbolic_axis,
    has_attribute,
    has_dtype,
    has_narrow_integers,
    has_places_of_bytes,
    has_symbolic_result,
    is_square,
)
from .runtime_profile import KnownDifference, Limit, NodeUse, RuntimeProfile, StageLimit


def _has_computed_sizes(node: NodeUse) -> bool:
    """Whether a Resize gets sizes or scales that are computed when the model runs."""
    return any(tensor is not None and not tensor.is_stored for tensor in node.inputs[2:])


def _is_bicubic_border(node: NodeUse) -> bool:
    return node.attributes.get("mode") in (b"bicubic", b"cubic") and node.attributes.get("padding_mode") == b"border"


def _is_returned_as_symbol(node: NodeUse) -> bool:
    return any(tensor is not None and tensor.is_output and tensor.dtype == "int64" for tensor in node.outputs)


TRACT = RuntimeProfile(
    "tract",
    "tract",
    18,
    written_out=frozenset({"celu", "log_softmax", "cross_entropy"}),
    replaced=frozenset({"Softplus"}),
    lacking={"float64": "some of its kernels compute float64 in float32", "bfloat16": "it has no bfloat16"},
    limits=(
        Limit(("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss", "Col2Im"), "it has no such operator"),
        Limit(("GRU", "LSTM", "RNN"), "its recurrent kernels end the process"),
        Limit(("Einsum", "MatMul", "AveragePool", "ReduceSum"), "its kernel for int64 ends the process", has_dtype("int64")),
        Limit(("Softplus",), "it overflows above 89, and in float16 above 11"),
        Limit(("Mul",), "it squares integers without wrapping around, or not at all", is_square),
        Limit(("Pow",), "it has no powers of integers that wrap around", INTEGERS),
        Limit(("Round",), "it does not round float64", has_dtype("float64")),
        Limit(("Cast",), "it computes casts to int64 as symbols, and cannot return them", _is_returned_as_symbol),
        Limit(("ReduceLogSumExp",), "it adds up exponentials without subtracting the largest number first"),
        Limit(("Resize",), "it rounds sizes that are computed when the model runs otherwise", _has_computed_sizes),
        Limit(("GridSample",), "its bicubic sampling at the border has other weights", _is_bicubic_border),
        Limit(("Pad",), "it does not wrap around", has_attribute("mode", b"wrap")),
    ),
    stage_limits=(
        # both become arithmetic of ranges, which tract evaluates with its own symbolic integers
        StageLimit(("table", "upsample"), "it computes some indices of symbolic sizes wrong", has_symbolic_result),
        StageLimit(("cumsum", "cumprod"), "it adds up no integers that are cast to int64", has_narrow_integers),
        StageLimit(("flip",), "it reverses no axis of a symbolic size", flips_symbolic_axis),
        StageLimit(("max_pool",), "its places of equal numbers are others", has_places_of_bytes),
    ),
    differences=(
        KnownDifference("for NaN inputs, tract may give other results, for example in `cummax`"),
        KnownDifference(
            "`cast` in tract gives the nearest number for floats that an integer type does not hold; ONNX Runtime wraps around",
            frozenset({"cast"}),
        ),
        KnownDifference(
            "for an index out of range, tract ends the process; ONNX Runtime refuses it",
            frozenset({"embedding", "embedding_bag", "gather", "index_select", "scatter"}),
        ),
        KnownDifference("`atan2` in tract ignores the sign of 0", frozenset({"atan2"})),
    ),
)
