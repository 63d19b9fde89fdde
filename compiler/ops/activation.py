"""Activations: functions of each element, and those that weight the elements of an axis relative to each other.

All of them are PyTorch's, with its names of arguments and its defaults. Those that take integers in PyTorch take them here.
"""

from __future__ import annotations

from math import isfinite, trunc

from ..dims import Dim, format_dim, suggest_divisibility
from ..errors.operator_errors import BadArgument, UnprovableMultiple, WrongRank, WrongSize
from ..errors.problem import Location, Problem, argument_location
from ..types.tensor_types import DType, TensorType
from .axes import normalize_axis
from .element_types import FLOATS, NUMBERS
from .kinds import AXIS, NUMBER, SIZE, Kind, NumberKind, WordKind
from .operand import SOME_AXES, Input
from .operator import Arg, Init, OperatorError, OpInputs, ParameterSpec, numel
from .parametric import Parametric
from .pointwise import Pointwise
from .scalars import compute_dtype, require_exact_scalar, scalar_warnings


class Activation(Pointwise):
    """May follow another stage as a bare word."""

    is_activation = True


class SlopesKind(Kind["Dim | str"]):
    """A number of parameters, or the word for one per channel."""

    words = ("channels",)

    def describe_values(self) -> str:
        return "1, `channels`, or the number of channels"

    def convert_value(self, value: object) -> Dim | str:
        return value if isinstance(value, str) and value in self.words else SIZE.convert_value(value)


# `x` is Input(FLOATS) by default. An activation that declares NUMBERS has an integer kernel in PyTorch, `leaky_relu` for one has none.
class Relu(Activation):
    """`max(x, 0)`."""

    name = "relu"
    x = Input(NUMBERS)
    examples = ("input 3 -> dense 4 relu", "input 3 -> relu")


class Relu6(Activation):
    """`min(max(x, 0), 6)`."""

    name = "relu6"
    definition = "x -> clamp min=0 max=6"
    x = Input(NUMBERS)
    examples = ("input 3 -> relu6",)


class LeakyRelu(Activation):
    """`x` where it is positive, `negative_slope * x` elsewhere."""

    name = "leaky_relu"
    definition = "where(x > 0, x, negative_slope * x)"
    negative_slope = Arg(NUMBER, default=0.01, positional=True)
    examples = ("input 3 -> leaky_relu 0.1",)


class Prelu(Activation, Parametric):
    """`x` where it is positive, a learned multiple of it elsewhere: one for all, or one for each of the channels (axis 1)."""

    name = "prelu"
    definition = """
        slope = weight -> if x.rank == 0 { squeeze 0 } else if x.rank > 1 { reshape (weight.shape + [1] * (x.rank - 2)) }
        where(x > 0, x, slope * x)
    """
    drawn = "`init=0.25`"
    num_parameters = Arg(SlopesKind(), default=1, positional=True)
    examples = ("input 3 -> prelu", "input 3x8x8 -> prelu channels")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        (x,) = super().infer_types(inputs)
        wanted = self.num_parameters
        if wanted == "channels" and x.rank < 2:
            raise OperatorError(WrongRank(self.name, "[N, C, ...] for one parameter a channel", x), inputs.at("x"))
        # The number of parameters may be written out, as in PyTorch, but then it must be the number of channels.
        if wanted not in ("channels", 1) and (x.rank < 2 or wanted != x.shape[1]):
            channels = format_dim(x.shape[1]) if x.rank > 1 else "1"
            needed = f"must be 1 or the number of channels, which is {channels}"
            problem = BadArgument(self.name, "num_parameters", str(wanted), needed, "write `prelu channels`")
            raise OperatorError(problem, argument_location("num_parameters"))
        return (x,)

    def count_parameters(self, x: TensorType) -> Dim:
        """Count the parameters: 1, or one for each channel."""
        return 1 if self.num_parameters == 1 else x.shape[1]

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        x = inputs.x
        return (ParameterSpec("weight", (self.count_parameters(x),), Init("constant", (0.25,)), x.dtype, role="weight"),)


class Elu(Activation):
    """`x` where it is positive, `alpha * (exp(x) - 1)` elsewhere."""

    name = "elu"
    definition = "where(x > 0, x, alpha * expm1(x))"
    alpha = Arg(NUMBER, default=1.0, positional=True)
    examples = ("input 3 -> elu",)


class Selu(Activation):
    """The self-normalizing `elu`: scaled so that mean 0 and variance 1 are preserved."""

    name = "selu"
    definition = "1.0507009873554805 * where(x > 0, x, 1.6732632423543772 * expm1(x))"
    examples = ("input 3 -> selu",)


class Celu(Activation):
    """`max(0, x) + min(0, alpha * (exp(x / alpha) - 1))`."""

    name = "celu"
    definition = "(x -> clamp min=0) + (alpha * expm1(x / alpha) -> clamp max=0)"
    alpha = Arg(NUMBER, default=1.0, positional=True)
    examples = ("input 3 -> celu 2",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        # `x / alpha`: PyTorch raises a ZeroDivisionError here.
        if self.alpha == 0:
            raise OperatorError(BadArgument(self.name, "alpha", "0", "must not be 0"), argument_location("alpha"))
        return super().infer_types(inputs)


class Gelu(Activation):
    """`x` times the cumulative distribution function of the normal distribution at `x`, exactly or by the approximation with `tanh`."""

    name = "gelu"
    definition = """
        if approximate == "tanh" { 0.5 * x * (1 + tanh((2 / pi) ** 0.5 * (x + 0.044715 * x ** 3))) }
        else { 0.5 * x * (1 + erf(x / 2 ** 0.5)) }
    """
    approximate = Arg(WordKind("none", "tanh"), default="none")
    examples = ("input 3 -> gelu", "input 3 -> gelu approximate=tanh")


class Silu(Activation):
    """`x * sigmoid(x)`, also called swish."""

    name = "silu"
    definition = "x * sigmoid(x)"
    examples = ("input 3 -> silu",)


class Mish(Activation):
    """`x * tanh(softplus(x))`."""

    name = "mish"
    definition = "x * tanh(softplus(x))"
    examples = ("input 3 -> mish",)


class Hardswish(Activation):
    """`x * relu6(x + 3) / 6`."""

    name = "hardswish"
    definition = "x * hardsigmoid(x)"
    examples = ("input 3 -> hardswish",)


class Hardsigmoid(Activation):
    """`relu6(x + 3) / 6`."""

    name = "hardsigmoid"
    definition = "relu6(x + 3) / 6"
    examples = ("input 3 -> hardsigmoid",)


class Hardtanh(Activation):
    """`x` clamped to the range from `min_val` to `max_val`.

    The element type must be able to represent both, after an integer type has truncated them: the versions of PyTorch differ on others.
    """

    name = "hardtanh"
    x = Input(NUMBERS)
    min_val = Arg(NUMBER, default=-1.0, positional=True)
    max_val = Arg(NUMBER, default=1.0, positional=True)
    examples = ("input 3 -> hardtanh (-2) 2",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        (x,) = super().infer_types(inputs)
        if self.min_val >= self.max_val:
            needed = f"must be above `min_val`, here {self.min_val}"
            raise OperatorError(BadArgument(self.name, "max_val", str(self.max_val), needed), argument_location("max_val"))
        # Versions of PyTorch differ on bounds that the element type does not hold, so those are errors.
        for name, value in self.convert_limits(x.dtype).items():
            if x.dtype.kind == "uint" and value < 0:
                needed = f"must not be negative for {x.dtype} tensors"
                raise OperatorError(BadArgument(self.name, name, str(value), needed), argument_location(name))
            require_exact_scalar(self.name, x, value, name)
        return (x,)

    def convert_limits(self, dtype: DType) -> dict[str, int | float]:
        """Convert both bounds to the element type: truncated for integers."""
        both = {"min_val": self.min_val, "max_val": self.max_val}
        return {name: trunc(value) if dtype.is_integer and isfinite(value) else value for name, value in both.items()}

    def find_warnings(self, inputs: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        return scalar_warnings(self.name, inputs.x, min_val=self.min_val, max_val=self.max_val)


class Sigmoid(Activation):
    """`1 / (1 + exp(-x))`."""

    name = "sigmoid"
    x = Input()
    promotes = True
    examples = ("input 3 -> dense 2 sigmoid", "input 3 -> sigmoid")


class Tanh(Activation):
    """The hyperbolic tangent."""

    name = "tanh"
    x = Input()
    promotes = True
    examples = ("input 3 -> tanh",)


class Softplus(Activation):
    """`log(1 + exp(beta * x)) / beta`, and `x` itself where `beta * x` is above `threshold`."""

    name = "softplus"
    beta = Arg(NUMBER, default=1.0, positional=True)
    threshold = Arg(NUMBER, default=20.0, positional=True)
    examples = ("input 3 -> softplus",)


class Softsign(Activation):
    """`x / (1 + abs(x))`."""

    name = "softsign"
    definition = "x / (abs(x) + 1)"
    x = Input(NUMBERS)
    promotes = True
    examples = ("input 3 -> softsign",)


class Logsigmoid(Activation):
    """`log(sigmoid(x))`."""

    name = "logsigmoid"
    definition = "-softplus(-x)"
    examples = ("input 3 -> logsigmoid",)


class Hardshrink(Activation):
    """`x` where its absolute value is greater than `lambd`, else 0."""

    name = "hardshrink"
    lambd = Arg(NUMBER, default=0.5, positional=True)
    examples = ("input 3 -> hardshrink",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        (x,) = super().infer_types(inputs)
        require_exact_scalar(self.name, x, self.lambd, "lambd")
        return (x,)


class Softshrink(Activation):
    """`x` moved towards 0 by `lambd`, and 0 where its absolute value is at most `lambd`."""

    name = "softshrink"
    lambd = Arg(NumberKind(0), default=0.5, positional=True)
    examples = ("input 3 -> softshrink",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        (x,) = super().infer_types(inputs)
        require_exact_scalar(self.name, x, self.lambd, "lambd")
        return (x,)


class Tanhshrink(Activation):
    """`x - tanh(x)`."""

    name = "tanhshrink"
    definition = "x - tanh(x)"
    x = Input(NUMBERS)
    promotes = True
    examples = ("input 3 -> tanhshrink",)


class Threshold(Pointwise):
    """`x` where it is above `threshold`, else `value`."""

    name = "threshold"
    x = Input(NUMBERS)
    threshold = Arg(NUMBER, positional=True)
    value = Arg(NUMBER, positional=True)
    examples = ("input 3 -> threshold 0.1 20",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        (x,) = super().infer_types(inputs)
        # The comparison is computed in float32 for half types, so only `value` must fit the half type.
        require_exact_scalar(self.name, x.with_dtype(compute_dtype(x.dtype)), self.threshold, "threshold")
        require_exact_scalar(self.name, x, self.value, "value")
        return (x,)

    def find_warnings(self, inputs: OpInputs) -> tuple[tuple[Problem, Location], ...]:
        return scalar_warnings(self.name, inputs.x, threshold=self.threshold, value=self.value)


class Glu(Activation):
    """The gated linear unit: the first half of the axis times `sigmoid` of the second."""

    name = "glu"
    definition = """
        (content, gate) = x -> chunk 2 axis=axis
        content * sigmoid(gate)
    """
    x = Input(FLOATS, SOME_AXES)
    axis = Arg(AXIS, default=-1, positional=True, alias="dim")
    examples = ("input 6 -> glu", "input 6x8 -> glu axis=1")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        (x,) = super().infer_types(inputs)
        axis = normalize_axis(self.name, self.axis, x)
        size = x.shape[axis]
        # A symbolic size needs a proof that it is even: PyTorch would refuse an odd one only at run time.
        half = inputs.facts.exact_div(size, 2)
        if half is None and inputs.facts.divides(2, size) is None:
            raise OperatorError(UnprovableMultiple(self.name, 2, size, suggest_divisibility(2, size)), argument_location("axis"))
        if half is None:
            raise OperatorError(WrongSize(self.name, f"an even size of axis {self.axis}", x), inputs.at("x"))
        return (x.with_shape((*x.shape[:axis], half, *x.shape[axis + 1 :])),)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """A sigmoid and a product for each element of the result."""
        return 2 * numel(results[0].shape)


class AlongAxis(Activation):
    """Weights the elements along one axis relative to each other."""

    axis = Arg(AXIS, default=-1, positional=True, alias="dim")

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        (x,) = super().infer_types(inputs)
        normalize_axis(self.name, self.axis, x)
        return (x,)

    def count_flops(self, inputs: OpInputs, results: tuple[TensorType, ...]) -> Dim:
        """An exponential, a sum and a quotient for each element."""
        return 3 * numel(results[0].shape)


class Softmax(AlongAxis):
    """`exp(x)` divided by its sum along the axis."""

    name = "softmax"
    definition = """
        weights = exp(x - (x -> max axis=axis keepdim=true))
        weights / (weights -> sum axis=axis keepdim=true)
    """
    examples = ("input 3 -> dense 10 softmax", "input 3x8 -> softmax axis=1")


class LogSoftmax(AlongAxis):
    """The logarithm of `softmax`."""

    name = "log_softmax"
    definition = """
        shifted = x - (x -> max axis=axis keepdim=true)
        shifted - log(exp(shifted) -> sum axis=axis keepdim=true)
    """
    examples = ("input 3 -> dense 10 log_softmax",)


class Softmin(AlongAxis):
    """`softmax` of `-x`."""

    name = "softmin"
    definition = "-x -> softmax axis=axis"
    examples = ("input 3 -> softmin",)
