"""Functions of each element."""

from __future__ import annotations

from math import inf
from typing import Any

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import READERS, AtenReader, reads

_SAME = (
    "relu relu6 selu silu mish hardswish hardsigmoid sigmoid tanh neg floor ceil trunc sign square exp exp2 expm1 log log2 log10 "
    "log1p sqrt rsqrt reciprocal erf erfc erfinv lgamma digamma sin cos tan asin acos atan sinh cosh asinh acosh atanh logical_not "
    "bitwise_not isnan isinf isfinite tril triu"
)
"""Operators of one tensor that have the same name in netc."""


def _same(operator: str) -> AtenReader:
    def read(site: AtenSite) -> Value:
        arguments = {"diagonal": site.size("diagonal")} if site.args.get("diagonal") else {}
        return site.one(operator, site.tensor(), **arguments)

    return read


for _name in _SAME.split():
    READERS[_name] = _same(_name)


def _with(operator: str, *numbers: str, **renamed: str) -> AtenReader:
    """An operator of one tensor with numbers, under the same names or others."""

    def read(site: AtenSite) -> Value:
        arguments: dict[str, Any] = {name: site.number(name) for name in numbers}
        arguments |= {name: site.number(given) for given, name in renamed.items()}
        return site.one(operator, site.tensor(), **arguments)

    return read


READERS["softplus"] = _with("softplus", "beta", "threshold")
READERS["leaky_relu"] = _with("leaky_relu", "negative_slope")
READERS["celu"] = _with("celu", "alpha")
READERS["hardtanh"] = _with("hardtanh", "min_val", "max_val")
READERS["hardshrink"] = _with("hardshrink", "lambd")
READERS["softshrink"] = _with("softshrink", "lambd")
READERS["threshold"] = _with("threshold", "threshold", "value")
READERS["log_sigmoid"] = _with("logsigmoid")
READERS["glu"] = _with("glu", dim="axis")
READERS["nan_to_num"] = lambda site: site.one(
    "nan_to_num", site.tensor(), **{name: site.number(name) for name in ("nan", "posinf", "neginf") if site.has(name)}
)


@reads("gelu")
def gelu(site: AtenSite) -> Value:
    return site.one("gelu", site.tensor(), approximate=site.args["approximate"])


@reads("elu")
def elu(site: AtenSite) -> Value:
    if site.number("scale") != 1 or site.number("input_scale") != 1:
        raise ImportRefused("has a scale, which `elu` does not have")
    return site.one("elu", site.tensor(), alpha=site.number("alpha"))


@reads("softmax", "_softmax", "log_softmax")
def softmax(site: AtenSite) -> Value:
    operator = "log_softmax" if "log" in str(site.node.target) else "softmax"
    return site.one(operator, site.cast(site.tensor(), site.dtype()), axis=site.integer("dim"))


_UNBOUNDED = {"min": -inf, "max": inf}


@reads("clamp", "clamp_min", "clamp_max")
def clamp(site: AtenSite) -> Value:
    x = site.tensor()
    for name, operator in (("min", "maximum"), ("max", "minimum")):
        if site.args.get(name) is not None and site.number_of(name) is None:
            x = site.one(operator, x, site.tensor(name))
    bounds = {name: site.number_of(name) for name in ("min", "max") if site.args.get(name) is not None}
    bounds = {name: bound for name, bound in bounds.items() if bound is not None and bound != _UNBOUNDED[name]}
    return site.one("clamp", x, **bounds) if bounds else x


@reads("round")
def round_(site: AtenSite) -> Value:
    if site.args.get("decimals"):
        raise ImportRefused("rounds to decimals, which `round` does not")
    return site.one("round", site.tensor())


@reads("prelu")
def prelu(site: AtenSite) -> Value:
    x = site.tensor()
    slopes = site.args["weight"].meta["val"].shape[0]
    made = site.layer("prelu", x, given={"weight": "weight"}, num_parameters=int(slopes))
    if made is not None:
        return made[0]
    weight = site.tensor("weight")
    if x.type.rank > 1:
        weight = site.reshape(weight, (int(slopes), *[1] * (x.type.rank - 2)))
    return site.one("where", site.one("gt", x, other=0), x, site.one("mul", weight, x))
