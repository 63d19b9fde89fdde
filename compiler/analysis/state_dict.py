"""List the parameters and buffers of a program by their keys in the state dict.

>>> import netc
>>> list(collect_parameters(netc.compile("input 3 -> dense 2").program).values())
[ParameterInfo(dense1.weight: [2, 3]), ParameterInfo(dense1.bias: [2])]

In: a `Program`. Out: a `ParameterInfo` for each key, without values. Always: every key occurs once, in the order of PyTorch's `state_dict`:
a module's own parameters come before the parameters of its stages, and parameters before buffers. A shared stage counts where it was
declared. Takes time in proportion to the parameters, whatever the number of operators without parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ..ir.graph import CallNode, Graph, OpNode, Program
from ..ir.walk import collect_graphs, join_labels
from ..ops.operator import Init, Operator, ParameterSpec
from ..types.tensor_types import DType, TensorType
from .dependent_parameters import ParameterReference, find_source_parameters


class ParameterInfo(Record):
    """A learned tensor or buffer of a model.

    `name` is the key in the state dict. `tied_to` is the key of the parameter to which this one is tied; that parameter is not tied itself.
    A buffer is not `trainable`, and a tensor that is not `persistent` is not in the state dict. A `frozen` parameter is not trained. `op`
    is the operator with the parameter, at `span`. `follows` is the key of the parameter from whose initial values this one's are computed.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    trainable: bool
    persistent: bool
    init: Init
    span: Span
    op: Operator
    tied_to: str | None = None
    frozen: bool = False
    follows: str | None = None

    @property
    def operator(self) -> str:
        """The operator's name."""
        return self.op.name

    @property
    def numel(self) -> int:
        return prod(self.shape)

    def __repr__(self) -> str:
        kind = " buffer" if not self.trainable else " frozen" if self.frozen else ""
        return f"ParameterInfo({self.name}: {TensorType(self.dtype, self.shape)}{kind})"


def collect_parameters(program: Program, *, transient: bool = False) -> dict[str, ParameterInfo]:
    """Collect everything in the state dict. With `transient`, also the buffers that are not persistent."""
    infos = _ParameterCollector(program.main).collect_all()
    for info in infos.values():
        if info.tied_to is not None:
            end = _resolve_tie(info.tied_to, infos)
            infos[info.name] = replace(info, tied_to=end, frozen=infos[end].frozen)
    return infos if transient else {name: info for name, info in infos.items() if info.persistent}


def count_parameters(infos: Mapping[str, ParameterInfo]) -> int:
    """Count the learned numbers. Tied parameters count once, buffers not at all."""
    return sum(info.numel for info in infos.values() if info.trainable and info.tied_to is None)


def has_learned_parameters(program: Program) -> bool:
    """Whether the program has learned parameters."""
    nodes = (node for graph in collect_graphs(program.main) for node in graph.nodes if isinstance(node, OpNode))
    return any(spec.trainable for node in nodes for spec in node.specs)


def _resolve_tie(name: str, infos: Mapping[str, ParameterInfo]) -> str:
    """The name at the end of a chain of ties."""
    # Two stages tied to each other are an error elsewhere; this loop must end before it is reported.
    seen = {name}
    while (further := infos[name].tied_to) is not None and further not in seen:
        seen.add(further)
        name = further
    return name


class _ParameterCollector:
    def __init__(self, main: Graph) -> None:
        self.main = main
        self.members = _collect_members(main)
        self.specs = {id(n): _sort_specs(n) for members in self.members.values() for n in members if isinstance(n, OpNode)}
        """The sorted specs of each node, by its id. They are sorted once, however often the graph is called."""
        self.followed: dict[int, ParameterReference] = {}
        for graph in collect_graphs(main):
            self.followed |= find_source_parameters(graph)
        self.found: dict[str, ParameterInfo] = {}
        self.visited: set[str] = set()
        """Paths of shared stages that have been visited."""

    def collect_all(self) -> dict[str, ParameterInfo]:
        self._visit_graph(self.main, "", {}, False)
        return self.found

    def _visit_graph(self, graph: Graph, path: str, homes: dict[int, str], frozen: bool) -> None:
        """Visit a graph and the graphs that it calls. The recursion is as deep as blocks nest, which is limited."""
        if graph.declares:
            homes = {**homes, **{id(m): join_labels(path, m.label) for m in graph.declares}}
        for node in self.members[id(graph)]:
            stage_path = homes[id(node.shared)] if node.shared is not None else join_labels(path, node.label)
            if node.shared is not None:
                # A second use of a shared stage has no keys of its own.
                if stage_path in self.visited:
                    continue
                self.visited.add(stage_path)
            if isinstance(node, OpNode):
                self._visit_operator(node, stage_path, path, frozen or node.frozen)
            else:
                self._visit_graph(node.graph, stage_path, _map_modules(node, homes), frozen or node.frozen)

    def _visit_operator(self, node: OpNode, stage_path: str, path: str, frozen: bool) -> None:
        for spec, sizes in self.specs[id(node)]:
            name = join_labels(stage_path, spec.name)
            if name in self.found:
                continue
            tie = node.tie if node.tie is not None and node.tie.name == spec.name else None
            tied_to = None if tie is None else join_labels(join_labels(path, tie.path), tie.target_name)
            is_frozen = frozen and spec.trainable
            info = ParameterInfo(
                name, sizes, spec.dtype, spec.trainable, spec.persistent, spec.init, node.span, node.op, tied_to, is_frozen
            )
            self.found[name] = replace(info, follows=self._source_name(node, path)) if spec.follows is not None else info

    def _source_name(self, node: OpNode, path: str) -> str | None:
        where = self.followed.get(id(node))
        return None if where is None else join_labels(join_labels(path, where.path), where.name)


def _map_modules(node: CallNode, homes: dict[int, str]) -> dict[int, str]:
    if not node.modules:
        return {}
    return {id(inner): homes[id(outer)] for inner, outer in zip(node.graph.modules, node.modules, strict=True)}


def _collect_members(main: Graph) -> dict[int, list[OpNode | CallNode]]:
    """Collect, for every graph, the nodes with parameters somewhere inside. The `param` nodes come first, as the parameters of the module
    itself."""
    # Called graphs come first in `collect_graphs`, so whether a call has parameters is known when its caller's turn
    # comes.
    members: dict[int, list[OpNode | CallNode]] = {}
    for graph in collect_graphs(main):
        first: list[OpNode | CallNode] = []
        inside: list[OpNode | CallNode] = []
        for node in graph.nodes:
            if isinstance(node, CallNode):
                if members[id(node.graph)]:
                    inside.append(node)
            elif node.specs:
                (first if node.specs[0].name == "" else inside).append(node)
        # PyTorch's state dict has the parameters of a module before its buffers.
        first.sort(key=lambda node: isinstance(node, OpNode) and not node.specs[0].trainable)
        members[id(graph)] = first + inside
    return members


def _sort_specs(node: OpNode) -> list[tuple[ParameterSpec, tuple[int, ...]]]:
    """Return the parameters of a node with plain integers as sizes, parameters before buffers."""
    return [(spec, _plain_sizes(spec)) for spec in sorted(node.specs, key=lambda spec: not spec.trainable)]


def _plain_sizes(spec: ParameterSpec) -> tuple[int, ...]:
    return tuple([int(d) if isinstance(d, int) else _refuse_symbolic(spec) for d in spec.shape])


def _refuse_symbolic(spec: ParameterSpec) -> int:
    raise ValueError(f"the size of the parameter {spec.name} depends on the input")
