"""Numbers of classes in the data, held against the number of classes that there are.

In: an objective, and columns. Out: diagnostics. Always: what is looked at are inputs that are class numbers as they are: labels of a loss,
or what is looked up or made one-hot; all samples, or as many as are read anyway.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netc.compiler.errors.data_errors import ClassOutOfRange
from netc.compiler.ir.graph import CallNode, Graph, OpNode
from netc.compiler.ir.graph_values import Value
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.record import Record

from ...files.file_problems import diagnostic
from .data_columns import Columns
from .data_source import Indices

_MOST = 1 << 20
"""Samples that are looked at."""
_ROWS = 4096


class Classes(Record):
    """An input with class numbers from 0 to below `count`, and the one that is ignored."""

    value: Value
    count: int
    ignored: int | None
    operator: str


def class_inputs(main: Graph) -> Iterator[Classes]:
    """The inputs of an objective that are class numbers, inside the model too."""
    stack: list[tuple[Graph, dict[int, Value]]] = [(main, {id(v): v for v in main.inputs})]
    while stack:
        graph, known = stack.pop()
        for node in graph.nodes:
            if isinstance(node, CallNode):
                inner = {id(i): known[id(o)] for i, o in zip(node.graph.inputs, node.inputs, strict=True) if id(o) in known}
                if inner and node.scan is None:
                    stack.append((node.graph, inner))
            elif (found := _of_node(node)) is not None and id(found[0]) in known:
                yield Classes(known[id(found[0])], found[1], found[2], node.op.name)


def _of_node(node: OpNode) -> tuple[Value, int, int | None] | None:
    """The tensor of class numbers that an operator takes, and how many classes there are."""
    match node.op.name:
        case "cross_entropy" | "nll_loss" if not node.inputs[1].type.dtype.is_float:
            shape = node.inputs[0].type.shape
            count, ignored = shape[min(1, len(shape) - 1)], node.op.args["ignore_index"]
            return (node.inputs[1], int(count), ignored) if isinstance(count, int) else None
        case "one_hot" if isinstance(node.op.args["classes"], int):
            return node.inputs[0], int(node.op.args["classes"]), None
        case "embedding":
            rows = [spec.shape[0] for spec in node.specs if spec.name == "weight"]
            return (node.inputs[0], int(rows[0]), None) if rows and isinstance(rows[0], int) else None
    return None


def check_classes(columns: Columns, main: Graph, order: Indices) -> list[Diagnostic]:
    """Class numbers that there are not, at most one diagnostic an input. `order` are the samples in the order of use."""
    wanted = [c for c in class_inputs(main) if c.value.name in columns.columns and not c.value.type.dtype.is_float]
    found: dict[str, Diagnostic] = {}
    for start in range(0, min(len(order), _MOST) if wanted else 0, _ROWS):
        rows = order[start : start + _ROWS]
        arrays = columns.batch(rows)
        for classes in wanted:
            name = classes.value.name
            array = arrays[name].reshape(len(rows), -1)
            wrong = (array < 0) | (array >= classes.count)
            if classes.ignored is not None:
                wrong &= array != classes.ignored
            if name not in found and wrong.any():
                at = int(np.flatnonzero(wrong.any(axis=1))[0])
                number = int(array[at][wrong[at]][0])
                problem = ClassOutOfRange(
                    name, str(columns.columns[name]), columns.path, number, classes.count, classes.operator, int(rows[at])
                )
                found[name] = diagnostic(problem, classes.value.span)
    return list(found.values())
