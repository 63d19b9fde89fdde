"""One-line models that compare, combine booleans and choose, and those that are refused."""

_NUMBERS = ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8")
_ANY = (*_NUMBERS, "bool")
_ASKED = ("isnan", "isinf", "isfinite")

CASES: list[str] = [
    *[f"a = input [3] {d}; b = input [3] {d}; a == b" for d in _ANY],
    *[f"a = input [3] {d}; b = input [3] {d}; a != b" for d in ("float32", "bool", "int8")],
    *[f"a = input [3] {d}; b = input [3] {d}; a < b" for d in _ANY],
    "a = input [3] bool; b = input [3] bool; a >= b",
    "a = input [T, 3]; b = input [1, 3]; a <= b",
    "a = input [3] int64; b = input [3]; a > b",
    "x = input [3] int64; x >= 1",
    "x = input [3] int64; x < 0.5",
    "x = input [3]; 0 > x",
    "x = input [3]; x -> le 0.5",
    "x = input [3]; x -> eq (-inf)",
    "x = input [3] int64; x -> lt inf",
    "x = input [T] int64; x == T",
    "x = input [T] int64; x != 0",
    # booleans
    "a = input [3] bool; b = input [3]; (a, b) -> logical_and",
    "a = input [3] int8; b = input [3] uint8; (a, b) -> logical_or",
    "a = input [T, 3] bool; b = input [T, 1] bool; (a, b) -> logical_xor",
    # where
    *[f"c = input [3] bool; a = input [3] {d}; b = input [3] {d}; (c, a, b) -> where" for d in _ANY],
    "x = input [T, 3]; (x > 0, x) -> where 0",
    "x = input [T, 3]; (x > 0, x) -> where (-inf)",
    "x = input [T, 3] int64; (x > 0, x) -> where 0.5",
    "x = input [T, 3]; (x > 0, x) -> where other=-1 reverse=true",
    "c = input [T, T] bool batch=false; x = input [T, T]; (c, x) -> where T",
    "c = input [3] bool; a = input [1]; b = input [3] int64; (c, a, b) -> where",
    # numbers that the type does not hold
    *[f"x = input [3] {d}; x {sign} 300" for d in ("int8", "uint8") for sign in ("<", "==", ">=")],
    *[f"x = input [3] uint8; x {sign} (-1)" for sign in ("<", "==", ">=")],
    "x = input [3] int8; x * 0 + 2 -> lt 300 reverse=true",
    "x = input [3] uint8; (x > 0, x) -> where (-200)",
    *[f"x = input [3] float16; x * 0.001 {sign} 1e6" for sign in ("<", "==", ">=")],
    "x = input [3] float16; (x > 0, x) -> where 1e6",
    "x = input [3] float16; (x > 0, x) -> where (-1e6)",
    # what is no number
    *[f"x = input [3] {d}; x / (x - x) -> {name}" for name in _ASKED for d in ("float32", "float64", "float16", "int64")],
    *[f"x = input [3] {d}; x -> {name}" for name in _ASKED for d in ("float64", "int64", "bool", "uint8")],
]

REFUSED: list[tuple[str, str]] = [
    ("a = input [3]; b = input [4]; (a, b) -> logical_and", "shape-mismatch"),
    ("a = input [3]; b = input [4]; (a > 0, a, b) -> where", "shape-mismatch"),
    ("x = input [3] uint8; (x > 1, x) -> where (-256)", "scalar-does-not-fit"),
    ("x = input [3]; (x > 1, x) -> where 1e39", "scalar-does-not-fit"),
    ("x = input [3]; (x > 0, x) -> where", "operand-count"),
    ("x = input [3] int64; (x, x) -> where 0", "needs-bool"),
]
