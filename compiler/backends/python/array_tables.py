"""Writes the formula of a table with functions that have NumPy's names: `jnp.arange(4)[:, None] >= jnp.arange(4)`.

In: a table, and the names of the array modules. Out: code of its elements and their kind. Always: a formula with a real number is computed
by NumPy in float64 and becomes a constant, as sizes are known when code is traced; other formulas use the framework's own functions.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from keyword import iskeyword
from math import prod
from typing import Any
from zlib import compress

from ...ops.constants import TableOperator
from ...ops.formula import (
    FUNCTIONS,
    LOGIC,
    BinaryFormula,
    CallFormula,
    Const,
    Formula,
    IndexFormula,
    ItemFormula,
    StoredList,
    UnaryFormula,
    find_indices,
    iterate_parts,
    list_shape,
)
from ...ops.formula_bounds import is_real, kind_of
from ...ops.formula_values import fold_formula, list_values
from .code.class_tree import NameCode
from .code.python_expressions import (
    Code,
    Infix,
    LetCode,
    Lit,
    Local,
    Prefix,
    SliceCode,
    Subscript,
    TupleCode,
    call_function,
    call_method,
    to_code,
)

FEW = 64
"""The largest number of elements of a file that are written out."""


class ArrayTable:
    """The code of one table. `real`: it is computed by NumPy. `modules`: the names of NumPy and of the framework's functions."""

    def __init__(self, op: TableOperator, numpy: str, own: str, integer: Code, reserved: frozenset[str]) -> None:
        self.op, self.reserved = op, reserved
        self.formula = fold_formula(op.formula, traced=True)
        self.real = is_real(self.formula, op.shape)
        self.stored = any(isinstance(p, ItemFormula) and isinstance(p.list, StoredList) for p in iterate_parts(self.formula))
        self.module = numpy if self.real or self.stored else own
        self.integer = NameCode("int") if self.module == numpy else integer
        self.uses = Counter(p.number for p in iterate_parts(self.formula) if isinstance(p, IndexFormula))
        self.inline = sum(self.uses.values()) == 1
        self.shape = TupleCode(tuple(to_code(size, "size") for size in op.shape))

    def write_elements(self) -> tuple[tuple[tuple[str, Code], ...], Code]:
        """Return variables for the indices, and the elements, which may lack axes of the table that all are alike along."""
        root = self._write(self.formula)
        if self.inline or not self.uses:
            return (), root
        return tuple((self._name_index(axis), self._write_arange(axis)) for axis in sorted(self.uses)), root

    @property
    def is_constant(self) -> bool:
        """Whether all elements are one number."""
        return not self.uses

    @property
    def is_full(self) -> bool:
        """Whether the elements have the shape of the table, rather than one that is broadcast to it."""
        used = find_indices(self.formula)
        return bool(used) and all(axis in used for axis in range(len(self.op.shape)))

    def _call(self, name: str, *arguments: object) -> Code:
        return call_function(f"{self.module}.{name}", *arguments)

    def _name_index(self, axis: int) -> str:
        name = self.op.indices[axis]
        return name + "_" if iskeyword(name) or name == "self" or name in self.reserved else name

    def _write_arange(self, axis: int) -> Code:
        code = self._call("arange", to_code(self.op.shape[axis], "size"))
        after = len(self.op.shape) - 1 - axis
        return Subscript(code, (SliceCode(), *(Lit(None),) * after)) if after else code

    def _is_tensor(self, formula: Formula) -> bool:
        return bool(find_indices(formula)) or any(isinstance(p, ItemFormula) for p in iterate_parts(formula))

    def _is_truth(self, formula: Formula) -> bool:
        return kind_of(formula, self.op.shape) == "bool"

    def _write_number(self, formula: Formula) -> Code:
        code = self._write(formula)
        return call_method(code, "astype", self.integer) if self._is_truth(formula) and self._is_tensor(formula) else code

    def _write_boolean(self, formula: Formula) -> Code:
        code = self._write(formula)
        return code if self._is_truth(formula) else Infix("!=", code, Lit(0))

    def _write(self, formula: Formula) -> Code:
        match formula:
            case Const(value, name):
                return Lit(value, name)
            case IndexFormula(axis):
                return self._write_arange(axis) if self.inline else Local(self._name_index(axis))
            case UnaryFormula("not", operand):
                return self._call("logical_not", self._write_boolean(operand))
            case UnaryFormula(op, operand):
                return Prefix("-", self._write_number(operand)) if op == "-" else self._write_number(operand)
            case BinaryFormula(op, left, right) if op in LOGIC:
                return self._call(f"logical_{op}", self._write_boolean(left), self._write_boolean(right))
            case BinaryFormula(op, left, right):
                return self._write_arithmetic(op, left, right)
            case ItemFormula():
                return self._write_items(formula)
            case CallFormula():
                return self._write_call(formula)
        raise TypeError(f"not a formula: {formula!r}")

    def _write_arithmetic(self, op: str, left: Formula, right: Formula) -> Code:
        a, b = self._write_number(left), self._write_number(right)
        if self.real and not self._is_tensor(left) and not self._is_tensor(right) and op in ("**", "/", "//", "%"):
            a = self._call("float64", a)  # Python's numbers would become complex, or raise an error
        elif self.real and op == "**" and self._is_integer(left) and self._is_integer(right):
            a = self._call("float64", a)  # NumPy refuses negative powers of integers
        return Infix(op, a, b)

    def _write_call(self, formula: CallFormula) -> Code:
        match formula:
            case CallFormula("where", (test, then, otherwise)):
                truth = self._is_truth(formula)
                sides = (self._write(side) if truth else self._write_number(side) for side in (then, otherwise))
                return self._call("where", self._write_boolean(test), *sides)
            case CallFormula("min" | "max" as name, arguments):
                code = self._write_number(arguments[0])
                for other in arguments[1:]:
                    code = self._call(f"{name}imum", code, self._write_number(other))
                return code
            case CallFormula("float32", (argument,)):
                return self._call("float64", self._call("float32", self._write_number(argument)))
            case CallFormula(name, (argument,)):
                inner = self._write_number(argument)
                if FUNCTIONS[name].result == "int" and not self.real:
                    return inner
                return self._call(FUNCTIONS[name].numpy, inner)
        raise TypeError(f"not a formula: {formula!r}")

    def _is_integer(self, formula: Formula) -> bool:
        return kind_of(formula, self.op.shape) != "float"

    def _write_items(self, formula: ItemFormula) -> Code:
        """Write the numbers of a list at the indices."""
        if isinstance(formula.list, StoredList):
            array = formula.list.array
            if prod(array.shape) <= FEW and array.dtype.name in ("bool", "int64"):
                items = self._call("array", Lit(_to_nested_tuples(array.load_array().tolist()), "values"))
            else:
                text = b64encode(compress(array.data, 9)).decode()
                items = call_function("unpacked", Lit(text, "values"), Lit(array.shape, "shape"), array.dtype.name)
            shape = array.shape
        else:
            items = self._call("array", Lit(list_values(formula.list), "values"))
            shape = list_shape(formula.list) or ()
        axes = [index.number for index in formula.indices if isinstance(index, IndexFormula)]
        is_whole = len(axes) == len(formula.indices) == len(self.op.shape) and axes == sorted(axes) and shape == self.op.shape
        if is_whole and all(self.uses[axis] == 1 for axis in axes):
            self.uses.clear()
            self.inline = True
            return items
        return Subscript(items, tuple(map(self._write_index, formula.indices)))

    def _write_index(self, formula: Formula) -> Code:
        """Write an index. NumPy's `floor` gives reals, which are no indices."""
        code = self._write_number(formula)
        return call_method(code, "astype", self.integer) if self.real and self._is_tensor(formula) and _has_call(formula) else code


def _has_call(formula: Formula) -> bool:
    return any(isinstance(part, CallFormula) for part in iterate_parts(formula))


def _to_nested_tuples(values: Any) -> Any:
    return tuple(map(_to_nested_tuples, values)) if isinstance(values, list) else values


def bind_elements(bindings: tuple[tuple[str, Code], ...], code: Code) -> Code:
    return LetCode(bindings, code) if bindings else code
