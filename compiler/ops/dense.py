"""Dense layers: matrices of weights over the last axis, and look-up in them."""

from __future__ import annotations

from ..dims import Dim, advice
from ..errors.base import argument, input_
from ..errors.dense import NarrowIndices
from ..errors.operators import BadArgument, DTypeMismatch, NeedsInteger, ShapeMismatch, Unprovable, WrongRank
from ..ir.types import FLOAT32, TensorType
from .base import Arg, Init, Operator, OperatorError, OpInputs, ParameterSpec, numel
from .kinds import BOOL, DTYPE, INT, SIZE
from .learned import float_input, weight_and_bias


class Dense(Operator):
    """Fully connected: `y = x W^T + b` over the last axis."""

    name = "dense"
    torch = "torch.nn.Linear"
    onnx = "Gemm, or MatMul and Add"
    takes_activation = True
    units = Arg(SIZE, positional=True, alias="out_features")
    bias = Arg(BOOL, default=True)
    examples = ("input 3 -> dense 2 sigmoid", "input [T, 512] -> dense 64 bias=false")

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        x = float_input(self.name, given)
        if x.rank == 0:
            raise OperatorError(WrongRank(self.name, "at least one axis", x), input_(0))
        return (x.with_shape((*x.shape[:-1], self.units)),)

    def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
        x = given[0]
        features = x.shape[-1]
        return weight_and_bias((self.units, features), self.units, features, x.dtype, self.bias)

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 2 * self.multiply_adds(given, results) + (numel(results[0].shape) if self.bias else 0)

    def multiply_adds(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(results[0].shape) * given[0].shape[-1]


class Bilinear(Operator):
    """Bilinear form of two tensors over their last axes: `y_o = a^T W_o b + bias_o`."""

    name = "bilinear"
    torch = "torch.nn.Bilinear"
    onnx = "Einsum"
    inputs = ("a", "b")
    takes_activation = True
    units = Arg(SIZE, positional=True, alias="out_features")
    bias = Arg(BOOL, default=True)
    examples = ("a = input 3; b = input 4; (a, b) -> bilinear 2",)

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        a, b = (float_input(self.name, given, i) for i in (0, 1))
        if a.dtype != b.dtype:
            raise OperatorError(DTypeMismatch(self.name, a, b), input_(1))
        for index, t in enumerate((a, b)):
            if t.rank == 0:
                raise OperatorError(WrongRank(self.name, "at least one axis", t), input_(index))
        if a.rank != b.rank:
            raise OperatorError(self._mismatch(a, b, "they have different numbers of axes"), input_(1))
        for axis, (m, n) in enumerate(zip(a.shape[:-1], b.shape[:-1], strict=True)):
            equal = given.facts.equal(m, n)
            if equal is False:
                raise OperatorError(self._mismatch(a, b, f"axis {axis} differs; only the last may"), input_(1))
            if equal is None:
                need = f"axis {axis} of both must be the same"
                raise OperatorError(Unprovable(self.name, m, n, need, advice(m, n) or ""), input_(1))
        return (a.with_shape((*a.shape[:-1], self.units)),)

    @staticmethod
    def _mismatch(a: TensorType, b: TensorType, why: str) -> ShapeMismatch:
        return ShapeMismatch("apply a bilinear form to", a.shape, b.shape, why)

    def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
        first, second = (t.shape[-1] for t in given)
        return weight_and_bias((self.units, first, second), self.units, first, given[0].dtype, self.bias)

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 2 * self.multiply_adds(given, results) + (numel(results[0].shape) if self.bias else 0)

    def multiply_adds(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """The product with the first tensor, then that with the second."""
        first, second = (t.shape[-1] for t in given)
        return numel(results[0].shape) * (first + 1) * second


class Embedding(Operator):
    """Look-up of rows: each index becomes the vector of that number.

    An index below 0 is an error in PyTorch, and counts from the end in ONNX.
    """

    name = "embedding"
    torch = "torch.nn.Embedding"
    onnx = "Gather"
    inputs = ("indices",)
    num = Arg(SIZE, positional=True, alias="num_embeddings")
    dim = Arg(SIZE, positional=True, alias="embedding_dim")
    padding_idx = Arg(INT, default=None)
    dtype = Arg(DTYPE, default=FLOAT32)
    examples = ("input [T] int64 -> embedding 1000 64", "input [T] int64 -> embedding 1000 64 padding_idx=0")

    def infer(self, given: OpInputs) -> tuple[TensorType, ...]:
        indices = given[0]
        if indices.dtype.name not in ("int64", "int32"):
            refuse = NarrowIndices if indices.dtype.is_integer else NeedsInteger
            raise OperatorError(refuse(self.name, indices), input_(0))
        if not self.dtype.is_float:
            needed = "must be a floating-point type"
            raise OperatorError(BadArgument(self.name, "dtype", f"`{self.dtype}`", needed), argument("dtype"))
        if self.padding_idx is not None and isinstance(self.num, int) and not -self.num <= self.padding_idx < self.num:
            needed = f"must be the number of a row, from {-self.num} to {self.num - 1}"
            raise OperatorError(BadArgument(self.name, "padding_idx", str(self.padding_idx), needed), argument("padding_idx"))
        return (TensorType(self.dtype, (*indices.shape, self.dim)),)

    def parameters(self, given: OpInputs) -> tuple[ParameterSpec, ...]:
        init = Init("normal", (1.0,))
        if self.padding_idx is not None and isinstance(self.num, int):
            init = Init("normal_zero_row", (1.0, self.padding_idx % self.num))
        return (ParameterSpec("weight", (self.num, self.dim), init, self.dtype),)

    def flops(self, given: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 0
