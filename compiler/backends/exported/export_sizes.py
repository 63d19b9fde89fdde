"""The symbolic sizes of a program in formats that plan their memory ahead.

In: a program. Out: the sizes of example inputs, or an error that names the sizes to fix. Always: the sizes of an example are at least 2 and
differ from each other where the spec allows it, because `torch.export` treats a size of 1 and equal sizes as special cases.

    >>> import netc
    >>> choose_example_sizes(netc.compile("x = input [T, 8] where N <= 4 and T <= 64 and T % 4 == 0; x -> relu").program)
    {'N': 2, 'T': 8}
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice, product

from ...analysis.input_shapes import check_sizes
from ...dims import Dim, SymDim, bounds, evaluate_dim, free_symbols, make_symbol
from ...errors.target_errors import SizeNotFixed, UnsupportedByTarget
from ...ir.graph import Program

_LEAST = 2
_CANDIDATES = 24
"""The number of sizes that are tried for each dimension."""
_TRIES = 20_000


def check_sizes_fit(program: Program, title: str, takes_bounded: bool) -> None:
    """Raise `UnsupportedByTarget` for symbolic sizes that the format cannot have."""
    for value in program.main.inputs:
        unfit = [d for d in value.type.shape if isinstance(d, SymDim) and not (takes_bounded and bounds(d)[1] is not None)]
        if unfit:
            names = sorted(set().union(*map(free_symbols, unfit)))
            raise UnsupportedByTarget(SizeNotFixed(title, tuple(names), takes_bounded), value.span)


def choose_example_sizes(program: Program, title: str = "the target") -> dict[str, int]:
    """Return a size for each symbolic dimension of the inputs. Together they satisfy every condition of the spec."""
    names = sorted(set().union(*(free_symbols(d) for value in program.main.inputs for d in value.type.shape)))
    candidates = [_list_candidates(name, program.dims.get(name, make_symbol(name)), index) for index, name in enumerate(names)]
    for sizes in islice(product(*candidates), _TRIES):
        chosen = dict(zip(names, sizes, strict=True))
        if _satisfies_conditions(program, chosen):
            return chosen
    raise UnsupportedByTarget(SizeNotFixed(title, tuple(names), False))


def find_bounds(dim: Dim) -> tuple[int, int]:
    """Return the least and the greatest size of an axis that `check_sizes_fit` has accepted."""
    low, high = bounds(dim)
    assert high is not None
    return max(low or 0, 0), high


def _list_candidates(name: str, dim: Dim, index: int) -> list[int]:
    """List sizes of one dimension. Each dimension begins with another one, so that the first choice has different sizes."""
    low, high = bounds(dim)
    first = max(low or 0, _LEAST) if high is None or high >= _LEAST else high
    last = first + 16 * _CANDIDATES if high is None else high
    allowed = [size for size in range(first, last + 1) if free_symbols(dim) != {name} or evaluate_dim(dim, {name: size}) == size]
    start = min(index, max(len(allowed) - 1, 0))
    return [*allowed[start : start + _CANDIDATES], *allowed[:start]]


def _satisfies_conditions(program: Program, sizes: Mapping[str, int]) -> bool:
    shapes = {value.name: tuple(evaluate_dim(d, sizes) for d in value.type.shape) for value in program.main.inputs}
    try:
        check_sizes(program, shapes)
    except ValueError:
        return False
    return True
