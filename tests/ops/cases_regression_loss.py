"""Models with losses of numbers for the differential tests, and what they refuse."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F  # noqa: N812

_REDUCTIONS = ("mean", "sum", "none")
_FLAGS = ("true", "false")
_OTHERS = ("poisson_nll_loss", "gaussian_nll_loss 2")
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
    # counts and variances
    *[f"{_PAIR}; (x, t -> abs) -> poisson_nll_loss full={full} reduction={r}" for full in _FLAGS for r in _REDUCTIONS],
    f"{_PAIR}; (x -> abs, 3 * t -> abs) -> poisson_nll_loss log_input=false full=true",
    f"{_PAIR}; (x -> abs, t) -> poisson_nll_loss log_input=false eps=0.1 reduction=none",
    *[
        f"{_PAIR}; v = input [3]; (x, t, v -> abs) -> gaussian_nll_loss full={f} reduction={r}"
        for f in ("true", "false")
        for r in _REDUCTIONS
    ],
    f"{_PAIR}; v = input []; (x, t, v -> abs) -> gaussian_nll_loss eps=0.5",
    "x = input [T, 3]; t = input [T, 3]; v = input [T]; (x, t, v -> abs) -> gaussian_nll_loss reduction=none",
    "x = input [T, 3]; t = input [T, 3]; v = input [1, 3]; (x, t, v -> abs) -> gaussian_nll_loss",
    *[f"{_PAIR}; (x, t) -> gaussian_nll_loss {v} reduction=none" for v in (0.5, 2, 0)],
    *[
        f"x = input [3] {d}; t = input [3] {d}; (x, t) -> {loss}"
        for d in ("float16", "float64")
        for loss in ("poisson_nll_loss", "gaussian_nll_loss 2")
    ],
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
    ("x = input 3; t = input 3; (x, t) -> gaussian_nll_loss", "operand-count"),
    ("x = input 3; t = input 3; (x, t) -> gaussian_nll_loss (-1)", "bad-argument"),
    ("x = input 3; t = input 3; v = input 1 batch=false; (x, t, v) -> gaussian_nll_loss", "wrong-size"),
    ("x = input 3; t = input 3; v = input 2; (x, t, v) -> gaussian_nll_loss", "wrong-size"),
    ("x = input 3 float16; t = input 3 float16; (x, t) -> gaussian_nll_loss 1 eps=1e5", "scalar-does-not-fit"),
    ("x = input 3; t = input 1; (x, t) -> poisson_nll_loss", "shape-mismatch"),
    ("input 3 -> mse_loss", "wrong-number-of-tensors"),
]


def _weighted(name: str) -> Any:
    return lambda args, x, target, weight=None: getattr(F, name)(x, target, reduction=args.reduction, weight=weight)


def _poisson(args: Any, x: Any, target: Any) -> Any:
    return F.poisson_nll_loss(x, target, log_input=args.log_input, full=args.full, eps=args.eps, reduction=args.reduction)


def _gaussian(args: Any, x: Any, target: Any, var: Any = None) -> Any:
    if (var is None) == (args.var is None):
        raise TypeError("one of the two")
    return F.gaussian_nll_loss(x, target, float(args.var) if var is None else var, args.full, args.eps, args.reduction)


REFERENCES = {
    "l1_loss": _weighted("l1_loss"),
    "mse_loss": _weighted("mse_loss"),
    "smooth_l1_loss": lambda args, x, target: F.smooth_l1_loss(x, target, reduction=args.reduction, beta=args.beta),
    "huber_loss": lambda args, x, target, weight=None: F.huber_loss(x, target, args.reduction, args.delta, weight),
    "poisson_nll_loss": _poisson,
    "gaussian_nll_loss": _gaussian,
}
