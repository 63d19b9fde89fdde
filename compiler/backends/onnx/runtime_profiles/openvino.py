"""OpenVINO's profile, for its CPU plug-in, as measured with OpenVINO 2026.4 on the cases of all operators.

Opset 18 has the forms that it converts: it lacks the Pad of opset 19 that wraps around, and its RotaryEmbedding of opset 23 gives other
numbers in bfloat16.
"""

from __future__ import annotations

from .node_conditions import has_attribute, has_dtype, has_places_of_bytes, has_rank
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
        Limit(("Add", "Sub", "Mul"), "its arithmetic of uint8 does not wrap around", has_dtype("uint8")),
        Limit(("BitShift",), "it shifts 32 bits of int64", has_dtype("int64", "uint64")),
    ),
    stage_limits=(
        StageLimit(("sort", "argsort", "topk"), "its sort is not stable", lambda node: bool(node.op.args.get("stable"))),
        StageLimit(
            ("avg_pool", "local_response_norm"),
            "it has no division of integers that rounds as here",
            lambda node: not node.inputs[0].type.dtype.is_float,
        ),
        StageLimit(("isinf",), "it does not find numbers that a division makes infinite"),
        StageLimit(("max_pool",), "its places of equal numbers are others", has_places_of_bytes),
    ),
    differences=(
        KnownDifference(
            "OpenVINO computes int64 in int32, which cuts off numbers beyond 2**31; `netc run` refuses such inputs",
            dtypes=frozenset({"int64"}),
        ),
        KnownDifference("for NaN or infinite inputs, OpenVINO may give other results, for example in `relu`, `logcumsumexp` and `cummax`"),
        KnownDifference(
            "`lgamma` and `erfinv` in OpenVINO may give other results where they are infinite", frozenset({"lgamma", "erfinv"})
        ),
        KnownDifference("`atan2` in OpenVINO ignores the sign of 0", frozenset({"atan2"})),
    ),
)
