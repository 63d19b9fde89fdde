"""From an ONNX graph to a typed graph, node by node.

In: a model, and values that are fixed. Out: an `Imported`, or an `ImportFailed` with all obstacles. Always: nodes that the outputs do not
need are not looked at; what an obstacle should have made breaks only what depends on it, so that all obstacles are found at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ...errors.operator_errors import Unprovable, UnprovableMultiple
from ...ir.graph_values import Value
from ...types.numpy_types import Array, numpy_dtype
from ...types.tensor_types import TensorType
from ..graph_builder import ImportRefused
from ..imported_model import Obstacle
from .shape_folding import arranged
from .control import AlreadyAnObstacle, Control, sizes_to_fix
from .defaults import is_default
from .derived_weights import derived, initializer, is_of_weights
from .emitter import Emitter
from .float_forms import FORMS
from .fold import folded
from .importer_site import Attributes, Site, element_of, materialized
from .importer_table import REASONS, STANDARD, TABLE, key
from .input_dimensions import Dimensions, guesses
from .module_paths import Modules
from .name_uses import NameUses
from .node_order import needed_in_order
from .onnx_files import Unreadable, array, attributes
from .onnx_functions import definition, fill_attributes
from .onnx_names import Identifiers
from .onnx_values import BROKEN, Broken, Filled, Item, Known, objects, sizes_or_known
from .quantized_graphs import WHY as QUANTIZED
from .scopes import Names

DEEPEST = 24
"""How deep branches and functions may be in each other."""
_MALFORMED = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""The exceptions of importers and NumPy for a node that breaks the definition of its operator."""
CONTROL = ("If", "Scan", "Loop")
MOST = 200_000
"""The most nodes that are imported, those of functions counted at each use."""
MOST_FOLDED = 2**29
"""The most bytes of constants that an import computes, or eight times the bytes of the file's own constants, if these are more."""


class Importer:
    """One attempt, with the conditions on sizes that are known to be needed."""

    def __init__(
        self, model: onnx.ModelProto, folder: Path | None, dimensions: Dimensions, fixed: Mapping[str, object], *, simplest: bool
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
        """Conditions that would decide what could not be proved."""
        self.emit = Emitter(_title(model.graph.name), dimensions.declared.facts)
        self.emit.producer = model.producer_name
        self.modules = Modules()
        self.uses = NameUses()
        self.count = 0
        self.stored = 0
        """The bytes of the file's own constants."""
        self.folded = 0
        """The bytes of the constants that were computed from them."""

    @property
    def version(self) -> int:
        return int(self.versions.get("", 1))

    def run(self) -> None:
        """Imports the graph; results are in `emit` and `obstacles`."""
        graph = self.model.graph
        names = Names()
        self.initializers(graph, names)
        self._inputs(graph, names)
        self.uses.add_graph(graph)
        self.nodes(graph.node, [o.name for o in graph.output], names, 0)
        self._outputs(graph, names)

    # --- what the graph begins with ------------------------------------------------------------------------------------------

    def initializers(self, graph: onnx.GraphProto, names: Names) -> None:
        for tensor in graph.initializer:
            try:
                numbers = array(tensor, self.folder)
                self.stored += numbers.nbytes
                names[tensor.name] = initializer(numbers, tensor.name)
            except Unreadable as error:
                self._obstacle("the file", str(error), tensor.name)
                names[tensor.name] = BROKEN
        for sparse in graph.sparse_initializer:
            self._obstacle("a sparse tensor", "has no counterpart", sparse.values.name)
            names[sparse.values.name] = BROKEN

    def _inputs(self, graph: onnx.GraphProto, names: Names) -> None:
        taken = Identifiers()
        for info in graph.input:
            if info.name in names.own:
                continue
            if not info.type.HasField("tensor_type"):
                self._obstacle("an input", f"is no tensor: {info.type.WhichOneof('value') or 'it has no type'}", info.name)
                names[info.name] = BROKEN
                continue
            try:
                names[info.name] = self._input(info, taken)
            except ImportRefused as refused:
                self._obstacle("an input", f"cannot be one of netc: {refused.why}", info.name)
                names[info.name] = BROKEN

    def _input(self, info: onnx.ValueInfoProto, taken: Identifiers) -> Item:
        dtype = element_of(info.type.tensor_type.elem_type)
        if info.name in self.fixed:
            shape = tuple(d if isinstance(d, int) else 1 for d in self.dimensions.shapes.get(info.name, ()))
            try:
                return Known(np.broadcast_to(np.asarray(self.fixed[info.name], dtype=numpy_dtype(dtype)), shape).copy())
            except (ValueError, TypeError, OverflowError):
                raise ImportRefused(f"{self.fixed[info.name]!r} is no {dtype} of shape {list(shape)}") from None
        if info.name not in self.dimensions.shapes:
            raise ImportRefused("its number of axes is not known")
        if 0 in self.dimensions.shapes[info.name]:
            raise ImportRefused("it has an axis of size 0")
        if prod(d for d in self.dimensions.shapes[info.name] if isinstance(d, int)) >= 2**62:
            raise ImportRefused(f"its shape is {list(self.dimensions.shapes[info.name])}, which no memory holds")
        type_ = TensorType(dtype, tuple(self.dimensions.shapes[info.name]))
        value = self.emit.builder.add_input(type_, taken.unique(info.name, "input"))
        self.emit.called[id(value)] = info.name
        return value

    def _outputs(self, graph: onnx.GraphProto, names: Names) -> None:
        taken = Identifiers()
        emit = self.emit
        for info in graph.output:
            try:
                item = names[info.name]
                if isinstance(item, Broken):
                    continue
                value = Site("Identity", [item], {}, self.version, self.emit, (True,)).x()
                if any(value is output for output in emit.builder.graph.outputs) or any(value is i for i in emit.builder.graph.inputs):
                    value = emit.one("identity", value)
            except ImportRefused as refused:
                self._obstacle("an output", refused.why, info.name, refused.help)
                continue
            emit.builder.graph.outputs.append(value)
            emit.builder.graph.output_names.append(taken.unique(info.name, "output"))

    # --- nodes ---------------------------------------------------------------------------------------------------------------

    def nodes(self, nodes: Sequence[onnx.NodeProto], outputs: Iterable[str], names: Names, depth: int) -> None:
        ordered, stuck = needed_in_order(nodes, outputs)
        for node in stuck:
            self._obstacle(node.op_type, "is part of a cycle", _where(node))
            for name in node.output:
                names[name] = BROKEN
        for node in ordered:
            self.count += 1
            if self.count > MOST:
                raise ImportRefused(f"there are more than {MOST} nodes")
            try:
                made = self._guarded(node, names, depth)
            except ImportRefused as refused:
                if not isinstance(refused, AlreadyAnObstacle):
                    self._refused(node, refused)
                made = [BROKEN] * len(node.output)
            for name, item in zip(node.output, made, strict=False):
                self._suggest(item, name)
                if depth == 0 and isinstance(item, Value):
                    self.emit.called[id(item)] = name
                names[name] = item

    def remembered(self) -> Attempt:
        """The importer as it is now."""
        return Attempt(self)

    def _refused(self, node: onnx.NodeProto, refused: ImportRefused) -> None:
        problem = _problem(refused)
        advice = getattr(problem, "advice", "")
        wanted = [advice] if advice else []
        if isinstance(problem, Unprovable):
            wanted += guesses(problem.left, problem.right)
        if isinstance(problem, UnprovableMultiple):
            wanted += guesses(problem.by, problem.what)
        self.wanted += sorted(wanted, key=lambda text: "//" in text) if self.simplest else wanted
        self._obstacle(node.op_type, refused.why, _where(node), sizes_to_fix(self.dimensions) if wanted else refused.help)

    def _obstacle(self, what: str, why: str, where: str, help: str = "") -> None:
        self.obstacles.append(Obstacle(what[:200], why[:2000], where[:200], help))

    def _suggest(self, item: Item, name: str) -> None:
        """A name for a text, where the file has one that says something."""
        if isinstance(item, Value) and not item.name and len(name) < 40 and name.isidentifier() and not any(c.isdigit() for c in name):
            item.name = Identifiers().unique(name, "")

    def _guarded(self, node: onnx.NodeProto, names: Names, depth: int) -> Sequence[Item]:
        """The node's results. An untrusted file may have attributes of any type and indices that fit nothing. An exception of an importer
        is reported as an obstacle, so that each importer need not check every rule of the standard."""
        try:
            return self._node(node, names, depth)
        except _MALFORMED as error:
            why = " ".join(str(error).split())[:200]
            raise ImportRefused(f"has attributes or inputs that do not fit it: {why or type(error).__name__}") from error

    def _node(self, node: onnx.NodeProto, names: Names, depth: int) -> Sequence[Item]:
        if depth > DEEPEST:
            raise ImportRefused(f"branches and functions are more than {DEEPEST} deep in each other")
        function = self.functions.get((node.domain, node.op_type))
        if function is not None:
            return self._function(node, function, names, depth)
        domain = key(node.domain, node.op_type)
        if node.op_type == "Constant" and node.domain in STANDARD:
            return [self._constant(node)]
        if node.op_type in CONTROL and node.domain in STANDARD:
            self.emit.scope = self.modules.of(node)
            return Control(self, node, names, depth).run()
        inputs = [names[name] for name in node.input]
        if any(isinstance(item, Broken) for item in inputs):
            if domain not in TABLE:
                self._unknown(domain)
            return [BROKEN] * len(node.output)
        self.emit.scope = self.modules.of(node)
        before = self.remembered()
        try:
            return self._computed(node, domain, inputs, self._follows(node, names))
        except ImportRefused as refused:
            before.take_back()
            return self._defined(node, inputs, names, depth, refused)

    def _defined(self, node: onnx.NodeProto, inputs: Sequence[Item], names: Names, depth: int, refused: ImportRefused) -> Sequence[Item]:
        """A node that was refused, by the operators that define it; refused where one of these is. A condition on sizes comes first."""
        function = definition(node, inputs, self.version) if node.domain in STANDARD and not _problem(refused) else None
        if function is None:
            raise refused
        before = self.remembered()
        made = self._function(node, function, names, depth)
        if len(self.obstacles) > before.obstacles:
            before.take_back()
            raise refused
        return made

    def _follows(self, node: onnx.NodeProto, names: Names) -> tuple[str, Item]:
        output = node.output[0] if node.output else ""
        taker = self.uses.find_only_reader(output)
        if taker is None or len(taker.input) != 2:
            return "", None
        other = taker.input[1 if taker.input[0] == output else 0]
        return taker.op_type, names.own.get(other)

    def _computed(self, node: onnx.NodeProto, domain: str, inputs: list[Item], follows: tuple[str, Item]) -> Sequence[Item]:
        given = [materialized(item) if isinstance(item, Filled) else item for item in inputs]
        if node.domain in STANDARD and given and all(isinstance(item, Known | None) for item in given) and not is_of_weights(node, given):
            arrays = [item.array if isinstance(item, Known) else None for item in given]
            made = folded(node, arrays, self.version)
            if made is not None:
                self._count_folded(made)
                return [derived(node, given, a, n) for n, a in enumerate(made)]
        used = [self.uses.count(name) > 0 for name in node.output]
        alone = [self.uses.count(name) == 1 for name in node.input]
        site = Site(node.op_type, inputs, attributes(node), self.version, self.emit, used, alone, follows)
        if node.domain in STANDARD:
            if node.op_type in ("Shape", "Size") and isinstance(inputs[0], Value):
                return [_shape_of(site, inputs[0])]
            item = self._arranged(node, site)
            if item is not None:
                return [item]
        if domain not in TABLE:
            self._unknown(domain)
        results = TABLE[domain](site)
        unknown = [name for name in site.attributes.unread() if not is_default(node, name, self.version)]
        if unknown:
            raise ImportRefused(f"has the attribute `{unknown[0]}`, which is not known here")
        return list(results) if isinstance(results, Sequence) else [results]

    def _count_folded(self, arrays: Sequence[Array]) -> None:
        """Refuses to compute more constants than fit into memory. Each node may double them, so a file of 2 kB may ask for terabytes."""
        self.folded += sum(array.nbytes for array in arrays if array.base is None)
        most = max(MOST_FOLDED, 8 * self.stored)
        if self.folded > most:
            raise ImportRefused(f"is computed from constants that take more than {most >> 20} MiB together")

    def _arranged(self, node: onnx.NodeProto, site: Site) -> Item:
        value = site.attributes.get("value")
        if isinstance(value, onnx.TensorProto):
            site.attributes = Attributes({**site.attributes, "value": self._array(value)})
        return arranged(site)

    def _unknown(self, domain: str) -> None:
        if domain.rpartition(":")[2] in FORMS:
            raise ImportRefused(QUANTIZED)
        if domain in REASONS:
            raise ImportRefused(REASONS[domain])
        raise ImportRefused("has no counterpart in netc")

    def _array(self, tensor: onnx.TensorProto) -> Any:
        try:
            return array(tensor, self.folder)
        except Unreadable as error:
            raise ImportRefused(f"the file {error}") from None

    def _constant(self, node: onnx.NodeProto) -> Item:
        found = attributes(node)
        match found:
            case {"value": onnx.TensorProto() as tensor}:
                numbers = self._array(tensor)
                self.stored += numbers.nbytes
                return Known(numbers, tensor.name if "." in tensor.name else "")
            case {"value_float": value}:
                return Known(np.array(value, dtype=np.float32))
            case {"value_floats": value}:
                return Known(np.array(value, dtype=np.float32))
            case {"value_int": value} | {"value_ints": value}:
                return Known(np.array(value, dtype=np.int64))
        raise ImportRefused("is a constant of strings, or sparse, which netc does not have")

    # --- functions -----------------------------------------------------------------------------------------------------------

    def _function(self, node: onnx.NodeProto, function: onnx.FunctionProto, names: Names, depth: int) -> Sequence[Item]:
        inner = Names()
        for formal, actual in zip(function.input, [*node.input, *[""] * len(function.input)], strict=False):
            inner[formal] = names[actual]
        given = {a.name: a for a in (*function.attribute_proto, *node.attribute)}
        nodes = [fill_attributes(n, given) for n in function.node]
        self.uses.add_nodes(nodes)
        wanted = [inside if outside else "" for inside, outside in zip(function.output, node.output, strict=False)]
        self.nodes(nodes, [name for name in wanted if name], inner, depth + 1)
        return [inner[name] for name in wanted]


class Attempt:
    """What an importer was, and can be again."""

    def __init__(self, importer: Importer) -> None:
        self.importer = importer
        self.obstacles, self.wanted = len(importer.obstacles), len(importer.wanted)
        self.point = importer.emit.journal.point

    def take_back(self) -> None:
        """Forgets what was made since, which nothing may take."""
        del self.importer.obstacles[self.obstacles :], self.importer.wanted[self.wanted :]
        self.importer.emit.journal.take_back(self.point)


def _problem(refused: ImportRefused) -> object:
    """What could not be proved of sizes, if that is why."""
    return getattr(refused.__cause__, "problem", None)


def _shape_of(site: Site, x: Value) -> Item:
    if site.op_type == "Size":
        total: Any = 1
        for d in x.type.shape:
            total = total * d
        return sizes_or_known(objects(total))
    return sizes_or_known(objects(list(x.type.shape))[site.attr("start", 0) : site.attr("end")])


def _where(node: onnx.NodeProto) -> str:
    return node.name or next((o for o in node.output if o), "") or node.op_type


def _title(name: str) -> str:
    return Identifiers().unique(name, "model")
