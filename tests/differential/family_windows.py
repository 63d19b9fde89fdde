"""Arguments of what slides windows over space, convolutions and pools: kernels that fit, with their strides, paddings and dilations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from tests.differential.family_inputs import Draw, Types


def ints(types: Types) -> tuple[int, ...]:
    return tuple(d for d in types[0].shape if isinstance(d, int))


def per_axis(draw: Draw, values: Sequence[int]) -> Any:
    """One number for all axes, if they have the same."""
    return values[0] if len(set(values)) == 1 and draw(st.booleans()) else tuple(values)


def window(draw: Draw, space: Sequence[int], dilated: bool) -> tuple[list[int], list[int]]:
    kernels, dilations = [], []
    for room in space:
        kernel = draw(st.integers(1, min(3, room)))
        dilations.append(draw(st.integers(1, max(1, (room - 1) // (kernel - 1)))) if dilated and kernel > 1 else 1)
        kernels.append(kernel)
    return kernels, dilations


def stride(draw: Draw, axes: int) -> Any:
    return per_axis(draw, [draw(st.integers(1, 3)) for _ in range(axes)])


def grouped(draw: Draw, channels: int) -> tuple[int, int]:
    groups = draw(st.sampled_from([g for g in (1, 1, 2, 3, channels) if channels % g == 0]))
    return groups, groups * draw(st.integers(1, 3))


def conv(draw: Draw, types: Types) -> dict[str, Any]:
    _, channels, *space = ints(types)
    groups, made = grouped(draw, channels)
    mode = draw(st.sampled_from(("zeros", "zeros", "reflect", "replicate", "circular")))
    padding: Any = draw(st.sampled_from(("same", "valid", 0, 1, 1, 2)))
    if not isinstance(padding, str):
        padding = per_axis(draw, [draw(st.integers(0, padding)) for _ in space])
    kernel, dilation = window(draw, space, True)
    if padding == "same" and mode == "reflect":
        dilation = [1] * len(space)
    return {
        "channels": made,
        "groups": groups if groups > 1 else None,
        "kernel": per_axis(draw, kernel),
        "dilation": per_axis(draw, dilation),
        "stride": None if padding == "same" else stride(draw, len(space)),
        "padding": padding,
        "padding_mode": None if mode == "zeros" else mode,
    }


def conv_transpose(draw: Draw, types: Types) -> dict[str, Any]:
    _, channels, *space = ints(types)
    groups, made = grouped(draw, channels)
    kernel, dilation = window(draw, space, True)
    stride = [draw(st.integers(1, 3)) for _ in space]
    return {
        "channels": made,
        "groups": groups if groups > 1 else None,
        "kernel": per_axis(draw, kernel),
        "dilation": per_axis(draw, dilation),
        "stride": per_axis(draw, stride),
        "padding": per_axis(draw, [draw(st.integers(0, 1)) for _ in space]),
        "output_padding": per_axis(draw, [draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)]),
    }


def pool(draw: Draw, types: Types) -> dict[str, Any]:
    space = ints(types)[2:]
    kernel, _ = window(draw, space, False)
    return {"kernel": per_axis(draw, kernel), "stride": draw(st.sampled_from((None, stride(draw, len(space)))))}


def padded_pool(draw: Draw, types: Types) -> dict[str, Any]:
    args = pool(draw, types)
    kernel = args["kernel"] if isinstance(args["kernel"], tuple) else (args["kernel"],) * (types[0].rank - 2)
    return {**args, "padding": per_axis(draw, [draw(st.integers(0, taps // 2)) for taps in kernel])}


def max_pool(draw: Draw, types: Types) -> dict[str, Any]:
    space = ints(types)[2:]
    kernel, dilation = window(draw, space, True)
    padding = per_axis(draw, [draw(st.integers(0, taps // 2)) for taps in kernel])
    return {**pool(draw, types), "kernel": per_axis(draw, kernel), "dilation": per_axis(draw, dilation), "padding": padding}


def avg_pool(draw: Draw, types: Types) -> dict[str, Any]:
    divisor = draw(st.sampled_from((None, None, 2, 5))) if types[0].rank > 3 else None
    return {**padded_pool(draw, types), "divisor_override": divisor}
