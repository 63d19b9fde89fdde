"""Which numbers the inputs of a use may hold, so that the results are defined.

In: a use. Out: for inputs of integers, the least, and one more than the greatest; or that they all differ. Always: integers that
are not named are 0 and 1.
"""

from __future__ import annotations

from collections.abc import Callable

import netc
from netc.compiler.ir.flat_graph import FlatGraph
from tests.differential.use import Use
from tests.parity import Ascending, Distinct, Limit

Limits = dict[str, Limit]


def limits_of(use: Use) -> Limits:
    """By name of the input."""
    limits = LIMITS.get(use.operator)
    return {} if limits is None else limits(use)


def _axis(use: Use) -> int:
    """The size of the axis that is given, as it is without symbols."""
    sizes = use.inputs[0].shape
    return int(sizes[int(dict(use.args)["axis"])]) if sizes else 1


def _indices(use: Use) -> Limits:
    """Of an unknown size, only the first element is sure to be there: the batch may be 1."""
    return {"x1": (0, 1 if use.dims else min(_axis(use), 2))}


def _order(use: Use) -> Limits:
    """Of equal numbers, any may come first."""
    return {"x0": Distinct(int(dict(use.args).get("axis", use.cls.signature["axis"].default)))}


def _classes(use: Use) -> Limits:
    """Class numbers, by the scores."""
    shape = use.inputs[0].shape
    return {"x1": (0, int(shape[min(1, len(shape) - 1)]))}


def _listed(use: Use) -> Limits:
    """Lists of class numbers, which end with a number below 0."""
    return {"x1": (-1, int(use.inputs[0].shape[-1]))}


LIMITS: dict[str, Callable[[Use], Limits]] = {
    # PyTorch divides by 0 only among floating-point numbers.
    "floor_div": lambda use: {"x0": (1, 9), "x1": (1, 4)},
    "fmod": lambda use: {"x0": (1, 9), "x1": (1, 4)},
    "remainder": lambda use: {"x0": (1, 9), "x1": (1, 4)},
    "embedding": lambda use: {"x0": (0, int(dict(use.args)["num"]))},
    "embedding_bag": lambda use: {"x0": (0, int(dict(use.args)["num"])), "x2": (0, 1)},
    "istft": lambda use: {"x1": (1, 2)},
    "max_unpool": lambda use: {"x1": (0, 1)},
    **dict.fromkeys(("fractional_max_pool", "roi_align"), lambda use: {"x1": (0, 1)}),
    **dict.fromkeys(("cross_entropy", "nll_loss", "multi_margin_loss"), lambda use: {} if use.inputs[1].dtype.is_float else _classes(use)),
    "linear_cross_entropy": lambda use: {"x2": (0, int(use.inputs[1].shape[0]))},
    "binary_cross_entropy": lambda use: {"x0": (0, 1), "x1": (0, 1)},
    "gaussian_nll_loss": lambda use: {"x2": (0, 1)},
    "ctc_loss": lambda use: {"x1": (1, 2)},
    "multilabel_margin_loss": _listed,
    "bucketize": lambda use: {"x1": Ascending()},
    "gather": _indices,
    **dict.fromkeys(("index_add", "index_select"), _indices),
    "one_hot": lambda use: {"x0": (0, int(dict(use.args)["classes"]))},
    "rotary": lambda use: {"x1": (0, 9)},
    "scatter": _indices,
    "scatter_reduce": _indices,
    **dict.fromkeys(("argsort", "sort", "topk"), _order),
}


# --- how near the numbers must be ------------------------------------------------------------------------------------------------


def needs_more(use: Use) -> bool:
    """Whether the batch must not be 1: there would be one number to take a variance of, or nothing left of what is cut off."""
    if use.operator == "group_norm":
        return alone(use)
    if use.operator in ("irfft", "stft"):
        return True
    if use.operator == "sliding_window":
        return dict(use.args)["axis"] in (0, -use.inputs[0].rank)
    if use.operator == "pad":
        return min(use.build().args["padding"]) < 0
    return use.operator == "batch_norm" and use.inputs[0].rank == 2 and not use.build().args["track_running_stats"]


def alone(use: Use) -> bool:
    """Whether each number is a group by itself."""
    return use.inputs[0].rank == 2 and use.build().args["groups"] == use.inputs[0].shape[1]


TOLERANCES = {"float64": 1e-9, "float32": 1e-5, "float16": 2e-2, "bfloat16": 1e-1}
"""Relative and absolute, by the narrowest element type that takes part; integers and booleans are equal."""

LOOSER: dict[tuple[str, str], tuple[float, str]] = {
    ("gelu", "float64"): (1e-6, "ONNX Runtime computes erf with the precision of float32"),
    ("rms_norm", "float64"): (1e-7, "ONNX holds eps in float32"),
    ("layer_norm", "float64"): (1e-7, "ONNX holds eps in float32"),
    ("batch_norm", "float64"): (1e-7, "ONNX holds eps in float32"),
    ("instance_norm", "float64"): (1e-7, "ONNX holds eps in float32"),
    ("group_norm", "float64"): (1e-7, "ONNX holds eps in float32"),
    ("erf", "float64"): (1e-6, "ONNX Runtime computes erf with the precision of float32"),
    ("erfc", "float64"): (1e-6, "a series with the precision of float32"),
    ("erfinv", "float64"): (1e-6, "a series with the precision of float32"),
}
"""By operator and element type, and why."""

_NOT_THERE = "no kernel for the CPU"
NO_KERNEL: dict[tuple[str, str], str] = {
    ("adaptive_avg_pool", "float64"): f"GlobalAveragePool and AveragePool: {_NOT_THERE}",
    ("adaptive_max_pool", "float64"): f"GlobalMaxPool: {_NOT_THERE}",
    ("conv", "float64"): f"Conv: {_NOT_THERE}",
    ("upsample", "float64"): f"AveragePool: {_NOT_THERE}",
    ("avg_pool", "float64"): f"AveragePool: {_NOT_THERE}",
    ("conv_transpose", "float64"): f"ConvTranspose: {_NOT_THERE}",
    ("fold", "float64"): f"Col2Im: {_NOT_THERE}",
    ("deform_conv", "float64"): f"DeformConv: {_NOT_THERE}",
    ("roi_align", "float64"): f"AveragePool: {_NOT_THERE}",
    ("istft", "float64"): f"Col2Im: {_NOT_THERE}",
    ("lp_pool", "float64"): f"AveragePool: {_NOT_THERE}",
    ("local_response_norm", "float64"): f"LRN and AveragePool: {_NOT_THERE}",
    **dict.fromkeys(
        ((name, "float64") for name in ("asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh")),
        f"none of the inverse and hyperbolic functions: {_NOT_THERE}",
    ),
}
"""What ONNX Runtime lacks: by operator and element type of the first input."""


WITHIN_BOUNDS = frozenset(("binary_cross_entropy", "gaussian_nll_loss"))
"""What PyTorch refuses some numbers of, at run time."""
NOT_DRAWN = frozenset(("gradient",))
"""What takes tensors that depend on each other, as inputs that are drawn do not."""
TORCH_ALONE = frozenset(("ctc_loss", "match"))
"""What cannot be written in ONNX at all."""


def torch_alone(model: netc.Model) -> bool:
    """Whether the model has such an operator."""
    return any(flat.node.op.name in TORCH_ALONE for flat in FlatGraph(model.program.main).iterate_operators())


def tolerance_of(use: Use) -> float:
    """See the tables."""
    floats = [t.dtype for t in use.inputs if t.dtype.is_float]
    if not floats:
        return TOLERANCES["float32"]
    narrowest = min(floats, key=lambda dtype: dtype.size).name
    known = LOOSER.get((use.operator, narrowest))
    return (TOLERANCES[narrowest] if known is None else known[0]) * _factor(use)


def _factor(use: Use) -> float:
    """The factor by which the numbers that are rounded in between are larger than the result."""
    args = use.build().args
    if use.operator in ("celu", "elu"):
        # ONNX Runtime computes `alpha * (exp(x) - 1)` as written: near 0 it is as wrong as 1 is, times alpha.
        return max(1.0, abs(args["alpha"]))
    if use.operator == "group_norm" and alone(use):
        # PyTorch computes `x / deviation - mean / deviation`, where the deviation is nothing but the root of eps.
        return max(1.0, (args["eps"] or 1.0) ** -0.5)
    return 1.0
