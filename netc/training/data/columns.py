"""The columns of a source, held against the inputs of an objective before anything is computed.

In: a source, and the types of the inputs with the places of their declarations. Out: `Columns`, which give batches as tensors' arrays, or
diagnostics. Always: a column is found by the name that the section gives, or by that of the input; numbers are converted only where
nothing is lost.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from netc.compiler.dims import SymDim
from netc.compiler.errors.base import Problem
from netc.compiler.errors.data import ColumnMissing, ColumnShape, ColumnType, SizesDiffer
from netc.compiler.ir.graph import Value
from netc.compiler.ir.types import DType, TensorType
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.suggest import near
from netc.dsl.record import Record

from ...problems import diagnostic
from .base import Array, Column, Source


class Columns(Record):
    """A source with the column and the type of each input."""

    source: Source
    columns: dict[str, str]
    types: dict[str, TensorType]

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, indices: NDArray[np.int64]) -> dict[str, Array]:
        """The arrays of these samples by input, in the element types of the inputs."""
        read = self.source.read(tuple(dict.fromkeys(self.columns.values())), indices)
        return {name: _as_type(read[column], self.types[name].dtype) for name, column in self.columns.items()}


def match_columns(source: Source, inputs: list[Value], given: Mapping[str, str], path: str) -> tuple[Columns | None, list[Diagnostic]]:
    """Finds the column of each input, and checks its type and the shape of a sample."""
    found: dict[str, str] = {}
    problems: list[Diagnostic] = []
    sizes: dict[str, tuple[int, str]] = {}
    for value in inputs:
        name = given.get(value.name, value.name)
        column = source.columns.get(name)
        problem = _missing(value, name, path, source) if column is None else _wrong(value, column, path, sizes)
        if problem is None:
            found[value.name] = name
        else:
            problems.append(diagnostic(problem, value.span))
    if problems:
        return None, problems
    return Columns(source, found, {v.name: v.type for v in inputs}), []


def _missing(value: Value, name: str, path: str, source: Source) -> Problem:
    return ColumnMissing(value.name, name, path, tuple(near(name, list(source.columns))), tuple(source.columns))


def _wrong(value: Value, column: Column, path: str, sizes: dict[str, tuple[int, str]]) -> Problem | None:
    type_ = value.type
    if column.dtype is None or not _fits(column.dtype, type_.dtype):
        return ColumnType(value.name, column.name, path, str(column.dtype or "text"), type_.dtype.name)
    declared = type_.shape[1:]
    if column.shape is None or len(column.shape) != len(declared):
        return ColumnShape(value.name, column.name, path, column.shape, declared)
    for size, actual in zip(declared, column.shape, strict=True):
        if isinstance(size, int) and size != actual:
            return ColumnShape(value.name, column.name, path, column.shape, declared)
        if isinstance(size, SymDim) and str(size).isidentifier():
            known = sizes.setdefault(str(size), (actual, value.name))
            if known[0] != actual:
                return SizesDiffer(str(size), known[1], known[0], value.name, actual)
    return None


def _fits(found: np.dtype[np.generic], wanted: DType) -> bool:
    """Whether numbers of this type are numbers of the other: floats of any precision, integers as floats, smaller as larger integers."""
    if wanted.is_float:
        return found.kind in "fiub"
    if wanted.kind == "bool":
        return found.kind == "b"
    return found.kind in "iub"


def _as_type(array: Array, dtype: DType) -> Array:
    return np.ascontiguousarray(array, dtype.name if dtype.name != "bfloat16" else "float32")
