"""Turns graphs into bodies: writes each node as a statement, or as a part of the pipeline that uses it (written_tensors.py).

In: a graph, and the stages for its calls. Out: a `Body`, and for each number of a tensor the graph's value: `h = x -> conv 8`, `h + x`.
Always: the order of computation is kept. A tensor that is used more than once has a name. The inputs of a model are declared in order.

    >>> import netc
    >>> from .block_families import BlockFamilies
    >>> main = netc.compile("x = input 3; h = x -> dense 3; h + (h -> relu)").program.main
    >>> statement, _ = GraphBody(main, BlockFamilies(main)).make_body().statements
    >>> type(statement).__name__, type(statement.value).__name__
    ('Assign', 'Declaration')
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, Self

from netc.dsl.record import replace
from netc.dsl.trees import has_part, rewrite_downward

from ...ir.graph import CallNode, Graph, Node, OpNode, SharedModule
from ...ir.graph_values import Value
from ...ops.mode import ByMode
from ...ops.parameter_of import ParameterOf
from .body_variants import LiteralSlot
from .counted_labels import strip_label
from .iteration_bodies import insert_templates, make_steps
from .node_stages import Callees, get_named_operands, make_constant, make_operator_stage
from .repeated_stages import RepeatedNodes, iterate_repeated
from .spec_scans import make_scan
from .spec_tree import (
    Assign,
    Binary,
    Body,
    CallMapping,
    Chain,
    Declaration,
    Given,
    Growing,
    IfGiven,
    InMode,
    InTraining,
    Literal,
    Loop,
    OptionalInput,
    Picked,
    Prefix,
    Ref,
    Shared,
    SharedStage,
    Stage,
    Steps,
    TupleOf,
    renumber_tensors,
)
from .tree_queries import (
    apply_stage,
    extend_chain,
    is_stage,
)
from .twins import Alternative
from .written_tensors import WrittenTensors, count_uses


class GraphBody(WrittenTensors):
    """A body under construction."""

    def __init__(self, graph: Graph, callees: Callees) -> None:
        super().__init__(graph)
        self.callees = callees
        self.declared = {id(shared): shared.label for shared in (*graph.declares, *graph.modules)}
        self.shared: set[int] = set()
        self.tuples: dict[tuple[int, ...], int] = {}
        """The numbers of tuples that loops make, by the ids of their tensors."""
        # No graph has the tuples of growing loops, so they are kept here: an id is reused after its object is gone.
        self.kept: list[Value] = []

    def make_body(self) -> Body:
        """Make the body."""
        graph = self.graph
        for value in graph.inputs:
            self.number_tensor(value)
        if graph.kind == "model":
            self._declare_inputs()
        self.add_nodes()
        results = tuple(self._take_result(index) for index in range(len(graph.outputs)))
        if graph.training_outputs is not None:
            results = (InMode(tuple(map(self.name_tensor, graph.training_outputs)), results),)
        return Body(len(graph.inputs), tuple(self.statements), results)

    def make_inner_body(self, graph: Graph) -> Self:
        """Make the body of a graph whose text is inside this one. It shares the numbers."""
        body = type(self)(graph, self.callees)
        # One text has one sequence of numbers, so the inner body continues the numbers of this one.
        body.values = self.values
        return body

    def add_nodes(self) -> None:
        """Write all nodes, repeated ones as loops."""
        self._add_statements(self.graph.nodes)

    def _add_statements(self, nodes: Sequence[Node]) -> None:
        for node in iterate_repeated(nodes, self._make_stage, self.uses):
            if not isinstance(node, RepeatedNodes):
                self._add_node(node)
            elif node.carried is None:
                self._add_growing_loop(node)
            else:
                self._define_outputs(node.outputs, extend_chain(self.take_tensor(node.inputs[node.carried]), self._make_loop(node)))

    def _declare_inputs(self) -> None:
        """Declare the inputs in order. The last one has no name if it has none in the graph, since `input` is a keyword."""
        inputs = self.graph.inputs
        for number, value in enumerate(inputs):
            if value is inputs[-1] and self.uses.get(id(value)) == 1 and value.name in ("", "input"):
                self.pending[id(value)] = Declaration(number)
            else:
                self.statements.append(Assign((number,), Declaration(number)))

    # --- nodes --------------------------------------------------------------------------------------------------------

    def _add_node(self, node: Node) -> None:
        if isinstance(node, Alternative):
            self._add_alternative(node)
            return
        if isinstance(node, CallNode) and node.scan is not None:
            states, own_count = node.scan.states, node.scan.own_count
            loop = make_scan(self, node)
            head = self._make_head(node.inputs[states:own_count])
            # The states of a loop come last in a spec, and first in a `Scan`.
            unread = [None] * (len(loop.results) - len(node.outputs) + states)
            self._define_outputs((*node.outputs[states:], *unread, *node.outputs[:states]), Chain(head, (loop,)))
            return
        if isinstance(node, CallNode) and node.graph.iteration is not None:
            self._add_iteration(node)
            return
        if isinstance(node, CallNode) and (passed := self.callees.find_optional(node)) is not None:
            self._add_optional_call(node, *passed)
            return
        # The text names a stage before it reads its parameter.
        if isinstance(node, OpNode) and isinstance(node.op, ParameterOf):
            self._flush_stage(node.op.path if node.shared is None else SharedStage(node.shared.label))
        constant = make_constant(node) if isinstance(node, OpNode) else None
        self._define_outputs(node.outputs, constant if constant is not None else self._compute_node(node))

    def _add_iteration(self, node: CallNode) -> None:
        """Write the nodes of an iteration that is in no loop."""
        graph = node.graph
        self.uses |= count_uses(graph)
        for inner, outer in zip(graph.inputs, node.inputs, strict=True):
            # An iteration has no text of its own, so the tensors around it and its inputs are the same.
            self.numbers[id(inner)] = self.name_tensor(outer).number
        self._add_statements(graph.nodes)
        for inner, outer in zip(graph.outputs, node.outputs, strict=True):
            self.numbers[id(outer)] = self.name_tensor(inner).number

    def _add_alternative(self, node: Alternative) -> None:
        """Write a tensor that depends on whether the optional input is given."""
        refs = list(map(self.name_tensor, node.inputs))
        count = len(node.graph.inputs)
        if_given = self._make_branch(node.graph, refs[:count], node.is_given)
        otherwise = self._make_branch(node.otherwise, refs[count:], not node.is_given)
        (value,) = node.outputs
        self.statements.append(Assign((self.number_tensor(value),), IfGiven(refs[0], if_given, otherwise)))

    def _make_branch(self, graph: Graph, inputs: Sequence[Ref], is_taken: bool) -> Steps:
        """Make a branch of an alternative. A branch that is not taken has no literals, so that it makes no parameters."""
        branch = self.make_inner_body(graph)
        branch.numbers = {id(value): ref.number for value, ref in zip(graph.inputs, inputs, strict=True)}
        branch.add_nodes()
        result = branch.take_tensor(graph.outputs[0])
        steps = Steps(tuple(branch.statements), result)
        return steps if is_taken else rewrite_downward(steps, lambda part: LiteralSlot(()) if isinstance(part, Literal) else None)

    def _add_optional_call(self, node: CallNode, name: OptionalInput, taken: CallMapping) -> None:
        """Write a call that passes an optional tensor by name. Further results of the block are not used."""
        tree = self._apply_stage(self._make_stage(node), [node.inputs[index] for index in taken.inputs], (name,))
        outputs: list[Value | None] = [None] * name.results
        for index, value in zip(taken.results, node.outputs, strict=True):
            outputs[index] = value
        self._define_outputs(outputs, tree)

    def _flush_stage(self, stage: str | SharedStage) -> None:
        """Write the pending trees that contain a stage before its parameter is read: the stage must come first."""
        pending = {key for key, tree in self.pending.items() if has_part(tree, lambda part: is_stage(part, stage))}
        for value in (v for node in self.graph.nodes for v in node.outputs) if pending else ():
            if id(value) in pending:
                self.name_tensor(value)

    def _compute_node(self, node: Node) -> Any:
        if isinstance(node, OpNode):
            written = self._compute_by_mode(node) if isinstance(node.op, ByMode) else self._make_arithmetic(node)
            if written is not None:
                return written
        # The named operands of an operator are its last inputs.
        return self._apply_stage(self._make_stage(node), node.inputs, get_named_operands(node.op) if isinstance(node, OpNode) else ())

    def _make_stage(self, node: Node) -> Any:
        """Make the stage of a node without its tensors. An iteration over several lists becomes its body."""
        if isinstance(node, CallNode) and node.graph.iteration is not None:
            return insert_templates(type(self)(node.graph, self.callees).make_body(), node.graph.iteration)
        if node.shared is not None and id(node.shared) in self.declared:
            return self._use_shared(node)
        return make_operator_stage(node) if isinstance(node, OpNode) else self.callees.make_callee(node)

    def _use_shared(self, node: Node) -> Stage:
        """Make a use of a shared stage, which is declared before its first use."""
        assert node.shared is not None
        self.declare_shared(node.shared, node)
        return Stage(SharedStage(self.declared[id(node.shared)]))

    def declare_shared(self, module: SharedModule, use: Node) -> None:
        """Declare a shared stage with the stage of one of its uses, unless it is declared already."""
        if id(module) not in self.shared:
            self.shared.add(id(module))
            stage = make_operator_stage(use) if isinstance(use, OpNode) else self.callees.make_callee(use)
            self.statements.append(Shared(module.label, strip_label(stage)))

    def _compute_by_mode(self, node: OpNode) -> Any:
        """Write a tensor that is computed differently in training. If one way continues the other, `if` has only the further stages."""
        training, evaluation = node.inputs
        further = self.pending.get(id(evaluation))
        # The pipeline for evaluation continues the tensor for training: only its further stages depend on the mode.
        if isinstance(further, Chain) and id(training) not in self.pending and further.head == Ref(self.numbers[id(training)]):
            del self.pending[id(evaluation)]
            return Chain(further.head, (InTraining(Chain(Given(), further.stages), negated=True),))
        training_tree = self.pending.get(id(training))
        # If both are pending, both get names, so that they are computed in the order of the graph.
        head = (
            self.name_tensor(evaluation) if id(evaluation) in self.pending and training_tree is not None else self.take_tensor(evaluation)
        )
        if isinstance(training_tree, Chain) and training_tree.head == head:
            del self.pending[id(training)]
            return Chain(head, (InTraining(Chain(Given(), training_tree.stages)),))
        return extend_chain(head, InTraining(self.name_tensor(training)))

    def _make_arithmetic(self, node: OpNode) -> Any:
        """Write the operator between its operands, if it has a symbol and no other arguments. Booleans, and numbers that are not finite,
        cannot be written there."""
        op = node.op
        if op.prefix_symbol and len(node.inputs) == 1 and not op.scalars:
            return Prefix(op.prefix_symbol, self.take_operand(node.inputs[0]))
        if not op.symbol or len(node.inputs) + len(op.scalars) != 2 or not set(op.args) <= {"other", "reverse"}:
            return None
        if any(isinstance(number, bool) or (isinstance(number, float) and not isfinite(number)) for number in op.scalars):
            return None
        operands: list[Any] = [self.take_operand(value) for value in node.inputs] + [Literal(number, "by") for number in op.scalars]
        # `1 - x` has its number first, though a number is always the last argument of a node.
        first, second = reversed(operands) if op.number_first else operands
        return Binary(op.symbol, first, second)

    def _apply_stage(self, stage: Any, inputs: Sequence[Value], named: Sequence[Any] = ()) -> Any:
        """Apply the stage to its tensors."""
        positional = len(inputs) - len(named)
        if named:
            tensors = tuple((name, self._take_argument(value)) for name, value in zip(named, inputs[positional:], strict=True))
            stage = Stage(stage.callee, stage.arguments, tensors, stage.activation, stage.label)
        if not positional:
            return Chain(None, (stage,))
        return extend_chain(self._make_head(inputs[:positional]), stage)

    def _add_growing_loop(self, run: RepeatedNodes) -> None:
        """Write a loop whose result is a tuple, under a name."""
        loop = Loop(run.over, run.binders, Growing(run.stage), run.label, run.start)
        tree = extend_chain(self._make_head(run.inputs), loop)
        features = Value(run.outputs[0].type, self.graph.span, "features")
        self.tuples[tuple(map(id, (*run.inputs, *(o for node in run.nodes for o in node.outputs))))] = self.number_tensor(features)
        self.statements.append(Assign((self.numbers[id(features)],), tree))
        self.kept.append(features)

    def _make_head(self, inputs: Sequence[Value]) -> Any:
        """Make tensors the beginning of a pipeline."""
        tuple_number = self.tuples.get(tuple(map(id, inputs)))
        if tuple_number is not None:
            return Ref(tuple_number)
        return self.take_tensor(inputs[0]) if len(inputs) == 1 else TupleOf(self._take_tuple(inputs))

    def _make_loop(self, run: RepeatedNodes) -> Any:
        """Make a loop of the nodes of a run. Its stages differ only in the literals that the loop lists."""
        items = [Given() if index == run.carried else self.name_tensor(value) for index, value in enumerate(run.inputs)]
        passed = self.callees.find_optional(run.nodes[0]) if isinstance(run.nodes[0], CallNode) else None
        body: Any
        if isinstance(run.stage, Body):
            body = self._make_iteration(run, run.stage, [item.number if isinstance(item, Ref) else None for item in items])
        elif passed is None:
            body = apply_stage(items, run.stage)
        else:
            name, taken = passed
            *items, last = (items[number] for number in taken.inputs)
            stage = replace(run.stage, tensors=((name, last),), label=None if name.results == 1 else "_")
            body = apply_stage(items, stage) if name.results == 1 else Picked(apply_stage(items, stage), taken.results[0], name.results)
        return Loop(run.over, run.binders, body, run.label, run.start)

    def _make_iteration(self, run: RepeatedNodes, body: Body, inputs: Sequence[int | None]) -> Any:
        """Make the body of iterations, with numbers of this body. None stands for the result of the previous iteration."""
        assert isinstance(run.nodes[0], CallNode)
        making = type(self)(run.nodes[0].graph, self.callees)
        making.make_body()
        # The carried tensor is another one in each iteration, so it has a number of its own.
        fresh = self.number_tensor(run.nodes[0].graph.inputs[run.carried or 0])
        numbers = {index: fresh if number is None else number for index, number in enumerate(inputs)}
        numbers |= {index: self.number_tensor(value) for index, value in enumerate(making.values) if index >= len(inputs)}
        return make_steps(renumber_tensors(body, numbers), fresh, fresh)

    # --- results ------------------------------------------------------------------------------------------------------

    def _take_result(self, index: int) -> Any:
        value = self.graph.outputs[index]
        if self.graph.kind == "model" and self.graph.training_outputs is None and self._needs_alias(index):
            alias = OutputAlias(value.type, value.span, self.graph.output_names[index])
            self.statements.append(Assign((self.number_tensor(alias),), self.name_tensor(value)))
            return Ref(self.numbers[id(alias)])
        # A named output must be assigned: a tree at the end of the text would have no name.
        if self.graph.kind == "model" and id(value) in self.pending and self._has_name(value):
            tree = self.pending.pop(id(value))
            self.statements.append(Assign((self.number_tensor(value),), tree))
        return self.take_tensor(value)

    def _needs_alias(self, index: int) -> bool:
        """Whether a named output is a tensor that has another name already: an earlier output, or an input."""
        value = self.graph.outputs[index]
        if not self._has_name(value):
            return False
        is_output = any(value is earlier for earlier in self.graph.outputs[:index])
        return is_output or any(value is tensor for tensor in self.graph.inputs)

    def _has_name(self, value: Value) -> bool:
        names = self.graph.output_names[self.graph.outputs.index(value)]
        return len(self.graph.outputs) > 1 or names != "output"


class OutputAlias(Value):
    """A further name for a tensor that several outputs are: `name` is the output's."""
