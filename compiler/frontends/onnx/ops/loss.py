"""Losses."""

from __future__ import annotations

from typing import Any

from ....ir.graph_values import Value
from ....types.tensor_types import INT64
from ..importer_site import Site
from ..importer_table import imports
from ..onnx_values import Item


@imports("NegativeLogLikelihoodLoss", to="nll_loss")
def nll_loss(site: Site) -> Value:
    return _loss(site, "nll_loss")


@imports("SoftmaxCrossEntropyLoss", to="cross_entropy, log_softmax")
def cross_entropy(site: Site) -> list[Item]:
    """The logarithms of the probabilities are its second result."""
    loss = _loss(site, "cross_entropy")
    wanted = len(site.used) > 1 and site.used[1]
    return [loss, site.one("log_softmax", site.x(0), axis=1) if wanted else None]


def _loss(site: Site, operator: str) -> Value:
    """A loss of scores and classes, perhaps with a weight for each class."""
    tensors = [site.x(0), site.cast(site.x(1), INT64), *([site.x(2)] if site.has(2) else [])]
    arguments: dict[str, Any] = {"reduction": site.attr("reduction", "mean")}
    if "ignore_index" in site.attributes:
        arguments["ignore_index"] = int(site.attr("ignore_index"))
    return site.one(operator, *tensors, **arguments)
