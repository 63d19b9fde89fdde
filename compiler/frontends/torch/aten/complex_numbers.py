"""Reads arithmetic of complex numbers, and moves of their axes: `torch.fft.rfft(x) * torch.fft.rfft(y)`.

netc has no complex element type: a complex tensor is a real one with a last axis of real and imaginary parts (`spectral.py`). So axes count
from the front, and a product is written out: (a + bi)(c + di) = (ac - bd) + (ad + bc)i. Moves along one axis are read by the readers of
real tensors (`complex_moves.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....ir.graph_values import Value
from ....ops.formula import Const
from ....types.tensor_types import Shape
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads_complex
from ..node_targets import is_complex, to_dtype
from .creation import make_table
from .spectral import conjugate_pairs, select_complex_part


def to_pairs(site: AtenSite, operand: Any) -> Value:
    """Return a tensor or a number as pairs. A real one has imaginary parts of 0."""
    if isinstance(operand, bool | int | float | complex):
        return _make_constant_pairs(site, (), operand)
    if is_complex(operand):
        return site.pairs_of(operand)
    x = site.tensor_of(operand)
    # PyTorch converts integers to the type of the parts.
    x = x if x.type.dtype.is_float else site.cast(x, to_dtype(site.result.dtype.to_real()))
    return site.apply_op("pad", site.apply_op("unsqueeze", x, axis=-1), padding=(0, 1))


def _make_constant_pairs(site: AtenSite, shape: Shape, number: complex) -> Value:
    """Make a tensor with one complex number in every position."""
    number, dtype = complex(number), to_dtype(site.result.dtype.to_real())
    if not number:
        return make_table(site, (*shape, 2), Const(0.0), dtype)
    return site.apply_op("stack", *(make_table(site, shape, Const(part), dtype) for part in (number.real, number.imag)), axis=-1)


@reads_complex("zeros", "new_zeros", "zeros_like", "ones", "new_ones", "ones_like", "full", "new_full", "full_like", "zero")
def read_complex_full(site: AtenSite) -> Value:
    number = site.args["fill_value"] if "full" in site.name else int("ones" in site.name)
    if not isinstance(number, bool | int | float | complex):
        raise ImportRefused("fills a tensor with a complex number that depends on data or sizes")
    return _make_constant_pairs(site, site.result_shape(), number)


@reads_complex("empty", "new_empty", "empty_like")
def read_complex_empty(site: AtenSite) -> Value:
    """Read memory with arbitrary contents as zeros, as `read_empty` does."""
    value = _make_constant_pairs(site, site.result_shape(), 0)
    site.scope.model.arbitrary.append((site.node, value))
    return value


def _scale_parts(site: AtenSite, operator: str, left: str, right: str) -> Value:
    """Multiply or divide both parts by a real number or tensor."""
    number = site.number_of(right)
    if number is not None:
        return site.apply_op(operator, site.complex_pairs(left), other=number)
    return site.apply_op(operator, site.complex_pairs(left), site.apply_op("unsqueeze", site.tensor(right), axis=-1))


def _multiply_pairs(site: AtenSite, x: Value, y: Value, multiply: Callable[[Value, Value], Value] | None = None) -> Value:
    """Multiply pairs, by a product of real tensors: of their elements, or of matrices."""
    multiply = multiply or (lambda left, right: site.apply_op("mul", left, right))
    a, b, c, d = (select_complex_part(site, operand, index) for operand in (x, y) for index in (0, 1))
    real = site.apply_op("sub", multiply(a, c), multiply(b, d))
    imaginary = site.apply_op("add", multiply(a, d), multiply(b, c))
    return site.apply_op("stack", real, imaginary, axis=-1)


@reads_complex("matmul", "bmm", "mm", "mv", "dot", "linalg_matmul")
def read_complex_matmul(site: AtenSite) -> Value:
    # PyTorch multiplies matrices of one type only, so both are complex.
    x, y = [site.pairs_of(argument) for argument in site.args.values() if argument is not None][:2]
    return _multiply_pairs(site, x, y, lambda left, right: site.apply_op("matmul", left, right))


@reads_complex("linear")
def read_complex_linear(site: AtenSite) -> Value:
    weight = site.apply_op("transpose", site.complex_pairs("weight"), a=0, b=1)
    product = _multiply_pairs(site, site.complex_pairs("input"), weight, lambda x, part: site.apply_op("matmul", x, part))
    return site.apply_op("add", product, to_pairs(site, site.args["bias"])) if site.has_argument("bias") else product


@reads_complex("einsum")
def read_complex_einsum(site: AtenSite) -> Value:
    operands, equation = site.args["tensors"], site.args["equation"]
    if len(operands) == 1:
        parts = [site.apply_op("einsum", select_complex_part(site, site.pairs_of(operands[0]), i), equation=equation) for i in (0, 1)]
        return site.apply_op("stack", *parts, axis=-1)
    if len(operands) > 2:
        raise ImportRefused("multiplies more than two complex tensors", "multiply two at a time")
    x, y = map(site.pairs_of, operands)
    return _multiply_pairs(site, x, y, lambda left, right: site.apply_op("einsum", left, right, equation=equation))


def _multiply_number(site: AtenSite, operand: Any, number: complex) -> Value:
    """Multiply a tensor by a complex number."""

    def scale_tensor(x: Value, factor: float) -> Value:
        return x if factor == 1 else site.apply_op("neg", x) if factor == -1 else site.apply_op("mul", x, other=factor)

    p, q = number.real, number.imag
    if not p and not is_complex(operand):
        x = site.apply_op("unsqueeze", scale_tensor(site.tensor_of(operand), q), axis=-1)
        return site.apply_op("pad", x, padding=(1, 0))
    if not is_complex(operand):
        return site.apply_op("stack", *(scale_tensor(site.tensor_of(operand), factor) for factor in (p, q)), axis=-1)
    if not q:
        return scale_tensor(site.pairs_of(operand), p)
    a, b = (select_complex_part(site, site.pairs_of(operand), index) for index in (0, 1))
    real, imaginary = scale_tensor(b, -q), scale_tensor(a, q)
    if p:
        real, imaginary = site.apply_op("add", scale_tensor(a, p), real), site.apply_op("add", imaginary, scale_tensor(b, p))
    return site.apply_op("stack", real, imaginary, axis=-1)


@reads_complex("mul", "multiply")
def read_complex_mul(site: AtenSite) -> Value:
    for name, number in (("self", site.args["other"]), ("other", site.args["self"])):
        if isinstance(number, complex):
            return _multiply_number(site, site.args[name], number)
    if not is_complex(site.args["other"]):
        return _scale_parts(site, "mul", "self", "other")
    if not is_complex(site.args["self"]):
        return _scale_parts(site, "mul", "other", "self")
    return _multiply_pairs(site, site.complex_pairs(), site.complex_pairs("other"))


@reads_complex("div", "divide", "true_divide")
def read_complex_div(site: AtenSite) -> Value:
    divisor = site.args["other"]
    if is_complex(divisor) or isinstance(divisor, complex):
        return _divide_pairs(site, to_pairs(site, site.args["self"]), to_pairs(site, divisor))
    return _scale_parts(site, "div", "self", "other")


def _divide_pairs(site: AtenSite, x: Value, y: Value) -> Value:
    """Divide as (a + bi) / (c + di) = (a + bi) (c - di) / (c² + d²)."""
    conjugate = conjugate_pairs(site, y)
    square = site.apply_op("sum", site.apply_op("square", y), axis=(-1,), keepdim=True)
    return site.apply_op("div", _multiply_pairs(site, x, conjugate), square)


@reads_complex("reciprocal")
def read_complex_reciprocal(site: AtenSite) -> Value:
    return _divide_pairs(site, to_pairs(site, 1), site.complex_pairs())


@reads_complex("square")
def read_complex_square(site: AtenSite) -> Value:
    return _multiply_pairs(site, site.complex_pairs(), site.complex_pairs())


@reads_complex("pow")
def read_complex_pow(site: AtenSite) -> Value:
    if not is_complex(site.args["self"]) or site.args["exponent"] != 2:
        raise ImportRefused("raises complex numbers to a power other than 2", "multiply them")
    return _multiply_pairs(site, site.complex_pairs(), site.complex_pairs())


def _add_number(site: AtenSite, number: complex) -> Value:
    """Add a number to a tensor, of which one is complex, or subtract the tensor from the number (`rsub`)."""
    x = to_pairs(site, site.args["self"])
    x = site.apply_op("neg", x) if site.name == "rsub" else x
    parts = zip((0, 1), (complex(number).real, complex(number).imag), strict=True)
    moved = [(select_complex_part(site, x, index), by) for index, by in parts]
    return site.apply_op("stack", *(site.apply_op("add", part, other=by) if by else part for part, by in moved), axis=-1)


@reads_complex("add", "sub", "subtract", "rsub")
def read_complex_add(site: AtenSite) -> Value:
    if site.args.get("alpha", 1) != 1:
        raise ImportRefused("adds a multiple of complex numbers", "multiply first")
    number = site.args["other"]
    if isinstance(number, bool | int | float | complex):
        return _add_number(site, -number if site.name in ("sub", "subtract") else number)
    x, other = (to_pairs(site, site.args[name]) for name in ("self", "other"))
    return site.apply_op("sub", other, x) if site.name == "rsub" else site.apply_op("add" if site.name == "add" else "sub", x, other)


@reads_complex("exp")
def read_complex_exp(site: AtenSite) -> Value:
    """Read exp(a + bi) as exp(a) (cos b + i sin b)."""
    real, imaginary = (select_complex_part(site, site.complex_pairs(), index) for index in (0, 1))
    length = site.apply_op("exp", real)
    return site.apply_op("stack", *(site.apply_op("mul", length, site.apply_op(part, imaginary)) for part in ("cos", "sin")), axis=-1)


@reads_complex("neg", "negative")
def read_complex_neg(site: AtenSite) -> Value:
    return site.apply_op("neg", site.complex_pairs())


@reads_complex("alias", "contiguous", "clone", "to", "_to_copy", "type_as", "resolve_conj", "lift_fresh_copy", "lift_fresh")
def read_complex_copy(site: AtenSite) -> Value:
    if not site.result.is_complex():
        raise ImportRefused("discards imaginary parts", "use `.real`")
    return to_pairs(site, site.args["self"])


@reads_complex("copy")
def read_complex_write(site: AtenSite) -> Value:
    x = to_pairs(site, site.args["src"])
    shape = (*site.result_shape(), 2)
    return x if x.type.shape == shape else site.apply_op("expand", x, shape=shape)


def _count_axes(site: AtenSite, name: str = "self") -> int:
    """Return the number of axes that PyTorch sees."""
    return len(site.args[name].meta["val"].shape)


@reads_complex("view", "reshape", "_unsafe_view", "view_as", "reshape_as", "expand", "expand_as", "broadcast_to", "flatten", "unflatten")
def read_complex_shape(site: AtenSite) -> Value:
    """Give the axes before the parts their new sizes."""
    x, shape = site.complex_pairs(), (*site.result_shape(), 2)
    site.leave_to_result("start_dim", "end_dim", "dim", "implicit")
    if site.name in ("expand", "expand_as", "broadcast_to"):
        return x if x.type.shape == shape else site.apply_op("expand", x, shape=shape)
    return site.reshape(x, shape)


@reads_complex("unsqueeze")
def read_complex_unsqueeze(site: AtenSite) -> Value:
    return site.apply_op("unsqueeze", site.complex_pairs(), axis=site.integer("dim") % (_count_axes(site) + 1))


@reads_complex("squeeze")
def read_complex_squeeze(site: AtenSite) -> Value:
    site.leave_to_result("dim")
    return site.reshape(site.complex_pairs(), (*site.result_shape(), 2))


@reads_complex("transpose", "swapaxes", "swapdims", "permute", "t", "mT", "mH", "adjoint", "numpy_T")
def read_complex_transpose(site: AtenSite) -> Value:
    rank, x = _count_axes(site), site.complex_pairs()
    if site.name in ("mH", "adjoint"):
        x = conjugate_pairs(site, x)
    if site.name in ("mT", "mH", "adjoint"):
        order = [*range(rank - 2), rank - 1, rank - 2]
    elif site.name in ("t", "numpy_T"):
        order = list(reversed(range(rank)))
    elif site.name == "permute":
        order = [axis % rank for axis in site.integers("dims")]
    else:
        a, b = (site.integer(name) % rank for name in site.args if name != "self")
        order = list(range(rank))
        order[a], order[b] = order[b], order[a]
    return x if order == list(range(rank)) else site.apply_op("permute", x, axes=(*order, rank))


@reads_complex("slice")
def read_complex_slice(site: AtenSite) -> Value:
    x, axis = site.complex_pairs(), site.integer("dim") % _count_axes(site)
    start, stop, step = site.slice_start(), site.slice_end("end"), site.integer("step")
    if start == 0 and (stop is None or stop == x.type.shape[axis]) and step == 1:
        return x
    return site.apply_op("slice", x, axis=axis, start=start, stop=stop, step=step)


@reads_complex("select")
def read_complex_select(site: AtenSite) -> Value:
    return site.apply_op("select", site.complex_pairs(), axis=site.integer("dim") % _count_axes(site), index=site.size("index"))


@reads_complex("sum", "mean")
def read_complex_sum(site: AtenSite) -> Value:
    rank = _count_axes(site)
    axes = tuple(axis % rank for axis in site.axes() or range(rank))
    return site.apply_op(site.name, site.complex_pairs(), axis=axes, keepdim=bool(site.args.get("keepdim")))


@reads_complex("where")
def read_complex_where(site: AtenSite) -> Value:
    condition = site.apply_op("unsqueeze", site.tensor("condition"), axis=-1)
    return site.apply_op("where", condition, *(to_pairs(site, site.args[name]) for name in ("self", "other")))


@reads_complex("masked_fill")
def read_complex_masked_fill(site: AtenSite) -> Value:
    mask = site.apply_op("unsqueeze", site.tensor("mask"), axis=-1)
    return site.apply_op("where", mask, to_pairs(site, site.args["value"]), site.complex_pairs())
