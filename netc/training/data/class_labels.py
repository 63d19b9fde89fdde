"""Check that class numbers in the data are below the number of classes, before the first step.

PyTorch reports a label that is out of range as an index error in the middle of a run, and on a GPU as a failed assertion that ends the
process.

In: an objective and its columns. Out: diagnostics. Always: only inputs that are used as class numbers unchanged are checked: the labels of
a loss, and the indices of `embedding` and `one_hot`. At most `_MAX_SAMPLES` samples are read. The size of a tokenizer is checked too: text
that is tokenized later may have tokens that the data lacks.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> text = "s = input 4 -> dense 3; train { kind = input [] int64; loss = (s, kind) -> cross_entropy; optimizer sgd }"
    >>> main = analyze_training(SourceFile("<text>", text), Choice()).training.program.main
    >>> [(found.value.name, found.count, found.operator) for found in find_class_inputs(main)]
    [('kind', 3, 'cross_entropy')]
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netc.compiler.errors.data_errors import ClassOutOfRange, VocabularyTooLarge
from netc.compiler.ir.graph import CallNode, Graph, OpNode
from netc.compiler.ir.graph_values import Value
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.record import Record

from ...files.file_problems import make_diagnostic
from .data_columns import InputColumns
from .data_source import Indices
from .encodings import count_categories, describe_positions
from .text_windows import find_tokenizer

_MAX_SAMPLES = 1 << 20
"""The largest number of samples that are checked."""
_ROWS_AT_ONCE = 4096


class ClassInput(Record):
    """An input with class numbers from 0 to below `count`; `ignored` is the number that the loss skips (`ignore_index`)."""

    value: Value
    count: int
    ignored: int | None
    operator: str


def find_class_inputs(main: Graph) -> Iterator[ClassInput]:
    """Find the inputs of an objective that are class numbers, also those used inside the model."""
    # A value of a called graph is an input of the objective only if the call passes that input on unchanged.
    stack: list[tuple[Graph, dict[int, Value]]] = [(main, {id(v): v for v in main.inputs})]
    while stack:
        graph, known = stack.pop()
        for node in graph.nodes:
            if isinstance(node, CallNode):
                inner = {id(i): known[id(o)] for i, o in zip(node.graph.inputs, node.inputs, strict=True) if id(o) in known}
                if inner and node.scan is None:
                    stack.append((node.graph, inner))
            elif (match := _match_class_input(node)) is not None and id(match[0]) in known:
                yield ClassInput(known[id(match[0])], match[1], match[2], node.op.name)


def _match_class_input(node: OpNode) -> tuple[Value, int, int | None] | None:
    """Return the tensor of class numbers that an operator takes, the number of classes and the ignored number."""
    match node.op.name:
        # A target of floats holds probabilities of the classes, not class numbers.
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


def check_classes(columns: InputColumns, main: Graph, order: Indices) -> list[Diagnostic]:
    """Report class numbers that are out of range, at most one diagnostic for each input, with the samples in the order of the data. `order`
    has the samples in the order of use."""
    wanted = [c for c in find_class_inputs(main) if c.value.name in columns.columns and not c.value.type.dtype.is_float]
    diagnostics = _check_vocabulary(columns, wanted)
    samples = np.sort(order[:_MAX_SAMPLES]) if len(wanted) > len(diagnostics) else order[:0]
    wrong: dict[str, tuple[ClassInput, int, list[int]]] = {}
    needed: dict[str, int] = {}
    for start in range(0, len(samples), _ROWS_AT_ONCE):
        rows = samples[start : start + _ROWS_AT_ONCE]
        arrays = columns.read_batch(rows)
        for classes in wanted:
            name = classes.value.name
            array = arrays[name].reshape(len(rows), -1)
            is_wrong = (array < 0) | (array >= classes.count)
            if classes.ignored is not None:
                is_wrong &= array != classes.ignored
            positions = np.flatnonzero(is_wrong.any(axis=1))
            if len(positions):
                needed[name] = max(needed.get(name, 0), int(array[is_wrong].max()) + 1)
                first = int(array[positions[0]][is_wrong[positions[0]]][0])
                user, _, found = wrong.setdefault(name, (classes, first, []))
                found += rows[positions].tolist() if user is classes else []
    for name, (classes, number, found) in wrong.items():
        if name not in diagnostics:
            diagnostics[name] = _report_classes(columns, classes, number, found, needed[name])
    return list(diagnostics.values())


def _report_classes(columns: InputColumns, classes: ClassInput, number: int, rows: list[int], needed: int) -> Diagnostic:
    name = classes.value.name
    column = str(columns.columns[name])
    cells = describe_positions(columns.source, column, np.array(rows))
    categories = count_categories(columns, name)
    needed = categories or needed
    problem = ClassOutOfRange(name, column, columns.path, number, classes.count, classes.operator, cells, needed, bool(categories))
    return make_diagnostic(problem, classes.value.span)


def _check_vocabulary(columns: InputColumns, inputs: list[ClassInput]) -> dict[str, Diagnostic]:
    """Report the inputs whose tokens may have numbers that the network has no room for."""
    tokenizer = find_tokenizer(columns.source) if inputs else None
    if tokenizer is None:
        return {}
    small = {item.value.name: item for item in inputs if item.count < tokenizer.size}
    return {
        name: make_diagnostic(VocabularyTooLarge(name, columns.path, tokenizer.size, item.count, item.operator), item.value.span)
        for name, item in small.items()
    }
