"""One-line models that use every reduction, and those that are refused."""

_NUMBERS = ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8")
_ANY = (*_NUMBERS, "bool")

CASES: list[str] = [
    *[
        f"input [T, 3] -> {name}"
        for name in ["mean", "sum", "prod", "max", "min", "argmax", "argmin", "var", "std", "norm", "logsumexp", "any", "all"]
    ],
    *[
        f"input [T, 3] -> {name} axis=1"
        for name in ["mean", "sum", "prod", "argmax", "argmin", "var", "std", "norm", "logsumexp", "cumsum", "any", "all"]
    ],
    *[
        f"input [T, 3] -> {name} axis=-1 keepdim=true"
        for name in ["mean", "sum", "prod", "argmax", "min", "var", "std", "norm", "logsumexp", "any", "all"]
    ],
    *[f"input [T, 3] -> {name} axis=[0, -1]" for name in ["mean", "sum", "max", "min", "var", "std", "norm", "logsumexp", "any", "all"]],
    *[f"input [T, 3] -> {name} axis=[1, 2] keepdim=true" for name in ["mean", "sum", "max", "var", "norm", "logsumexp", "any", "all"]],
    *[
        f"input [T, 3] -> {name} keepdim=true"
        for name in ["mean", "sum", "max", "min", "argmax", "var", "std", "norm", "logsumexp", "any", "all"]
    ],
    *[
        f"input [T, 3] -> {name} 1"
        for name in ["mean", "sum", "prod", "max", "min", "argmax", "argmin", "var", "std", "logsumexp", "cumsum", "any", "all"]
    ],
    *[f"x = input [2, 3] {d}; x -> sum axis=1" for d in _ANY],
    *[f"x = input [2, 3] {d}; x -> prod axis=-1" for d in _ANY],
    *[f"x = input [2, 3] {d}; x -> cumsum axis=-1" for d in _ANY],
    *[f"x = input [2, 3] {d}; x -> max axis=[1, 2]" for d in _ANY],
    *[f"x = input [2, 3] {d}; x -> max axis=1" for d in _ANY],
    *[f"x = input [2, 3] {d}; x -> min" for d in _ANY],
    *[f"x = input [2, 3] {d}; x -> any axis=1" for d in _ANY],
    *[f"x = input [2, 3] {d}; x -> all" for d in _ANY],
    *[f"x = input [2, 3] {d}; x -> argmin axis=2 keepdim=true" for d in _NUMBERS],
    *[f"x = input [2, 3] {d}; x -> logsumexp axis=1" for d in _ANY],
    *[f"x = input [2, 3] {d}; x -> {name} axis=1" for name in ("mean", "var", "std", "norm") for d in ("float64", "float16")],
    "x = input [T, 3]; (values, places) = x -> max axis=1; out values, places",
    "x = input [T, 3]; (values, places) = x -> min axis=-1 keepdim=true; out values, places",
    "x = input [2, 3] bool; (values, places) = x -> max axis=1; out values, places",
    "x = input [2, 3] int16; (values, places) = x -> min axis=1; out values, places",
    "x = input [T, 3]; x -> max axis=1 -> relu",
    "x = input [T, 3]; x -> max axis=[1]",
    "input [T, 3] -> sum dim=1",
    "input [T, 3] -> var axis=1 correction=0",
    "input [T, 3] -> std axis=[1, 2] correction=2",
    "input [T, 3] -> var correction=0",
    "input [T, 3] -> var axis=1 correction=0.5",
    "input [T, 3] -> std axis=[1, 2] correction=2.5 keepdim=true",
    "input [2, 3] float16 batch=false -> std correction=-0.25",
    "input [2, 3] batch=false -> var axis=0 correction=7.5",
    "input [T, 3] -> norm 1 axis=-1",
    "input [T, 3] -> norm 3 axis=[1, 2]",
    "input [T, 3] -> norm p=0.5 axis=1",
    "input [T, 3] -> norm inf axis=1",
    "input [T, 3] -> norm (-inf) axis=1",
    "input [T, 3] -> norm p=-inf axis=[0, 2] keepdim=true",
    "input [T, 3] float16 -> norm p=-inf",
    "input [T, 3] -> norm (-1) axis=1",
    "input [T, 3] -> norm p=-2.5 axis=[1, 2]",
    "input [T, 3] -> norm 0 axis=1",
    "input [T, 3] -> norm 0 axis=[1, 2] keepdim=true",
    "input [T, 3] float64 -> norm 0",
    "input [T, 3] -> relu -> norm 0",
    "input [T, 3] float16 -> norm 3 axis=1",
    "x = input [T, 3]; x * 60 -> logsumexp axis=-1",
    "input 5 -> normalize",
    "input [T, 3] -> normalize axis=-1 p=1",
    "input [T, 3] -> normalize 1 p=3 eps=0.5",
    "input [T, 3] -> normalize 0 p=inf",
    "input [T, 3] -> normalize p=-inf",
    "input [T, 3] -> normalize axis=-1 p=0",
    "input 5 float16 -> normalize",
    "input 5 float64 -> normalize dim=1 p=0.5",
    "input [] batch=false -> normalize axis=0",
    "input [] batch=false -> norm p=-inf",
    "input [] batch=false -> norm 0 axis=0",
    "x = input 5; x * 0 -> normalize",
    *[f"input [2, 3] {d} -> cumprod axis=1" for d in ("float32", "float64", "float16", "int64", "int8", "bool")],
    "input [T, 3] -> cumprod axis=1",
    "input [T, 3] -> cumprod axis=-1",
    "input [2, T] int32 -> cumprod dim=2",
    "input 3x5x4 -> permute [0, 3, 1, 2] -> cumprod axis=2",
    "input [7] -> cumprod axis=0",
    "input [9, 2] -> cumprod axis=1",
    "input [1, 2] -> cumprod axis=1",
    "input [] batch=false -> cumprod axis=0",
    *[f"input [] batch=false -> {name}" for name in ["mean", "sum", "prod", "max", "argmax", "norm", "logsumexp", "any"]],
    *[f"input [] batch=false -> {name} axis=0" for name in ["mean", "sum", "prod", "argmin", "norm", "logsumexp", "all", "cumsum"]],
    "x = input [] batch=false; (values, places) = x -> max axis=-1; out values, places",
    "x = input [] int32 batch=false; x -> cumsum axis=-1",
]

REFUSED: list[tuple[str, str]] = [
    ("input [3] int64 -> mean", "needs-float"),
    ("input [3] int64 -> var", "needs-float"),
    ("input [3] bool -> std", "needs-float"),
    ("input [3] int64 -> norm", "needs-float"),
    ("input [3] bool -> argmax", "needs-number"),
    ("input [3] -> sum axis=2", "bad-axis"),
    ("input [3] -> cumsum axis=-3", "bad-axis"),
    ("input [3, 4] -> mean axis=[1, -2]", "bad-argument"),
    ("input [3, 4] -> prod axis=[1, 2]", "wrong-argument"),
    ("input [3, 4] -> argmax axis=[1, 2]", "wrong-argument"),
    ("input [3] -> prod keepdim=true", "bad-argument"),
    ("input [3] -> cumsum", "missing-argument"),
    ("input [3] -> cumprod axis=2", "bad-axis"),
    ("input [3] int64 -> normalize", "needs-float"),
    ("input [3] batch=false -> normalize", "bad-axis"),
    ("input [] batch=false -> sum axis=1", "bad-axis"),
    ("input [3] -> norm nuclear axis=1", "wrong-argument"),
]
