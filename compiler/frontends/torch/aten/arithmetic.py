"""Arithmetic of two tensors, or of a tensor and a number."""

from __future__ import annotations

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite, Number
from ..aten_table import READERS, AtenReader, reads


def binary(site: AtenSite, operator: str, left: str = "self", right: str = "other") -> Value:
    """An operator of two operands, one of which may be a number."""
    second = site.number_of(right)
    if second is not None:
        return site.one(operator, site.tensor(left), other=second)
    first = site.number_of(left)
    if first is not None:
        return site.one(operator, site.tensor(right), other=first, reverse=True)
    return site.one(operator, site.tensor(left), site.tensor(right))


def pair(operator: str) -> AtenReader:
    return lambda site: binary(site, operator)


for _name in ("mul", "floor_divide", "remainder", "bitwise_and", "bitwise_or", "bitwise_xor"):
    READERS[_name] = pair("floor_div" if _name == "floor_divide" else _name)
for _name, _operator in (("__and__", "bitwise_and"), ("__or__", "bitwise_or"), ("__xor__", "bitwise_xor")):
    READERS[_name] = pair(_operator)
READERS["multiply"] = READERS["mul"]
READERS["__lshift__"] = READERS["bitwise_left_shift"] = pair("bitwise_left_shift")
READERS["__rshift__"] = READERS["bitwise_right_shift"] = pair("bitwise_right_shift")


def _scaled(site: AtenSite, name: str) -> tuple[Value | None, Number | None]:
    """The operand times `alpha`."""
    alpha, number = site.args.get("alpha", 1), site.number_of(name)
    if number is not None:
        return None, number if alpha == 1 else number * alpha
    value = site.tensor(name)
    return (value if alpha == 1 else site.one("mul", value, other=alpha)), None


@reads("add", "sub", "subtract")
def add(site: AtenSite) -> Value:
    operator = "add" if "add" in str(site.node.target) else "sub"
    second, number = _scaled(site, "other")
    if number is not None:
        x = site.tensor()
        return x if number == 0 and x.type.dtype == site.element else site.one(operator, x, other=number)
    assert second is not None
    first = site.number_of("self")
    if first is not None:
        return site.one(operator, second, other=first, reverse=True)
    return site.one(operator, site.tensor(), second)


@reads("rsub")
def rsub(site: AtenSite) -> Value:
    first, number = _scaled(site, "self")
    if number is not None or first is None:
        raise ImportRefused("is given a number where netc needs a tensor")
    second = site.number_of("other")
    return site.one("sub", site.tensor("other"), first) if second is None else site.one("sub", first, other=second, reverse=True)


@reads("div", "divide", "true_divide")
def div(site: AtenSite) -> Value:
    mode = site.args.get("rounding_mode")
    if mode == "trunc":
        return site.one("trunc", binary(site, "div")) if site.element.is_float else _truncated_quotient(site)
    return binary(site, "floor_div" if mode == "floor" else "div")


def _truncated_quotient(site: AtenSite) -> Value:
    """The quotient of integers, rounded towards 0. What `fmod` leaves has the sign of the dividend; without it, the division is exact."""
    x, number = site.cast(site.tensor(), site.element), site.number_of("other")
    if number is not None:
        return site.one("floor_div", site.one("sub", x, site.one("fmod", x, other=number)), other=number)
    by = site.cast(site.tensor("other"), site.element)
    return site.one("floor_div", site.one("sub", x, site.one("fmod", x, by)), by)


@reads("pow")
def pow_(site: AtenSite) -> Value:
    exponent = site.number_of("exponent")
    if exponent == 2 and site.number_of("self") is None:
        return site.one("square", site.tensor())
    return binary(site, "pow", right="exponent")


@reads("maximum", "minimum", "atan2", "hypot", "logaddexp")
def both(site: AtenSite) -> Value:
    return site.one(site.name, site.tensor(), site.tensor("other"))


@reads("fmod")
def fmod(site: AtenSite) -> Value:
    number = site.number_of("other")
    return site.one("fmod", site.tensor(), site.tensor("other")) if number is None else site.one("fmod", site.tensor(), other=number)


@reads("lerp")
def lerp(site: AtenSite) -> Value:
    number = site.number_of("weight")
    x, end = site.tensor(), site.tensor("end")
    return site.one("lerp", x, end, site.tensor("weight")) if number is None else site.one("lerp", x, end, weight=number)


@reads("addcmul")
def addcmul(site: AtenSite) -> Value:
    product = site.one("mul", site.tensor("tensor1"), site.tensor("tensor2"))
    return site.one("add", site.tensor(), product if site.number("value") == 1 else site.one("mul", product, other=site.number("value")))


@reads("matmul", "bmm", "mm", "mv", "dot", "vdot", "linalg_matmul")
def matmul(site: AtenSite) -> Value:
    left, right = [name for name, given in site.args.items() if given is not None][:2]
    return site.one("matmul", site.tensor(left), site.tensor(right))


@reads("addmm", "baddbmm", "addbmm")
def addmm(site: AtenSite) -> Value:
    names = [name for name in site.args if name not in ("self", "beta", "alpha")]
    product = site.one("matmul", site.tensor(names[0]), site.tensor(names[1]))
    if site.number("alpha") != 1:
        product = site.one("mul", product, other=site.number("alpha"))
    if site.number("beta") == 0:
        return product
    first = site.tensor()
    return site.one("add", product, first if site.number("beta") == 1 else site.one("mul", first, other=site.number("beta")))


@reads("einsum")
def einsum(site: AtenSite) -> Value:
    return site.one("einsum", *site.tensors("tensors"), equation=site.args["equation"])


@reads("outer", "cross", "cosine_similarity", "cdist")
def product(site: AtenSite) -> Value:
    names = list(site.args)[:2]
    arguments = {"axis": site.integer("dim")} if site.has("dim") else {}
    if site.has("p"):
        arguments["p"] = site.number("p")  # type: ignore[assignment]
    return site.one(site.name, site.tensor(names[0]), site.tensor(names[1]), **arguments)
