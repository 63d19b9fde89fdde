"""Equations of `einsum`: `bij,bjk->bik`.

In: the text, and the shapes of the operands. Out: the labels of the operands' axes and of the result's, and the size of each label. Always:
the meaning is torch.einsum's. Letters name axes, and `...` stands for any number of axes that broadcast. Without `->`, the result has the
axes of `...` and then, in alphabetical order, the axes that are named once.

>>> read_equation("ij,jk", [(2, 3), (3, 4)], Facts.empty()).shape()
(2, 4)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from netc.dsl.record import Record

from ..dims import Dim, Facts, format_dim, suggest_equality
from ..errors.linear_algebra import BadEquation
from ..errors.operator_errors import ShapeMismatch, Unprovable
from ..errors.problem import STAGE, argument_location
from ..types.tensor_types import Shape
from .operator import OperatorError

_DOTS = "..."
_MARK = "\0"
"""Replaces `...` before spaces are removed, because a space within the dots is an error."""
Labels = tuple[str, ...]


class Equation(Record):
    """The labels of each operand and of the result. Axes of `...` are labeled `.1`, `.2`, ... from their last one."""

    operands: tuple[Labels, ...]
    result: Labels
    sizes: dict[str, Dim]

    def shape(self) -> Shape:
        """Return the shape of the result."""
        return tuple(self.sizes[label] for label in self.result)

    def find_holders(self, shapes: Sequence[Shape], facts: Facts) -> dict[str, list[int]]:
        """Find, for each label, the operands in which its size is not known to be 1, by their positions."""
        holders: dict[str, list[int]] = {}
        for index, (labels, shape) in enumerate(zip(self.operands, shapes, strict=True)):
            for label, size in dict(zip(labels, shape, strict=True)).items():
                if facts.are_equal(size, 1) is not True:
                    holders.setdefault(label, []).append(index)
        return holders


def read_equation(text: str, shapes: Sequence[Shape], facts: Facts) -> Equation:
    """Read the equation for these operands, or raise an `OperatorError`."""
    operands_text, arrow, result_text = (part.replace(" ", "") for part in text.replace(_DOTS, _MARK).partition("->"))
    terms = operands_text.split(",")
    if len(terms) != len(shapes):
        raise _make_refusal(text, f"it names {_format_count(len(terms), 'tensor')}, but {_format_count(len(shapes), 'tensor')} came in")
    written = [_split_term(text, term) for term in terms]
    operands = tuple(_expand_ellipsis(text, labels, shape) for labels, shape in zip(written, shapes, strict=True))
    sizes = _find_label_sizes(text, operands, shapes, facts)
    # Axes of `...` are aligned at their ends, like all broadcasting, so the last one has the number 1 in every
    # operand.
    dots = sorted((label for label in sizes if label.startswith(".")), reverse=True, key=lambda label: int(label[1:]))
    if arrow:
        result = _read_explicit_output(text, _split_term(text, result_text), sizes, dots)
    else:
        counts = Counter(label for labels in operands for label in labels)
        result = (*dots, *sorted(label for label, count in counts.items() if count == 1 and label.isalpha()))
    return Equation(operands, result, sizes)


def _split_term(text: str, term: str) -> list[str]:
    """Split a term into letters and `...`."""
    labels = list(term)
    for index, label in enumerate(labels):
        if label == _MARK and _DOTS not in labels:
            labels[index] = _DOTS
        elif not (label.isascii() and label.isalpha()):
            raise _make_refusal(text, f"axes are named by letters, not by `{label.replace(_MARK, _DOTS)}`")
    return labels


def _expand_ellipsis(text: str, labels: list[str], shape: Shape) -> Labels:
    """Return the labels of an operand's axes, with `...` expanded."""
    named = len(labels) - (_DOTS in labels)
    hidden = len(shape) - named
    if hidden < 0 or (hidden > 0 and _DOTS not in labels):
        term = "".join(labels)
        what = f"`{term}` names {_format_count(named, 'axis')}" if term else "an empty part names no axis"
        advice = "put `...` where axes may be left unnamed" if hidden > 0 else ""
        raise _make_refusal(text, f"{what}, but the tensor has {_format_count(len(shape), 'axis')}", advice)
    expanded: list[str] = []
    for label in labels:
        expanded += [f".{hidden - i}" for i in range(hidden)] if label == _DOTS else [label]
    return tuple(expanded)


def _read_explicit_output(text: str, labels: list[str], sizes: dict[str, Dim], dots: list[str]) -> Labels:
    for label, count in Counter(labels).items():
        if label != _DOTS and label not in sizes:
            raise _make_refusal(text, f"the result has `{label}`, and no tensor does")
        if count > 1:
            raise _make_refusal(text, f"the result has `{label}` more than once")
    result: list[str] = []
    for label in labels:
        result += dots if label == _DOTS else [label]
    return tuple(result)


def _find_label_sizes(text: str, operands: tuple[Labels, ...], shapes: Sequence[Shape], facts: Facts) -> dict[str, Dim]:
    """Find the size of each label. All its axes have this size, except axes of size 1 in other operands."""
    sizes: dict[str, Dim] = {}
    homes: dict[str, int] = {}
    for index, (labels, shape) in enumerate(zip(operands, shapes, strict=True)):
        local: dict[str, Dim] = {}
        for label, size in zip(labels, shape, strict=True):
            # `ii` in one operand is a diagonal: there, an axis of 1 does not broadcast.
            if label in local:
                _refuse_unless_equal(text, label, local[label], size, (index, index), shapes, facts)
            local[label] = size
        for label, size in local.items():
            known = sizes.get(label, 1)
            if facts.are_equal(known, 1):
                sizes[label], homes[label] = size, index
            elif not facts.are_equal(size, 1):
                _refuse_unless_equal(text, label, known, size, (homes[label], index), shapes, facts)
    return sizes


def _refuse_unless_equal(text: str, label: str, left: Dim, right: Dim, at: tuple[int, int], shapes: Sequence[Shape], facts: Facts) -> None:
    same = facts.are_equal(left, right)
    name = f"`{label}`" if label.isalpha() else "an axis of `...`"
    if same is False:
        why = f"{name} is {format_dim(left)} and {format_dim(right)}"
        raise OperatorError(ShapeMismatch(f"use `{text}` on", shapes[at[0]], shapes[at[1]], why, at=at), STAGE)
    if same is None:
        raise OperatorError(Unprovable("einsum", left, right, f"{name} must have one size", suggest_equality(left, right) or "", at), STAGE)


def _format_count(count: int, what: str) -> str:
    plural = "axes" if what == "axis" else what + "s"
    return f"{count} {what if count == 1 else plural}"


def _make_refusal(text: str, why: str, suggestion: str = "") -> OperatorError:
    return OperatorError(BadEquation(text, why, suggestion), argument_location("equation"))
