"""Arguments of those operators whose arguments must go with their inputs in a way that their declaration does not tell.

In: types of inputs, with whole numbers for sizes. Out: some of the arguments; None leaves one out, and what is not named is drawn from its
kind. Always: what comes out is valid with these inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from hypothesis import strategies as st

from tests.differential.family_inputs import EQUATIONS, Draw, Types, size
from tests.differential.family_windows import avg_pool, conv, conv_transpose, ints, max_pool, per_axis, pool, window


def _axis(draw: Draw, rank: int) -> int:
    return draw(st.integers(-rank, rank - 1))


def _one_operand(draw: Draw, types: Types, operands: int = 2) -> dict[str, Any]:
    if len(types) == operands:
        return {"other": None, "reverse": None}
    whole = not types[-1].dtype.is_float
    other = draw(st.sampled_from((2, 3, 1) if whole else (2, 0.5, 3, -1.5, 1, 4)))
    return {"other": other, "reverse": draw(st.sampled_from((None, True, False)))}


def _suffix(draw: Draw, types: Types) -> dict[str, Any]:
    sizes = ints(types)
    return {"shape": draw(st.sampled_from((None, sizes[-1], sizes[draw(st.integers(0, len(sizes) - 1)) :])))}


def _group_norm(draw: Draw, types: Types) -> dict[str, Any]:
    channels = ints(types)[1]
    return {"groups": draw(st.sampled_from([g for g in (1, 2, 3, 4, channels) if channels % g == 0]))}


def _factors(draw: Draw, whole: int) -> list[int]:
    """Sizes whose product is `whole`."""
    sizes: list[int] = []
    while whole > 1 and len(sizes) < 3:
        sizes.append(draw(st.sampled_from([n for n in range(1, whole + 1) if whole % n == 0])))
        whole //= sizes[-1]
    return [*sizes, whole]


def _open(draw: Draw, sizes: Sequence[int]) -> tuple[int, ...]:
    """One of them is now and then left open."""
    at = draw(st.integers(0, len(sizes) - 1)) if draw(st.booleans()) else None
    return tuple(-1 if i == at else d for i, d in enumerate(sizes))


def _unflatten(draw: Draw, types: Types) -> dict[str, Any]:
    axis = _axis(draw, types[0].rank)
    return {"axis": axis, "sizes": _open(draw, _factors(draw, ints(types)[axis]))}


def _expand(draw: Draw, types: Types) -> dict[str, Any]:
    front = [size(draw, high=3) for _ in range(draw(st.integers(0, 1)))]
    kept = [size(draw, high=3) if d == 1 else d for d in ints(types)]
    return {"shape": tuple(front + [-1 if draw(st.integers(0, 3)) == 0 else d for d in kept])}


def _flatten(draw: Draw, types: Types) -> dict[str, Any]:
    rank = types[0].rank
    start, end = sorted((draw(st.integers(0, rank - 1)), draw(st.integers(0, rank - 1))))
    return {"start": start, "end": end - rank if draw(st.booleans()) else end}


def _slice(draw: Draw, types: Types) -> dict[str, Any]:
    axis = _axis(draw, types[0].rank)
    length = ints(types)[axis]
    start = draw(st.integers(0, length - 1))
    stop = draw(st.integers(start + 1, length + 2))
    return {
        "axis": axis,
        "start": draw(st.sampled_from((None, start, start - length))),
        "stop": draw(st.sampled_from((None, stop, stop - length if stop < length else None))),
        "step": draw(st.sampled_from((None, 1, 2, 3))),
    }


def _select(draw: Draw, types: Types) -> dict[str, Any]:
    axis = _axis(draw, types[0].rank)
    return {"axis": axis, "index": _axis(draw, ints(types)[axis])}


def _pad(draw: Draw, types: Types) -> dict[str, Any]:
    sizes, rank = ints(types)[::-1], types[0].rank
    mode = draw(st.sampled_from(("constant", "constant", "reflect", "replicate", "circular")))
    if mode != "constant" and (rank < 2 or types[0].dtype.name == "bool"):
        mode = "constant"
    axes = draw(st.integers(1, rank)) if mode == "constant" else min(max(rank - draw(st.integers(1, 2)), 1), 3)
    if mode != "constant" and rank not in (axes + 1, axes + 2):
        axes = rank - 2
    most = {"reflect": lambda d: d - 1, "circular": lambda d: d}.get(mode, lambda d: 3)
    low = {"constant": lambda d: -((d - 1) // 2)}.get(mode, lambda d: 0)
    amounts = tuple(draw(st.integers(low(d), min(most(d), 3))) for d in sizes[:axes] for _ in range(2))
    return {
        "padding": amounts,
        "mode": None if mode == "constant" else mode,
        "value": draw(st.sampled_from((None, 0, 1, 2))) if mode == "constant" else None,
    }


def _roll(draw: Draw, types: Types) -> dict[str, Any]:
    axes = draw(st.sampled_from((0, 1, 2)))
    if not axes:
        return {"shifts": size(draw, -3, 3), "axis": None}
    return {"shifts": tuple(size(draw, -3, 3) for _ in range(axes)), "axis": tuple(_axis(draw, types[0].rank) for _ in range(axes))}


def _split(draw: Draw, types: Types) -> dict[str, Any]:
    axis = _axis(draw, types[0].rank)
    whole = ints(types)[axis]
    first = draw(st.integers(1, whole))
    return {"axis": axis, "sizes": draw(st.sampled_from((first, (first, whole - first) if first < whole else (first,))))}


def _permute(draw: Draw, types: Types) -> dict[str, Any]:
    rank = types[0].rank
    axes = draw(st.permutations(range(rank)))
    return {"axes": tuple(axis - rank if draw(st.integers(0, 3)) == 0 else axis for axis in axes)}


def _equation(draw: Draw, types: Types) -> dict[str, Any]:
    ranks = [t.rank for t in types]
    fitting = [e for e in EQUATIONS if [len(t.replace("...", "zy")) for t in e.split("->")[0].split(",")] == ranks and _agrees(e, types)]
    return {"equation": draw(st.sampled_from(fitting))}


def _agrees(equation: str, types: Types) -> bool:
    known: dict[str, object] = {}
    pairs = zip(equation.split("->")[0].replace("...", "zy").split(","), types, strict=True)
    return all(known.setdefault(letter, d) == d for term, t in pairs for letter, d in zip(term, t.shape, strict=True))


PATTERNS = {
    2: ("n c -> c n", "n (a b) -> (n a) b", "n c -> n 1 c", "n c -> (c n)"),
    3: ("n t (h d) -> n h t d", "n c t -> n (t c)", "n ... -> n (...)", "n (t p) c -> n t (p c)"),
    4: (
        "n c h w -> n h w c",
        "n c (h p) (w q) -> n (h w) (c p q)",
        "n (c r) h w -> n c (h r) w",
        "n c h w -> n (h w) c",
        "n ... w -> (n w) ...",
    ),
}


def _rearrange(draw: Draw, types: Types) -> dict[str, Any]:
    pattern = draw(st.sampled_from(PATTERNS[types[0].rank]))
    return {"pattern": pattern, **{name: 2 for name in "bdpqr" if f" {name})" in pattern.split("->")[0]}}


def _heads(draw: Draw, types: Types) -> dict[str, Any]:
    """A mask of three axes tells how many heads there are."""
    features, rank = ints(types)[-1], types[0].rank
    padded = _is_padded(types)
    tensors = types[:-1] if padded else types
    masked = len(tensors) == 4 or (len(tensors) > 1 and tensors[-1].dtype.name == "bool")
    heads = draw(st.sampled_from([h for h in (1, 2, 3) if features % h == 0]))
    if masked and tensors[-1].rank == 3:
        heads = ints(tensors[-1:])[0] // (ints(types)[0] if rank == 3 else 1)
    return {
        "heads": heads,
        "causal": None if masked else draw(st.sampled_from((None, True))),
        "key_padding_mask": draw(st.sampled_from((True, *[None] * (len(types) == 5)))) if padded else None,
    }


def _is_padded(types: Types) -> bool:
    """Whether the last is a mask of keys: it has an axis less than the queries, and cannot be one of queries and keys."""
    queries, last = types[0], types[-1]
    if queries.rank == 2 or last.rank != 2:
        return last.rank == queries.rank - 1
    of_queries = last.shape[0] == queries.shape[-2] and (len(types) == 4 or last.dtype.name == "bool")
    return types[-2].rank == 2 or not of_queries


def _attention(draw: Draw, types: Types) -> dict[str, Any]:
    causal = None if len(types) == 4 else draw(st.booleans())
    alike = types[0].shape[-2] == types[1].shape[-2]
    return {
        "causal": causal,
        "scale": draw(st.sampled_from((None, 0.5))),
        "window": draw(st.sampled_from((None, 1, 2))) if causal and alike else None,
    }


def _recurrent(draw: Draw, types: Types) -> dict[str, Any]:
    """As the states have it, if there are any: the last one has the hidden units, the first what is made of them."""
    if len(types) == 1:
        hidden, rows = size(draw, 2, 4), draw(st.sampled_from((1, 1, 2, 4)))
        projected = draw(st.sampled_from((None, hidden - 1)))
    else:
        hidden, rows, width = (int(d) for d in (types[-1].shape[-1], types[1].shape[0], types[1].shape[-1]))
        projected = width if width < hidden else None
    both = rows % 2 == 0 and draw(st.booleans())
    layers = rows // 2 if both else rows
    return {"hidden": hidden, "layers": layers if layers > 1 else None, "bidirectional": both or None, "proj_size": projected}


def _plain(draw: Draw, types: Types) -> dict[str, Any]:
    """Of those without projections."""
    return {name: value for name, value in _recurrent(draw, types).items() if name != "proj_size"}


def _cell(draw: Draw, types: Types) -> dict[str, Any]:
    return {"hidden": types[-1].shape[-1] if len(types) > 1 else size(draw, 1, 4)}


def _whole(types: Types) -> bool:
    return not types[0].dtype.is_float


def _clamp(draw: Draw, types: Types) -> dict[str, Any]:
    low, high = (0, 2) if _whole(types) else draw(st.sampled_from(((-0.5, 0.5), (0, 1), (-1, 0.25))))
    both = {"min": low, "max": high}
    return draw(st.sampled_from((both, {**both, "min": None}, {**both, "max": None})))


def _span(low: str, high: str) -> Callable[[Draw, Types], dict[str, Any]]:
    def draw_span(draw: Draw, types: Types) -> dict[str, Any]:
        return {low: 0, high: 2} if _whole(types) else {low: draw(st.sampled_from((-1, -0.5, 0))), high: draw(st.sampled_from((0.5, 1, 2)))}

    return draw_span


def _keepdim(draw: Draw, types: Types) -> dict[str, Any]:
    axis = draw(st.sampled_from((None, _axis(draw, max(types[0].rank, 1)))))
    return {"axis": axis, "keepdim": None if axis is None else draw(st.sampled_from((None, True)))}


def _scatter(draw: Draw, types: Types) -> dict[str, Any]:
    """Of several values for one place any may stay: they are added up, or they are all the same."""
    if len(types) == 2:
        return {"axis": _axis(draw, max(types[0].rank, 1)), "value": size(draw, 0, 2)}
    return {"axis": _axis(draw, max(types[0].rank, 1)), "value": None, "reduce": "add"}


def _topk(draw: Draw, types: Types) -> dict[str, Any]:
    axis = _axis(draw, max(types[0].rank, 1))
    return {"axis": axis, "k": size(draw, 1, (ints(types) or (1,))[axis]), "sorted": None}


def _fill(draw: Draw, types: Types) -> dict[str, Any]:
    return {"value": draw(st.sampled_from((0, 1, 2) if _whole(types) else (0, 1, -2.5, "inf", "-inf")))}


def _rotary(draw: Draw, types: Types) -> dict[str, Any]:
    return {"dims": draw(st.sampled_from((None, *range(2, ints(types)[-1] + 1, 2)))), "base": draw(st.sampled_from((None, 100, 500000)))}


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


def _unfold(draw: Draw, types: Types) -> dict[str, Any]:
    kernel, dilation = window(draw, ints(types)[2:], True)
    return {"kernel": per_axis(draw, kernel), "dilation": per_axis(draw, dilation), "padding": draw(st.sampled_from((None, 1, (0, 1))))}


BINARY = ("add", "sub", "mul", "div", "floor_div", "remainder", "pow", "eq", "ne", "lt", "le", "gt", "ge")
ARGUMENTS: dict[str, Callable[[Draw, Types], dict[str, Any]]] = {
    **dict.fromkeys(BINARY, _one_operand),
    "where": lambda draw, types: _one_operand(draw, types, 3),
    "attention": _attention,
    "avg_pool": avg_pool,
    "clamp": _clamp,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "einsum": _equation,
    "embedding": lambda draw, types: {
        "num": size(draw, 2, 6),
        "dtype": draw(st.sampled_from((None, "float16", "float32"))),
        "padding_idx": draw(st.sampled_from((None, 0, 1, -1))),
    },
    "expand": _expand,
    "flatten": _flatten,
    "group_norm": _group_norm,
    "hardtanh": _span("min_val", "max_val"),
    "layer_norm": _suffix,
    # A large power, or one of a difference that may be next to 0, makes anything of a rounding.
    "local_response_norm": lambda draw, types: {
        "alpha": draw(st.sampled_from((None, 0, 0.5, 2))),
        "beta": draw(st.sampled_from((None, 0.5, 1, 2, 0, -1, -0.75))),
        "k": draw(st.sampled_from((None, 0.5, 1, 2))),
    },
    "lp_pool": lambda draw, types: {**pool(draw, types), "p": draw(st.sampled_from((None, 2, 4)))},
    "lstm": _recurrent,
    **dict.fromkeys(("gru", "rnn"), _plain),
    **dict.fromkeys(("gru_cell", "lstm_cell", "rnn_cell"), _cell),
    "max_pool": max_pool,
    "multihead_attention": _heads,
    "pad": _pad,
    "permute": _permute,
    **dict.fromkeys(("argmax", "argmin", "prod"), _keepdim),
    "rearrange": _rearrange,
    "reshape": lambda draw, types: {"shape": _open(draw, _factors(draw, prod(ints(types))))},
    "rms_norm": _suffix,
    "roll": _roll,
    "select": _select,
    "slice": _slice,
    # Beyond 88, PyTorch's exp in float32 overflows before the threshold is reached; ONNX Runtime's function does not.
    "softplus": lambda draw, types: {"threshold": draw(st.sampled_from((None, 20, 2, 0.5, 0, -1)))},
    "split": _split,
    "stack": lambda draw, types: {"axis": _axis(draw, types[0].rank + 1)},
    "threshold": _span("threshold", "value"),
    "channel_shuffle": lambda draw, types: {"groups": draw(st.sampled_from((1, 2)))},
    "fold": lambda draw, types: {
        "output_size": (4, 5),
        "kernel": draw(st.sampled_from((2, (2, 2)))),
        "dilation": None,
        "padding": None,
        "stride": None,
    },
    # Which element is nearest is decided by rounding where the grid is told in bfloat16.
    "grid_sample": lambda draw, types: {"mode": None} if types[0].rank == 5 or types[1].dtype.name == "bfloat16" else {},
    "masked_fill": _fill,
    "one_hot": lambda draw, types: {"classes": size(draw, 2, 5)},
    "pixel_shuffle": lambda draw, types: {"r": draw(st.sampled_from((1, 2)))},
    "pixel_unshuffle": lambda draw, types: {"r": draw(st.sampled_from((1, 2)))},
    "rotary": _rotary,
    "scatter": _scatter,
    "topk": _topk,
    "unfold": _unfold,
    "upsample": _upsample,
    "unflatten": _unflatten,
    "unsqueeze": lambda draw, types: {"axis": _axis(draw, types[0].rank + 1)},
}
