"""Derive what each output depends on, operator by operator.

In: a program and a claim. Out: a `Derivation` with the cause of each leak. Always: an operator without a rule is analyzed by its
definition, by the axes that its streaming rule mixes, or by the operators that its derivative is computed from. Otherwise, each element of
its result depends on all of its inputs.

A caller may analyze stages of some classes by rules of its own, to ask about the rest of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from netc.dsl.record import Record, replace

from ..definitions import Definitions
from ..definitions.expand_definitions import has_definition_for
from ..derivatives.differentiable_forms import find_form
from ..ir.graph import CallNode, Graph, OpNode, Program, Scan
from ..ir.graph_values import Value
from ..ops.operator import Operator
from ..streaming.rule_table import find_mixed_axes
from ..types.tensor_types import BOOL, Shape, show_shape
from .abstract_tensors import AbstractTensor, Cause
from .assumptions import Assumptions
from .claims import Claim, Setting, make_input, make_setting, settle_output
from .counted_positions import counts_positions
from .element_facts import Fact, unite_labels
from .loop_positions import find_step_factor, make_step_input, stack_steps, take_last_state
from .position_axes import STEP, Factor, make_axis
from .position_order import join_earlier
from .position_relations import COUNT, LEAK, OTHER, Groups, Hidden
from .proof_rules import Rule, find_rule
from .rule_site import RuleSite
from .tensor_positions import Positions


class Derivation(Record):
    """`causes` has an entry for each output: None if the claim is proved for it, or the stage that leaks. `covered` are the inputs with
    positions. `inputs` and `outputs` are the abstract tensors by name. `hiding_stage`: see `Assumptions`."""

    claim: Claim
    setting: Setting
    causes: Mapping[str, Cause | None]
    covered: tuple[str, ...]
    assumptions: tuple[str, ...]
    risks: tuple[str, ...]
    inputs: Mapping[str, AbstractTensor]
    outputs: Mapping[str, AbstractTensor]
    first_visible: bool = False
    hiding_stage: Cause | None = None

    @property
    def is_proved(self) -> bool:
        return not any(self.causes.values())

    @property
    def proved_count(self) -> int:
        """The number of outputs for which the claim is proved."""
        return sum(cause is None for cause in self.causes.values())


OwnRules = Mapping[type[Operator], Rule]
"""Rules of the caller for stages of these classes."""


def derive_claim(program: Program, claim: Claim, *, training: bool = False) -> Derivation:
    """Derive whether a claim holds for each output, in evaluation or in training. If that proves more, the derivation assumes that hidden
    positions are the last ones of a sample. Raises `ClaimRefused` if the claim says nothing about the program."""
    setting = make_setting(program, claim)
    derivation = _derive_setting(program, claim, setting, training)
    if derivation.is_proved or claim.verb != "ignores":
        return derivation
    leaks = dict.fromkeys(cause.operator for cause in derivation.causes.values() if cause is not None)
    ordered = _derive_setting(program, claim, replace(setting, relation=Hidden(ordered=True)), training, tuple(leaks))
    return ordered if ordered.proved_count > derivation.proved_count else derivation


def find_mixing_stage(
    program: Program, positions: Shape, own_rules: OwnRules, *, training: bool = False, counted: bool = False
) -> Cause | None:
    """Find the stage that lets an output at a position depend on other positions, such as `[N, T]`. None if each position is proved to be
    computed on its own, in evaluation or in training. `own_rules` say what the caller assumes of some stages. `counted`: see `Groups`."""
    setting = Setting(Groups(meeting=LEAK, counted=counted), positions, None)
    derivation = _derive_setting(program, Claim("separates", show_shape(positions)), setting, training, own_rules=own_rules)
    return next((cause for cause in derivation.causes.values() if cause is not None), None)


def _derive_setting(
    program: Program,
    claim: Claim,
    setting: Setting,
    training: bool,
    leaks: tuple[str, ...] = (),
    own_rules: OwnRules = MappingProxyType({}),
) -> Derivation:
    positions = Positions(setting.relation, tuple(setting.shape[axis] for axis in setting.roles), program.facts)
    assumptions = Assumptions()
    assumptions.unordered_leaks = leaks
    assumptions.binary = setting.mask is not None and claim.verb == "ignores" and setting.mask.type.dtype != BOOL
    main = program.main
    inputs = {value.name: make_input(positions, setting, value) for value in main.inputs}
    interpreter = _Interpreter(positions, assumptions, Definitions(program.facts), training, own_rules)
    values = main.training_outputs if training and main.training_outputs is not None else main.outputs
    results = interpreter.run_graph(main, list(inputs.values()), values)
    # Outputs that exist in training only have no names.
    names = [*main.output_names, *(f"output {number + 1}" for number in range(len(main.output_names), len(values)))][: len(values)]
    outputs = {name: settle_output(positions, result) for name, result in zip(names, results, strict=True)}
    return Derivation(
        claim,
        setting,
        {name: _find_cause(positions, tensor, value) for (name, tensor), value in zip(outputs.items(), values, strict=True)},
        tuple(value.name for value in main.inputs if value is not setting.mask and setting.is_covered(value.type)),
        assumptions.describe(claim.name),
        tuple(assumptions.risks),
        inputs,
        outputs,
        assumptions.first,
        assumptions.hiding_stage,
    )


def _find_cause(positions: Positions, tensor: AbstractTensor, value: Value) -> Cause | None:
    return (tensor.cause or Cause(value.name, value.span)) if positions.measure_leak(tensor) else None


class _Interpreter:
    """Runs graphs on abstract tensors. `owner` is the stage of the model in whose definition the interpreter is."""

    def __init__(
        self, positions: Positions, assumptions: Assumptions, definitions: Definitions, training: bool, own_rules: OwnRules
    ) -> None:
        self.positions, self.assumptions, self.definitions, self.training = positions, assumptions, definitions, training
        self.own_rules = own_rules

    def run_graph(
        self, graph: Graph, inputs: Sequence[AbstractTensor], outputs: Sequence[Value], owner: OpNode | None = None
    ) -> list[AbstractTensor]:
        known = {id(value): tensor for value, tensor in zip(graph.inputs, inputs, strict=True)}
        for node in graph.nodes:
            arguments = [known[id(value)] for value in node.inputs]
            if isinstance(node, OpNode):
                results = self.run_operator(node, arguments, owner or node)
            elif node.scan is not None:
                results = self.run_scan(node, node.scan, arguments, owner)
            else:
                results = self.run_graph(node.graph, arguments, node.graph.outputs, owner)
            known.update({id(value): tensor for value, tensor in zip(node.outputs, results, strict=False)})
        return [known[id(value)] for value in outputs]

    def run_operator(self, node: OpNode, inputs: Sequence[AbstractTensor], owner: OpNode) -> list[AbstractTensor]:
        own_rule = self.own_rules.get(type(node.op)) if node is owner else None
        rule, has_rule = own_rule or find_rule(node.op), True
        definition = self._find_definition(node) if rule is None else None
        # The formulas of definitions use sizes and indices to move elements.
        counts = self.positions.relation.counted and node is owner and self._counts_positions(node)
        site = RuleSite(node, owner, inputs, self.positions, self.assumptions, self.training)
        if definition is not None:
            results = self.run_graph(definition, inputs, definition.outputs, owner)
            if not counts:
                return results
        elif rule is not None:
            results = list(rule(site))
        elif (mixed := find_mixed_axes(node.op)) is not None:
            results = site.mix_axes([mixed(node.op, site.given, index) for index in range(len(inputs))])
        else:
            results, has_rule = site.forget_positions(), False
        results = [self.positions.depend_on_count(tensor) for tensor in results] if counts else results
        stage = Cause(owner.op.name, owner.span, has_rule, label=owner.label)
        return [self._explain_leak(tensor, inputs, stage) for tensor in results]

    def _counts_positions(self, node: OpNode) -> bool:
        return counts_positions(node.op, self.positions.whole, [value.type.shape for value in node.inputs])

    def _find_definition(self, node: OpNode) -> Graph | None:
        """Return the definition of an operator, or the operators that its derivative is computed from if nothing says which axes it
        mixes."""
        if has_definition_for(node.op, node.inputs, self.positions.sizes):
            return self.definitions.get_definition(node)
        form = find_form(node) if find_mixed_axes(node.op) is None else ""
        return self.definitions.get_definition(node, form) if form else None

    def _explain_leak(self, tensor: AbstractTensor, inputs: Sequence[AbstractTensor], stage: Cause) -> AbstractTensor:
        leak = self.positions.measure_leak(tensor)
        if not leak:
            return replace(tensor, cause=None) if tensor.cause is not None else tensor
        # Where a leak follows a meeting of groups, which a mask could still undo, it is the cause.
        before = next((x.cause for x in inputs if x.cause is not None and self.positions.measure_leak(x) >= leak), None)
        labels = unite_labels(tensor.facts.values())
        meets = isinstance(self.positions.relation, Groups) and labels.isdisjoint({OTHER, COUNT})
        return replace(tensor, cause=before or replace(stage, meets=meets, counts=COUNT in labels and OTHER not in labels))

    def run_scan(self, node: CallNode, scan: Scan, inputs: Sequence[AbstractTensor], owner: OpNode | None) -> list[AbstractTensor]:
        """Run a loop until what is known of its states no longer changes."""
        graph, positions = node.graph, self.positions
        scanned_axes = [x.axes[axis] for x, axis in zip(inputs[scan.states : scan.own_count], scan.axes, strict=True)]
        step = None if scan.reverse else find_step_factor(positions, scanned_axes)
        if step is not None:
            return self._run_steps(node, scan, step, inputs, owner)
        where = _blame_loop(node, owner)
        scanned = [self._slice_steps(x, axis, where) for x, axis in zip(inputs[scan.states : scan.own_count], scan.axes, strict=True)]
        states, captured = [_join_states(positions, [x]) for x in inputs[: scan.states]], list(inputs[scan.own_count :])
        while True:
            results = self.run_graph(graph, [*states, *scanned, *captured], graph.outputs, owner)
            joined = [_join_states(positions, pair) for pair in zip(states, results[: scan.states], strict=True)]
            if all(a.axes == b.axes and a.facts == b.facts for a, b in zip(states, joined, strict=True)):
                break
            states = joined
        steps = make_axis(scan.length)
        stacked = [
            positions.move_axes(x, [*range(axis), steps, *range(axis, x.rank)])
            for x, axis in zip(results[scan.states :], scan.stacked, strict=True)
        ]
        return [*states, *stacked]

    def _run_steps(
        self, node: CallNode, scan: Scan, step: Factor, inputs: Sequence[AbstractTensor], owner: OpNode | None
    ) -> list[AbstractTensor]:
        """Run a loop over positions in order. A state depends on what the position of its step and earlier ones have."""
        graph, positions = node.graph, self.positions
        inner = Positions(positions.relation, positions.whole, positions.sizes, in_step=True)
        interpreter = _Interpreter(inner, self.assumptions, self.definitions, self.training, self.own_rules)
        axes = [*[None] * scan.states, *scan.axes, *[None] * (len(inputs) - scan.own_count)]
        made = [make_step_input(positions, inner, x, axis, step) for x, axis in zip(inputs, axes, strict=True)]
        states, others = [_join_states(inner, [x]) for x in made[: scan.states]], made[scan.states :]
        while True:
            results = interpreter.run_graph(graph, [*states, *others], graph.outputs, owner)
            joined = [_join_states(inner, pair) for pair in zip(states, results[: scan.states], strict=True)]
            joined = [join_earlier(inner, x, [STEP]) for x in joined]
            if all(a.axes == b.axes and a.facts == b.facts for a, b in zip(states, joined, strict=True)):
                break
            states = joined
        stacked = zip(results[scan.states :], scan.stacked, strict=True)
        left = [
            *(take_last_state(positions, inner, x) for x in states),
            *(stack_steps(positions, inner, x, axis, step, scan.length) for x, axis in stacked),
        ]
        where = _blame_loop(node, owner)
        return [replace(x, cause=x.cause or where) if positions.measure_leak(x) else x for x in left]

    def _slice_steps(self, x: AbstractTensor, axis: int, where: Cause) -> AbstractTensor:
        """Return the slice that any of the steps gets."""
        sliced = self.positions.remove_axes(self.positions.reduce(x, (axis,)), (axis,))
        return replace(sliced, cause=x.cause or where) if self.positions.measure_leak(sliced) else sliced


def _blame_loop(node: CallNode, owner: OpNode | None) -> Cause:
    stage = owner or node
    return Cause("scan" if owner is None else owner.op.name, stage.span, label=stage.label)


def _join_states(positions: Positions, tensors: Sequence[AbstractTensor]) -> AbstractTensor:
    """Return what holds of a state before and after a step. Values are not tracked, because they may change in every step."""
    return positions.combine(tensors, lambda facts: Fact(depends=unite_labels(facts)))
