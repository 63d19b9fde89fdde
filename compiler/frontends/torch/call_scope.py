"""The graph of one module call while it is built: which tensors it has, and where the others come from.

In: nodes of an exported graph. Out: their values in this graph. A value is made here, is an input from the graph around, or is a parameter
or constant, which is declared in the innermost graph that contains all its readers. Always: a node that depends on an obstacle raises
`UnknownValue`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from operator import getitem

import torch
from torch.fx import Node

from netc.dsl.source import Span

from ...dims import Facts
from ...ir.graph import SharedModule
from ...ir.graph_values import Value
from ...ops.constants import ParamOperator
from ...ops.parameter_of import ParameterOf
from ..graph_builder import GraphBuilder, ImportRefused
from ..imported_model import Obstacle
from .constant_folding import ConstantFolder
from .keys import KeyPlacement, split_relative_path
from .module_calls import CallTree, ModuleCall, find_common_call
from .node_targets import is_empty, is_operator, operator_name, to_dtype, to_real_parts
from .separate_arguments import is_separate
from .source_names import SourceNames
from .sympy_sizes import SizeConverter
from .views import find_viewed_tensor, is_in_place


class UnknownValue(Exception):
    """The value depends on an operator that was reported as an obstacle."""


class ModelContext:
    """The state that the graphs of all calls share.

    `training`: the module was in training. `frozen_statistics`: buffers that stay as they are there. `lost_views`: in-place changes of
    tensors of which another view is read later, with its name. `read_source`: the stack traces of the nodes name files of code that runs
    here, and names of tensors are read from them. `gradient_stops`: the nodes that become `detach`.
    """

    def __init__(
        self,
        tree: CallTree,
        keys: KeyPlacement,
        constants: ConstantFolder,
        sizes: SizeConverter,
        facts: Facts,
        span: Span,
        training: bool = False,
        frozen_statistics: Collection[Node] = (),
        lost_views: Mapping[Node, str] | None = None,
        gradient_stops: Collection[Node] = (),
        *,
        read_source: bool = False,
    ) -> None:
        self.tree = tree
        self.keys = keys
        self.constants = constants
        self.sizes = sizes
        self.facts = facts
        self.span = span
        self.training = training
        self.frozen_statistics = frozen_statistics
        self.lost_views = lost_views or {}
        self.gradient_stops = gradient_stops
        self.unread = find_unread(tree.home, keys.stored)
        self.source_names = SourceNames(tree, read=read_source)
        self.results = keys.find_shared_results()
        self.obstacles: list[Obstacle] = []
        self.notes: list[str] = []
        self.arbitrary: list[tuple[Node, Value]] = []
        """Tensors with arbitrary contents, as `torch.empty` makes them. It is an obstacle if something still reads one in the end."""

    def find_constant_home(self, node: Node) -> ModuleCall:
        """Return the call whose graph declares the table of a constant: where it was computed, or around all its readers."""
        home = self.tree.home
        if node in home:
            return home[node]
        return find_common_call([self.keys.find_graph_call(home[user]) for user in node.users if user in home] or [self.tree.root])

    def find_values(self, node: Node) -> torch.Tensor | None:
        """Return the elements of a constant, or of the buffer of the state dict of which a tensor is a view. None for any other tensor."""
        constant = self.constants.values.get(node)
        if isinstance(constant, torch.Tensor):
            return constant
        stored = self.keys.stored
        if node in stored:
            tensor: torch.Tensor = stored[node].tensor
            return tensor
        source = None if is_in_place(node) else find_viewed_tensor(node)
        return None if source is None else self.find_values(source)

    def is_zero(self, node: Node) -> bool:
        """Return whether all elements of a tensor are 0, for all sizes. Initial states of recurrent layers are."""
        if is_operator(node) and operator_name(node) in ("zeros", "new_zeros", "zeros_like"):
            return True
        value = self.constants.values.get(node)
        return isinstance(value, torch.Tensor) and not value.any()

    def report_obstacle(self, node: Node, refused: ImportRefused) -> None:
        """Report an obstacle, unless no result depends on the node."""
        # A module may keep a statistic in an attribute, such as a histogram, by an operator that netc does not have.
        if node in self.unread:
            return
        home = self.tree.home.get(node, self.tree.root)
        self.obstacles.append(Obstacle(str(node.target), refused.why, home.path, refused.help))


class GraphScope:
    """The graph of one call. `env` maps nodes to their values in it, and unknown ones to None."""

    def __init__(self, model: ModelContext, call: ModuleCall, parent: GraphScope | None) -> None:
        self.model = model
        self.call = call
        self.parent = parent
        kind = "model" if parent is None else "sequence" if call.is_sequence() else "block"
        self.builder = GraphBuilder(call.name, kind, model.facts, model.span)  # type: ignore[arg-type]
        self.env: dict[Node, Value | tuple[Value | None, ...] | None] = {}
        self.captured: dict[Node, tuple[Value, Value]] = {}
        """The tensors from the graph around, by their nodes: the value there, and the input here."""
        self.modules: dict[str, SharedModule] = {}
        """The modules that are called several times, by their paths."""
        self.borrowed: list[ModuleCall] = []
        """One call of each shared module that a graph around declares."""
        self.has_parameters = False
        """Whether there are parameters inside."""

    # --- values --------------------------------------------------------------------------------------------------------------

    def get_value(self, node: Node) -> Value | tuple[Value | None, ...]:
        """Return the value of a node in this graph. A tensor from the graph around becomes an input."""
        if node not in self.env:
            self.env[node] = self._make_local_value(node) if self._is_home(node) else self._take_from_parent(node)
        result = self.env[node]
        if result is None:
            raise UnknownValue
        return result

    def _is_home(self, node: Node) -> bool:
        """Return whether a parameter or constant is declared in this graph."""
        if self.parent is None:
            return True
        if node in self.model.keys.stored:
            return self.model.keys.find_home(node, self.call)[0] is self.call
        return node in self.model.constants.values and self.model.find_constant_home(node) is self.call

    def _make_local_value(self, node: Node) -> Value | tuple[Value | None, ...] | None:
        constants, keys = self.model.constants, self.model.keys
        if node in constants.values:
            result = self.builder.add_node(constants.get_table(node))[0]
            result.name = result.name or constants.names.get(node, "")
            return result
        if node in keys.stored:
            return self._declare_parameter(node)
        if isinstance(node.meta.get("val"), torch.SymInt | torch.SymFloat | torch.SymBool):
            raise ImportRefused("is a size that the module returns or uses as a tensor", "return tensors only")
        if is_empty(node):
            raise ImportRefused("makes a tensor without elements, which a spec does not have")
        raise ImportRefused("it is given a tensor that was made after it")

    def _declare_parameter(self, node: Node) -> Value:
        """Declare a parameter as a tensor: a parameter of a stage, or of the graph itself."""
        keys = self.model.keys
        stored = keys.stored[node]
        # A complex parameter is one of pairs.
        tensor = to_real_parts(stored.tensor)
        shape, dtype = tuple(int(size) for size in tensor.shape), to_dtype(tensor.dtype)
        _, label = keys.find_home(node, self.call)
        owner = keys.owned.get(node)
        if owner is not None and node not in keys.mixed:
            stage, name = split_relative_path(self.call, owner[1])
            if stage[:1].isdigit():
                why = f"shares the {name} of the module `{stage}`, and a text cannot read parameters of a stage whose name is a number"
                raise ImportRefused(why, "give the modules names, as `nn.Sequential(OrderedDict(...))` does")
            return self.builder.add_node(ParameterOf(path=stage, parameter=name, shape=shape, dtype=dtype))[0]
        self.has_parameters = True
        operator = ParamOperator(shape=shape, dtype=dtype, trainable=not stored.is_buffer)
        return self.builder.add_node(operator, label=label, frozen=stored.is_frozen)[0]

    def _take_from_parent(self, node: Node) -> Value | tuple[Value | None, ...] | None:
        assert self.parent is not None
        try:
            outer = self.parent.get_value(node)
        except UnknownValue:
            return None
        if isinstance(outer, tuple):
            raise ImportRefused("it is given several tensors that a module around it made")
        # Two nodes may have one value in the graph around. One input is enough for both.
        for taken, (before, inner) in self.captured.items():
            if before is outer and not is_separate(taken) and not is_separate(node):
                return inner
        inner = self.builder.add_input(outer.type, outer.name)
        self.captured[node] = outer, inner
        return inner

    # --- modules that are called several times -------------------------------------------------------------------------------

    def get_shared_module(self, call: ModuleCall) -> SharedModule:
        """Return the shared module in this graph, which declares it or gets it from the graph around."""
        if call.path not in self.modules:
            home = self.model.keys.shared[call]
            module = SharedModule(home.relative_key(call.path), self.model.span)
            self.modules[call.path] = module
            if home is self.call:
                self.builder.graph.declares.append(module)
            else:
                self.builder.graph.modules.append(module)
                self.borrowed.append(call)
        return self.modules[call.path]


def find_unread(nodes: Collection[Node], stored: Collection[Node]) -> frozenset[Node]:
    """Find the nodes that no result depends on.

    A module may keep a histogram in an attribute: `self.perplexity = torch.histc(...)`. Nodes that change something, check something or
    read a parameter are not among them, since the keys of all parameters stay. `stored` are the parameters and buffers.
    """
    unread: set[Node] = set()
    ordered = next(iter(nodes)).graph.nodes if nodes else ()
    # In reverse, so that all users of a node are decided before the node.
    for node in reversed(list(ordered)):
        if _has_no_effect(node) and unread.issuperset(node.users) and not any(operand in stored for operand in node.all_input_nodes):
            unread.add(node)
    return frozenset(unread)


def _has_no_effect(node: Node) -> bool:
    """Return whether the node only computes results."""
    if node.target is getitem:
        return True
    if is_operator(node) and operator_name(node) == "_assert_tensor_metadata":
        return True  # torch.export adds it to each conversion such as `.float()`, and nothing of it is imported
    return is_operator(node) and not is_in_place(node) and not node.is_impure(impure_random=False)
