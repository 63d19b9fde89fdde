"""Uses of operators, drawn from what the operators declare of themselves.

In: a class of `Operator.registry`. Out: a hypothesis strategy of `Use`s, nearly all of them valid. Always: tensors are tiny; inputs come
from the declared operands (inputs.py), the values of an argument from its kind, or from special/ for a few operators. What netc refuses
is drawn again, but not always: then PyTorch is asked whether it refuses too.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from hypothesis import strategies as st

from netc.compiler.dims import Facts
from netc.compiler.ops import Operator
from netc.compiler.ops import kinds as k
from netc.compiler.ops.activation import SlopesKind
from netc.compiler.ops.initializers import INIT
from netc.compiler.ops.joining import PiecesKind
from netc.compiler.ops.kinds import InvalidArgument, Kind
from netc.compiler.ops.operator import Arg, OperatorError, Required
from netc.compiler.ops.parametric import Parametric
from netc.compiler.ops.windows import PaddingKind
from netc.compiler.types.tensor_types import DTYPES, TensorType
from netc.dsl.record import replace
from tests.differential.inputs import Draw, Types, form, inputs
from tests.differential.special import ARGUMENTS, INPUTS
from tests.differential.use import BATCH, Use

GREATEST = 4
NUMBERS = (0.5, 1, 2, 0.25, 3, 1.5, 0.1, -1, -0.75, 0, 1000, -1000, 1e30)
INTEGERS = (0, 1, 2, 3)
"""Numbers for tensors of integers."""
OPERANDS = (2, 0.5, 3, -1.5, 1, 4)
"""Numbers used instead of a tensor."""
SCALARS = (2, 0.5, 3, -1, 1, 1.5, True, 0, 1e4, -1e30)
TRIES = 24
SAME_FORM = 6
"""The tries with the same number of inputs, ranks and element types: other ones may fit more easily, and are no better for that."""
LARGEST = 100_000
"""The number of elements that no result exceeds."""


@st.composite
def uses(draw: Draw, name: str) -> Use:
    """A use of the operator called `name`."""
    cls = Operator.registry[name]
    use = _fitting(draw, cls)
    if draw(st.integers(0, 3)) == 0:
        use = _symbolic(draw, use)
    if len(use.inputs) == 1 and draw(st.integers(0, 4)) == 0:
        use = Use(use.operator, use.inputs, use.args, use.dims, "part")
    return replace(use, main=True) if cls.extras and draw(st.booleans()) else use


def _fitting(draw: Draw, cls: type[Operator]) -> Use:
    """One that netc accepts, as a rule."""
    for attempt in range(TRIES if draw(st.integers(0, 7)) else 1):
        if attempt % SAME_FORM == 0:
            chosen = form(draw, cls)
        types = INPUTS[cls.name](draw) if cls.name in INPUTS else inputs(draw, cls, chosen)
        use = Use(cls.name, types, tuple(_arguments(draw, cls, types).items()))
        if issubclass(cls, Parametric) and cls.as_tensors and draw(st.integers(0, 7)):
            use = _with_weights(use, len(types) - cls.arity()[0])
        if _accepted(use):
            break
    return use


def _with_weights(use: Use, count: int) -> Use:
    """The use with the weights that it needs: the first `count` of those that may be given as tensors."""
    signature = use.cls.signature
    if not all(_fits(signature[name].kind, value) for name, value in use.args if name in signature):
        return use
    op = use.build()
    assert isinstance(op, Parametric)
    own = use.inputs[: use.cls.arity()[0]]
    given = op.bind_inputs(own, Facts.empty())
    try:
        op.check_and_infer(given)
    except OperatorError:
        return use
    specs = {spec.name: TensorType(spec.dtype, spec.shape) for spec in op.default_parameters(given)}
    return replace(use, inputs=(*own, *(specs[name] for name in op.as_tensors[:count] if name in specs)))


def _accepted(use: Use) -> bool:
    signature = use.cls.signature
    if not all(_fits(signature[name].kind, value) for name, value in use.args if name in signature):
        return False
    op = use.build()
    try:
        results = op.check_and_infer(op.bind_inputs(use.inputs, Facts.empty()))
    except OperatorError:
        return False
    return all(0 < prod(int(d) for d in t.shape) < LARGEST for t in results)


def _symbolic(draw: Draw, use: Use) -> Use:
    """The same with one of its sizes unknown, or the batch."""
    sizes = sorted({size for t in use.inputs for size in t.shape if isinstance(size, int) and size > 1})
    batches = sorted({t.shape[0] for t in use.inputs if t.rank if isinstance(t.shape[0], int)})
    if not sizes:
        return use
    if batches and draw(st.booleans()):
        return Use(use.operator, use.inputs, use.args, ((draw(st.sampled_from(batches)), BATCH),), use.label)
    return Use(use.operator, use.inputs, use.args, ((draw(st.sampled_from(sizes)), "T"),), use.label)


# --- arguments -------------------------------------------------------------------------------------------------------------------


def _arguments(draw: Draw, cls: type[Operator], types: Types) -> dict[str, Any]:
    """Those that must be given, and some of the others, in the order of the signature."""
    settled = {**_numbers(draw, cls, types), **(ARGUMENTS[cls.name](draw, types) if cls.name in ARGUMENTS else {})}
    args = {}
    for name, arg in cls.signature.items():
        if name in settled:
            if settled[name] is not None:
                args[name] = settled[name]
        elif arg.kind is INIT:  # references do not draw: tests/ops has the initializers
            continue
        elif _is_required(arg) or draw(st.integers(0, 2)) == 0:
            args[name] = value(draw, arg.kind, types)
    return {**args, **{name: v for name, v in settled.items() if name not in cls.signature}}


def _numbers(draw: Draw, cls: type[Operator], types: Types) -> dict[str, Any]:
    """Numbers for tensors that are absent."""
    found: dict[str, Any] = {}
    for index, (name, operand) in enumerate(cls.operands.items()):
        if operand.or_number:
            absent = index >= len(types)
            found[name] = draw(st.sampled_from(OPERANDS if types[-1].dtype.is_float else INTEGERS[1:])) if absent else None
            if not absent:
                found["reverse"] = None
    return {name: v for name, v in found.items() if name in cls.signature}


def _is_required(arg: Arg[Any]) -> bool:
    return isinstance(arg.default, Required)


def value(draw: Draw, kind: Kind[Any], types: Types) -> Any:
    """A value of the kind, for an operator on these inputs."""
    for cls in type(kind).__mro__:
        if cls in VALUES:
            return VALUES[cls](draw, kind, types)
    if kind.words:
        return draw(st.sampled_from(kind.words))
    raise NotImplementedError(f"no values of {type(kind).__name__} can be drawn: add it to VALUES in {__name__}")


def _rank_of(types: Types) -> int:
    return max(types[0].rank, 1) if types else 1


def _int(draw: Draw, kind: Any, types: Types) -> int:
    if kind is k.AXIS:
        rank = _rank_of(types)
        return draw(st.sampled_from((-rank - 1, rank))) if draw(st.integers(0, 7)) == 0 else draw(st.integers(-rank, rank - 1))
    low = -2 if kind.low is None else kind.low
    return draw(st.integers(low, low + GREATEST if kind.high is None else min(kind.high, low + GREATEST)))


def _size(draw: Draw, kind: Any, types: Types) -> int:
    """That of an axis, or any; of what need not be a size, a negative one too."""
    sizes = [int(d) for t in types for d in t.shape]
    if sizes and draw(st.integers(0, 2)) == 0:
        return draw(st.sampled_from(sizes))
    return draw(st.integers(-4 if kind.low is None else kind.low, 6))


def _number(draw: Draw, kind: Any, types: Types) -> float:
    numbers = NUMBERS if not types or types[0].dtype.is_float else INTEGERS
    return draw(st.sampled_from([n for n in numbers if _fits(kind, n)] or [n for n in NUMBERS if _fits(kind, n)]))


def _fits(kind: Kind[Any], number: object) -> bool:
    try:
        kind.convert_value(number)
    except InvalidArgument:
        return False
    return True


def _list(draw: Draw, kind: Any, types: Types) -> Any:
    if kind.item is k.AXIS:
        rank = _rank_of(types)
        axes = draw(st.lists(st.integers(0, rank - 1), min_size=1, max_size=rank, unique=True))
        axes = [axis - rank if draw(st.booleans()) else axis for axis in axes]
        return axes[0] if kind.scalar and len(axes) == 1 and draw(st.booleans()) else tuple(axes)
    if kind.scalar and draw(st.booleans()):
        return value(draw, kind.item, types)
    if isinstance(kind.item, k.SizeKind) and kind.item is not k.AMOUNT and draw(st.integers(0, 3)):
        return _shape(draw, [int(d) for d in types[0].shape] if types else [])
    if kind.item is k.AMOUNT and draw(st.booleans()):
        return tuple(value(draw, kind.item, types) for _ in range(2 * draw(st.integers(1, _rank_of(types)))))
    return tuple(value(draw, kind.item, types) for _ in range(draw(st.integers(max(kind.least, 1), 3))))


def _shape(draw: Draw, sizes: list[int]) -> tuple[int, ...]:
    """Sizes derived from a shape: its last ones, all of it stretched, or factors of one of them or of the whole; one may be open."""
    match draw(st.integers(0, 3)):
        case 0:
            found = sizes[draw(st.integers(0, max(len(sizes) - 1, 0))) :]
        case 1:
            found = [draw(st.integers(1, 3)) if size == 1 else size for size in sizes]
        case 2:
            found = _factors(draw, draw(st.sampled_from(sizes or [1])))
        case _:
            found = _factors(draw, prod(sizes))
    at = draw(st.integers(0, len(found) - 1)) if found and draw(st.integers(0, 2)) == 0 else None
    return tuple(-1 if index == at else size for index, size in enumerate(found))


def _factors(draw: Draw, whole: int) -> list[int]:
    """Sizes whose product is `whole`."""
    sizes: list[int] = []
    while whole > 1 and len(sizes) < 3:
        sizes.append(draw(st.sampled_from([n for n in range(1, whole + 1) if whole % n == 0])))
        whole //= sizes[-1]
    return [*sizes, whole]


def _pieces(draw: Draw, kind: Any, types: Types) -> Any:
    """A size, or two that add up to the size of an axis."""
    whole = draw(st.sampled_from([int(d) for d in types[0].shape] or [1]))
    first = draw(st.integers(1, whole))
    return draw(st.sampled_from((first, (first, whole - first) if first < whole else (first,))))


def _padding(draw: Draw, kind: Any, types: Types) -> Any:
    return draw(st.sampled_from(kind.words)) if draw(st.integers(0, 2)) == 0 else _sizes(draw, kind.sizes, types)


def _sizes(draw: Draw, kind: Any, types: Types) -> Any:
    low = kind.one.low or 0
    one = st.integers(low, low + 2)
    return draw(one) if draw(st.booleans()) else tuple(draw(one) for _ in range(max(_rank_of(types) - 2, 1)))


def _slopes(draw: Draw, kind: Any, types: Types) -> Any:
    return draw(st.sampled_from([1, "channels", types[0].shape[1]] if types[0].rank > 1 else [1]))


VALUES: dict[type, Callable[[Draw, Any, Types], Any]] = {
    k.IntKind: _int,
    k.SizeKind: _size,
    k.NumberKind: _number,
    k.ScalarKind: lambda draw, kind, types: draw(st.sampled_from(SCALARS if types[0].dtype.is_float else INTEGERS)),
    k.FlagKind: lambda draw, kind, types: draw(st.booleans()),
    k.DTypeKind: lambda draw, kind, types: draw(st.sampled_from(list(DTYPES))),
    k.ListKind: _list,
    k.SizesKind: _sizes,
    SlopesKind: _slopes,
    PiecesKind: _pieces,
    PaddingKind: _padding,
}
"""How values of each kind are drawn. Kinds that are sets of words need nothing."""
