"""Losses as other operators, for their derivatives.

>>> print(LOSS_FORMS["soft_margin_loss"])
losses = softplus(-(target * x))
losses -> if reduction == "mean" { mean } else if reduction == "sum" { sum }
"""

from __future__ import annotations

from collections.abc import Callable
from math import e, log, pi

from ..ir.graph import OpNode

_REDUCED = 'losses -> if reduction == "mean" { mean } else if reduction == "sum" { sum }'
_DISTANCE = "abs(x - target)"


def _reduce(losses: str) -> str:
    return f"losses = {losses}\n{_REDUCED}"


def _weigh(errors: str) -> str:
    """With weights, the mean is divided by their sum."""
    return f"""
        errors = {errors}
        losses = if given(weight) {{ errors * weight }} else {{ errors }}
        if given(weight) and reduction == "mean" {{ (losses -> sum) / (weight -> sum) }} else {{ {_REDUCED} }}
    """


def _gaussian_nll_loss(node: OpNode) -> str:
    """PyTorch bounds the variances without a gradient."""
    spread, axes = "var", ""
    if len(node.inputs) > 2:
        bound = "var + (clamp(var, min=eps) - var -> detach)"
        spread, axes = "spread", " -> unsqueeze (-1)" if node.inputs[2].type.rank < node.inputs[0].type.rank else ""
        setup = f"spread = ({bound}){axes}"
        logarithm = "log(spread)"
    else:
        variance = max(float(node.op.args["var"]), float(node.op.args["eps"]))
        setup, spread, logarithm = "scores = x", repr(variance), repr(log(variance))
    constant = f" + {log(2 * pi) / 2}" if node.op.args["full"] else ""
    return f"""
        {setup}
        {_reduce(f"({logarithm} + square(x - target) / {spread}) / 2{constant}")}
    """


_LABELS = """
    let axis = 1 if x.rank > 1 else 0
    ignored = target == ignore_index
    labels = (target, ignored) -> masked_fill 0
    chosen = -(x -> gather index=(labels -> unsqueeze axis) axis=axis -> squeeze axis)
"""
_NLL_LOSS = f"""
    {_LABELS}
    ones = chosen -> detach -> mul 0 -> add 1
    shares = if given(weight) {{ weight -> index_select index=(labels -> flatten start=0) axis=0 -> reshape target.shape }} else {{ ones }}
    used = (shares, ignored) -> masked_fill 0
    losses = (chosen * shares, ignored) -> masked_fill 0
    if reduction == "mean" {{ (losses -> sum) / (used -> sum) }} else {{ losses -> if reduction == "sum" {{ sum }} }}
"""
_KL_DIV = """
    positive = (target, target == 0) -> masked_fill 1
    losses = if log_target { exp(target) * (target - x) } else { target * (log(positive) - x) }
    losses -> if reduction == "mean" { mean } else if reduction == "sum" { sum } else if reduction == "batchmean" {
      sum -> div (x.shape[0] if x.rank > 0 else 1)
    }
"""
# Logarithms are at least -100, and the logarithm of 0 has no gradient here.
_BINARY_CROSS_ENTROPY = f"""
    logs = where(x > 0, clamp(log(where(x > 0, x, 1)), min=-100), -100)
    other_logs = where(x < 1, clamp(log1p(-where(x < 1, x, 0)), min=-100), -100)
    errors = -(target * logs + (1 - target) * other_logs)
    {_reduce("if given(weight) { errors * weight } else { errors }")}
"""
_COSINE_EMBEDDING_LOSS = f"""
    lengths = ((x1 * x1 -> sum axis=-1) + 1e-12) * ((x2 * x2 -> sum axis=-1) + 1e-12)
    cosine = (x1 * x2 -> sum axis=-1) / sqrt(lengths)
    {_reduce("where(target == 1, 1 - cosine, 0) + where(target == -1, clamp(cosine - margin, min=0), 0)")}
"""
_TRIPLET_MARGIN_LOSS = f"""
    near = anchor - positive + eps -> norm p axis=-1
    far = anchor - negative + eps -> norm p axis=-1
    other = if swap {{ (far, positive - negative + eps -> norm p axis=-1) -> minimum }} else {{ far }}
    {_reduce("clamp(near - other + margin, min=0)")}
"""
_MULTI_MARGIN_LOSS = f"""
    labels = target -> unsqueeze (-1)
    errors = margin + x - (x -> gather index=labels axis=-1)
    shares = (target -> one_hot (x.shape[-1])) == 1
    powers = if p == 1 {{ relu(errors) }} else {{ square(relu(errors)) }}
    weighed = if given(weight) {{
      weights = weight -> index_select index=(target -> flatten start=0) axis=0
      powers * (weights -> reshape labels.shape)
    }} else {{ powers }}
    {_reduce("(weighed, shares) -> masked_fill 0 -> mean axis=-1")}
"""

LOSS_FORMS: dict[str, str | Callable[[OpNode], str]] = {
    "l1_loss": _weigh(_DISTANCE),
    "mse_loss": _weigh("square(x - target)"),
    "smooth_l1_loss": f"""
        errors = {_DISTANCE}
        {_reduce("if beta == 0 { errors } else { where(errors < beta, errors * errors / (2 * beta), errors - beta / 2) }")}
    """,
    "huber_loss": f"""
        distances = {_DISTANCE}
        errors = where(distances <= delta, distances * distances / 2, delta * (distances - delta / 2))
        {_reduce("if given(weight) { errors * weight } else { errors }")}
    """,
    "poisson_nll_loss": f"""
        errors = if log_input {{ exp(x) - target * x }} else {{ x - target * log(x + eps) }}
        counts = where(target > 1, target, {e})
        rest = counts * log(counts) - counts + log(counts * {2 * pi}) / 2
        {_reduce("if full { errors + where(target > 1, rest, 0) } else { errors }")}
    """,
    "gaussian_nll_loss": _gaussian_nll_loss,
    "hinge_embedding_loss": f"""
        near = (x, target == -1) -> masked_fill 0
        far = (clamp(margin - x, min=0), target == 1) -> masked_fill 0
        {_reduce("near + far")}
    """,
    "margin_ranking_loss": _reduce("clamp(margin - target * (x1 - x2), min=0)"),
    "soft_margin_loss": _reduce("softplus(-(target * x))"),
    "cosine_embedding_loss": _COSINE_EMBEDDING_LOSS,
    "triplet_margin_loss": _TRIPLET_MARGIN_LOSS,
    "multi_margin_loss": _MULTI_MARGIN_LOSS,
    "binary_cross_entropy": _BINARY_CROSS_ENTROPY,
    "binary_cross_entropy_with_logits": f"""
        slopes = if given(pos_weight) {{ 1 + (pos_weight - 1) * target }} else {{ 1 + target * 0 }}
        errors = (1 - target) * x + slopes * softplus(-x)
        {_reduce("if given(weight) { errors * weight } else { errors }")}
    """,
    "multilabel_soft_margin_loss": f"""
        errors = softplus(-x) * target + softplus(x) * (1 - target)
        weighed = if given(weight) {{ errors * weight }} else {{ errors }}
        {_reduce("weighed -> mean axis=-1")}
    """,
    "nll_loss": _NLL_LOSS,
    "kl_div": _KL_DIV,
}
"""By operator: the text, or what gives the text for a node."""
