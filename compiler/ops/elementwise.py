"""Functions of each element of one tensor: arithmetic, exponentials and logarithms, rounding.

Those whose results are not integers convert integers to float32, as in PyTorch.
"""

from __future__ import annotations

from ..types.tensor_types import BOOL, INT64, DType, TensorType
from .element_types import NUMBERS
from .kinds import NUMBER
from .operand import Input
from .operator import Arg, OpInputs
from .pointwise import Pointwise


class Numeric(Pointwise):
    """Keeps integers as integers."""

    x = Input(NUMBERS)


class Real(Pointwise):
    """Converts integers to float32."""

    x = Input()
    promotes = True


class Neg(Numeric):
    """`-x`."""

    name = "neg"
    prefix_symbol = "-"
    examples = ("x = input 3; -x", "input 3 -> neg")


class Abs(Numeric):
    """The absolute value."""

    name = "abs"
    examples = ("input 3 -> abs",)


class Floor(Numeric):
    """The greatest integer that is not greater."""

    name = "floor"
    examples = ("input 3 -> floor",)


class Ceil(Numeric):
    """The least integer that is not less."""

    name = "ceil"
    examples = ("input 3 -> ceil",)


class Round(Numeric):
    """The nearest integer; of two, the even one."""

    name = "round"
    examples = ("input 3 -> round",)


class Trunc(Numeric):
    """The integer part: towards 0."""

    name = "trunc"
    examples = ("input 3 -> trunc",)


# From here on `x = Input()` lets booleans in too, as in PyTorch, which has no kernels for them for the functions above.
class Sign(Numeric):
    """-1, 0 or 1."""

    name = "sign"
    x = Input()
    examples = ("input 3 -> sign",)


class Square(Numeric):
    """`x * x`."""

    name = "square"
    x = Input()
    examples = ("input 3 -> square",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        (x,) = super().infer_types(inputs)
        # `torch.square` is a power with the integer exponent 2, which makes int64 of booleans.
        return (x.with_dtype(INT64) if x.dtype == BOOL else x,)


class NanToNum(Numeric):
    """Replaces NaN by `nan`, and infinities by `posinf` and `neginf`, without which they become the greatest and the least finite number.

    A number that the element type does not hold is infinite there. Integers are unchanged.
    """

    name = "nan_to_num"
    x = Input()
    nan = Arg(NUMBER, default=0.0, positional=True)
    posinf = Arg(NUMBER, default=None)
    neginf = Arg(NUMBER, default=None)
    examples = ("input 3 -> log -> nan_to_num", "input 3 -> log -> nan_to_num neginf=-100")

    def find_replacements(self, dtype: DType) -> tuple[float, float, float]:
        """Return the replacements of NaN, infinity and negative infinity in a float type."""
        low, high = dtype.limits
        return (
            float(self.nan),
            float(high if self.posinf is None else self.posinf),
            float(low if self.neginf is None else self.neginf),
        )


class LogicalNot(Pointwise):
    """Whether it is false; numbers count as true unless they are 0."""

    name = "logical_not"
    x = Input()
    examples = ("x = input 3; x > 0 -> logical_not",)

    def infer_types(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        return (inputs.x.with_dtype(BOOL),)


class Exp(Real):
    """`e ** x`."""

    name = "exp"
    examples = ("input 3 -> exp",)


class Exp2(Real):
    """`2 ** x`."""

    name = "exp2"
    examples = ("input 3 -> exp2",)


class Expm1(Real):
    """`exp(x) - 1`, exact near 0."""

    name = "expm1"
    examples = ("input 3 -> expm1",)


class Log(Real):
    """The natural logarithm."""

    name = "log"
    examples = ("input 3 -> abs -> log",)


class Log2(Real):
    """The logarithm to the base 2."""

    name = "log2"
    examples = ("input 3 -> abs -> log2",)


class Log10(Real):
    """The logarithm to the base 10."""

    name = "log10"
    examples = ("input 3 -> abs -> log10",)


class Log1p(Real):
    """`log(1 + x)`, exact near 0."""

    name = "log1p"
    examples = ("input 3 -> abs -> log1p",)


class Sqrt(Real):
    """The square root."""

    name = "sqrt"
    examples = ("input 3 -> abs -> sqrt",)


class Rsqrt(Real):
    """`1 / sqrt(x)`."""

    name = "rsqrt"
    examples = ("input 3 -> abs -> rsqrt",)


class Reciprocal(Real):
    """`1 / x`."""

    name = "reciprocal"
    examples = ("input 3 -> reciprocal",)


class Erf(Real):
    """The error function."""

    name = "erf"
    examples = ("input 3 -> erf",)
