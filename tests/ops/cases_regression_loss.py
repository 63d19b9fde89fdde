"""Models with losses of numbers for the differential tests, and what they refuse."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F  # noqa: N812

_REDUCTIONS = ("mean", "sum", "none")
_PAIR = "x = input [3]; t = input [3]"

CASES = [
    # every reduction, with and without weights
    *[
        f"{_PAIR}; (x, t) -> {loss} reduction={reduction}"
        for loss in ("l1_loss", "mse_loss", "smooth_l1_loss", "huber_loss")
        for reduction in _REDUCTIONS
    ],
    *[
        f"{_PAIR}; w = input [3]; (x, t, w -> abs) -> {loss} reduction={reduction}"
        for loss in ("l1_loss", "mse_loss", "huber_loss")
        for reduction in _REDUCTIONS
    ],
    # shapes and element types
    "x = input []; t = input []; (x, t) -> mse_loss",
    "x = input [] batch=false; t = input [] batch=false; (x, t) -> l1_loss",
    "x = input [T, 2, S]; t = input [T, 2, S]; (x, t) -> huber_loss",
    "x = input [T]; t = input [S] where S == T; (x, t) -> smooth_l1_loss",
    "x = input [3]; t = input [3]; w = param [3] init=2 as w; y = x * w; y -> mse_loss target=t",
    *[f"x = input [3] {d}; t = input [3] {d}; (x, t) -> {loss}" for d in ("float16", "float64") for loss in ("l1_loss", "mse_loss")],
    *[
        f"x = input [3] {d}; t = input [3] {d}; (x, t) -> {loss}"
        for d in ("float16", "float64")
        for loss in ("smooth_l1_loss", "huber_loss")
    ],
    "x = input [3] float64; t = input [3] float64; w = input [3] float64; (x, t) -> mse_loss weight=w",
    # their own arguments
    *[f"{_PAIR}; (x, t) -> smooth_l1_loss beta={beta}" for beta in (0, 0.1, 3)],
    *[f"{_PAIR}; (x, t) -> huber_loss delta={delta} reduction=none" for delta in (0.1, 3, 1000)],
    "x = input 3 -> dense 1 -> squeeze 1; t = input []; (x, t) -> mse_loss",
]

REFUSED = [
    ("guess = input 3 -> dense 1; t = input []; (guess, t) -> mse_loss", "shape-mismatch"),
    ("guess = input []; t = input 1; (guess, t) -> mse_loss", "shape-mismatch"),
    ("x = input 3; t = input 1; (x, t) -> l1_loss", "shape-mismatch"),
    ("x = input 3; t = input 3 batch=false; (x, t) -> huber_loss", "shape-mismatch"),
    ("x = input [T]; t = input [S]; (x, t) -> smooth_l1_loss", "unprovable"),
    ("x = input 3; t = input 3; w = input [3] batch=false; (x, t, w) -> mse_loss", "shape-mismatch"),
    ("x = input 3; t = input 3 int64; (x, t) -> mse_loss", "dtype-mismatch"),
    ("x = input 3; t = input 3 float64; (x, t) -> mse_loss", "dtype-mismatch"),
    ("x = input 3 int64; t = input 3 int64; (x, t) -> l1_loss", "needs-float"),
    ("x = input 3; t = input 3; (x, t) -> mse_loss reduction=average", "wrong-argument"),
    ("x = input 3; t = input 3; (x, t) -> huber_loss delta=0", "wrong-argument"),
    ("x = input 3; t = input 3; (x, t) -> smooth_l1_loss beta=-1", "wrong-argument"),
    ("x = input 3; t = input 3; w = input 3; (x, t, w) -> smooth_l1_loss", "wrong-number-of-tensors"),
    ("input 3 -> mse_loss", "wrong-number-of-tensors"),
]


def _weighted(name: str) -> Any:
    return lambda args, x, target, weight=None: getattr(F, name)(x, target, reduction=args.reduction, weight=weight)


REFERENCES = {
    "l1_loss": _weighted("l1_loss"),
    "mse_loss": _weighted("mse_loss"),
    "smooth_l1_loss": lambda args, x, target: F.smooth_l1_loss(x, target, reduction=args.reduction, beta=args.beta),
    "huber_loss": lambda args, x, target, weight=None: F.huber_loss(x, target, args.reduction, args.delta, weight),
}
