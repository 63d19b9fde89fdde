"""Dense layers: products with weight matrices over the last axis, and embeddings, which look up rows of them."""

from __future__ import annotations

from netc.dsl.record import replace

from ..dims import Dim, suggest_equality
from ..errors.operator_errors import BadArgument, ShapeMismatch, Unprovable, WrongRank, WrongSize
from ..errors.problem import argument_location
from ..types.tensor_types import FLOAT32, DType, TensorType
from .element_types import FLOATS, INDICES
from .kinds import DTYPE, EXTENDED, FLAG, SIZE, IntKind, NumberKind, WordKind
from .learned_tensors import normal_init, weight_and_bias
from .operand import SOME_AXES, Input, axes
from .operator import Arg, OperatorError, OpInputs, ParameterSpec, numel
from .parametric import Parametric, WithBias
from .requirements import require_same_size


class Dense(WithBias):
    """Fully connected: `y = x W^T + b` over the last axis."""

    name = "dense"
    drawn = "uniform within +-1 / sqrt(fan in): `init=kaiming_uniform(a=sqrt(5))` for the weight, and the same bounds for the bias"
    takes_activation = True
    as_tensors = ("weight", "bias")
    x = Input(FLOATS, SOME_AXES)
    units = Arg(SIZE, positional=True, alias="out_features")
    bias = Arg(FLAG, default=True)
    examples = (
        "input 3 -> dense 2 sigmoid",
        "input [T, 512] -> dense 64 bias=false",
        "x = input 3; w = input [2, 3] batch=false; x -> dense 2 weight=w",
    )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        x = inputs.x
        return (x.with_shape((*x.shape[:-1], self.units)),)

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        x = inputs.x
        features = x.shape[-1]
        return weight_and_bias((self.units, features), self.units, features, x.dtype, self.bias)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 2 * self.count_multiply_adds(inputs, results) + (numel(results[0].shape) if self.has_bias(inputs) else 0)

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return numel(results[0].shape) * inputs.x.shape[-1]


class Bilinear(WithBias):
    """Bilinear form of two tensors over their last axes: `y_o = a^T W_o b + bias_o`."""

    name = "bilinear"
    drawn = "uniform within +-1 / sqrt(size of the last axis of `a`), weight and bias"
    takes_activation = True
    # The words differ from `m` to `n` because only the last axes may differ: nothing before them broadcasts.
    a = Input(FLOATS, axes("... m", "at least one axis"))
    b = Input(FLOATS, axes("... n", "at least one axis"), like="a")
    as_tensors = ("weight", "bias")
    units = Arg(SIZE, positional=True, alias="out_features")
    bias = Arg(FLAG, default=True)
    examples = ("a = input 3; b = input 4; (a, b) -> bilinear 2",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        a, b = inputs.a, inputs.b
        if a.rank != b.rank:
            raise OperatorError(self._make_mismatch(a, b, "they have different numbers of axes"), inputs.at("b"))
        for axis, (m, n) in enumerate(zip(a.shape[:-1], b.shape[:-1], strict=True)):
            equal = inputs.facts.are_equal(m, n)
            if equal is False:
                raise OperatorError(self._make_mismatch(a, b, f"axis {axis} differs; only the last may"), inputs.at("b"))
            if equal is None:
                need = f"axis {axis} of both must be the same"
                raise OperatorError(Unprovable(self.name, m, n, need, suggest_equality(m, n) or ""), inputs.at("b"))
        return (a.with_shape((*a.shape[:-1], self.units)),)

    @staticmethod
    def _make_mismatch(a: TensorType, b: TensorType, why: str) -> ShapeMismatch:
        return ShapeMismatch("apply a bilinear form to", a.shape, b.shape, why)

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        first, second = inputs.a.shape[-1], inputs.b.shape[-1]
        return weight_and_bias((self.units, first, second), self.units, first, inputs.a.dtype, self.bias)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 2 * self.count_multiply_adds(inputs, results) + (numel(results[0].shape) if self.has_bias(inputs) else 0)

    def count_multiply_adds(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """The product with the first tensor, and then the product with the second."""
        first, second = inputs.a.shape[-1], inputs.b.shape[-1]
        # `a^T W_o` takes `first * second` multiply-adds, and the product of that row with `b` takes `second` more.
        return numel(results[0].shape) * (first + 1) * second


class _LookUp(Parametric):
    """Rows of a learned matrix, by their numbers."""

    drawn = "`init=normal(1)`, the row `padding_idx` zero; it stays zero with any other initializer"
    indices = Input(INDICES)
    num = Arg(SIZE, positional=True, alias="num_embeddings")
    dim = Arg(SIZE, positional=True, alias="embedding_dim")
    padding_idx = Arg(IntKind(varies=True), default=None)
    max_norm = Arg(NumberKind(0), default=None)
    norm_type = Arg(EXTENDED, default=2, only_with=("max_norm",))
    dtype = Arg(DTYPE, default=FLOAT32)

    def check_arguments(self, inputs: OpInputs) -> None:
        """Refuse a type that is not a float, a padding index without a row, and a `max_norm` that cannot be reached or that would change a
        given tensor."""
        # `F.embedding` with `max_norm` changes the weight in place.
        if self.max_norm is not None and "weight" in inputs:
            needed = "cannot be with a weight that is given: PyTorch would change that tensor"
            raise OperatorError(BadArgument(self.name, "max_norm", str(self.max_norm), needed), argument_location("max_norm"))
        # The 0-norm counts elements, and no factor makes that smaller.
        if self.max_norm is not None and self.norm_type == 0:
            raise OperatorError(
                BadArgument(self.name, "norm_type", "0", "must be a norm that a factor scales"), argument_location("norm_type")
            )
        if not self.dtype.is_float:
            needed = "must be a floating-point type"
            raise OperatorError(BadArgument(self.name, "dtype", f"`{self.dtype}`", needed), argument_location("dtype"))
        if self.padding_idx is not None and isinstance(self.num, int) and not -self.num <= self.padding_idx < self.num:
            needed = f"must be the number of a row, from {-self.num} to {self.num - 1}"
            raise OperatorError(BadArgument(self.name, "padding_idx", str(self.padding_idx), needed), argument_location("padding_idx"))

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        init = normal_init(1.0)
        if self.padding_idx is not None and isinstance(self.num, int):
            init = replace(init, zero_row=self.padding_idx % self.num)
        return (ParameterSpec("weight", (self.num, self.dim), init, self._result_dtype(inputs), role="weight"),)

    def _result_dtype(self, inputs: OpInputs) -> DType:
        """Return the element type of the rows: the type of a given weight, unless `dtype` says otherwise."""
        weight = inputs.get("weight")
        return self.dtype if weight is None or self.dtype != FLOAT32 else weight.dtype


class Embedding(_LookUp):
    """Look-up of rows: each index is replaced by the row of that number.

    With `max_norm`, a row that is looked up and has a greater `norm_type`-norm is scaled down to that norm: in PyTorch in the weight
    itself, also in evaluation, and so for all that share the weight; in ONNX for this stage only.
    An index below 0 is an error in PyTorch, and counts from the end in ONNX.
    """

    name = "embedding"
    as_tensors = ("weight",)
    examples = ("input [T] int64 -> embedding 1000 64", "input [T] int64 -> embedding 1000 64 padding_idx=0")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        self.check_arguments(inputs)
        return (TensorType(self._result_dtype(inputs), (*inputs.indices.shape, self.dim)),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        return 0


class EmbeddingBag(_LookUp):
    """The sum, the mean or the maximum of the rows that the indices of each bag give: `[N, indices]`, a row for each bag.

    With `offsets`, the indices of all bags follow each other, `[indices]`, and each bag begins at its offset, the first one at 0; with
    `include_last_offset`, there is one offset more, the number of indices. A row of number `padding_idx` does not count; without rows, the
    result is 0. With `mode=sum`, `per_sample_weights` has a factor for each index. `max_norm` is as in `embedding`.
    An index below 0 is an error in PyTorch, and counts from the end in ONNX.
    """

    name = "embedding_bag"
    indices = Input(INDICES, axes("N n", "[N, indices], or [indices] with `offsets`", least=1))
    per_sample_weights = Input(FLOATS, axes("N n", "as many axes as the indices", least=1), optional=True)
    offsets = Input(INDICES, axes("bags", "[bags]"), optional=True)
    mode = Arg(WordKind("mean", "sum", "max"), default="mean", positional=True)
    include_last_offset = Arg(FLAG, default=False)
    examples = (
        "input [T] int64 -> embedding_bag 1000 64",
        "x = input [T] int64; w = input [T]; (x, w) -> embedding_bag 1000 64 sum",
        "x = input [32] int64 batch=false; begins = table (i) [8] int64 = 4 * i; x -> embedding_bag 1000 64 offsets=begins",
    )

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        self.check_arguments(inputs)
        rank = 1 if "offsets" in inputs else 2
        if inputs.indices.rank != rank:
            needed = "[indices], as there are offsets" if rank == 1 else "[N, indices], or `offsets`, where the bags begin"
            raise OperatorError(WrongRank(self.name, needed, inputs.indices), inputs.at("indices"))
        weights = inputs.get("per_sample_weights")
        if weights is not None:
            self._check_weights(weights, inputs)
        return (TensorType(self.dtype, (self._count_bags(inputs), self.dim)),)

    def _count_bags(self, inputs: OpInputs) -> Dim:
        """The number of bags."""
        if "offsets" not in inputs:
            if self.include_last_offset:
                problem = BadArgument(self.name, "include_last_offset", "true", "needs `offsets`")
                raise OperatorError(problem, argument_location("include_last_offset"))
            return inputs.indices.shape[0]
        # The last offset only marks the end of the last bag, so it begins none.
        count = inputs.offsets.shape[0] - self.include_last_offset
        if inputs.facts.is_at_least(count, 1) is False:
            raise OperatorError(WrongSize(self.name, "offsets of at least one bag", inputs.offsets), inputs.at("offsets"))
        return count

    def _check_weights(self, weights: TensorType, inputs: OpInputs) -> None:
        # PyTorch supports weights for sums only.
        if self.mode != "sum":
            raise OperatorError(BadArgument(self.name, "mode", f"`{self.mode}`", "must be `sum` with weights"), argument_location("mode"))
        if weights.dtype != self.dtype:
            needed = f"must be the type of the weights, {weights.dtype}"
            raise OperatorError(BadArgument(self.name, "dtype", f"`{self.dtype}`", needed), argument_location("dtype"))
        if weights.rank != inputs.indices.rank:
            needed = f"a weight for each of the indices {inputs.indices}"
            raise OperatorError(WrongRank(self.name, needed, weights), inputs.at("per_sample_weights"))
        for axis in range(weights.rank):
            what = "their numbers of bags" if axis < weights.rank - 1 else "their numbers of indices"
            require_same_size(self.name, inputs, ("indices", "per_sample_weights"), axis, "weight", what)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """One operation for each number that is looked up, two if it is weighted."""
        return (1 + ("per_sample_weights" in inputs)) * numel(inputs.indices.shape) * self.dim
