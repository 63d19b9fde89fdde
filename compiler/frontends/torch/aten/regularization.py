"""Reads operators that act in training only: `nn.Dropout(0.1)` becomes `dropout 0.1`."""

from __future__ import annotations

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads

_OPERATORS = {"feature_dropout": "channel_dropout", "alpha_dropout": "alpha_dropout", "dropout": "dropout", "native_dropout": "dropout"}


@reads("dropout", "feature_dropout", "alpha_dropout")
def read_dropout(site: AtenSite) -> Value:
    x, p = site.first_tensor, site.number("p")
    training = site.scope.model.training
    if training and not site.args["train"]:
        return x
    # `F.dropout(x)` has `training=True` by default, so the module draws random numbers even in evaluation.
    if site.args["train"] and not training:
        raise ImportRefused("works in evaluation too, which no dropout of netc does")
    return site.apply_op(_OPERATORS[site.name], x, p=p) if p else x


@reads("drop_path")
def read_drop_path(site: AtenSite) -> Value:
    return site.apply_op("drop_path", site.tensor("x"), p=site.number("p"))


@reads("rrelu")
def read_rrelu(site: AtenSite) -> Value:
    return site.apply_op("rrelu", site.tensor(), lower=site.number("lower"), upper=site.number("upper"))
