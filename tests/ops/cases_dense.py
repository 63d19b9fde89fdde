"""Models of the dense family for the differential tests, and what it refuses."""

from torch import nn

_MODES = ("sum", "mean", "max")
_AT = "table (i) [4] int64 = 2 * i if i < 3 else 4"
"""Offsets: the last two bags begin at 4, so that one of them is empty."""

CASES = [
    "x = input 3; w = input [4, 3] batch=false; (x, w) -> dense 4 relu",
    "x = input [T, 3]; w = input [4, 3] batch=false; b = input [4] batch=false; x -> dense 4 weight=w bias=b",
    "x = input [T] batch=false; w = input [4, T] batch=false; x -> dense 4 weight=w",
    "x = input [3] float64; w = input [4, 3] float64 batch=false; x -> dense 4 weight=w bias=false",
    "x = input [2, 3]; w = param [4, 3] init=normal as w; x -> dense 4 weight=w",
    "x = input 3; h = x -> dense 8; w = h -> mean axis=0 -> reshape [2, 4]; h -> dense 2 bias=false -> dense 4 weight=transpose(w, 0, 1)",
    "a = input [T, 3]; b = input [T, 4]; w = input [2, 3, 4] batch=false; c = input [2] batch=false; (a, b, w, c) -> bilinear 2",
    "a = input 3; b = input 4; w = input [2, 3, 4] batch=false; (a, b) -> bilinear 2 weight=w",
    "x = input [T] int64; w = input [10, 4] batch=false; x -> embedding 10 4 weight=w",
    "x = input [T] int64; w = input [10, 4] float16 batch=false; (x, w) -> embedding 10 4 padding_idx=2",
    "input 3 -> dense 2",
    "input 3 -> dense 2 sigmoid",
    "input 3 -> dense 2 bias=false",
    "input [T, 5] -> dense 4 relu",
    "input [2, T, 5] -> dense 4 bias=false",
    "input [5] batch=false -> dense 4",
    "input [5] float64 -> dense 4",
    "input [T, 5] float16 -> dense 4",
    "a = input 3; b = input 4; (a, b) -> bilinear 2",
    "a = input [T, 3]; b = input [T, 4]; (a, b) -> bilinear 2 relu bias=false",
    "a = input [2, T, 3]; b = input [2, T, 1]; (a, b) -> bilinear 5",
    "a = input [3] batch=false; b = input [4] batch=false; (a, b) -> bilinear 2",
    "a = input [3] float16; b = input [4] float16; (a, b) -> bilinear 2",
    "input [T] int64 -> embedding 10 4",
    "input [2, T] int32 -> embedding 10 4",
    "input [] int64 -> embedding 10 4",
    "input [T] int64 -> embedding 10 4 padding_idx=0",
    "input [T] int64 -> embedding 10 4 padding_idx=-1",
    "input [T] int64 -> embedding 10 4 dtype=float16",
    "input [T] int64 -> embedding 10 4 dtype=float64 -> dense 2",
    *[f"input [3] int64 -> embedding_bag 5 4 {mode}" for mode in ("sum", "mean", "max")],
    *[f"input [T] int64 -> embedding_bag 5 4 {mode} padding_idx=0" for mode in ("sum", "mean", "max")],
    *[f"input [1] int64 -> embedding_bag 5 4 mode={mode} padding_idx=-4" for mode in ("sum", "mean", "max")],
    "input [3] int32 -> embedding_bag 5 4 dtype=float16",
    "input [3] int32 -> (embedding_bag 5 4 dtype=float64) as words",
    "x = input [T] int64; w = input [T]; (x, w) -> embedding_bag 5 4 sum -> dense 2",
    "x = input [3] int64; w = input [3]; (x, w) -> embedding_bag 5 4 mode=sum padding_idx=1",
    "input [T] int64 -> embedding 5 4 max_norm=1.5",
    "input [T] int64 -> embedding 5 4 padding_idx=1 max_norm=1 norm_type=1 dtype=float64",
    *[f"input [3] int64 -> embedding 5 4 max_norm=0.5 norm_type={p}" for p in ("inf", "-inf", "3", "-1")],
    "input [3] int64 -> embedding 5 4 max_norm=2 dtype=float16",
    "input [3] int64 -> embedding_bag 5 4 max max_norm=1.5",
    "x = input [T] int64; w = input [T]; (x, w) -> embedding_bag 5 4 sum max_norm=1 norm_type=1",
    *[f"x = input [7] int64 batch=false; at = {_AT}; x -> embedding_bag 5 4 {mode} offsets=at" for mode in _MODES],
    *[
        f"x = input [T] int64 batch=false where T > 7; at = {_AT}; x -> embedding_bag 5 4 {mode} offsets=at padding_idx=1 max_norm=1.5"
        for mode in _MODES
    ],
    *[
        f"x = input [7] int64 batch=false; at = table (i) [4] int64 = [0, 3, 3, 7][i]; x -> embedding_bag 5 4 {mode} offsets=at "
        "include_last_offset=true"
        for mode in _MODES
    ],
    f"x = input [7] int32 batch=false; w = input [7] batch=false; at = {_AT}; (x, w, at) -> embedding_bag 5 4 sum",
    f"x = input [7] int32 batch=false; at = {_AT}; x -> embedding_bag 5 4 sum offsets=at dtype=float16",
    "x = input [9] int64 batch=false; y = input 2; at = table (i) [N] int64 = 2 * i; out x -> embedding_bag 5 4 offsets=at, y",
]

TORCH_ONLY = [
    "input [5] bfloat16 -> dense 4",
]
"""Element types that ONNX Runtime has no kernels for on the CPU."""

REFUSED = [
    ("x = input 3; w = input [5, 3] batch=false; (x, w) -> dense 4", "wrong-size"),
    ("x = input 3; w = input [4, 3, 1] batch=false; (x, w) -> dense 4", "wrong-size"),
    ("x = input 3; w = input [4, T] batch=false; (x, w) -> dense 4", "unprovable"),
    ("x = input 3; w = input [4, 3] float64 batch=false; (x, w) -> dense 4", "dtype-mismatch"),
    ("x = input 3; w = input [4, 3] int64 batch=false; (x, w) -> dense 4", "needs-float"),
    ("x = input 3; w = input [4, 3] batch=false; b = input [5] batch=false; (x, w, b) -> dense 4", "wrong-size"),
    ("x = input 3; w = input [4, 3] batch=false; b = input [4] batch=false; (x, w, b) -> dense 4 bias=false", "no-such-parameter"),
    ("x = input 3; b = input [4] batch=false; x -> dense 4 bias=b", "bias-without-weight"),
    ("x = input [T] int64; w = input [10, 4] batch=false; x -> embedding 10 5 weight=w", "wrong-size"),
    ("x = input [T] int64; w = input [10, 4] batch=false; x -> embedding 10 4 weight=w dtype=float64", "dtype-mismatch"),
    ("input [3] int64 -> dense 2", "needs-float"),
    ("input [3] bool -> dense 2", "needs-float"),
    ("input [] batch=false -> dense 2", "wrong-rank"),
    ("input 3 -> dense 0", "wrong-argument"),
    ("input [3] -> dense 2.5", "wrong-argument"),
    ("input [3, T] -> dense 2", "symbolic-parameter"),
    ("a = input 3; b = input [2, 4]; (a, b) -> bilinear 2", "shape-mismatch"),
    ("a = input [2, 3]; b = input [3, 4]; (a, b) -> bilinear 2", "shape-mismatch"),
    ("a = input [1, 3]; b = input [3, 4]; (a, b) -> bilinear 2", "shape-mismatch"),
    ("a = input [T, 3]; b = input [S, 4]; (a, b) -> bilinear 2", "unprovable"),
    ("a = input [3]; b = input [4] float64; (a, b) -> bilinear 2", "dtype-mismatch"),
    ("a = input [3]; b = input [4] int64; (a, b) -> bilinear 2", "needs-float"),
    ("input [T] -> embedding 10 4", "needs-integer"),
    ("input [T] int16 -> embedding 10 4", "needs-integer"),
    ("input [T] bool -> embedding 10 4", "needs-integer"),
    ("input [T] int64 -> embedding 10 4 padding_idx=10", "bad-argument"),
    ("input [T] int64 -> embedding 10 4 padding_idx=-11", "bad-argument"),
    ("input [T] int64 -> embedding 10 4 dtype=int64", "bad-argument"),
    ("input [3] -> embedding_bag 5 4", "needs-integer"),
    ("input [3] int64 -> embedding_bag 5 4 padding_idx=5", "bad-argument"),
    ("x = input [3] int64; w = input [5, 4] batch=false; x -> embedding 5 4 weight=w max_norm=1", "bad-argument"),
    ("input [3] int64 -> embedding 5 4 max_norm=-1", "wrong-argument"),
    ("input [3] int64 -> embedding 5 4 max_norm=1 norm_type=0", "bad-argument"),
    ("input [3] int64 batch=false -> embedding_bag 5 4", "wrong-rank"),
    ("x = input [3] int64; at = input [] int64; x -> embedding_bag 5 4 offsets=at", "wrong-rank"),
    ("x = input [3] int64 batch=false; at = input [2] int64; x -> embedding_bag 5 4 offsets=at", "wrong-rank"),
    ("x = input [3] int64 batch=false; at = input [2] float32 batch=false; x -> embedding_bag 5 4 offsets=at", "needs-integer"),
    ("x = input [3] int64; x -> embedding_bag 5 4 include_last_offset=true", "bad-argument"),
    (
        "x = input [3] int64 batch=false; at = input [1] int64 batch=false; x -> embedding_bag 5 4 offsets=at include_last_offset=true",
        "wrong-size",
    ),
    ("x = input [3] int64 batch=false; w = input [3, 1]; at = input [] int64; (x, w, at) -> embedding_bag 5 4 sum", "wrong-rank"),
    ("input [3] int64 -> embedding_bag 5 4 dtype=int64", "bad-argument"),
    ("input [3, 4] int64 -> embedding_bag 5 4", "wrong-rank"),
    ("x = input [3] int64; w = input [3]; (x, w) -> embedding_bag 5 4", "bad-argument"),
    ("x = input [3] int64; w = input [4]; (x, w) -> embedding_bag 5 4 sum", "shape-mismatch"),
    ("x = input [3] int64; w = input [3] float64; (x, w) -> embedding_bag 5 4 sum", "bad-argument"),
    ("x = input [3] int64; w = input [S]; (x, w) -> embedding_bag 5 4 sum", "unprovable"),
]


def _bag(args, indices, weights=None, offsets=None):  # type: ignore[no-untyped-def]
    if args.arguments.get("named") == ("offsets",):
        weights, offsets = None, weights
    module = nn.EmbeddingBag(
        args.num,
        args.dim,
        args.max_norm,
        float(args.norm_type),
        mode=args.mode,
        padding_idx=args.padding_idx,
        include_last_offset=args.include_last_offset,
        dtype=args.dtype,
    )
    return args.layer(module)(indices, offsets, weights)


REFERENCES = {"embedding_bag": _bag}
