"""Imports an ONNX graph into a typed graph, node by node.

Each node is tried in this order: the file's own function, a constant, control flow, constant folding, shape folding, the importer of its
operator, and at last the operator's definition in the ONNX standard.

In: a model, and values that are fixed. Out: the emitted graph, and all obstacles. Always: nodes that the outputs do not need are not looked
at. An obstacle breaks only the nodes that depend on it, so one run finds all obstacles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ...errors.operator_errors import Unprovable, UnprovableMultiple
from ...ir.graph_values import Value
from ...onnx_standard.standard_functions import bind_attributes, find_function
from ...types.numpy_types import Array
from ..graph_builder import ImportRefused
from ..imported_model import Obstacle
from .control import AlreadyAnObstacle, ControlFlow, suggest_sizes_to_fix
from .defaults import is_default
from .derived_weights import derive_weight, is_of_weights, make_initializer
from .emitter import Emitter
from .float_forms import FORMS
from .fold import fold_node
from .graph_inputs import make_input
from .importer_site import Attributes, OnnxSite, materialize
from .importer_table import REASONS, STANDARD, TABLE, make_key
from .input_dimensions import InputDimensions, guess_conditions
from .module_paths import ModulePaths
from .name_uses import NameUses
from .node_order import order_needed_nodes
from .onnx_files import Unreadable, read_attributes, read_tensor
from .onnx_names import IdentifierMaker
from .onnx_values import BROKEN, Broken, Filled, Item, Known, make_type_proto, sizes_or_known, to_objects
from .quantized_graphs import WHY as QUANTIZED
from .scopes import NameScope
from .shape_folding import fold_shapes
from .sparse_tensors import read_numbers

DEEPEST = 24
"""The greatest nesting depth of branches and functions."""
_MALFORMED = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""The exceptions of importers and NumPy for a node that breaks the definition of its operator."""
CONTROL = ("If", "Scan", "Loop")
MOST = 200_000
"""The largest number of imported nodes. Nodes of functions count at each use."""
MOST_FOLDED = 2**29
"""The largest number of bytes of constants that an import computes. Files with large constants may compute eight times as much."""


class Importer:
    """One attempt to import a model, under the conditions on sizes that earlier attempts were found to need."""

    def __init__(
        self, model: onnx.ModelProto, folder: Path | None, dimensions: InputDimensions, fixed: Mapping[str, object], *, simplest: bool
    ) -> None:
        self.model, self.folder = model, folder
        self.simplest = simplest
        """Whether conditions without divisions are wanted first."""
        self.dimensions = dimensions
        self.fixed = fixed
        self.versions = {"" if o.domain in STANDARD else o.domain: o.version for o in model.opset_import}
        self.functions = {(f.domain, f.name): f for f in model.functions}
        self.obstacles: list[Obstacle] = []
        self.wanted: list[str] = []
        """Conditions that would prove what an operator needs."""
        self.emit = Emitter(_make_title(model.graph.name), dimensions.declared.facts)
        self.emit.producer = model.producer_name
        self.modules = ModulePaths()
        self.uses = NameUses()
        self.count = 0
        self.inner_numbers: dict[str, list[Array]] = {}
        """The different initializers of each name that an inner graph has, the outermost graph's first."""
        self.stored = 0
        """The bytes of the file's own constants."""
        self.folded = 0
        """The bytes of the constants that were computed from them."""

    @property
    def version(self) -> int:
        return int(self.versions.get("", 1))

    def import_graph(self) -> None:
        """Import the graph. The results are in `emit` and `obstacles`."""
        graph = self.model.graph
        names = NameScope()
        self.add_initializers(graph, names, is_inner=False)
        self._add_inputs(graph, names)
        self.uses.add_graph(graph)
        self.import_nodes(graph.node, [o.name for o in graph.output], names, 0)
        self._add_outputs(graph, names)

    # --- what the graph begins with ------------------------------------------------------------------------------------------

    def add_initializers(self, graph: onnx.GraphProto, names: NameScope, *, is_inner: bool = True) -> None:
        named = {tensor.name: tensor for tensor in graph.initializer} | {sparse.values.name: sparse for sparse in graph.sparse_initializer}
        for name, tensor in named.items():
            try:
                numbers = read_numbers(tensor, self.folder)
                self.stored += numbers.nbytes
                names[name] = make_initializer(numbers, self._name_inner(name, numbers) if is_inner else name)
            except Unreadable as error:
                self._add_obstacle("the file", str(error), name)
                names[name] = BROKEN

    def _name_inner(self, name: str, numbers: Array) -> str:
        """Name an initializer of an inner graph. Numbers of one name are one weight, and another graph may have others under the name."""
        if name not in self.inner_numbers:
            outer = [tensor for tensor in self.model.graph.initializer if tensor.name == name]
            self.inner_numbers[name] = [read_tensor(tensor, self.folder) for tensor in outer]
        known = self.inner_numbers[name]
        index = next((i for i, other in enumerate(known) if _are_same(other, numbers)), len(known))
        if index == len(known):
            known.append(numbers)
        return f"{name}_{index + 1}" if index else name

    def _add_inputs(self, graph: onnx.GraphProto, names: NameScope) -> None:
        identifiers = IdentifierMaker()
        for info in graph.input:
            # Old files list initializers among the inputs too.
            if info.name in names.items:
                continue
            if not info.type.HasField("tensor_type"):
                self._add_obstacle("an input", f"is no tensor: {info.type.WhichOneof('value') or 'it has no type'}", info.name)
                names[info.name] = BROKEN
                continue
            try:
                names[info.name] = make_input(info, identifiers.make_name, self.dimensions, self.fixed, self.emit)
            except ImportRefused as refused:
                self._add_obstacle("an input", f"cannot be one of netc: {refused.why}", info.name)
                names[info.name] = BROKEN

    def _add_outputs(self, graph: onnx.GraphProto, names: NameScope) -> None:
        identifiers = IdentifierMaker()
        emit = self.emit
        for info in graph.output:
            try:
                item = names[info.name]
                if isinstance(item, Broken):
                    continue
                value = OnnxSite("Identity", [item], {}, self.version, self.emit, (True,)).input()
                # Each output is a tensor of its own: an input, or a tensor that is an output already, passes through an identity.
                if any(value is output for output in emit.builder.graph.outputs) or any(value is i for i in emit.builder.graph.inputs):
                    value = emit.apply_op("identity", value)
            except ImportRefused as refused:
                self._add_obstacle("an output", refused.why, info.name, refused.help)
                continue
            emit.builder.graph.outputs.append(value)
            emit.builder.graph.output_names.append(identifiers.make_name(info.name, "output"))

    # --- nodes ---------------------------------------------------------------------------------------------------------------

    def import_nodes(self, nodes: Sequence[onnx.NodeProto], outputs: Iterable[str], names: NameScope, depth: int) -> None:
        ordered, stuck = order_needed_nodes(nodes, outputs)
        # ONNX requires nodes in the order of computation. Some tools do not keep it, but a cycle has no order.
        for node in stuck:
            self._add_obstacle(node.op_type, "is part of a cycle", _find_location(node))
            for name in node.output:
                names[name] = BROKEN
        for node in ordered:
            self.count += 1
            # Functions that call each other twice can double the nodes at each level.
            if self.count > MOST:
                raise ImportRefused(f"there are more than {MOST} nodes")
            try:
                items = self._import_guarded(node, names, depth)
            except ImportRefused as refused:
                if not isinstance(refused, AlreadyAnObstacle):
                    self._report_refusal(node, refused)
                items = [BROKEN] * len(node.output)
            for name, item in zip(node.output, items, strict=False):
                self._suggest_name(item, name)
                if depth == 0 and isinstance(item, Value):
                    self.emit.called[id(item)] = name
                names[name] = item

    def save_state(self) -> ImporterState:
        """Return the current state, to return to."""
        return ImporterState(self)

    def _report_refusal(self, node: onnx.NodeProto, refused: ImportRefused) -> None:
        problem = _find_problem(refused)
        # An operator may name the condition that it needs. Otherwise, exact divisions are tried.
        advice = refused.condition or getattr(problem, "advice", "")
        wanted = [advice] if advice else []
        if isinstance(problem, Unprovable):
            wanted += guess_conditions(problem.left, problem.right)
        if isinstance(problem, UnprovableMultiple):
            wanted += guess_conditions(problem.by, problem.what)
        # `H % 4 == 0` is easier to read than a condition with divisions, and often implies it.
        self.wanted += sorted(wanted, key=lambda text: "//" in text) if self.simplest else wanted
        self._add_obstacle(
            node.op_type, refused.why, _find_location(node), suggest_sizes_to_fix(self.dimensions) if wanted else refused.help
        )

    def _add_obstacle(self, what: str, why: str, where: str, help: str = "") -> None:
        # Names of an untrusted file may be megabytes long.
        self.obstacles.append(Obstacle(what[:200], why[:2000], where[:200], help))

    def _suggest_name(self, item: Item, name: str) -> None:
        """Name a tensor in the text, if the file's name for it says something."""
        if isinstance(item, Value) and not item.name and len(name) < 40 and name.isidentifier() and not any(c.isdigit() for c in name):
            item.name = IdentifierMaker().make_name(name, "")

    def _import_guarded(self, node: onnx.NodeProto, names: NameScope, depth: int) -> Sequence[Item]:
        """Import a node of an untrusted file, which may have attributes of any type and indices that fit nothing.

        An exception of an importer is reported as an obstacle, so that importers need not check every rule of the standard.
        """
        try:
            return self._import_node(node, names, depth)
        except _MALFORMED as error:
            why = " ".join(str(error).split())[:200]
            raise ImportRefused(f"has attributes or inputs that do not fit it: {why or type(error).__name__}") from error

    def _import_node(self, node: onnx.NodeProto, names: NameScope, depth: int) -> Sequence[Item]:
        # The limit also ends a function that calls itself.
        if depth > DEEPEST:
            raise ImportRefused(f"branches and functions are more than {DEEPEST} deep in each other")
        # A function of the file overrides an operator of the standard with its name.
        function = self.functions.get((node.domain, node.op_type))
        if function is not None:
            return self._import_function(node, function, names, depth)
        domain = make_key(node.domain, node.op_type)
        if node.op_type == "Constant" and node.domain in STANDARD:
            return [self._read_constant(node)]
        if node.op_type in CONTROL and node.domain in STANDARD:
            self.emit.scope = self.modules.find_path(node)
            return ControlFlow(self, node, names, depth).import_node()
        inputs = [names[name] for name in node.input]
        # An operator without a counterpart is reported even if its inputs are broken, so that one run finds all obstacles.
        if any(isinstance(item, Broken) for item in inputs):
            if domain not in TABLE:
                self._refuse_unknown(domain)
            return [BROKEN] * len(node.output)
        self.emit.scope = self.modules.find_path(node)
        before = self.save_state()
        try:
            return self._compute_node(node, domain, inputs, self._find_follower(node, names))
        except ImportRefused as refused:
            before.take_back()
            return self._import_by_definition(node, inputs, names, depth, refused)

    def _import_by_definition(
        self, node: onnx.NodeProto, inputs: Sequence[Item], names: NameScope, depth: int, refused: ImportRefused
    ) -> Sequence[Item]:
        """Import a refused node by its definition in the standard.

        If a condition on sizes would help, the refusal stands: the next attempt states the condition.
        """
        is_standard = node.domain in STANDARD and not _find_problem(refused)
        function = find_function(node, map(make_type_proto, inputs), self.version) if is_standard else None
        if function is None:
            raise refused
        before = self.save_state()
        result = self._import_function(node, function, names, depth)
        # If the definition fails as well, the reason for the operator itself is more useful.
        if len(self.obstacles) > before.obstacles:
            before.take_back()
            raise refused
        return result

    def _find_follower(self, node: onnx.NodeProto, names: NameScope) -> tuple[str, Item]:
        output = node.output[0] if node.output else ""
        taker = self.uses.find_only_reader(output)
        if taker is None or len(taker.input) != 2:
            return "", None
        other = taker.input[1 if taker.input[0] == output else 0]
        return taker.op_type, names.items.get(other)

    def _compute_node(self, node: onnx.NodeProto, domain: str, inputs: list[Item], follows: tuple[str, Item]) -> Sequence[Item]:
        known_inputs = [materialize(item) if isinstance(item, Filled) else item for item in inputs]
        if (
            node.domain in STANDARD
            and known_inputs
            and all(isinstance(item, Known | None) for item in known_inputs)
            and not is_of_weights(node, known_inputs)
        ):
            arrays = [item.array if isinstance(item, Known) else None for item in known_inputs]
            folded = fold_node(node, arrays, self.version)
            if folded is not None:
                self._count_folded(folded)
                # A folded weight keeps its name, so that its key in the spec is the file's.
                return [derive_weight(node, known_inputs, a, n) for n, a in enumerate(folded)]
        used = [self.uses.count_uses(name) > 0 for name in node.output]
        alone = [self.uses.count_uses(name) == 1 for name in node.input]
        site = OnnxSite(node.op_type, inputs, read_attributes(node), self.version, self.emit, used, alone, follows)
        if node.domain in STANDARD:
            if node.op_type in ("Shape", "Size") and isinstance(inputs[0], Value):
                return [_read_shape(site, inputs[0])]
            item = self._fold_shapes(node, site)
            if item is not None:
                return [item]
        if domain not in TABLE:
            self._refuse_unknown(domain)
        results = TABLE[domain](site)
        # An attribute of a newer operator set that nobody read may change the result.
        unknown = [name for name in site.attributes.list_unread() if not is_default(node, name, self.version)]
        if unknown:
            raise ImportRefused(f"has the attribute `{unknown[0]}`, which is not known here")
        return list(results) if isinstance(results, Sequence) else [results]

    def _count_folded(self, arrays: Sequence[Array]) -> None:
        """Refuse to compute more constants than fit into memory. Each node may double them, so a file of 2 kB may ask for terabytes."""
        # A view, such as a transposed array, takes no memory.
        self.folded += sum(array.nbytes for array in arrays if array.base is None)
        most = max(MOST_FOLDED, 8 * self.stored)
        if self.folded > most:
            raise ImportRefused(f"is computed from constants that take more than {most >> 20} MiB together")

    def _fold_shapes(self, node: onnx.NodeProto, site: OnnxSite) -> Item:
        value = site.attributes.get("value")
        if isinstance(value, onnx.TensorProto):
            site.attributes = Attributes({**site.attributes, "value": self._read_array(value)})
        return fold_shapes(site)

    def _refuse_unknown(self, domain: str) -> None:
        if domain.rpartition(":")[2] in FORMS:
            raise ImportRefused(QUANTIZED)
        if domain in REASONS:
            raise ImportRefused(REASONS[domain])
        raise ImportRefused("has no counterpart in netc")

    def _read_array(self, tensor: onnx.TensorProto | onnx.SparseTensorProto) -> Any:
        try:
            return read_numbers(tensor, self.folder)
        except Unreadable as error:
            raise ImportRefused(f"the file {error}") from None

    def _read_constant(self, node: onnx.NodeProto) -> Item:
        attributes = read_attributes(node)
        match attributes:
            case {"value": onnx.TensorProto() as tensor}:
                numbers = self._read_array(tensor)
                self.stored += numbers.nbytes
                # A dotted name is the path of a parameter. Other names of constants say nothing.
                return Known(numbers, tensor.name if "." in tensor.name else "")
            case {"value_float": value}:
                return Known(np.array(value, dtype=np.float32))
            case {"value_floats": value}:
                return Known(np.array(value, dtype=np.float32))
            case {"value_int": value} | {"value_ints": value}:
                return Known(np.array(value, dtype=np.int64))
            case {"sparse_value": onnx.SparseTensorProto() as sparse}:
                return Known(self._read_array(sparse))
        raise ImportRefused("is a constant of strings, which netc does not have")

    # --- functions -----------------------------------------------------------------------------------------------------------

    def _import_function(self, node: onnx.NodeProto, function: onnx.FunctionProto, names: NameScope, depth: int) -> Sequence[Item]:
        inner = NameScope()
        for formal, actual in zip(function.input, [*node.input, *[""] * len(function.input)], strict=False):
            # Inputs that the call leaves out are None in the body.
            inner[formal] = names[actual]
        nodes = bind_attributes(function, node)
        self.uses.add_nodes(nodes)
        wanted = [inside if outside else "" for inside, outside in zip(function.output, node.output, strict=False)]
        self.import_nodes(nodes, [name for name in wanted if name], inner, depth + 1)
        return [inner[name] for name in wanted]


class ImporterState:
    """A state of an importer, to which it can return."""

    def __init__(self, importer: Importer) -> None:
        self.importer = importer
        self.obstacles, self.wanted = len(importer.obstacles), len(importer.wanted)
        self.point = importer.emit.journal.point

    def take_back(self) -> None:
        """Undo everything since that state. Nothing may refer to it any more."""
        del self.importer.obstacles[self.obstacles :], self.importer.wanted[self.wanted :]
        self.importer.emit.journal.take_back(self.point)


def _find_problem(refused: ImportRefused) -> object:
    """Find the statement about sizes that could not be proved, if that is the reason."""
    return getattr(refused.__cause__, "problem", None)


def _read_shape(site: OnnxSite, x: Value) -> Item:
    if site.op_type == "Size":
        total: Any = 1
        for d in x.type.shape:
            total = total * d
        return sizes_or_known(to_objects(total))
    return sizes_or_known(to_objects(list(x.type.shape))[site.get_attr("start", 0) : site.get_attr("end")])


def _find_location(node: onnx.NodeProto) -> str:
    return node.name or next((o for o in node.output if o), "") or node.op_type


def _make_title(name: str) -> str:
    return IdentifierMaker().make_name(name, "model")


def _are_same(one: Array, other: Array) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
