"""Losses, and bags of embeddings: labels, shares of classes, signs, weights."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.differential.inputs import Draw, Types, tensor
from tests.differential.special.drawing import FLOATS, Arguments, Inputs, size


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


INPUTS: dict[str, Inputs] = {
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
}
ARGUMENTS: dict[str, Arguments] = {
    "cross_entropy": lambda draw, types: {"ignore_index": None} if types[1].dtype.is_float else {},
    "embedding_bag": _bag,
    # Beyond 88, PyTorch's exp in float32 overflows before the threshold is reached; ONNX Runtime's function does not.
    "softplus": lambda draw, types: {"threshold": draw(st.sampled_from((None, 20, 2, 0.5, 0, -1)))},
    # By a variance next to 0, a rounding becomes anything.
    "gaussian_nll_loss": lambda draw, types: {"eps": draw(st.sampled_from((None, 0.1, 2)))} | ({} if len(types) > 2 else {"var": 0.5}),
    # Of huge numbers, or by other powers, what is left of a difference is a rounding.
    "triplet_margin_loss": lambda draw, types: {
        "p": draw(st.sampled_from((None, 1, 2, 3))),
        "eps": draw(st.sampled_from((None, 0.1))),
    },
}
