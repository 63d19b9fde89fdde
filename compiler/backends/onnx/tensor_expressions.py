"""Arithmetic on tensors of an ONNX graph, written as arithmetic: `(x * 0.5).op("Tanh")`.

In: the graph that is being written, and names of tensors with their element types. Out: nodes. Always: both sides of an operation have one
element type, and numbers take the tensor's type. Where ONNX Runtime's CPU provider has no kernel for a type of integers, a wider one is
used in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netc.dsl.record import Record

from ...dims import Dim
from ...types.tensor_types import BOOL, DTYPES, FLOAT32, INT64, DType
from ...types.tensor_types import FLOAT64 as FLOAT64
from .writer import GraphWriter

Number = Dim | float | bool

INT32 = DTYPES["int32"]


class TensorExpr(Record):
    """A tensor of the graph that is being written."""

    site: GraphWriter
    name: str
    dtype: DType

    def op(self, op_type: str, *others: TensorExpr | Number | Sequence[Dim], to: DType | None = None, **attributes: object) -> TensorExpr:
        """Add a node of that type. Its result has the element type `to`, or the type of the tensor."""
        names = [self.name, *(self.like(other).name for other in others)]
        return TensorExpr(self.site, self.site.add(op_type, names, **attributes), to or self.dtype)

    def like(self, other: TensorExpr | Number | Sequence[Dim]) -> TensorExpr:
        """Convert an operand: a number to a tensor of this one's element type, sizes or axes to int64. A tensor stays unchanged."""
        if isinstance(other, TensorExpr):
            return other
        if isinstance(other, Sequence):
            return TensorExpr(self.site, self.site.ints(other), INT64)
        return TensorExpr(self.site, self.site.scalar(other, self.dtype), self.dtype)

    def cast(self, dtype: DType) -> TensorExpr:
        return self if dtype == self.dtype else TensorExpr(self.site, self.site.cast(self.name, dtype), dtype)

    def within(self, via: DType, operation: Callable[[TensorExpr], TensorExpr]) -> TensorExpr:
        """Compute an operation on this tensor in another element type. A result of that type is converted back."""
        result = operation(self.cast(via))
        return result.cast(self.dtype) if result.dtype == via else result

    def __add__(self, other: TensorExpr | Number) -> TensorExpr:
        return self.op("Add", other)

    def __sub__(self, other: TensorExpr | Number) -> TensorExpr:
        return self.op("Sub", other)

    def __mul__(self, other: TensorExpr | Number) -> TensorExpr:
        return self.op("Mul", other)

    def __truediv__(self, other: TensorExpr | Number) -> TensorExpr:
        return self.op("Div", other)

    def __neg__(self) -> TensorExpr:
        return self.op("Neg")

    def __abs__(self) -> TensorExpr:
        return self.op("Abs")

    def exp(self) -> TensorExpr:
        return self.op("Exp")

    def log(self) -> TensorExpr:
        return self.op("Log")

    def equal(self, other: TensorExpr | Number) -> TensorExpr:
        return self.op("Equal", other, to=BOOL)

    def less(self, other: TensorExpr | Number) -> TensorExpr:
        return self.op("Less", other, to=BOOL)

    def greater(self, other: TensorExpr | Number) -> TensorExpr:
        return self.op("Greater", other, to=BOOL)

    def negation(self) -> TensorExpr:
        return self.op("Not")

    def truth(self) -> TensorExpr:
        """Return whether it is not 0."""
        return self.cast(BOOL)

    def choose(self, then: TensorExpr, otherwise: TensorExpr | Number) -> TensorExpr:
        """Return `then` where this is true, else `otherwise`."""
        other = then.like(otherwise)
        # ONNX Runtime has no Where of bool.
        if then.dtype == BOOL:
            return self.op("And", then).op("Or", self.negation().op("And", other))
        via = INT32 if then.dtype.name == "int8" else widen_integer(then.dtype)  # ONNX Runtime has Where of int8 since 1.31
        names = [self.name, then.cast(via).name, other.cast(via).name]
        return TensorExpr(self.site, self.site.add("Where", names), via).cast(then.dtype)


def widen_integer(dtype: DType) -> DType:
    """Return int32 for int16, which has few kernels, and other types unchanged."""
    return INT32 if dtype.name == "int16" else dtype


def compute_precisely(x: TensorExpr, operation: Callable[[TensorExpr], TensorExpr]) -> TensorExpr:
    """Compute an operation of several steps, in float32 for half types, as PyTorch does."""
    return x.within(FLOAT32, operation) if x.dtype.size == 2 else operation(x)


def multiply_vector(matrix: TensorExpr, vector: TensorExpr) -> TensorExpr:
    """Multiply a matrix by a vector."""
    # As a matrix of one column: ONNX Runtime fuses a transposed matrix with the product, and computes something else for a vector.
    last = TensorExpr(matrix.site, matrix.site.ints([-1]), INT64)
    return matrix.op("MatMul", vector.op("Unsqueeze", last)).op("Squeeze", last)


def expm1(x: TensorExpr) -> TensorExpr:
    """Compute `exp(x) - 1` without loss of precision near 0: there, `2 t / (1 - t)` with `t = tanh(x / 2)`."""

    def steps(x: TensorExpr) -> TensorExpr:
        t = (x * 0.5).op("Tanh")
        near = (t + t) / (-t + 1.0)
        return abs(x).less(0.5).choose(near, x.exp() - 1.0)

    return compute_precisely(x, steps)


def log1p(x: TensorExpr) -> TensorExpr:
    """Compute `log(1 + x)` without loss of precision near 0: there, `log(u) x / (u - 1)` with `u = 1 + x` (Kahan), in which the roundings
    of `u` cancel."""

    def steps(x: TensorExpr) -> TensorExpr:
        u = x + 1.0
        far = u.log()
        rounded = u - 1.0
        lost = rounded.equal(0.0)
        near = lost.choose(x, far * x / lost.choose(x.like(1.0), rounded))
        return abs(x).less(0.5).choose(near, far)

    return compute_precisely(x, steps)


def softplus(x: TensorExpr) -> TensorExpr:
    """Compute `log(1 + exp(x))`."""
    # ONNX Runtime has no Softplus of float64.
    return x.op("Softplus") if x.dtype != FLOAT64 else softplus_by_parts(x)


def softplus_by_parts(x: TensorExpr) -> TensorExpr:
    """Compute `log(1 + exp(x))` without overflow, as the larger of `x` and 0, and a rest."""
    return x.op("Relu") + log1p((-abs(x)).exp())


def erf(x: TensorExpr) -> TensorExpr:
    """Compute the error function. In float64 it is only as exact as in float32."""
    # ONNX Runtime has Erf in float32 only on a CPU.
    return x.within(FLOAT32, lambda y: y.op("Erf")) if x.dtype == FLOAT64 else x.op("Erf")
