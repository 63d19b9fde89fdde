"""Keep stages of a float16 or bfloat16 program in float32.

In: a program, and the paths of stages. Out: a program with the same inputs, outputs and keys of the state dict, in which these stages and
their parameters are float32. Always: between two kept stages, a tensor stays float32, also into and out of blocks, so that a number that
float16 cannot hold reaches the stage that makes it small again. Any other stage gets it converted. The states and results of a loop, lists
of tensors, and the outputs of the model keep their types.

>>> import netc
>>> program = netc.compile("input 3 -> dense 8 as a -> relu -> dense 2 as b").in_type("float16").program
>>> main = keep_in_float32(program, ["a"]).main
>>> [(node.label, str(node.outputs[0].type.dtype)) for node in main.nodes]
[('cast1', 'float32'), ('a', 'float32'), ('cast2', 'float16'), ('relu1', 'float16'), ('b', 'float16')]
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from copy import copy

from netc.dsl.record import replace

from ..elaborate.program.casts import Casts
from ..ir.flat_graph import FlatGraph, FlatNode
from ..ir.graph import CallNode, Graph, Node, OpNode, Program
from ..ir.graph_values import Value
from ..ir.replace_values import replace_outputs, set_inputs
from ..ir.walk import join_labels
from ..ops.mode import ByMode
from ..ops.operator import Operator
from ..ops.parameter_of import ParameterOf
from ..ops.shape import Cast
from ..types.tensor_types import FLOAT32, DType


class NoSuchStage(ValueError):
    """A path that is no stage of the program. `known` has the paths of its stages."""

    def __init__(self, path: str, known: tuple[str, ...]) -> None:
        super().__init__(f"the model has no stage `{path}`")
        self.path, self.known = path, known


def keep_in_float32(program: Program, paths: Collection[str]) -> Program:
    """Return the program with some stages in float32.

    Args:
        program: A program in float16 or bfloat16. It does not change.
        paths: The paths of stages, as in the state dict. The path of a block stands for all stages in it. A stage whose parameter is tied
            to a kept one is kept too.

    Raises:
        NoSuchStage: A path is no stage.
    """
    return _make_program(program, _Keeper(_collect_kept(program, paths)))


def _make_program(program: Program, keeper: _Keeper) -> Program:
    main = program.main
    new_main = keeper.convert_graph(main, "", {}, (False,) * len(main.inputs), None)
    return Program(new_main, program.facts, program.symbols, program.conditions, program.dims)


def _collect_kept(program: Program, paths: Collection[str]) -> frozenset[str]:
    """Collect the paths of the operators to keep."""
    items = list(FlatGraph(program.main).iterate_operators())
    known = tuple(dict.fromkeys(item.path for item in items))
    kept: set[str] = set()
    for path in paths:
        inside = {own for own in known if own == path or own.startswith(f"{path}.")}
        if not inside:
            raise NoSuchStage(path, known)
        kept |= inside
    # One tensor has one type, so all stages that use a kept parameter are kept; a chain of ties needs several rounds.
    users = [(item.path, source) for item in items for source in _list_sources(item, known)]
    while True:
        more = {a for pair in users if not kept.isdisjoint(pair) for a in pair} - kept
        if not more:
            return frozenset(kept)
        kept |= more


def _list_sources(item: FlatNode, known: Collection[str]) -> Iterator[str]:
    """Iterate over the paths of the stages whose parameters a stage uses: of a tie, or of `embed.weight`."""
    node = item.node
    if node.tie is not None:
        yield join_labels(item.owner, node.tie.path)
    if isinstance(node.op, ParameterOf):
        key = join_labels(join_labels(item.path if node.shared is not None else item.owner, node.op.path), node.op.parameter)
        yield next((path for path in (key, key.rpartition(".")[0], key.rpartition(".")[0].rpartition(".")[0]) if path in known), key)


def is_half(dtype: DType) -> bool:
    """Whether it is float16 or bfloat16."""
    return dtype.is_float and dtype.size < FLOAT32.size


class _Keeper:
    """Converts the graphs of a program. A graph that is called with the same kept stages inside is converted once."""

    def __init__(self, kept: frozenset[str]) -> None:
        self.kept = kept
        self.casts = Casts()
        self.known: dict[tuple[object, ...], tuple[Graph, Graph]] = {}
        """The converted graphs, each with the original, whose identity is part of the key."""

    def convert_graph(self, graph: Graph, path: str, homes: dict[int, str], wide: tuple[bool, ...], around: Graph | None) -> Graph:
        """Convert a graph whose inputs are float32 where `wide` says so.

        `path` is where it is called, and `homes` has the paths of the shared stages that it gets. `around` is the converted caller.
        """
        inside = frozenset(own[len(path) + 1 :] if path else own for own in self.kept if not path or own.startswith(f"{path}."))
        shared = frozenset(home for home in homes.values() if self.is_kept_inside(home))
        key = (id(graph), inside, shared, wide, id(around) if graph.kind == "scan" else None, path if graph.kind == "scan" else None)
        if key not in self.known:
            self.known[key] = graph, _GraphConversion(self, graph, path, homes, around).convert(wide)
        return self.known[key][1]

    def is_kept_inside(self, path: str) -> bool:
        """Whether the stage is kept, or one inside it."""
        return path in self.kept or any(own.startswith(f"{path}.") for own in self.kept)


class _GraphConversion:
    """The conversion of one graph. `current` has the values of the new graph by the ids of the old ones, where they differ."""

    def __init__(self, keeper: _Keeper, graph: Graph, path: str, homes: dict[int, str], around: Graph | None) -> None:
        self.keeper, self.old, self.path = keeper, graph, path
        self.homes = {**homes, **{id(m): join_labels(path, m.label) for m in graph.declares}}
        # Its nodes are the old ones until the end, so that a cast gets a label that no later node has.
        self.graph = copy(graph)
        self.nodes: list[Node] = []
        if around is not None and graph.around is not None:
            self.graph.around = around
        # A branch of an `if` lists tensors of the graph, which are others now.
        self.graph.choices = []
        self.current: dict[int, Value] = {}
        self.made: dict[tuple[int, DType], Value] = {}

    def convert(self, wide: tuple[bool, ...]) -> Graph:
        graph, old = self.graph, self.old
        graph.inputs = [self._widen_value(value) if is_wide else value for value, is_wide in zip(old.inputs, wide, strict=True)]
        for node in old.nodes:
            self._convert_node(node)
        self._set_outputs()
        graph.nodes = self.nodes
        if graph.count is not None and len({id(n.graph) if isinstance(n, CallNode) else n.label for n in self.nodes[1:]}) > 1:
            graph.count = None  # its iterations are no longer alike
        graph.size = sum(node.graph.size if isinstance(node, CallNode) else 1 for node in graph.nodes)
        return graph

    def _convert_node(self, node: Node) -> None:
        path = self.homes[id(node.shared)] if node.shared is not None else join_labels(self.path, node.label)
        if isinstance(node, CallNode):
            self._convert_call(node, path)
        elif isinstance(node.op, Cast) and node.op.dtype == FLOAT32 and self._is_wide(node.inputs[0]):
            self.current[id(node.outputs[0])] = self._get(node.inputs[0])  # what it would undo has not been done
        elif isinstance(node.op, Cast) and is_half(node.op.dtype) and path in self.keeper.kept:
            self.current[id(node.outputs[0])] = self._cast(self._get(node.inputs[0]), FLOAT32, node)
        elif path in self.keeper.kept or (isinstance(node.op, ByMode) and any(map(self._is_wide, node.inputs))):
            self._keep_operator(node)
        else:
            new_node = copy(node)
            set_inputs(new_node, [self._narrow(value, node) for value in node.inputs])
            self.nodes.append(new_node)

    def _keep_operator(self, node: OpNode) -> None:
        new_node = copy(node)
        inputs = [self._get(value) for value in node.inputs]
        set_inputs(new_node, [self._cast(v, FLOAT32, node) if is_half(v.type.dtype) else v for v in inputs])
        new_node.op = _widen_operator(node.op)
        new_node.specs = tuple(replace(spec, dtype=FLOAT32) if is_half(spec.dtype) else spec for spec in node.specs)
        new_node.outputs = tuple(self._widen_value(v) if is_half(v.type.dtype) else v for v in node.outputs)
        self.nodes.append(new_node)

    def _convert_call(self, node: CallNode, path: str) -> None:
        """Convert a call. Tensors pass its border in float32 only if the body has kept stages, and it is neither a loop nor in a list."""
        modules = {id(inner): self.homes[id(outer)] for inner, outer in zip(node.graph.modules, node.modules, strict=True)}
        has_kept = self.keeper.is_kept_inside(path) or any(map(self.keeper.is_kept_inside, modules.values()))
        listed = {group.at + i for group in node.graph.tuples for i in range(len(group.values))}
        passes = has_kept and node.scan is None
        new_node = copy(node)
        wide = tuple(passes and i not in listed and self._is_wide(v) for i, v in enumerate(node.inputs))
        inputs = [self._get(v) if is_wide else self._narrow(v, node) for v, is_wide in zip(node.inputs, wide, strict=True)]
        set_inputs(new_node, inputs)
        if has_kept:
            new_node.graph = self.keeper.convert_graph(node.graph, path, modules, wide, self.graph)
            types = zip(node.outputs, node.graph.outputs, new_node.graph.outputs, strict=True)
            new_node.outputs = tuple(self._widen_value(v) if old.type.dtype != new.type.dtype else v for v, old, new in types)
        self.nodes.append(new_node)

    def _set_outputs(self) -> None:
        """Return tensors in float32 from a block, and in the type of the model from anything else."""
        graph, old = self.graph, self.old
        returned = len(old.single_outputs) if old.kind not in ("model", "scan") else 0
        single = {id(value) for value in old.outputs[:returned]} - {id(v) for v in old.outputs[returned:]}
        graph.outputs = list(old.outputs)
        results = [*old.outputs, *(old.training_outputs or ())]
        replace_outputs(graph, {id(v): self._get(v) if id(v) in single else self._narrow(v, None) for v in results})

    def _get(self, value: Value) -> Value:
        return self.current.get(id(value), value)

    def _is_wide(self, value: Value) -> bool:
        """Whether it is float32 now, and was not before."""
        return is_half(value.type.dtype) and not is_half(self._get(value).type.dtype)

    def _widen_value(self, value: Value) -> Value:
        new_value = copy(value)
        new_value.type = value.type.with_dtype(FLOAT32)
        self.current[id(value)] = new_value
        return new_value

    def _narrow(self, value: Value, node: Node | None) -> Value:
        """Return the value in its original type."""
        current = self._get(value)
        return current if current.type.dtype == value.type.dtype else self._cast(current, value.type.dtype, node)

    def _cast(self, value: Value, dtype: DType, node: Node | None) -> Value:
        if value.type.dtype == dtype:
            return value
        if (id(value), dtype) not in self.made:
            cast = self.keeper.casts.make_cast(value, dtype, value.span if node is None else node.span, self.graph)
            cast.outputs[0].name = value.name if node is None else ""
            self.nodes.append(cast)
            self.made[id(value), dtype] = cast.outputs[0]
        return self.made[id(value), dtype]


def _widen_operator(op: Operator) -> Operator:
    """Return the operator with float32 where its arguments name the type of the model."""
    half = {name for name, value in op.args.items() if isinstance(value, DType) and is_half(value)}
    return type(op)(**{**op.args, **dict.fromkeys(half, FLOAT32)}) if half else op
