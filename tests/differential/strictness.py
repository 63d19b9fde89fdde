"""Where netc is meant to refuse what PyTorch takes, and why.

In: a use, netc's error codes, and what PyTorch makes of it. Out: the reason, or nothing. Always: everything that is not in these tables is
a disagreement.
"""

from __future__ import annotations

from math import prod

from .use import Use

Types = tuple[tuple[str, tuple[int, ...]], ...]

COMPOSED = {
    "rotary": "PyTorch has no such function, and the one that is written out checks nothing",
}
"""Operators that are asked of PyTorch by an expression of netc's own, whose refusals mean nothing."""

OWN = {
    ("attention", "window"): "written as a mask, which PyTorch has no name for",
}
"""Arguments that PyTorch does not have: what they go with is netc's affair."""

_WRAPS = "PyTorch wraps the number around, or drops its fraction"
_TRAINING = "in training PyTorch refuses it too"
_NO_BATCH = "PyTorch also takes one sample without a batch axis; every tensor of a netc model has one, or it is no sequence"
_DEVICES = "PyTorch has this for some devices, ranks and element types only"
_PROBABILITY = "a probability is from 0 to 1; PyTorch looks at it in training only"
_NEGATIVE_EPS = "PyTorch looks at it only when it is too late: the result is nan"

KNOWN: dict[tuple[str, str], str] = {
    ("attention", "mask-mismatch"): "documented to need the last two axes; only the slow path of PyTorch takes fewer",
    ("attention", "shape-mismatch"): "keys and values must have the same heads; only the slow path of PyTorch lets them broadcast",
    ("avg_pool", "needs-float"): _DEVICES,
    ("max_pool", "needs-float"): _DEVICES,
    ("lp_pool", "needs-float"): _DEVICES,
    ("local_response_norm", "needs-float"): _DEVICES,
    ("clamp", "scalar-does-not-fit"): _WRAPS,
    ("threshold", "scalar-does-not-fit"): _WRAPS,
    ("threshold", "bad-argument"): _WRAPS,
    ("hardtanh", "bad-argument"): _WRAPS + "; and of equal bounds its module refuses what its function takes",
    ("conv", "wrong-argument"): "a negative padding with another mode than zeros cuts off; `pad` says so",
    ("conv_transpose", "wrong-argument"): "PyTorch does not look at a dilation of 0 where the kernel is 1",
    ("dropout", "needs-float"): _TRAINING,
    ("drop_path", "needs-float"): _TRAINING,
    ("einsum", "dtype-mismatch"): "PyTorch multiplies element by element, and promotes, where the sizes happen to be 1",
    ("global_avg_pool", "wrong-rank"): "a pool of nothing: PyTorch has no such function, and its mean takes any axes",
    ("global_max_pool", "wrong-rank"): "a pool of nothing: PyTorch has no such function, and its maximum takes any axes",
    ("global_max_pool", "needs-float"): "as the other pools",
    ("multihead_attention", "wrong-rank"): _NO_BATCH,
    ("fold", "wrong-rank"): _NO_BATCH,
    ("unfold", "wrong-rank"): _NO_BATCH,
    ("upsample", "needs-float"): _DEVICES,
    ("multihead_attention", "bad-argument"): "with a mask PyTorch takes `causal` as a mere hint about it",
    ("rnn", "wrong-rank"): _NO_BATCH,
    ("gru", "wrong-rank"): _NO_BATCH,
    ("lstm", "wrong-rank"): _NO_BATCH,
    ("attention", "wrong-argument"): _PROBABILITY,
    ("multihead_attention", "wrong-argument"): _PROBABILITY,
    ("where", "needs-bool"): "deprecated in PyTorch",
    ("topk", "wrong-argument"): "a result without elements is an error",
    **dict.fromkeys(
        ((name, "wrong-argument") for name in ("batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm", "cosine_similarity")),
        _NEGATIVE_EPS,
    ),
}
"""By operator and code."""


def reason(use: Use, codes: tuple[str, ...], types: Types) -> str:
    """Why netc may refuse it with these codes; empty if it may not."""
    if any(not prod(shape) for _, shape in types):
        return "a result without elements is an error"
    if use.operator in COMPOSED:
        return COMPOSED[use.operator]
    own = next((OWN[use.operator, name] for name, _ in use.args if (use.operator, name) in OWN), "")
    if own:
        return own
    return next((KNOWN[use.operator, code] for code in codes if (use.operator, code) in KNOWN), "")
