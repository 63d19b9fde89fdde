"""Initializers of parameters, with the names, arguments and meanings of torch.nn.init.

In: the value of `init=`, and the shape and element type of the parameter. Out: an `Init` with all its values, or an `OperatorError` if the
initializer cannot be used for that parameter. Always: the values are in the order of the declaration below.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt
from typing import Any

from netc.dsl.record import Record

from ..errors.constants import InitNeedsFloat, InitNeedsMatrix, InitNeedsPrecision, InitUnfit
from ..errors.problem import argument_location
from ..types.tensor_types import DType, Shape
from .kinds import NUMBER, InvalidArgument, Kind, NumberKind, WordKind
from .learned_tensors import Init
from .operand import OperatorError


class InitArgument(Record):
    """An argument of an initializer. Without a `default`, it is required."""

    name: str
    kind: Kind[Any]
    default: float | str | None = None


class Initializer(Record):
    """An initializer. `positional` arguments may be written without their names. A tensor must have at least `axes` axes."""

    arguments: tuple[InitArgument, ...]
    positional: int = 0
    axes: int = 0


_STD = InitArgument("std", NumberKind(0), 1.0)
_MEAN = InitArgument("mean", NUMBER, 0.0)
_GAIN = InitArgument("gain", NUMBER, 1.0)
_KAIMING = Initializer(
    (
        InitArgument("mode", WordKind("fan_in", "fan_out"), "fan_in"),
        InitArgument("nonlinearity", WordKind("leaky_relu", "relu", "linear", "sigmoid", "tanh", "selu"), "leaky_relu"),
        InitArgument("a", NUMBER, 0.0),
    ),
    axes=2,
)
_ORTHOGONAL = "orthogonal"
INITIALIZERS: Mapping[str, Initializer] = {
    "zeros": Initializer(()),
    "ones": Initializer(()),
    "constant": Initializer((InitArgument("val", NUMBER),), 1),
    "normal": Initializer((_STD, _MEAN), 1),
    "trunc_normal": Initializer(
        (InitArgument("std", NumberKind(above=0), 1.0), _MEAN, InitArgument("a", NUMBER, -2.0), InitArgument("b", NUMBER, 2.0)), 1
    ),
    "uniform": Initializer((InitArgument("a", NUMBER, 0.0), InitArgument("b", NUMBER, 1.0)), 2),
    "xavier_uniform": Initializer((_GAIN,), 1, axes=2),
    "xavier_normal": Initializer((_GAIN,), 1, axes=2),
    "kaiming_uniform": _KAIMING,
    "kaiming_normal": _KAIMING,
    _ORTHOGONAL: Initializer((_GAIN,), 1, axes=2),
}
"""The initializers of torch.nn.init, by their names without the `_` at the end."""
ALIASES = {
    "glorot_uniform": "xavier_uniform",
    "glorot_normal": "xavier_normal",
    "he_uniform": "kaiming_uniform",
    "he_normal": "kaiming_normal",
    "truncated_normal": "trunc_normal",
    "random_normal": "normal",
    "random_uniform": "uniform",
    **{f"{name}_": name for name in INITIALIZERS},
}
"""Names in Keras and PyTorch, for suggestions."""
_FREE = ("a", "b")
_EXAMPLES = "a number, `zeros`, `ones`, or an initializer such as `normal(0.02)` or `kaiming_normal(mode=fan_out)`"


class InitKind(Kind[Init]):
    """An initializer with or without its arguments, or a number."""

    varies = True
    words = tuple(name for name, one in INITIALIZERS.items() if all(a.default is not None for a in one.arguments))

    def describe_values(self) -> str:
        return _EXAMPLES

    def convert_value(self, value: object) -> Init:
        match value:
            # Not `table`, the initializer of computed tables, which no text can write.
            case Init(kind) if kind in INITIALIZERS:
                return value
            case str() if value in self.words:
                return with_values(value, {})
            # Before the numbers: a bool is an int in Python.
            case bool():
                raise InvalidArgument
            case int() | float():
                return Init("constant", (value,))
        raise InvalidArgument


INIT = InitKind()


def with_values(name: str, arguments: Mapping[str, float | str]) -> Init:
    """Return the initializer with these arguments, and defaults for the others. `InvalidArgument` if they do not make a distribution."""
    values = tuple(arguments.get(a.name, a.default) for a in INITIALIZERS[name].arguments)
    init = Init(name, values)  # type: ignore[arg-type]
    if name in ("uniform", "trunc_normal"):
        low, high = (value_of(init, end) for end in _FREE)
        # A uniform distribution between equal ends is a constant. A normal distribution cannot be truncated to a
        # point.
        if low > high or (low == high and name == "trunc_normal"):
            raise InvalidArgument("its lower end `a` is not below its upper end `b`")
    return init


def value_of(init: Init, name: str) -> Any:
    """Return the value of one argument of an initializer."""
    return init.values[[a.name for a in INITIALIZERS[init.kind].arguments].index(name)]


def check_init(init: Init, shape: Shape, dtype: DType, name: str) -> None:
    """Refuse an initializer that cannot draw such a tensor. `name` is the argument whose value it is."""
    location = argument_location(name)
    if not dtype.is_float:
        _check_integers(init, dtype, name)
    # PyTorch computes it by a QR decomposition, which it does not have for half types.
    elif init.kind == _ORTHOGONAL and dtype.name not in ("float32", "float64"):
        raise OperatorError(InitNeedsPrecision(init.kind, dtype), location)
    for value in init.values:
        # A number such as 1e6 would be infinite in float16.
        if isinstance(value, (int, float)) and dtype.is_float and abs(value) > dtype.limits[1]:
            raise OperatorError(InitUnfit(value, dtype), location)
    if len(shape) < INITIALIZERS[init.kind].axes:
        raise OperatorError(InitNeedsMatrix(init.kind, shape), location)


def _check_integers(init: Init, dtype: DType, name: str) -> None:
    match init:
        case Init("zeros" | "ones"):
            return
        case Init("constant", (int() | float() as value,)):
            low, high = dtype.limits
            if not low <= value <= high or not float(value).is_integer():
                raise OperatorError(InitUnfit(value, dtype), argument_location(name))
        case Init(kind):
            raise OperatorError(InitNeedsFloat(kind, dtype), argument_location(name))


def compute_fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return fan in and fan out of a matrix or kernel, as torch.nn.init counts them: axes after the first two count to both.

    >>> compute_fans((8, 3, 5, 5))
    (75, 200)
    """
    outputs, inputs, *field = shape
    return inputs * prod(field), outputs * prod(field)


def gain_of(nonlinearity: str, a: float) -> float:
    """Return torch.nn.init.calculate_gain: the factor that makes up for a nonlinearity's effect on the deviation."""
    gains = {"relu": sqrt(2), "leaky_relu": sqrt(2 / (1 + a**2)), "tanh": 5 / 3, "selu": 3 / 4}
    return gains.get(nonlinearity, 1.0)
