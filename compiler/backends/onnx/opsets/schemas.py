"""Reads from onnx's schemas what an opset has.

In: an operator in some form: its attributes, inputs and element types. Out: whether an opset has that form, and the element types of its
results. Always: `VALUES` lists values of attributes that are newer than the attribute, because schemas do not say that.

    >>> gelu = NodeForm("Gelu", 1, {"approximate": "tanh"})
    >>> has_form(gelu, 19), find_lowest_opset(gelu, 19)
    (False, 20)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from netc.dsl.record import Record

from ....onnx_standard.operator_schemas import find_schema
from ....types.tensor_types import DTYPES, DType
from ...backend_names import OPSETS

Types = Sequence[DType | None]
"""Element types of inputs, or None if unknown or absent."""

VALUES: Mapping[tuple[str, str, object], int] = {
    ("GridSample", "mode", "linear"): 20,
    ("GridSample", "mode", "cubic"): 20,
    ("Pad", "mode", "wrap"): 19,
    ("ScatterElements", "reduction", "max"): 18,
    ("ScatterElements", "reduction", "min"): 18,
    ("ScatterND", "reduction", "max"): 18,
    ("ScatterND", "reduction", "min"): 18,
}
"""The first opset in which an attribute may have a value."""
INEXACT_TYPES: Mapping[tuple[str, int], frozenset[str]] = {("Softplus", 18): frozenset({"float16"})}
"""Element types that an operator of an opset has, but is wrong for. The definition of Softplus in opset 18 is `log(exp(x) + 1)`, which is
infinite in float16 from 11.1 on. ONNX Runtime computes it, since it has no kernel for float16."""

_NAMES = {f"tensor({'double' if name == 'float64' else 'float' if name == 'float32' else name})": dtype for name, dtype in DTYPES.items()}
_TEXTS = {dtype.name: text for text, dtype in _NAMES.items()}


class NodeForm(Record):
    """A requested node: its type, the number of its inputs, and its attributes."""

    op_type: str
    inputs: int
    attributes: Mapping[str, object]


@cache
def _get_newest_opset() -> int:
    """Return the newest opset of the installed onnx."""
    from onnx import defs

    return defs.onnx_opset_version()


def has_form(form: NodeForm, opset: int) -> bool:
    """Whether the opset has an operator with these inputs and attributes, of whatever element type."""
    schema_ = find_schema(form.op_type, opset)
    if schema_ is None or form.inputs > schema_.max_input:
        return False
    attributes = {name: value for name, value in form.attributes.items() if value is not None}
    known = schema_.attributes
    later = [VALUES[key] for name, value in attributes.items() if isinstance(value, str) and (key := (form.op_type, name, value)) in VALUES]
    return all(name in known for name in attributes) and all(since <= opset for since in later)


def find_lowest_opset(form: NodeForm, above: int) -> int | None:
    """Find the first later opset that has the form."""
    return next((opset for opset in OPSETS if opset > above and has_form(form, opset)), None)


def list_input_variables(op_type: str, opset: int, count: int) -> list[str]:
    """List the schema's type variable for each of `count` inputs."""
    declared = find_schema(op_type, opset).inputs
    # The last input of a schema may be variadic, as in Concat.
    return [declared[min(index, len(declared) - 1)].type_str for index in range(count)]


@cache
def list_allowed_types(op_type: str, opset: int, variable: str) -> frozenset[str]:
    """List the element types of a type variable for which the operator is exact, by name."""
    for constraint in find_schema(op_type, opset).type_constraints:
        if constraint.type_param_str == variable:
            known = frozenset(_NAMES[text].name for text in constraint.allowed_type_strs if text in _NAMES)
            return known - INEXACT_TYPES.get((op_type, opset), frozenset())
    return frozenset([_NAMES[variable].name] if variable in _NAMES else ())


def infer_result_types(op_type: str, types: Types, attributes: Mapping[str, object], count: int) -> list[DType | None]:
    """Infer the element types of `count` results."""
    to = attributes.get("to")
    if isinstance(to, DType):
        return [to] * count
    newest = _get_newest_opset()
    schema_ = find_schema(op_type, newest)
    inputs = list_input_variables(op_type, newest, len(types))
    dtypes: list[DType | None] = []
    for index in range(count):
        variable = schema_.outputs[min(index, len(schema_.outputs) - 1)].type_str
        same = [dtype for dtype, input_variable in zip(types, inputs, strict=True) if input_variable == variable and dtype is not None]
        only = list_allowed_types(op_type, newest, variable)
        dtypes.append(same[0] if same else DTYPES[next(iter(only))] if len(only) == 1 else None)
    return dtypes


def list_output_variables(op_type: str, opset: int, count: int) -> list[str]:
    """List the schema's type variable for each of `count` results."""
    declared = find_schema(op_type, opset).outputs
    return [declared[min(index, len(declared) - 1)].type_str for index in range(count)]
