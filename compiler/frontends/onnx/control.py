"""Imports nodes that contain graphs: If, Scan and Loop.

In: the importer, the node, and the names around it. Out: the items of the node's outputs. Always: a known condition selects its branch. For
any other condition, both branches are computed and `where` selects one. The number of steps of a loop follows from sizes, never from data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import onnx

from ...dims import Dim, SymDim, dim_min
from ...ir.graph_values import Value
from ...types.tensor_types import BOOL, INT64
from ..graph_builder import ImportRefused
from .emitter import Emitter, range_formula
from .importer_site import OnnxSite
from .input_dimensions import InputDimensions
from .loop_counts import LoopCondition
from .name_uses import NameUses
from .onnx_files import read_attributes
from .onnx_values import BROKEN, Broken, Filled, Item, Known
from .runtime_loops import make_loop
from .scopes import NameScope
from .shape_arithmetic import to_dims

MOST_STEPS = 2**20
"""The most steps of a loop."""
MOST_COPIES = 64
"""The most steps that are written one after the other, where a loop cannot be one of netc."""


class SavedState(Protocol):
    """A state of an importer, to which it can return."""

    def take_back(self) -> None: ...


class GraphImporter(Protocol):
    """The members of the importer that control flow uses."""

    model: onnx.ModelProto
    dimensions: InputDimensions
    emit: Emitter
    uses: NameUses

    @property
    def version(self) -> int: ...

    def add_initializers(self, graph: onnx.GraphProto, names: NameScope) -> None: ...

    def import_nodes(self, nodes: Sequence[onnx.NodeProto], outputs: Iterable[str], names: NameScope, depth: int) -> None: ...

    def save_state(self) -> SavedState: ...


class ControlFlow:
    """One such node."""

    def __init__(self, importer: GraphImporter, node: onnx.NodeProto, names: NameScope, depth: int) -> None:
        self.importer, self.node, self.names, self.depth = importer, node, names, depth
        self.graphs: dict[str, onnx.GraphProto] = {a.name: a.g for a in node.attribute if a.HasField("g")}
        self.emit = importer.emit
        used = [importer.uses.count_uses(name) > 0 for name in node.output]
        items = [names[name] for name in node.input]
        self.broken = any(isinstance(item, Broken) for item in items)
        self.site = OnnxSite(node.op_type, items, read_attributes(node), importer.version, importer.emit, used)

    def import_node(self) -> Sequence[Item]:
        if self.broken:
            return [BROKEN] * len(self.node.output)
        return {"If": self._import_if, "Scan": self._import_scan, "Loop": self._import_loop}[self.node.op_type]()

    def _get_graph(self, name: str) -> onnx.GraphProto:
        if name not in self.graphs:
            raise ImportRefused(f"it lacks its {name}")
        return self.graphs[name]

    def _import_graph(self, graph: onnx.GraphProto, items: Sequence[Item], outputs: slice = slice(None)) -> list[Item]:
        """Import an inner graph. Returns the items of its outputs, for the items of its inputs."""
        inner = NameScope(self.names)
        for info, item in zip(graph.input, items, strict=False):
            inner[info.name] = item
        self.importer.add_initializers(graph, inner)
        wanted = [o.name for o in graph.output][outputs]
        self.importer.import_nodes(graph.node, wanted, inner, self.depth + 1)
        return [inner[name] for name in wanted]

    # --- branches ------------------------------------------------------------------------------------------------------------

    def _import_if(self) -> Sequence[Item]:
        condition = self.site.get_item(0)
        if isinstance(condition, Filled):
            # A condition that ConstantOfShape makes is known, whatever its shape.
            condition = Known(np.asarray(condition.number))
        if isinstance(condition, Known) and condition.array.size == 1:
            return self._import_graph(self._get_graph("then_branch" if bool(condition.array.reshape(-1)[0]) else "else_branch"), ())
        help_ = _suggest_input_to_fix(self.importer, self.node)
        if not isinstance(condition, Value) or condition.type.dtype != BOOL or any(d != 1 for d in condition.type.shape):
            raise ImportRefused("depends on data that is no single boolean", help_)
        # An input that decides a branch is a sampling rate or a cache flag. Computing both branches would put two models into the spec, of
        # which one is used.
        if help_:
            raise ImportRefused("depends on data, or on sizes that are not known", help_)
        return self._import_both_branches(condition)

    def _import_both_branches(self, condition: Value) -> list[Item]:
        """Compute both branches, and choose between their results by the condition."""
        pairs = zip(*(self._import_graph(self._get_graph(name), ()) for name in ("then_branch", "else_branch")), strict=True)
        return [BROKEN if isinstance(a, Broken) or isinstance(b, Broken) else self._choose_result(condition, a, b) for a, b in pairs]

    def _choose_result(self, condition: Value, a: Item, b: Item) -> Item:
        then, otherwise = self.site.to_tensor(a), self.site.to_tensor(b)
        if then.type.dtype != otherwise.type.dtype or not self.site.are_equal(then.type.shape, otherwise.type.shape):
            raise ImportRefused(f"depends on data, and its branches give {then.type} and {otherwise.type}, which is one type here")
        # A condition of shape [1] would give the result an axis that it does not have.
        if condition.type.rank > then.type.rank:
            condition = self.site.apply_op("reshape", condition, shape=())
        return self.site.apply_op("where", condition, then, otherwise)

    # --- loops ---------------------------------------------------------------------------------------------------------------

    def _import_scan(self) -> Sequence[Item]:
        site, body = self.site, self._get_graph("body")
        if self.importer.version < 9:
            raise ImportRefused("has the form of operator set 8, which runs for each sample")
        count = int(site.get_attr("num_scan_inputs", 0))
        states = len(site) - count
        results = len(body.output) - states
        # Each axis and each direction of a Scan has an attribute of its own, which netc's `scan` shares among all.
        axes = site.get_ints("scan_input_axes", [0] * count)
        output_axes = site.get_ints("scan_output_axes", [0] * results)
        ways, ends = site.get_ints("scan_input_directions", [0] * count), site.get_ints("scan_output_directions", [0] * results)
        if count < 1 or states < 0 or results < 0 or not len(axes) == len(ways) == count or not len(output_axes) == len(ends) == results:
            raise ImportRefused("its attributes are not for its inputs and outputs")
        reverse = all(ways)
        parts = [(site.input(states + n), site.normalize_axis(axis, site.input(states + n).type.rank)) for n, axis in enumerate(axes)]
        # Inputs that run the other way are flipped before the loop, and results after it.
        parts = [(v if bool(way) == reverse else site.apply_op("flip", v, axis=a), a) for (v, a), way in zip(parts, ways, strict=True)]
        starts = [site.input(n) for n in range(states)]
        deepest = max((v.type.rank for v in starts), default=0)
        # netc stacks results along the axis that is scanned. If the file stacks along another one, the scan runs along axis 0.
        if any(axis != parts[0][1] for axis in output_axes) or (not output_axes and deepest < parts[0][1]):
            parts = [(_move_axis(site, value, axis, 0), 0) for value, axis in parts]
        last, stacked = make_loop(self.emit, starts, parts, self._make_step(states, body), reverse=reverse)
        first = parts[0][1]
        turned = [v if bool(end) == reverse else site.apply_op("flip", v, axis=first) for v, end in zip(stacked, ends, strict=True)]
        placed = [_move_axis(site, v, first, site.normalize_axis(axis, v.type.rank)) for v, axis in zip(turned, output_axes, strict=True)]
        return [*last, *placed]

    def _make_step(self, states: int, body: onnx.GraphProto) -> Any:
        def step(before: list[Value], parts: list[Value]) -> tuple[list[Value], list[Value]]:
            results = self._to_tensors(self._import_graph(body, [*before, *parts]))
            return results[:states], results[states:]

        return step

    def _to_tensors(self, items: Sequence[Item]) -> list[Value]:
        if any(isinstance(item, Broken) for item in items):
            raise AlreadyAnObstacle
        return [self.site.to_tensor(item) for item in items]

    def _import_loop(self) -> Sequence[Item]:
        site, body = self.site, self._get_graph("body")
        # The body has the number of the step, its condition and all states as inputs.
        if len(body.input) < 2 or len(body.output) < 1 or len(body.input) < len(self.node.input):
            raise ImportRefused("its body does not have the inputs and outputs of a loop")
        goes = site.get_item(1)
        if goes is not None and not (isinstance(goes, Known) and bool(goes.array.reshape(-1)[0])):
            raise ImportRefused("stops when data say so", _suggest_input_to_fix(self.importer, self.node))
        starts = [site.get_item(n) for n in range(2, len(self.node.input))]
        further = LoopCondition(body, starts, self._evaluate_names, self.emit.facts).count_steps()
        count = self._count_steps(None if further is None else further + 1)
        if isinstance(count, int) and count > MOST_STEPS:
            raise ImportRefused(f"runs {count} times, more than {MOST_STEPS}")
        # The attempt below may add nodes and labels, which the unrolled steps must not see.
        before = self.importer.save_state()
        try:
            # A loop of netc needs states whose types stay the same. Where they change, a few steps are unrolled instead.
            return self._import_runtime_loop(body, count, starts, further is not None)
        except ImportRefused:
            if not isinstance(count, int) or count > MOST_COPIES:
                raise
        before.take_back()
        return self._unroll_loop(body, count, starts, further is not None)

    def _count_steps(self, counted: Dim | None) -> Dim:
        """Return the number of steps: the smaller one of the loop's limit and the number that the body's condition allows."""
        limit = to_dims(self.site.get_item(0)) if self.site.has_input(0) else None
        if limit is None and (self.site.has_input(0) or counted is None):
            raise ImportRefused("runs a number of times that depends on data", _suggest_input_to_fix(self.importer, self.node))
        if limit is None:
            assert counted is not None
            return counted
        most = limit[0] if isinstance(limit[0], SymDim) else max(limit[0], 0)
        if counted is None:
            return most
        if isinstance(most, int) and most >= MOST_STEPS:  # exporters pass the greatest integer if only the condition ends the loop
            return counted
        return dim_min(most, counted)

    def _evaluate_names(self, wanted: Sequence[str], number: Item, states: Mapping[str, Item]) -> Sequence[Item]:
        """Return the items of names in one step of the body. The nodes that this adds are undone."""
        body = self._get_graph("body")
        inner = NameScope(self.names)
        for info in body.input:
            inner[info.name] = states.get(info.name, BROKEN)
        inner[body.input[0].name] = number
        self.importer.add_initializers(body, inner)
        before = self.importer.save_state()
        self.importer.import_nodes(body.node, wanted, inner, self.depth + 1)
        before.take_back()
        return [inner[name] for name in wanted]

    def _import_runtime_loop(self, body: onnx.GraphProto, count: Dim, starts: Sequence[Item], counted: bool) -> Sequence[Item]:
        """Import the loop as a `scan` over the numbers of its steps."""
        numbers = self.emit.make_table((count,), range_formula(0, 0, 1), INT64)

        def step(before: list[Value], parts: list[Value]) -> tuple[list[Value], list[Value]]:
            tensors = self._to_tensors(self._import_step(body, [parts[0], Known(np.asarray(True)), *before], counted))
            return tensors[: len(starts)], tensors[len(starts) :]

        last, stacked = make_loop(self.emit, [make_state_tensor(self.site, item) for item in starts], [(numbers, 0)], step)
        return [*last, *stacked]

    def _import_step(self, body: onnx.GraphProto, items: Sequence[Item], counted: bool) -> Sequence[Item]:
        """Import one step. Its condition is left out if the number of steps already follows from it."""
        if counted:
            return self._import_graph(body, items, slice(1, None))
        goes, *result = self._import_graph(body, items)
        _require_true(goes)
        return result

    def _unroll_loop(self, body: onnx.GraphProto, count: int, starts: Sequence[Item], counted: bool) -> Sequence[Item]:
        """Write the steps one after the other."""
        states, collected = list(starts), list[list[Value]]()
        for number in range(count):
            results = self._import_step(body, [Known(np.asarray(number)), Known(np.asarray(True)), *states], counted)
            states = list(results[: len(starts)])
            collected.append(self._to_tensors(results[len(starts) :]))
        if not collected and len(body.output) > 1 + len(starts):
            raise ImportRefused("has no step, and stacks what its steps give")
        return [*states, *(self._stack_values(several) for several in zip(*collected, strict=True))]

    def _stack_values(self, several: Sequence[Value]) -> Value:
        return self.site.apply_op("stack", *several, axis=0) if len(several) > 1 else self.site.apply_op("unsqueeze", several[0], axis=0)


class AlreadyAnObstacle(ImportRefused):
    """The obstacle inside has been reported already."""

    def __init__(self) -> None:
        super().__init__("has nodes inside that cannot be imported")


def make_state_tensor(site: OnnxSite, item: Item) -> Value:
    if item is None:
        raise ImportRefused("it lacks what a state starts with")
    return site.to_tensor(item)


def _require_true(goes: Item) -> None:
    if not isinstance(goes, Known) or not bool(goes.array.reshape(-1)[0]):
        raise ImportRefused("stops when data say so")


def _move_axis(site: OnnxSite, value: Value, axis: int, to: int) -> Value:
    """Move an axis to another position. The other axes keep their order."""
    if axis == to:
        return value
    order = [a for a in range(value.type.rank) if a != axis]
    order.insert(to, axis)
    moved = [position for position, old in enumerate(order) if position != old]
    if len(moved) == 2:
        return site.apply_op("transpose", value, a=moved[0], b=moved[1])
    return site.apply_op("permute", value, axes=tuple(order))


def _suggest_input_to_fix(importer: GraphImporter, node: onnx.NodeProto) -> str:
    """Suggest what to fix: an input of a single number that the condition is computed from, or else the sizes that it may depend on."""
    makers = {name: maker for maker in importer.model.graph.node for name in maker.output}
    inputs = {i.name for i in importer.model.graph.input}
    input_names, stack, seen = [], list(node.input[:2] if node.op_type == "Loop" else node.input[:1]), set[str]()
    sized = False
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in inputs and len(importer.dimensions.shapes.get(name, (0, 0))) <= 1:
            input_names.append(name)
        elif name in makers:
            sized = sized or makers[name].op_type == "Shape"
            stack += makers[name].input
    if input_names:
        return f"fix the input it depends on: `--set {input_names[0]}=...`"
    return suggest_sizes_to_fix(importer.dimensions) if sized else ""


def suggest_sizes_to_fix(dimensions: InputDimensions) -> str:
    """Suggest to fix the symbolic sizes, if there are any."""
    texts = {name: text for text, name in dimensions.names.items()}
    free = [n for n in dimensions.symbols if isinstance(dimensions.declared.dims.get(n), SymDim)]
    return f"fix the sizes that it may depend on: {', '.join(f'`--set {texts.get(n, n)}=...`' for n in free)}" if free else ""
