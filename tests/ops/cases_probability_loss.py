"""Models with losses of probabilities for the differential tests, and what they refuse."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F  # noqa: N812

_REDUCTIONS = ("mean", "sum", "none")
_PAIR = "x = input [3, T]; t = input [3, T]"
_LOGITS = "binary_cross_entropy_with_logits"
_BOTH = "x -> nan_to_num -> sigmoid, t -> nan_to_num -> sigmoid"

CASES = [
    *[f"{_PAIR}; ({_BOTH}) -> binary_cross_entropy reduction={r}" for r in _REDUCTIONS],
    *[f"{_PAIR}; w = input [T]; ({_BOTH}, w -> unsqueeze 1) -> binary_cross_entropy reduction={r}" for r in _REDUCTIONS],
    "x = input [3]; t = input [3]; (x -> nan_to_num -> sigmoid -> round, t -> nan_to_num -> sigmoid -> round) -> binary_cross_entropy",
    f"x = input [] float64; t = input [] float64; ({_BOTH}) -> binary_cross_entropy",
    f"x = input [3] float16; t = input [3] float16; ({_BOTH}) -> binary_cross_entropy",
    *[f"{_PAIR}; (x, t) -> {_LOGITS} reduction={r}" for r in _REDUCTIONS],
    *[f"{_PAIR}; p = input [3, 1] batch=false; (x, t) -> {_LOGITS} pos_weight=p reduction={r}" for r in _REDUCTIONS],
    f"{_PAIR}; w = input [3, T]; p = input [T] batch=false; (x, t, w, p) -> {_LOGITS}",
    f"{_PAIR}; w = input [] batch=false; (x, t) -> {_LOGITS} weight=w reduction=none",
    f"x = input [3]; t = input [3]; (x, t -> sigmoid -> round) -> {_LOGITS}",
    *[f"x = input [3] {d}; t = input [3] {d}; (x, t) -> {_LOGITS}" for d in ("float16", "float64")],
    *[f"{_PAIR}; (x, t -> abs) -> kl_div reduction={r}" for r in (*_REDUCTIONS, "batchmean")],
    *[f"{_PAIR}; (x, t) -> kl_div log_target=true reduction={r}" for r in (*_REDUCTIONS, "batchmean")],
    f"{_PAIR}; (x -> log_softmax axis=1, t -> softmax axis=1) -> kl_div reduction=batchmean",
    "x = input [3]; t = input [3]; (x, t -> sign) -> kl_div",
    "x = input [] batch=false; t = input [] batch=false; (x, t) -> kl_div reduction=batchmean",
    *[f"x = input [3] {d}; t = input [3] {d}; (x, t -> abs) -> kl_div" for d in ("float16", "float64")],
]

REFUSED = [
    (f"x = input 3 -> dense 1; t = input []; (x, t) -> {_LOGITS}", "shape-mismatch"),
    ("x = input 3 -> dense 1 sigmoid; t = input []; (x, t) -> binary_cross_entropy", "shape-mismatch"),
    (f"x = input 3; t = input 3; p = input [2] batch=false; (x, t) -> {_LOGITS} pos_weight=p", "shape-mismatch"),
    (f"x = input 3; t = input 3; w = input [2, 3]; (x -> unsqueeze 1, t -> unsqueeze 1, w) -> {_LOGITS}", "wrong-size"),
    (f"x = input 3; t = input 3; w = input [2, 1, 3] batch=false; (x, t, w) -> {_LOGITS}", "wrong-size"),
    (f"x = input 3; t = input 3 bool; (x, t) -> {_LOGITS}", "dtype-mismatch"),
    (f"x = input 3; t = input 3 int64; (x, t) -> {_LOGITS}", "dtype-mismatch"),
    ("x = input 3 int64; t = input 3 int64; (x, t) -> binary_cross_entropy", "needs-float"),
    ("x = input [T]; t = input [S]; (x, t) -> kl_div", "unprovable"),
    ("x = input 3; t = input []; (x, t) -> kl_div", "shape-mismatch"),
    ("x = input 3; t = input 3; (x, t) -> binary_cross_entropy reduction=batchmean", "wrong-argument"),
]


def _with_logits(args: Any, x: Any, target: Any, weight: Any = None, pos_weight: Any = None) -> Any:
    return F.binary_cross_entropy_with_logits(x, target, weight, reduction=args.reduction, pos_weight=pos_weight)


def _named(args: Any, x: Any, target: Any, *tensors: Any) -> Any:
    """Which tensors there are is said by their names."""
    names = args.arguments.get("named") or ("weight", "pos_weight")[: len(tensors)]
    return _with_logits(args, x, target, **dict(zip(names, tensors, strict=True)))


REFERENCES = {
    "binary_cross_entropy": lambda args, x, target, weight=None: F.binary_cross_entropy(x, target, weight, reduction=args.reduction),
    "binary_cross_entropy_with_logits": _named,
    "kl_div": lambda args, x, target: F.kl_div(x, target, reduction=args.reduction, log_target=args.log_target),
}
