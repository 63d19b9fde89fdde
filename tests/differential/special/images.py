"""Pools, upsampling and positions in images."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.differential.inputs import Draw, Types, tensor
from tests.differential.special.drawing import FLOATS, Arguments, Inputs, ints, per_axis, size


def _blocks(draw: Draw) -> Types:
    """What comes of an image of 4 by 5 in blocks of 2 by 2, without padding."""
    return (tensor(draw(st.sampled_from(FLOATS)), (size(draw, high=2), 4 * size(draw, high=2), 12)),)


def _fold(draw: Draw, types: Types) -> dict[str, Any]:
    kernel = draw(st.sampled_from((2, (2, 2))))
    return {"output_size": (4, 5), "kernel": kernel, "dilation": None, "padding": None, "stride": None}


def _scatter(draw: Draw, types: Types) -> dict[str, Any]:
    """Of several values for one element any may stay: they are added up, or they are all the same."""
    return {"value": size(draw, 0, 2)} if len(types) == 2 else {"value": None, "reduce": "add"}


def _upsample(draw: Draw, types: Types) -> dict[str, Any]:
    axes = types[0].rank - 2
    by_weights = {1: ("linear",), 2: ("bilinear", "bicubic", "lanczos"), 3: ("trilinear",)}[axes]
    mode = draw(st.sampled_from(("nearest", "nearest_exact", "area", *by_weights)))
    weighed = mode not in ("nearest", "nearest_exact", "area")
    by_size = draw(st.booleans())
    scales = (2, 1.5, 1.25, 1.2, 3, 0.7) if mode in ("nearest", "nearest_exact") else (2, 1.5, 1.25, 3, 1.1, 0.7)
    factors = [draw(st.sampled_from(scales)) for _ in range(axes)]
    sizes = [size(draw, 1, 8) for _ in range(axes)]
    width = sizes[-1] if by_size else int(ints(types)[-1] * factors[-1])
    # PyTorch 2.13 gives all rows the first one's values where `antialias` makes a single column (ONNX Runtime does not).
    if mode == "lanczos" and (width == 1 or types[0].dtype.size == 2):
        mode = "bicubic"
    smooth = mode in ("bilinear", "bicubic", "lanczos") and width > 1
    return {
        "size": per_axis(draw, sizes) if by_size else None,
        "scale": None if by_size else per_axis(draw, factors),
        "mode": mode,
        "align_corners": draw(st.sampled_from((None, False) if mode == "lanczos" else (None, True, False))) if weighed else None,
        "recompute_scale_factor": None if by_size else draw(st.sampled_from((None, True))),
        "antialias": mode == "lanczos" or draw(st.sampled_from((None, True))) if smooth else None,
    }


def _pooled(draw: Draw) -> Types:
    """Values and their positions, of which there is one for each."""
    shape = [size(draw, high=2), size(draw, high=2), *[1] * draw(st.integers(1, 3))]
    return tensor(draw(st.sampled_from(FLOATS)), shape), tensor("int64", shape)


def _fractions(draw: Draw) -> Types:
    """With random numbers: what PyTorch draws cannot be compared."""
    dtype, axes = draw(st.sampled_from(("float32", "float64"))), draw(st.sampled_from((2, 3)))
    batch = [size(draw, high=2), size(draw, high=2)]
    return tensor(dtype, [*batch, *(size(draw, 4, 8) for _ in range(axes))]), tensor(dtype, [*batch, axes])


def _windows_or_share(draw: Draw, types: Types) -> dict[str, Any]:
    axes = types[0].shape[2:]
    kernel = per_axis(draw, [size(draw, 1, 2) for _ in axes])
    if draw(st.booleans()):
        return {"kernel": kernel, "size": None, "output_ratio": draw(st.sampled_from((0.3, 0.5, (0.4, 0.6, 0.5)[: len(axes)])))}
    return {"kernel": kernel, "size": per_axis(draw, [size(draw, 1, 2) for _ in axes]), "output_ratio": None}


def _deformed(draw: Draw) -> Types:
    """For a kernel of 2 by 2, perhaps with a mask."""
    dtype, n, groups = draw(st.sampled_from(FLOATS)), size(draw, high=2), size(draw, high=2)
    high, wide = size(draw, 2), size(draw, 2)
    offset = tensor(dtype, (n, 8 * groups, high - 1, wide - 1))
    masks = [tensor(dtype, (n, 4 * groups, high - 1, wide - 1))] if draw(st.booleans()) else []
    return tensor(dtype, (n, 2 * groups, high, wide)), offset, *masks


def _boxes(draw: Draw) -> Types:
    dtype = draw(st.sampled_from(FLOATS))
    return tensor(dtype, [size(draw) for _ in range(4)]), tensor(dtype, (size(draw), 5))


def _roi_align(draw: Draw, types: Types) -> dict[str, Any]:
    """Of boxes that end before they begin, torchvision makes a number of points below 0, and fails."""
    ratio = draw(st.sampled_from((None, 1, 2, 3, 0, -1)))
    return {
        "size": per_axis(draw, (size(draw), size(draw))),
        "scale": draw(st.sampled_from((None, 0.5, 2, 4))),
        "sampling_ratio": ratio,
        "aligned": draw(st.sampled_from((None, True))) if ratio is None or ratio > 0 else None,
    }


INPUTS: dict[str, Inputs] = {
    "deform_conv": _deformed,
    "fractional_max_pool": _fractions,
    "roi_align": _boxes,
    "max_unpool": _pooled,
    "fold": _blocks,
}
ARGUMENTS: dict[str, Arguments] = {
    "deform_conv": lambda draw, types: {
        "kernel": 2,
        "stride": None,
        "padding": None,
        "dilation": None,
        "groups": draw(st.sampled_from((None, 1))),
    },
    "roi_align": _roi_align,
    "fractional_max_pool": _windows_or_share,
    "fold": _fold,
    # Which element is nearest is decided by rounding where the grid is in bfloat16.
    "grid_sample": lambda draw, types: {"mode": None} if types[1].dtype.name == "bfloat16" else {},
    # A large power, or one of a difference that may be next to 0, makes anything of a rounding.
    "local_response_norm": lambda draw, types: {
        "alpha": draw(st.sampled_from((None, 0, 0.5, 2))),
        "beta": draw(st.sampled_from((None, 0.5, 1, 2, 0, -1, -0.75))),
        "k": draw(st.sampled_from((None, 0.5, 1, 2))),
    },
    "lp_pool": lambda draw, types: {"p": draw(st.sampled_from((None, 2, 4)))},
    "scatter": _scatter,
    # Without it, the algorithm decides the order.
    "topk": lambda draw, types: {"sorted": None},
    "upsample": _upsample,
}
