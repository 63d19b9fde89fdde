"""Types of inputs, drawn from what operators declare of them.

In: an operator's class. Out: types with integers for sizes. Always: element types and ranks are as declared; axes of one name have one
size, except now and then; `...` is the same axes in all inputs, of which some have fewer, or smaller ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from netc.compiler.ops import Operator
from netc.compiler.ops.element_types import ElementTypes
from netc.compiler.ops.operand import Axes
from netc.compiler.types.tensor_types import DTYPES, TensorType
from netc.dsl.record import Record

Draw = st.DrawFn
Types = tuple[TensorType, ...]

WEIGHTS = {
    "float32": 8,
    "float16": 3,
    "float64": 2,
    "bfloat16": 2,
    "int64": 3,
    "int32": 1,
    "int16": 1,
    "uint8": 1,
    "int8": 1,
    "bool": 1,
}
SIZES = (1, 2, 3, 4, 4, 5, 6, 8)
SMALL = (1, 2, 3, 4, 5)
GREATEST_RANK = 4


def tensor(dtype: str, sizes: Sequence[int]) -> TensorType:
    return TensorType(DTYPES[dtype], tuple(sizes))


class Form(Record):
    """What does not depend on sizes: for each input its operand, element type and rank."""

    names: tuple[str, ...]
    dtypes: tuple[str, ...]
    ranks: tuple[int, ...]


def form(draw: Draw, cls: type[Operator]) -> Form:
    names = _names(draw, cls)
    dtypes: list[str] = []
    for name in names:
        operand = cls.operands[name]
        same = dtypes[names.index(operand.like)] if operand.like else dtypes[0] if dtypes else ""
        stays = operand.like or (dtypes and same in operand.elements.names and draw(st.integers(0, 7)))
        dtypes.append(same if stays else _dtype(draw, operand.elements))
    return Form(tuple(names), tuple(dtypes), _ranks(draw, cls, names))


def _names(draw: Draw, cls: type[Operator]) -> list[str]:
    least, most = cls.arity()
    count = draw(st.integers(least, least + 2 if most is None else most))
    names = list(cls.operands)
    return names[:count] + names[-1:] * (count - len(names))


def _dtype(draw: Draw, elements: ElementTypes) -> str:
    return draw(st.sampled_from([name for name in elements.names for _ in range(WEIGHTS[name])]))


def _ranks(draw: Draw, cls: type[Operator], names: Sequence[str]) -> tuple[int, ...]:
    """That of the first is drawn within its bounds; `...` has the same number of axes in the others, mostly."""
    first = cls.operands[names[0]].axes
    usual = min(first.most or GREATEST_RANK, max(GREATEST_RANK, first.least))
    most = usual if draw(st.integers(0, 5)) else first.most or max(GREATEST_RANK, first.least + 2)
    rank = draw(st.integers(first.least, max(most, first.least)))
    ranks = [rank]
    for name in names[1:]:
        axes = cls.operands[name].axes
        around = rank - _fixed(first) + _fixed(axes) if "..." in axes.names else draw(st.integers(axes.least, _fixed(axes)))
        fewer = draw(st.integers(0, 2)) if "..." in axes.names and draw(st.integers(0, 3)) == 0 else 0
        ranks.append(max(min(around, axes.most or around) - fewer, axes.least, 0))
    return tuple(ranks)


def _fixed(axes: Axes) -> int:
    return len([name for name in axes.names if name != "..."])


def inputs(draw: Draw, cls: type[Operator], form: Form) -> Types:
    """Sizes for that form."""
    sizes: dict[str, int] = {}
    shared = [_size(draw, cls, []) for _ in range(max((*form.ranks, 1)))]
    types = []
    for index, (name, dtype, rank) in enumerate(zip(form.names, form.dtypes, form.ranks, strict=True)):
        words = cls.operands[name].axes.names
        fixed = [word for word in words if word != "..."][max(0, _fixed(cls.operands[name].axes) - rank) :]
        for word in fixed:
            sizes.setdefault(word, _size(draw, cls, list(sizes.values())))
        between = _between(draw, shared, rank - len(fixed), index)
        at = words.index("...") if "..." in words else len(words)
        front = [sizes[word] for word in words[:at] if word in fixed]
        back = [sizes[word] for word in words[at + 1 :] if word in fixed]
        types.append(tensor(dtype, [*front, *between, *back]))
    return _varied(draw, tuple(types)) if len(types) > 1 and draw(st.integers(0, 2)) == 0 else tuple(types)


def _size(draw: Draw, cls: type[Operator], known: list[int]) -> int:
    if known and draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(known))
    return draw(st.sampled_from(SIZES if cls.spatial else SMALL))


def _between(draw: Draw, shared: list[int], count: int, index: int) -> list[int]:
    """The axes of `...`: the last ones of those that all share, or others of them; in further inputs, some are 1 or a divisor."""
    if not index:
        return shared[len(shared) - count :]
    kept = shared[len(shared) - count :] if draw(st.integers(0, 3)) else sorted_sample(draw, shared, count)
    return [draw(st.sampled_from((1, 1, max(1, size // 2)))) if draw(st.integers(0, 5)) == 0 else size for size in kept]


def sorted_sample(draw: Draw, items: list[int], count: int) -> list[int]:
    """Some of the items, in their order."""
    positions = draw(st.permutations(range(len(items))))[:count]
    return [items[position] for position in sorted(positions)]


def _varied(draw: Draw, types: Types) -> Types:
    """The same with one size of one input changed."""
    index = draw(st.integers(0, len(types) - 1))
    sizes = [int(size) for size in types[index].shape]
    if not sizes:
        return types
    axis = draw(st.integers(0, len(sizes) - 1))
    sizes[axis] = max(1, sizes[axis] + draw(st.sampled_from((-1, 1, -2))))
    return (*types[:index], types[index].with_shape(tuple(sizes)), *types[index + 1 :])
