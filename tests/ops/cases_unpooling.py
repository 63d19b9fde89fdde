"""Models that go back from pools and pool at random, and those that are refused; how a PyTorch user calls them."""

from torch.nn import functional as F  # noqa: N812

_POOLED = "x = input 3x8x8; (y, at) = x -> max_pool 2"

CASES: list[str] = [
    f"{_POOLED}; (y * 2, at) -> max_unpool 2",
    *[
        f"x = input {size} {d}; (y, at) = x -> max_pool 2; (y, at) -> max_unpool 2"
        for size in ("3x8", "2x4x6x8")
        for d in ("float32", "float64")
    ],
    "x = input [3, 8] float16; (y, at) = x -> max_pool 2; (y, at) -> max_unpool 2",
    "x = input 3x9x9; (y, at) = x -> max_pool 3 stride=2 padding=1; (y, at) -> max_unpool 3 stride=2 padding=1",
    "x = input 3x9x8; (y, at) = x -> max_pool 2x3; (y, at) -> max_unpool 2x3 output_size=[9, 8]",
    "x = input 3x9x9; (y, at) = x -> max_pool 2; (y, at) -> max_unpool 2 output_size=9",
    "x = input 3xHxW where H >= 8, W >= 8; (y, at) = x -> max_pool 2; (y, at) -> max_unpool 2 output_size=[H, W]",
    "x = input 3xHxW where H % 2 == 0, W % 2 == 0; (y, at) = x -> max_pool 2; (y, at) -> max_unpool 2",
    *[f"x = input 3x9x8 {d}; s = input 3x2 {d}; (x, s -> sigmoid) -> fractional_max_pool 2x3 5x4" for d in ("float32", "float64")],
    "x = input 3x9x8; s = input 3x2; (y, at) = (x, s -> nan_to_num -> sigmoid) -> fractional_max_pool 2 [1, 7]; out y, at",
    "x = input 2x6x7x8; s = input 2x3; (y, at) = (x, s -> sigmoid) -> fractional_max_pool 2 [3, 1, 4]; out y, at",
    "x = input 3xHxW where H >= 8, W >= 8; s = input 3x2; (x, s -> sigmoid) -> fractional_max_pool 2 5",
    "x = input 3x9x8; s = input 3x2; (x, s -> sigmoid) -> fractional_max_pool 2x3 output_ratio=[0.7, 0.5]",
    "x = input 2x6x7x8; s = input 2x3; (x, s -> sigmoid) -> fractional_max_pool 2 output_ratio=0.6",
]

REFUSED: list[tuple[str, str]] = [
    ("x = input 3x8x8; at = input 3x8x7 int64; (x, at) -> max_unpool 2", "shape-mismatch"),
    ("x = input 3x8x8; at = input 3xHxW int64; (x, at) -> max_unpool 2", "unprovable"),
    ("x = input 3x8x8; at = input 3x8 int64; (x, at) -> max_unpool 2", "wrong-rank"),
    ("x = input 3x8x8 int64; (x, x) -> max_unpool 2", "needs-float"),
    ("x = input 3x8x8; (x, x) -> max_unpool 2", "needs-integer"),
    (f"{_POOLED}; (y, at) -> max_unpool 2 output_size=10", "bad-argument"),
    (f"{_POOLED}; (y, at) -> max_unpool 2 output_size=[8, 8, 8]", "bad-argument"),
    (f"{_POOLED}; (y, at) -> max_unpool 2x2x2", "bad-argument"),
    (f"{_POOLED}; (y, at) -> max_unpool 2 padding=5", "empty-result"),
    ("x = input 3x5; x -> fractional_max_pool 2 3", "wrong-rank"),
    ("x = input 3x5x5; x -> fractional_max_pool 2 5", "bad-argument"),
    ("x = input 3x5x5; x -> fractional_max_pool 2", "missing-argument"),
    ("x = input 3x5x5; x -> fractional_max_pool 2 3 output_ratio=0.5", "bad-argument"),
    ("x = input 3x5x5; x -> fractional_max_pool 2 output_ratio=1.0", "wrong-argument"),
    ("x = input 3x5x5; x -> fractional_max_pool 2 output_ratio=0.1", "bad-argument"),
    ("x = input 3x5x5; x -> fractional_max_pool 3 output_ratio=0.99", "bad-argument"),
    ("x = input 3x5x5; x -> fractional_max_pool 2 output_ratio=[0.5, 0.5, 0.5]", "bad-argument"),
    ("x = input 3xHx5; x -> fractional_max_pool 2 output_ratio=0.5", "wrong-size"),
    ("x = input 3x5x5x5; x -> fractional_max_pool 2 4", "bad-argument"),
    ("x = input 3x5x5; s = input 3x3; (x, s) -> fractional_max_pool 2 3", "wrong-size"),
    ("x = input 3x5x5; s = input 2x2; (x, s) -> fractional_max_pool 2 3", "shape-mismatch"),
    ("x = input 3x5x5; s = input 3x2 float64; (x, s) -> fractional_max_pool 2 3", "dtype-mismatch"),
]


def _unpooled(args, x, indices):  # type: ignore[no-untyped-def]
    size = args.output_size
    if size is not None and len(size) == 1:
        size = size * (x.ndim - 2)
    return getattr(F, f"max_unpool{x.ndim - 2}d")(x, indices, args.kernel, args.stride, args.padding, size)


def _fractional(args, x, samples=None):  # type: ignore[no-untyped-def]
    function = getattr(F, f"fractional_max_pool{x.ndim - 2}d_with_indices")
    ratio = args.output_ratio
    found = function(x, args.kernel, args.size, ratio * (x.ndim - 2) if ratio and len(ratio) == 1 else ratio, _random_samples=samples)
    return found if args.results == 2 else found[0]


REFERENCES = {"fractional_max_pool": _fractional, "max_unpool": _unpooled}
