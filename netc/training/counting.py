"""Counts of a batch by NumPy, where all that is counted are labels that are not ignored: a small model notices what PyTorch takes for that.

In: the program that counts. Out: for each count an input and the number that is ignored, or None if anything else is counted. Always: the
counts are the same integers.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np
from torch import Tensor

from netc.compiler.ir.graph import OpNode, Program
from netc.compiler.ir.types import DTYPES
from netc.compiler.ir.values import Value

from .data.base import ArraySource
from .data.columns import Columns

Ignored = tuple[str, int]
_MOST = 1 << 23
"""Labels that are looked at before the first step."""


def ignored_labels(program: Program | None) -> list[Ignored] | None:
    """What is counted, output by output."""
    if program is None:
        return None
    makers = {id(v): node for node in program.main.nodes if isinstance(node, OpNode) for v in node.outputs}
    names = {id(v): v.name for v in program.main.inputs}
    found = [_ignored(value, makers, names) for value in program.main.outputs]
    known = [one for one in found if one is not None]
    return known if len(known) == len(found) else None


def _ignored(value: Value, makers: dict[int, OpNode], names: dict[int, str]) -> Ignored | None:
    """`x != number -> sum` over all axes, of an int64 input."""
    total = makers.get(id(value))
    if total is None or total.op.name != "sum" or total.op.args["axis"] is not None:
        return None
    differs = makers.get(id(total.inputs[0]))
    if differs is None or differs.op.name != "ne" or len(differs.inputs) != 1:
        return None
    label, number = differs.inputs[0], differs.op.args["other"]
    plain = type(number) is int and label.type.dtype == DTYPES["int64"] and id(label) in names
    return (names[id(label)], number) if plain else None


def none_ignored(columns: Columns, ignored: Iterable[Ignored]) -> bool:
    """Whether the data are known to have no label that is ignored, so that all are counted. What is not an array, or large, is not looked
    at."""
    return isinstance(columns.source, ArraySource) and all(_lacks(columns, columns.source, name, number) for name, number in ignored)


def _lacks(columns: Columns, source: ArraySource, name: str, number: int) -> bool:
    joined = columns.columns.get(name)
    if joined is None or not joined.single or len(columns) * prod(columns.shapes[name]) > _MOST:
        return False
    (labels,) = source.read(joined.names, np.arange(len(columns))).values()
    return not (labels == number).any()


def count_labels(labels: Tensor, ignored: int) -> float:
    """How many are not ignored; the labels are in the CPU's memory."""
    return float(np.count_nonzero(labels.numpy() != ignored))
