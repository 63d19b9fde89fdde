"""Evaluate a dimension for given sizes.

In: a dimension, and integers for the user's symbols. Out: an integer. Always: each atom is computed once, after the atoms inside it.
Nothing recurses, because a deep expression would overflow the stack.

>>> from .polynomial import make_symbol
>>> evaluate_dim(make_symbol("T") * 4 + 1, {"T": 3})
13
"""

from __future__ import annotations

from collections.abc import Mapping

from .polynomial import Atom, Dim, FloorQuotient, MinMax, Quotient, Symbol, atoms_of, terms_of


def evaluate_dim(d: Dim, values: Mapping[str, int]) -> int:
    """Return the value of `d` for these values of the user's symbols. A KeyError if a symbol is missing."""
    if isinstance(d, int):
        return d
    known: dict[Atom, int] = {}
    for atom in atoms_of(d):
        known[atom] = _evaluate_atom(atom, values, known)
    return _evaluate_terms(d, known)


def _evaluate_terms(d: Dim, known: Mapping[Atom, int]) -> int:
    total = 0
    for m, c in terms_of(d).items():
        for atom in m:
            c *= known[atom]
        total += c
    return total


def _evaluate_atom(atom: Atom, values: Mapping[str, int], known: Mapping[Atom, int]) -> int:
    match atom:
        case Symbol():
            return values[atom.name]
        case Quotient():
            return (values[atom.name] - atom.rest) // _evaluate_terms(atom.step, known)
        case FloorQuotient():
            return _evaluate_terms(atom.top, known) // _evaluate_terms(atom.bottom, known)
        case MinMax():
            return (max if atom.greatest else min)(_evaluate_terms(a, known) for a in atom.args)
    raise TypeError(f"no such atom: {atom!r}")
