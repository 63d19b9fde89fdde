"""Models that look between pixels, and those that are refused; torchvision is the reference."""

import numpy as np
from torchvision import ops

_IMAGE = "x = input 3x6x7"

CASES: list[str] = [
    f"{_IMAGE}; at = input 18x4x5; (x, at) -> deform_conv 4 3x3",
    f"{_IMAGE}; at = input 18x4x5; (x -> nan_to_num -> clamp (-9) 9, at -> nan_to_num -> clamp (-5) 5) -> deform_conv 4 3x3",
    f"{_IMAGE}; at = input 12x6x5; m = input 6x6x5; (x, at, m) -> deform_conv 4 2x3 padding=1x0 dilation=2x1 bias=false",
    "x = input 4x6x7; at = input 16x3x4; m = input 8x3x4; (x, at * 3, m) -> deform_conv 6 2 stride=2 padding=[0, 1] groups=2 relu",
    "x = input 4x6x7; at = input 72x6x7; (x, at) -> (deform_conv 4 3 padding=1 groups=4) as offset",
    "x = input 3xHxW where H >= 4, W >= 4; at = x -> conv 18 3x3 as offset; (x, at) -> deform_conv 4 3x3",
    "x = input 3xHxW; at = x -> conv 18 3x3 padding=1 as offset; (x, at) -> deform_conv 4 3x3 padding=1",
    *[
        f"x = input 4x9x8; b = input [K, 4] batch=false; boxes = b * 3 + 2 -> nan_to_num -> clamp (-9) 9; "
        f"zero = boxes -> slice 1 0 1 -> mul 0; at = (zero, boxes) -> concat axis=1; (x, at) -> roi_align {options}"
        for options in (
            *("2x3", "3 sampling_ratio=1", "2 scale=0.5 sampling_ratio=3", "2x2 aligned=true", "2 scale=2 aligned=true"),
            *("2x3 sampling_ratio=0", "2x1 scale=2 sampling_ratio=-1", "1 sampling_ratio=0"),
        )
    ],
    *[
        f"x = input 4x9x8 {d}; b = input [K, 4] {d} batch=false; s = b -> nan_to_num -> sigmoid; near = s * 4 -> slice 1 0 2; "
        "far = near + (s -> slice 1 2) * 6; image = near -> slice 1 0 1 -> mul 0; at = (image, near, far) -> concat axis=1; "
        f"(x, at) -> roi_align {options} aligned=true"
        for d, options in (
            ("float32", "3x2 scale=0.5 sampling_ratio=0"),
            ("float32", "2 sampling_ratio=3"),
            ("float64", "2 sampling_ratio=0"),
        )
    ],
    "x = input 4xHxW; boxes = input [5, 5] batch=false; (x, (boxes -> nan_to_num -> clamp 0 1) * 0.9) -> roi_align 2",
]

REFUSED: list[tuple[str, str]] = [
    (f"{_IMAGE}; at = input 17x4x5; (x, at) -> deform_conv 4 3x3", "wrong-size"),
    (f"{_IMAGE}; at = input 18x4x4; (x, at) -> deform_conv 4 3x3", "wrong-size"),
    (f"{_IMAGE}; at = input 18xHxW; (x, at) -> deform_conv 4 3x3", "unprovable"),
    (f"{_IMAGE}; at = input 36x4x5; (x, at) -> deform_conv 4 3x3", "not-divisible"),
    (f"{_IMAGE}; at = input 18x4x5; m = input 8x4x5; (x, at, m) -> deform_conv 4 3x3", "wrong-size"),
    (f"{_IMAGE}; at = input 18x4x5; (x, at) -> deform_conv 4 3x3 groups=2", "not-divisible"),
    (f"{_IMAGE}; at = input 18x4x5 float64; (x, at) -> deform_conv 4 3x3", "dtype-mismatch"),
    ("x = input 3x6; at = input 18x4; (x, at) -> deform_conv 4 3", "wrong-rank"),
    (f"{_IMAGE}; at = input 18x4x5; (x, at) -> deform_conv 4 8x8", "kernel-too-large"),
    (f"{_IMAGE}; boxes = input [4] batch=false; (x, boxes) -> roi_align 2", "wrong-rank"),
    (f"{_IMAGE}; boxes = input [4]; (x, boxes) -> roi_align 2", "wrong-size"),
    (f"{_IMAGE}; boxes = input [5] float64; (x, boxes) -> roi_align 2", "dtype-mismatch"),
    (f"{_IMAGE}; boxes = input [5]; (x, boxes) -> roi_align 2 sampling_ratio=0.5", "wrong-argument"),
    (f"{_IMAGE}; boxes = input [5]; (x, boxes) -> roi_align 2x2x2", "bad-argument"),
]


def _deformed(args, x, offset, mask=None):  # type: ignore[no-untyped-def]
    if not np.all(args.stride):
        raise ValueError("torchvision divides by the stride, and the process ends")
    module = ops.DeformConv2d(x.shape[1], args.channels, args.kernel, args.stride, args.padding, args.dilation, args.groups, args.bias).to(
        x.dtype
    )
    return args.layer(module)(x, offset, mask)


def _aligned(args, x, boxes):  # type: ignore[no-untyped-def]
    return ops.roi_align(x, boxes, args.size, float(args.scale), args.sampling_ratio, args.aligned)


REFERENCES = {"deform_conv": _deformed, "roi_align": _aligned}
