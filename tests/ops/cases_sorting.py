"""Models of the sorting family for the differential tests, and what it refuses.

The places of equal elements are compared only where `stable` tells them; integers that the judge feeds are 0 or 1.
"""

import torch

_NUMBERS = ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8")

CASES: list[str] = [
    "input [T, 8] -> topk 3",
    "input [T, 8] where T >= 3 -> topk 3 axis=1",
    "input [T, 8] -> topk (T) axis=1 largest=false",
    "x = input [T, 8]; x -> topk ((T + 1) // 2) axis=1",
    "input [8] -> topk 2 dim=-1 largest=false",
    "input [2, 8] -> topk 5 sorted=false -> sum axis=-1",
    "x = input [T, 8]; (values, places) = x -> topk 3; out values, places",
    "x = input [8, T]; (values, places) = x -> topk 2 axis=1 largest=false; out values, places",
    "x = input [] batch=false; (values, places) = x -> topk 1; out values, places",
    "input [8] -> topk 4 -> relu -> dense 3",
    *[f"input [8] {d} -> topk 3" for d in _NUMBERS],
    *[f"input [8] {d} -> topk 3 largest=false" for d in _NUMBERS],
    "input [T, 8] -> sort",
    "input [T, 8] -> sort 1 descending=true",
    "input 2x3x4 -> sort axis=0",
    "x = input [T, 8]; (values, places) = x -> sort descending=true; out values, places",
    "x = input [T, 3]; (values, places) = x -> sort dim=1; out values, places",
    "x = input [] batch=false; (values, places) = x -> sort; out values, places",
    *[f"x = input [9] {d}; (values, places) = x -> sort stable=true; out values, places" for d in (*_NUMBERS, "bool")],
    *[f"x = input [9] {d}; (values, places) = x -> sort stable=true descending=true; out values, places" for d in (*_NUMBERS, "bool")],
    "input [T, 8] -> argsort",
    "input [T, 8] -> argsort axis=1 descending=true",
    "input [9] bool -> argsort stable=true",
    "input [9] int64 -> argsort descending=true stable=true",
    "input [] batch=false -> argsort dim=0",
    "x = input [4]; (x, x -> argsort) -> gather 1",
    # positions among boundaries
    *[f"x = input [T, 3]; b = input [5] {d} batch=false; (x, b -> sort) -> bucketize" for d in ("float32", "float64", "int64", "uint8")],
    *[f"x = input [7] {d}; b = input [5] batch=false; (x, b -> sort) -> bucketize right=true" for d in ("float16", "int8", "bool")],
    *[f"x = input [7] {d}; b = input [5] {d} batch=false; (x * 3, b * 2 -> sort) -> bucketize" for d in ("float16", "int64", "int16")],
    "x = input [7]; b = input [T] batch=false; (x -> round, b -> round -> sort) -> bucketize",
    "x = input [7]; b = input [T] batch=false; (x -> round, b -> round -> sort) -> bucketize right=true",
    "x = input [] batch=false; b = input [1] batch=false; (x, b) -> bucketize",
]

TORCH_ONLY: list[str] = ["input [8] bfloat16 -> topk 3", "input [8] bfloat16 -> sort"]

REFUSED: list[tuple[str, str]] = [
    ("input [4] -> topk 5", "bad-argument"),
    ("input [4] -> topk 0", "wrong-argument"),
    ("input [T] -> topk 5", "unprovable"),
    ("input [T] -> topk (T + 1)", "bad-argument"),
    ("input [4] -> topk 2 axis=2", "bad-axis"),
    ("input [4] bool -> topk 2", "needs-number"),
    ("input [] batch=false -> topk 2", "bad-argument"),
    ("input [4] -> topk", "missing-argument"),
    ("input [4] -> sort axis=2", "bad-axis"),
    ("input [4] -> argsort axis=-3", "bad-axis"),
    ("input [4] -> sort descending=1", "wrong-argument"),
    ("x = input [3]; b = input [3]; (x, b) -> bucketize", "wrong-rank"),
    ("x = input [3] bool; b = input [3] bool batch=false; (x, b) -> bucketize", "needs-number"),
]

REFERENCES = {"bucketize": lambda args, x, boundaries: torch.bucketize(x, boundaries, right=args.right)}
