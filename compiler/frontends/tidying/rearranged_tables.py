"""Computes the formula of a table whose elements were moved, joined or added up.

The table `i` after `slice 0 start=2` has the formula `i + 2`, and after `unsqueeze 0` the formula `j`.

In: an operator that is not elementwise, and the formulas of its inputs. Out: the formula of its result, or None if there is no short one.
Always: sums and differences of indices are as short as they can be, so that `j + 1 - j` is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netc.dsl.trees import rewrite_upward

from ...ir.graph import OpNode
from ...ops.cumulative import Diff
from ...ops.formula import BinaryFormula, Const, Formula, IndexFormula, UnaryFormula, iterate_parts, substitute_indices
from ...ops.joining import Concat
from ...ops.reduction import Cumsum
from ...ops.shape import Expand, Reshape, Unsqueeze
from ...ops.slicing import Slice

LOOKED_THROUGH = (Expand, Reshape, Slice, Concat, Diff, Cumsum)
"""Operators that are followed on the way to a table, but are not replaced by one themselves."""


def broadcast_formula(formula: Formula, shape: Sequence[Any], wide: Sequence[Any]) -> Formula | None:
    """Return the formula of a table that is broadcast to a shape, or None if a symbolic size leaves open which axes are broadcast."""
    first = len(wide) - len(shape)
    if first < 0 or any(size not in (1, wide[first + axis]) for axis, size in enumerate(shape)):
        return None
    same = [size != 1 or wide[first + axis] == 1 for axis, size in enumerate(shape)]
    return substitute_indices(formula, {axis: IndexFormula(first + axis) if is_same else Const(0) for axis, is_same in enumerate(same)})


def rearrange_formula(node: OpNode, formulas: Sequence[Formula]) -> Formula | None:
    """Return the formula of the operator's only result, or None."""
    x, result = node.inputs[0].type, node.outputs[0].type
    args = node.op.args
    match node.op:
        case Unsqueeze():
            axis = args["axis"] % result.rank
            return substitute_indices(formulas[0], {old_axis: IndexFormula(old_axis + (old_axis >= axis)) for old_axis in range(x.rank)})
        case Expand():
            return broadcast_formula(formulas[0], x.shape, result.shape)
        case Reshape():
            return _reshape_formula(formulas[0], x.shape, result.shape)
        case Slice() if isinstance(args["start"], int) and args["start"] >= 0 and args["step"] == 1:
            return simplify_formula(_shift_formula(formulas[0], args["axis"] % x.rank, args["start"]))
        case Diff() if args["n"] == 1 and len(formulas) == 1:
            later = _shift_formula(formulas[0], args["axis"] % x.rank, 1)
            return simplify_formula(BinaryFormula("-", later, formulas[0]))
        # transformers numbers packed texts by a running sum over the places where positions jump. Without packing all terms are 0.
        case Cumsum() if formulas[0] in (Const(False), Const(0)):
            return Const(0)
        case Concat() if len(formulas) == 2 and node.inputs[0].type.shape[args["axis"] % x.rank] == 1:
            return _join_formulas(formulas, args["axis"] % x.rank)
    return None


def _shift_formula(formula: Formula, axis: int, by: int) -> Formula:
    """Return the formula of the elements `by` places further along the axis."""
    return substitute_indices(formula, {axis: BinaryFormula("+", IndexFormula(axis), Const(by))}) if by else formula


def _join_formulas(formulas: Sequence[Formula], axis: int) -> Formula | None:
    """Return the formula of one element in front of others, if the others' formula gives its value there too."""
    joined = simplify_formula(_shift_formula(formulas[1], axis, -1))
    begin = {axis: Const(0)}
    return (
        joined if simplify_formula(substitute_indices(joined, begin)) == simplify_formula(substitute_indices(formulas[0], begin)) else None
    )


def _reshape_formula(formula: Formula, before: Sequence[Any], after: Sequence[Any]) -> Formula | None:
    """Return the formula after a reshape that only adds or removes axes of size 1."""
    kept, places = ([axis for axis, size in enumerate(shape) if size != 1] for shape in (before, after))
    if [before[axis] for axis in kept] != [after[axis] for axis in places]:
        return None
    replacements: dict[int, Formula] = {axis: Const(0) for axis in range(len(before))}
    replacements |= {axis: IndexFormula(place) for axis, place in zip(kept, places, strict=True)}
    return substitute_indices(formula, replacements)


def simplify_formula(formula: Formula) -> Formula:
    """Simplify a formula to as few sums and differences as possible."""
    return rewrite_upward(formula, _shorten_formula)


def _shorten_formula(formula: Formula) -> Formula:
    terms, number = _to_linear(formula)
    short: Formula | None = None
    # Positive terms first: `j - i` is shorter than `-i + j`.
    for term, factor in sorted(terms.items(), key=lambda item: item[1] < 0):
        size = term if abs(factor) == 1 else BinaryFormula("*", term, Const(abs(factor)))
        if short is None:
            short = size if factor > 0 else UnaryFormula("-", size)
        else:
            short = BinaryFormula("+" if factor > 0 else "-", short, size)
    if short is None:
        short = Const(number)
    elif number:
        short = BinaryFormula("+" if number > 0 else "-", short, Const(abs(number)))
    return short if _count_parts(short) < _count_parts(formula) else formula


def _count_parts(formula: Formula) -> int:
    return sum(1 for _ in iterate_parts(formula))


def _to_linear(formula: Formula) -> tuple[dict[Formula, int], int]:
    """Write a formula as a sum of multiples of other formulas, and a number."""
    match formula:
        # `true` is an int in Python, but no number of a sum.
        case Const(bool()):
            return {formula: 1}, 0
        case Const(int() as number):
            return {}, number
        case UnaryFormula("-", operand):
            return _scale_linear(_to_linear(operand), -1)
        case BinaryFormula("+" | "-" as op, left, right):
            (terms, number), (others, more) = _to_linear(left), _scale_linear(_to_linear(right), 1 if op == "+" else -1)
            summed = {term: terms.get(term, 0) + others.get(term, 0) for term in {**terms, **others}}
            return {term: factor for term, factor in summed.items() if factor}, number + more
        case BinaryFormula("*", other, Const(int() as factor)) | BinaryFormula("*", Const(int() as factor), other):
            return _scale_linear(_to_linear(other), factor)
    return {formula: 1}, 0


def _scale_linear(linear: tuple[dict[Formula, int], int], by: int) -> tuple[dict[Formula, int], int]:
    terms, number = linear
    return {term: factor * by for term, factor in terms.items() if by}, number * by
