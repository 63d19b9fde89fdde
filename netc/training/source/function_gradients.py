"""Emit the gradients of a section for a framework that differentiates functions, where the spec has two tensors.

In: the statements of `compute_totals` before a gradient, and the node of the gradient. Out: a function of the second tensor, which repeats
the statements between both, and its gradient. Always: a name is the same in the function and outside, so a statement is repeated as it is,
also if it has a gradient itself. XLA computes what both have in common once.

    def sum_u(place: jax.Array) -> jax.Array:
        u = model(place, time)
        return u.sum()

    slope = jax.grad(sum_u)(place)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from netc.compiler.backends.python.identifiers import make_unique, make_variable_name
from netc.compiler.backends.python.python_source import Parts
from netc.compiler.backends.python.unsupported_python import UnsupportedInPython
from netc.compiler.errors.target_errors import SourceUnsupported
from netc.compiler.ir.graph import CallNode, Graph, Node, OpNode, Program
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.inline_calls import can_inline, inline_call
from netc.compiler.ir.training_program import MODEL, Training
from netc.compiler.ir.walk import collect_graphs, find_needed_nodes
from netc.dsl.record import replace

from .batch_columns import emit_column
from .file_assembly import extract_model_program
from .gradient_paths import Statement, divide_stages, find_dependent, find_path, is_complete
from .lines import format_call
from .loss_needs import changes_buffers, differentiates
from .section_words import SectionWords

INDENT = "    "


AddStages = Callable[[list[Node], list[Node], str, str], tuple[Sequence[Value], list[Value]]]
"""Adds the function that computes some stages of a section. Takes the stages, the nodes that are left, a name and a docstring. Returns the
inputs of the function, and the values that it returns."""


class GradientEmitter:
    """Emits the gradients of a section. `nodes` are its stages, `names` the variables of `compute_totals` by value, `statements` its lines
    so far, of which the last one calls the model, and `parts` the functions that compute a part of the model."""

    def __init__(
        self,
        training: Training,
        words: SectionWords,
        nodes: Sequence[Node],
        names: dict[int, str],
        statements: list[Statement],
        reserved: Collection[str],
    ) -> None:
        self.training, self.words, self.nodes, self.names, self.statements = training, words, nodes, names, statements
        self.reserved, self.before = reserved, len(statements)
        self.parts: list[Parts] = []
        self.functions = {"compute_totals", "compute_sums", "compute_counts", "compute_metrics"}

    def emit_gradients(self, nodes: list[Node], add_stages: AddStages) -> list[Node]:
        """Add the statements for the gradients among the nodes, and for the stages that they need. Return the other nodes."""
        left, tensors = list(nodes), find_differentiated(nodes)
        for gradient in [node for node in nodes if differentiates(node)]:
            if not isinstance(gradient, OpNode):
                raise refuse_gradient(gradient, "it is in a loop or a shared stage of the section", "write the stages where they are used")
            stages = find_needed_nodes([node for node in left if not differentiates(node)], list(gradient.inputs))
            for part in divide_stages(stages, tensors):
                left = [node for node in left if node not in part]
                self._emit_stages(part, left, add_stages)
            left.remove(gradient)
            self._emit_gradient(gradient)
        return left

    def _emit_stages(self, stages: list[Node], left: list[Node], add_stages: AddStages) -> None:
        name = self._name_function(f"compute_{make_variable_name(stages[-1].outputs[0].name or stages[-1].label)}")
        inputs, results = add_stages(stages, left, name, "Compute what a gradient needs.")
        targets = ", ".join(map(self._name_value, results))
        lines = format_call(f"{INDENT}{targets} = ", name, [self._read(value) for value in inputs])
        self.statements.append(Statement(tuple(lines), tuple(inputs), tuple(results)))

    def _emit_gradient(self, node: OpNode) -> None:
        """Emit the function and its gradient."""
        y, x = node.inputs
        path = self._find_path(node)
        refuse_effects(node, path)
        function = self._name_function(f"sum_{self.names[id(y)]}")
        tensor = self.words.tensor
        body = [f"{INDENT}{line}" if line else "" for statement in path for line in statement.lines]
        lines = [
            "",
            f"{INDENT}def {function}({self.names[id(x)]}: {tensor}) -> {tensor}:",
            *(body[1:] if body and not body[0] else body),
            f"{INDENT}{INDENT}return {self.names[id(y)]}.sum()",
            "",
            f"{INDENT}{self._name_value(node.outputs[0])} = {self.words.gradient}({function})({self.names[id(x)]})",
        ]
        inputs = {id(value): value for statement in path for value in statement.inputs}
        inner = tuple(value for statement in path for value in (*statement.outputs, *statement.inner))
        self.statements.append(Statement(tuple(lines), (x, *inputs.values()), tuple(node.outputs), inner=inner))

    def _find_path(self, node: OpNode) -> list[Statement]:
        """Find the statements between both tensors. Raises `UnsupportedInPython` if some stages between them are in none."""
        _, x = node.inputs
        if any(x is value for value in self.training.model_call.outputs):
            return self._find_path_in_model(node)
        return self._check_path(node, self.statements, find_dependent(self.nodes, x))

    def _check_path(self, node: OpNode, statements: Sequence[Statement], dependent: set[int]) -> list[Statement]:
        """Find the path of a gradient. A statement that computes the second tensor again would hide the argument of the function."""
        y, x = node.inputs
        path = find_path(statements, y, x)
        is_hidden = any(value is x for statement in path for value in (*statement.outputs, *statement.inner))
        if is_hidden or not is_complete(path, self.statements, self.nodes, y, dependent):
            reason = "one function computes the second tensor and what depends on it, such as a block, a loop or another gradient"
            raise refuse_gradient(node, reason, "train with PyTorch")
        return path

    def _find_path_in_model(self, node: OpNode) -> list[Statement]:
        """Find the statements between both tensors where the model computes the second one: the function calls a part of the model."""
        _, x = node.inputs
        call = self.training.model_call
        inner = dict(zip(map(id, call.outputs), call.graph.outputs, strict=True))
        parts = {id(value): cut_part(self.training.program, call.graph, inner[id(value)], inner[id(x)]) for value in self._list_outputs()}
        passed = dict(zip(map(id, call.graph.inputs), call.inputs, strict=True)) | {id(inner[id(x)]): x}
        calls = [
            Statement((), tuple(passed[id(v)] for v in parts[id(value)].main.inputs), (value,), parts[id(value)].main)
            for value in self._list_outputs()
            if value is not x and _replaces(parts[id(value)].main, inner[id(x)])
        ]
        computed = find_dependent(call.graph.nodes, inner[id(x)])
        dependent = {id(value) for value in call.outputs if id(inner[id(value)]) in computed}
        dependent = find_dependent([n for n in self.nodes if n.label != MODEL], x, dependent)
        path = self._check_path(node, [*calls, *self.statements[self.before :]], dependent)
        return [self._write_part_call(node, s, parts[id(s.outputs[0])]) if s in calls else s for s in path]

    def _list_outputs(self) -> list[Value]:
        return [value for value in self.training.model_call.outputs if self.names.get(id(value), "_") != "_"]

    def _write_part_call(self, node: OpNode, statement: Statement, part: Program) -> Statement:
        (value,) = statement.outputs
        name = self._name_function(f"compute_{self.names[id(value)]}")
        doc = f"Compute {self.names[id(value)]} from {self.names[id(statement.inputs[0])]}."
        written = self.words.writer.write_part(extract_model_program(self.training), part, name, doc)
        if written is None:
            raise refuse_gradient(node, "the model cannot be computed in part", "make the second tensor an input of the model")
        self.parts.append(written)
        lines = format_call(f"{INDENT}{self.names[id(value)]} = ", name, ["model", *map(self._read, statement.inputs)])
        return replace(statement, lines=tuple(lines))

    def _read(self, value: Value) -> str:
        return self.names.get(id(value)) or emit_column(value)

    def _name_value(self, value: Value) -> str:
        taken = {*self.names.values(), *self.functions, *self.reserved}
        self.names[id(value)] = make_unique(make_variable_name(value.name or "gradient"), taken)
        return self.names[id(value)]

    def _name_function(self, name: str) -> str:
        unique = make_unique(name, {*self.functions, *self.names.values(), *self.reserved})
        self.functions.add(unique)
        return unique


def _replaces(part: Graph, x: Value) -> bool:
    """Whether a part of the model reads `x`, and does not compute it again with another value."""
    return any(v is x for n in part.nodes for v in n.inputs) and not any(v is x for n in part.nodes for v in n.outputs)


def inline_gradients(main: Graph) -> None:
    """Inline the blocks of a section that have gradients, so that each gradient is a node of its main graph, and the blocks that compute
    a differentiated tensor and others, which may depend on it."""
    while (call := next((n for n in main.nodes if isinstance(n, CallNode) and _must_inline(main, n)), None)) is not None:
        inline_call(main, call)


def _must_inline(main: Graph, call: CallNode) -> bool:
    if call.label == MODEL or not can_inline(call):
        return False
    tensors = find_differentiated(main.nodes) if len(call.outputs) > 1 else set()
    return differentiates(call) or any(id(value) in tensors for value in call.outputs)


def find_differentiated(nodes: Iterable[Node]) -> set[int]:
    """Find the tensors by which a section differentiates, by identity."""
    return {id(node.inputs[1]) for node in nodes if isinstance(node, OpNode) and differentiates(node)}


def name_differentiated(nodes: Sequence[Node], data: Mapping[int, str], reserved: Iterable[str]) -> dict[int, str]:
    """Name the inputs by which a section differentiates: the variables by value. `data` has the names of the inputs."""
    names = dict[int, str]()
    for x in (node.inputs[1] for node in nodes if differentiates(node) and isinstance(node, OpNode)):
        if id(x) in data and id(x) not in names:
            names[id(x)] = make_unique(make_variable_name(data[id(x)]), {*names.values(), *reserved})
    return names


def refuse_gradient(node: Node, reason: str, advice: str) -> UnsupportedInPython:
    """Return the error for a gradient that cannot be written."""
    return UnsupportedInPython(SourceUnsupported("`gradient`", "the training file of Flax", reason, advice), node)


def refuse_effects(node: OpNode, path: Iterable[Statement]) -> None:
    """Raise `UnsupportedInPython` if the model is called again and would draw other random numbers, or update its statistics twice."""
    for called in (statement.graph for statement in path if statement.graph is not None):
        stages = [inner for graph in collect_graphs(called) for inner in graph.nodes if isinstance(inner, OpNode)]
        cause = next((stage for stage in stages if stage.op.may_draw or changes_buffers(stage)), None)
        if cause is not None:
            reason = f"`{cause.op.name}` of the model draws random numbers or updates statistics, and the gradient calls the model again"
            advice = f"remove `{cause.op.name}`, or train with PyTorch"
            raise refuse_gradient(node, reason, advice)


def cut_part(program: Program, model: Graph, y: Value, x: Value) -> Program:
    """Cut the nodes that compute one value of a model from another one, and from the inputs of the model that they need."""
    needed, nodes = {id(y)}, list[Node]()
    for node in reversed(model.nodes):
        if any(id(value) in needed and value is not x for value in node.outputs):
            nodes.append(node)
            needed.update(id(value) for value in node.inputs)
    part = copy.copy(model)
    part.kind, part.nodes, part.outputs, part.output_names = "model", nodes[::-1], [y], [y.name or "output"]
    part.inputs = [x, *(value for value in model.inputs if id(value) in needed and value is not x)]
    return Program(part, program.facts, program.symbols, program.conditions, program.dims)
