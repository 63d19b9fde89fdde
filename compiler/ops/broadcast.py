"""Broadcasting, as NumPy and PyTorch have it: shapes are aligned at their ends, and an axis of 1 stretches to any other.

In: the shapes of two or more tensors, and the facts about their dimensions. Out: the shape they broadcast to, or an `OperatorError`.
Always: a symbolic dimension broadcasts only with 1 and with dimensions that are provably equal to it.

>>> from ..dims import make_symbol
>>> broadcast((make_symbol("N"), 3, 1), (4,), Facts.empty())
(N, 3, 4)
"""

from __future__ import annotations

from collections.abc import Sequence

from ..dims import Dim, Facts, format_dim, suggest_equality
from ..errors.operator_errors import ShapeMismatch, Unprovable
from ..errors.problem import STAGE
from ..types.tensor_types import Shape
from .operator import OperatorError


def broadcast(a: Shape, b: Shape, facts: Facts, operator: str = "broadcast", verb: str = "", at: tuple[int, int] = (0, 1)) -> Shape:
    """Return the shape to which `a` and `b` broadcast. `verb` completes "cannot ..." in a message; the default is the operator's name. `at`
    has the positions of the two inputs."""
    rank = max(len(a), len(b))
    pairs = list(zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True))
    sizes = [_broadcast_size(x, y, facts) for x, y in pairs]
    open_ = [axis for axis, size in enumerate(sizes) if size is None]
    # Axes that certainly differ are reported before axes that merely cannot be proved equal: no `where` would mend them.
    for axis in open_:
        x, y = pairs[axis]
        if facts.are_equal(x, y) is False:
            why = f"{_name_axis(axis, a, b)} is {format_dim(x)} in one and {format_dim(y)} in the other"
            raise OperatorError(ShapeMismatch(verb or operator, a, b, why, _suggest_axes(a, b, facts, at), at), STAGE)
    for axis in open_:
        x, y = pairs[axis]
        need = f"{_name_axis(axis, a, b)} of both must agree, or be 1"
        raise OperatorError(Unprovable(operator, x, y, need, suggest_equality(x, y) or "", at), STAGE)
    return tuple(size for size in sizes if size is not None)


def broadcast_all(shapes: Sequence[Shape], facts: Facts, operator: str, verb: str = "", first: int = 0) -> Shape:
    """Return the shape to which all shapes broadcast. They belong to consecutive inputs, from the position `first`."""
    result = shapes[0]
    for index, shape in enumerate(shapes[1:], start=first + 1):
        result = broadcast(result, shape, facts, operator, verb, at=(first, index))
    return result


def _broadcast_size(x: Dim, y: Dim, facts: Facts) -> Dim | None:
    """Return the size of an axis that is x in one tensor and y in another; None if it is unknown."""
    if facts.are_equal(x, y):
        # A plain number, if one of the two is: later stages know more about it.
        return y if isinstance(y, int) else x
    if facts.are_equal(x, 1):
        return y
    return x if facts.are_equal(y, 1) else None


def _name_axis(axis: int, a: Shape, b: Shape) -> str:
    """Name an axis of the result so that it is right for both tensors: from the front only if they have the same number of axes."""
    return f"axis {axis}" if len(a) == len(b) else f"axis {axis - max(len(a), len(b))}"


def _can_broadcast(short: Shape, long: Shape, facts: Facts) -> bool:
    return all(_broadcast_size(x, y, facts) is not None for x, y in zip(reversed(short), reversed(long), strict=False))


def _suggest_axes(a: Shape, b: Shape, facts: Facts, at: tuple[int, int]) -> str:
    """Suggest axes at the end of the shorter shape, if they solve the problem: `[N, C]` and `[N, C, H, W]`."""
    short, long = (a, b) if len(a) < len(b) else (b, a)
    missing = len(long) - len(short)
    missing = next((more for more in range(1, missing + 1) if _can_broadcast((*short, *(1,) * more), long, facts)), 0)
    if not short or not missing:
        return ""
    index = at[0] if short is a else at[1]
    which = "first" if index == min(at) else "second"
    many = "another axis" if missing == 1 else f"{missing} more axes"
    stages = " ".join(["-> unsqueeze (-1)"] * missing)
    return f"give the {which} one {many} at its end: `({{{index}}} {stages})`"
