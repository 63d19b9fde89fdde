"""Writes the graph as an ONNX model with the given weights: flat, with every call inlined, unless functions are asked for.

In: a `Program` and arrays by state-dict name. Out: a `ModelProto`, complete or with initializers that are not read yet. Always: inputs,
outputs and initializers have the spec's names, and so have symbolic axes. The same program, arrays and options give the same bytes. Time
and memory grow with the number of operators.

    >>> import netc
    >>> graph = build_model_proto(netc.compile("x = input T; x -> relu").program, {}, "tiny").graph
    >>> [axis.dim_param for axis in graph.input[0].type.tensor_type.shape.dim], graph.node[0].op_type
    (['N', 'T'], 'Relu')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ...analysis.state_dict import collect_parameters
from ...definitions import DefinitionFile, Definitions, MissingDefinition
from ...derivatives import NoClosedForm, expand_gradients
from ...dims.where_conditions import CONDITIONS_KEY, CONDITIONS_SEPARATOR, condition_symbols
from ...errors.target_errors import MissingForm, UnsupportedByTarget
from ...ir.flat_graph import FlatGraph, FlatNode, FlatScan, FlatScanEnd
from ...ir.frames import Frame
from ...ir.graph import OpNode, Program
from ...ir.graph_values import Value
from ...ir.walk import join_labels
from ...ops.differentiation import Gradient
from ...ops.operator import OpInputs
from ...types.numpy_types import Array
from ...types.tensor_types import TensorType
from ...weights.lazy_tensors import StoredTensor
from ..backend import DEFAULT_OPTIONS, GraphOptions
from ..backend_names import OPSET
from .block_functions import DOMAIN, FunctionWriter
from .emitter_site import OnnxEmitSite
from .fusion_barriers import insert_barriers
from .graph_and_tensors import GraphAndTensors
from .messages import GraphProto, ModelProto, TypeProto, ValueInfoProto
from .onnx_builder import GraphBuilder, NameAllocator
from .onnx_emitters import EMITTERS, has_emitter
from .onnx_initializers import Initializers
from .onnx_types import fill_type
from .runtime_profiles import PROFILES
from .runtime_profiles.require_sizes import require_sizes
from .runtime_sizes import OnnxSizes, UnresolvedSymbol
from .unsupported_in_onnx import NotInOpset, UnsupportedInOnnx

if TYPE_CHECKING:
    from .opsets.lowering import ListKernelTypes

PRODUCER = "netc"
_IR_VERSIONS = {17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11, 24: 12, 25: 13}
"""By opset, the version of the format that it came with."""

_DESCRIBED = ("Sum",)
"""Nodes whose results have a shape in an optimized model: the sums before layer normalizations (`optimize.sums`), which in transformers
are the residual connections. With all shapes, ONNX Runtime takes 4 % longer to run Swin, since it reuses memory where it knows that shapes
are equal. With none, it takes a fifth longer to load it. With these, running takes 1 % longer, and loading a twentieth."""


def build_model_proto(
    program: Program, arrays: Mapping[str, Array], name: str, spec_hash: str = "", options: GraphOptions = DEFAULT_OPTIONS
) -> ModelProto:
    """Build the model with all weights in memory, like `build_graph`."""
    return build_graph(program, arrays, name, spec_hash, options).to_proto()


def build_graph(
    program: Program, arrays: Mapping[str, Array], name: str, spec_hash: str = "", options: GraphOptions = DEFAULT_OPTIONS
) -> GraphAndTensors:
    """Build the model. `arrays` are the parameters and buffers by state-dict name, in their own types. Each is read when it is written.

    Raises `UnsupportedInOnnx`, with the node's span, for operators that ONNX cannot express.
    """
    program = _write_gradients_out(program)
    if options.runtime:
        require_sizes(program, PROFILES[options.runtime])
    model = ModelProto(ir_version=_IR_VERSIONS[options.opset], producer_name=PRODUCER)
    model.opset_import.add(domain="", version=options.opset)
    for key, value in (("spec_hash", spec_hash), *_make_condition_metadata(program), *options.metadata):
        model.metadata_props.add(key=key, value=value)
    model.doc_string = dict(options.metadata).get("description", "")
    model.graph.name = name
    writer = _ModelWriter(program, arrays, options)
    graph = GraphAndTensors(model, writer.write_model(model))
    if writer.profile is not None:
        from .runtime_profiles.refuse_limits import refuse_limits  # which imports the onnx package

        refuse_limits(graph.proto, graph.tensors, writer.profile, writer.stages)
    return graph


def _write_gradients_out(program: Program) -> Program:
    try:
        return expand_gradients(program)
    except NoClosedForm as error:
        unsupported = UnsupportedInOnnx(Gradient.name, str(error))
        unsupported.span = error.span
        raise unsupported from None


def _make_condition_metadata(program: Program) -> tuple[tuple[str, str], ...]:
    """Make the metadata entry for the conditions on sizes that are symbols in the file. Empty if there are no such conditions."""
    free = set(program.symbols)
    texts = dict.fromkeys(str(condition) for condition, _ in program.conditions if condition_symbols(condition) <= free)
    return ((CONDITIONS_KEY, CONDITIONS_SEPARATOR.join(texts)),) if texts else ()


def find_kernel_types(device: str) -> ListKernelTypes | None:
    """Return the function that lists the element types of a device's kernels. None for the CPU."""
    if not device:
        return None
    from .kernels.kernel_table import list_kernel_types
    from .kernels.missing_kernels import PROVIDERS
    from .kernels.operator_table import list_operator_types

    return partial(list_kernel_types if device in PROVIDERS else list_operator_types, device)


class _ModelWriter:
    def __init__(self, program: Program, arrays: Mapping[str, Array], options: GraphOptions) -> None:
        main = program.main
        self.program = program
        self.options = options
        self.profile = PROFILES[options.runtime] if options.runtime else None
        self.stages: dict[str, OpNode] = {}
        """The operators of the spec by path, if the graph is for another runtime."""
        self.builder = GraphBuilder()
        if options.opset != OPSET or options.device or self.profile is not None:
            from .opsets.lowering import Lowering

            list_types = find_kernel_types(options.device) if self.profile is None else self.profile.list_kernel_types
            self.builder.lowering = Lowering(self.builder, options.opset, list_types, options.device)
        names = NameAllocator()
        self.inputs = [names.make_unique(v.name or "input") for v in main.inputs]
        self.builder.value_names.reserve_names(self.inputs)
        self.builder.declare_types(self.inputs, [v.type for v in main.inputs])
        self.initializers = Initializers(self.builder, arrays, collect_parameters(program, transient=True))
        wanted = NameAllocator()
        self.outputs = [self.builder.value_names.make_unique(wanted.make_unique(n or "output")) for n in _list_output_names(program)]
        self.sizes = OnnxSizes(self.builder, [(n, v.type) for n, v in zip(self.inputs, main.inputs, strict=True)])
        self.tensors = list(self.inputs)
        """The names of values, by their keys in the flat graph."""
        self.types: list[tuple[str, TensorType]] = []
        self.loops: list[FlatScan] = []
        """The loops that are being written, outermost first."""
        self.definitions = Definitions(program.facts)
        self.given: dict[int, OpInputs] = {}
        """By node, its bound inputs: a graph that is called several times has the same ones."""

    def write_model(self, model: ModelProto) -> dict[str, StoredTensor]:
        """Fill the graph, and return its initializers."""
        graph, optimized = model.graph, self.options.optimize
        produced = self._bind_outputs(self._emit_all(FlatGraph(self.program.main)))
        if optimized:
            from .optimize import optimize_graph  # imported here, because it needs more of NumPy than the playground has

            input_types = {name: v.type for name, v in zip(self.inputs, self.program.main.inputs, strict=True)}
            optimize_graph(self.builder, produced, input_types | dict(self.types))
        # After the optimizer, which may make such neighbors too.
        insert_barriers(self.builder)
        used = self.builder.prune_unused(produced)
        if self.options.functions:
            model.functions.extend(FunctionWriter(self.builder, self.options.opset).write_functions(produced))
            # Constants that moved into functions are no longer initializers of the model.
            used = self.builder.prune_unused(produced)
        if model.functions:
            model.opset_import.add(domain=DOMAIN, version=1)
        self.builder.write_graph(graph)
        types = _TypeWriter()
        for name, value in zip(self.inputs, self.program.main.inputs, strict=True):
            types.write_type(graph.input.add(), name, value.type)
        for name, value in zip(self.outputs, self.program.main.outputs, strict=True):
            types.write_type(graph.output.add(), name, value.type)
        inner = used.difference(produced)
        if optimized:
            inner &= {output for node in self.builder.nodes if node.op_type in _DESCRIBED for output in node.outputs}
        self._describe_inner(graph, types, inner)
        return {name: stored for name, stored in self.builder.stored.items() if name in used}

    def _emit_all(self, flat: FlatGraph) -> list[str]:
        """Write the nodes of a graph, whose inputs are the tensors so far. Return the names of its results."""
        for item in flat:
            match item:
                case FlatNode():
                    self._emit_node(item)
                case FlatScan():
                    self._begin_loop(item)
                case FlatScanEnd():
                    self._end_loop(item)
        return [self.tensors[key] for key in flat.output_keys()]

    def _emit_definition(self, flat_node: FlatNode, inputs: Sequence[str]) -> tuple[str, ...]:
        """Write the definition of an operator in its place. The last node gets the name that a node of the operator's own would have."""
        node, outer = flat_node.node, self.tensors
        self.tensors = list(inputs)
        graph = self.definitions.get_definition(node)
        results = self._emit_all(FlatGraph(graph, flat_node.path, flat_node.frame))
        self.tensors = outer
        return tuple(results)

    def _emit_node(self, flat_node: FlatNode) -> None:
        node = flat_node.node
        self._enter_frame(flat_node.frame)
        bound = self.given.get(id(node))
        if bound is None:
            bound = self.given[id(node)] = node.op.bind_inputs(tuple(v.type for v in node.inputs), self.program.facts)
        if self.profile is not None and not (node.span and isinstance(node.span.file, DefinitionFile)):
            self.stages[flat_node.path] = node
        inputs = tuple([self.tensors[key] for key in flat_node.inputs])
        site = OnnxEmitSite(flat_node, bound, inputs, self.builder, self.sizes, self.initializers)
        try:
            emitted = EMITTERS[type(node.op)](node.op, site) if self._has_form(node) else None
            if emitted is None:
                emitted = self._emit_definition(flat_node, inputs)
        except MissingDefinition:
            kind = type(node.op)
            problem = MissingForm(node.op.name, "ONNX", kind.__name__ if kind.is_plugin() else "", "onnx", kind.has_definition())
            raise UnsupportedByTarget(problem, node.span) from None
        except UnsupportedByTarget as error:
            # An error within a definition is reported at the stage of the spec, with the operators on the way to it.
            if error.span is not None and isinstance(error.span.file, DefinitionFile):
                error.within.append(error.span.file.operator)
                error.span = None
            error.span = error.span or node.span
            raise
        except (UnresolvedSymbol, NotInOpset) as error:
            unsupported = UnsupportedInOnnx(node.op.name, str(error))
            unsupported.span = node.span
            raise unsupported from None
        results = (emitted,) if isinstance(emitted, str) else emitted
        site.name_results(results)
        for value, tensor in zip(node.outputs, results[: len(node.outputs)], strict=True):
            self._record_value(tensor, value)

    def _has_form(self, node: OpNode) -> bool:
        """Whether an emitter writes the operator. Else its definition does."""
        is_written_out = self.profile is not None and node.op.name in self.profile.written_out and type(node.op).has_definition()
        return has_emitter(type(node.op)) and not is_written_out

    def _enter_frame(self, frame: Frame | None) -> None:
        """Make the block current. Nodes in a loop belong to the block of the loop."""
        if not self.loops:
            self.builder.frame = frame

    def _begin_loop(self, item: FlatScan) -> None:
        self._enter_frame(item.frame)
        self.loops.append(item)
        step_inputs = item.node.graph.inputs[: len(item.step_inputs)]
        name = join_labels(item.path, "scan")
        self.tensors += self.builder.begin_loop(name, [f"{name}/{v.name}" for v in step_inputs], [v.type for v in step_inputs])

    def _end_loop(self, item: FlatScanEnd) -> None:
        """Write the loop as a `Scan`."""
        begun = self.loops.pop()
        node, scan = begun.node, begun.node.scan
        assert scan is not None
        body = self.builder.end_loop([self.tensors[key] for key in item.step_outputs], [v.type for v in node.graph.outputs])
        attributes: dict[str, object] = {
            "num_scan_inputs": len(scan.axes),
            "scan_input_axes": scan.axes if any(scan.axes) else None,
            "scan_output_axes": scan.stacked if any(scan.stacked) else None,
            "scan_input_directions": (1,) * len(scan.axes) if scan.reverse else None,
            "scan_output_directions": (1,) * len(scan.stacked) if scan.reverse else None,
        }
        inputs = [self.tensors[key] for key in begun.inputs]
        loop = self.builder.add_loop("Scan", inputs, len(item.outputs), attributes, body)
        for tensor, value in zip(loop.outputs, node.outputs, strict=True):
            self._record_value(tensor, value)

    def _record_value(self, tensor: str, value: Value) -> None:
        # Types are recorded only for values of the main graph: `value_info` describes no values in loops.
        self.tensors.append(tensor)
        if tensor in self.builder.computed and self.builder.is_outermost(tensor):
            self.types.append((tensor, value.type))

    def _bind_outputs(self, tensors: Sequence[str]) -> list[str]:
        """Give the results the names of the outputs. A result that no node computes, or that is an output already, is copied."""
        bound: list[str] = []
        self._enter_frame(None)
        for name, tensor in zip(self.outputs, tensors, strict=True):
            if tensor not in self.builder.computed or tensor in bound:
                place = self.builder.node_names.make_unique(f"{name}/Identity")
                tensor = self.builder.add_node("Identity", place, [tensor], 1, {}).outputs[0]
            self.builder.set_final_name(tensor, name)
            bound.append(tensor)
        return bound

    def _describe_inner(self, graph: GraphProto, types: _TypeWriter, wanted: set[str]) -> None:
        for tensor, type in self.types:
            if tensor in wanted:
                wanted.discard(tensor)
                types.write_type(graph.value_info.add(), self.builder.final_names.get(tensor, tensor), type)


def _list_output_names(program: Program) -> list[str]:
    names = program.main.output_names
    return names if names else ["output"] * len(program.main.outputs)


class _TypeWriter:
    """Writes types. There are few distinct ones, so each is made once and copied."""

    def __init__(self) -> None:
        self._cache: dict[TensorType, TypeProto] = {}

    def write_type(self, info: ValueInfoProto, name: str, type: TensorType) -> None:
        written = self._cache.get(type)
        if written is None:
            written = self._cache[type] = TypeProto()
            fill_type(written, type)
        info.name = name
        info.type.CopyFrom(written)
