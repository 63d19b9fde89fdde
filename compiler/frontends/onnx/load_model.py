"""Imports a whole model: the dimensions of its inputs, its graph, and the conditions on sizes that it turns out to need.

An `Add` of a skip connection after two poolings may need `H % 4 == 0`. The first attempt fails there, and the next one assumes it.

In: a `ModelProto` as it was read. Out: an `Imported` whose program `verify` accepts. Always: where an operator needs a relation between
sizes that the file does not state, the relation becomes a condition of the program, and a note.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from ...dims import Condition, SymDim, WhereCondition, condition_symbols, free_symbols
from ...dims.where_conditions import CONDITIONS_KEY, CONDITIONS_SEPARATOR
from ...ir.graph import Graph, OpNode, Program, has_operator
from ...ir.walk import collect_graphs, find_needed_nodes
from ...ops.constants import ParamOperator
from ...types.tensor_types import BATCH
from ..graph_builder import ImportRefused
from ..imported_model import Imported, ImportFailed, Obstacle
from ..masked_attention import HIDDEN_ROW_NOTE, count_masked_attentions
from . import ops as _ops
from .dequantize import dequantize_model
from .emitter import Emitter
from .importer import Importer
from .input_dimensions import InputAxis, InputDimensions, parse_condition, parse_stated_condition
from .module_graphs import nest_modules
from .norm_affine import fold_affine
from .onnx_files import Unreadable, require_known_versions, require_text
from .onnx_patterns import fold_patterns
from .quantized_graphs import refuse_quantized
from .runtime_loops import collect_bodies, collect_operators

ATTEMPTS = 24
PRODUCER = "netc"
"""The producer whose metadata contains the conditions on sizes."""
MOST_STATED = 4096
"""The largest number of characters of these conditions that are read. The file may be anybody's, and each condition slows every proof
about sizes down."""
assert _ops


def load_model(model: onnx.ModelProto, folder: Path | None, fixed: Mapping[str, object], *, dequantize: bool) -> Imported:
    """Import a model. Raises `ImportFailed`."""
    try:
        # Checked before anything else, because names become keys and parts of messages.
        require_text(model)
        require_known_versions(model)
    except Unreadable as error:
        raise ImportFailed((Obstacle("the file", str(error), ""),)) from None
    notes: tuple[str, ...] = ()
    if dequantize:
        model, notes = dequantize_model(model, folder)
    else:
        refuse_quantized(model)
    stated = _stated_conditions(model, InputDimensions(_read_shapes(model, fixed), fixed, ()))
    importer, conditions = _try_imports(model, folder, fixed, stated, simplest=True)
    # Where the simplest conditions do not lead to a model, the conditions that the operators named are tried.
    if importer.obstacles and conditions:
        again, others = _try_imports(model, folder, fixed, stated, simplest=False)
        importer, conditions = (importer, conditions) if again.obstacles else (again, others)
    dimensions = importer.dimensions
    importer.obstacles += [_make_broken_condition(condition) for condition in dimensions.declared.contradictions if condition in stated]
    _check_fixed(model, dimensions, fixed, importer.obstacles)
    _check_ports(importer)
    if importer.obstacles:
        raise ImportFailed(tuple(importer.obstacles))
    return _finish_import(importer, stated, conditions, notes)


def _make_broken_condition(condition: WhereCondition) -> Obstacle:
    return Obstacle("the file", f"states `{condition}`, which cannot hold for these sizes", "its metadata")


def _try_imports(
    model: onnx.ModelProto, folder: Path | None, fixed: Mapping[str, object], stated: Sequence[WhereCondition], *, simplest: bool
) -> tuple[Importer, list[tuple[Condition, str]]]:
    """Import again and again, with the conditions that earlier attempts needed. `stated` are the file's own conditions."""
    conditions: list[tuple[Condition, str]] = []
    while True:
        dimensions = InputDimensions(_read_shapes(model, fixed), fixed, [*stated, *(c for c, _ in conditions)])
        importer = Importer(model, folder, dimensions, fixed, simplest=simplest)
        _run_importer(importer)
        further = _find_new_conditions(importer, {*map(str, stated), *(text for _, text in conditions)})
        # Each attempt adds one condition. Conditions that contradict each other lead nowhere.
        if not further or dimensions.declared.contradictions or len(conditions) == ATTEMPTS:
            return importer, conditions
        conditions += further


def _stated_conditions(model: onnx.ModelProto, dimensions: InputDimensions) -> list[WhereCondition]:
    """Return the conditions that netc wrote into the metadata, as far as they are about sizes of the inputs."""
    texts = [entry.value for entry in model.metadata_props if entry.key == CONDITIONS_KEY and model.producer_name == PRODUCER]
    parts = [text for text_of_entry in texts for text in text_of_entry[:MOST_STATED].split(CONDITIONS_SEPARATOR)]
    parsed = [parse_stated_condition(text) for text in parts]
    return [condition for condition in parsed if condition is not None and condition_symbols(condition) <= set(dimensions.symbols)]


def _run_importer(importer: Importer) -> None:
    try:
        importer.import_graph()
    except ImportRefused as refused:
        importer.obstacles.append(Obstacle("the graph", refused.why, importer.model.graph.name, refused.help))


def _find_new_conditions(importer: Importer, known: set[str]) -> list[tuple[Condition, str]]:
    """Return the first condition that was needed and is not stated yet. Others may follow from it."""
    for text in importer.wanted:
        condition = parse_condition(text)
        if condition is not None and str(condition) not in known:
            return [(condition, str(condition))]
    return []


def _read_shapes(model: onnx.ModelProto, fixed: Mapping[str, object]) -> dict[str, list[InputAxis]]:
    """Return the axes of the inputs that have no initial value."""
    initialized = {i.name for i in model.graph.initializer}
    result: dict[str, list[InputAxis]] = {}
    for info in model.graph.input:
        kind = info.type.tensor_type
        if info.name in initialized or not info.type.HasField("tensor_type") or not kind.HasField("shape"):
            continue
        rank = len(kind.shape.dim)
        result[info.name] = [_read_axis(n, rank, d) for n, d in enumerate(kind.shape.dim)]
    return result


def _read_axis(position: int, rank: int, dim: onnx.TensorShapeProto.Dimension) -> InputAxis:
    # Some exporters write -1 for an unknown size.
    size = dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None
    text = dim.dim_param if dim.HasField("dim_param") else ""
    # Texts such as `?` name nothing.
    return InputAxis(position, rank, size, text if any(c.isalpha() for c in text) else "")


def _check_fixed(model: onnx.ModelProto, dimensions: InputDimensions, fixed: Mapping[str, object], obstacles: list[Obstacle]) -> None:
    inputs = {i.name for i in model.graph.input}
    for name in fixed:
        if name not in inputs and name not in dimensions.used:
            known = ", ".join([*(i.name for i in model.graph.input), *dimensions.names])
            obstacles.append(Obstacle(f"`{name}`", "is no input and no size of the model", "the values given", f"there are {known}"))


def _check_ports(importer: Importer) -> None:
    """Report a graph without inputs or without outputs, which a spec must have."""
    main, name = importer.emit.builder.graph, importer.model.graph.name
    if not importer.model.graph.output:
        importer.obstacles.append(Obstacle("the graph", "has no output", name))
    elif not main.inputs and not importer.obstacles:
        importer.obstacles.append(Obstacle("the graph", "has no input: its outputs are constants", name))


def _finish_import(
    importer: Importer, stated: Sequence[WhereCondition], conditions: Sequence[tuple[Condition, str]], first: Sequence[str]
) -> Imported:
    graph = importer.emit.builder.graph
    written = count_masked_attentions(graph)
    for each in reversed(collect_bodies(graph)):
        _simplify_graph(importer.emit, each)
    kept, notes = _collect_keys(graph), (*first, *_write_notes(importer, conditions))
    if count_masked_attentions(graph) > written:
        notes = (*notes, HIDDEN_ROW_NOTE)
    tensors = _name_stage_tensors(importer.emit)
    graph = nest_modules(graph, importer.emit.scopes, importer.modules.classes) or graph
    for each in collect_graphs(graph):
        if each.kind != "scan":
            _label_operators(each)
    declared = importer.dimensions.declared
    named = [*dict.fromkeys(name for value in graph.inputs for d in value.type.shape for name in sorted(free_symbols(d)))]
    # The batch is the first symbol of every program.
    free = tuple(sorted(named, key=lambda name: name != BATCH))
    known = [condition for condition in map(importer.dimensions.substitute_fixed, stated) if condition_symbols(condition)]
    all_conditions: tuple[tuple[WhereCondition, str], ...] = (*((condition, str(condition)) for condition in known), *conditions)
    program = Program(graph, declared.facts, free, all_conditions, {n: d for n, d in declared.dims.items() if isinstance(d, SymDim)})
    weights = {key: array for key, array in importer.emit.weights.items() if key in kept}
    return Imported(program, weights, notes, tensors)


def _name_stage_tensors(emit: Emitter) -> dict[str, tuple[str, str]]:
    """Return the file's names for the input and the result of each stage with parameters."""
    nodes = [node for node in emit.builder.graph.nodes if isinstance(node, OpNode) and node.specs and node.inputs and node.shared is None]
    names = {node.label: (emit.called.get(id(node.inputs[0]), ""), emit.called.get(id(node.outputs[0]), "")) for node in nodes}
    return {label: pair for label, pair in names.items() if all(pair)}


def _simplify_graph(emit: Emitter, graph: Graph) -> None:
    """Fold written-out operators into one."""
    _prune_graph(graph)
    with emit.emit_into(emit.make_builder(graph)):
        fold_patterns(emit)
        _prune_graph(graph)
        fold_affine(emit)
    _prune_graph(graph)


def _prune_graph(graph: Graph) -> None:
    """Remove nodes and shared modules that no output needs."""
    graph.nodes = find_needed_nodes(graph.nodes, graph.outputs)
    graph.size = sum(1 if isinstance(n, OpNode) else n.graph.size for n in graph.nodes)
    used = {id(n.shared) for n in graph.nodes if n.shared is not None}
    graph.declares = [module for module in graph.declares if id(module) in used]


def _label_operators(graph: Graph) -> None:
    """Label operators without parameters as the language would: `relu1`, `relu2`."""
    nodes = collect_operators(graph)
    used_labels = {node.label for node in (*graph.nodes, *nodes) if node.label}
    counts: dict[str, int] = {}
    for node in nodes:
        if node.label or node.shared is not None or _has_keys(node):
            continue
        while not node.label or node.label in used_labels:
            counts[node.op.name] = counts.get(node.op.name, 0) + 1
            node.label = f"{node.op.name}{counts[node.op.name]}"
        used_labels.add(node.label)


def _has_keys(node: OpNode) -> bool:
    return any(spec.persistent for spec in node.specs)


def _collect_keys(graph: Graph) -> set[str]:
    return {".".join(part for part in (node.label, spec.name) if part) for node in collect_operators(graph) for spec in node.specs}


def _write_notes(importer: Importer, conditions: Sequence[tuple[Condition, str]]) -> tuple[str, ...]:
    notes = [f"The size `{text}` is called {name}." for text, name in importer.dimensions.renamed]
    notes += [f"It is assumed that {text}: an operator needs it." for _, text in conditions]
    notes += dict.fromkeys(importer.emit.notes)
    buffers = [n for n in importer.emit.builder.graph.nodes if has_operator(n, ParamOperator)]
    frozen = [n for n in buffers if not n.op.args["trainable"]]
    if frozen:
        became = "1 constant became a buffer" if len(frozen) == 1 else f"{len(frozen)} constants became buffers"
        notes.append(f"{became}, which training does not change.")
    return tuple(notes)
