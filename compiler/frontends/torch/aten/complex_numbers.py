"""Reads arithmetic of complex numbers, and moves of their axes: `torch.fft.rfft(x) * torch.fft.rfft(y)`.

netc has no complex element type: a complex tensor is a real one with a last axis of real and imaginary parts (`spectral.py`). So axes count
from the front, and a product is written out: (a + bi)(c + di) = (ac - bd) + (ad + bc)i.
"""

from __future__ import annotations

from torch.fx import Node

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads_complex
from ..node_targets import is_complex
from .spectral import select_complex_part


def _to_pairs(site: AtenSite, name: str) -> Value:
    """Return an operand as pairs. A real one has imaginary parts of 0."""
    if is_complex(site.args[name]):
        return site.complex_pairs(name)
    return site.apply_op("pad", site.apply_op("unsqueeze", site.tensor(name), axis=-1), padding=(0, 1))


def _scale_parts(site: AtenSite, operator: str, left: str, right: str) -> Value:
    """Multiply or divide both parts by a real number or tensor."""
    number = site.number_of(right)
    if number is not None:
        return site.apply_op(operator, site.complex_pairs(left), other=number)
    return site.apply_op(operator, site.complex_pairs(left), site.apply_op("unsqueeze", site.tensor(right), axis=-1))


def _multiply_pairs(site: AtenSite, x: Value, y: Value) -> Value:
    a, b, c, d = (select_complex_part(site, operand, index) for operand in (x, y) for index in (0, 1))
    real = site.apply_op("sub", site.apply_op("mul", a, c), site.apply_op("mul", b, d))
    imaginary = site.apply_op("add", site.apply_op("mul", a, d), site.apply_op("mul", b, c))
    return site.apply_op("stack", real, imaginary, axis=-1)


@reads_complex("mul", "multiply")
def read_complex_mul(site: AtenSite) -> Value:
    if not is_complex(site.args["other"]):
        return _scale_parts(site, "mul", "self", "other")
    if not is_complex(site.args["self"]):
        return _scale_parts(site, "mul", "other", "self")
    return _multiply_pairs(site, site.complex_pairs(), site.complex_pairs("other"))


@reads_complex("div", "divide", "true_divide")
def read_complex_div(site: AtenSite) -> Value:
    if is_complex(site.args["other"]):
        raise ImportRefused("divides by complex numbers", "multiply by the conjugate, and divide by the square of the magnitude")
    return _scale_parts(site, "div", "self", "other")


@reads_complex("add", "sub", "subtract")
def read_complex_add(site: AtenSite) -> Value:
    if not all(isinstance(site.args[name], Node) for name in ("self", "other")) or site.args.get("alpha", 1) != 1:
        raise ImportRefused("adds a number to complex numbers", "add a tensor")
    return site.apply_op("add" if site.name == "add" else "sub", _to_pairs(site, "self"), _to_pairs(site, "other"))


@reads_complex("neg", "negative")
def read_complex_neg(site: AtenSite) -> Value:
    return site.apply_op("neg", site.complex_pairs())


@reads_complex("alias", "contiguous", "clone", "to", "_to_copy", "type_as", "resolve_conj", "lift_fresh_copy", "lift_fresh")
def read_complex_copy(site: AtenSite) -> Value:
    if not site.result.is_complex():
        raise ImportRefused("discards imaginary parts", "use `.real`")
    return site.complex_pairs() if is_complex(site.args["self"]) else _to_pairs(site, "self")


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


@reads_complex("transpose", "swapaxes", "swapdims", "permute")
def read_complex_transpose(site: AtenSite) -> Value:
    rank, x = _count_axes(site), site.complex_pairs()
    if site.name == "permute":
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
