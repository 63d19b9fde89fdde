"""Emit parameters and tables: as initializers and constants, or as Range and arithmetic if a table depends on sizes of the inputs.

>>> import netc
>>> [node.op_type for node in netc.compile("x = input [T]; x + (table (t) [T] float32 = 2 * t)").onnx().graph.node]
['Shape', 'Squeeze', 'Range', 'Mul', 'Cast', 'Add']
"""

from __future__ import annotations

import numpy as np

from ....ops.constants import ParamOperator, TableOperator
from ....ops.formula import (
    COMPARISONS,
    FUNCTIONS,
    LOGIC,
    BinaryFormula,
    CallFormula,
    Const,
    Formula,
    IndexFormula,
    ItemFormula,
    UnaryFormula,
    fills_shape,
)
from ....ops.formula_bounds import is_real, kind_of
from ....ops.formula_values import fold_formula, list_values
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import BOOL, DTYPES, FLOAT32, INT64, DType
from ..onnx_emitters import Site, emits


@emits(ParamOperator, onnx="an initializer")
def emit_parameter(op: ParamOperator, site: Site) -> str:
    return site.parameter("")


@emits(TableOperator, onnx="an initializer; or Range and arithmetic")
def emit_table(op: TableOperator, site: Site) -> str:
    if op.labeled:
        return site.parameter("")
    if not op.is_static:
        return _FormulaEmitter(op, site).emit_full()
    # NumPy has no bfloat16: the values of such a table come as float32, and are cast in the graph.
    values = site.constant(op.compute_values())
    return site.cast(values, op.element_type) if op.element_type.name == "bfloat16" else values


_OP_TYPES = {
    "+": "Add",
    "-": "Sub",
    "*": "Mul",
    "/": "Div",
    "**": "Pow",
    "==": "Equal",
    "<": "Less",
    "<=": "LessOrEqual",
    ">": "Greater",
    ">=": "GreaterOrEqual",
    "and": "And",
    "or": "Or",
}


class _FormulaEmitter:
    """Emits the formula of one table. All numbers have one type: float64 if any part of the formula is real, else int64."""

    def __init__(self, op: TableOperator, site: Site) -> None:
        self.op = op
        self.site = site
        self.formula = fold_formula(op.formula)
        self.real = is_real(self.formula, op.shape)
        self.dtype: DType = DTYPES["float64"] if self.real else INT64
        self.indices: dict[int, str] = {}

    def emit_full(self) -> str:
        name, truth = self._emit_formula(self.formula)
        dtype = BOOL if truth else self.dtype
        if dtype != self.op.element_type:
            name = self.site.cast(name, self.op.element_type)
        return name if fills_shape(self.formula, self.op.shape) else self.site.add("Expand", [name, self.site.ints(self.op.shape)])

    def _emit_index(self, axis: int) -> str:
        """Return the index along the axis, with an axis of size 1 for each axis that follows."""
        if axis not in self.indices:
            site = self.site
            ends = [site.scalar(v, INT64) for v in (0, self.op.shape[axis], 1)]
            name = site.add("Range", ends)
            after = len(self.op.shape) - 1 - axis
            if after:
                name = site.add("Unsqueeze", [name, site.ints(range(1, after + 1))])
            self.indices[axis] = site.cast(name, self.dtype) if self.real else name
        return self.indices[axis]

    def _emit_formula(self, formula: Formula) -> tuple[str, bool]:
        """Emit a part of the formula. Return its tensor, and whether the elements are booleans."""
        match formula:
            case Const(bool() as value):
                return self.site.constant(np.asarray(value)), True
            case Const(value):
                return self.site.scalar(value, self.dtype), False
            case IndexFormula(axis):
                return self._emit_index(axis), False
            case UnaryFormula("not", operand):
                return self.site.add("Not", [self._emit_bool(operand)]), True
            case UnaryFormula(op, operand):
                number = self._emit_number(operand)
                return (self.site.add("Neg", [number]) if op == "-" else number), False
            case BinaryFormula(op, left, right) if op in LOGIC:
                return self.site.add(_OP_TYPES[op], [self._emit_bool(left), self._emit_bool(right)]), True
            case BinaryFormula(op, left, right):
                return self._emit_binary(op, self._emit_number(left), self._emit_number(right)), op in COMPARISONS
            case ItemFormula():
                return self._emit_item(formula), kind_of(formula, self.op.shape) == "bool"
            case CallFormula("where", (test, then, otherwise)):
                return self._emit_where(formula, test, then, otherwise)
            case CallFormula(name, arguments):
                return self._emit_call(name, [self._emit_number(a) for a in arguments]), False
        raise TypeError(f"not a formula: {formula!r}")

    def _emit_item(self, formula: ItemFormula) -> str:
        """Look up elements of a list, which is stored flat, by their row-major position."""
        truth = kind_of(formula.list, self.op.shape) == "bool"
        values = np.asarray(list_values(formula.list), numpy_dtype(BOOL if truth else self.dtype))
        position = ""
        for index, size in zip(formula.indices, values.shape, strict=True):
            inner = self._emit_number(index)
            inner = self.site.cast(inner, INT64) if self.real else inner
            position = self.site.add("Add", [self.site.add("Mul", [position, self.site.scalar(size, INT64)]), inner]) if position else inner
        return self.site.add("Gather", [self.site.constant(values.reshape(-1)), position])

    def _emit_number(self, formula: Formula) -> str:
        name, truth = self._emit_formula(formula)
        return self.site.cast(name, self.dtype) if truth else name

    def _emit_bool(self, formula: Formula) -> str:
        name, truth = self._emit_formula(formula)
        return name if truth else self.site.cast(name, BOOL)

    def _emit_binary(self, op: str, left: str, right: str) -> str:
        add = self.site.add
        match op:
            case "!=":
                return add("Not", [add("Equal", [left, right])])
            case "%":
                return self._emit_remainder(left, right)
            case "//":
                exact = add("Div", [add("Sub", [left, self._emit_remainder(left, right)]), right])
                return add("Round", [exact]) if self.real else exact
        return add(_OP_TYPES[op], [left, right])

    def _emit_remainder(self, left: str, right: str) -> str:
        """Emit the remainder with the sign of the divisor, as Python has it."""
        add = self.site.add
        # ONNX's Mod does this for integers; for real numbers it gives the sign of the dividend.
        if not self.real:
            return add("Mod", [left, right], fmod=0)
        rest = add("Mod", [left, right], fmod=1)
        zero = self.site.scalar(0.0, self.dtype)
        wrong = add("Less", [add("Mul", [add("Sign", [rest]), add("Sign", [right])]), zero])
        return add("Where", [wrong, add("Add", [rest, right]), rest])

    def _emit_where(self, formula: Formula, test: Formula, then: Formula, otherwise: Formula) -> tuple[str, bool]:
        add, truth = self.site.add, self._emit_bool(test)
        if kind_of(formula, self.op.shape) != "bool":
            return add("Where", [truth, self._emit_number(then), self._emit_number(otherwise)]), False
        # ONNX Runtime has no Where kernel for booleans.
        chosen = add("And", [truth, self._emit_bool(then)])
        other = add("And", [add("Not", [truth]), self._emit_bool(otherwise)])
        return add("Or", [chosen, other]), True

    def _emit_call(self, name: str, arguments: list[str]) -> str:
        if name == "float32":
            return self.site.cast(self.site.cast(arguments[0], FLOAT32), self.dtype)
        if FUNCTIONS[name].result == "int" and not self.real:
            return arguments[0]
        if name == "int":
            return self.site.cast(self.site.cast(arguments[0], INT64), self.dtype)
        return self.site.add(name.capitalize(), arguments)
