"""Builds the graph that an ONNX file becomes: its operators, their labels and their weights.

`apply_with_weights("conv", [x], {"weight": known}, channels=8, kernel=3)` adds a stage `conv1`, whose weight has the key `conv1.weight`.

In: operators with tensors of the graph, and known numbers for their parameters. Out: tensors. Always: a parameter keeps its numbers, under
the key that it has in the program. If two stages of one kind use the same initializer, they share one set of parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from math import lcm
from typing import Any

import numpy as np

from ...dims import Dim, Facts
from ...ir.graph import Graph, Node, OpNode, SharedModule, Tie
from ...ir.graph_values import Value
from ...ops.constants import TableOperator
from ...ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula
from ...types.numpy_types import Array, dtype_of, numpy_dtype
from ...types.tensor_types import INT64, DType
from ..constants import find_formula_table
from ..graph_builder import GraphBuilder, ImportRefused, make_empty_span
from .onnx_names import LabelMaker, is_made_up, split_levels
from .onnx_values import Filled, Known, SizeRatio, Sizes
from .undo_journal import Journal

LARGEST_NUMBER = 1e38
BIASED = ("dense", "conv", "conv_transpose")


class Emitter:
    """See the module's docstring. `scope` is the path of the module that the node being imported is part of, as far as its name says."""

    def __init__(self, name: str, facts: Facts) -> None:
        self.builder = GraphBuilder(name, "model", facts, make_empty_span(name))
        self.outermost = self.builder
        self.producer = ""
        """The program that wrote the file."""
        self.notes: list[str] = []
        """What the importers of nodes tell the user."""
        self.journal = Journal()
        """Records the uses of labels and weights, so that a node that is refused later gives them back."""
        self.labels = LabelMaker(self.journal)
        self.weights: dict[str, Array] = {}
        self.scope: tuple[str, ...] = ()
        self.scopes: dict[int, tuple[str, ...]] = {}
        """The scope of each node, by identity."""
        self.makers: dict[int, Node] = {}
        """The node that made each tensor, by the tensor's identity."""
        self.biased: dict[int, Known] = {}
        """The bias that an operator got before the Add that has it was imported, by the tensor's identity."""
        self.called: dict[int, str] = {}
        """The name of a tensor in the file, by the tensor's identity. Tensors of loops and functions have none."""
        self.made: list[tuple[Node, tuple[Value, ...]]] = []
        """All nodes and values that were ever made, also those that were undone. Facts about them are stored by `id`, which Python would
        give to other objects after them."""
        self._shared: dict[object, OpNode] = {}
        self._owners: dict[tuple[str, str], tuple[str, str]] = {}
        """The stage and the parameter that each initializer became at its first use."""
        self._tensors: dict[object, tuple[Known, Value]] = {}
        """The tensors of known numbers by their origin. The numbers are kept too, so that their `id` is not reused."""

    @property
    def facts(self) -> Facts:
        return self.builder.facts

    def apply_multi_op(self, operator: str, *inputs: Value, **arguments: Any) -> tuple[Value, ...]:
        """Apply an operator without parameters. Returns its results."""
        outputs = self.builder.apply_multi_op(operator, *inputs, **arguments)
        self.record_last_node(outputs)
        return outputs

    def apply_op(self, operator: str, *inputs: Value, **arguments: Any) -> Value:
        return self.apply_multi_op(operator, *inputs, **arguments)[0]

    def drop_last(self, value: Value) -> None:
        """Remove the operator that was added last."""
        graph = self.builder.graph
        # Only the last node can be dropped: another one may have readers.
        assert graph.nodes[-1] is self.makers.pop(id(value))
        graph.nodes.pop()
        graph.size -= 1

    def record_last_node(self, outputs: Sequence[Value]) -> None:
        """Record the last node as the maker of these tensors."""
        node = self.builder.graph.nodes[-1]
        self.made.append((node, tuple(outputs)))
        self.scopes[id(node)] = self.scope
        for value in outputs:
            self.makers[id(value)] = node

    def make_builder(self, graph: Graph) -> GraphBuilder:
        """Return a builder that continues a graph."""
        if graph is self.outermost.graph:
            return self.outermost
        builder = GraphBuilder(graph.name, graph.kind, self.facts, graph.span)
        builder.graph = graph
        return builder

    @contextmanager
    def emit_into(self, builder: GraphBuilder) -> Iterator[None]:
        """Emit into another graph, such as a loop's body, within the context. Its stages are not shared with stages outside."""
        # A module that is shared inside of a loop belongs to the loop's body.
        before, shared = self.builder, self._shared
        self.builder, self._shared = builder, {}
        try:
            yield
        finally:
            self.builder, self._shared = before, shared

    @contextmanager
    def _emit_outside_loops(self) -> Iterator[None]:
        """Emit outside of all loops within the context."""
        before, self.builder = self.builder, self.outermost
        try:
            yield
        finally:
            self.builder = before

    # --- parameters ----------------------------------------------------------------------------------------------------------

    def apply_with_weights(
        self, operator: str, inputs: Sequence[Value], weights: Mapping[str, Known], **arguments: Any
    ) -> tuple[Value, ...]:
        """Apply an operator whose parameters, by their names in netc, are known. Returns its results."""
        key = self._make_sharing_key(operator, weights, arguments)
        first = self._shared.get(key) if key is not None else None
        # A module for another element type would need a parameter of that type.
        if first is not None and first.inputs[0].type.dtype == inputs[0].type.dtype:
            return self._reuse_module(first, inputs)
        # A weight that an earlier stage of another kind owns is tied: an embedding and the output layer, for example.
        tie = self._find_tie(weights)
        own_weights = {name: known for name, known in weights.items() if tie is None or name != tie.name}
        label = self._choose_label(operator, own_weights)
        outputs = self.apply_multi_op(operator, *inputs, label=label, tie=tie, **arguments)
        node = self._find_node(outputs)
        self._store_weights(node, label, own_weights)
        if key is not None:
            self._shared[key] = node
        return outputs

    def _find_node(self, outputs: Sequence[Value]) -> OpNode:
        node = self.makers[id(outputs[0])]
        assert isinstance(node, OpNode)
        return node

    def _make_sharing_key(self, operator: str, weights: Mapping[str, Known], arguments: Mapping[str, Any]) -> object:
        """Return a key that is equal for uses of one module. None if its numbers have no names or are vectors, which exporters merge if
        equal."""
        named = all(known.name for known in weights.values())
        if not named or not any(known.array.ndim > 1 for known in weights.values()):
            return None
        names = tuple((name, known.name, known.layout) for name, known in sorted(weights.items()))
        return (operator, names, tuple(sorted((name, repr(value)) for name, value in arguments.items())))

    def _find_tie(self, weights: Mapping[str, Known]) -> Tie | None:
        """Return the parameter of an earlier stage that is one of these weights, as a tie, or None."""
        for name, known in weights.items():
            path, target = self._owners.get((known.name, known.layout), ("", ""))
            # Exporters merge equal vectors, such as biases of zeros, so an equal vector says nothing about the model.
            if known.name and path and known.array.ndim > 1:
                if self.builder is not self.outermost:
                    why = f"shares the weight `{known.name}` with a stage outside of this loop, and a loop cannot share weights"
                    raise ImportRefused(why, "copy the weights before the export, so that each loop has its own")
                return Tie(name, path, target, self.builder.span)
        return None

    def _reuse_module(self, first: OpNode, inputs: Sequence[Value]) -> tuple[Value, ...]:
        """Add a further use of the module of a node."""
        if first.shared is None:
            first.shared = SharedModule(first.label, first.span)
            self.builder.graph.declares.append(first.shared)
        bound_inputs = first.op.bind_inputs(tuple(v.type for v in inputs), self.facts)
        outputs = tuple(Value(type, first.span) for type in first.op.check_and_infer(bound_inputs))
        node = OpNode(first.op, tuple(inputs), outputs, first.label, first.span, first.op.parameters(bound_inputs), shared=first.shared)
        self.builder.graph.nodes.append(node)
        self.builder.graph.size += 1
        self.record_last_node(outputs)
        return outputs

    def _choose_label(self, operator: str, weights: Mapping[str, Known]) -> str:
        """Choose a label from the names of the weights if they name one module, or from the name of the node, or a number."""
        paths = [(name, split_levels(known.name)) for name, known in weights.items() if not is_made_up(known.name)]
        module_paths = [path[:-1] for name, path in paths if len(path) > 1 and path[-1] == name]
        if module_paths and self._owns_weights(module_paths[0], weights) and not (self.scope and self.labels.is_taken(module_paths[0])):
            return self.labels.make_label(module_paths[0])
        # Some exporters join the levels by `_` or `-`: `fc_weight` belongs to `fc`.
        for name, path in paths:
            stem = path[-1].removesuffix(name).rstrip("_-") if path and path[-1].endswith(name) else ""
            if stem and self._owns_weights([*path[:-1], stem], weights):
                return self.labels.make_label([*path[:-1], stem])
        if self.scope:
            return self.labels.make_label(self.scope)
        if paths and len(paths[0][1]) > 1:
            return self.labels.make_label(paths[0][1][:-1])
        return self.labels.make_counted_label(operator)

    def _owns_weights(self, path: Sequence[str], weights: Mapping[str, Known]) -> bool:
        """Return whether the weights at this path belong to the node.

        Exporters merge equal vectors, under the name of any module that has them. So vectors alone count only if the name of the node
        agrees.
        """
        if any(known.array.ndim > 1 and not is_made_up(known.name) for known in weights.values()):
            return True
        length = min(len(path), len(self.scope))
        return tuple(path[:length]) == self.scope[:length]

    def _store_weights(self, node: OpNode, label: str, weights: Mapping[str, Known]) -> None:
        prefix = f"{label}." if label else ""
        for spec in node.specs:
            # PyTorch's counter of batch norm, which ONNX does not have.
            if spec.name == "num_batches_tracked":
                self.weights[prefix + spec.name] = np.zeros((), np.int64)
                continue
            # The stage that owns a tied weight stores it.
            if node.tie is not None and spec.name == node.tie.name:
                continue
            if spec.name not in weights:
                raise ImportRefused(f"its {spec.name} is not known")
            known = weights[spec.name]
            array = known.array
            if known.name:
                self._set_owner((known.name, known.layout), (label, spec.name))
            if array.shape != tuple(spec.shape):
                raise ImportRefused(f"its {spec.name} has the shape {list(array.shape)}, and {list(spec.shape)} is needed")
            self.weights[prefix + spec.name] = np.ascontiguousarray(array.astype(numpy_dtype(spec.dtype), copy=False)).reshape(array.shape)

    def _set_owner(self, numbers: tuple[str, str], parameter: tuple[str, str]) -> None:
        if numbers not in self._owners:
            self.journal.set_item(self._owners, numbers, parameter)

    def find_bias_axis(self, value: Value) -> int | None:
        """Return the axis of the bias of the operator that made a tensor, or None if it cannot have one."""
        node = self.makers.get(id(value))
        if not isinstance(node, OpNode) or node.op.name not in BIASED or not node.specs:
            return None
        return value.type.rank - 1 if node.op.name == "dense" else 1

    def add_bias(self, value: Value, bias: Known) -> bool:
        """Make a constant that is added to a result the bias of the operator that made it. Returns False if that is not possible."""
        node = self.makers.get(id(value))
        # A shared module has one set of parameters, so a bias would be added to all its uses.
        if not isinstance(node, OpNode) or node.op.args.get("bias") is not False or node.shared is not None or node.op.args.get("named"):
            return False
        op = type(node.op)(**{**node.op.args, "bias": True})
        bound_inputs = op.bind_inputs(tuple(v.type for v in node.inputs), self.facts)
        specs = op.parameters(bound_inputs)
        wanted = next(spec for spec in specs if spec.name == "bias")
        if bias.array.shape != tuple(wanted.shape) or dtype_of(bias.array.dtype) != wanted.dtype:
            return False
        node.op, node.specs = op, specs
        self.weights[f"{node.label}.bias"] = np.ascontiguousarray(bias.array)
        # A further use of the same weight has no bias there, so it cannot share this module.
        self._shared = {key: first for key, first in self._shared.items() if first is not node}
        return True

    # --- tensors of what is known --------------------------------------------------------------------------------------------

    def make_tensor(self, known: Known) -> Value:
        """Return known numbers as a tensor: a table if they have a formula, or else a parameter."""
        key = (known.name, known.layout, known.array.shape, known.array.dtype.str) if known.name else ("", id(known))
        if key not in self._tensors:
            table = self._make_regular_table(known.array) if is_made_up(known.name) else None
            self.journal.set_item(self._tensors, key, (known, table or self._make_parameter(known)))
        return self._tensors[key][1]

    def _make_parameter(self, known: Known) -> Value:
        dtype = _to_dtype(known.array)
        path = split_levels(known.name) if not is_made_up(known.name) else []
        exact = bool(path) and not known.layout
        # A constant of indices with a plain name gets the module of the node that reads it.
        if len(path) == 1 and self.scope and not dtype.is_float:
            path = [*self.scope, *path]
        label = self.labels.make_label(path) if exact else self.labels.make_counted_label("constant", path[:-1] or self.scope)
        # A constant that was computed, or that the exporter named, is a buffer: training must not change it.
        learned = exact and dtype.is_float
        with self._emit_outside_loops():
            value = self.apply_op("param", label=label, shape=known.array.shape, dtype=dtype, trainable=learned)
        self.weights[label] = np.ascontiguousarray(known.array).reshape(known.array.shape)
        return value

    def _make_regular_table(self, array: Array) -> Value | None:
        """Return the table of numbers that have a formula, or None. For floats, only if all are the same: others may be learned."""
        if array.dtype.kind not in "iufb" or not array.size:
            return None
        if array.dtype.kind == "f":
            is_filled = array.size > 1 and (array == array.flat[0]).all()
            return self.make_filled(Filled(tuple(array.shape), array.flat[0])) if is_filled else None
        table = find_formula_table(array)
        return None if table is None else self._add_table(table)

    def make_filled(self, filled: Filled) -> Value:
        """Return a tensor with one number in every position."""
        number = filled.number.item()
        return self.make_table(filled.shape, Const(number), _to_dtype(np.asarray(filled.number)))

    def make_sizes(self, sizes: Sizes) -> Value:
        """Return sizes as a tensor, and fractions of them as quotients of integers, so that nothing is rounded before the division."""
        parts = [item if isinstance(item, SizeRatio) else SizeRatio(item, 1) for item in sizes.items.flat]
        if not parts:
            raise ImportRefused("it computes with no sizes at all, which has no counterpart")
        bottom, shape, dtype = lcm(*(part.bottom for part in parts)), sizes.items.shape, _to_dtype(np.zeros((), sizes.dtype))
        formula = list_formula([part.top * (bottom // part.bottom) for part in parts], shape)
        if not dtype.is_float:
            return self.make_table(shape, formula, dtype)
        tops = self.apply_op("cast", self.make_table(shape, formula, INT64), dtype=dtype)
        return tops if bottom == 1 else self.apply_op("div", tops, other=bottom)

    def make_table(self, shape: Sequence[Any], formula: Formula, dtype: DType) -> Value:
        indices = tuple(f"i{n + 1}" for n in range(len(shape)))
        return self._add_table(TableOperator(indices=indices, shape=tuple(shape), formula=formula, dtype=dtype))

    def _add_table(self, table: TableOperator) -> Value:
        with self._emit_outside_loops():
            (value,) = self.builder.add_node(table)
            self.record_last_node((value,))
        return value


def range_formula(axis: int, start: Any, step: Any) -> Formula:
    """Return the formula `start + step * index`."""
    formula: Formula = IndexFormula(axis)
    if step != 1:
        formula = BinaryFormula("*", Const(step), formula)
    return formula if start == 0 else BinaryFormula("+", Const(start), formula)


def list_formula(sizes: Sequence[Dim], shape: Sequence[int]) -> Formula:
    """Return the formula of a tensor of a shape with these sizes: a chain of `where` on the indices."""
    *before, last = sizes
    formula: Formula = Const(last)
    for size, index in reversed(list(zip(before, np.ndindex(*shape), strict=False))):
        formula = CallFormula("where", (_is_at(index, shape), Const(size), formula))
    return formula


def _is_at(indices: Sequence[int], shape: Sequence[int]) -> Formula:
    """Return the condition that an element is at these indices."""
    each = [BinaryFormula("==", IndexFormula(axis), Const(index)) for axis, index in enumerate(indices) if shape[axis] > 1]
    return reduce(lambda a, b: BinaryFormula("and", a, b), each[1:], each[0])


def _to_dtype(array: Array) -> DType:
    dtype = dtype_of(array.dtype)
    if dtype is None:
        raise ImportRefused(f"netc has no tensors of {array.dtype}")
    return dtype


def to_number(array: Array) -> int | float | bool:
    """Return a single element as a number, with the fewest digits that identify its float32.

    >>> to_number(np.array([0.1], np.float32))
    0.1
    """
    value = array.reshape(-1)[0]
    if array.dtype == np.float32 and abs(value) < LARGEST_NUMBER:
        return float(str(value))
    result: int | float | bool = value.item() if array.dtype.kind in "iub" else float(value)
    return result
