"""Models that use what elements have in common with those before them, and those that are refused; how a PyTorch user calls them."""

import torch

_ANY = ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
_EXTREMES = ("cummax", "cummin")

CASES: list[str] = [
    *[f"x = input [T, 5] {d}; x -> logcumsumexp axis={axis}" for axis in (1, -1) for d in ("float32", "float16", "float64")],
    "x = input [1] batch=false; x -> logcumsumexp 0",
    "x = input [3, 7, 2]; x * 100 -> logcumsumexp 2",
    "x = input [3, T, 2]; x * 100 -> logcumsumexp axis=2",
    "x = input [9]; x -> round -> log -> logcumsumexp 1",
    "x = input [T]; x -> round -> log -> logcumsumexp 1",
    "x = input [] batch=false; x -> logcumsumexp 0",
    *[f"x = input [2, 9] {d}; (v, i) = x -> {name} 2; out v, i" for name in _EXTREMES for d in _ANY],
    *[f"x = input [2, T] {d}; (v, i) = x -> {name} axis=-1; out v, i" for name in _EXTREMES for d in _ANY],
    *[f"x = input [6, 2]; (v, i) = (x -> round) -> {name} 1; out v, i" for name in _EXTREMES],
    *[f"x = input [T, 2]; (v, i) = (x -> round -> log) -> {name} 1; out v, i" for name in _EXTREMES],
    *[f"x = input [9]; (v, i) = (x -> round -> log) -> {name} 1; out v, i" for name in _EXTREMES],
    *[f"x = input [3]; x -> {name} 0" for name in _EXTREMES],
    "x = input [] batch=false; (v, i) = x -> cummax 0; out v, i",
    "x = input [1] batch=false; (v, i) = x -> cummin 0; out v, i",
    *[f"x = input [5] {d}; x -> diff" for d in _ANY],
    *[f"x = input [5] {d}; x -> diff 2" for d in ("float32", "int8", "uint8", "bool")],
    "x = input [T, 3] where T >= 4; x -> diff 3 axis=1",
    "x = input [5, 4]; x -> diff n=0 axis=1",
]

REFUSED: list[tuple[str, str]] = [
    ("x = input [3] int64; x -> logcumsumexp 1", "needs-float"),
    ("x = input [3]; x -> logcumsumexp 2", "bad-axis"),
    ("x = input [3]; x -> cummax 2", "bad-axis"),
    ("x = input [3]; x -> cummin", "missing-argument"),
    ("x = input [3]; x -> diff 3", "empty-result"),
    ("x = input [3]; x -> diff n=-1", "wrong-argument"),
    ("x = input [] batch=false; x -> diff", "wrong-rank"),
]

REFERENCES = {
    "cummax": lambda args, x: torch.cummax(x, args.axis),
    "cummin": lambda args, x: torch.cummin(x, args.axis),
    "diff": lambda args, x: torch.diff(x, args.n, args.axis),
    "logcumsumexp": lambda args, x: torch.logcumsumexp(x, args.axis),
}
