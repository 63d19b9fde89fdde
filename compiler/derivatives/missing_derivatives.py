"""Operators whose derivative netc does not write out, and why: for messages and the operators' pages.

    >>> explain_missing("grid_sample")
    'netc knows no derivative of `grid_sample`'
    >>> explain_missing("conv")
    'netc knows no derivative of `conv` with these inputs: it has none by a kernel that is a tensor'
    >>> explain_missing("slice", has_rule=True)
    'netc knows no derivative of `slice` with these inputs'

Always: tests/differential/test_written_gradients.py finds an operator that is refused and missing here, and an entry that is not refused.
"""

from __future__ import annotations

WITHOUT_DERIVATIVE = (
    "deform_conv",
    "digamma",
    "embedding_bag",
    "floor_div",
    "fractional_max_pool",
    "grid_sample",
    "istft",
    "logcumsumexp",
    "multilabel_margin_loss",
    "roi_align",
    "stft",
)
"""Operators without a rule, a form or a definition."""
LOOPS = ("gru", "lstm", "rnn")
"""Operators that are loops by their definitions. A loop has no derivative in closed form."""
WITHOUT_PART = {
    "avg_pool": "with `ceil_mode` and sizes that are symbols",
    "conv": "by a kernel that is a tensor",
    "conv_transpose": "by a kernel that is a tensor",
    "cumprod": "along a size that is a symbol",
    "diagonal": "of matrices whose two sizes are symbols",
    "einsum": "of diagonals, or of several element types",
    "embedding": "by a table that is a tensor, with `padding_idx` or `max_norm`",
    "grouped_linear": "by the weights",
    "irfft": "of a length that is a symbol, or greater than the input gives",
    "logaddexp": "next to booleans",
    "multihead_attention": "with `add_bias_kv` or `add_zero_attn`",
    "prod": "along a size that is a symbol",
    "scatter": "with `reduce=multiply`",
    "scatter_reduce": "with another `reduce` than `sum`",
    "spectral_normalize": "by the weight",
    "upsample": "with `antialias`",
}
"""Operators that have a derivative but for some arguments or tensors."""


def explain_missing(name: str, has_rule: bool = False) -> str:
    """Say what has no derivative, as a clause. `has_rule`: it has one with other inputs."""
    problem = f"netc knows no derivative of `{name}`" + (" with these inputs" if has_rule or name in WITHOUT_PART else "")
    return f"{problem}: it has none {WITHOUT_PART[name]}" if name in WITHOUT_PART else problem


def describe_limit(name: str) -> str:
    """The sentence for the page of an operator. Empty if its derivative has no limits."""
    if name in LOOPS:
        return "It is a loop, so an ONNX model cannot contain a `gradient` through it."
    if name in WITHOUT_DERIVATIVE:
        return "An ONNX model cannot contain a `gradient` through it."
    return f"An ONNX model cannot contain a `gradient` through it {WITHOUT_PART[name]}." if name in WITHOUT_PART else ""
