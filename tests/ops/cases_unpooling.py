"""Models that go back from pools, and those that are refused; how a PyTorch user calls them."""

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
]


def _unpooled(args, x, indices):  # type: ignore[no-untyped-def]
    size = args.output_size
    if size is not None and len(size) == 1:
        size = size * (x.ndim - 2)
    return getattr(F, f"max_unpool{x.ndim - 2}d")(x, indices, args.kernel, args.stride, args.padding, size)


REFERENCES = {"max_unpool": _unpooled}
