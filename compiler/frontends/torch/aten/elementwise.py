"""Reads functions of each element: `torch.clamp(x, 0, 1)` becomes `clamp min=0 max=1`."""

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


def _make_unary_reader(operator: str) -> AtenReader:
    def read(site: AtenSite) -> Value:
        arguments = {"diagonal": site.size("diagonal")} if site.args.get("diagonal") else {}
        return site.apply_op(operator, site.tensor(), **arguments)

    return read


for _name in _SAME.split():
    READERS[_name] = _make_unary_reader(_name)


def _make_number_reader(operator: str, *numbers: str, **renamed: str) -> AtenReader:
    """Make the reader of an operator with one tensor and numbers, which have the same names in netc or are `renamed`."""

    def read(site: AtenSite) -> Value:
        arguments: dict[str, Any] = {name: site.number(name) for name in numbers}
        arguments |= {name: site.number(given) for given, name in renamed.items()}
        return site.apply_op(operator, site.tensor(), **arguments)

    return read


READERS["softplus"] = _make_number_reader("softplus", "beta", "threshold")
READERS["leaky_relu"] = _make_number_reader("leaky_relu", "negative_slope")
READERS["celu"] = _make_number_reader("celu", "alpha")
READERS["hardtanh"] = _make_number_reader("hardtanh", "min_val", "max_val")
READERS["hardshrink"] = _make_number_reader("hardshrink", "lambd")
READERS["softshrink"] = _make_number_reader("softshrink", "lambd")
READERS["threshold"] = _make_number_reader("threshold", "threshold", "value")
READERS["log_sigmoid"] = _make_number_reader("logsigmoid")
READERS["glu"] = _make_number_reader("glu", dim="axis")
READERS["nan_to_num"] = lambda site: site.apply_op(
    "nan_to_num", site.tensor(), **{name: site.number(name) for name in ("nan", "posinf", "neginf") if site.has_argument(name)}
)


@reads("gelu")
def read_gelu(site: AtenSite) -> Value:
    return site.apply_op("gelu", site.tensor(), approximate=site.args["approximate"])


@reads("elu")
def read_elu(site: AtenSite) -> Value:
    if site.number("scale") != 1 or site.number("input_scale") != 1:
        raise ImportRefused("has a scale, which `elu` does not have")
    return site.apply_op("elu", site.tensor(), alpha=site.number("alpha"))


@reads("softmax", "_softmax", "log_softmax")
def read_softmax(site: AtenSite) -> Value:
    operator = "log_softmax" if "log" in str(site.node.target) else "softmax"
    return site.apply_op(operator, site.cast(site.tensor(), site.dtype()), axis=site.integer("dim"))


_UNBOUNDED = {"min": -inf, "max": inf}


@reads("clamp", "clamp_min", "clamp_max")
def read_clamp(site: AtenSite) -> Value:
    x = site.tensor()
    if site.is_tensor("min") or site.is_tensor("max"):
        x = site.cast(x, site.result_dtype)
    # The order matters: where min > max, torch.clamp gives max.
    for name, operator in (("min", "maximum"), ("max", "minimum")):
        if site.args.get(name) is not None and site.number_of(name) is None:
            x = site.apply_op(operator, x, site.tensor(name))
    bounds = {name: site.number_of(name) for name in ("min", "max") if site.args.get(name) is not None}
    bounds = {name: bound for name, bound in bounds.items() if bound is not None and bound != _UNBOUNDED[name]}
    return site.apply_op("clamp", x, **bounds) if bounds else x


@reads("round")
def read_round(site: AtenSite) -> Value:
    decimals = site.args.get("decimals", 0)
    if not decimals:
        return site.apply_op("round", site.tensor())
    before, after = ("mul", "div") if decimals > 0 else ("div", "mul")
    scaled = site.apply_op(before, site.tensor(), other=10.0 ** abs(decimals))
    return site.apply_op(after, site.apply_op("round", scaled), other=10.0 ** abs(decimals))


@reads("prelu")
def read_prelu(site: AtenSite) -> Value:
    x = site.tensor()
    slopes = site.args["weight"].meta["val"].numel()
    layer = site.try_layer("prelu", x, given={"weight": "weight"}, num_parameters=int(slopes))
    if layer is not None:
        return layer[0]
    weight = site.tensor("weight")
    if slopes == 1:
        weight = site.reshape(weight, ())
    elif x.type.rank > 1:
        # The slopes belong to axis 1, the channels.
        weight = site.reshape(weight, (int(slopes), *[1] * (x.type.rank - 2)))
    return site.apply_op("where", site.apply_op("gt", x, other=0), x, site.apply_op("mul", weight, x))
