"""From an exported program to a typed graph.

In: an `ExportedProgram`, and what the axes of its inputs are called. Out: an `Imported`. Always: the keys of its weights are those of the
program; what the original has and nothing reads is left out, with a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from string import ascii_uppercase
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind
from torch.fx import Node
from torch.utils._pytree import tree_flatten_with_path, tree_leaves

from netc.dsl.record import Record, replace

from ...analysis.parameters import parameters
from ...dims import Condition, declare
from ...ir.elements import Array, array_of, numpy_dtype
from ...ir.graph import Graph, Program
from ...ir.types import BATCH, TensorType
from ...ir.values import Value
from ...ir.verify import verify
from ...ir.walk import graphs
from ..base import Imported, ImportFailed, Obstacle
from ..builder import ImportRefused, nowhere
from ..tidying.dead import count_operators, without_dead
from . import aten as _aten  # noqa: F401  # registers the readers
from .definitions import with_definitions
from .flat import flat_nodes
from .folding import Constants
from .keys import Keys, Stored, keys_of
from .modules import CallTree
from .naming import input_name, output_names
from .operators import dtype_of, is_empty
from .reader import CallReader
from .scope import ModelContext, UnknownValue
from .sizes import Axis, Sizes, axis_of, conditions_of
from .two_modes import both_modes
from .views import is_in_place, same_memory

_LABEL = re.compile(r"(?:\w[\w-]*(?:\.\w[\w-]*)*)?", re.ASCII)
_UNREACHED = "is read outside of the module that has it, where a spec cannot reach it"
_SILENT = ("_assert_tensor_metadata", "_assert_scalar", "sym_constrain_range_for_size", "sym_constrain_range")


def read_program(
    program: ExportedProgram,
    name: str,
    axes: Sequence[Any] | None,
    aliases: Mapping[str, tuple[str, ...]] | None = None,
    training: ExportedProgram | None = None,
    stated: Sequence[Condition] = (),
    *,
    read_source: bool = False,
) -> Imported:
    """The typed graph of an exported program. `axes` are the names of the symbolic axes of its inputs, in order; None: they have none.
    `aliases` has, for the paths of modules that have several, all of them. `training` is what it does in training,
    if the graph is to have that too. `stated` are conditions of the user's. `read_source`: the code of the module runs here, so
    that its files may be read for names."""
    guards = [found for one in (program, training) if one is not None for found in _conditions(one, axes)]
    conditions = list({str(one): one for one in (*stated, *guards)}.values())
    frozen = frozenset() if training is None else _frozen_statistics(training)
    reading = _Reading(name, axes, aliases, conditions, frozen, tuple(map(str, stated)), read_source)
    apart = replace(reading, apart=True) if reading.differ(program) else None
    try:
        found = reading.imported(program, training)
    except ImportFailed as failed:
        if apart is None:
            raise
        try:
            return apart.imported(program, training)
        except ImportFailed:
            raise failed from None
    return found if apart is None else replace(found, otherwise=partial(apart.imported, program, training))


class _Reading(Record):
    """How the programs of one module are read."""

    name: str
    axes: Sequence[Any] | None
    aliases: Mapping[str, tuple[str, ...]] | None
    conditions: list[Condition]
    frozen: frozenset[str]
    """The names of running means that training does not change."""
    stated: tuple[str, ...] = ()
    """The conditions that the user stated, as texts."""
    read_source: bool = False
    apart: bool = False
    """Whether a module whose calls compute differently shares its layers instead of itself."""

    def imported(self, program: ExportedProgram, training: ExportedProgram | None) -> Imported:
        made, notes = self.graph(program)
        if training is not None:
            try:
                learning, _ = self.graph(training, train=True)
            except ImportFailed as failed:
                raise failed.in_training() from None
            made = Program(both_modes(learning.main, made.main), made.facts, made.symbols, made.conditions, made.dims)
            verify(made)
            notes = (*notes, *_detached(training))
        return replace(_with_weights(made, program, notes), widened=True, stated=self.stated)

    def differ(self, program: ExportedProgram) -> bool:
        """Whether two calls of a module compute differently."""
        flat_nodes(program.graph_module)
        tree = CallTree(_body(with_definitions(program.graph_module)), self.name, self.aliases)
        return bool(Keys(tree, _stored(program)).differing)

    def graph(self, program: ExportedProgram, *, train: bool = False) -> tuple[Program, tuple[str, ...]]:
        """The program, and what its user should know of the constants in it. Raises `ImportFailed`."""
        flat_nodes(program.graph_module)
        nodes = with_definitions(program.graph_module)
        inputs = _user_inputs(program)
        names = _symbol_names(inputs, self.axes)
        symbols = tuple(dict.fromkeys((BATCH, *(axis.name for axis in names.values()))))
        declared = declare(symbols, self.conditions, {})
        counting = _counting(program, nodes) if train else set[Node]()
        body = [node for node in _body(nodes) if node not in counting]
        tree = CallTree(body, self.name, self.aliases)
        keys, constants = Keys(tree, _stored(program), apart=self.apart), Constants(body, *_constants(program))
        sizes = Sizes(names, declared.dims)
        frozen = {node for node, stored in keys.stored.items() if not self.frozen.isdisjoint(stored.keys)}
        reader = ModelContext(tree, keys, constants, sizes, declared.facts, nowhere(self.name), train, frozen, read_source=self.read_source)
        main = CallReader(reader, tree.root, None)
        _declare_inputs(main, inputs)
        main.run()
        main.name_values()
        _finish(main, program, nodes)
        _check_arbitrary(reader, main.builder.graph)
        reader.obstacles += _bad_labels(main.builder.graph) + _divided(main.builder.graph) + (_unheld(program) if train else [])
        if reader.obstacles:
            raise ImportFailed(tuple(reader.obstacles))
        texts = tuple((condition, str(condition)) for condition in self.conditions)
        made = Program(main.builder.graph, declared.facts, symbols, texts, declared.dims)
        verify(made)
        return made, (*reader.constants.notes(), *dict.fromkeys(reader.notes))


def _conditions(program: ExportedProgram, axes: Sequence[Any] | None) -> list[Condition]:
    return conditions_of(program.range_constraints, _symbol_names(_user_inputs(program), axes))


def _frozen_statistics(program: ExportedProgram) -> frozenset[str]:
    """The running means of batch normalisations that are in evaluation while the model is in training."""
    return frozenset(key for node, key in _running_means(program, flat_nodes(program.graph_module)) if not node.args[5])


def _running_means(program: ExportedProgram, nodes: Iterable[Node]) -> list[tuple[Node, str]]:
    """The batch normalisations whose running mean is of the module's state, and its name there. Others have a constant, or what they are
    given."""
    keys = {**program.graph_signature.inputs_to_buffers, **program.graph_signature.inputs_to_parameters}
    calls = [node for node in nodes if str(node.target) == "aten.batch_norm.default"]
    means = [(node, node.args[3]) for node in calls]
    return [(node, keys[mean.name]) for node, mean in means if isinstance(mean, Node) and mean.name in keys]


def _detached(program: ExportedProgram) -> list[str]:
    """What users should know of tensors that the module takes out of the computation of gradients."""
    nodes = [node for node in flat_nodes(program.graph_module) if str(node.target) == "aten.detach.default"]
    count = sum(node.meta["val"].is_floating_point() for node in nodes)
    advice = "The spec does not: to train it, add `-> detach` to them."
    return [f"The module detaches {count} tensor{'s' if count > 1 else ''}. {advice}"] if count else []


def _counting(program: ExportedProgram, nodes: Sequence[Node]) -> set[Node]:
    """The nodes that do nothing but count a step, as each batch normalisation does for each of its calls: the operator does it here."""
    found = _placeholders(program)
    specs = program.graph_signature.input_specs
    counters = {found[spec.arg.name] for spec in specs if (spec.target or "").endswith("num_batches_tracked") and spec.arg.name in found}
    for node in nodes:
        if is_in_place(node) and node.args[0] in counters:
            counters.add(node)
    return counters


def _body(nodes: Iterable[Node]) -> list[Node]:
    """The nodes that compute tensors with elements."""
    return [node for node in nodes if node.op == "call_function" and _computes(node) and not is_empty(node)]


def _computes(node: Node) -> bool:
    """Whether it makes tensors, rather than sizes or nothing."""
    target: Any = node.target
    if any(str(target).startswith(f"aten.{name}") for name in _SILENT):
        return False
    value = node.meta.get("val")
    return not isinstance(value, torch.SymInt | torch.SymBool | torch.SymFloat | int | float | bool)


# --- inputs ------------------------------------------------------------------------------------------------------------------


def _placeholders(program: ExportedProgram) -> dict[str, Node]:
    return {node.name: node for node in program.graph.nodes if node.op == "placeholder"}


def _user_inputs(program: ExportedProgram) -> list[Node | None]:
    """The inputs of the caller, in order; None for those that are no tensors."""
    found = _placeholders(program)
    specs = [spec for spec in program.graph_signature.input_specs if spec.kind == InputKind.USER_INPUT]
    nodes = [found.get(getattr(spec.arg, "name", "")) for spec in specs]
    return [node if node is not None and isinstance(node.meta.get("val"), torch.Tensor) else None for node in nodes]


def _symbol_names(inputs: Sequence[Node | None], axes: Sequence[Any] | None) -> dict[str, Axis]:
    """What each symbol of torch.export is."""
    found: dict[str, Axis] = {}
    tables = _flat_axes(axes) if axes is not None else [None] * len(inputs)
    for node, table in zip(inputs, tables, strict=True):
        if node is None:
            continue
        for axis, size in enumerate(node.meta["val"].shape):
            symbol_of = axis_of(size.node.expr) if isinstance(size, torch.SymInt) else None
            if symbol_of is not None and symbol_of[0] not in found:
                taken = {one.name for one in found.values()}
                given = (table or {}).get(axis)
                found[symbol_of[0]] = Axis(given or (BATCH if axis == 0 and BATCH not in taken else _next(taken)), symbol_of[1])
    return found


def _next(taken: set[str]) -> str:
    return next(letter for letter in ascii_uppercase if letter != BATCH and letter not in taken)


def _flat_axes(axes: Any) -> list[Any]:
    """One table for each tensor or other argument, in the order of the inputs."""
    if isinstance(axes, dict) and all(isinstance(key, int) for key in axes):
        return [axes]
    if isinstance(axes, dict):
        return [table for inner in axes.values() for table in _flat_axes(inner)]
    if isinstance(axes, list | tuple):
        return [table for inner in axes for table in _flat_axes(inner)]
    return [None]


def _declare_inputs(main: CallReader, inputs: Sequence[Node | None]) -> None:
    taken: set[str] = set()
    for node in inputs:
        if node is None:
            continue
        fake = node.meta["val"]
        shape = tuple(main.model.sizes.dim(size) for size in fake.shape)
        main.env[node] = main.builder.input(TensorType(dtype_of(fake.dtype), shape), input_name(node.name, taken))


# --- parameters and constants ------------------------------------------------------------------------------------------------


def _stored(program: ExportedProgram) -> dict[Node, Stored]:
    """What of the state dict the program reads."""
    found = _placeholders(program)
    state = program.state_dict
    nodes: dict[Node, Stored] = {}
    keys = keys_of(list(state), state)
    for spec in program.graph_signature.input_specs:
        key = spec.target
        if key in state and spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
            tensor = state[key]
            is_buffer = spec.kind == InputKind.BUFFER
            nodes[found[spec.arg.name]] = Stored(keys[key], tensor, not is_buffer and tensor.requires_grad, is_buffer)
    return nodes


def _constants(program: ExportedProgram) -> tuple[dict[Node, torch.Tensor], dict[Node, str]]:
    """The tensors that are no part of the state dict, and the names of those that are buffers."""
    found = _placeholders(program)
    targets = {found[spec.arg.name]: spec.target or "" for spec in program.graph_signature.input_specs if spec.arg.name in found}
    values = {node: program.constants.get(target) for node, target in targets.items()}
    names = {node: target.rpartition(".")[2] for node, target in targets.items() if not target.startswith("lifted")}
    return {node: value for node, value in values.items() if isinstance(value, torch.Tensor)}, names


# --- outputs -----------------------------------------------------------------------------------------------------------------


def _finish(main: CallReader, program: ExportedProgram, nodes: Sequence[Node]) -> None:
    graph = main.builder.graph
    output = next(node for node in nodes if node.op == "output")
    results = [(path, node) for path, node in _paths(_tree(program, output)) if isinstance(node, Node)]
    for _, node in results:
        try:
            value = main.value(node)
        except UnknownValue:
            continue
        except ImportRefused as refused:
            main.model.report(node, refused)
            continue
        assert isinstance(value, Value)
        graph.outputs.append(value)
    graph.output_names = output_names([path for path, _ in results], {value.name for value in graph.inputs})
    if not results:
        main.model.obstacles.append(Obstacle("output", "is no tensor", ""))


def _paths(tree: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves, each with the keys that lead to it; by their items for mappings of classes that do not say how."""
    try:
        return tree_flatten_with_path(tree)[0]
    except ValueError:
        if isinstance(tree, Mapping):
            return [((key, *path), leaf) for key, value in tree.items() for path, leaf in _paths(value)]
        return [((at,), leaf) for at, leaf in enumerate(tree_leaves(tree))]


def _tree(program: ExportedProgram, output: Node) -> Any:
    """What the model returns, with nodes for tensors."""
    flat: Any = output.args[0]
    mutated = len(flat) - len([spec for spec in program.graph_signature.output_specs if spec.kind.name == "USER_OUTPUT"])
    spec = program.call_spec.out_spec
    return spec.unflatten(list(flat[mutated:])) if spec is not None else list(flat)


# --- weights -----------------------------------------------------------------------------------------------------------------


def _with_weights(program: Program, source: ExportedProgram, notes: tuple[str, ...]) -> Imported:
    import numpy as np

    state = source.state_dict
    weights: dict[str, Array] = {}
    for name, info in parameters(program).items():
        if name in state:
            weights[name] = array_of(state[name])
        else:
            weights[name] = np.zeros(info.shape, numpy_dtype(info.dtype))
    unread = [key for key in state if key not in weights]
    names = keys_of(unread, state)
    again = [key for key in unread if any(other in weights for other in names[key])]
    alone = [key for key in unread if key not in again]
    left = (*_note(again, "are other names of tensors that it has"), *_note(alone, "are read by nothing"), *_changed(source))
    return Imported(program, weights, (*left, *notes))


def _changed(source: ExportedProgram) -> tuple[str, ...]:
    """What of its state the module changes when it runs, which a spec does not."""
    changed = sorted(_changes(source))
    if not changed:
        return ()
    some = ", ".join(f"`{key}`" for key in changed[:5]) + (", ..." if len(changed) > 5 else "")
    return (f"The module changes buffers when it runs, here they stay as they are: {some}.",)


def _changes(source: ExportedProgram) -> dict[str, str]:
    """The buffers that operators in place change, and the first operator that does."""
    buffers = source.graph_signature.inputs_to_buffers
    found: dict[str, str] = {}
    for node in source.graph.nodes:
        target = node.args[0] if is_in_place(node) else None
        if isinstance(target, Node) and target.name in buffers:
            found.setdefault(buffers[target.name], str(node.target))
    return found


def _unheld(source: ExportedProgram) -> list[Obstacle]:
    """What a step of training changes by code of the module's own, or by layers whose results nothing reads."""
    why = "is changed by {}, and a spec changes only the statistics of `batch_norm`"
    changed = {key: why.format(name) for key, name in _changes(source).items() if not key.endswith("num_batches_tracked")}
    changed |= dict.fromkeys(_changed_alone(source), "is all that is read of a call of its layer, and a spec computes only what is read")
    return [Obstacle(f"`{key}`", text, key.rpartition(".")[0], "import it as it is in evaluation") for key, text in changed.items()]


def _changed_alone(source: ExportedProgram) -> list[str]:
    """The running means of batch normalisations whose results nothing reads, in some call."""
    read: set[Node] = set()
    for node in reversed(source.graph.nodes):
        names_of_it = (node, *same_memory(node)) if is_in_place(node) else (node,)
        if node.op == "output" or any(not read.isdisjoint(one.users) for one in names_of_it):
            read.add(node)
    return [key for node, key in _running_means(source, source.graph.nodes) if node.args[5] and node not in read]


def _note(keys: Sequence[str], why: str) -> tuple[str, ...]:
    if not keys:
        return ()
    some = ", ".join(f"`{key}`" for key in keys[:5]) + (", ..." if len(keys) > 5 else "")
    return (f"{len(keys)} keys of the state dict {why}, and are left out: {some}.",)


def _check_arbitrary(model: ModelContext, main: Graph) -> None:
    """Reports tensors with arbitrary contents, as of `torch.empty`, of which an unwritten part is read."""
    if not model.arbitrary:
        return
    without_dead(main)
    count_operators(main)
    left = {id(value) for graph in graphs(main) for node in graph.nodes for value in node.outputs}
    for node, value in model.arbitrary:
        if id(value) in left:
            model.report(node, ImportRefused("makes a tensor with arbitrary contents, and not all of it is overwritten"))


def _divided(main: Graph) -> list[Obstacle]:
    """Parameters that would have to be declared around the module that has them, which has others too."""
    found: list[Obstacle] = []
    for graph in graphs(main):
        labels = {node.label if node.shared is None else node.shared.label for node in graph.nodes}
        for label in sorted(labels):
            parts = label.split(".")
            if any(".".join(parts[:length]) in labels for length in range(1, len(parts))):
                found.append(Obstacle(f"`{label}`", _UNREACHED, "", "read it next to calls of that module, after the first"))
    return found


def _bad_labels(main: Graph) -> list[Obstacle]:
    """Names of modules that cannot be labels."""
    labels = {node.label: None for graph in graphs(main) for node in graph.nodes if not _LABEL.fullmatch(node.label)}
    return [
        Obstacle(f"`{label}`", "cannot be a label: labels have letters, digits, `_` and `-`", "", "rename the module") for label in labels
    ]
