"""Where the inputs and arguments of an operator must go together, more than its declaration says.

In: what strategies.py has drawn so far. Out: types of inputs, and the arguments that depend on them; None leaves an argument out. Always:
an operator that is in none of these tables is drawn from its declaration alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from hypothesis import strategies as st

from netc.compiler.ops import Operator
from netc.compiler.types import DTYPES, TensorType
from netc.dsl.record import Record

Draw = st.DrawFn
Types = tuple[TensorType, ...]
FLOATS = ("float32", "float32", "float16", "float32", "float64")


class Family(Record):
    """What is known when the inputs are drawn."""

    cls: type[Operator]
    dtype: str
    rank: int


def size(draw: Draw, low: int = 1, high: int = 5) -> int:
    return draw(st.integers(low, high))


def shape(draw: Draw, rank: int, high: int = 5) -> tuple[int, ...]:
    return tuple(size(draw, high=high) for _ in range(rank))


def tensor(dtype: str, sizes: Sequence[int]) -> TensorType:
    return TensorType(DTYPES[dtype], tuple(sizes))


def broadcasting(draw: Draw, family: Family, count: int) -> list[TensorType]:
    """Tensors whose shapes go together: some axes are 1, some are missing in front; now and then another element type."""
    whole = shape(draw, family.rank)
    made = []
    for index in range(count):
        sizes = [1 if draw(st.integers(0, 4)) == 0 else d for d in whole]
        cut = draw(st.integers(0, family.rank)) if index and draw(st.integers(0, 2)) == 0 else 0
        dtype = draw(st.sampled_from(("float32", "int64", "float16", "bool", "uint8"))) if draw(st.integers(0, 7)) == 0 else family.dtype
        made.append(tensor(dtype, sizes[cut:]))
    return made


# --- inputs ----------------------------------------------------------------------------------------------------------------------


def _alike(draw: Draw, family: Family) -> list[TensorType]:
    whole = shape(draw, family.rank)
    return [tensor(family.dtype, whole)] * draw(st.integers(1, 3))


def _alike_but_one(draw: Draw, family: Family) -> list[TensorType]:
    whole = shape(draw, family.rank)
    axis = draw(st.integers(0, family.rank - 1))
    return [tensor(family.dtype, (*whole[:axis], size(draw), *whole[axis + 1 :])) for _ in range(draw(st.integers(1, 3)))]


def _bilinear(draw: Draw, family: Family) -> list[TensorType]:
    whole = shape(draw, family.rank - 1)
    return [tensor(family.dtype, (*whole, size(draw))) for _ in range(2)]


def _even(draw: Draw, family: Family) -> list[TensorType]:
    return [tensor(family.dtype, [draw(st.sampled_from((2, 4, 6))) for _ in range(family.rank)])]


def _large(draw: Draw, family: Family) -> list[TensorType]:
    """Room for windows, and channels that divide."""
    channels = draw(st.sampled_from((1, 2, 3, 4, 6)))
    high = {3: 8, 4: 7, 5: 5}[family.rank]
    return [tensor(family.dtype, (size(draw, high=2), channels, *(size(draw, 3, high) for _ in range(family.rank - 2))))]


def _channelled(draw: Draw, family: Family) -> list[TensorType]:
    channels = draw(st.sampled_from((2, 4, 6)))
    return [tensor(family.dtype, (size(draw, 2, 3), channels, *(size(draw, 2, 4) for _ in range(family.rank - 2))))]


def _vectors(draw: Draw, family: Family) -> list[TensorType]:
    return [tensor(family.dtype, shape(draw, 1)) for _ in range(2)]


def _matrices(draw: Draw, family: Family) -> list[TensorType]:
    rows, inner, columns = size(draw), size(draw), size(draw)
    left, right = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    batch = shape(draw, 2)
    a = (*batch, rows, inner)[4 - left :] if left > 1 else (inner,)
    b = (*batch, inner, columns)[4 - right :] if right > 1 else (inner,)
    return [tensor(family.dtype, a), tensor(family.dtype, b)]


def _choice(draw: Draw, family: Family) -> list[TensorType]:
    first, *others = broadcasting(draw, family, draw(st.integers(2, 3)))
    return [tensor("bool", [int(d) for d in first.shape]), *others]


EQUATIONS = ("ij,jk->ik", "bij,bjk->bik", "i,j->ij", "ij->ji", "ii->i", "ij->", "ij->j", "bi,bj", "...ij,...jk->...ik", "ijk,ij,k->jk", "bhqd,bhkd->bhqk")


def _summed(draw: Draw, family: Family) -> list[TensorType]:
    """The shapes that fit one of the equations, which `_equation` finds again."""
    sizes = {letter: size(draw, high=4) for letter in "abcdefghijklmnopqrstuvwxyz"}
    terms = draw(st.sampled_from(EQUATIONS)).split("->")[0].split(",")
    return [tensor(family.dtype, [sizes[c] for c in term.replace("...", "zy")]) for term in terms]


def _attended(draw: Draw, family: Family) -> list[TensorType]:
    heads, groups = draw(st.sampled_from((1, 2, 3))), draw(st.sampled_from((1, 1, 2)))
    before = [size(draw, high=2)] if family.rank > 3 else []
    length, span, width = size(draw), size(draw), draw(st.sampled_from((2, 4, 8)))
    fewer = [heads] if family.rank > 2 else []
    many = [heads * groups] if before else fewer
    q = [*before, *many, length, width]
    k = [*before, *fewer, span, width]
    v = [*before, *fewer, span, size(draw)]
    masks = [[tensor(dtype, sizes)] for dtype in ("bool", family.dtype) for sizes in ([length, span], [1, span], [*before, *many, length, span])]
    mask: list[TensorType] = draw(st.sampled_from([[], [], *masks]))
    return [*(tensor(family.dtype, s) for s in (q, k, v)), *mask]


def _multihead(draw: Draw, family: Family) -> list[TensorType]:
    batch, length, span = size(draw, high=3), size(draw), size(draw)
    x = tensor(family.dtype, (batch, length, draw(st.sampled_from((4, 6, 8)))))
    key = tensor(family.dtype, (batch, span, size(draw)))
    value = tensor(family.dtype, (batch, span, size(draw)))
    mask = tensor(draw(st.sampled_from(("bool", family.dtype))), (length, span))
    return draw(st.sampled_from(([x], [x, key], [x, key, value], [x, key, value, mask])))


def _sequence(draw: Draw, family: Family) -> list[TensorType]:
    """Without states: their shape follows from arguments, which are drawn later."""
    return [tensor(family.dtype, shape(draw, 3))]


def _squeezable(draw: Draw, family: Family) -> list[TensorType]:
    return [tensor(family.dtype, [draw(st.sampled_from((1, 2, 3))) for _ in range(family.rank)])]


INPUTS: dict[str, Callable[[Draw, Family], list[TensorType]]] = {
    "attention": _attended,
    "avg_pool": _large,
    "bilinear": _bilinear,
    "concat": _alike_but_one,
    "conv": _large,
    "conv_transpose": _large,
    "einsum": _summed,
    "expand": _squeezable,
    "glu": _even,
    "group_norm": _channelled,
    "gru": _sequence,
    "instance_norm": _channelled,
    "batch_norm": _channelled,
    "lp_pool": _large,
    "lstm": _sequence,
    "matmul": _matrices,
    "max_pool": _large,
    "multihead_attention": _multihead,
    "outer": _vectors,
    "rearrange": lambda draw, family: [tensor(family.dtype, [draw(st.sampled_from((2, 4, 6))) for _ in range(family.rank)])],
    "rnn": _sequence,
    "squeeze": _squeezable,
    "stack": _alike,
    "where": _choice,
}

RANKS: dict[str, tuple[int, int]] = {
    "attention": (2, 4),
    "batch_norm": (2, 5),
    "bilinear": (1, 4),
    "chunk": (1, 4),
    "concat": (1, 4),
    "cosine_similarity": (2, 4),
    "dense": (1, 4),
    "drop_path": (2, 4),
    "flatten": (2, 5),
    "glu": (1, 4),
    "group_norm": (2, 5),
    "layer_norm": (1, 4),
    "local_response_norm": (3, 5),
    "pad": (1, 5),
    "rearrange": (2, 4),
    "rms_norm": (1, 4),
    "roll": (1, 4),
    "select": (1, 4),
    "slice": (1, 4),
    "split": (1, 4),
    "unflatten": (1, 4),
}
"""The least and the greatest rank, where it is not 0 to 4 (3 to 5 of spatial operators)."""

INDICES = ("int64", "int64", "int32")
NUMBERS = ("float32", "float32", "float16", "int64", "float64")
DTYPES_OF: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "adaptive_avg_pool adaptive_max_pool attention avg_pool batch_norm bilinear celu conv conv_transpose cosine_similarity dense "
            "drop_path dropout elu gelu global_avg_pool global_max_pool glu group_norm gru hardshrink hardsigmoid hardswish instance_norm "
            "layer_norm leaky_relu local_response_norm log_softmax logsigmoid lp_pool lstm max_pool mean mish multihead_attention norm prelu "
            "rms_norm rnn selu silu softmax softmin softplus softshrink std var"
        ).split(),
        FLOATS,
    ),
    **dict.fromkeys("abs argmax argmin ceil clamp einsum floor hardtanh matmul neg pow relu relu6 remainder round softsign tanhshrink threshold".split(), NUMBERS),
    "embedding": INDICES,
}
"""Element types to draw from, where most others are refused: perturbation finds those."""

ALWAYS: frozenset[str] = frozenset()


# --- arguments -------------------------------------------------------------------------------------------------------------------


def _ints(types: Types) -> tuple[int, ...]:
    return tuple(d for d in types[0].shape if isinstance(d, int))


def _axis(draw: Draw, rank: int) -> int:
    return draw(st.integers(-rank, rank - 1))


def _one_operand(draw: Draw, types: Types, operands: int = 2) -> dict[str, Any]:
    if len(types) == operands:
        return {"other": None, "reverse": None}
    whole = not types[-1].dtype.is_float
    other = draw(st.sampled_from((2, 3, 1) if whole else (2, 0.5, 3, -1.5, 1, 4)))
    return {"other": other, "reverse": draw(st.sampled_from((None, True, False)))}


def _per_axis(draw: Draw, values: Sequence[int]) -> Any:
    """One number for all axes, if they have the same."""
    return values[0] if len(set(values)) == 1 and draw(st.booleans()) else tuple(values)


def _window(draw: Draw, space: Sequence[int], dilated: bool) -> tuple[list[int], list[int]]:
    kernels, dilations = [], []
    for room in space:
        kernel = draw(st.integers(1, min(3, room)))
        dilations.append(draw(st.integers(1, max(1, (room - 1) // (kernel - 1)))) if dilated and kernel > 1 else 1)
        kernels.append(kernel)
    return kernels, dilations


def _stride(draw: Draw, axes: int) -> Any:
    return _per_axis(draw, [draw(st.integers(1, 3)) for _ in range(axes)])


def _grouped(draw: Draw, channels: int) -> tuple[int, int]:
    groups = draw(st.sampled_from([g for g in (1, 1, 2, 3, channels) if channels % g == 0]))
    return groups, groups * draw(st.integers(1, 3))


def _conv(draw: Draw, types: Types) -> dict[str, Any]:
    _, channels, *space = _ints(types)
    groups, made = _grouped(draw, channels)
    mode = draw(st.sampled_from(("zeros", "zeros", "reflect", "replicate", "circular")))
    padding: Any = draw(st.sampled_from(("same", "valid", 0, 1, 1, 2)))
    if not isinstance(padding, str):
        padding = _per_axis(draw, [draw(st.integers(0, padding)) for _ in space])
    kernel, dilation = _window(draw, space, True)
    if padding == "same" and mode == "reflect":
        dilation = [1] * len(space)
    return {
        "channels": made,
        "groups": groups if groups > 1 else None,
        "kernel": _per_axis(draw, kernel),
        "dilation": _per_axis(draw, dilation),
        "stride": None if padding == "same" else _stride(draw, len(space)),
        "padding": padding,
        "padding_mode": None if mode == "zeros" else mode,
    }


def _conv_transpose(draw: Draw, types: Types) -> dict[str, Any]:
    _, channels, *space = _ints(types)
    groups, made = _grouped(draw, channels)
    kernel, dilation = _window(draw, space, True)
    stride = [draw(st.integers(1, 3)) for _ in space]
    return {
        "channels": made,
        "groups": groups if groups > 1 else None,
        "kernel": _per_axis(draw, kernel),
        "dilation": _per_axis(draw, dilation),
        "stride": _per_axis(draw, stride),
        "padding": _per_axis(draw, [draw(st.integers(0, 1)) for _ in space]),
        "output_padding": _per_axis(draw, [draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)]),
    }


def _pool(draw: Draw, types: Types) -> dict[str, Any]:
    space = _ints(types)[2:]
    kernel, _ = _window(draw, space, False)
    return {"kernel": _per_axis(draw, kernel), "stride": draw(st.sampled_from((None, _stride(draw, len(space)))))}


def _padded_pool(draw: Draw, types: Types) -> dict[str, Any]:
    args = _pool(draw, types)
    kernel = args["kernel"] if isinstance(args["kernel"], tuple) else (args["kernel"],) * (types[0].rank - 2)
    return {**args, "padding": _per_axis(draw, [draw(st.integers(0, taps // 2)) for taps in kernel])}


def _max_pool(draw: Draw, types: Types) -> dict[str, Any]:
    space = _ints(types)[2:]
    kernel, dilation = _window(draw, space, True)
    padding = _per_axis(draw, [draw(st.integers(0, taps // 2)) for taps in kernel])
    return {**_pool(draw, types), "kernel": _per_axis(draw, kernel), "dilation": _per_axis(draw, dilation), "padding": padding}


def _avg_pool(draw: Draw, types: Types) -> dict[str, Any]:
    divisor = draw(st.sampled_from((None, None, 2, 5))) if types[0].rank > 3 else None
    return {**_padded_pool(draw, types), "divisor_override": divisor}


def _suffix(draw: Draw, types: Types) -> dict[str, Any]:
    sizes = _ints(types)
    return {"shape": draw(st.sampled_from((None, sizes[-1], sizes[draw(st.integers(0, len(sizes) - 1)) :])))}


def _group_norm(draw: Draw, types: Types) -> dict[str, Any]:
    return {"groups": draw(st.sampled_from([g for g in (1, 2, 3, 4) if _ints(types)[1] % g == 0]))}


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
    return {"axis": axis, "sizes": _open(draw, _factors(draw, _ints(types)[axis]))}


def _expand(draw: Draw, types: Types) -> dict[str, Any]:
    front = [size(draw, high=3) for _ in range(draw(st.integers(0, 1)))]
    kept = [size(draw, high=3) if d == 1 else d for d in _ints(types)]
    return {"shape": tuple(front + [-1 if draw(st.integers(0, 3)) == 0 else d for d in kept])}


def _flatten(draw: Draw, types: Types) -> dict[str, Any]:
    rank = types[0].rank
    start, end = sorted((draw(st.integers(0, rank - 1)), draw(st.integers(0, rank - 1))))
    return {"start": start, "end": end - rank if draw(st.booleans()) else end}


def _slice(draw: Draw, types: Types) -> dict[str, Any]:
    axis = _axis(draw, types[0].rank)
    length = _ints(types)[axis]
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
    return {"axis": axis, "index": _axis(draw, _ints(types)[axis])}


def _pad(draw: Draw, types: Types) -> dict[str, Any]:
    sizes, rank = _ints(types)[::-1], types[0].rank
    mode = draw(st.sampled_from(("constant", "constant", "reflect", "replicate", "circular")))
    if mode != "constant" and (rank < 2 or types[0].dtype.name == "bool"):
        mode = "constant"
    axes = draw(st.integers(1, rank)) if mode == "constant" else min(max(rank - draw(st.integers(1, 2)), 1), 3)
    if mode != "constant" and rank not in (axes + 1, axes + 2):
        axes = rank - 2
    most = {"reflect": lambda d: d - 1, "circular": lambda d: d}.get(mode, lambda d: 3)
    low = {"constant": lambda d: -((d - 1) // 2)}.get(mode, lambda d: 0)
    amounts = tuple(draw(st.integers(low(d), min(most(d), 3))) for d in sizes[:axes] for _ in range(2))
    return {"padding": amounts, "mode": None if mode == "constant" else mode, "value": draw(st.sampled_from((None, 0, 1, 2))) if mode == "constant" else None}


def _roll(draw: Draw, types: Types) -> dict[str, Any]:
    axes = draw(st.sampled_from((0, 1, 2)))
    if not axes:
        return {"shifts": size(draw, -3, 3), "axis": None}
    return {"shifts": tuple(size(draw, -3, 3) for _ in range(axes)), "axis": tuple(_axis(draw, types[0].rank) for _ in range(axes))}


def _split(draw: Draw, types: Types) -> dict[str, Any]:
    axis = _axis(draw, types[0].rank)
    whole = _ints(types)[axis]
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
    4: ("n c h w -> n h w c", "n c (h p) (w q) -> n (h w) (c p q)", "n (c r) h w -> n c (h r) w", "n c h w -> n (h w) c", "n ... w -> (n w) ..."),
}


def _rearrange(draw: Draw, types: Types) -> dict[str, Any]:
    pattern = draw(st.sampled_from(PATTERNS[types[0].rank]))
    return {"pattern": pattern, **{name: 2 for name in "bdpqr" if f" {name})" in pattern.split("->")[0]}}


def _heads(draw: Draw, types: Types) -> dict[str, Any]:
    features = _ints(types)[-1]
    masked = len(types) == 4 or types[-1].dtype.name == "bool"
    return {"heads": draw(st.sampled_from([h for h in (1, 2, 3) if features % h == 0])), "causal": None if masked else draw(st.sampled_from((None, True)))}


def _lstm(draw: Draw, types: Types) -> dict[str, Any]:
    hidden = size(draw, 2, 4)
    return {"hidden": hidden, "layers": draw(st.sampled_from((None, 1, 2))), "proj_size": draw(st.sampled_from((None, hidden - 1)))}


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


BINARY = "add sub mul div floor_div remainder pow eq ne lt le gt ge".split()
ARGUMENTS: dict[str, Callable[[Draw, Types], dict[str, Any]]] = {
    **dict.fromkeys(BINARY, _one_operand),
    "where": lambda draw, types: _one_operand(draw, types, 3),
    "attention": lambda draw, types: {"causal": None if len(types) == 4 else draw(st.booleans()), "scale": draw(st.sampled_from((None, 0.5)))},
    "avg_pool": _avg_pool,
    "clamp": _clamp,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "einsum": _equation,
    "embedding": lambda draw, types: {"num": size(draw, 2, 6), "dtype": draw(st.sampled_from((None, "float16", "float32"))), "padding_idx": draw(st.sampled_from((None, 0, 1, -1)))},
    "expand": _expand,
    "flatten": _flatten,
    "group_norm": _group_norm,
    "hardtanh": _span("min_val", "max_val"),
    "layer_norm": _suffix,
    "lp_pool": lambda draw, types: {**_pool(draw, types), "p": draw(st.sampled_from((None, 2, 4)))},
    "lstm": _lstm,
    "max_pool": _max_pool,
    "multihead_attention": _heads,
    "pad": _pad,
    "permute": _permute,
    "prod": _keepdim,
    "rearrange": _rearrange,
    "reshape": lambda draw, types: {"shape": _open(draw, _factors(draw, prod(_ints(types))))},
    "rms_norm": _suffix,
    "roll": _roll,
    "select": _select,
    "slice": _slice,
    "split": _split,
    "stack": lambda draw, types: {"axis": _axis(draw, types[0].rank + 1)},
    "threshold": _span("threshold", "value"),
    "unflatten": _unflatten,
    "unsqueeze": lambda draw, types: {"axis": _axis(draw, types[0].rank + 1)},
}
