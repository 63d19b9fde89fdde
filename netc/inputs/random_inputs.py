"""Draw random inputs for a model.

In: the types of its inputs. Out: arrays of these types, whose symbolic dimensions have sizes that satisfy every `where`. Always: the same
seed gives the same arrays. Floating-point numbers are normally distributed. Integers are 0 or 1, which are valid in any vocabulary.

    >>> import netc
    >>> choose_input_shapes(netc.compile("a = input [S, 3]; b = input [T, 3] where S == 2 * T; out a, b").program)
    {'a': (1, 16, 3), 'b': (1, 8, 3)}
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import permutations, product
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from netc.compiler.analysis.input_shapes import check_sizes
from netc.compiler.dims import Dim, OneOf, SymDim, bounds, evaluate_dim, format_dim, free_symbols
from netc.compiler.ir.walk import collect_graphs
from netc.compiler.types.numpy_types import Array, numpy_dtype

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program
    from netc.compiler.types.tensor_types import DType

BATCH = "N"
DEFAULT_SIZE = 8
_MAX_SIZE = 4096
_MAX_TRIES = 100_000
_MAX_PERMUTED = 3
"""The number of dimensions of which all orders by size are tried."""
_MAX_REORDERED = 8
"""How many sizes are tried in each order."""
_STEPS = (1, 12, 40)
"""The distances between sizes that are tried: next to 8, they make 9, 20 and 48."""
_MAX_ELEMENTS = 2**40
"""More elements than any memory has room for. NumPy has no clear error for such a size."""


class NoSizes(ValueError):
    """No sizes were found that satisfy the conditions of the spec."""


def choose_input_shapes(program: Program) -> dict[str, tuple[int, ...]]:
    """Return a shape for every input, by name: one sample, and for other symbolic dimensions the first size that satisfies every `where`,
    beginning with 8."""
    types = {value.name: value.type for value in program.main.inputs}
    used = sorted(set().union(*(free_symbols(d) for t in types.values() for d in t.shape)))
    listed = {format_dim(c.left): c.values for c, _ in program.conditions if isinstance(c, OneOf)}
    for sizes in _generate_sizes(used, listed):
        if _satisfies_conditions(program, sizes):
            return {name: tuple(evaluate_dim(d, sizes) for d in t.shape) for name, t in types.items()}
    raise NoSizes(f"no sizes were found for {', '.join(f'`{n}`' for n in used)} that satisfy every `where`")


def replace_size(
    program: Program, sizes: Mapping[str, int], name: str, size: int
) -> tuple[dict[str, int], dict[str, tuple[int, ...]]] | None:
    """Return the sizes with another size for one dimension, and the shapes of the inputs, or None if a `where` does not allow it."""
    changed = {**sizes, name: size}
    if not _satisfies_conditions(program, changed):
        return None
    return changed, {value.name: tuple(evaluate_dim(d, changed) for d in value.type.shape) for value in program.main.inputs}


def choose_varied_shapes(program: Program, count: int) -> list[tuple[dict[str, int], dict[str, tuple[int, ...]]]]:
    """Return several choices of sizes, each with the shapes of the inputs by name.

    The sizes of one choice differ from each other as far as the conditions allow, so that no two axes are confused. None is so small that a
    tensor within the model is empty.
    """
    types = {value.name: value.type for value in program.main.inputs}
    used = sorted(set().union(*(free_symbols(d) for t in types.values() for d in t.shape)))
    listed = {format_dim(c.left): c.values for c, _ in program.conditions if isinstance(c, OneOf)}
    inside = _list_inner_dims(program, used)
    choices: list[tuple[dict[str, int], dict[str, tuple[int, ...]]]] = []
    for index, sizes in enumerate(
        _generate_varied_sizes(used, {name: _list_allowed_sizes(program, name, listed) for name in used}, listed)
    ):
        if (
            all(_are_different(sizes, other) for other, _ in choices)
            and _satisfies_conditions(program, sizes)
            and all(evaluate_dim(d, sizes) > 0 for d in inside)
        ):
            choices.append((sizes, {name: tuple(evaluate_dim(d, sizes) for d in t.shape) for name, t in types.items()}))
        # the conditions may allow fewer choices than asked for, so the search for more has an end
        if len(choices) == count or (choices and index > _MAX_TRIES):
            break
    if not choices:
        raise NoSizes(f"no sizes were found for {', '.join(f'`{n}`' for n in used)} that satisfy every `where`")
    return choices


def _are_different(sizes: Mapping[str, int], other: Mapping[str, int]) -> bool:
    return sizes[BATCH] != other[BATCH] if BATCH in sizes else sizes != other


def _list_inner_dims(program: Program, names: Collection[str]) -> list[Dim]:
    """Return the sizes within the model that depend on these symbols alone. None of them may be 0."""
    values = (value for graph in collect_graphs(program.main) for node in graph.nodes for value in node.outputs)
    dims = {d: None for value in values for d in value.type.shape if isinstance(d, SymDim)}
    return [d for d in dims if free_symbols(d) <= set(names)]


def _list_allowed_sizes(program: Program, name: str, listed: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Return the sizes that the conditions on one dimension allow, the default and larger ones first."""
    dim = program.dims.get(name)
    if name in listed:
        return listed[name]
    sizes = (*range(DEFAULT_SIZE, _MAX_SIZE), *range(1, DEFAULT_SIZE))
    if dim is None or free_symbols(dim) != {name}:
        return sizes
    return tuple(size for size in sizes if evaluate_dim(dim, {name: size}) == size) or sizes


def _generate_varied_sizes(
    names: list[str], allowed: Mapping[str, tuple[int, ...]], listed: Mapping[str, tuple[int, ...]]
) -> Iterator[dict[str, int]]:
    """Yield sizes: batches of 2 and 3, then larger ones; for other dimensions, sizes that are all different, then equal ones."""
    others = [name for name in names if name != BATCH]
    for batches in (2, _MAX_SIZE):
        for index in range(_MAX_SIZE - 1):
            batch = {BATCH: 2 + index % batches} if BATCH in names else {}
            for order, step in _list_orders(others) if index < _MAX_REORDERED else [(others, 1), (others, 0)]:
                steps = {name: index + (step * k if name not in listed else 0) for k, name in enumerate(order)}
                yield batch | {name: allowed[name][steps[name] % len(allowed[name])] for name in others}
    yield from _generate_sizes(names, listed)


def _list_orders(names: list[str]) -> list[tuple[Sequence[str], int]]:
    """List the orders of dimensions by size, with the distance of one from the next, beginning with the order of their names.

    A model may need `P > T`, or even `P > 2 * T`, without a condition that says so: `cache[:, T:]` of P positions must not be empty.
    """
    orders = list(permutations(names)) if len(names) <= _MAX_PERMUTED else [names, names[::-1]]
    return [*((order, step) for step in _STEPS for order in orders), (names, 0)]


def _generate_sizes(names: list[str], listed: Mapping[str, tuple[int, ...]]) -> Iterator[dict[str, int]]:
    """Yield sizes: equal ones first, then all combinations of small ones. A dimension with a list of sizes gets only those."""
    others = [name for name in names if name != BATCH]
    batch = {BATCH: 1} if BATCH in names else {}
    for size in (*range(DEFAULT_SIZE, _MAX_SIZE), *range(1, DEFAULT_SIZE)):
        yield batch | {name: listed[name][0] if name in listed else size for name in others}
    # a range for each dimension such that all combinations are about `_MAX_TRIES`
    most = max(2, int(_MAX_TRIES ** (1 / max(1, len(names)))))
    for combination in product(*(listed.get(name, range(1, most)) for name in names)):
        yield dict(zip(names, combination, strict=True))


def _satisfies_conditions(program: Program, sizes: Mapping[str, int]) -> bool:
    try:
        shapes = {value.name: tuple(evaluate_dim(d, sizes) for d in value.type.shape) for value in program.main.inputs}
        check_sizes(program, shapes)
    except ValueError:
        return False
    return all(_is_in_bounds(d, sizes) for value in program.main.inputs for d in value.type.shape)


def _is_in_bounds(d: Dim, sizes: Mapping[str, int]) -> bool:
    low, high = bounds(d)
    size = evaluate_dim(d, sizes)
    return size >= max(1, low or 1) and (high is None or size <= high)


def draw_array(dtype: DType, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Return an array for one input. Raises MemoryError for a shape that cannot fit into memory."""
    if prod(shape) > _MAX_ELEMENTS:
        raise MemoryError
    if dtype.is_float:
        # NumPy draws float32 and float64 only
        return generator.standard_normal(shape, np.float32).astype(numpy_dtype(dtype))
    return generator.integers(0, 2, shape, np.uint8).astype(numpy_dtype(dtype))
