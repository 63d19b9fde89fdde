"""Reads operators that act in training only: `nn.Dropout(0.1)` becomes `dropout 0.1`."""

from __future__ import annotations

from typing import NoReturn

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads

_OPERATORS = {"feature_dropout": "channel_dropout", "alpha_dropout": "alpha_dropout", "dropout": "dropout", "native_dropout": "dropout"}


@reads("dropout", "feature_dropout", "alpha_dropout")
def read_dropout(site: AtenSite) -> Value:
    x, p = site.first_tensor, site.number("p")
    training = site.scope.model.training
    if not p or (training and not site.args["train"]):
        return x
    if site.args["train"] and not training:
        refuse_in_evaluation("training=self.training")
    return site.apply_op(_OPERATORS[site.name], x, p=p)


def refuse_in_evaluation(argument: str) -> NoReturn:
    """Refuse a dropout that draws random numbers in evaluation too, as `F.dropout(x)` does. The `argument` prevents this."""
    raise ImportRefused("works in evaluation too, which no dropout of netc does", f"give it `{argument}`")


@reads("drop_path")
def read_drop_path(site: AtenSite) -> Value:
    return site.apply_op("drop_path", site.tensor("x"), p=site.number("p"))


@reads("rrelu")
def read_rrelu(site: AtenSite) -> Value:
    return site.apply_op("rrelu", site.tensor(), lower=site.number("lower"), upper=site.number("upper"))
