"""Linear algebra in ONNX."""

from __future__ import annotations

from string import ascii_letters

from ....ops.equation import Equation
from ....ops.linear_algebra import CosineSimilarity, Einsum, Matmul, Outer
from ....types import BOOL, FLOAT32, Shape
from ..table import Site, emits
from ..terms import INT32, Term, term


@emits(Matmul)
def matmul(op: Matmul, site: Site) -> str:
    x, other = term(site), term(site, 1)
    via = INT32 if x.dtype.is_integer and x.dtype.size < 4 else x.dtype
    return x.within(via, lambda y: y.op("MatMul", other.cast(via))).name


@emits(Einsum)
def einsum(op: Einsum, site: Site) -> str:
    """`...` is written out as letters, and axes of 1 are stretched: ONNX takes the first size that it sees of a letter."""
    dtype = site.results[0].dtype
    via = FLOAT32 if dtype.name == "bfloat16" else dtype
    if not dtype.is_float and dtype.size < 4:
        via = INT32
    equation = op.read(site.given)
    names = []
    for index, (labels, type) in enumerate(zip(equation.operands, site.given, strict=True)):
        whole = tuple(equation.sizes[label] for label in labels)
        names.append(_stretched(term(site, index).cast(via), type.shape, whole).name)
    found = site.add("Einsum", names, equation=_in_letters(equation))
    return Term(site, found, via).cast(dtype).name


def _in_letters(equation: Equation) -> str:
    letters = dict(zip(equation.sizes, ascii_letters, strict=False))
    operands = ",".join("".join(letters[label] for label in labels) for labels in equation.operands)
    return f"{operands}->{''.join(letters[label] for label in equation.result)}"


@emits(Outer)
def outer(op: Outer, site: Site) -> str:
    dtype = site.results[0].dtype
    column = site.add("Unsqueeze", [term(site).cast(dtype).name, site.ints([1])])
    op_type = "And" if dtype == BOOL else "Mul"
    return Term(site, column, dtype).op(op_type, term(site, 1).cast(dtype)).name


@emits(CosineSimilarity)
def cosine_similarity(op: CosineSimilarity, site: Site) -> str:
    common = op.common(site.given)
    axis = op.axis % max(common.rank, 1)

    def unit(index: int) -> Term:
        """The vectors of one side, each divided by its length: in their own type, as PyTorch does it."""
        x, own = term(site, index), site.given[index]
        side = _stretched(x if own.dtype.is_float else x.cast(common.dtype), own.shape, common.shape)
        length = _along(side, "ReduceL2", axis, common.rank, keepdims=1).op("Max", float(op.eps))
        return (side / length).cast(common.dtype)

    return _along(unit(0) * unit(1), "ReduceSum", axis, common.rank, keepdims=0).name


def _stretched(x: Term, shape: Shape, wanted: Shape) -> Term:
    return x if shape == wanted else Term(x.site, x.site.add("Expand", [x.name, x.site.ints(wanted)]), x.dtype)


def _along(x: Term, op_type: str, axis: int, rank: int, *, keepdims: int) -> Term:
    axes = [x.site.ints([axis])] if rank else []
    return Term(x.site, x.site.add(op_type, [x.name, *axes], keepdims=keepdims), x.dtype)
