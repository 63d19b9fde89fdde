"""Inputs and arguments of those operators for which a draw from the declaration hardly ever fits, or not in numbers that can be compared.

In: types of inputs, with integers for sizes. Out: some of the arguments; None leaves one out, and what is not named is drawn from its kind.
An operator needs an entry only where its arguments are a language of their own (patterns, equations), follow from several sizes at once
(states of recurrences, masks), or decide by rounding what the result is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from hypothesis import strategies as st

from netc.compiler.ir.types import TensorType
from tests.differential.inputs import Draw, Types, tensor

FLOATS = ("float32", "float32", "float16", "float64", "bfloat16")
Arguments = Callable[[Draw, Types], dict[str, Any]]


def size(draw: Draw, low: int = 1, high: int = 5) -> int:
    return draw(st.integers(low, high))


def ints(types: Types) -> tuple[int, ...]:
    return tuple(d for d in types[0].shape if isinstance(d, int))


def per_axis(draw: Draw, values: Sequence[Any]) -> Any:
    """One number for all axes, if they have the same."""
    return values[0] if len(set(values)) == 1 and draw(st.booleans()) else tuple(values)


# --- texts -----------------------------------------------------------------------------------------------------------------------

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
PATTERNS = (
    "n c -> c n",
    "n (a b) -> (n a) b",
    "n c -> n 1 c",
    "n c -> (c n)",
    "n t (h d) -> n h t d",
    "n c t -> n (t c)",
    "n ... -> n (...)",
    "n (t p) c -> n t (p c)",
    "n c h w -> n h w c",
    "n c (h p) (w q) -> n (h w) (c p q)",
    "n (c r) h w -> n c (h r) w",
    "n c h w -> n (h w) c",
    "n ... w -> (n w) ...",
)


def _terms(equation: str) -> list[str]:
    return equation.split("->")[0].replace("...", "zy").split(",")


def _summed(draw: Draw) -> Types:
    sizes = {letter: size(draw, high=4) for letter in "abcdefghijklmnopqrstuvwxyz"}
    dtype = draw(st.sampled_from((*FLOATS, "int64", "int32", "uint8", "bool")))
    return tuple(tensor(dtype, [sizes[c] for c in term]) for term in _terms(draw(st.sampled_from(EQUATIONS))))


def _equation(draw: Draw, types: Types) -> dict[str, Any]:
    ranks = [t.rank for t in types]
    return {"equation": draw(st.sampled_from([e for e in EQUATIONS if [len(term) for term in _terms(e)] == ranks]))}


def _divisible(draw: Draw) -> Types:
    return (tensor(draw(st.sampled_from((*FLOATS, "int64", "bool"))), [draw(st.sampled_from((2, 4, 6))) for _ in range(size(draw, 2, 4))]),)


def _rearrange(draw: Draw, types: Types) -> dict[str, Any]:
    """A pattern for the rank. The axes in parentheses are of size 2, but for one."""
    rank = types[0].rank
    axes = {pattern: len(re.sub(r"\(.*?\)", "_", pattern.split("->")[0]).split()) for pattern in PATTERNS}
    pattern = draw(st.sampled_from([p for p, count in axes.items() if count == rank or ("..." in p and count <= rank)]))
    return {"pattern": pattern, **{name: 2 for name in "bdpqr" if f" {name})" in pattern.split("->")[0]}}


# --- attention -------------------------------------------------------------------------------------------------------------------


def _multihead(draw: Draw) -> Types:
    """A mask of queries and keys comes fourth, or is bool and last; whether the last one is a mask of keys follows from its shape."""
    dtype, batch = draw(st.sampled_from(FLOATS)), [size(draw, high=3)] if draw(st.booleans()) else []
    length, span = size(draw), size(draw)
    x = tensor(dtype, (*batch, length, draw(st.sampled_from((4, 6, 8)))))
    key = tensor(dtype, (*batch, span, size(draw)))
    value = tensor(dtype, (*batch, span, size(draw)))
    tensors = draw(st.sampled_from(([x], [x, key], [x, key, value])))
    keys = length if len(tensors) == 1 else span
    masks = draw(st.integers(0, 2))
    if masks:
        kind = "bool" if len(tensors) < 3 else draw(st.sampled_from(("bool", "float32", dtype)))
        each = [draw(st.sampled_from((1, 2))) * prod(batch)] if draw(st.booleans()) else []
        tensors = [*tensors, tensor(kind, (*each, length, keys))]
    if masks == 2 or draw(st.integers(0, 3)) == 0:
        tensors = [*tensors, tensor(draw(st.sampled_from(("bool", "float32", dtype))), (*batch, keys))]
    return tuple(tensors)


def _heads(draw: Draw, types: Types) -> dict[str, Any]:
    """From the first axis of a mask of three, the number of heads follows."""
    features, rank = ints(types)[-1], types[0].rank
    padded = _is_padded(types)
    tensors = types[:-1] if padded else types
    masked = len(tensors) == 4 or (len(tensors) > 1 and tensors[-1].dtype.name == "bool")
    heads = draw(st.sampled_from([h for h in (1, 2, 3) if features % h == 0]))
    if masked and tensors[-1].rank == 3:
        heads = ints(tensors[-1:])[0] // (ints(types)[0] if rank == 3 else 1)
    causal = None if masked else draw(st.sampled_from((None, True)))
    keys = types[min(1, len(tensors) - 1 - masked)]
    return {
        "heads": heads,
        "causal": causal,
        "align": _align(draw, types[0], keys) if causal else None,
        "key_padding_mask": draw(st.sampled_from((True, *[None] * (len(types) == 5)))) if padded else None,
    }


def _align(draw: Draw, queries: TensorType, keys: TensorType) -> str | None:
    """What causal attention needs, of lengths that may differ."""
    length, span = (int(t.shape[-2]) for t in (queries, keys))
    return draw(st.sampled_from([None] * (length == span) + ["start"] + ["end"] * (length <= span)))


def _is_padded(types: Types) -> bool:
    """Whether the last is a mask of keys: it has an axis less than the queries, and cannot be one of queries and keys."""
    queries, last = types[0], types[-1]
    if queries.rank == 2 or last.rank != 2:
        return last.rank == queries.rank - 1
    of_queries = last.shape[0] == queries.shape[-2] and (len(types) == 4 or last.dtype.name == "bool")
    return types[-2].rank == 2 or not of_queries


def _attention(draw: Draw, types: Types) -> dict[str, Any]:
    """A window needs `causal`, and most numbers would be the scale of nothing but zeros and ones."""
    causal = None if len(types) == 4 else draw(st.booleans())
    alike = types[0].shape[-2:-1] == types[1].shape[-2:-1]
    align = _align(draw, *types[:2]) if causal else None
    return {
        "causal": causal,
        "align": align,
        "scale": draw(st.sampled_from((None, 0.5))),
        "window": draw(st.sampled_from((None, 1, 2))) if causal and (alike or align == "end") else None,
    }


# --- recurrences -----------------------------------------------------------------------------------------------------------------


def _states(draw: Draw, types: Types) -> dict[str, Any]:
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
    return {name: value for name, value in _states(draw, types).items() if name != "proj_size"}


def _cell(draw: Draw, types: Types) -> dict[str, Any]:
    return {"hidden": types[-1].shape[-1] if len(types) > 1 else size(draw, 1, 4)}


# --- numbers that decide -------------------------------------------------------------------------------------------------------


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


# --- pools -------------------------------------------------------------------------------------------------------------------------


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


# --- positions in images -------------------------------------------------------------------------------------------------------------


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


# --- transforms ------------------------------------------------------------------------------------------------------------------


def _pairs(draw: Draw) -> Types:
    """Complex numbers."""
    return (tensor(draw(st.sampled_from(("float32", "float64"))), [*(size(draw, 2) for _ in range(size(draw, 1, 3))), 2]),)


def _along_pairs(draw: Draw, types: Types) -> dict[str, Any]:
    return {"axis": draw(st.sampled_from((None, *range(-types[0].rank, -1))))}


def _signal(draw: Draw) -> Types:
    dtype, batch = draw(st.sampled_from(("float32", "float64"))), [size(draw, high=3)] if draw(st.booleans()) else []
    windows = [tensor(dtype, [size(draw, 4, 6)])] if draw(st.booleans()) else []
    return (tensor(dtype, [*batch, size(draw, 8, 16)]), *windows)


def _windows(draw: Draw, types: Types) -> dict[str, Any]:
    weights = ints(types[1:])[0] if len(types) > 1 else None
    n = (weights or 4) + draw(st.integers(0, 2))
    return {"n_fft": n, "win_length": weights if weights != n else None, "hop_length": draw(st.sampled_from((1, 2, 3, None)))}


def _spectrogram(draw: Draw) -> Types:
    """Of windows of 6."""
    dtype, batch = draw(st.sampled_from(("float32", "float64"))), [size(draw, high=3)] if draw(st.booleans()) else []
    windows = [tensor(dtype, (6,))] if draw(st.booleans()) else []
    return (tensor(dtype, [*batch, 4, size(draw, 3, 6), 2]), *windows)


def _back(draw: Draw, types: Types) -> dict[str, Any]:
    return {
        "n_fft": 6,
        "hop_length": draw(st.sampled_from((None, 1, 2, 3))),
        "win_length": None,
        "onesided": None,
        "length": draw(st.sampled_from((None, None, 4, 5))),
    }


# --- losses ------------------------------------------------------------------------------------------------------------------------


def _labels(draw: Draw) -> Types:
    """Scores and class numbers, perhaps weights of classes."""
    dtype, shape = draw(st.sampled_from(FLOATS)), _scores(draw)
    weights = [tensor(dtype, shape[min(1, len(shape) - 1) :][:1])] if draw(st.booleans()) else []
    return tensor(dtype, shape), tensor("int64", (*shape[:1], *shape[2:]) if len(shape) > 1 else ()), *weights


def _labels_or_shares(draw: Draw) -> Types:
    """Class numbers, or probabilities of classes."""
    x, target, *weights = _labels(draw)
    return x, draw(st.sampled_from((target, x))), *weights


def _scores(draw: Draw) -> list[int]:
    return [size(draw) for _ in range(draw(st.integers(1, 4)))]


def _signed(draw: Draw) -> Types:
    """A tensor, and targets of the same shape and of its type or integers."""
    dtype, shape = draw(st.sampled_from(FLOATS)), [size(draw) for _ in range(draw(st.integers(0, 3)))]
    return tensor(dtype, shape), tensor(draw(st.sampled_from((dtype, "int64"))), shape)


def _signed_pairs(draw: Draw) -> Types:
    x, target = _signed(draw)
    return x, x, target


def _pairs_of_vectors(draw: Draw) -> Types:
    """With a target for each pair."""
    dtype, batch = draw(st.sampled_from(FLOATS)), [size(draw)] if draw(st.booleans()) else []
    x = tensor(dtype, (*batch, size(draw)))
    return x, x, tensor(draw(st.sampled_from((dtype, "int64"))), batch)


def _classes(draw: Draw) -> Types:
    """Scores of one sample or several, class numbers, perhaps weights of classes."""
    dtype, batch, classes = draw(st.sampled_from(FLOATS)), [size(draw)] if draw(st.booleans()) else [], size(draw)
    weights = [tensor(dtype, [classes])] if draw(st.booleans()) else []
    return tensor(dtype, (*batch, classes)), tensor("int64", batch), *weights


def _weighted(draw: Draw) -> Types:
    """Two tensors of one shape, perhaps weights that broadcast to them."""
    dtype, shape = draw(st.sampled_from(FLOATS)), [size(draw) for _ in range(draw(st.integers(0, 3)))]
    return tensor(dtype, shape), tensor(dtype, shape), *([tensor(dtype, shape[1:])] if draw(st.booleans()) else [])


def _weighted_last(draw: Draw) -> Types:
    x, *others = _weighted(draw)
    return (x, *others) if x.rank else (tensor(x.dtype.name, [2]),) * 2


def _variances(draw: Draw) -> Types:
    """Means, targets, perhaps variances, of fewer axes or with one of 1."""
    dtype, shape = draw(st.sampled_from(FLOATS)), [size(draw) for _ in range(draw(st.integers(1, 3)))]
    var = draw(st.sampled_from((shape, shape[:-1], [1, *shape[1:]], None)))
    return tensor(dtype, shape), tensor(dtype, shape), *([] if var is None else [tensor(dtype, var)])


def _lists(draw: Draw) -> Types:
    """Scores of one sample or several, and as many class numbers."""
    shape = [size(draw) for _ in range(draw(st.integers(1, 2)))]
    return tensor(draw(st.sampled_from(FLOATS)), shape), tensor("int64", shape)


def _bags(draw: Draw) -> Types:
    """Bags of one size, perhaps with weights; or all indices in a row, with weights and where the bags begin."""
    kind, apart = draw(st.sampled_from(("int64", "int32"))), draw(st.booleans())
    shape = [size(draw)] if apart else [size(draw), size(draw)]
    weights = [tensor(draw(st.sampled_from(FLOATS)), shape)] if apart or draw(st.booleans()) else []
    return tensor(kind, shape), *weights, *([tensor(kind, [size(draw)])] if apart else [])


def _bag(draw: Draw, types: Types) -> dict[str, Any]:
    """Weights are for sums, and of the element type of the rows."""
    weights = {"mode": "sum", "dtype": types[1].dtype.name} if len(types) > 1 else {"dtype": draw(st.sampled_from((None, "float64")))}
    return weights | {"max_norm": draw(st.sampled_from((None, None, None, 1, -1))), "padding_idx": draw(st.sampled_from((None, 0)))}


def _triplets(draw: Draw) -> Types:
    return (tensor(draw(st.sampled_from(FLOATS)), [size(draw) for _ in range(draw(st.integers(1, 3)))]),) * 3


def _steps(draw: Draw) -> Types:
    """Of classes 0 to 2 at three steps or more: as many as the classes and lengths, which are 0 or 1, need."""
    dtype, kind, n = draw(st.sampled_from(("float32", "float64"))), draw(st.sampled_from(("int64", "int32"))), size(draw, high=3)
    lengths = tensor(kind, [n])
    return tensor(dtype, (size(draw, 3), n, 3)), tensor(kind, (n, size(draw, 1, 2))), lengths, lengths


INPUTS: dict[str, Callable[[Draw], Types]] = {
    **dict.fromkeys(("hinge_embedding_loss", "soft_margin_loss"), _signed),
    **dict.fromkeys(("binary_cross_entropy", "binary_cross_entropy_with_logits"), _weighted),
    "cosine_embedding_loss": _pairs_of_vectors,
    "embedding_bag": _bags,
    "ctc_loss": _steps,
    "gaussian_nll_loss": _variances,
    "margin_ranking_loss": _signed_pairs,
    "multi_margin_loss": _classes,
    "multilabel_margin_loss": _lists,
    "multilabel_soft_margin_loss": _weighted_last,
    "triplet_margin_loss": _triplets,
    "cross_entropy": _labels_or_shares,
    "nll_loss": _labels,
    **dict.fromkeys(("fft", "ifft", "irfft"), _pairs),
    "deform_conv": _deformed,
    "fractional_max_pool": _fractions,
    "roi_align": _boxes,
    "istft": _spectrogram,
    "max_unpool": _pooled,
    "stft": _signal,
    "einsum": _summed,
    "fold": _blocks,
    "multihead_attention": _multihead,
    "rearrange": _divisible,
}
ARGUMENTS: dict[str, Arguments] = {
    **dict.fromkeys(("fft", "ifft", "irfft"), _along_pairs),
    "cross_entropy": lambda draw, types: {"ignore_index": None} if types[1].dtype.is_float else {},
    "deform_conv": lambda draw, types: {
        "kernel": 2,
        "stride": None,
        "padding": None,
        "dilation": None,
        "groups": draw(st.sampled_from((None, 1))),
    },
    "embedding_bag": _bag,
    "roi_align": _roi_align,
    "fractional_max_pool": _windows_or_share,
    "istft": _back,
    "stft": _windows,
    "attention": _attention,
    "einsum": _equation,
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
    "lstm": _states,
    **dict.fromkeys(("gru", "rnn"), _plain),
    **dict.fromkeys(("gru_cell", "lstm_cell", "rnn_cell"), _cell),
    "multihead_attention": _heads,
    "rearrange": _rearrange,
    "rotary": lambda draw, types: {"base": draw(st.sampled_from((None, 100, 500000)))},
    "scatter": _scatter,
    # Beyond 88, PyTorch's exp in float32 overflows before the threshold is reached; ONNX Runtime's function does not.
    "softplus": lambda draw, types: {"threshold": draw(st.sampled_from((None, 20, 2, 0.5, 0, -1)))},
    # By a variance next to 0, a rounding becomes anything.
    "gaussian_nll_loss": lambda draw, types: {"eps": draw(st.sampled_from((None, 0.1, 2)))} | ({} if len(types) > 2 else {"var": 0.5}),
    # Of huge numbers, or by other powers, what is left of a difference is a rounding.
    "triplet_margin_loss": lambda draw, types: {
        "p": draw(st.sampled_from((None, 1, 2, 3))),
        "eps": draw(st.sampled_from((None, 0.1))),
    },
    # Without it, the order is that of the algorithm.
    "topk": lambda draw, types: {"sorted": None},
    "upsample": _upsample,
}
