"""Models of the resampling family for the differential tests, and what it refuses."""

_SIZES = ("4x13", "9x1", "1x3", "20x2", "9x8")
_LINEAR = {"linear": "3x5", "bilinear": "3x5x4", "trilinear": "2x3x4x2", "bicubic": "3x5x4"}

CASES: list[str] = [
    # nearest
    "input 8xHxW -> upsample scale=2",
    "input 3x5 -> upsample scale=3",
    "input 2x3x4x2 -> upsample scale_factor=2",
    "input 3x5x4 -> upsample scale=[2, 0.5]",
    "input 3xHxW -> upsample scale=[1.5, 3]",
    "input 3x5x4 -> upsample size=7x9",
    "input 3x5x4 -> upsample size=3",
    "input 3x9x9 -> upsample size=[9, 4]",
    "input 3xHxW -> upsample size=7x9",
    "input 3xHxW -> upsample size=[H + 1, 2 * W]",
    "input 3xHxW -> upsample size=[H, W]",
    "x = input 3xHxW; y = input 2xAxB; (x -> upsample size=[A, B], y) -> concat axis=1",
    "input 3x7 -> upsample scale=2.3",
    "input 3x10 -> upsample scale=0.7",
    "input 3x2 -> upsample size=82",
    "input 3x5 -> upsample scale=41",
    "input 3xH -> upsample scale=41",
    "input 3x7 -> upsample scale=2.3 recompute_scale_factor=true",
    "input 3xH -> upsample scale=1.5 recompute_scale_factor=true",
    *[f"input 3x5x4 {d} -> upsample scale=2" for d in ("float64", "float16", "uint8")],
    *[f"input 3x5x4 {d} -> upsample size=7x3 mode=nearest_exact" for d in ("float64", "float16", "uint8")],
    # Rounding down removes what the scale adds, so these sizes stay. Along one axis and three, PyTorch's own gradient then does not fit its
    # result, so there are no such cases.
    "input 3x2x3 -> upsample scale=1.25",
    "input 3xHxW where H <= 3 -> upsample scale=[1.25, 1.5]",
    "input 3xHxW where H <= 3, W <= 3 -> upsample scale=1.25",
    "input 3xHxW where H <= 3, W <= 3 -> upsample scale=1.25 mode=nearest_exact",
    "input 3xT where T <= 3 -> upsample scale=1.25 mode=linear",
    "input 3x2x3 -> upsample scale=[1.25, 2] mode=bilinear",
    "input 3x3x2x5 -> upsample scale=1.25 mode=trilinear",
    "input 3xHxW -> upsample scale=2 mode=nearest_exact",
    "input 3xHxW -> upsample scale=0.5 mode=nearest_exact",
    'input 3xHxW -> upsample scale=1.5 mode="nearest-exact"',
    "input 3x5x4 -> upsample size=9x7 mode=nearest_exact",
    "input 3x14 -> upsample size=287 mode=nearest_exact",
    "input 3xH -> upsample size=9 mode=nearest_exact",
    "input 2x3x4x2 -> upsample size=[5, 7, 2] mode=nearest_exact",
    # by weights
    *[f"input {shape} -> upsample scale=2 mode={mode}" for mode, shape in _LINEAR.items()],
    *[f"input {shape} -> upsample scale=1.7 mode={mode}" for mode, shape in _LINEAR.items()],
    *[f"input {shape} -> upsample scale=0.6 mode={mode} align_corners=false" for mode, shape in _LINEAR.items()],
    *[f"input {shape} -> upsample scale=2 mode={mode} align_corners=true" for mode, shape in _LINEAR.items()],
    *[f"input {shape} -> upsample size=7 mode={mode} align_corners=true" for mode, shape in _LINEAR.items()],
    *[f"input {shape} -> upsample size=1 mode={mode} align_corners=true" for mode, shape in _LINEAR.items()],
    *[f"input {shape} -> upsample size=3 mode={mode}" for mode, shape in _LINEAR.items()],
    *[f"input {shape} float16 -> upsample size=6 mode={mode}" for mode, shape in _LINEAR.items()],
    *[f"input {shape} -> upsample scale=1.7 mode={mode} recompute_scale_factor=true" for mode, shape in _LINEAR.items()],
    "input 3xT -> upsample scale=2.5 mode=linear",
    "input 3xHxW -> upsample scale=2 mode=bilinear",
    "input 3xHxW -> upsample size=9x7 mode=bilinear align_corners=true",
    "input 3xHxW -> upsample size=[H + 1, 2 * W] mode=bicubic",
    "input 3xHxW -> upsample scale=[0.5, 1.25] mode=bicubic align_corners=true",
    "input 2xDxHxW -> upsample scale=[2, 1, 3] mode=trilinear",
    "input 3x9x8 -> upsample size=4x3 mode=bilinear antialias=true",
    "input 3x9x8 -> upsample size=4x12 mode=bicubic antialias=true",
    "input 3x9x8 -> upsample scale=[0.4, 1.5] mode=bilinear antialias=true align_corners=false",
    "input 3xHxW -> upsample scale=0.5 mode=bicubic antialias=true",
    "input 3xHxW -> upsample size=3x5 mode=bilinear antialias=true",
    # by matrices
    *[
        f"input 3x9x8 -> upsample size={size} mode={m} antialias=true align_corners=true"
        for m in ("bilinear", "bicubic")
        for size in _SIZES
    ],
    *[f"input 3x9x8 -> upsample size={size} mode=lanczos antialias=true" for size in _SIZES],
    "input 3x9x8 -> upsample scale=[0.4, 1.5] mode=lanczos antialias=true align_corners=false",
    "input 3x9x8 -> upsample scale=[0.4, 1.5] mode=bicubic antialias=true align_corners=true",
    "input 3x3x8 -> upsample scale=1.3 mode=lanczos antialias=true",
    "input 3x9x8 -> upsample scale=0.7 mode=lanczos antialias=true recompute_scale_factor=true",
    "input 3x9x8 float64 -> upsample size=4x13 mode=lanczos antialias=true",
    # scales that are not exact, of sizes that are not known
    *[f"input 3xH where H >= 10 -> upsample scale={scale}" for scale in (0.1, 1.1, 1.7, 0.4)],
    "input 3xHxW where H < 90, W < 90 -> upsample scale=0.7 mode=nearest_exact",
    "input 3xH where H < 50 -> upsample scale=2.3 recompute_scale_factor=true",
    "input 3xH -> upsample scale=1.1 mode=linear recompute_scale_factor=true",
    "input 3xHxW -> upsample scale=1.1 mode=bicubic align_corners=true",
    "input 3xH -> upsample scale=1.1 mode=area",
    # area
    "input 3x8x6 -> upsample size=4x3 mode=area",
    "input 3x8x6 -> upsample size=3x9 mode=area",
    "input 3x7 -> upsample scale=0.5 mode=area",
    "input 2x4x4x4 -> upsample size=[2, 3, 4] mode=area",
    "input 3xHxW -> upsample size=3x2 mode=area",
    "input 3xHxW -> upsample scale=2 mode=area",
    "input 3xHxW -> upsample scale=0.5 mode=area",
    "input 3xHxW where H % 2 == 0, W % 2 == 0 -> upsample scale=0.5 mode=area",
    "input 3x8 float16 -> upsample size=3 mode=area",
    # within a network
    "input 3x8x8 -> (conv 4 3 padding=1 -> upsample scale=2 mode=bilinear align_corners=true -> relu) as body",
    "input 3x8x8 -> (conv 4 3 padding=1 -> upsample size=5 mode=bicubic antialias=true -> relu) as body",
    "input 3xHxW -> (conv 4 3 padding=1 -> upsample size=[H + 1, W] -> relu) as body",
    # grids
    *[
        f"x = input 3x5x4; grid = input [6, 7, 2]; (x, grid) -> grid_sample mode={mode} padding_mode={padding} align_corners={corners}"
        for mode in ("bilinear", "nearest", "bicubic")
        for padding in ("zeros", "border", "reflection")
        for corners in ("true", "false")
    ],
    *[
        f"x = input 2x3x4x5; grid = input [2, 3, 4, 3]; (x, grid) -> grid_sample mode={mode} padding_mode={padding} align_corners={corners}"
        for mode in ("bilinear", "nearest")
        for padding in ("zeros", "border", "reflection")
        for corners in ("true", "false")
    ],
    "x = input 3xHxW; grid = input [A, B, 2]; (x, grid) -> grid_sample",
    # between two places, to which side is a question of rounding
    *[
        f"x = input 3x{size}x4; grid = input [9, 9, 2]; (x, (grid * 8 -> floor) / 8) -> grid_sample mode=nearest padding_mode={padding}"
        for size in (1, 2, 4)
        for padding in ("zeros", "border", "reflection")
    ],
    *[f"x = input 3x5x4 {d}; grid = input [6, 7, 2] {d}; (x, grid) -> grid_sample" for d in ("float64", "float16")],
]

TORCH_ONLY: list[str] = [
    "input 3x5x4 float64 -> upsample size=7x6 mode=bilinear",
    "input 3x5x4 float64 -> upsample scale=2 mode=bicubic",
    "input 3x5x4 bfloat16 -> upsample scale=2",
    "input 3x5x4 bfloat16 -> upsample scale=2 mode=bilinear",
]

REFUSED: list[tuple[str, str]] = [
    ("input 3x8x8 -> upsample", "bad-argument"),
    ("input 3x8x8 -> upsample 2", "too-many-arguments"),
    ("input 3x8x8 -> upsample size=4 scale=2", "bad-argument"),
    ("input 3x8x8 -> upsample size=4x4x4", "bad-argument"),
    ("input 3x8 -> upsample size=4x4", "bad-argument"),
    ("input 3x8x8 -> upsample scale=[2, 2, 2]", "bad-argument"),
    ("input 3x8x8 -> upsample size=0", "wrong-argument"),
    ("input 3x8x8 -> upsample scale=0", "wrong-argument"),
    ("input 3x8x8 -> upsample scale=0.1", "empty-result"),
    ("input 8 -> upsample size=4", "wrong-rank"),
    ("input 3x8x8x8x8 -> upsample size=4", "wrong-rank"),
    ("input 3x8x8 int64 -> upsample size=4", "needs-float"),
    ("input 3x8x8 bool -> upsample size=4", "needs-float"),
    ("input 3x8 uint8 -> upsample size=4 mode=linear", "needs-float"),
    ("input 3x8x8 int8 -> upsample size=4 mode=bilinear", "needs-float"),
    ("input 3x8x8 uint8 -> upsample size=4 mode=area", "needs-float"),
    ("input 3x8x8 -> upsample size=4 mode=lanczos", "bad-argument"),
    ("input 3x8x8 -> upsample size=4 mode=lanczos antialias=true align_corners=true", "bad-argument"),
    ("input 3x8x8 float16 -> upsample size=4 mode=lanczos antialias=true", "bad-argument"),
    ("input 3x8 -> upsample size=4 mode=lanczos antialias=true", "bad-argument"),
    ("input 3x8x8 -> upsample size=4 mode=linear", "bad-argument"),
    ("input 3x8 -> upsample size=4 mode=bilinear", "bad-argument"),
    ("input 3x8x8 -> upsample size=4 mode=trilinear", "bad-argument"),
    ("input 3x8x8x8 -> upsample size=4 mode=bicubic", "bad-argument"),
    ("input 3x8x8 -> upsample size=4 mode=cubic", "wrong-argument"),
    ("input 3x8x8 -> upsample size=4 align_corners=true", "bad-argument"),
    ("input 3x8x8 -> upsample size=4 mode=area align_corners=false", "bad-argument"),
    ("input 3x8x8 -> upsample size=4 antialias=true", "bad-argument"),
    ("input 3x8 -> upsample size=4 mode=linear antialias=true", "bad-argument"),
    ("input 3x8x8 -> upsample size=4 recompute_scale_factor=true", "bad-argument"),
    ("input 3xHxW -> upsample scale=0.7", "bad-argument"),
    ("input 3xH where H < 91 -> upsample scale=0.7", "bad-argument"),
    ("input 3xH -> upsample scale=0.123456789", "bad-argument"),
    ("input 3xH where H <= 10 -> upsample scale=1e-300", "bad-argument"),
    ("x = input 3x8x8; g = input [5, 5, 3]; (x, g) -> grid_sample", "wrong-size"),
    ("x = input 3x8x8; g = input [5, 2]; (x, g) -> grid_sample", "wrong-rank"),
    ("x = input 3x8; g = input [5, 1]; (x, g) -> grid_sample", "wrong-rank"),
    ("x = input 3x8x8; g = input [4, 5, 5, 2] batch=false; (x, g) -> grid_sample", "unprovable"),
    ("x = input [2, 3, 8, 8] batch=false; g = input [4, 5, 5, 2] batch=false; (x, g) -> grid_sample", "wrong-size"),
    ("x = input 3x8x8; g = input [5, 5, T]; (x, g) -> grid_sample", "unprovable"),
    ("x = input 3x8x8; g = input [5, 5, 2] float64; (x, g) -> grid_sample", "dtype-mismatch"),
    ("x = input 3x8x8; g = input [5, 5, 2] int64; (x, g) -> grid_sample", "needs-float"),
    ("x = input 3x8x8x8; g = input [5, 5, 5, 3]; (x, g) -> grid_sample mode=bicubic", "bad-argument"),
]
