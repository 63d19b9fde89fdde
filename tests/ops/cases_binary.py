"""One-line models that use functions of two numbers, and those that are refused; how a PyTorch user calls them."""

import torch

_FLOAT = ("atan2", "hypot", "logaddexp")
_ANGLED = ("int64", "int8", "bool")

CASES: list[str] = [
    *[f"a = input [T, 3]; b = input [T, 1]; (a, b) -> {name}" for name in _FLOAT],
    *[f"a = input [3]; b = input [3] {d}; (a, b) -> {name}" for name in _FLOAT for d in ("float16", "int64", "bool")],
    *[f"a = input [3] float16; b = input [3] float16; (a, b) -> {name}" for name in _FLOAT],
    *[f"a = input [3] {d}; b = input [3] {d}; (a, b) -> atan2" for d in _ANGLED],
    "a = input [3] float64; b = input [3] float64; (a, b) -> hypot",
    "a = input [3] float64; b = input [3] float64; (a, b) -> logaddexp",
    *[f"a = input [64]; b = input [64]; (a -> round, b -> round) -> {name}" for name in _FLOAT],
    *[f"a = input [64]; b = input [64]; (a * 1e30, b * 1e30) -> {name}" for name in _FLOAT],
    *[f"a = input [64]; b = input [64]; (1 / (a -> round), 1 / (b -> round)) -> {name}" for name in _FLOAT],
    "a = input [64]; b = input [64]; (a * 1e-30, b * 1e-30) -> hypot",
    "a = input [64]; b = input [64]; (-0.0 * a, -0.0 * b) -> atan2",
    # the remainder with the sign of the dividend
    "x = input [T, 3]; x * 10 -> fmod 2",
    "a = input [T, 3]; b = input [T, 1]; (a * 10, b) -> fmod",
    "x = input [6] int64; x - 1 -> fmod 3",
    "x = input [6] int64; x * 7 - 10 -> fmod other=-3",
    "x = input [6] int8; x - 100 -> fmod 300",
    "x = input [6] int16; x - 100 -> fmod 7",
    "x = input [6] uint8; x * 200 -> fmod 3",
    "x = input [6] bool; x -> fmod 2",
    "x = input [6] int64; x -> fmod 1.5",
    "x = input [6] float16; x -> fmod 0.5",
    "x = input [6] float16; x -> fmod 1e6",
    "x = input [6] float64; x -> fmod 0.1",
    "x = input [T] int64; x * 9 -> fmod (T + 1)",
    "a = input [6] int64; b = input [6] int64; (a - 7, b * b + 1) -> fmod",
    # linear interpolation
    "x = input [T, 3]; y = input [3] batch=false; (x, y) -> lerp 0.25",
    *[f"x = input [3] {d}; y = input [3] {d}; (x, y) -> lerp 0.75" for d in ("float16", "float64")],
    "x = input [3]; y = input [3]; (x, y) -> lerp 1",
    "x = input [3]; y = input [3]; (x, y) -> lerp weight=-2.5",
    "x = input [3] float16; y = input [3] float16; (x, y) -> lerp 1e6",
    "x = input [T, 3]; y = input [T, 1]; w = input [T, 3]; (x, y, w) -> lerp",
    "x = input [3] float16; y = input [3] float16; w = input [3] float16; (x, y, w) -> lerp",
]

REFUSED: list[tuple[str, str]] = [
    ("a = input [3]; b = input [4]; (a, b) -> atan2", "shape-mismatch"),
    ("a = input [3] int64; b = input [3] int64; (a, b) -> hypot", "needs-float"),
    ("a = input [3] bool; b = input [3] int64; (a, b) -> logaddexp", "needs-float"),
    ("a = input [T]; b = input [S]; (a, b) -> logaddexp", "unprovable"),
    ("a = input [3]; a -> atan2 1", "too-many-arguments"),
    ("x = input [3] int64; x -> fmod 0", "bad-argument"),
    ("x = input [3] uint8; x -> fmod 256", "bad-argument"),
    ("x = input [3] bool; x -> fmod true", "needs-number"),
    ("x = input [3]; x -> fmod", "operand-count"),
    ("x = input [3]; x -> fmod 2 reverse=true", "unknown-argument"),
    ("x = input 3; y = input 3 float16; (x, y) -> lerp 0.25", "dtype-mismatch"),
    ("x = input 3; y = input 3; (x, y) -> lerp 1e300", "scalar-does-not-fit"),
    ("x = input 3; y = input 3; (x, y) -> lerp", "operand-count"),
    ("x = input 3; y = input 3; w = input 3; (x, y, w) -> lerp 0.5", "operand-count"),
    ("x = input 3 int64; y = input 3 int64; (x, y) -> lerp 0.5", "needs-float"),
    ("x = input 3; y = input 4; (x, y) -> lerp 0.5", "shape-mismatch"),
]

REFERENCES = {
    "atan2": lambda args, x, y: torch.atan2(x, y),
    "fmod": lambda args, x, *y: torch.fmod(x, *y, *([] if args.other is None else [args.other])),
    "hypot": lambda args, x, y: torch.hypot(x, y),
    "lerp": lambda args, x, end, *weight: torch.lerp(x, end, *weight, *([] if args.weight is None else [args.weight])),
    "logaddexp": lambda args, x, y: torch.logaddexp(x, y),
}
