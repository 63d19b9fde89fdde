"""OpenVINO's profile, for its CPU plug-in, as measured with OpenVINO 2026.4 on the cases of all operators.

Opset 18 has the forms that it converts: it lacks the Pad of opset 19 that wraps around, and its RotaryEmbedding of opset 23 gives other
numbers in bfloat16.
"""

from __future__ import annotations

from .node_conditions import (
    divides_wide_integers,
    has_attribute,
    has_dtype,
    has_places_of_bytes,
    has_rank,
    has_wide_constant,
    has_wide_integers,
)
from .runtime_profile import KnownDifference, Limit, RuntimeProfile, StageLimit

OPENVINO = RuntimeProfile(
    "openvino",
    "OpenVINO",
    18,
    lacking={"float64": "it computes float64 in float32", "bfloat16": "some of its kernels for bfloat16 give other numbers"},
    limits=(
        Limit(("NegativeLogLikelihoodLoss", "DeformConv", "DFT"), "it has no such operator"),
        Limit(("GridSample",), "it samples images of two dimensions only", has_rank(5)),
        Limit(("AveragePool", "MaxPool"), "its pooling with `ceil_mode=true` has other windows", has_attribute("ceil_mode", 1)),
        Limit(("Resize",), "its antialiasing has other weights", has_attribute("antialias", 1)),
        Limit(("Add", "Sub", "Mul", "Neg", "Abs"), "its arithmetic of 8 bits does not wrap around", has_dtype("uint8", "int8")),
        Limit(("Mod", "Div"), "it divides integers in float32, which rounds large ones", divides_wide_integers),
        Limit((), "it computes int64 in int32, which does not hold a constant here", has_wide_constant),
        Limit(("BitShift",), "it shifts 32 bits of int64", has_dtype("int64", "uint64")),
    ),
    stage_limits=(
        StageLimit(("sort", "argsort", "topk"), "its sort is not stable", lambda node: bool(node.op.args.get("stable"))),
        StageLimit(
            ("avg_pool", "local_response_norm"),
            "it has no division of integers that rounds as here",
            lambda node: not node.inputs[0].type.dtype.is_float,
        ),
        StageLimit(
            ("remainder", "fmod", "floor_div", "bitwise_right_shift"),
            "it divides integers in float32, which rounds large ones",
            has_wide_integers,
        ),
        StageLimit(("isinf",), "it does not find numbers that a division makes infinite"),
        StageLimit(("max_pool",), "its places of equal numbers are others", has_places_of_bytes),
    ),
    crashing=frozenset({"Scan"}),
    differences=(
        KnownDifference(
            "OpenVINO computes int64 in int32, which cuts off numbers beyond 2**31; `netc run` refuses such inputs",
            dtypes=frozenset({"int64"}),
        ),
        KnownDifference(
            "for NaN or infinite inputs, and for infinities that the model itself adds, as in a mask, OpenVINO may give other results, for "
            "example in `relu`, `logcumsumexp` and `cummax`, or a large finite number"
        ),
        KnownDifference(
            "`lgamma` and `erfinv` in OpenVINO may give other results where they are infinite, or `lgamma` beyond 1e19",
            frozenset({"lgamma", "erfinv"}),
        ),
        KnownDifference(
            "`prod` and `cumprod` of integers in OpenVINO are computed in int32, which cuts off numbers beyond 2**31",
            frozenset({"prod", "cumprod"}),
        ),
        KnownDifference(
            "`cast` in OpenVINO gives the nearest number for floats that an integer type does not hold; ONNX Runtime wraps around",
            frozenset({"cast"}),
        ),
        KnownDifference(
            "for an index out of range, OpenVINO gives zeros; ONNX Runtime refuses it",
            frozenset({"embedding", "embedding_bag", "gather", "index_select", "scatter"}),
        ),
        KnownDifference("`atan2` in OpenVINO ignores the sign of 0", frozenset({"atan2"})),
    ),
)
