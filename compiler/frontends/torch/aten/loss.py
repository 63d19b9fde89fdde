"""Reads losses, for modules that compute their own loss: `F.mse_loss(x, y)` becomes `mse_loss`."""

from __future__ import annotations

from typing import Any

from ....ir.graph_values import Value
from ....ops import Operator
from ..aten_site import AtenSite
from ..aten_table import reads

_REDUCTIONS = ("none", "mean", "sum")
_OPTIONAL = ("weight", "pos_weight")


@reads(
    *("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div"),
    *("poisson_nll_loss", "cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "soft_margin_loss"),
    *("triplet_margin_loss", "multi_margin_loss", "multilabel_margin_loss", "nll_loss", "nll_loss_nd", "cross_entropy_loss"),
)
def read_loss(site: AtenSite) -> Value:
    """Read a loss. Its tensors are in the order of netc's operator, and its other arguments have the same names."""
    operator = {"nll_loss_nd": "nll_loss", "cross_entropy_loss": "cross_entropy"}.get(site.name, site.name)
    tensors = [name for name in site.args if site.is_tensor(name)]
    signature = Operator.registry[operator].signature
    numbers = {
        name: site.fixed_number(name)
        for name in site.args
        if name not in tensors and name in signature and site.has_argument(name) and name != "reduction"
    }
    arguments: dict[str, Any] = {name: number for name, number in numbers.items() if number != signature[name].default}
    arguments["reduction"] = _REDUCTIONS[site.integer("reduction")]
    named = tuple(name for name in tensors if name in _OPTIONAL)
    return site.apply_op(operator, *(site.tensor(name) for name in tensors), named=named, **arguments)
