"""Activations: functions of each element, and those that weigh the elements of an axis against each other.

All of them are PyTorch's, with its names of arguments and its defaults. What works on integers in PyTorch works on them here.
"""

from __future__ import annotations

from math import isfinite, trunc

from ..dims import Dim, advice_divides, show
from ..errors.base import Place, Problem, argument, input_
from ..errors.operators import BadArgument, UnprovableMultiple, WrongRank, WrongSize
from ..types import DType, TensorType
from .axes import front_axis
from .base import Arg, Given, Init, ParameterSpec, Refusal, numel
from .kinds import AXIS, NUMBER, SIZE, Kind, NumberKind, WordKind
from .pointwise import ANYTHING, NUMBERS, Pointwise, computed, held_otherwise, refuse_unless_held


class Activation(Pointwise):
    """May stand as the bare word behind another stage."""

    is_activation = True


class SlopesKind(Kind["Dim | str"]):
    """A number of parameters, or the word for one a channel."""

    words = ("channels",)

    def describe(self) -> str:
        return "1, `channels`, or the number of channels"

    def convert(self, value: object) -> Dim | str:
        return value if isinstance(value, str) and value in self.words else SIZE.convert(value)


class Relu(Activation):
    """`max(x, 0)`."""

    name = "relu"
    torch = "torch.nn.ReLU"
    onnx = "Relu"
    takes = NUMBERS
    examples = ("input 3 -> dense 4 relu", "input 3 -> relu")


class Relu6(Activation):
    """`min(max(x, 0), 6)`."""

    name = "relu6"
    torch = "torch.nn.ReLU6"
    onnx = "Clip"
    takes = NUMBERS
    examples = ("input 3 -> relu6",)


class LeakyRelu(Activation):
    """`x` where it is positive, `negative_slope * x` elsewhere."""

    name = "leaky_relu"
    torch = "torch.nn.LeakyReLU"
    onnx = "LeakyRelu"
    negative_slope = Arg(NUMBER, default=0.01, positional=True)
    examples = ("input 3 -> leaky_relu 0.1",)


class Prelu(Activation):
    """`x` where it is positive, a learned multiple of it elsewhere: one for all, or one for each of the channels (axis 1)."""

    name = "prelu"
    torch = "torch.nn.PReLU"
    onnx = "PRelu"
    num_parameters = Arg(SlopesKind(), default=1, positional=True)
    init = Arg(NUMBER, default=0.25)
    examples = ("input 3 -> prelu", "input 3x8x8 -> prelu channels")

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        (x,) = super().infer(given)
        wanted = self.num_parameters
        if wanted == "channels" and x.rank < 2:
            raise Refusal(WrongRank(self.name, "[N, C, ...] for one parameter a channel", x), input_(0))
        if wanted not in ("channels", 1) and (x.rank < 2 or wanted != x.shape[1]):
            channels = show(x.shape[1]) if x.rank > 1 else "1"
            needed = f"must be 1 or the number of channels, which is {channels}"
            problem = BadArgument(self.name, "num_parameters", str(wanted), needed, "write `prelu channels`")
            raise Refusal(problem, argument("num_parameters"))
        return (x,)

    def count(self, x: TensorType) -> Dim:
        """How many parameters there are."""
        return 1 if self.num_parameters == 1 else x.shape[1]

    def parameters(self, given: Given) -> tuple[ParameterSpec, ...]:
        x = given[0]
        return (ParameterSpec("weight", (self.count(x),), Init("constant", (self.init,)), x.dtype),)


class Elu(Activation):
    """`x` where it is positive, `alpha * (exp(x) - 1)` elsewhere."""

    name = "elu"
    torch = "torch.nn.ELU"
    onnx = "Elu"
    alpha = Arg(NUMBER, default=1.0, positional=True)
    examples = ("input 3 -> elu",)


class Selu(Activation):
    """The self-normalising `elu`: scaled so that mean 0 and variance 1 are kept."""

    name = "selu"
    torch = "torch.nn.SELU"
    onnx = "Selu"
    examples = ("input 3 -> selu",)


class Celu(Activation):
    """`max(0, x) + min(0, alpha * (exp(x / alpha) - 1))`."""

    name = "celu"
    torch = "torch.nn.CELU"
    onnx = "Celu"
    alpha = Arg(NUMBER, default=1.0, positional=True)
    examples = ("input 3 -> celu 2",)

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        if self.alpha == 0:
            raise Refusal(BadArgument(self.name, "alpha", "0", "must not be 0"), argument("alpha"))
        return super().infer(given)


class Gelu(Activation):
    """`x` times the normal distribution's probability of less than `x`, exactly or by the formula with `tanh`."""

    name = "gelu"
    torch = "torch.nn.GELU"
    onnx = "Gelu"
    approximate = Arg(WordKind("none", "tanh"), default="none")
    examples = ("input 3 -> gelu", "input 3 -> gelu approximate=tanh")


class Silu(Activation):
    """`x * sigmoid(x)`, also called swish."""

    name = "silu"
    torch = "torch.nn.SiLU"
    onnx = "Sigmoid and Mul"
    examples = ("input 3 -> silu",)


class Mish(Activation):
    """`x * tanh(softplus(x))`."""

    name = "mish"
    torch = "torch.nn.Mish"
    onnx = "Mish"
    examples = ("input 3 -> mish",)


class Hardswish(Activation):
    """`x * relu6(x + 3) / 6`."""

    name = "hardswish"
    torch = "torch.nn.Hardswish"
    onnx = "HardSwish"
    examples = ("input 3 -> hardswish",)


class Hardsigmoid(Activation):
    """`relu6(x + 3) / 6`."""

    name = "hardsigmoid"
    torch = "torch.nn.Hardsigmoid"
    onnx = "HardSigmoid"
    examples = ("input 3 -> hardsigmoid",)


class Hardtanh(Activation):
    """`x` held between `min_val` and `max_val`.

    Both must be numbers that the element type holds, once an integer type has cut off their fractions: of others, the versions of
    PyTorch make different things.
    """

    name = "hardtanh"
    torch = "torch.nn.Hardtanh"
    onnx = "Clip"
    takes = NUMBERS
    min_val = Arg(NUMBER, default=-1.0, positional=True)
    max_val = Arg(NUMBER, default=1.0, positional=True)
    examples = ("input 3 -> hardtanh (-2) 2",)

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        (x,) = super().infer(given)
        if self.min_val >= self.max_val:
            needed = f"must be above `min_val`, here {self.min_val}"
            raise Refusal(BadArgument(self.name, "max_val", str(self.max_val), needed), argument("max_val"))
        for name, value in self.limits(x.dtype).items():
            if x.dtype.kind == "uint" and value < 0:
                needed = f"must not be negative for {x.dtype} tensors"
                raise Refusal(BadArgument(self.name, name, str(value), needed), argument(name))
            refuse_unless_held(self.name, x, value, name)
        return (x,)

    def limits(self, dtype: DType) -> dict[str, int | float]:
        """Both of them; of integers, without their fractions."""
        both = {"min_val": self.min_val, "max_val": self.max_val}
        return {name: trunc(value) if dtype.is_integer and isfinite(value) else value for name, value in both.items()}

    def warnings(self, given: Given) -> tuple[tuple[Problem, Place], ...]:
        return held_otherwise(self.name, given[0], min_val=self.min_val, max_val=self.max_val)


class Sigmoid(Activation):
    """`1 / (1 + exp(-x))`."""

    name = "sigmoid"
    torch = "torch.nn.Sigmoid"
    onnx = "Sigmoid"
    takes = ANYTHING
    promotes = True
    examples = ("input 3 -> dense 2 sigmoid", "input 3 -> sigmoid")


class Tanh(Activation):
    """The hyperbolic tangent."""

    name = "tanh"
    torch = "torch.nn.Tanh"
    onnx = "Tanh"
    takes = ANYTHING
    promotes = True
    examples = ("input 3 -> tanh",)


class Softplus(Activation):
    """`log(1 + exp(beta * x)) / beta`, and `x` itself where `beta * x` is above `threshold`."""

    name = "softplus"
    torch = "torch.nn.Softplus"
    onnx = "Softplus"
    beta = Arg(NUMBER, default=1.0, positional=True)
    threshold = Arg(NUMBER, default=20.0, positional=True)
    examples = ("input 3 -> softplus",)


class Softsign(Activation):
    """`x / (1 + abs(x))`."""

    name = "softsign"
    torch = "torch.nn.Softsign"
    onnx = "Softsign"
    takes = NUMBERS
    promotes = True
    examples = ("input 3 -> softsign",)


class Logsigmoid(Activation):
    """`log(sigmoid(x))`."""

    name = "logsigmoid"
    torch = "torch.nn.LogSigmoid"
    onnx = "Softplus and Neg"
    examples = ("input 3 -> logsigmoid",)


class Hardshrink(Activation):
    """`x` where it is farther than `lambd` from 0, else 0."""

    name = "hardshrink"
    torch = "torch.nn.Hardshrink"
    onnx = "Shrink"
    lambd = Arg(NUMBER, default=0.5, positional=True)
    examples = ("input 3 -> hardshrink",)

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        (x,) = super().infer(given)
        refuse_unless_held(self.name, x, self.lambd, "lambd")
        return (x,)


class Softshrink(Activation):
    """`x` moved by `lambd` towards 0, and 0 where it is nearer than that."""

    name = "softshrink"
    torch = "torch.nn.Softshrink"
    onnx = "Shrink"
    lambd = Arg(NumberKind(0), default=0.5, positional=True)
    examples = ("input 3 -> softshrink",)

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        (x,) = super().infer(given)
        refuse_unless_held(self.name, x, self.lambd, "lambd")
        return (x,)


class Tanhshrink(Activation):
    """`x - tanh(x)`."""

    name = "tanhshrink"
    torch = "torch.nn.Tanhshrink"
    onnx = "Tanh and Sub"
    takes = NUMBERS
    promotes = True
    examples = ("input 3 -> tanhshrink",)


class Threshold(Pointwise):
    """`x` where it is above `threshold`, else `value`."""

    name = "threshold"
    torch = "torch.nn.Threshold"
    onnx = "Greater and Where"
    takes = NUMBERS
    threshold = Arg(NUMBER, positional=True)
    value = Arg(NUMBER, positional=True)
    examples = ("input 3 -> threshold 0.1 20",)

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        (x,) = super().infer(given)
        refuse_unless_held(self.name, x.with_dtype(computed(x.dtype)), self.threshold, "threshold")
        refuse_unless_held(self.name, x, self.value, "value")
        return (x,)

    def warnings(self, given: Given) -> tuple[tuple[Problem, Place], ...]:
        return held_otherwise(self.name, given[0], threshold=self.threshold, value=self.value)


class Glu(Activation):
    """The gated linear unit: the first half of the axis times `sigmoid` of the second."""

    name = "glu"
    torch = "torch.nn.GLU"
    onnx = "Split, Sigmoid and Mul"
    axis = Arg(AXIS, default=-1, positional=True, alias="dim")
    examples = ("input 6 -> glu", "input 6x8 -> glu axis=1")

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        (x,) = super().infer(given)
        if x.rank == 0:
            raise Refusal(WrongRank(self.name, "at least one axis", x), input_(0))
        axis = front_axis(self.name, self.axis, x)
        size = x.shape[axis]
        half = given.facts.exact_div(size, 2)
        if half is None and given.facts.divides(2, size) is None:
            raise Refusal(UnprovableMultiple(self.name, 2, size, advice_divides(2, size)), argument("axis"))
        if half is None:
            raise Refusal(WrongSize(self.name, f"an even size of axis {self.axis}", x), input_(0))
        return (x.with_shape((*x.shape[:axis], half, *x.shape[axis + 1 :])),)

    def flops(self, given: Given, results: tuple[TensorType, ...]) -> Dim:
        """Sigmoid and product."""
        return 2 * numel(results[0].shape)


class AlongAxis(Activation):
    """Weighs the elements along one axis against each other."""

    axis = Arg(AXIS, default=-1, positional=True, alias="dim")

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        (x,) = super().infer(given)
        front_axis(self.name, self.axis, x)
        return (x,)

    def flops(self, given: Given, results: tuple[TensorType, ...]) -> Dim:
        """Exponential, sum and quotient."""
        return 3 * numel(results[0].shape)


class Softmax(AlongAxis):
    """`exp(x)` divided by its sum along the axis."""

    name = "softmax"
    torch = "torch.nn.Softmax"
    onnx = "Softmax"
    examples = ("input 3 -> dense 10 softmax", "input 3x8 -> softmax axis=1")


class LogSoftmax(AlongAxis):
    """The logarithm of `softmax`."""

    name = "log_softmax"
    torch = "torch.nn.LogSoftmax"
    onnx = "LogSoftmax"
    examples = ("input 3 -> dense 10 log_softmax",)


class Softmin(AlongAxis):
    """`softmax` of `-x`."""

    name = "softmin"
    torch = "torch.nn.Softmin"
    onnx = "Neg and Softmax"
    examples = ("input 3 -> softmin",)
