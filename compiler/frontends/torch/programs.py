"""Reads an exported program as a typed graph.

The steps, in `read_graph`: inline regions, decompose operators without a reader, rewrite in-place changes, name the symbolic sizes, group
the nodes by module calls, decide where parameters belong, fold constants, then read call by call.

In: an `ExportedProgram`, and the names of the axes of its inputs. Out: an `Imported`. Always: its weights have the keys of the program.
Tensors that nothing reads are left out, with a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Node
from torch.utils._pytree import tree_flatten_with_path, tree_leaves

from netc.dsl.record import Record, replace

from ...analysis.state_dict import collect_parameters
from ...dims import Condition, declare_dims
from ...ir.graph import Graph, Program
from ...ir.graph_values import Value
from ...ir.verify import verify_program
from ...ir.walk import collect_graphs
from ...types.numpy_types import Array, numpy_dtype, to_array
from ...types.tensor_types import BATCH, TensorType
from ..graph_builder import ImportRefused, make_empty_span
from ..imported_model import Imported, ImportFailed, Obstacle
from ..tidying.dead_code import count_operators, remove_dead_code
from . import aten as _aten  # noqa: F401  # registers the readers
from .buffer_changes import describe_changes, find_frozen_statistics, find_step_counters, find_unheld_changes
from .call_scope import ModelContext, UnknownValue
from .capture_output import silence_output
from .constant_folding import ConstantFolder
from .decompositions import decompose_operators
from .export_errors import MULTIPLES
from .filled_memory import is_filled
from .flat_nodes import flatten_regions
from .gradient_stops import detach_regions, find_gradient_stops, remove_needless_detaches
from .guard_conditions import collect_guard_conditions
from .io_names import make_input_name, make_output_names
from .keys import KeyPlacement, find_all_keys
from .mask_positions import rewrite_mask_positions
from .masked_parts import rewrite_masked_parts
from .module_calls import CallTree
from .node_targets import is_empty, to_dtype, to_real_parts
from .out_arguments import rewrite_out_arguments
from .placeholders import find_constants, find_stored_tensors, find_user_inputs, name_symbols
from .reader import CallReader
from .separate_arguments import separate_arguments
from .size_guards import find_compared_sizes
from .sympy_sizes import SizeConverter, collect_asserted_conditions, collect_compared_conditions, collect_range_conditions
from .traced_regions import trace_transforms
from .two_modes import merge_modes
from .view_changes import rewrite_view_changes

_LABEL = re.compile(r"(?:\w[\w-]*(?:\.\w[\w-]*)*)?", re.ASCII)
_UNREACHED = "is read outside of the module that has it, where a spec cannot reach it"
# torch.export adds these checks of sizes and types. They compute nothing.
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
    """Read an exported program as a typed graph.

    `axes` are the names of the symbolic axes of its inputs in order, or None. `aliases` maps the paths of modules that have several to all
    of them. `training` is the program of the module in training, if the graph shall have both modes. `stated` are conditions that the user
    stated. `read_source`: the code of the module runs in this process, so its files may be read for names.
    """
    guards = [condition for source in (program, training) if source is not None for condition in _collect_conditions(source, axes)]
    conditions = list({str(condition): condition for condition in (*stated, *guards)}.values())
    unstated: tuple[str, ...] = ()
    if axes is None:
        # A program in a file has its guards as texts alone.
        recorded = collect_guard_conditions(program, name_symbols(find_user_inputs(program), axes), conditions)
        conditions = list(recorded.conditions)
        unstated = recorded.notes
    program = _trace_transforms(program)
    training = None if training is None else _trace_transforms(training)
    frozen = frozenset() if training is None else find_frozen_statistics(training)
    reading = _ProgramReader(name, axes, aliases, conditions, frozen, tuple(map(str, stated)), read_source, unstated=unstated)
    # A shared module gives the shorter text, so it is tried first. Sharing its layers instead is correct even if its calls differ.
    apart = replace(reading, apart=True) if reading.has_differing_calls(program) else None
    try:
        imported = reading.import_program(program, training)
    except ImportFailed as failed:
        if apart is None:
            raise
        try:
            return apart.import_program(program, training)
        except ImportFailed:
            raise failed from None
    return imported if apart is None else replace(imported, otherwise=partial(apart.import_program, program, training))


def _trace_transforms(program: ExportedProgram) -> ExportedProgram:
    try:
        with silence_output():
            return trace_transforms(program)
    except Exception as error:  # PyTorch's kernels and rules for tensors without numbers run, and raise whatever they do
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        why = f"cannot write out the regions of `torch.vmap` and `torch.autocast`: {reason}"
        raise ImportFailed((Obstacle("torch.export", why, "", "leave them out of `forward`"),)) from error


class _ProgramReader(Record):
    """The settings for reading the programs of one module."""

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
    unstated: tuple[str, ...] = ()
    """Notes about guards that no condition states."""

    def import_program(self, program: ExportedProgram, training: ExportedProgram | None) -> Imported:
        evaluation, notes = self.read_graph(program)
        if training is not None:
            try:
                learning, _ = self.read_graph(training, train=True)
            except ImportFailed as failed:
                raise failed.mark_training() from None
            evaluation = Program(
                merge_modes(learning.main, evaluation.main), evaluation.facts, evaluation.symbols, evaluation.conditions, evaluation.dims
            )
            verify_program(evaluation)
        return replace(_collect_weights(evaluation, program, (*self.unstated, *notes)), widened=True, stated=self.stated)

    def has_differing_calls(self, program: ExportedProgram) -> bool:
        """Return whether two calls of a module compute differently."""
        nodes, _ = _prepare_nodes(program, self.aliases)
        tree = CallTree(_select_body(nodes), self.name, self.aliases)
        return bool(KeyPlacement(tree, find_stored_tensors(program)).differing)

    def read_graph(self, program: ExportedProgram, *, train: bool = False) -> tuple[Program, tuple[str, ...]]:
        """Read one program. Returns it with notes for the user. Raises `ImportFailed`."""
        nodes, lost_views = _prepare_nodes(program, self.aliases)
        inputs = find_user_inputs(program)
        names = name_symbols(inputs, self.axes)
        symbols = tuple(dict.fromkeys((BATCH, *(axis.name for axis in names.values()))))
        declared = declare_dims(symbols, self.conditions, {})
        counting = find_step_counters(program, nodes) if train else set[Node]()
        body = [node for node in _select_body(nodes) if node not in counting]
        tree = CallTree(body, self.name, self.aliases)
        keys, constants = KeyPlacement(tree, find_stored_tensors(program), apart=self.apart), ConstantFolder(body, *find_constants(program))
        sizes = SizeConverter(names, declared.dims)
        frozen = {node for node, stored in keys.stored.items() if not self.frozen.isdisjoint(stored.keys)}
        reader = ModelContext(
            tree,
            keys,
            constants,
            sizes,
            declared.facts,
            make_empty_span(self.name),
            train,
            frozen,
            lost_views,
            find_gradient_stops(program),
            read_source=self.read_source,
        )
        main = CallReader(reader, tree.root, None)
        _declare_inputs(main, inputs)
        main.read_call()
        main.name_values()
        _read_outputs(main, program, nodes)
        _check_arbitrary(reader, main.builder.graph)
        # All obstacles are collected before the import fails, so that the user sees them at once.
        reader.obstacles += (
            _find_bad_labels(main.builder.graph)
            + _find_divided_modules(main.builder.graph)
            + (find_unheld_changes(program) if train else [])
        )
        if reader.obstacles:
            raise ImportFailed(tuple(reader.obstacles))
        texts = tuple((condition, str(condition)) for condition in self.conditions)
        result = Program(main.builder.graph, declared.facts, symbols, texts, declared.dims)
        verify_program(result)
        return result, (*reader.constants.describe_inexact(), *dict.fromkeys(reader.notes))


def _prepare_nodes(program: ExportedProgram, aliases: Mapping[str, tuple[str, ...]] | None) -> tuple[list[Node], dict[Node, str]]:
    """Inline regions, decompose operators and rewrite in-place changes. Returns the nodes, and the changes that cannot be rewritten."""
    flatten_regions(program.graph_module)
    detach_regions(program.graph_module)
    rewrite_out_arguments(program.graph_module)
    rewrite_mask_positions(program.graph_module)
    rewrite_masked_parts(program.graph_module)
    # PyTorch logs a traceback of an operator that it cannot trace, which the import then reports in a sentence.
    with silence_output():
        decompose_operators(program.graph_module)
        lost_views = rewrite_view_changes(program.graph_module)
    remove_needless_detaches(program)
    separate_arguments(CallTree(_select_body(program.graph_module.graph.nodes), "", aliases))
    return list(program.graph_module.graph.nodes), lost_views


def _collect_conditions(program: ExportedProgram, axes: Sequence[Any] | None) -> list[Condition]:
    names = name_symbols(find_user_inputs(program), axes)
    ranges = collect_range_conditions(program.range_constraints, names)
    compared = collect_compared_conditions(find_compared_sizes(program), names, ranges)
    asserted = [node.args[0] for node in program.graph.nodes if str(node.target).startswith("aten._assert_scalar")]
    values: list[Any] = [node.meta["val"] for node in asserted if isinstance(node, Node)]
    try:
        return [
            *ranges,
            *collect_asserted_conditions([value.node.expr for value in values if isinstance(value, torch.SymBool)], names, ranges),
            *compared,
        ]
    except ImportRefused as refused:
        raise ImportFailed((Obstacle("torch.export", refused.why, ""),)) from None


def _select_body(nodes: Iterable[Node]) -> list[Node]:
    """Select the nodes that compute tensors with elements."""
    return [node for node in nodes if node.op == "call_function" and _makes_tensors(node) and not is_empty(node)]


def _makes_tensors(node: Node) -> bool:
    """Return whether the node makes tensors, rather than sizes or nothing."""
    target: Any = node.target
    if any(str(target).startswith(f"aten.{name}") for name in _SILENT):
        return False
    value = node.meta.get("val")
    return not isinstance(value, torch.SymInt | torch.SymBool | torch.SymFloat | int | float | bool)


def _declare_inputs(main: CallReader, inputs: Sequence[Node | None]) -> None:
    used_names: set[str] = set()
    for node in inputs:
        if node is None:
            continue
        fake = node.meta["val"]
        if is_empty(node):
            raise ImportFailed(
                (Obstacle(f"the input `{node.name}`", "has no elements in the example", "", "give an example with elements"),)
            )
        try:
            shape = tuple(main.model.sizes.to_dim(size) for size in fake.shape)
        except ImportRefused:
            raise ImportFailed((_undeclarable_input(node, fake.shape),)) from None
        try:
            dtype = to_dtype(fake.dtype)
        except ImportRefused:
            why = f"is {str(fake.dtype).removeprefix('torch.')}, which is no element type of netc"
            raise ImportFailed((Obstacle(f"the input `{node.name}`", why, ""),)) from None
        main.env[node] = main.builder.add_input(TensorType(dtype, shape), make_input_name(node.name, used_names))


def _undeclarable_input(node: Node, shape: Sequence[Any]) -> Obstacle:
    """Report an input with a size such as `4*H + 2`.

    torch.export finds this size for `H + -H % 4` if the example has 6: it solves a rounded division as an exact one with the example's
    remainder.
    """
    sizes = " x ".join(str(size) for size in shape)
    why = f"finds that the shape of the input is {sizes} for some s, as the example's sizes leave remainders"
    return Obstacle("torch.export", why, node.name, MULTIPLES)


# --- outputs -----------------------------------------------------------------------------------------------------------------


def _read_outputs(main: CallReader, program: ExportedProgram, nodes: Sequence[Node]) -> None:
    graph = main.builder.graph
    output = next(node for node in nodes if node.op == "output")
    leaves = _flatten_with_paths(_rebuild_output_tree(program, output))
    results = [(path, node) for path, node in leaves if isinstance(node, Node)]
    if constants := [repr(value)[:40] for _, value in leaves if value is not None and not isinstance(value, Node)]:
        listed, are, them = " and ".join(constants), *(("is no tensor", "it") if len(constants) == 1 else ("are no tensors", "them"))
        main.model.notes.append(f"The module also returns {listed}, which {are}: the spec leaves {them} out.")
    for _, node in results:
        if isinstance(fake := node.meta.get("val"), torch.Tensor) and fake.is_complex():
            why = "has complex numbers, which are no element type of netc"
            main.model.obstacles.append(Obstacle("output", why, "", "return `torch.view_as_real` of it"))
            continue
        if is_empty(node):
            main.model.obstacles.append(Obstacle("output", "is a tensor without elements, which a spec does not have", "", "leave it out"))
            continue
        try:
            value = main.get_value(node)
        except UnknownValue:
            continue
        except ImportRefused as refused:
            main.model.report_obstacle(node, refused)
            continue
        assert isinstance(value, Value)
        graph.outputs.append(value)
    graph.output_names = make_output_names([path for path, _ in results], {value.name for value in graph.inputs})
    if not results:
        main.model.obstacles.append(Obstacle("output", "is no tensor", ""))


def _flatten_with_paths(tree: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """List the leaves of a tree with the keys that lead to them. Classes that PyTorch cannot walk by keys are walked by their items."""
    try:
        return tree_flatten_with_path(tree)[0]
    except ValueError:
        if isinstance(tree, Mapping):
            return [((key, *path), leaf) for key, value in tree.items() for path, leaf in _flatten_with_paths(value)]
        return [((number,), leaf) for number, leaf in enumerate(tree_leaves(tree))]


def _rebuild_output_tree(program: ExportedProgram, output: Node) -> Any:
    """Return the model's outputs as a tree with nodes for tensors."""
    flat: Any = output.args[0]
    # torch.export returns changed buffers first, before the outputs of the user.
    mutated = len(flat) - len([spec for spec in program.graph_signature.output_specs if spec.kind.name == "USER_OUTPUT"])
    spec = program.call_spec.out_spec
    return spec.unflatten(list(flat[mutated:])) if spec is not None else list(flat)


# --- weights -----------------------------------------------------------------------------------------------------------------


def _collect_weights(program: Program, source: ExportedProgram, notes: tuple[str, ...]) -> Imported:
    import numpy as np

    state = source.state_dict
    weights: dict[str, Array] = {}
    for name, info in collect_parameters(program).items():
        if name in state:
            weights[name] = to_array(to_real_parts(state[name]))
        else:
            # netc's batch_norm has a step counter as PyTorch's, which a layer without statistics or an older checkpoint lacks.
            weights[name] = np.zeros(info.shape, numpy_dtype(info.dtype))
    unread = [key for key in state if key not in weights]
    names = find_all_keys(unread, state)
    again = [key for key in unread if any(other in weights for other in names[key])]
    alone = [key for key in unread if key not in again]
    notes_on_keys = (
        *_describe_left_out_keys(again, "of a tensor that it has under another name", "of tensors that it has under other names"),
        *_describe_left_out_keys(alone, "that nothing reads", "that nothing reads"),
        *describe_changes(source),
    )
    return Imported(program, weights, (*notes_on_keys, *notes))


def _describe_left_out_keys(keys: Sequence[str], why_one: str, why_several: str) -> tuple[str, ...]:
    """Say which keys the spec lacks, and why: of one key, and of several."""
    if not keys:
        return ()
    some = ", ".join(f"`{key}`" for key in keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
    which = f"the key of the state dict {why_one}" if len(keys) == 1 else f"keys of the state dict {why_several}"
    return (f"The spec leaves out {which}: {some}.",)


def _check_arbitrary(model: ModelContext, main: Graph) -> None:
    """Report tensors with arbitrary contents, as `torch.empty` makes them, if something reads a part that was not overwritten."""
    if not model.arbitrary:
        return
    remove_dead_code(main)
    count_operators(main)
    remaining = {id(value) for graph in collect_graphs(main) for node in graph.nodes for value in node.outputs}
    for node, value in model.arbitrary:
        if id(value) in remaining and not is_filled(node, model.find_values):
            model.report_obstacle(node, ImportRefused("makes a tensor with arbitrary contents, and not all of it is overwritten"))


def _find_divided_modules(main: Graph) -> list[Obstacle]:
    """Find parameters that would have to be declared outside of their module, which has other parameters too."""
    result: list[Obstacle] = []
    for graph in collect_graphs(main):
        labels = {node.label if node.shared is None else node.shared.label for node in graph.nodes}
        for label in sorted(labels):
            parts = label.split(".")
            if any(".".join(parts[:length]) in labels for length in range(1, len(parts))):
                result.append(Obstacle(f"`{label}`", _UNREACHED, "", "read it next to calls of that module, after the first"))
    return result


def _find_bad_labels(main: Graph) -> list[Obstacle]:
    """Find names of modules that cannot be labels."""
    labels = {node.label: None for graph in collect_graphs(main) for node in graph.nodes if not _LABEL.fullmatch(node.label)}
    return [
        Obstacle(f"`{label}`", "cannot be a label: labels have letters, digits, `_` and `-`", "", "rename the module") for label in labels
    ]
