"""Forms of operators that all frameworks for Python share: Python's own operators and subscripts, and the lists of functions whose names
are the operator's own in most frameworks.

    >>> from .emitters import Emitters
    >>> emitters = Emitters(lambda order, modules: None)
    >>> add_syntax(emitters, "numpy.{}")
    >>> emitters.names[Add], emitters.names[Slice]
    ('numpy.add', 'x[:, start:stop:step]')
"""

from __future__ import annotations

from ...ops.arithmetic import Add, BinaryOperator, Div, Maximum, Minimum, Mul, Pair, Pow, Remainder, Sub
from ...ops.axes import normalize_axis
from ...ops.binary import Atan2, Hypot, Logaddexp
from ...ops.bitwise import BitwiseAnd, BitwiseLogic, BitwiseNot, BitwiseOr, BitwiseXor
from ...ops.comparison import Eq, Ge, Gt, Isfinite, Isinf, Isnan, Le, LogicalAnd, LogicalOr, LogicalXor, Lt, Ne
from ...ops.elementwise import (
    Abs,
    Ceil,
    Erf,
    Exp,
    Exp2,
    Expm1,
    Floor,
    Log,
    Log1p,
    Log2,
    Log10,
    LogicalNot,
    Neg,
    Reciprocal,
    Round,
    Rsqrt,
    Sign,
    Sqrt,
    Square,
    Trunc,
)
from ...ops.linear_algebra import Matmul
from ...ops.loss import Loss
from ...ops.operator import Operator
from ...ops.short_time import ShortTime
from ...ops.slicing import Select, Slice
from ...ops.special import Digamma, Erfc, Erfinv, Lgamma
from ...ops.trigonometry import Acos, Acosh, Asin, Asinh, Atan, Atanh, Cos, Cosh, Sin, Sinh, Tan
from ...types.tensor_types import BOOL
from .code.python_expressions import (
    CallCode,
    Code,
    Default,
    Freedom,
    Infix,
    Prefix,
    SelfMember,
    SliceCode,
    Subscript,
    call_function,
    call_method,
    to_code,
)
from .emitters import Emitters
from .operator_calls import OperatorSite

ELEMENTWISE: tuple[type[Operator], ...] = (
    *(Abs, Ceil, Erf, Exp, Exp2, Expm1, Floor, Log, Log1p, Log2, Log10, LogicalNot, Reciprocal, Round, Rsqrt, Sign, Sqrt, Square, Trunc),
    *(Acos, Acosh, Asin, Asinh, Atan, Atanh, Cos, Cosh, Sin, Sinh, Tan),
    *(Digamma, Erfc, Erfinv, Lgamma),
    *(Isfinite, Isinf, Isnan),
)
"""The functions of each element that take nothing but the tensor."""
PAIRS: tuple[type[Pair], ...] = (Maximum, Minimum, Atan2, Hypot, Logaddexp, LogicalAnd, LogicalOr, LogicalXor)
"""The functions of two tensors that take nothing else."""
INFIX: tuple[type[Operator], ...] = (Add, Sub, Mul, Div, Remainder, Pow, Eq, Ne, Lt, Le, Gt, Ge)
"""The operators that are Python's own between two tensors, or a tensor and a number."""
BITWISE: dict[type[Operator], str] = {BitwiseAnd: "&", BitwiseOr: "|", BitwiseXor: "^"}
FLOAT_NEUTRAL = ("*", "/", "**", "-")
"""The operations whose neutral number changes no float. `x + 0` makes 0.0 of -0.0, and `x // 1` is rounded."""


def add_syntax(emitters: Emitters, target: str) -> None:
    """Register the operators that are Python's own. `target`: the name of a function in the framework, with `{}` for the operator's."""
    emitters.function(*INFIX, target=target)(emit_binary)
    emitters.function(*BITWISE, target=target)(emit_logic)
    emitters.function(BitwiseNot, target=target)(lambda op, site: Prefix("~", site.x))
    emitters.function(Neg, target=target)(lambda op, site: Prefix(op.prefix_symbol, site.x))
    emitters.function(Matmul, target=target)(lambda op, site: Infix(op.symbol, site.x, site.other))
    emitters.function(Slice, target="x[:, start:stop:step]")(emit_slice)


def emit_binary(op: BinaryOperator, site: OperatorSite) -> Code:
    if not op.scalars:
        # Frameworks refuse `-` between booleans, so `x + -y` must not become `x - y`.
        return Infix(op.symbol, site.x, site.other, "none" if BOOL in (site.given.x.dtype, site.given.other.dtype) else "signs")
    number, freedom = to_code(op.other, "other"), _choose_freedom(op, site)
    return Infix(op.symbol, number, site.x, freedom) if op.number_first else Infix(op.symbol, site.x, number, freedom)


def _choose_freedom(op: BinaryOperator, site: OperatorSite) -> Freedom:
    x = site.given.x.dtype
    if x == BOOL:
        return "none"
    return "neutral" if site.results[0].dtype == x and (x.is_integer or op.symbol in FLOAT_NEUTRAL) else "signs"


def list_sides(op: BinaryOperator, site: OperatorSite) -> tuple[Code, Code]:
    """Return the two sides of an operator, of which one may be a number."""
    if not op.scalars:
        return site.x, site.other
    number = to_code(op.other, "other")
    return (number, site.x) if op.number_first else (site.x, number)


def emit_logic(op: BitwiseLogic, site: OperatorSite) -> Code:
    left, right = list_sides(op, site)
    return Infix(BITWISE[type(op)], left, right)


def emit_item(code: Code, axis: int, item: Code) -> Code:
    """Write `code[:, :, item]`."""
    return Subscript(code, (*(SliceCode(),) * axis, item))


def emit_slice(op: Slice, site: OperatorSite) -> Code:
    axis = normalize_axis(op.name, op.axis, site.given.x)
    ends: list[Code | None] = [None if end is None else to_code(end, hint) for end, hint in ((op.start, "start"), (op.stop, "stop"))]
    start = None if op.start == 0 else ends[0]
    return emit_item(site.x, axis, SliceCode(start, ends[1], None if op.step == 1 else to_code(op.step, "step")))


def emit_select(op: Select, site: OperatorSite) -> Code:
    return emit_item(site.x, normalize_axis(op.name, op.axis, site.given.x), to_code(op.index, "index"))


def call_loss(function: str, op: Loss, site: OperatorSite) -> Code:
    """Call a loss with required inputs by position, and optional ones by name."""
    inputs = [
        site[name] if name in site.given else to_code(op.args[name], name) for name, operand in op.operands.items() if not operand.optional
    ]
    tensors = {name: Default(site.get(name), None) for name, operand in op.operands.items() if operand.optional}
    options = {name: Default(op.args[name], arg.default) for name, arg in op.signature.items() if name not in op.operands}
    return call_function(function, *inputs, **tensors, **options)


def list_short_time_options(op: ShortTime, site: OperatorSite) -> dict[str, object]:
    """List the options that a short-time Fourier transform and its inverse share."""
    return {
        "hop_length": Default(op.hop_length, None),
        "win_length": Default(op.win_length, None),
        "window": Default(site.get("window"), None),
        "center": Default(op.center, True),
        "normalized": Default(op.normalized, False),
        "onesided": Default(op.onesided, True),
    }


def emit_scaling(site: OperatorSite, reshape: str) -> Code:
    """Scale and shift the result of a module without a weight, each channel by its own number. `reshape` is the framework's method."""
    scaled = Infix("*", CallCode(SelfMember(), (site.x,)), _expand_per_channel(site, "weight", reshape))
    return Infix("+", scaled, _expand_per_channel(site, "bias", reshape)) if "bias" in site.given else scaled


def _expand_per_channel(site: OperatorSite, name: str, reshape: str) -> Code:
    spatial = site.given.x.rank - 2
    return call_method(site[name], reshape, -1, *[1] * spatial) if spatial else site[name]
