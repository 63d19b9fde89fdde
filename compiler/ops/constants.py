"""Tensors without inputs: learned parameters, and tables of a formula.

The elaborator makes these of `param` and `table`; neither can be written as a stage. Both have no inputs and one result.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, Self

from ..dims import Dim, SymDim, bounds
from ..errors.constants import (
    DivisorMayBeZero,
    FormulaTooDeep,
    IndexCount,
    ItemOutside,
    ListTooLong,
    RealItemIndex,
    SymbolicBuffer,
    SymbolicParameterShape,
    UntrainableType,
)
from ..errors.limit_errors import LargeNumber
from ..errors.operator_errors import EmptyResult
from ..errors.problem import STAGE, argument_location
from ..errors.value_errors import NoValue
from ..types.tensor_types import BOOL, FLOAT32, INT64, DType, Shape, TensorType
from .formula import (
    BinaryFormula,
    Const,
    Formula,
    ItemFormula,
    StoredList,
    is_static,
    iterate_parts,
    list_shape,
    measure_depth,
    substitute_in_formula,
)
from .formula_bounds import find_interval, kind_of, may_be_zero
from .formula_values import evaluate_formula, find_valueless, fold_formula
from .initializers import INIT, check_init
from .kinds import DTYPE, FLAG, SHAPE, STRING, InvalidArgument, Kind, ListKind
from .operator import Arg, Init, Operator, OperatorError, OpInputs, ParameterSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEEPEST = 100
"""The greatest depth of a formula: deeper ones might exceed Python's stack."""
MOST_ITEMS = 10_000
"""The most numbers of a list in a formula."""
_LARGEST = 2**63 - 1


class FormulaKind(Kind[Formula]):
    def describe_values(self) -> str:
        return "a formula of the table's indices"

    def convert_value(self, value: object) -> Formula:
        if not isinstance(value, Formula):
            raise InvalidArgument
        return value


class ParamOperator(Operator):
    """A learned tensor, or a buffer: `param [1, 1, d] init=zeros as class_token`.

    `norms_of` is the label of another `param` in the same body. Its rows' norms are then the initial values.
    """

    name = "param"
    shape = Arg(SHAPE, positional=True)
    dtype = Arg(DTYPE, default=FLOAT32)
    init = Arg(INIT, default=Init("zeros"))
    trainable = Arg(FLAG, default=True)
    norms_of = Arg(STRING, default=None)
    examples = (
        "x = input [2, 3]; x + (param [2, 3] init=normal(0.02) as position)",
        "x = input 3; scale = param [3] init=ones as scale; x * scale",
        "x = input 3; offset = param [1] init=uniform(-1, 1) trainable=false as offset; x + offset",
    )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        _refuse_empty(self.name, self.shape)
        for axis, size in enumerate(self.shape):
            # A module allocates its parameters when it is made, before the first input fixes any symbol.
            if isinstance(size, SymDim):
                raise OperatorError(SymbolicParameterShape(self.shape, axis), argument_location("shape"))
        # `nn.Parameter` refuses integers and booleans, because only floating-point tensors have gradients.
        if self.trainable and not self.dtype.is_float:
            raise OperatorError(UntrainableType(self.dtype), argument_location("dtype"))
        check_init(self.init, self.shape, self.dtype, "init")
        return (TensorType(self.dtype, self.shape),)

    def parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        return (ParameterSpec("", self.shape, self.init, self.dtype, trainable=self.trainable, follows=self.norms_of),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 0


class TableOperator(Operator):
    """A tensor given by a formula of its indices: `table (t, k) [T, 64] = sin(t / 10000 ** (k / 64))`.

    A *static* one, whose sizes and numbers are all known, is a buffer; it is part of the state dict if it has a label. Any other is
    computed at run time. The type, unless it is given: bool for a comparison, int64 for integers, else float32.
    """

    name = "table"
    indices = Arg(ListKind(STRING))
    shape = Arg(SHAPE, positional=True)
    formula = Arg(FormulaKind())
    dtype = Arg(DTYPE, default=None)
    labeled = Arg(FLAG, default=False)
    examples = (
        "x = input [4, 4]; mask = table (i, j) [4, 4] = where(j <= i, 0, -1e9); x + mask -> softmax",
        "x = input [T, 8]; positions = table (t, k) [T, 8] = sin(t / 100 ** (k / 8)); x + positions",
        "x = input 3x8x8; mean = table (c, h, w) [3, 1, 1] = [0.485, 0.456, 0.406][c]; x - mean",
    )

    @property
    def is_static(self) -> bool:
        """Whether the values are known now."""
        return all(isinstance(d, int) for d in self.shape) and is_static(self.formula)

    @property
    def element_type(self) -> DType:
        """The element type."""
        inputs: DType | None = self.dtype
        return inputs or {"bool": BOOL, "int": INT64, "float": FLOAT32}[kind_of(self.formula, self.shape)]

    @property
    def numbers(self) -> tuple[Any, ...]:
        # To `args`, the formula is one opaque value, so its numbers are listed here and replaced below.
        return (*super().numbers, *(p.value for p in iterate_parts(self.formula) if isinstance(p, Const)))

    def substitute_values(self, places: Mapping[str, Any]) -> Self:
        return type(self)(**{**super().substitute_values(places).args, "formula": substitute_in_formula(self.formula, places)})

    def find_shape_error(self) -> OperatorError | None:
        """Find an error in the depth of the formula or the number of its indices. The element type is only known without such an error."""
        deep = measure_depth(self.formula)
        if deep > DEEPEST:
            return OperatorError(FormulaTooDeep(deep, DEEPEST), argument_location("formula"))
        if len(self.indices) != len(self.shape):
            return OperatorError(IndexCount(self.indices, self.shape), argument_location("shape"))
        return None

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        misshapen = self.find_shape_error()
        if misshapen is not None:
            raise misshapen
        _refuse_empty(self.name, self.shape)
        # A label makes it part of the state dict, and a state dict has no tensors of symbolic sizes.
        if self.labeled and not self.is_static:
            raise OperatorError(SymbolicBuffer(self.shape), argument_location("shape"))
        for part in iterate_parts(self.formula):
            # Every backend computes integer formulas in int64, in which a larger number would wrap.
            if isinstance(part, Const) and isinstance(part.value, int) and not -_LARGEST - 1 <= part.value <= _LARGEST:
                raise OperatorError(LargeNumber(part.value, _LARGEST), argument_location("formula"))
        for part in iterate_parts(fold_formula(self.formula)):  # `i % (2 * 2 // 2)` is `i % 2`, whose divisor is known
            if isinstance(part, ItemFormula):
                self._check_item(part)
            if isinstance(part, BinaryFormula) and part.op in ("//", "%") and self._may_divide_by_zero(part):
                raise OperatorError(DivisorMayBeZero(part.op), argument_location("formula"))
        without = find_valueless(self.formula)
        if without:
            raise OperatorError(NoValue(without, "its numbers have no result, or it is too large"), argument_location("formula"))
        return (TensorType(self.element_type, self.shape),)

    def _check_item(self, part: ItemFormula) -> None:
        sizes = list_shape(part.list) or ()
        if prod(sizes) > MOST_ITEMS and not isinstance(part.list, StoredList):
            raise OperatorError(ListTooLong(prod(sizes), MOST_ITEMS), argument_location("formula"))
        for index, size in zip(part.indices, sizes, strict=True):
            # `list[i / 2]` may be meant as `list[i // 2]`: a formula rounds only where the text says so.
            if kind_of(index, self.shape) == "float":
                raise OperatorError(RealItemIndex(), argument_location("formula"))
            interval = find_interval(index, self.shape)
            if interval.low < 0 or interval.high >= size or not interval.is_finite:
                raise OperatorError(ItemOutside(size, interval.low, interval.high), argument_location("formula"))

    def _may_divide_by_zero(self, part: BinaryFormula) -> bool:
        return kind_of(part, self.shape) == "int" and may_be_zero(part.right, self.shape)

    def parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        if not self.is_static:
            return ()
        return (ParameterSpec("", self.shape, Init("table"), self.element_type, trainable=False, persistent=self.labeled),)

    def compute_values(self) -> NDArray[Any]:
        """Compute the values of a static table, in its element type; in float32 for bfloat16, which NumPy does not have."""
        sizes = tuple(d for d in self.shape if isinstance(d, int))
        element = self.element_type.name
        return evaluate_formula(self.formula, sizes).astype("float32" if element == "bfloat16" else element)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 0


def _refuse_empty(name: str, shape: Shape) -> None:
    for axis, size in enumerate(shape):
        highest = size if isinstance(size, int) else bounds(size)[1]
        if highest is not None and highest < 1:
            raise OperatorError(EmptyResult(name, shape, axis), argument_location("shape") if shape else STAGE)
