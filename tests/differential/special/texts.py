"""Operators whose argument is a text: equations and patterns."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from tests.differential.inputs import Draw, Types, tensor
from tests.differential.special.drawing import FLOATS, Arguments, Inputs, size

EQUATIONS = (
    "ij,jk->ik",
    "bij,bjk->bik",
    "i,j->ij",
    "ij->ji",
    "ii->i",
    "ij->",
    "ij->j",
    "bi,bj",
    "...ij,...jk->...ik",
    "ijk,ij,k->jk",
    "bhqd,bhkd->bhqk",
)
PATTERNS = (
    "n c -> c n",
    "n (a b) -> (n a) b",
    "n c -> n 1 c",
    "n c -> (c n)",
    "n t (h d) -> n h t d",
    "n c t -> n (t c)",
    "n ... -> n (...)",
    "n (t p) c -> n t (p c)",
    "n c h w -> n h w c",
    "n c (h p) (w q) -> n (h w) (c p q)",
    "n (c r) h w -> n c (h r) w",
    "n c h w -> n (h w) c",
    "n ... w -> (n w) ...",
)


def _terms(equation: str) -> list[str]:
    return equation.split("->")[0].replace("...", "zy").split(",")


def _summed(draw: Draw) -> Types:
    sizes = {letter: size(draw, high=4) for letter in "abcdefghijklmnopqrstuvwxyz"}
    dtype = draw(st.sampled_from((*FLOATS, "int64", "int32", "uint8", "bool")))
    return tuple(tensor(dtype, [sizes[c] for c in term]) for term in _terms(draw(st.sampled_from(EQUATIONS))))


def _equation(draw: Draw, types: Types) -> dict[str, Any]:
    ranks = [t.rank for t in types]
    return {"equation": draw(st.sampled_from([e for e in EQUATIONS if [len(term) for term in _terms(e)] == ranks]))}


def _divisible(draw: Draw) -> Types:
    return (tensor(draw(st.sampled_from((*FLOATS, "int64", "bool"))), [draw(st.sampled_from((2, 4, 6))) for _ in range(size(draw, 2, 4))]),)


def _rearrange(draw: Draw, types: Types) -> dict[str, Any]:
    """A pattern for the rank. The axes in parentheses are of size 2, but for one."""
    rank = types[0].rank
    axes = {pattern: len(re.sub(r"\(.*?\)", "_", pattern.split("->")[0]).split()) for pattern in PATTERNS}
    pattern = draw(st.sampled_from([p for p, count in axes.items() if count == rank or ("..." in p and count <= rank)]))
    return {"pattern": pattern, **{name: 2 for name in "bdpqr" if f" {name})" in pattern.split("->")[0]}}


INPUTS: dict[str, Inputs] = {
    "einsum": _summed,
    "rearrange": _divisible,
}
ARGUMENTS: dict[str, Arguments] = {
    "einsum": _equation,
    "rearrange": _rearrange,
}
