"""The graph of a module's call, made of the nodes that torch.export has for it.

In: the tree of calls, and what is known of sizes, parameters and constants. Out: a graph for each call that is more than one operator. Always:
an operator that cannot be imported is an obstacle, and what depends on it is unknown and not reported again.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import getitem
from typing import Any

import torch
from torch.fx import Node

from netc.dsl.source import Span

from ...dims import Facts
from ...ir.graph import CallNode, OpNode, SharedModule, Value, join
from ...ir.types import TensorType
from ...ops.constants import ParamOperator
from ...ops.parameter_of import ParameterOf
from ..base import Obstacle
from ..builder import GraphBuilder, ImportRefused
from .folding import Constants
from .aten.indexing import with_part
from .keys import Keys, relative_path
from .modules import CallTree, ModuleCall
from .site import AtenSite, dtype_of, operator_name
from .sizes import Sizes
from .table import READERS, Result
from .views import Views, is_in_place


class UnknownValue(Exception):
    """What was read is what another obstacle left unknown."""


class ModelReader:
    """What all calls share."""

    def __init__(self, tree: CallTree, keys: Keys, constants: Constants, sizes: Sizes, facts: Facts, span: Span) -> None:
        self.tree = tree
        self.keys = keys
        self.constants = constants
        self.sizes = sizes
        self.facts = facts
        self.span = span
        self.views = Views(tree.home)
        self.obstacles: list[Obstacle] = []

    def read(self, node: Node, scope: CallReader) -> Result | None:
        """What the node computes; None where it cannot be imported."""
        try:
            if node in self.views.lost:
                raise ImportRefused(f"changes a tensor of which `{self.views.lost[node]}` is another view, which is read later")
            found = self._reader(node)(AtenSite(node, scope))
            _agree(node, found, self.sizes, self.facts)
        except UnknownValue:
            return None
        except ImportRefused as refused:
            self.report(node, refused)
            return None
        return found

    def replaced(self, view: Node, part: Value, scope: CallReader) -> Value | None:
        """The tensor of which `view` is a part, with another part in its place."""
        try:
            return with_part(AtenSite(view, scope), part)
        except UnknownValue:
            return None
        except ImportRefused as refused:
            self.report(view, refused)
            return None

    def is_zero(self, node: Node) -> bool:
        """Whether a tensor is zeros and nothing else, whatever its sizes."""
        if isinstance(node.target, torch._ops.OpOverload) and operator_name(node) in ("zeros", "new_zeros", "zeros_like"):
            return True
        value = self.constants.values.get(node)
        return isinstance(value, torch.Tensor) and not value.any()

    def report(self, node: Node, refused: ImportRefused) -> None:
        home = self.tree.home.get(node, self.tree.root)
        self.obstacles.append(Obstacle(str(node.target), refused.why, home.path, refused.help))

    def _reader(self, node: Node) -> Any:
        if not isinstance(node.target, torch._ops.OpOverload):
            raise ImportRefused("has no counterpart: it is no operator of aten")
        name = operator_name(node)
        if name not in READERS:
            raise ImportRefused("has no counterpart")
        return READERS[name]


class CallReader:
    """One call. `env` has what the nodes are in its graph, None for what is unknown."""

    def __init__(self, model: ModelReader, call: ModuleCall, parent: CallReader | None) -> None:
        self.model = model
        self.call = call
        self.parent = parent
        kind = "model" if parent is None else "sequence" if call.name == "Sequential" else "block"
        self.builder = GraphBuilder(call.name, kind, model.facts, model.span)  # type: ignore[arg-type]
        self.env: dict[Node, Value | tuple[Value, ...] | None] = {}
        self.taken: dict[Node, tuple[Value, Value]] = {}
        """What comes from the call around, by the nodes that it is there: as it is there, and the input here."""
        self.changed: set[Node] = set()
        """Nodes from around that an operator in place has changed."""
        self.modules: dict[str, SharedModule] = {}
        """Those that are called several times, by their paths."""
        self.borrowed: list[ModuleCall] = []
        """A call of each of those that a graph around declares."""
        self.holds = False
        """Whether there are parameters inside."""

    # --- values --------------------------------------------------------------------------------------------------------------

    def value(self, node: Node) -> Value | tuple[Value, ...]:
        """The tensor that a node is in this graph; from the graph around, it becomes an input."""
        if node not in self.env:
            self.env[node] = self._made_here(node) if self._is_home(node) else self._from_around(node)
        found = self.env[node]
        if found is None:
            raise UnknownValue
        return found

    def _is_home(self, node: Node) -> bool:
        """Whether a parameter or constant is declared in this graph."""
        if self.parent is None:
            return True
        if node in self.model.keys.stored:
            return self.model.keys.home(node, self.call)[0] is self.call
        return node in self.model.constants.values and self.model.tree.home.get(node, self.call) is self.call

    def _made_here(self, node: Node) -> Value | tuple[Value, ...] | None:
        constants, keys = self.model.constants, self.model.keys
        if node in constants.values:
            return self.builder.put(constants.table(node))[0]
        if node in keys.stored:
            return self._parameter(node)
        raise ImportRefused("it is given a tensor that was made after it")

    def _parameter(self, node: Node) -> Value:
        """A parameter as a tensor: that of a stage, or one of the graph itself."""
        keys = self.model.keys
        stored = keys.stored[node]
        shape, dtype = tuple(int(size) for size in stored.tensor.shape), dtype_of(stored.tensor.dtype)
        _, label = keys.home(node, self.call)
        owner = keys.owned.get(node)
        if owner is not None and node not in keys.mixed:
            stage, name = relative_path(self.call, owner[1])
            return self.builder.put(ParameterOf(path=stage, parameter=name, shape=shape, dtype=dtype))[0]
        self.holds = True
        operator = ParamOperator(shape=shape, dtype=dtype, trainable=not stored.is_buffer)
        return self.builder.put(operator, label=label, frozen=stored.frozen)[0]

    def _from_around(self, node: Node) -> Value | tuple[Value, ...] | None:
        assert self.parent is not None
        try:
            outer = self.parent.value(node)
        except UnknownValue:
            return None
        if isinstance(outer, tuple):
            raise ImportRefused("it is given several tensors that a module around it made")
        for before, inner in self.taken.values():
            if before is outer:
                return inner
        inner = self.builder.input(outer.type, outer.name)
        self.taken[node] = outer, inner
        return inner

    # --- nodes ---------------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Reads all that the call did."""
        for item in self.call.items:
            if isinstance(item, ModuleCall):
                inner = CallReader(self.model, item, self)
                inner.run()
                inner.close(self)
            else:
                self._node(item)

    def _node(self, node: Node) -> None:
        if self.model.constants.is_folded(node):
            return
        nodes = len(self.builder.graph.nodes)
        found = self.model.read(node, self)
        if found is None:
            del self.builder.graph.nodes[nodes:]
        self.holds = self.holds or any(isinstance(n, OpNode) and _holds(n) for n in self.builder.graph.nodes[nodes:])
        self._bind(node, found)
        if is_in_place(node):
            self._change(node, found)

    def _bind(self, node: Node, found: Value | tuple[Value, ...] | None) -> None:
        self.env[node] = found
        for user in node.users:
            if user.target is getitem:
                self.env[user] = found[user.args[1]] if isinstance(found, tuple) else None  # type: ignore[index]

    def _change(self, node: Node, found: Value | tuple[Value, ...] | None) -> None:
        """What is read under the old name from now on is what the operator made of it; so are the tensors of which that is a part."""
        old = node.args[0]
        assert isinstance(old, Node)
        self._rebind(old, found)
        for view in reversed(self.model.views.parents.get(node, [])):
            whole = view.args[0]
            assert isinstance(whole, Node)
            found = self.model.replaced(view, found, self) if isinstance(found, Value) else None
            self._rebind(whole, found)

    def _rebind(self, node: Node, found: Value | tuple[Value, ...] | None) -> None:
        if node not in self.env and self.model.tree.home.get(node) is not self.call:
            self.value(node)
        self.env[node] = found
        if self.model.tree.home.get(node) is not self.call:
            self.changed.add(node)

    # --- the end of the call -------------------------------------------------------------------------------------------------

    def close(self, parent: CallReader) -> None:
        """Puts what the call computes into the graph around."""
        outputs: dict[Node, Value] = {}
        passed = {id(inner): outer for outer, inner in self.taken.values()}
        for node in self._wanted():
            value = self.env[node]
            if not isinstance(value, Value):
                parent._bind(node, None)
            elif id(value) in passed:
                parent.env[node] = passed[id(value)]
            else:
                outputs[node] = value
        distinct = list({id(value): value for value in outputs.values()}.values())
        self.builder.graph.outputs = distinct
        results = self._results(parent, [outer for outer, _ in self.taken.values()], distinct) if distinct else []
        found = {id(inner): outer for inner, outer in zip(distinct, results, strict=True)}
        for node, value in outputs.items():
            parent.env[node] = found[id(value)]
            if node in self.changed and parent.model.tree.home.get(node) is not parent.call:
                parent.changed.add(node)

    def _wanted(self) -> Iterator[Node]:
        """The nodes that others than this call read."""
        home = self.model.tree.home
        for node in list(self.env):
            if node in self.taken and node not in self.changed:
                continue
            if self._is_constant(node):
                continue
            if any(user not in home or self.call not in home[user].chain() for user in node.users):
                yield node

    def _is_constant(self, node: Node) -> bool:
        return node in self.model.keys.stored or self.model.constants.is_folded(node)

    def _results(self, parent: CallReader, given: list[Value], outputs: list[Value]) -> list[Value]:
        parent.holds = parent.holds or self.holds
        shared = parent.shared_module(self.call) if self.call in self.model.keys.shared and self.holds else None
        label = self._label(parent)
        if self._dissolves():
            return self._dissolve(parent, given, outputs, label, shared)
        modules = tuple(parent.shared_module(call) for call in self.borrowed)
        return list(parent.builder.call(self.builder.graph, *given, label=label, shared=shared, modules=modules))

    def _label(self, parent: CallReader) -> str:
        if not (self.holds or parent.builder.graph.kind == "sequence") or not parent.call.owns(self.call.path):
            return ""
        return parent.call.relative(self.call.path)

    def _dissolves(self) -> bool:
        """Whether the operators are better in the graph around: of a module that is one operator, or whose only parameters are directly
        below its own name."""
        nodes = self.builder.graph.nodes
        if len(nodes) == 1 and isinstance(nodes[0], OpNode):
            return True
        if not all(isinstance(node, OpNode) for node in nodes):
            return False
        if any(node.label or isinstance(node.op, ParameterOf) for node in nodes if isinstance(node, OpNode)):
            return False
        return len([node for node in nodes if isinstance(node, OpNode) and _holds(node)]) == 1

    def _dissolve(
        self, parent: CallReader, given: list[Value], outputs: list[Value], label: str, shared: SharedModule | None
    ) -> list[Value]:
        places = {id(inner): outer for inner, outer in zip(self.builder.graph.inputs, given, strict=True)}
        only = len(self.builder.graph.nodes) == 1
        for node in self.builder.graph.nodes:
            assert isinstance(node, OpNode)
            node.inputs = tuple(places.get(id(value), value) for value in node.inputs)
            if _holds(node):
                node.label, node.shared = join(label, node.label), shared
            elif only and parent.builder.graph.kind == "sequence":
                node.label = label
            parent.builder.graph.nodes.append(node)
            parent.builder.graph.size += 1
        return outputs

    # --- modules that are called several times -------------------------------------------------------------------------------

    def shared_module(self, call: ModuleCall) -> SharedModule:
        """The shared module in this graph, which declares it or is passed it."""
        if call.path not in self.modules:
            home = self.model.keys.shared[call]
            module = SharedModule(home.relative(call.path), self.model.span)
            self.modules[call.path] = module
            if home is self.call:
                self.builder.graph.declares.append(module)
            else:
                self.builder.graph.modules.append(module)
                self.borrowed.append(call)
        return self.modules[call.path]


def _holds(node: OpNode) -> bool:
    """Whether it has parameters in the state dict."""
    return any(spec.persistent for spec in node.specs)


def _agree(node: Node, found: Result, sizes: Sizes, facts: Facts) -> None:
    """The types are those that torch.export has."""
    fakes = node.meta.get("val")
    pairs = zip(found, fakes, strict=False) if isinstance(found, tuple) and isinstance(fakes, list | tuple) else [(found, fakes)]
    for value, fake in pairs:
        if not isinstance(value, Value) or not isinstance(fake, torch.Tensor):
            continue
        expected = TensorType(dtype_of(fake.dtype), tuple(sizes.dim(size) for size in fake.shape))
        same = len(expected.shape) == value.type.rank and not any(
            facts.equal(a, b) is False for a, b in zip(expected.shape, value.type.shape, strict=True)
        )
        if not same or expected.dtype != value.type.dtype:
            raise ImportRefused(f"it gives {expected} in PyTorch, but {value.type} here")
