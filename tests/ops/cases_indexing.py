"""Models of the indexing family for the differential tests, and what it refuses. Indices are 0 or 1: the judge feeds no others."""

import torch

_ANY = ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")

CASES: list[str] = [
    # gather
    "x = input [T, 8]; index = input [T, 3] int64; (x, index) -> gather axis=2",
    "x = input [T, 8]; index = input [T, 3] int64; x -> gather axis=2 index=index",
    "x = input [T, 4]; index = input [T, 4] int32; (x, index) -> gather 1",
    "x = input [3, 4]; index = input [2, 4] int64; (x, index) -> gather dim=-2",
    "x = input [3, 4]; index = input [2, 9] int64; (x, index) -> gather (-1)",
    "x = input [3, 2, 4]; index = input [1, 5, 2] int64; (x, index) -> gather 2",
    "x = input [T, 4]; index = input [1, 6] int64; (x, index) -> gather 2",
    "x = input [T, 2]; index = input [S, 2] int64 where T >= S; (x, index) -> gather 2",
    "x = input [9, 2]; index = input [T, 2] int64 where T <= 9; (x, index) -> gather 2",
    "x = input [2] batch=false; index = input [3] int64 batch=false; (x, index) -> gather 0",
    "x = input [2] batch=false; index = input [] int64 batch=false; (x, index) -> gather 0",
    "x = input [] batch=false; index = input [5] int64 batch=false; (x, index * 0) -> gather 0",
    *[f"x = input [3, 4] {d}; index = input [3, 2] int64; (x, index) -> gather 2" for d in _ANY],
    # scatter: several values for one place would stay in any order
    "x = input [T, 8]; index = input [T, 1] int64; src = input [T, 1]; (x, index, src) -> scatter axis=2",
    "x = input [3, 4]; index = input [3, 1] int32; src = input [3, 5]; (x, index, src) -> scatter (-1)",
    "x = input [3, 4]; index = input [1, 2] int64; src = input [2, 3]; (x, index, src) -> scatter dim=1",
    "x = input [2] batch=false; index = input [] int64 batch=false; src = input [] batch=false; (x, index, src) -> scatter 0",
    "x = input [] batch=false; index = input [] int64 batch=false; src = input [3] batch=false; (x, index * 0, src) -> scatter 0",
    "x = input [T, 4]; index = input [T, 3] int64; (x, index) -> scatter 2 value=0.5",
    "x = input [3, 4]; index = input [3, 2] int64; (x, index) -> scatter 2 value=-2",
    "x = input [3, 4]; index = input [3, 2] int64; (x, index) -> scatter 2 value=inf",
    "x = input [3, 4] int64; index = input [3, 2] int64; (x, index) -> scatter 2 value=2.9",
    "x = input [3, 4] bool; index = input [3, 2] int64; (x, index) -> scatter 2 value=true",
    *[f"x = input [3, 4] {d}; index = input [3, 1] int64; src = input [3, 1] {d}; (x, index, src) -> scatter 2" for d in _ANY],
    *[f"x = input [T, 4] {d}; i = input [T, 3] int64; s = input [T, 3] {d}; (x, i, s) -> scatter 2 reduce=add" for d in _ANY],
    *[f"x = input [T, 4] {d}; i = input [T, 3] int64; s = input [T, 3] {d}; (x, i, s) -> scatter 2 reduce=multiply" for d in _ANY],
    "x = input [3, 4]; i = input [3, 3] int64; (x, i) -> scatter 2 value=0.5 reduce=add",
    "x = input [3, 4] int32; i = input [3, 3] int64; (x, i) -> scatter 2 value=3 reduce=multiply",
    "x = input [3, 4]; i = input [2, T] int64; s = input [2, T]; (x, i, s) -> scatter 2 reduce=add",
    # scatter_reduce
    *[
        f"x = input [4]; i = input [T] int64; s = input [T]; (x, i, s) -> scatter_reduce 1 {r} include_self={own}"
        for r in ("sum", "prod", "mean", "amax", "amin")
        for own in ("true", "false")
    ],
    *[
        f"x = input [4] {d}; i = input [6] int64; s = input [6] {d}; (x, i, s) -> scatter_reduce dim=1 reduce={r}"
        for d in _ANY
        for r in ("sum", "prod", "mean", "amax", "amin")
        if (d, r) != ("bool", "mean")
    ],
    *[
        f"x = input [4] {d}; i = input [6] int32; s = input [9] {d}; (x, i, s) -> scatter_reduce 1 {r} include_self=false"
        for d in ("float16", "int64", "int8", "uint8")
        for r in ("sum", "prod", "mean", "amax", "amin")
    ],
    "x = input [4] bool; i = input [6] int64; s = input [6] bool; (x, i, s) -> scatter_reduce 1 amin include_self=false",
    "x = input [] batch=false; i = input [] int64 batch=false; s = input [] batch=false; (x, i * 0, s) -> scatter_reduce 0 mean",
    # index_select
    "x = input [T, 8]; index = input [3] int64 batch=false; (x, index) -> index_select axis=2",
    "x = input [T, 8]; index = input [S] int32 batch=false; (x, index) -> index_select 1",
    "x = input [3, 4]; index = input [] int64 batch=false; (x, index) -> index_select dim=-1",
    "x = input [] batch=false; index = input [1] int64 batch=false; (x, index * 0) -> index_select 0",
    *[f"x = input [4] {d}; index = input [3] int64 batch=false; (x, index) -> index_select 1" for d in _ANY],
    # one_hot
    "input [T] int64 -> one_hot 10",
    "input [] int64 -> one_hot 2",
    "input [] int64 batch=false -> one_hot 3",
    "input [2, 3] int64 -> one_hot num_classes=4",
    "x = input [T] int64; x -> one_hot (T)",
    *[f"input [3] int64 -> one_hot 4 dtype={d}" for d in _ANY],
    # triangles
    "input [T, T] -> tril",
    "input [T, S] -> triu 1",
    "input [T, S] -> tril diagonal=(S - T)",
    "input [T, S] -> triu diagonal=(T // 2)",
    "input 2x4x5 -> tril diagonal=-2",
    "input 4x5 -> triu (-9)",
    "input [5] -> tril 1",
    *[f"input [4, 4] {d} -> tril" for d in _ANY],
    *[f"input [4, 4] {d} -> triu 1" for d in _ANY],
    # masked_fill
    "x = input [T, T]; mask = input [T, T] bool batch=false; (x, mask) -> masked_fill value=-inf -> softmax axis=-1",
    "x = input [3, 4]; mask = input [3, 4] bool; (x, mask) -> masked_fill (-inf)",
    "x = input [3, 4]; mask = input [1, 4] bool; (x, mask) -> masked_fill inf",
    "x = input [3, 4]; mask = input [1, 4] bool; (x, mask) -> masked_fill nan",
    "x = input [3]; mask = input [4, 3] bool; (x -> unsqueeze 1, mask) -> masked_fill value=-0.5",
    "x = input [3]; mask = input [2, 3] bool batch=false; (x -> unsqueeze 1, mask) -> masked_fill 1e9",
    "x = input [3] uint8; mask = input [3] bool; (x, mask) -> masked_fill 255",
    "x = input [3] int32; mask = input [3] bool; (x, mask) -> masked_fill (-1.5)",
    "x = input [3] float16; mask = input [3] bool; (x, mask) -> masked_fill (-65504)",
    "x = input [] batch=false; mask = input [] bool batch=false; (x, mask) -> masked_fill 0",
    *[f"x = input [3, 2] {d}; mask = input [3, 2] bool; (x, mask) -> masked_fill 1" for d in _ANY],
    "x = input [4] uint8; m = input [4] bool; (x, m) -> masked_fill (-200)",
    "x = input [4] uint8; i = input [1] int64; (x, i) -> scatter 1 value=-3",
    # parts added by index
    *[
        f"x = input [4, 3] {d}; index = input [2] int64 batch=false; source = input [2, 3] {d}; (x, index, source) -> index_add 1"
        for d in ("float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
    ],
    *[
        f"x = input [4] {d}; index = input [9] int32 batch=false; source = input [9] {d}; (x, index, source) -> index_add 1 alpha={a}"
        for d, a in (("float32", 0.5), ("float32", -2), ("int64", 2.5), ("int8", 100), ("bool", 2), ("bool", 0))
    ],
    "x = input [4, T]; index = input [S] int64 batch=false; source = input [S, T]; (x, index, source) -> index_add axis=1",
    "x = input [3, 4]; index = input [] int64 batch=false; source = input [3, 1]; (x, index, source) -> index_add axis=-1",
    "x = input [] batch=false; index = input [] int64 batch=false; source = input []; (x, index * 0, source -> sum) -> index_add 0",
]

TORCH_ONLY: list[str] = [
    "input [4, 4] bfloat16 -> tril",
]

REFUSED: list[tuple[str, str]] = [
    ("x = input [4]; i = input [4]; (x, i) -> gather 1", "needs-integer"),
    ("x = input [4]; i = input [4] bool; (x, i) -> gather 1", "needs-integer"),
    ("x = input [4]; i = input [4] int16; (x, i) -> gather 1", "needs-integer"),
    ("x = input [4]; i = input [4] int64; (x, i) -> gather 2", "bad-axis"),
    ("x = input [4, 2]; i = input [4] int64; (x, i) -> gather 1", "wrong-rank"),
    ("x = input [4, 2]; i = input [5, 2] int64; (x, i) -> gather 2", "wrong-size"),
    ("x = input [T, 2]; i = input [S, 2] int64; (x, i) -> gather 2", "unprovable"),
    ("x = input [4, 2]; i = input [T, 2] int64; (x, i) -> gather 2", "unprovable"),
    ("x = input [4]; i = input [4] int64; (x, i) -> gather", "missing-argument"),
    ("x = input [4]; i = input [4] int64; (x, i) -> scatter 1", "operand-count"),
    ("x = input [4]; i = input [4] int64; s = input [4]; (x, i, s) -> scatter 1 value=2", "operand-count"),
    ("x = input [4]; i = input [4] int64; s = input [4] float64; (x, i, s) -> scatter 1", "dtype-mismatch"),
    ("x = input [4]; i = input [4] int64; s = input [3]; (x, i, s) -> scatter 1", "wrong-size"),
    ("x = input [4]; i = input [4] int64; s = input [4, 1]; (x, i, s) -> scatter 1", "wrong-rank"),
    ("x = input [4]; i = input [T] int64; s = input [4]; (x, i, s) -> scatter 1", "unprovable"),
    ("x = input [4]; i = input [4] int64 batch=false; s = input [4]; (x, i, s) -> scatter 1", "wrong-rank"),
    ("x = input [3, 4]; i = input [4, 4] int64; (x, i) -> scatter 2 value=1", "wrong-size"),
    ("x = input [4]; i = input [4] uint8; (x, i) -> scatter 1 value=1", "needs-integer"),
    ("x = input [4] int8; i = input [4] int64; (x, i) -> scatter 1 value=128", "bad-argument"),
    ("x = input [4]; i = input [4] int64; (x, i) -> scatter 1 value=1e39", "bad-argument"),
    ("x = input [4]; i = input [4] int64; (x, i) -> scatter 1 value=1 reduce=sum", "wrong-argument"),
    ("x = input [4] bool; i = input [4] int64; s = input [4] bool; (x, i, s) -> scatter_reduce 1 mean", "needs-number"),
    ("x = input [4]; i = input [4] int64; s = input [4]; (x, i, s) -> scatter_reduce 1 add", "wrong-argument"),
    ("x = input [4]; i = input [4] int64; s = input [4] int64; (x, i, s) -> scatter_reduce 1 sum", "dtype-mismatch"),
    ("x = input [4]; i = input [3, 1] int64 batch=false; (x, i) -> index_select 1", "wrong-rank"),
    ("x = input [4]; i = input [3] batch=false; (x, i) -> index_select 1", "needs-integer"),
    ("x = input [4]; i = input [3] int8 batch=false; (x, i) -> index_select 1", "needs-integer"),
    ("x = input [4]; i = input [3] int64 batch=false; (x, i) -> index_select 2", "bad-axis"),
    ("x = input [] batch=false; i = input [3] int64 batch=false; (x, i) -> index_select 0", "wrong-size"),
    ("x = input [] batch=false; i = input [T] int64 batch=false; (x, i) -> index_select 0", "unprovable"),
    ("input [4] -> one_hot 3", "needs-integer"),
    ("input [4] int32 -> one_hot 3", "needs-integer"),
    ("input [4] int64 -> one_hot 0", "wrong-argument"),
    ("input [4] int64 -> one_hot", "missing-argument"),
    ("input [4] batch=false -> tril", "wrong-rank"),
    ("input [4, 4] -> triu 0.5", "wrong-argument"),
    ("x = input [4]; m = input [4] int64; (x, m) -> masked_fill 0", "needs-bool"),
    ("x = input [4]; m = input [3] bool; (x, m) -> masked_fill 0", "shape-mismatch"),
    ("x = input [4] int8; m = input [4] bool; (x, m) -> masked_fill 200", "bad-argument"),
    ("x = input [4] int64; m = input [4] bool; (x, m) -> masked_fill value=-inf", "bad-argument"),
    ("x = input [4] float16; m = input [4] bool; (x, m) -> masked_fill 65505", "bad-argument"),
    ("x = input [4]; m = input [4] bool; (x, m) -> masked_fill NaN", "wrong-argument"),
    ("x = input [4]; m = input [4] bool; (x, m) -> masked_fill value=-nan", "unknown-name"),
    ("x = input [4]; index = input [2] int64 batch=false; source = input [3]; (x, index, source) -> index_add 1", "wrong-size"),
    ("x = input [4, 3]; index = input [2] int64 batch=false; source = input [2, 1]; (x, index, source) -> index_add 1", "wrong-size"),
    ("x = input [4]; index = input [T] int64 batch=false; source = input [S]; (x, index, source) -> index_add 1", "unprovable"),
    ("x = input [4]; index = input [2] int64; source = input [2]; (x, index, source) -> index_add 1", "wrong-rank"),
    ("x = input [4]; index = input [2] int64 batch=false; source = input [2, 1]; (x, index, source) -> index_add 1", "wrong-rank"),
    (
        "x = input [] batch=false; index = input [1] int64 batch=false; source = input [1] batch=false; (x, index, source) -> index_add 0",
        "wrong-rank",
    ),
    ("x = input [4]; index = input [2] batch=false; source = input [2]; (x, index, source) -> index_add 1", "needs-integer"),
    ("x = input [4]; index = input [2] int64 batch=false; source = input [2] float64; (x, index, source) -> index_add 1", "dtype-mismatch"),
    (
        "x = input [4] int8; index = input [2] int64 batch=false; source = input [2] int8; (x, index, source) -> index_add 1 alpha=300",
        "scalar-does-not-fit",
    ),
]

REFERENCES = {"index_add": lambda args, x, index, source: torch.index_add(x, args.axis, index, source, alpha=args.alpha)}
