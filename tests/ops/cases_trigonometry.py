"""One-line models that use the functions of angles and their inverses, and those that are refused."""

_DIRECT = ("sin", "cos", "tan")

CASES: list[str] = [
    *[f"x = input [T, 3]; x -> {name}" for name in _DIRECT],
    *[f"x = input [3] {d}; x -> {name}" for name in _DIRECT for d in ("bool", "int32")],
    *[f"x = input [3] float64; x -> abs -> {name}" for name in _DIRECT],
    *[f"x = input [T, 3] {d}; x -> {name}" for name in ("atan", "sinh", "cosh", "asinh") for d in ("float32", "float16")],
    *[f"x = input [T, 3]; x -> tanh -> {name}" for name in ("asin", "acos", "atanh")],
    *[f"x = input [T, 3] {d}; x * x + 1.5 -> acosh" for d in ("float32", "float16")],
    *[f"x = input [3] {d}; x -> {name}" for name in ("atan", "sinh") for d in ("int32", "bool")],
]

REFUSED: list[tuple[str, str]] = [
    ("x = input 3; y = input 3; (x, y) -> sin", "wrong-number-of-tensors"),
    ("input 3 -> acos 2", "too-many-arguments"),
]
