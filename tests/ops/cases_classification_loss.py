"""Models with losses of classes for the differential tests, and what they refuse. Class numbers are 0 or 1: the judge feeds no others."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F  # noqa: N812

_REDUCTIONS = ("mean", "sum", "none")
_SCORES = "x = input [4]; t = input [] int64"
_MANY = "x = input [4, T]; t = input [T] int64"
_SHARES = "x = input [4, T]; t = input [4, T]"
_WEIGHT = "w = input [4] batch=false"
_LINEAR = "x = input [T, 6]; v = param [4, 6] as head.weight; t = input [T] int64"

CASES = [
    *[f"{_SCORES}; (x, t) -> {loss} reduction={r}" for loss in ("cross_entropy", "nll_loss") for r in _REDUCTIONS],
    *[f"{_MANY}; {_WEIGHT}; (x, t, w) -> {loss} reduction={r}" for loss in ("cross_entropy", "nll_loss") for r in _REDUCTIONS],
    *[
        f"{_MANY}; {_WEIGHT}; (x, t, w) -> {loss} ignore_index=1 reduction={r}"
        for loss in ("cross_entropy", "nll_loss")
        for r in _REDUCTIONS
    ],
    *[f"{_MANY}; (x, t) -> {loss} ignore_index=0" for loss in ("cross_entropy", "nll_loss")],
    *[f"{_SCORES}; (x, t * 0) -> {loss} ignore_index=0 reduction={r}" for loss in ("cross_entropy", "nll_loss") for r in _REDUCTIONS],
    *[f"{_SCORES}; (x, t * 0 - 7) -> {loss} ignore_index=-7 reduction=sum" for loss in ("cross_entropy", "nll_loss")],
    *[f"{_MANY}; (x, t) -> cross_entropy label_smoothing={s} ignore_index=1 reduction={r}" for s in (0.1, 1) for r in _REDUCTIONS],
    *[f"{_MANY}; {_WEIGHT}; (x, t) -> cross_entropy label_smoothing=0.2 ignore_index=1 weight=w reduction={r}" for r in _REDUCTIONS],
    # probabilities of classes
    *[f"{_SHARES}; (x, t -> softmax axis=1) -> cross_entropy reduction={r}" for r in _REDUCTIONS],
    *[f"{_SHARES}; {_WEIGHT}; (x, t, w) -> cross_entropy label_smoothing=0.3 reduction={r}" for r in _REDUCTIONS],
    "x = input [4] batch=false; t = input [4] batch=false; (x, t) -> cross_entropy",
    "x = input [4] batch=false; t = input [4] batch=false; (x, t) -> cross_entropy reduction=none label_smoothing=0.5",
    # shapes and element types
    *[f"x = input [3, 5, 2]; t = input [5, 2] int64; (x, t) -> {loss}" for loss in ("cross_entropy", "nll_loss")],
    *[f"x = input [C, T]; t = input [T] int64; (x, t) -> {loss}" for loss in ("cross_entropy", "nll_loss")],
    *[
        f"x = input [4] batch=false; t = input [] int64 batch=false; (x, t) -> {loss} reduction={r}"
        for loss in ("cross_entropy", "nll_loss")
        for r in _REDUCTIONS
    ],
    "x = input [4] batch=false; t = input [] int64 batch=false; w = input [4] batch=false; (x, t, w) -> cross_entropy label_smoothing=0.1",
    "x = input [C]; t = input [] int64; (x, t) -> cross_entropy label_smoothing=0.1",
    *[f"x = input [4] {d}; t = input [] int64; (x, t) -> {loss}" for d in ("float16", "float64") for loss in ("cross_entropy", "nll_loss")],
    *[f"x = input [4] {d}; t = input [4] {d}; (x, t) -> cross_entropy label_smoothing=0.1" for d in ("float16", "float64")],
    "x = input [4] float64; t = input [] int64; w = input [4] float64 batch=false; (x, t, w) -> cross_entropy label_smoothing=0.1",
    "x = input [T, 8] -> dense 4 -> transpose 1 2; t = input [T] int64; x -> cross_entropy target=t",
    # linear scores
    *[f"{_LINEAR}; (x, v, t) -> linear_cross_entropy reduction={r}" for r in _REDUCTIONS],
    *[
        f"{_LINEAR}; {_WEIGHT}; b = param [4] as b; (x, v, t, b, w) -> linear_cross_entropy ignore_index=1 label_smoothing=0.2 "
        f"reduction={r}"
        for r in _REDUCTIONS
    ],
    *[f"{_LINEAR}; (x, v, t * 0 - 100) -> linear_cross_entropy reduction={r}" for r in _REDUCTIONS],
    "x = input 6; v = input [4, 6] batch=false; t = input [] int64; (x, v, t) -> linear_cross_entropy",
    "x = input [6] batch=false; v = input [C, 6] batch=false; t = input [] int64 batch=false; (x, v, t) -> linear_cross_entropy",
    "x = input [2, T, 3]; v = input [50, 3] batch=false; t = input [2, T] int64; (x, v, t) -> linear_cross_entropy reduction=none",
    *[
        f"x = input 6 {d}; v = input [4, 6] {d} batch=false; t = input [] int64; (x, v, t) -> linear_cross_entropy"
        for d in ("float16", "float64")
    ],
]

REFUSED = [
    (f"{_LINEAR}; (x, v -> transpose 0 1, t) -> linear_cross_entropy", "shape-mismatch"),
    ("x = input 6; v = param [4, 6] as v; t = input [1] int64; (x, v, t) -> linear_cross_entropy", "shape-mismatch"),
    ("x = input 6; v = param [4, 6] as v; t = input 4; (x, v, t) -> linear_cross_entropy", "needs-integer"),
    ("x = input 6; v = param [4, 6] as v; b = param [3] as b; t = input [] int64; (x, v, t, b) -> linear_cross_entropy", "shape-mismatch"),
    ("x = input []; v = param [4, 6] as v; t = input [] int64; (x, v, t) -> linear_cross_entropy", "wrong-rank"),
    ("x = input [4]; t = input []; (x, t) -> cross_entropy", "needs-integer"),
    ("x = input [4]; t = input [] int32; (x, t) -> cross_entropy", "needs-integer"),
    ("x = input [4]; t = input [] bool; (x, t) -> nll_loss", "needs-integer"),
    ("x = input [4]; t = input [4]; (x, t) -> nll_loss", "needs-integer"),
    ("x = input [4] int64; t = input [] int64; (x, t) -> cross_entropy", "needs-float"),
    ("x = input [4]; t = input [1] int64; (x, t) -> cross_entropy", "shape-mismatch"),
    ("x = input [4]; t = input [4] int64; (x, t) -> cross_entropy", "shape-mismatch"),
    ("x = input [4]; t = input [3]; (x, t) -> cross_entropy", "shape-mismatch"),
    ("x = input [T, 4]; t = input [T] int64; (x, t) -> cross_entropy", "shape-mismatch"),
    ("x = input [4, T]; t = input [S] int64; (x, t) -> cross_entropy", "unprovable"),
    ("x = input [4, T]; t = input [4, S]; (x, t) -> cross_entropy", "unprovable"),
    ("x = input []; t = input []; (x, t) -> cross_entropy", "wrong-rank"),
    ("x = input [] batch=false; t = input [] int64 batch=false; (x, t) -> cross_entropy", "wrong-rank"),
    ("x = input [4]; t = input [4] float64; (x, t) -> cross_entropy", "dtype-mismatch"),
    ("x = input [4]; t = input [4]; (x, t) -> cross_entropy ignore_index=1", "bad-argument"),
    ("x = input [4]; t = input [] int64; w = input [3] batch=false; (x, t, w) -> cross_entropy", "wrong-size"),
    ("x = input [4]; t = input [] int64; w = input [4]; (x, t, w) -> cross_entropy", "wrong-rank"),
    ("x = input [C]; t = input [] int64; w = input [4] batch=false; (x, t, w) -> cross_entropy", "unprovable"),
    ("x = input [4]; t = input [] int64; w = input [4] float64 batch=false; (x, t, w) -> cross_entropy", "dtype-mismatch"),
    ("x = input [4]; t = input [] int64; (x, t) -> cross_entropy label_smoothing=1.5", "wrong-argument"),
    ("x = input [4]; t = input [] int64; (x, t) -> nll_loss label_smoothing=0.5", "unknown-argument"),
]


def _cross_entropy(args: Any, x: Any, target: Any, weight: Any = None) -> Any:
    return F.cross_entropy(
        x, target, weight, ignore_index=args.ignore_index, reduction=args.reduction, label_smoothing=float(args.label_smoothing)
    )


def _nll_loss(args: Any, x: Any, target: Any, weight: Any = None) -> Any:
    return F.nll_loss(x, target, weight, ignore_index=args.ignore_index, reduction=args.reduction)


def _linear_cross_entropy(args: Any, x: Any, linear_weight: Any, target: Any, linear_bias: Any = None, weight: Any = None) -> Any:
    assert linear_bias is None or linear_bias.shape == linear_weight.shape[:1]  # PyTorch's own function does not broadcast it
    scores = F.linear(x, linear_weight, linear_bias)
    return _cross_entropy(args, scores.movedim(-1, min(1, x.dim() - 1)), target, weight)


REFERENCES = {"cross_entropy": _cross_entropy, "nll_loss": _nll_loss, "linear_cross_entropy": _linear_cross_entropy}
