"""One-line models that use all functions of one number except functions of angles, and models that are refused."""

import torch

_NUMBERS = ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8")
_REAL = ["exp", "expm1", "log1p", "sqrt", "rsqrt", "reciprocal", "erf", "square", "sign", "logical_not"]

CASES: list[str] = [
    *[f"x = input [3] {d}; -x" for d in _NUMBERS],
    *[f"x = input [3] {d}; x -> abs" for d in _NUMBERS],
    *[f"x = input [T] {d}; x -> abs -> {name}" for name in ("sqrt", "log1p", "exp") for d in ("float64", "float16", "int64", "uint8")],
    *[f"x = input [T, 3]; x -> {name}" for name in ["expm1", "exp", "reciprocal", "erf", "square", "sign", "logical_not", "neg"]],
    *[f"x = input [T, 3]; x -> abs -> {name}" for name in ("log1p", "sqrt", "rsqrt", "log")],
    *[f"x = input [3] bool; x -> {name}" for name in _REAL if name not in ("rsqrt", "reciprocal")],
    *[f"x = input [3] int32; x -> {name}" for name in _REAL if name not in ("sqrt", "rsqrt", "log1p")],
    *[f"x = input [3] float64; x -> abs -> {name}" for name in _REAL if name != "erf"],
    *[f"x = input [3] {d}; x -> {name}" for name in ("floor", "ceil", "round") for d in ("float32", "float64", "float16", "int8")],
    "x = input [8]; x * 2 -> round",
    "x = input [8]; x * 0.0001 -> expm1",
    "x = input [8]; x * 0.0001 -> log1p",
    "x = input [8]; x * 20 -> expm1",
    "x = input [8] float16; x * 0.01 -> expm1",
    "x = input [8] float64; x * 0.0001 -> expm1",
    "x = input [8] float64; x * 0.0001 -> log1p",
    "x = input [] batch=false; -x -> exp",
    *[f"x = input [T, 3] {d}; x -> {name}" for name in ("exp2", "trunc") for d in ("float32", "float16")],
    *[f"x = input [T, 3] {d}; x * x + 1.5 -> {name}" for name in ("log2", "log10") for d in ("float32", "float16")],
    *[f"x = input [3] float64; x -> {name}" for name in ("exp2", "trunc")],
    *[f"x = input [3] float64; x -> exp -> {name}" for name in ("log2", "log10")],
    *[f"x = input [3] {d}; x -> exp2" for d in ("int32", "bool")],
    *[f"x = input [3] {d}; x -> trunc" for d in ("int64", "uint8")],
    "x = input [8]; x * 3 -> trunc",
    *[f"x = input [8] {d}; x -> nan_to_num" for d in ("float32", "float16", "float64", "int64", "bool")],
    *[f"x = input [8] {d}; (x -> round) / 0 -> nan_to_num" for d in ("float32", "float16", "float64")],
    "x = input [8]; x -> log -> nan_to_num neginf=-100",
    "x = input [8]; x -> round -> log -> nan_to_num 1.5 posinf=1e300 neginf=-7",
    "x = input [8] float16; (x -> round) / 0 -> nan_to_num nan=1e6 posinf=1e6 neginf=7",
]

REFUSED: list[tuple[str, str]] = [
    ("x = input [3] bool; -x", "needs-number"),
    ("x = input [3] bool; x -> abs", "needs-number"),
    ("x = input [3] bool; x -> floor", "needs-number"),
    ("x = input [3] bool; x -> trunc", "needs-number"),
    ("x = input [3]; x -> nan_to_num T", "unknown-name"),
    ("x = input [3]; x -> nan_to_num true", "wrong-argument"),
]

REFERENCES = {"nan_to_num": lambda args, x: torch.nan_to_num(x, args.nan, args.posinf, args.neginf)}
