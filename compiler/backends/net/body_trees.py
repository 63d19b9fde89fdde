"""Graphs as bodies: which tensors get names, and which are written where they are used.

In: a graph, and what its calls are. Out: a `Body`, and for each number of a tensor the graph's value. Always: the order of computation is
kept; a tensor that is used more than once has a name; the inputs of a model are declared in their order.
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
from .body_variants import Slot
from .counted_labels import unlabeled
from .iteration_bodies import steps_of, with_templates
from .node_stages import Callees, constant_of, named_operands, stage_of
from .repeated_stages import Repeated, repeated
from .spec_scans import scanned
from .spec_tree import (
    Assign,
    Binary,
    Body,
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
    Param,
    Picked,
    Prefix,
    Ref,
    Shared,
    SharedStage,
    Stage,
    Steps,
    Table,
    Taken,
    TupleOf,
    renumber_tensors,
)
from .tree_queries import (
    LONGEST,
    apply_stage,
    begins_with_tuple,
    count_stages,
    extend_chain,
    has_keys,
    has_main_result,
    is_arithmetic,
    is_short,
    is_stage,
)
from .twins import Alternative


class GraphBody:
    """A body that is being made. `values` has the value of each number."""

    def __init__(self, graph: Graph, callees: Callees) -> None:
        self.graph = graph
        self.callees = callees
        self.statements: list[Any] = []
        self.values: list[Value] = []
        self.pending: dict[int, Any] = {}
        """What is written where its tensor is used, by the value's id."""
        self.numbers: dict[int, int] = {}
        self.declared = {id(shared): shared.label for shared in (*graph.declares, *graph.modules)}
        self.shared: set[int] = set()
        self.tuples: dict[tuple[int, ...], int] = {}
        """The numbers of tuples that loops make, by the ids of their tensors."""
        self.kept: list[Value] = []
        self.uses = _uses(graph)

    def make(self) -> Body:
        """The body."""
        graph = self.graph
        for value in graph.inputs:
            self.number(value)
        if graph.kind == "model":
            self._declare_inputs()
        self.nodes()
        results = tuple(self._result(value) for value in graph.outputs)
        if graph.training_outputs is not None:
            results = (InMode(tuple(map(self.named, graph.training_outputs)), results),)
        return Body(len(graph.inputs), tuple(self.statements), results)

    def within(self, graph: Graph) -> Self:
        """The body of a graph whose text is inside of this one's, with numbers of this one."""
        made = type(self)(graph, self.callees)
        made.values = self.values
        return made

    def nodes(self) -> None:
        """Writes all nodes, those that repeat as loops."""
        self._write(self.graph.nodes)

    def _write(self, nodes: Sequence[Node]) -> None:
        for node in repeated(nodes, self._stage, self.uses):
            if not isinstance(node, Repeated):
                self._node(node)
            elif node.carried is None:
                self._grow(node)
            else:
                self._define(node.outputs, extend_chain(self.taken(node.inputs[node.carried]), self._loop(node)))

    def _declare_inputs(self) -> None:
        """Declares the inputs in their order. The last one has no name if it has none in the graph: `input` is no name in a text."""
        inputs = self.graph.inputs
        for number, value in enumerate(inputs):
            if value is inputs[-1] and self.uses.get(id(value)) == 1 and value.name in ("", "input"):
                self.pending[id(value)] = Declaration(number)
            else:
                self.statements.append(Assign((number,), Declaration(number)))

    def number(self, value: Value) -> int:
        self.numbers[id(value)] = len(self.values)
        self.values.append(value)
        return self.numbers[id(value)]

    # --- nodes --------------------------------------------------------------------------------------------------------

    def _node(self, node: Node) -> None:
        if isinstance(node, Alternative):
            self._write_alternative(node)
            return
        if isinstance(node, CallNode) and node.scan is not None:
            states, own = node.scan.states, node.scan.own_count
            loop = scanned(self, node)
            head = self._head(node.inputs[states:own])
            unread = [None] * (len(loop.results) - len(node.outputs) + states)
            self._define((*node.outputs[states:], *unread, *node.outputs[:states]), Chain(head, (loop,)))
            return
        if isinstance(node, CallNode) and node.graph.iteration is not None:
            self._open(node)
            return
        if isinstance(node, CallNode) and (passed := self.callees.optional(node)) is not None:
            self._call(node, *passed)
            return
        if isinstance(node, OpNode) and isinstance(node.op, ParameterOf):
            self._write_stage(node.op.path if node.shared is None else SharedStage(node.shared.label))
        constant = constant_of(node) if isinstance(node, OpNode) else None
        self._define(node.outputs, constant if constant is not None else self._computed(node))

    def _open(self, node: CallNode) -> None:
        """Writes the nodes of an iteration that is in no loop."""
        graph = node.graph
        self.uses |= _uses(graph)
        for inner, outer in zip(graph.inputs, node.inputs, strict=True):
            self.numbers[id(inner)] = self.named(outer).number
        self._write(graph.nodes)
        for inner, outer in zip(graph.outputs, node.outputs, strict=True):
            self.numbers[id(outer)] = self.named(inner).number

    def _write_alternative(self, node: Alternative) -> None:
        """Writes what depends on whether the optional input is given."""
        refs = list(map(self.named, node.inputs))
        count = len(node.graph.inputs)
        given = self._branch(node.graph, refs[:count], node.is_given)
        otherwise = self._branch(node.otherwise, refs[count:], not node.is_given)
        (value,) = node.outputs
        self.statements.append(Assign((self.number(value),), IfGiven(refs[0], given, otherwise)))

    def _branch(self, graph: Graph, inputs: Sequence[Ref], is_taken: bool) -> Steps:
        """A branch of an alternative. Where it is not taken, it has no literals, so that it makes no parameters."""
        branch = self.within(graph)
        branch.numbers = {id(value): ref.number for value, ref in zip(graph.inputs, inputs, strict=True)}
        branch.nodes()
        result = branch.taken(graph.outputs[0])
        steps = Steps(tuple(branch.statements), result)
        return steps if is_taken else rewrite_downward(steps, lambda part: Slot(()) if isinstance(part, Literal) else None)

    def _call(self, node: CallNode, name: OptionalInput, taken: Taken) -> None:
        """A call that passes an optional tensor by its name. What else the block returns is not used."""
        tree = self._applied(self._stage(node), [node.inputs[at] for at in taken.inputs], (name,))
        outputs: list[Value | None] = [None] * name.results
        for at, value in zip(taken.results, node.outputs, strict=True):
            outputs[at] = value
        self._define(outputs, tree)

    def _write_stage(self, stage: str | SharedStage) -> None:
        """Writes what is still to be written with a stage, as its parameter is read: the stage comes before."""
        pending = {key for key, tree in self.pending.items() if has_part(tree, lambda part: is_stage(part, stage))}
        for value in (v for node in self.graph.nodes for v in node.outputs) if pending else ():
            if id(value) in pending:
                self.named(value)

    def _computed(self, node: Node) -> Any:
        if isinstance(node, OpNode):
            written = self._by_mode(node) if isinstance(node.op, ByMode) else self._arithmetic(node)
            if written is not None:
                return written
        return self._applied(self._stage(node), node.inputs, named_operands(node.op) if isinstance(node, OpNode) else ())

    def _stage(self, node: Node) -> Any:
        """The node as a stage without its tensors; an iteration over several lists as its body."""
        if isinstance(node, CallNode) and node.graph.iteration is not None:
            return with_templates(type(self)(node.graph, self.callees).make(), node.graph.iteration)
        if node.shared is not None and id(node.shared) in self.declared:
            return self._use(node)
        return stage_of(node) if isinstance(node, OpNode) else self.callees.callee(node)

    def _use(self, node: Node) -> Stage:
        """A use of a shared stage, which is declared before the first one."""
        assert node.shared is not None
        self.declare(node.shared, node)
        return Stage(SharedStage(self.declared[id(node.shared)]))

    def declare(self, module: SharedModule, use: Node) -> None:
        """Declares a shared stage, which is what a use of it is, unless it is declared."""
        if id(module) not in self.shared:
            self.shared.add(id(module))
            stage = stage_of(use) if isinstance(use, OpNode) else self.callees.callee(use)
            self.statements.append(Shared(module.label, unlabeled(stage)))

    def _by_mode(self, node: OpNode) -> Any:
        """A tensor that is computed differently in training. If one way continues the other, `if` has only the further stages."""
        training, evaluation = node.inputs
        further = self.pending.get(id(evaluation))
        if isinstance(further, Chain) and id(training) not in self.pending and further.head == Ref(self.numbers[id(training)]):
            del self.pending[id(evaluation)]
            return Chain(further.head, (InTraining(Chain(Given(), further.stages), negated=True),))
        found = self.pending.get(id(training))
        head = self.named(evaluation) if id(evaluation) in self.pending and found is not None else self.taken(evaluation)
        if isinstance(found, Chain) and found.head == head:
            del self.pending[id(training)]
            return Chain(head, (InTraining(Chain(Given(), found.stages)),))
        return extend_chain(head, InTraining(self.named(training)))

    def _arithmetic(self, node: OpNode) -> Any:
        """The operator between its operands, if it has a symbol and no other arguments. A boolean, and a number that is not finite, have no
        text there."""
        op = node.op
        if op.prefix_symbol and len(node.inputs) == 1 and not op.scalars:
            return Prefix(op.prefix_symbol, self.operand(node.inputs[0]))
        if not op.symbol or len(node.inputs) + len(op.scalars) != 2 or not set(op.args) <= {"other", "reverse"}:
            return None
        if any(isinstance(number, bool) or (isinstance(number, float) and not isfinite(number)) for number in op.scalars):
            return None
        operands: list[Any] = [self.operand(value) for value in node.inputs] + [Literal(number, "by") for number in op.scalars]
        first, second = reversed(operands) if op.number_first else operands
        return Binary(op.symbol, first, second)

    def _applied(self, stage: Any, inputs: Sequence[Value], named: Sequence[Any] = ()) -> Any:
        """The stage on its tensors."""
        own = len(inputs) - len(named)
        if named:
            tensors = tuple((name, self._argument(value)) for name, value in zip(named, inputs[own:], strict=True))
            stage = Stage(stage.callee, stage.arguments, tensors, stage.activation, stage.label)
        if not own:
            return Chain(None, (stage,))
        return extend_chain(self._head(inputs[:own]), stage)

    def _grow(self, run: Repeated) -> None:
        """A loop whose result is a tuple: it gets a name."""
        loop = Loop(run.over, run.binders, Growing(run.stage), run.label, run.start)
        tree = extend_chain(self._head(run.inputs), loop)
        whole = Value(run.outputs[0].type, self.graph.span, "features")
        self.tuples[tuple(map(id, (*run.inputs, *(o for node in run.nodes for o in node.outputs))))] = self.number(whole)
        self.statements.append(Assign((self.numbers[id(whole)],), tree))
        self.kept.append(whole)

    def _head(self, inputs: Sequence[Value]) -> Any:
        """Tensors as the beginning of a pipeline."""
        whole = self.tuples.get(tuple(map(id, inputs)))
        if whole is not None:
            return Ref(whole)
        return self.taken(inputs[0]) if len(inputs) == 1 else TupleOf(self._tuple(inputs))

    def _loop(self, run: Repeated) -> Any:
        """A loop over the nodes of a run: its stages are alike but for the literals of the loop."""
        items = [Given() if index == run.carried else self.named(value) for index, value in enumerate(run.inputs)]
        passed = self.callees.optional(run.nodes[0]) if isinstance(run.nodes[0], CallNode) else None
        body: Any
        if isinstance(run.stage, Body):
            body = self._iteration(run, run.stage, [given.number if isinstance(given, Ref) else None for given in items])
        elif passed is None:
            body = apply_stage(items, run.stage)
        else:
            name, taken = passed
            *items, last = (items[at] for at in taken.inputs)
            stage = replace(run.stage, tensors=((name, last),), label=None if name.results == 1 else "_")
            body = apply_stage(items, stage) if name.results == 1 else Picked(apply_stage(items, stage), taken.results[0], name.results)
        return Loop(run.over, run.binders, body, run.label, run.start)

    def _iteration(self, run: Repeated, body: Body, inputs: Sequence[int | None]) -> Any:
        """The body of iterations, with numbers of this body; None is the tensor that the iteration before gives."""
        assert isinstance(run.nodes[0], CallNode)
        making = type(self)(run.nodes[0].graph, self.callees)
        making.make()
        fresh = self.number(run.nodes[0].graph.inputs[run.carried or 0])
        numbers = {at: fresh if number is None else number for at, number in enumerate(inputs)}
        numbers |= {at: self.number(value) for at, value in enumerate(making.values) if at >= len(inputs)}
        return steps_of(renumber_tensors(body, numbers), fresh, fresh)

    # --- tensors ------------------------------------------------------------------------------------------------------

    def _define(self, outputs: Sequence[Value | None], tree: Any) -> None:
        """Gives the results of a tree to what uses them; None is a result that no value is."""
        used = [v for v in outputs if v is not None and self.uses.get(id(v))]
        if not used and has_part(tree, has_keys):
            self.statements.append(Assign((None,) * len(outputs), tree))  # for its keys
            return
        if len(outputs) > 1 and not (used and used[0] is outputs[0] and len(used) == 1 and has_main_result(tree)):
            numbers = tuple(self.number(v) if v in used and v is not None else None for v in outputs)
            self.statements.append(Assign(numbers, tree))
        elif used and self.uses.get(id(used[0])) == 1 and not isinstance(tree, (Param, Table)):
            self.pending[id(used[0])] = tree
        elif used:
            self.statements.append(Assign((self.number(used[0]),), tree))

    def taken(self, value: Value) -> Any:
        """The tensor as the beginning of a pipeline."""
        found = self.pending.pop(id(value), None)
        return Ref(self.numbers[id(value)]) if found is None else found

    def operand(self, value: Value) -> Any:
        """The tensor as part of arithmetic or a tuple: what is long gets a name before."""
        found = self.pending.get(id(value))
        if found is not None and not is_short(found):
            del self.pending[id(value)]
            self.statements.append(Assign((self.number(value),), found))
        return self.taken(value)

    def _argument(self, value: Value) -> Any:
        """The tensor as one that is given by name: a name, or arithmetic of names."""
        return self.taken(value) if is_arithmetic(self.pending.get(id(value), Given())) else self.named(value)

    def _tuple(self, inputs: Sequence[Value]) -> tuple[Any, ...]:
        """The tensors as a tuple. If they are long together, the computed ones get names. So does a pipeline that begins with a tuple,
        because nested tuples are hard to read: the decoder of a U-Net would be one expression."""
        for value in inputs:
            if begins_with_tuple(self.pending.get(id(value))):
                self.named(value)
        pending = [self.pending[id(value)] for value in inputs if id(value) in self.pending]
        if len(pending) > 1 and sum(map(count_stages, pending)) > LONGEST:
            return tuple(self.named(value) if count_stages(self.pending.get(id(value))) > 1 else self.taken(value) for value in inputs)
        return tuple(self.operand(value) for value in inputs)

    def named(self, value: Value) -> Ref:
        """The tensor by its name, which it gets now if it has none."""
        found = self.pending.pop(id(value), None)
        if found is not None:
            self.statements.append(Assign((self.number(value),), found))
        return Ref(self.numbers[id(value)])

    def _result(self, value: Value) -> Any:
        if self.graph.kind == "model" and id(value) in self.pending and self._has_name(value):
            tree = self.pending.pop(id(value))
            self.statements.append(Assign((self.number(value),), tree))
        return self.taken(value)

    def _has_name(self, value: Value) -> bool:
        names = self.graph.output_names[self.graph.outputs.index(value)]
        return len(self.graph.outputs) > 1 or names != "output"


def _uses(graph: Graph) -> dict[int, int]:
    """The number of times that each value is taken."""
    found: dict[int, int] = {}
    for value in (*(v for node in graph.nodes for v in node.inputs), *graph.outputs, *(graph.training_outputs or ())):
        found[id(value)] = found.get(id(value), 0) + 1
    return found
