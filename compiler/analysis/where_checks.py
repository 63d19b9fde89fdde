"""Check the conditions of `where` with the sizes of real inputs.

In: the inputs' types, the declared names and the conditions of a program, and the shapes of the input arrays. Out: the sizes by name, or a
ValueError that names the condition and the sizes. Always: no backend computes with sizes that break a condition. The compiler's proofs rest
on the conditions, so the results could be wrong.

>>> list_sizes(["H", "W"], {"H": 4, "W": 5})
'H is 4, W is 5'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..dims import Dim, WhereCondition, bounds, condition_holds, condition_symbols, evaluate_dim, format_dim, free_symbols, invert_linear
from ..types.tensor_types import BATCH, TensorType

Shapes = Mapping[str, tuple[int, ...]]
Inputs = Sequence[tuple[str, TensorType]]


def check_conditions(
    inputs: Inputs, dims: Mapping[str, Dim], conditions: Sequence[tuple[WhereCondition, str]], shapes: Shapes
) -> dict[str, int]:
    """Check the shapes of all inputs.

    Args:
        inputs: the name and the type of each input.
        dims: the dimension that each declared name stands for.
        conditions: the conditions of every `where`, with their texts.
        shapes: the shape of each array, by input name.

    Returns:
        The size of each name that the shapes determine.

    Raises:
        ValueError: if the shapes break a `where`, or an input's type cannot have its shape.
    """
    sizes = _sizes_by_name(inputs, dims, shapes)
    check_each_condition(conditions, sizes)
    # A name that is no axis itself, such as S in `2 * S`, follows from the axes, once these are known to meet their conditions.
    sizes |= {n: evaluate_dim(d, sizes) for n, d in dims.items() if n not in sizes and _is_known(d, sizes)}
    check_each_condition(conditions, sizes)
    _check_bounds(dims, sizes)
    for name, type_ in inputs:
        for axis, (dim, size) in enumerate(zip(type_.shape, shapes[name], strict=True)):
            if _is_known(dim, sizes) and evaluate_dim(dim, sizes) != size:
                needed = f"{format_dim(dim)}, which is {evaluate_dim(dim, sizes)}"
                raise ValueError(f"the input `{name}` is {type_}: its axis {axis} must be {needed}, found {size}")
    return sizes


def list_sizes(names: Sequence[str], sizes: Mapping[str, int]) -> str:
    """Write sizes for a message."""
    return ", ".join(f"{name} is {sizes[name]}" for name in names)


def _sizes_by_name(inputs: Inputs, dims: Mapping[str, Dim], shapes: Shapes) -> dict[str, int]:
    """Find the sizes of the names that are an axis of an input, or from which an axis is computed."""
    # All axes that are a name come before those that are a formula, so that `T` wins over `T//2` for the size of T.
    axes = [pair for name, type_ in inputs for pair in zip(type_.shape, shapes[name], strict=True)]
    sizes = {name: size for dim, size in axes for name, declared in dims.items() if declared == dim}
    for dim, size in axes:
        linear = None if isinstance(dim, int) else invert_linear(dim)
        if linear is not None:
            name, factor, divisor, offset = linear
            # Rounded down if it is not exact. The last loop of `check_conditions` then finds that the axis has
            # another size.
            sizes.setdefault(name, (size - offset) * divisor // factor)
    return sizes


def check_each_condition(conditions: Sequence[tuple[WhereCondition, str]], sizes: Mapping[str, int]) -> None:
    """Raise ValueError for sizes that break a condition. Conditions on names without a size pass."""
    for condition, text in conditions:
        used = condition_symbols(condition)
        if used <= set(sizes) and not condition_holds(condition, sizes):
            raise ValueError(f"`where {text}` does not hold: {list_sizes(sorted(used), sizes)}")


def _check_bounds(dims: Mapping[str, Dim], sizes: Mapping[str, int]) -> None:
    """Raise ValueError for a size below its least value, which is 1 unless a `where` says otherwise: the proofs rest on it. The batch may
    be empty, because it then has no samples whose results could be wrong."""
    for name, dim in dims.items():
        least = bounds(dim)[0]
        if name in sizes and name != BATCH and least is not None and sizes[name] < least:
            remedy = f"; to allow 0, declare it with `where {name} >= 0`" if least == 1 and not sizes[name] else ""
            raise ValueError(f"`{name}` must be at least {least}, found {sizes[name]}{remedy}")


def _is_known(dim: Dim, sizes: Mapping[str, int]) -> bool:
    return not isinstance(dim, int) and free_symbols(dim) <= set(sizes)
