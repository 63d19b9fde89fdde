"""Tensors that are made of sizes and numbers alone."""

from __future__ import annotations

from ....dims import Dim
from ....ir.graph_values import Value
from ....ops.formula import BinaryFormula, Const, Formula, IndexFormula
from ....types.tensor_types import BOOL, DType, Shape
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite, Number
from ..aten_table import reads

_NAMES = "ijklmn"


def table(site: AtenSite, shape: Shape, formula: Formula, dtype: DType) -> Value:
    """A table of this shape; its element type is given only where the formula has another."""
    names = tuple(_NAMES[axis] if axis < len(_NAMES) else f"i{axis}" for axis in range(len(shape)))
    return site.one("table", indices=names, shape=shape, formula=formula, dtype=dtype)


def filled(site: AtenSite, shape: Shape, number: Number) -> Value:
    """The same number everywhere."""
    dtype = site.element
    value: Number = number if dtype.is_float else number if not isinstance(number, float) else int(number)
    if dtype == BOOL:
        value = bool(number)
    elif isinstance(value, int) and dtype.is_float:
        value = float(value)
    return table(site, shape, Const(value), dtype)


@reads(
    "zeros", "new_zeros", "zeros_like", "ones", "new_ones", "ones_like", "full", "new_full", "full_like", "scalar_tensor", "fill", "zero"
)
def full(site: AtenSite) -> Value:
    name = site.name
    if "zero" in name or "ones" in name:
        number: Number | None = 0 if "zero" in name else 1
    else:
        given = next(key for key in ("fill_value", "s", "value") if key in site.args)
        number = site.number_of(given)
    if number is None:
        return site.one("expand", site.cast(site.tensor("value"), site.element), shape=site.shape())
    return filled(site, site.shape(), number)


@reads("empty", "new_empty", "empty_like")
def empty(site: AtenSite) -> Value:
    """Zeros, of which nothing may be left in the end: what is allocated like this is usually filled part by part."""
    value = filled(site, site.shape(), 0)
    site.scope.model.arbitrary.append((site.node, value))
    return value


@reads("bernoulli", "rand", "randn", "rand_like", "randn_like", "normal", "uniform", "randint", "randperm")
def random(site: AtenSite) -> Value:
    raise ImportRefused("draws random numbers, which in a spec only `dropout` and its kind do")


@reads("arange")
def arange(site: AtenSite) -> Value:
    start: Number = site.number("start") if site.has("start") else 0
    step: Number = site.number("step") if site.has("step") else 1
    index: Formula = IndexFormula(0)
    if step != 1:
        index = BinaryFormula("*", index, Const(step))
    if start != 0:
        index = BinaryFormula("+", index, Const(start))
    return table(site, site.shape(), index, site.element)


@reads("linspace")
def linspace(site: AtenSite) -> Value:
    start, end, steps = float(site.known("start")), float(site.known("end")), site.size("steps")
    if isinstance(steps, int) and steps < 2:
        return filled(site, site.shape(), start)
    span: Formula = BinaryFormula("/", BinaryFormula("*", IndexFormula(0), Const(end - start)), Const(steps - 1))
    return table(site, site.shape(), BinaryFormula("+", Const(start), span), site.element)


@reads("eye")
def eye(site: AtenSite) -> Value:
    return table(site, site.shape(), BinaryFormula("==", IndexFormula(0), IndexFormula(1)), site.element)


@reads("one_hot")
def one_hot(site: AtenSite) -> Value:
    classes: Dim = site.size("num_classes")
    return site.one("one_hot", site.tensor(), classes=classes)


@reads("meshgrid")
def meshgrid(site: AtenSite) -> tuple[Value, ...]:
    tensors = site.tensors("tensors")
    sizes = [value.type.shape[0] for value in tensors]
    order = list(range(len(tensors)))
    if site.args.get("indexing") == "xy":
        order[:2] = [1, 0]
    shape = tuple(sizes[at] for at in order)
    found = []
    for at, value in enumerate(tensors):
        axis = order.index(at)
        column = site.reshape(value, tuple(sizes[at] if i == axis else 1 for i in range(len(shape))))
        found.append(site.one("expand", column, shape=shape))
    return tuple(found)
