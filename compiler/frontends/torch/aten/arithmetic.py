"""Reads arithmetic on two tensors, or on a tensor and a number: `aten.add(x, y, alpha=2)` becomes `x + y * 2`."""

from __future__ import annotations

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite, Number
from ..aten_table import READERS, AtenReader, reads


def apply_binary(site: AtenSite, operator: str, left: str = "self", right: str = "other") -> Value:
    """Apply an operator of two operands, one of which may be a number."""
    # A constant tensor without axes counts as a number too: torch.export lifts the `2` of `x * torch.tensor(2)`.
    second = site.number_of(right)
    if second is not None:
        return site.apply_op(operator, site.widened_tensor(right, left), other=second)
    first = site.number_of(left)
    if first is not None:
        return site.apply_op(operator, site.widened_tensor(left, right), other=first, reverse=True)
    return site.apply_op(operator, site.tensor(left), site.tensor(right))


def make_binary_reader(operator: str) -> AtenReader:
    return lambda site: apply_binary(site, operator)


for _name in ("mul", "floor_divide", "remainder", "bitwise_and", "bitwise_or", "bitwise_xor"):
    READERS[_name] = make_binary_reader("floor_div" if _name == "floor_divide" else _name)
for _name, _operator in (("__and__", "bitwise_and"), ("__or__", "bitwise_or"), ("__xor__", "bitwise_xor")):
    READERS[_name] = make_binary_reader(_operator)
READERS["multiply"] = READERS["mul"]
READERS["__lshift__"] = READERS["bitwise_left_shift"] = make_binary_reader("bitwise_left_shift")
READERS["__rshift__"] = READERS["bitwise_right_shift"] = make_binary_reader("bitwise_right_shift")


def _scale_by_alpha(site: AtenSite, name: str) -> tuple[Value | None, Number | None]:
    """Return an operand times `alpha`, as a tensor or as a number."""
    alpha, number = site.args.get("alpha", 1), site.number_of(name)
    if number is not None:
        return None, number if alpha == 1 else number * alpha
    value = site.widened_tensor("self" if name == "other" else "other", name)
    return (value if alpha == 1 else site.apply_op("mul", value, other=alpha)), None


@reads("add", "sub", "subtract")
def read_add(site: AtenSite) -> Value:
    operator = "add" if "add" in str(site.node.target) else "sub"
    second, number = _scale_by_alpha(site, "other")
    if number is not None:
        x = site.widened_tensor("other")
        # `x + 0.0` of integers is a conversion to floats, so it stays.
        return x if number == 0 and x.type.dtype == site.result_dtype else site.apply_op(operator, x, other=number)
    assert second is not None
    first = site.number_of("self")
    if first is not None:
        return site.apply_op(operator, second, other=first, reverse=True)
    return site.apply_op(operator, site.tensor(), second)


@reads("rsub")
def read_rsub(site: AtenSite) -> Value:
    first, number = _scale_by_alpha(site, "self")
    if number is not None or first is None:
        raise ImportRefused("is given a number where netc needs a tensor")
    second = site.number_of("other")
    return site.apply_op("sub", site.tensor("other"), first) if second is None else site.apply_op("sub", first, other=second, reverse=True)


@reads("div", "divide", "true_divide")
def read_div(site: AtenSite) -> Value:
    mode = site.args.get("rounding_mode")
    if mode == "trunc":
        return site.apply_op("trunc", apply_binary(site, "div")) if site.result_dtype.is_float else _divide_toward_zero(site)
    return apply_binary(site, "floor_div" if mode == "floor" else "div")


def _divide_toward_zero(site: AtenSite) -> Value:
    """Divide integers and round towards 0.

    `fmod` has the sign of the dividend, so `x - fmod(x, by)` is a multiple of `by`, and its division needs no rounding.
    """
    x, number = site.cast(site.tensor(), site.result_dtype), site.number_of("other")
    if number is not None:
        return site.apply_op("floor_div", site.apply_op("sub", x, site.apply_op("fmod", x, other=number)), other=number)
    by = site.cast(site.tensor("other"), site.result_dtype)
    return site.apply_op("floor_div", site.apply_op("sub", x, site.apply_op("fmod", x, by)), by)


@reads("pow")
def read_pow(site: AtenSite) -> Value:
    exponent = site.number_of("exponent")
    # `2 ** x` has a number as its base.
    if exponent is not None and site.number_of("self") is None:
        # PyTorch makes floats of integers if the exponent is a float: `x ** 2.0`.
        x = site.cast(site.tensor(), site.result_dtype)
        return site.apply_op("square", x) if exponent == 2 else site.apply_op("pow", x, other=exponent)
    return apply_binary(site, "pow", right="exponent")


@reads("maximum", "minimum", "atan2", "hypot", "logaddexp")
def read_tensor_pair(site: AtenSite) -> Value:
    return site.apply_op(site.name, site.tensor(), site.tensor("other"))


@reads("fmod")
def read_fmod(site: AtenSite) -> Value:
    number = site.number_of("other")
    return (
        site.apply_op("fmod", site.tensor(), site.tensor("other"))
        if number is None
        else site.apply_op("fmod", site.widened_tensor("other"), other=number)
    )


@reads("lerp")
def read_lerp(site: AtenSite) -> Value:
    number = site.number_of("weight")
    x, end = site.tensor(), site.tensor("end")
    return site.apply_op("lerp", x, end, site.tensor("weight")) if number is None else site.apply_op("lerp", x, end, weight=number)


@reads("addcmul")
def read_addcmul(site: AtenSite) -> Value:
    product = site.apply_op("mul", site.tensor("tensor1"), site.tensor("tensor2"))
    return site.apply_op(
        "add", site.tensor(), product if site.number("value") == 1 else site.apply_op("mul", product, other=site.number("value"))
    )


@reads("matmul", "bmm", "mm", "mv", "dot", "vdot", "linalg_matmul")
def read_matmul(site: AtenSite) -> Value:
    # The schemas name the operands differently: `self` and `mat2`, `vec`, `tensor` or `other`.
    left, right = [name for name, argument in site.args.items() if argument is not None][:2]
    return site.apply_op("matmul", site.tensor(left), site.tensor(right))


@reads("addmm", "baddbmm", "addbmm")
def read_addmm(site: AtenSite) -> Value:
    names = [name for name in site.args if name not in ("self", "beta", "alpha")]
    product = site.apply_op("matmul", site.tensor(names[0]), site.tensor(names[1]))
    if site.name == "addbmm":
        product = site.apply_op("sum", product, axis=(0,))
    if site.number("alpha") != 1:
        product = site.apply_op("mul", product, other=site.number("alpha"))
    # PyTorch ignores the first tensor then, even if it has NaN.
    if site.number("beta") == 0:
        return product
    first = site.tensor()
    return site.apply_op("add", product, first if site.number("beta") == 1 else site.apply_op("mul", first, other=site.number("beta")))


@reads("einsum")
def read_einsum(site: AtenSite) -> Value:
    return site.apply_op("einsum", *site.tensors("tensors"), equation=site.args["equation"])


@reads("outer", "cross", "cosine_similarity", "cdist")
def read_vector_product(site: AtenSite) -> Value:
    names = list(site.args)[:2]
    site.leave_to_result("compute_mode")  # how the distances are computed, and not which
    arguments = {"axis": site.integer("dim")} if site.has_argument("dim") else {}
    if site.has_argument("p"):
        arguments["p"] = site.number("p")  # type: ignore[assignment]
    return site.apply_op(site.name, site.tensor(names[0]), site.tensor(names[1]), **arguments)
