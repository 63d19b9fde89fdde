"""What an opset has, from the schemas of onnx.

In: an operator in some form: its attributes, inputs and element types. Out: whether an opset has that form, and the element types of its
results. Always: a value of an attribute that came later than the attribute, which schemas do not say, is in `VALUES`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from netc.dsl.record import Record

from ....types.tensor_types import DTYPES, DType
from ...backend import OPSETS

Types = Sequence[DType | None]
"""Element types of inputs; None: not known, or absent."""

VALUES: Mapping[tuple[str, str, object], int] = {
    ("GridSample", "mode", "linear"): 20,
    ("GridSample", "mode", "cubic"): 20,
    ("Pad", "mode", "wrap"): 19,
    ("ScatterElements", "reduction", "max"): 18,
    ("ScatterElements", "reduction", "min"): 18,
    ("ScatterND", "reduction", "max"): 18,
    ("ScatterND", "reduction", "min"): 18,
}
"""Since which opset an attribute may have a value."""

_NAMES = {f"tensor({'double' if name == 'float64' else 'float' if name == 'float32' else name})": dtype for name, dtype in DTYPES.items()}
_TEXTS = {dtype.name: text for text, dtype in _NAMES.items()}


class NodeForm(Record):
    """A node as it is asked for: its type, the number of its inputs, the attributes that it has."""

    op_type: str
    inputs: int
    attributes: Mapping[str, object]


@cache
def _newest() -> int:
    """The newest opset that onnx has."""
    from onnx import defs

    return defs.onnx_opset_version()


@cache
def schema(op_type: str, opset: int) -> Any:
    """The operator in an opset; None if it has none of that name."""
    from onnx import defs  # imports all of onnx

    try:
        found = defs.get_schema(op_type, opset, "")
    except defs.SchemaError:
        return None
    return None if found.deprecated else found


def has(form: NodeForm, opset: int) -> bool:
    """Whether the opset has an operator with these inputs and attributes, of whatever element type."""
    found = schema(form.op_type, opset)
    if found is None or form.inputs > found.max_input:
        return False
    given = {name: value for name, value in form.attributes.items() if value is not None}
    known = found.attributes
    later = [VALUES[key] for name, value in given.items() if isinstance(value, str) and (key := (form.op_type, name, value)) in VALUES]
    return all(name in known for name in given) and all(since <= opset for since in later)


def lowest(form: NodeForm, above: int) -> int | None:
    """The first opset above that one which has the form."""
    return next((opset for opset in OPSETS if opset > above and has(form, opset)), None)


def variables(op_type: str, opset: int, count: int) -> list[str]:
    """For each of `count` inputs, the type variable of the schema."""
    declared = schema(op_type, opset).inputs
    return [declared[min(index, len(declared) - 1)].type_str for index in range(count)]


@cache
def allowed(op_type: str, opset: int, variable: str) -> frozenset[str]:
    """The element types of a type variable, by name."""
    for constraint in schema(op_type, opset).type_constraints:
        if constraint.type_param_str == variable:
            return frozenset(_NAMES[text].name for text in constraint.allowed_type_strs if text in _NAMES)
    return frozenset([_NAMES[variable].name] if variable in _NAMES else ())


def results(op_type: str, types: Types, attributes: Mapping[str, object], count: int) -> list[DType | None]:
    """The element types of `count` results."""
    to = attributes.get("to")
    if isinstance(to, DType):
        return [to] * count
    newest = _newest()
    found = schema(op_type, newest)
    inputs = variables(op_type, newest, len(types))
    made: list[DType | None] = []
    for index in range(count):
        variable = found.outputs[min(index, len(found.outputs) - 1)].type_str
        same = [dtype for dtype, own in zip(types, inputs, strict=True) if own == variable and dtype is not None]
        only = allowed(op_type, newest, variable)
        made.append(same[0] if same else DTYPES[next(iter(only))] if len(only) == 1 else None)
    return made


def output_variables(op_type: str, opset: int, count: int) -> list[str]:
    """For each of `count` results, the type variable of the schema."""
    declared = schema(op_type, opset).outputs
    return [declared[min(index, len(declared) - 1)].type_str for index in range(count)]
