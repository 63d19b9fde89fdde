"""One-line models that take out diagonals and make them, and those that are refused; how a PyTorch user calls them."""

import torch

_ANY = ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")

CASES: list[str] = [
    *[f"x = input [3, 4] {d}; x -> diagonal 1 axis1=1 axis2=2" for d in _ANY],
    *[f"x = input [3, 5]; x -> diagonal offset={offset} axis1=1 axis2=-1" for offset in (-2, -1, 0, 1, 2, 3, 4)],
    "x = input [3, 5]; x -> diagonal axis1=2 axis2=1",
    "x = input [3, 4] batch=false; x -> diagonal",
    "x = input [3, 4, 2] batch=false; x -> diagonal offset=-1",
    "x = input [T, T]; x -> diagonal axis1=-2 axis2=-1",
    "x = input [T, T] where T >= 3; x -> diagonal offset=-2 axis1=2 axis2=1",
    "x = input [T, S] where T >= 3, S >= 3; x -> diagonal 1 axis1=1 axis2=2",
    "x = input [T, 2, S] where T >= 3, S >= 3; x -> diagonal offset=-1 axis1=1 axis2=3",
    *[f"x = input [3] {d}; x -> diag_embed" for d in _ANY],
    *[f"x = input [3]; x -> diag_embed offset={offset}" for offset in (-2, -1, 1, 2)],
    "x = input [3] int64; x -> diag_embed 1 axis1=0 axis2=2",
    "x = input [T, 3]; x -> diag_embed offset=-1 axis1=3 axis2=1",
    "x = input [T]; x -> diag_embed offset=2",
    "x = input [3] batch=false; x -> diag_embed axis1=1 axis2=0",
]

REFUSED: list[tuple[str, str]] = [
    ("x = input [3] batch=false; x -> diagonal", "wrong-rank"),
    ("x = input [3, 4]; x -> diagonal axis1=1 axis2=-2", "bad-argument"),
    ("x = input [3, 4]; x -> diagonal axis1=3", "bad-axis"),
    ("x = input [3, 4]; x -> diagonal 4 axis1=1 axis2=2", "empty-result"),
    ("x = input [3, 4]; x -> diagonal offset=-3 axis1=1 axis2=2", "empty-result"),
    ("x = input [] batch=false; x -> diag_embed", "wrong-rank"),
    ("x = input [3]; x -> diag_embed axis1=2", "bad-argument"),
    ("x = input [3]; x -> diag_embed axis2=3", "bad-axis"),
]

REFERENCES = {
    "diag_embed": lambda args, x: torch.diag_embed(x, args.offset, args.axis1, args.axis2),
    "diagonal": lambda args, x: torch.diagonal(x, args.offset, args.axis1, args.axis2),
}
