"""Writes tables in PyTorch: `torch.arange(8) < 4`.

A static table is a tensor that the constructor makes, as a parameter is (parameters.py). Any other table is computed in `forward`.
Formulas are written as a person would write them, with `torch.arange` for the indices and broadcasting.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from keyword import iskeyword
from math import prod
from typing import Any
from zlib import compress

from ....dims import SymDim
from ....ops.constants import TableOperator
from ....ops.formula import (
    ARITHMETIC,
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
    fills_shape,
    find_indices,
    find_operands,
    list_shape,
)
from ....ops.formula_bounds import is_real, kind_of, may_be_zero
from ....ops.formula_values import fold_formula, list_values
from ....ops.stored_tables import TableArray
from ....types.tensor_types import BOOL, DTYPES, FLOAT32, INT64, DType
from ...python.code.class_tree import StrictLiteral
from ...python.code.python_expressions import (
    AttributeCode,
    Code,
    Infix,
    LetCode,
    Lit,
    Local,
    Method,
    Prefix,
    SelfMember,
    SliceCode,
    Subscript,
    TupleCode,
    call_function,
    call_method,
    to_code,
)
from ...python.lowering.lowered_operators import ConvertedTable, ExactTable
from ...python.operator_forms import FLOAT_NEUTRAL
from ..torch_emitters import TorchSite, function, invocation, module
from ..torch_framework import DEVICE, get_torch_dtype, make_dtype_keyword
from .parameters import emit_fill_value, to_float
from .shape import emit_cast_to, emit_model_type

FLOAT64 = DTYPES["float64"]
_USUAL = {StrictLiteral(value): f"torch.{name}" for name, values in (("zeros", (0, 0.0)), ("ones", (1, 1.0))) for value in values}
"""The functions that make tensors of one number."""
_FEW = 64
"""The largest number of elements of a file that are written out."""


@module(TableOperator, target="torch.arange and arithmetic")
def emit_static_table(op: TableOperator, site: TorchSite) -> Code:
    return _TableWriter(op).write_table()


@function(TableOperator)
def emit_table(op: TableOperator, site: TorchSite) -> Code:
    return SelfMember() if op.is_static else _TableWriter(op).write_table()


@function(ConvertedTable)
def emit_converted_table(op: ConvertedTable, site: TorchSite) -> Code:
    return _TableWriter(op, emit_model_type(op, site)).write_table()


@module(ExactTable)
def emit_exact_table(op: ExactTable, site: TorchSite) -> Code:
    code = _TableWriter(op).write_table()
    # Statements before the expression stay outside of the call.
    if isinstance(code, LetCode):
        return LetCode(code.bindings, call_function("Constant", code.result))
    return call_function("Constant", code)


@invocation(ExactTable)
def emit_exact_value(op: ExactTable, site: TorchSite) -> Code:
    return AttributeCode(SelfMember(), "value")


class _Term:
    """A part of a formula as code: a tensor or a Python number, of booleans (`truth`) or of numbers."""

    __slots__ = ("code", "tensor", "truth")

    def __init__(self, code: Code, *, tensor: bool, truth: bool = False) -> None:
        self.code, self.tensor, self.truth = code, tensor, truth


class _TableWriter:
    """Writes the formula of one table. Tensors are float64 where any operand is real, else int64."""

    def __init__(self, op: TableOperator, dtype: Code | None = None) -> None:
        """`dtype`: an element type that only run time knows, instead of the table's own."""
        self.op, self.dtype = op, dtype
        self.formula = fold_formula(op.formula, traced=True)
        self.uses = Counter(p.number for p in self._written_parts() if isinstance(p, IndexFormula))
        # One index that is used once needs no variable.
        self.inline = sum(self.uses.values()) == 1
        self.real_indices: set[int] = set()
        self._find_real(self.formula)

    def write_table(self) -> Code:
        real = is_real(self.formula, self.op.shape)
        if not find_indices(self.formula):
            return self._write_constant()
        root = self._expand_shape(self._write_root(real))
        if self.inline or not self.uses:
            return root
        return LetCode(tuple((self._name_index(axis), self._write_arange(axis)) for axis in sorted(self.uses)), root)

    def _expand_shape(self, root: Code) -> Code:
        """Expand the formula to the shape of the table, whose axes it may lack."""
        shape, used = self.op.shape, find_indices(self.formula)
        first = min(used)
        if fills_shape(self.formula, shape):
            return root
        if all(axis in used or size == 1 for axis, size in enumerate(shape)):
            return Subscript(root, (Lit(None),) * first)
        root = call_method(root, "expand", *(to_code(d, "size") for d in shape))
        # The elements of an expanded tensor share memory, and a buffer must own its elements to be written in place.
        return call_method(root, "clone") if self.op.is_static else root

    def _write_root(self, real: bool) -> Code:
        """Write the formula, converted to the table's type."""
        match self.formula:
            case ItemFormula() as item if self.dtype is None:
                return self._write_items(item, self.op.element_type)
            # `torch.where` of two floats gives the default type, so no conversion through float64 is needed.
            case CallFormula("where", (test, Const() as then, Const() as otherwise)) if real and self.op.element_type != FLOAT64:
                branches = [Lit(c.value if isinstance(c.value, SymDim) else to_float(c.value)) for c in (then, otherwise)]
                if any(isinstance(b.value, float) for b in branches):
                    return self._convert_type(call_function("torch.where", self._to_tensor(self._write_boolean(test)), *branches), FLOAT32)
        term = self._write_term(self.formula, real)
        dtype = BOOL if term.truth else FLOAT64 if real else INT64
        return self._convert_type(term.code, dtype)

    def _write_constant(self) -> Code:
        """Write a formula that depends on no index."""
        real = is_real(self.formula, self.op.shape)
        value = self._write_term(self.formula, real)
        sizes = TupleCode(tuple(to_code(d, "size") for d in self.op.shape))
        device = {} if self.op.is_static else {"device": DEVICE}
        if value.tensor:
            number = self._convert_type(value.code, BOOL if value.truth else FLOAT64 if real else INT64)
            spread = call_method(number, "expand", *sizes.items) if sizes.items else number
            return call_method(spread, "clone") if self.op.is_static else spread
        code = value.code
        # `torch.full` takes the type from the number, and a float does not make integers.
        if isinstance(code, Lit) and isinstance(code.value, float) and self.op.element_type.is_integer:
            code = emit_fill_value(code.value, self.op.element_type)
        usual = _USUAL.get(StrictLiteral(code.value)) if isinstance(code, Lit) else None
        natural = isinstance(code, Lit) and (usual or isinstance(code.value, float)) and self.op.element_type == FLOAT32
        dtype = self.dtype or (make_dtype_keyword(FLOAT32) if natural else get_torch_dtype(self.op.element_type))
        if usual:
            return call_function(usual, *(sizes.items or (sizes,)), dtype=dtype, **device)
        return call_function("torch.full", sizes, code, dtype=dtype, **device)

    def _convert_type(self, code: Code, dtype: DType) -> Code:
        if self.dtype is not None:
            return call_method(code, "to", self.dtype)
        return code if dtype == self.op.element_type else emit_cast_to(code, self.op.element_type)

    # --- indices ---------------------------------------------------------------------------------------------------------

    def _find_real(self, formula: Formula) -> None:
        """Find the indices that are combined with real numbers. The others, such as those compared with integers only, stay integers."""
        stack = [(formula, is_real(formula, self.op.shape))]
        while stack:
            part, real = stack.pop()
            match part:
                case IndexFormula(axis) if real:
                    self.real_indices.add(axis)
                case UnaryFormula("not", operand):
                    stack.append((operand, self._is_real(operand)))
                case UnaryFormula(_, operand):
                    stack.append((operand, real))
                case BinaryFormula(op, left, right):
                    inside = real if op in ARITHMETIC else self._is_real(left) or self._is_real(right)
                    stack += ((left, inside), (right, inside))
                case ItemFormula(_, places):
                    stack += ((index, self._is_real(index)) for index in places)
                case CallFormula("where", (test, then, otherwise)):
                    stack += ((test, self._is_real(test)), (then, real), (otherwise, real))
                case CallFormula(_, arguments):
                    stack += ((a, real) for a in arguments)

    def _is_real(self, formula: Formula) -> bool:
        return is_real(formula, self.op.shape)

    def _name_index(self, axis: int) -> str:
        name = self.op.indices[axis]
        # The index is a variable of `forward` or of the constructor, next to the imports.
        return name + "_" if iskeyword(name) or name in ("self", "torch", "nn", "F") else name

    def _write_arange(self, axis: int) -> Code:
        dtype = make_dtype_keyword(FLOAT64 if axis in self.real_indices else INT64, INT64)
        device = {} if self.op.is_static else {"device": DEVICE}
        code: Code = call_function("torch.arange", to_code(self.op.shape[axis], "size"), dtype=dtype, **device)
        after = len(self.op.shape) - 1 - axis
        return Subscript(code, (SliceCode(), *(Lit(None),) * after)) if after else code

    # --- parts -----------------------------------------------------------------------------------------------------------

    def _write_term(self, formula: Formula, real: bool) -> _Term:
        match formula:
            case Const(value, name):
                return _Term(Lit(value, name), tensor=False, truth=isinstance(value, bool))
            case IndexFormula(axis):
                return _Term(self._write_arange(axis) if self.inline else Local(self._name_index(axis)), tensor=True)
            case UnaryFormula("not", operand):
                inner = self._write_boolean(operand)
                # `~` of a Python bool is an integer (-2), so a plain boolean is flipped by `^ True`.
                code = Prefix("~", inner.code) if inner.tensor else Infix("^", inner.code, Lit(True))
                return _Term(code, tensor=inner.tensor, truth=True)
            case UnaryFormula(op, operand):
                inner = self._write_number(operand, real)
                return _Term(Prefix("-", inner.code), tensor=inner.tensor) if op == "-" else inner
            case BinaryFormula(op, left, right):
                return self._write_binary(op, left, right, real)
            case ItemFormula(sequence, _):
                truth = kind_of(sequence, self.op.shape) == "bool"
                return _Term(self._write_items(formula, BOOL if truth else FLOAT64 if real else INT64), tensor=True, truth=truth)
            case CallFormula("where", (test, then, otherwise)):
                return self._write_where(test, then, otherwise, real)
            case CallFormula("min" | "max" as name, arguments):
                return self._write_extreme(name, arguments, real)
            case CallFormula(name, (argument,)):
                return self._write_call(name, self._write_number(argument, real), real)
        raise TypeError(f"not a formula: {formula!r}")

    def _write_items(self, formula: ItemFormula, dtype: DType) -> Code:
        """Write the numbers of a list at the indices."""
        if isinstance(formula.list, StoredList):
            return _emit_stored_array(formula.list.array, dtype)
        values = list_values(formula.list)
        kind = {"bool": BOOL, "int": INT64, "float": FLOAT32}[kind_of(formula.list, self.op.shape)]
        device = {} if self.op.is_static else {"device": DEVICE}
        items = call_function("torch.tensor", Lit(values, "values"), dtype=make_dtype_keyword(dtype, kind), **device)
        # A list along whole axes needs no lookup: broadcasting puts it in its place.
        if self._is_along_axes(formula):
            axes = find_indices(formula)
            places = tuple(SliceCode() if axis in axes else Lit(None) for axis in range(min(axes), len(self.op.shape)))
            return items if len(places) == len(axes) else Subscript(items, places)
        return Subscript(items, tuple(self._item_index(index) for index in formula.indices))

    def _is_along_axes(self, formula: ItemFormula) -> bool:
        """Whether the list has an item for each index along some axes of the table, in their order."""
        axes = [index.number for index in formula.indices if isinstance(index, IndexFormula)]
        return (
            len(axes) == len(formula.indices)
            and axes == sorted(set(axes))
            and list_shape(formula.list) == tuple(self.op.shape[a] for a in axes)
        )

    def _written_parts(self) -> Iterator[Formula]:
        """Iterate over the formula and its parts, except lists and the indices of lists along axes."""
        stack = [self.formula]
        while stack:
            part = stack.pop()
            yield part
            if isinstance(part, ItemFormula):
                stack += () if self._is_along_axes(part) else part.indices
            else:
                stack += find_operands(part)

    def _item_index(self, index: Formula) -> Code:
        # An index that is combined with real numbers elsewhere is float64 here too, and cannot index a tensor.
        real = self._is_real(index) or not self.real_indices.isdisjoint(find_indices(index))
        code = self._write_number(index, real).code
        return Method(code, "long") if real else code

    def _write_number(self, formula: Formula, real: bool) -> _Term:
        term = self._write_term(formula, real)
        if term.truth and term.tensor:
            return _Term(Method(term.code, "double" if real else "long"), tensor=True)
        return term

    def _write_boolean(self, formula: Formula) -> _Term:
        term = self._write_term(formula, self._is_real(formula))
        return term if term.truth else _Term(Infix("!=", term.code, Lit(0)), tensor=term.tensor, truth=True)

    def _to_tensor(self, term: _Term, dtype: DType = BOOL) -> Code:
        if term.tensor:
            return term.code
        device = {} if self.op.is_static else {"device": DEVICE}
        return call_function("torch.tensor", term.code, dtype=make_dtype_keyword(dtype, BOOL), **device)

    def _write_binary(self, op: str, left: Formula, right: Formula, real: bool) -> _Term:
        if op in LOGIC:
            a, b = self._write_boolean(left), self._write_boolean(right)
            return _Term(Infix("&" if op == "and" else "|", a.code, b.code), tensor=a.tensor or b.tensor, truth=True)
        arithmetic = op in ARITHMETIC
        inside = real if arithmetic else self._is_real(left) or self._is_real(right)
        a, b = self._write_number(left, inside), self._write_number(right, inside)
        if inside and not (a.tensor or b.tensor) and (op == "**" or (op in ("/", "//", "%") and may_be_zero(right, self.op.shape))):
            # Python's numbers would become complex, or raise an error.
            a = _Term(self._to_tensor(a, FLOAT64), tensor=True)
        right_code = b.code if arithmetic else _add_hint(b.code, "limit")
        tensor = a.tensor or b.tensor
        neutral = arithmetic and tensor and (not inside or op in FLOAT_NEUTRAL)
        return _Term(Infix(op, a.code, right_code, "neutral" if neutral else "signs"), tensor=tensor, truth=not arithmetic)

    def _write_where(self, test: Formula, then: Formula, otherwise: Formula, real: bool) -> _Term:
        # A condition as 1 or 0 is the condition itself, converted.
        a, b = self._write_term(then, real), self._write_term(otherwise, real)
        truth = a.truth and b.truth
        if not truth:
            a, b = self._write_number(then, real), self._write_number(otherwise, real)
        if not real and not truth and (a.code, b.code) == (Lit(1), Lit(0)):
            return _Term(call_method(self._to_tensor(self._write_boolean(test)), "long"), tensor=True)
        chosen = self._to_tensor(a, FLOAT64) if real and not truth and not b.tensor else a.code
        return _Term(call_function("torch.where", self._to_tensor(self._write_boolean(test)), chosen, b.code), tensor=True, truth=truth)

    def _write_extreme(self, name: str, arguments: tuple[Formula, ...], real: bool) -> _Term:
        terms = [self._write_number(a, real) for a in arguments]
        tensors = [t.code for t in terms if t.tensor]
        numbers = [t.code for t in terms if not t.tensor]
        number = numbers[0] if len(numbers) == 1 else call_function(name, *numbers)
        if not tensors:
            return _Term(number, tensor=False)
        code = tensors[0]
        for other in tensors[1:]:
            code = call_function(f"torch.{name}imum", code, other)
        if numbers:
            code = call_method(code, "clamp", **{"max" if name == "min" else "min": _add_hint(number, "limit")})
        return _Term(code, tensor=True)

    def _write_call(self, name: str, argument: _Term, real: bool) -> _Term:
        if FUNCTIONS[name].result == "int":
            return self._write_rounding(name, argument) if real else argument
        # Through float32 and back, so that the value is rounded as the spec says.
        if name == "float32":
            return _Term(Method(Method(self._to_tensor(argument, FLOAT64), "float"), "double"), tensor=True)
        if name == "abs":
            size = Method(argument.code, "abs") if argument.tensor else call_function("abs", argument.code)
            return _Term(size, tensor=argument.tensor)
        return _Term(call_function(f"torch.{name}", self._to_tensor(argument, FLOAT64)), tensor=True)

    def _write_rounding(self, name: str, argument: _Term) -> _Term:
        if argument.tensor:
            return _Term(call_function({"int": "torch.trunc"}.get(name, f"torch.{name}"), argument.code), tensor=True)
        return _Term(Infix("//", argument.code, Lit(1)) if name == "floor" else call_function(name, argument.code), tensor=False)


def _emit_stored_array(array: TableArray, dtype: DType) -> Code:
    """Write the numbers of a file: a few as they are, others compressed."""
    kind = {"b": BOOL, "i": INT64, "f": FLOAT32}.get(array.dtype.name[0], FLOAT32)
    if prod(array.shape) <= _FEW and array.dtype in (BOOL, INT64):
        return call_function(
            "torch.tensor", Lit(_to_nested_tuples(array.load_array().tolist()), "values"), dtype=make_dtype_keyword(dtype, kind)
        )
    # Emitted source is one file, which contains long tables as compressed text.
    text = b64encode(compress(array.data, 9)).decode()
    code = call_function("unpacked", Lit(text, "values"), Lit(array.shape, "shape"), get_torch_dtype(array.dtype))
    return code if array.dtype == dtype else emit_cast_to(code, dtype)


def _to_nested_tuples(values: Any) -> Any:
    return tuple(map(_to_nested_tuples, values)) if isinstance(values, list) else values


def _add_hint(code: Code, hint: str) -> Code:
    """Give a number without a name in the spec a hint for its role."""
    return Lit(code.value, hint) if isinstance(code, Lit) and not code.hint else code
