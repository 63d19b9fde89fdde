"""Inputs of those operators whose inputs must go together in a way that their declaration does not tell.

In: what strategies.py has drawn so far. Out: types of inputs. Always: an operator that is in none of these tables has inputs of any ranks
and element types, which broadcast if there are several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from hypothesis import strategies as st

from netc.compiler.ir.types import DTYPES, TensorType
from netc.compiler.ops import Operator
from netc.dsl.record import Record

Draw = st.DrawFn
Types = tuple[TensorType, ...]
FLOATS = ("float32", "float32", "float16", "float32", "float64", "bfloat16")


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


EQUATIONS = (
    "ij,jk->ik",
    "bij,bjk->bik",
    "i,j->ij",
    "ij->ji",
    "ii->i",
    "ij->",
    "ij->j",
    "bi,bj",
    "...ij,...jk->...ik",
    "ijk,ij,k->jk",
    "bhqd,bhkd->bhqk",
)


def _summed(draw: Draw, family: Family) -> list[TensorType]:
    """The shapes that fit one of the equations, which `_equation` finds again."""
    sizes = {letter: size(draw, high=4) for letter in "abcdefghijklmnopqrstuvwxyz"}
    terms = draw(st.sampled_from(EQUATIONS)).split("->")[0].split(",")
    return [tensor(family.dtype, [sizes[c] for c in term.replace("...", "zy")]) for term in terms]


def _attended(draw: Draw, family: Family) -> list[TensorType]:
    """Heads and batches are the same, or one that broadcasts, or (heads) a divisor; a mask has some of the axes of the scores."""
    batch, heads = size(draw, high=2), draw(st.sampled_from((1, 2, 4)))
    length, span, width = size(draw), size(draw), draw(st.sampled_from((2, 4, 8)))
    same = heads == 1 or draw(st.booleans())
    fewer = [heads if same else draw(st.sampled_from((1, 2, heads))) for _ in range(2)]
    tensors = []
    for count, rows, columns in ((heads, length, width), (fewer[0], span, width), (fewer[1], span, size(draw))):
        samples = batch if draw(st.integers(0, 3)) else 1
        tensors.append(tensor(family.dtype, (samples, count, rows, columns)[4 - family.rank :]))
    ahead = tuple(max(int(t.shape[axis]) for t in tensors) for axis in range(family.rank - 2))
    if draw(st.booleans()):
        return tensors
    sizes = [d if draw(st.integers(0, 3)) else 1 for d in (*ahead, length, span)]
    cut = draw(st.integers(0, family.rank - 2))
    return [*tensors, tensor(draw(st.sampled_from(("bool", "bool", "float32", family.dtype))), sizes[cut:])]


def _multihead(draw: Draw, family: Family) -> list[TensorType]:
    """A mask of queries and keys comes fourth, or is bool and last; whether the last one is a mask of keys, its shape tells."""
    batch = [size(draw, high=3)] if family.rank == 3 else []
    length, span = size(draw), size(draw)
    x = tensor(family.dtype, (*batch, length, draw(st.sampled_from((4, 6, 8)))))
    key = tensor(family.dtype, (*batch, span, size(draw)))
    value = tensor(family.dtype, (*batch, span, size(draw)))
    tensors = draw(st.sampled_from(([x], [x, key], [x, key, value])))
    keys = length if len(tensors) == 1 else span
    masks = draw(st.integers(0, 2))
    if masks:
        dtype = "bool" if len(tensors) < 3 else draw(st.sampled_from(("bool", "float32", family.dtype)))
        each = [draw(st.sampled_from((1, 2))) * prod(batch)] if draw(st.booleans()) else []
        tensors.append(tensor(dtype, (*each, length, keys)))
    if masks == 2 or draw(st.integers(0, 3)) == 0:
        tensors.append(tensor(draw(st.sampled_from(("bool", "float32", family.dtype))), (*batch, keys)))
    return tensors


def _sequence(draw: Draw, family: Family) -> list[TensorType]:
    """Perhaps with states, from whose shape the arguments follow (`_recurrent`)."""
    x = tensor(family.dtype, shape(draw, family.rank))
    if draw(st.booleans()):
        return [x]
    batch, rows, width = x.shape[: family.rank - 2], draw(st.sampled_from((1, 2, 3, 4))), size(draw, 1, 4)
    wider = width + draw(st.integers(0, 1))
    states = [tensor(family.dtype, [rows, *(int(d) for d in batch), w]) for w in (width, wider)]
    return [x, *(states if family.cls.name == "lstm" else states[:1])]


def _step(draw: Draw, family: Family) -> list[TensorType]:
    """Perhaps with states."""
    x = tensor(family.dtype, shape(draw, family.rank))
    state = tensor(family.dtype, (*(int(d) for d in x.shape[:-1]), size(draw, 1, 4)))
    states = 2 if family.cls.name == "lstm_cell" else 1
    return [x, *[state] * draw(st.sampled_from((0, states)))]


def _squeezable(draw: Draw, family: Family) -> list[TensorType]:
    return [tensor(family.dtype, [draw(st.sampled_from((1, 2, 3))) for _ in range(family.rank)])]


def _masked(draw: Draw, family: Family) -> list[TensorType]:
    x, mask = broadcasting(draw, family, 2)
    return [x, mask.with_dtype(DTYPES["bool"])]


def _index(draw: Draw, sizes: Sequence[int]) -> TensorType:
    return tensor(draw(st.sampled_from(INDICES)), sizes)


def _gathered(draw: Draw, family: Family) -> list[TensorType]:
    """Indices of at most the size of the tensor along each axis: as it must be, but for one axis."""
    whole = shape(draw, family.rank)
    return [tensor(family.dtype, whole), _index(draw, [size(draw, high=d) for d in whole])]


def _scattered(draw: Draw, family: Family) -> list[TensorType]:
    x, index = _gathered(draw, family)
    return [x, index, tensor(family.dtype, [int(d) + size(draw, 0, 1) for d in index.shape])]


def _maybe_scattered(draw: Draw, family: Family) -> list[TensorType]:
    return _scattered(draw, family)[: draw(st.integers(2, 3))]


def _selected(draw: Draw, family: Family) -> list[TensorType]:
    return [tensor(family.dtype, shape(draw, family.rank)), _index(draw, [size(draw)] if family.rank else [1])]


def _rotated(draw: Draw, family: Family) -> list[TensorType]:
    x = tensor(family.dtype, (*shape(draw, family.rank - 1, 4), draw(st.sampled_from((2, 4, 6)))))
    positions = [(x.shape[-2],), (x.shape[0], x.shape[-2])] if family.rank > 2 else [(x.shape[-2],)]
    return [x, _index(draw, [int(d) for d in draw(st.sampled_from(positions))])][: draw(st.integers(1, 2))]


def _blocks(draw: Draw, family: Family) -> list[TensorType]:
    """What comes of an image of 4 by 5 in blocks of 2 by 2, without padding."""
    return [tensor(family.dtype, (size(draw, high=2), 4 * size(draw, high=2), 12))]


def _sampled(draw: Draw, family: Family) -> list[TensorType]:
    axes = family.rank - 2
    batch = size(draw, high=2)
    image = tensor(family.dtype, (batch, size(draw, high=3), *shape(draw, axes, 6)))
    return [image, tensor(family.dtype, (batch, *shape(draw, axes, 4), axes))]


def _shuffled(draw: Draw, family: Family) -> list[TensorType]:
    return [
        tensor(
            family.dtype,
            [*shape(draw, family.rank - 3, 2), draw(st.sampled_from((4, 8))), *(draw(st.sampled_from((2, 4))) for _ in range(2))],
        )
    ]


INPUTS: dict[str, Callable[[Draw, Family], list[TensorType]]] = {
    "attention": _attended,
    "avg_pool": _large,
    "bilinear": _bilinear,
    "concat": _alike_but_one,
    "conv": _large,
    "conv_transpose": _large,
    "einsum": _summed,
    "expand": _squeezable,
    "fold": _blocks,
    "gather": _gathered,
    "glu": _even,
    "grid_sample": _sampled,
    "group_norm": _channelled,
    "gru": _sequence,
    "gru_cell": _step,
    "instance_norm": _channelled,
    "batch_norm": _channelled,
    "lp_pool": _large,
    "lstm": _sequence,
    "lstm_cell": _step,
    "matmul": _matrices,
    "masked_fill": _masked,
    "max_pool": _large,
    "multihead_attention": _multihead,
    "outer": _vectors,
    "rearrange": lambda draw, family: [tensor(family.dtype, [draw(st.sampled_from((2, 4, 6))) for _ in range(family.rank)])],
    "channel_shuffle": _channelled,
    "index_select": _selected,
    "pixel_shuffle": _shuffled,
    "pixel_unshuffle": _shuffled,
    "rnn": _sequence,
    "rnn_cell": _step,
    "rotary": _rotated,
    "scatter": _maybe_scattered,
    "scatter_reduce": _scattered,
    "squeeze": _squeezable,
    "stack": _alike,
    "unfold": _large,
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
    **dict.fromkeys(("gru", "lstm", "multihead_attention", "rnn"), (2, 3)),
    **dict.fromkeys(("gru_cell", "lstm_cell", "rnn_cell"), (1, 2)),
    "instance_norm": (3, 5),
    "layer_norm": (1, 4),
    "local_response_norm": (3, 5),
    "normalize": (2, 4),
    "pad": (1, 5),
    "permute": (1, 4),
    "rearrange": (2, 4),
    "rms_norm": (1, 4),
    "roll": (1, 4),
    "select": (1, 4),
    "slice": (1, 4),
    "split": (1, 4),
    "unflatten": (1, 4),
    "channel_shuffle": (3, 5),
    "grid_sample": (4, 5),
    "pixel_shuffle": (3, 5),
    "pixel_unshuffle": (3, 5),
    "rotary": (2, 4),
    "tril": (2, 4),
    "triu": (2, 4),
    "unfold": (4, 4),
}
"""The least and the greatest rank, where it is not 0 to 4 (3 to 5 of spatial operators)."""

INDICES = ("int64", "int64", "int32")
ANY = (*("float32",) * 8, *("float16",) * 4, "bfloat16", "float64", "int64", "int64", "int32", "uint8", "bool")
NUMBERS = ("float32", "float32", "float16", "int64", "float64", "bfloat16")
# fmt: off
FLOATING = frozenset((
    "adaptive_avg_pool", "adaptive_max_pool", "alpha_dropout", "attention", "batch_norm", "bilinear", "channel_dropout",
    "conv", "conv_transpose", "cosine_similarity", "dense", "drop_path", "dropout", "fold", "grid_sample", "group_norm", "gru",
    "gru_cell", "instance_norm", "layer_norm", "lstm", "lstm_cell", "multihead_attention", "rms_norm", "rnn", "rnn_cell", "rotary",
    "unfold",
))
# fmt: on
"""Take nothing but floating-point numbers, or give places that are told only where all numbers differ. `takes` tells it of others."""


KNOWN = {
    "embedding": INDICES,
    "one_hot": ("int64",),
    "einsum": (*NUMBERS, "int32", "uint8", "bool"),
    **dict.fromkeys(("clamp", "matmul", "pow", "remainder"), NUMBERS),
    **dict.fromkeys(("argsort", "sort", "topk"), (*FLOATS, "int64", "int32", "int8", "uint8")),
    **dict.fromkeys(("avg_pool", "local_response_norm"), (*FLOATS, "int64")),
    "upsample": (*FLOATS, "uint8"),
    **dict.fromkeys(("lp_pool", "max_pool"), (*FLOATS, "int64", "int16", "uint8")),
}
"""Where the class does not tell it."""


def dtypes_of(cls: type[Operator]) -> tuple[str, ...]:
    """Element types to draw from. What is refused is seldom among them: perturbation finds that."""
    takes = ("float",) if cls.name in FLOATING else getattr(cls, "takes", ())
    by_kind = {("float",): FLOATS, ("float", "int", "uint"): NUMBERS}
    return KNOWN.get(cls.name) or by_kind.get(takes) or ANY
