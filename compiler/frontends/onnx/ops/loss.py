"""Imports losses: `SoftmaxCrossEntropyLoss` becomes `cross_entropy`."""

from __future__ import annotations

from typing import Any

from ....ir.graph_values import Value
from ....types.tensor_types import INT64
from ..importer_site import OnnxSite
from ..importer_table import imports
from ..onnx_values import Item


@imports("NegativeLogLikelihoodLoss", to="nll_loss")
def import_nll_loss(site: OnnxSite) -> Value:
    return _apply_loss(site, "nll_loss")


@imports("SoftmaxCrossEntropyLoss", to="cross_entropy, log_softmax")
def import_cross_entropy(site: OnnxSite) -> list[Item]:
    """Import cross entropy. Its second result are the logarithms of the probabilities."""
    loss = _apply_loss(site, "cross_entropy")
    wanted = len(site.used) > 1 and site.used[1]
    return [loss, site.apply_op("log_softmax", site.input(0), axis=1) if wanted else None]


def _apply_loss(site: OnnxSite, operator: str) -> Value:
    """Apply a loss of scores and classes, perhaps with a weight for each class."""
    tensors = [site.input(0), site.cast(site.input(1), INT64), *([site.input(2)] if site.has_input(2) else [])]
    arguments: dict[str, Any] = {"reduction": site.get_attr("reduction", "mean")}
    if "ignore_index" in site.attributes:
        arguments["ignore_index"] = int(site.get_attr("ignore_index"))
    return site.apply_op(operator, *tensors, **arguments)
