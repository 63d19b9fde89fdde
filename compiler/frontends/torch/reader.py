"""Builds the graph of a module's call from the nodes of torch.export.

In: the tree of calls, and the known sizes, parameters and constants. Out: a graph for each call that is more than one operator. Always: an
operator that cannot be imported is reported once. Values that depend on it are unknown and not reported again.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import getitem

import torch
from torch.fx import Node

from ...dims import Facts
from ...ir.graph import OpNode, SharedModule
from ...ir.graph_values import Value
from ...ir.walk import join_labels
from ...ops.parameter_of import ParameterOf
from ...types.tensor_types import TensorType
from ..graph_builder import ImportRefused
from .aten_site import AtenSite
from .aten_table import COMPLEX_READERS, READERS, AtenReader, Result
from .call_scope import GraphScope, UnknownValue
from .module_calls import ModuleCall
from .node_targets import is_complex, is_operator, operator_name, to_dtype
from .sympy_sizes import SizeConverter
from .views import is_in_place

_WITHOUT_EFFECT = frozenset(
    {
        *("cudnn_enable", "cudnn_enabled", "train", "use_input_stats", "momentum", "non_blocking", "copy", "pin_memory", "sparse"),
        *("end", "split_size"),
    }
)
"""Arguments that choose a kernel or a layout of memory, or that show in the shape of the result, such as the end of `arange`."""
_OF_GRADIENTS = frozenset({"scale_grad_by_freq"})
"""Arguments that change gradients only."""


def read_node(node: Node, scope: GraphScope) -> Result | None:
    """Return the results of a node, or None if it cannot be imported."""
    model = scope.model
    try:
        if node in model.lost_views:
            why = f"changes a tensor of which `{model.lost_views[node]}` is another view, which is read later"
            raise ImportRefused(why, "clone the view before you change it, or change the tensor itself")
        read = _find_reader(node)
        site = AtenSite(node, scope)
        nodes = len(scope.builder.graph.nodes)
        result = read(site)
        # `x.eq_(y)` gives a number of the tensor's own type.
        if is_in_place(node) and isinstance(result, Value) and not is_complex(node):
            result = site.cast(result, site.result_dtype)
        # A reader that adds nothing has found that the operator has no effect, such as a padding of nothing.
        if len(scope.builder.graph.nodes) > nodes:
            _refuse_unused_arguments(site)
        _check_types(node, result, model.sizes, model.facts)
    except UnknownValue:
        return None
    except ImportRefused as refused:
        model.report_obstacle(node, refused)
        return None
    return result


def _find_reader(node: Node) -> AtenReader:
    if isinstance(node.target, torch._ops.HigherOrderOperator):
        # For example, `torch.cond` and `torch.while_loop` choose by the values of tensors which of their graphs run.
        raise ImportRefused("runs graphs of its own, which a spec does not do", "choose between results with `torch.where`")
    if not is_operator(node):
        raise ImportRefused("has no counterpart: it is no operator of PyTorch")
    name = operator_name(node)
    if name not in READERS:
        raise ImportRefused("has no counterpart")
    of_complex = COMPLEX_READERS.get(name) if any(map(is_complex, (node, *node.all_input_nodes))) else None
    return of_complex or READERS[name]


def _refuse_unused_arguments(site: AtenSite) -> None:
    """Refuse a number, text or boolean that no reader asked for: it would be ignored.

    Lists, types and tensors that only give a shape show in the result, whose type is checked.
    """
    for name, value in site.args.list_unused():
        if name in _WITHOUT_EFFECT or not isinstance(value, bool | int | float | str) or value is False:
            continue
        training = site.scope.model.training
        if (name in _OF_GRADIENTS and not training) or (name == "training" and value == training):
            continue
        if value != site.args.defaults.get(name):
            raise ImportRefused(f"its argument `{name}={value}` has no counterpart")


class CallReader(GraphScope):
    """Reads the nodes of one call, and adds the call to the graph around."""

    # --- nodes ---------------------------------------------------------------------------------------------------------------

    def read_call(self) -> None:
        """Read the nodes and the inner calls of this call, in order."""
        for item in self.call.items:
            if isinstance(item, ModuleCall):
                inner = CallReader(self.model, item, self)
                inner.read_call()
                inner.emit_call(self)
            else:
                self._read_item(item)

    def _read_item(self, node: Node) -> None:
        if self.model.constants.is_folded(node):
            return
        # An operator may be refused after its reader has added some nodes, which are removed again.
        nodes = len(self.builder.graph.nodes)
        results = read_node(node, self)
        if results is None:
            del self.builder.graph.nodes[nodes:]
        self.has_parameters = self.has_parameters or any(isinstance(n, OpNode) and _has_state(n) for n in self.builder.graph.nodes[nodes:])
        self._bind_results(node, results)

    def _bind_results(self, node: Node, results: Value | tuple[Value | None, ...] | None) -> None:
        self.env[node] = results
        for user in node.users:
            if user.target is getitem:
                self.env[user] = self._select_result(node, results, user)

    def _select_result(self, node: Node, results: Value | tuple[Value | None, ...] | None, item: Node) -> Value | None:
        index: int = item.args[1]  # type: ignore[assignment]
        if isinstance(results, tuple):
            return results[index]
        # A reader of an operator that returns statistics next to its result, as `native_layer_norm` does, returns the result alone.
        if results is not None and index and item.users:
            self.model.report_obstacle(node, ImportRefused(f"its result {index} has no counterpart"))
        return None if index else results

    def name_values(self) -> None:
        """Name the tensors of the call after the module's code."""
        inputs = {node: inner for node, (_, inner) in self.captured.items()}
        self.model.source_names.name_tensors(self.builder.graph, self.call, self.env, inputs)

    # --- the end of the call -------------------------------------------------------------------------------------------------

    def emit_call(self, parent: CallReader) -> None:
        """Add the call to the graph around, and bind its results there."""
        self.name_values()
        outputs: dict[Node, Value] = {}
        passed = {id(inner): outer for outer, inner in self.captured.values()}
        for node in self._find_outputs():
            value = self.env[node]
            if not isinstance(value, Value):
                parent._bind_results(node, None)
            # The call returns one of its inputs. The graph around has that value, so it is no result.
            elif id(value) in passed:
                parent.env[node] = passed[id(value)]
            else:
                outputs[node] = value
        # Several nodes may be one value, as after an operator that was dropped.
        distinct = list({id(value): value for value in outputs.values()}.values())
        if not distinct and self.has_parameters and self.builder.graph.nodes:  # nobody reads what it computes, but its keys stay
            distinct = [self.builder.graph.nodes[-1].outputs[0]]
        self.builder.graph.outputs = distinct
        results = self._emit_results(parent, [outer for outer, _ in self.captured.values()], distinct) if distinct else []
        outer_results = {id(inner): outer for inner, outer in zip(distinct, results, strict=True)}
        for node, value in outputs.items():
            parent.env[node] = outer_results[id(value)]

    def _find_outputs(self) -> Iterator[Node]:
        """Yield the nodes that are read outside of this call, or at the same place in another call of a shared module."""
        for node in list(self.env):
            if node in self.captured:
                continue
            # Every graph that reads a constant declares it, so a constant is never a result.
            if self._is_constant(node):
                continue
            shared = self.model.results.get(node)
            if self.model.tree.is_read_outside(node, self.call) or (shared is not None and shared in self.call.enclosing_calls()):
                yield node

    def _is_constant(self, node: Node) -> bool:
        return node in self.model.keys.stored or self.model.constants.is_folded(node)

    def _emit_results(self, parent: CallReader, inputs: list[Value], outputs: list[Value]) -> list[Value]:
        parent.has_parameters = parent.has_parameters or self.has_parameters
        shared = parent.get_shared_module(self.call) if self.call in self.model.keys.shared and self.has_parameters else None
        label = self._choose_label(parent)
        if self._should_inline():
            return self._inline_into(parent, inputs, outputs, label, shared)
        modules = tuple(parent.get_shared_module(call) for call in self.borrowed)
        return list(parent.builder.add_call(self.builder.graph, *inputs, label=label, shared=shared, modules=modules))

    def _choose_label(self, parent: CallReader) -> str:
        if not (self.has_parameters or parent.builder.graph.kind == "sequence") or not parent.call.owns_key(self.call.path):
            return ""
        if self.call in self.model.keys.apart:
            return ""
        return parent.call.relative_key(self.call.path)

    def _should_inline(self) -> bool:
        """Return whether the operators go into the graph around: the module is one operator, or has its only parameters directly below its
        name."""
        nodes = self.builder.graph.nodes
        operators = [node for node in nodes if isinstance(node, OpNode)]
        if self.call in self.model.keys.shared and any(node.label for node in operators):
            return False  # what is shared is the module, and the operator has a name below that
        # Calls and shared modules need a graph around them.
        if len(operators) < len(nodes) or self.builder.graph.declares:
            return False
        if len(operators) == 1:
            return True
        if any(node.label or isinstance(node.op, ParameterOf) for node in operators):
            return False
        return len([node for node in operators if _has_state(node)]) == 1

    def _inline_into(
        self, parent: CallReader, inputs: list[Value], outputs: list[Value], label: str, shared: SharedModule | None
    ) -> list[Value]:
        places = {id(inner): outer for inner, outer in zip(self.builder.graph.inputs, inputs, strict=True)}
        around = {id(self.get_shared_module(call)): parent.get_shared_module(call) for call in self.borrowed}
        only = len(self.builder.graph.nodes) == 1
        for node in self.builder.graph.nodes:
            assert isinstance(node, OpNode)
            node.inputs = tuple(places.get(id(value), value) for value in node.inputs)
            if node.shared is not None:  # the module is not inside of the call, which was given it: its keys are not below the call's
                node.shared = around[id(node.shared)]
            elif _has_state(node):
                node.label, node.shared = join_labels(label, node.label), shared
            elif only and parent.builder.graph.kind == "sequence":
                node.label = label
            parent.builder.graph.nodes.append(node)
            parent.builder.graph.size += 1
        return outputs


def _has_state(node: OpNode) -> bool:
    """Return whether the operator has parameters in the state dict."""
    return any(spec.persistent for spec in node.specs)


def _check_types(node: Node, results: Result, sizes: SizeConverter, facts: Facts) -> None:
    """Refuse results whose types differ from those that torch.export recorded."""
    fakes = node.meta.get("val")
    pairs = zip(results, fakes, strict=False) if isinstance(results, tuple) and isinstance(fakes, list | tuple) else [(results, fakes)]
    for value, fake in pairs:
        if not isinstance(value, Value) or not isinstance(fake, torch.Tensor):
            continue
        # Complex tensors are pairs of real numbers here, so they have a last axis of 2.
        parts = (2,) if fake.is_complex() else ()
        expected = TensorType(to_dtype(fake.dtype.to_real()), (*(sizes.to_dim(size) for size in fake.shape), *parts))
        same = len(expected.shape) == value.type.rank and not any(
            # A size that cannot be proved equal passes: the proof of the import compares the results.
            facts.are_equal(a, b) is False
            for a, b in zip(expected.shape, value.type.shape, strict=True)
        )
        if not same or expected.dtype != value.type.dtype:
            raise ImportRefused(f"it gives {expected} in PyTorch, but {value.type} here")
