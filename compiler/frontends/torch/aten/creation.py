"""Reads operators that create tensors from sizes and numbers alone: `torch.arange(T)` becomes `table (i) [T] int64 = i`."""

from __future__ import annotations

from ....dims import Dim
from ....ir.graph_values import Value
from ....ops.formula import BinaryFormula, Const, Formula, IndexFormula
from ....types.tensor_types import BOOL, DType, Shape
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite, Number
from ..aten_table import reads

_NAMES = "ijklmn"


def make_table(site: AtenSite, shape: Shape, formula: Formula, dtype: DType) -> Value:
    """Make a table of this shape and element type."""
    names = tuple(_NAMES[axis] if axis < len(_NAMES) else f"i{axis}" for axis in range(len(shape)))
    return site.apply_op("table", indices=names, shape=shape, formula=formula, dtype=dtype)


def make_constant(site: AtenSite, shape: Shape, number: Number) -> Value:
    """Make a table with one number in every position."""
    dtype = site.result_dtype
    value: Number = number if dtype.is_float else number if not isinstance(number, float) else int(number)
    if dtype == BOOL:
        value = bool(number)
    elif isinstance(value, int) and dtype.is_float:
        value = float(value)
    return make_table(site, shape, Const(value), dtype)


@reads(
    "zeros", "new_zeros", "zeros_like", "ones", "new_ones", "ones_like", "full", "new_full", "full_like", "scalar_tensor", "fill", "zero"
)
def read_full(site: AtenSite) -> Value:
    name = site.name
    if "zero" in name or "ones" in name:
        number: Number | None = 0 if "zero" in name else 1
    else:
        argument = next(key for key in ("fill_value", "s", "value") if key in site.args)
        number = site.number_of(argument)
    if number is None:
        return site.apply_op("expand", site.cast(site.tensor("value"), site.result_dtype), shape=site.result_shape())
    return make_constant(site, site.result_shape(), number)


@reads("empty", "new_empty", "empty_like")
def read_empty(site: AtenSite) -> Value:
    """Read memory with arbitrary contents as zeros.

    Code usually fills such a tensor part by part. The import fails if anything still reads the zeros in the end.
    """
    value = make_constant(site, site.result_shape(), 0)
    site.scope.model.arbitrary.append((site.node, value))
    return value


@reads("bernoulli", "rand", "randn", "rand_like", "randn_like", "normal", "uniform", "randint", "randperm")
def refuse_random(site: AtenSite) -> Value:
    raise ImportRefused("draws random numbers, which in a spec only `dropout` and its kind do")


@reads("arange")
def read_arange(site: AtenSite) -> Value:
    start: Number = site.number("start") if site.has_argument("start") else 0
    step: Number = site.number("step") if site.has_argument("step") else 1
    index: Formula = IndexFormula(0)
    if step != 1:
        index = BinaryFormula("*", index, Const(step))
    if start != 0:
        index = BinaryFormula("+", index, Const(start))
    return make_table(site, site.result_shape(), index, site.result_dtype)


@reads("linspace")
def read_linspace(site: AtenSite) -> Value:
    start, end, steps = float(site.fixed_number("start")), float(site.fixed_number("end")), site.size("steps")
    # One step would divide by 0.
    if isinstance(steps, int) and steps < 2:
        return make_constant(site, site.result_shape(), start)
    span: Formula = BinaryFormula("/", BinaryFormula("*", IndexFormula(0), Const(end - start)), Const(steps - 1))
    return make_table(site, site.result_shape(), BinaryFormula("+", Const(start), span), site.result_dtype)


@reads("eye")
def read_eye(site: AtenSite) -> Value:
    site.leave_to_result("n", "m")
    return make_table(site, site.result_shape(), BinaryFormula("==", IndexFormula(0), IndexFormula(1)), site.result_dtype)


@reads("one_hot")
def read_one_hot(site: AtenSite) -> Value:
    classes: Dim = site.size("num_classes")
    return site.apply_op("one_hot", site.tensor(), classes=classes)


@reads("meshgrid")
def read_meshgrid(site: AtenSite) -> tuple[Value, ...]:
    tensors = site.tensors("tensors")
    # A tensor without axes counts as one of a single element.
    sizes = [value.type.shape[0] if value.type.shape else 1 for value in tensors]
    order = list(range(len(tensors)))
    # NumPy's order for images: the first two axes are swapped.
    if site.args.get("indexing") == "xy" and len(tensors) > 1:
        order[:2] = [1, 0]
    shape = tuple(sizes[number] for number in order)
    result = []
    for number, value in enumerate(tensors):
        axis = order.index(number)
        column = site.reshape(value, tuple(sizes[number] if i == axis else 1 for i in range(len(shape))))
        result.append(site.apply_op("expand", column, shape=shape))
    return tuple(result)
