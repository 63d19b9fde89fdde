"""Uses of operators, drawn from what the operators declare of themselves.

In: a class of `Operator.registry`. Out: a hypothesis strategy of `Use`s, nearly all of them valid. Always: tensors are tiny; the values
of an argument come from its kind, the inputs from the class; family_inputs.py and
family_arguments.py help where sizes and arguments must go together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from netc.compiler.ir.types import DTYPES, TensorType
from netc.compiler.ops import Operator
from netc.compiler.ops import kinds as k
from netc.compiler.ops.activation import SlopesKind
from netc.compiler.ops.base import Arg
from netc.compiler.ops.kinds import InvalidArgument, Kind
from netc.dsl.record import replace
from tests.differential.family_arguments import ARGUMENTS
from tests.differential.family_inputs import INPUTS, RANKS, Draw, Family, broadcasting, dtypes_of, shape, tensor
from tests.differential.use import BATCH, Use

GREATEST = 4
NUMBERS = (0.5, 1, 2, 0.25, 3, 1.5, 0.1, -1, -0.75, 0, 1000, -1000, 1e30)
SCALARS = (2, 0.5, 3, -1, 1, 1.5, True, 0, 1e4, -1e30)


@st.composite
def uses(draw: Draw, name: str) -> Use:
    """A use of the operator called `name`."""
    cls = Operator.registry[name]
    types = tuple(INPUTS.get(name, _inputs)(draw, Family(cls, draw(st.sampled_from(dtypes_of(cls))), _rank(draw, cls))))
    args = _arguments(draw, cls, types)
    use = Use(name, types, tuple(args.items()))
    if draw(st.integers(0, 3)) == 0:
        use = _symbolic(draw, use)
    if len(types) == 1 and draw(st.integers(0, 4)) == 0:
        use = Use(use.operator, use.inputs, use.args, use.dims, "part")
    return replace(use, main=True) if cls.extras and draw(st.booleans()) else use


def _symbolic(draw: Draw, use: Use) -> Use:
    """The same with one of its sizes unknown, or the batch."""
    sizes = sorted({size for t in use.inputs for size in t.shape if isinstance(size, int) and size > 1})
    batches = sorted({t.shape[0] for t in use.inputs if t.rank if isinstance(t.shape[0], int)})
    if not sizes:
        return use
    if batches and draw(st.booleans()):
        return Use(use.operator, use.inputs, use.args, ((draw(st.sampled_from(batches)), BATCH),), use.label)
    return Use(use.operator, use.inputs, use.args, ((draw(st.sampled_from(sizes)), "T"),), use.label)


# --- inputs ----------------------------------------------------------------------------------------------------------------------


def _rank(draw: Draw, cls: type[Operator]) -> int:
    low, high = RANKS.get(cls.name, (3, 5) if cls.spatial else (0, 4))
    return draw(st.integers(low, min(high, 4)) if draw(st.integers(0, 5)) else st.integers(low, high))


def _inputs(draw: Draw, family: Family) -> list[TensorType]:
    """As many as the class takes; several broadcast."""
    low, high = family.cls.arity()
    count = draw(st.integers(low, high if high is not None else low + 2))
    if count == 0:
        return []
    if count == 1:
        return [tensor(family.dtype, shape(draw, family.rank))]
    return broadcasting(draw, family, count)


# --- arguments -------------------------------------------------------------------------------------------------------------------


def _arguments(draw: Draw, cls: type[Operator], types: tuple[TensorType, ...]) -> dict[str, Any]:
    """Those that must be given, and some of the others, in the order of the signature."""
    settled = ARGUMENTS[cls.name](draw, types) if cls.name in ARGUMENTS else {}
    args = {}
    for name, arg in cls.signature.items():
        if name in settled:
            if settled[name] is not None:
                args[name] = settled[name]
        elif _is_required(arg) or draw(st.integers(0, 2)) == 0:
            args[name] = value(draw, arg.kind, types)
    return {**args, **{name: v for name, v in settled.items() if name not in cls.signature}}


def _is_required(arg: Arg[Any]) -> bool:
    return repr(arg.default) == "(required)"


def value(draw: Draw, kind: Kind[Any], types: tuple[TensorType, ...]) -> Any:
    """A value of the kind, for an operator on these inputs."""
    for cls in type(kind).__mro__:
        if cls in VALUES:
            return VALUES[cls](draw, kind, types)
    if kind.words:
        return draw(st.sampled_from(kind.words))
    raise NotImplementedError(f"no values of {type(kind).__name__} can be drawn: add it to VALUES in {__name__}")


def _rank_of(types: tuple[TensorType, ...]) -> int:
    return max(types[0].rank, 1) if types else 1


def _int(draw: Draw, kind: Any, types: tuple[TensorType, ...]) -> int:
    if kind is k.AXIS:
        return draw(st.integers(-_rank_of(types), _rank_of(types) - 1))
    low = -2 if kind.low is None else kind.low
    return draw(st.integers(low, low + GREATEST if kind.high is None else min(kind.high, low + GREATEST)))


def _number(draw: Draw, kind: Any, types: tuple[TensorType, ...]) -> float:
    return draw(st.sampled_from([n for n in NUMBERS if _fits(kind, n)]))


def _fits(kind: Kind[Any], number: object) -> bool:
    try:
        kind.convert(number)
    except InvalidArgument:
        return False
    return True


def _list(draw: Draw, kind: Any, types: tuple[TensorType, ...]) -> Any:
    if kind.item is k.AXIS:
        rank = _rank_of(types)
        axes = draw(st.lists(st.integers(0, rank - 1), min_size=1, max_size=rank, unique=True))
        axes = [axis - rank if draw(st.booleans()) else axis for axis in axes]
        return axes[0] if kind.scalar and len(axes) == 1 and draw(st.booleans()) else tuple(axes)
    if kind.scalar and draw(st.booleans()):
        return value(draw, kind.item, types)
    return tuple(value(draw, kind.item, types) for _ in range(draw(st.integers(max(kind.least, 1), 3))))


def _sizes(draw: Draw, kind: Any, types: tuple[TensorType, ...]) -> Any:
    low = kind.one.low or 0
    one = st.integers(low, low + 2)
    return draw(one) if draw(st.booleans()) else tuple(draw(one) for _ in range(max(_rank_of(types) - 2, 1)))


def _slopes(draw: Draw, kind: Any, types: tuple[TensorType, ...]) -> Any:
    return draw(st.sampled_from([1, "channels", types[0].shape[1]] if types[0].rank > 1 else [1]))


VALUES: dict[type, Callable[[Draw, Any, tuple[TensorType, ...]], Any]] = {
    k.IntKind: _int,
    k.SizeKind: lambda draw, kind, types: draw(st.integers(1 if kind.low is None else kind.low, 6)),
    k.NumberKind: _number,
    k.ScalarKind: lambda draw, kind, types: draw(st.sampled_from(SCALARS)),
    k.FlagKind: lambda draw, kind, types: draw(st.booleans()),
    k.DTypeKind: lambda draw, kind, types: draw(st.sampled_from(list(DTYPES))),
    k.ListKind: _list,
    k.SizesKind: _sizes,
    SlopesKind: _slopes,
}
"""How values of each kind are drawn. Kinds that are sets of words need nothing."""
