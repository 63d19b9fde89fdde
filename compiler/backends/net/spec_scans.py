"""Writes loops at run time: the statements of a step, and the new values of its states.

In: a call that is a scan, and the body around it. Out: a `Scanned`. Always: a step's tensors have numbers of the body around it. The
states get their new values last, so that everything else in the step reads the old ones. A loop of which only the last states are used
returns a state, because a body needs a result.

    >>> import netc
    >>> from .spec_source import write_program
    >>> text = "x = input [T, 3]; start = input 3; x -> scan (h = start) axis=1 { h = h + in; out h }"
    >>> print(write_program(netc.compile(text).program), end="")
    x = input [T, 3]
    start = input 3
    x -> scan (h = start) axis=1 {
      h = h + in
    }
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self

from netc.dsl.trees import has_part, rewrite_downward, rewrite_upward

from ...errors.target_errors import SpecUnsupported, UnsupportedByTarget
from ...ir.graph import CallNode, Graph, Node, SharedModule
from ...ir.graph_values import Value
from .spec_tree import Assign, Given, ListOf, Literal, Ref, Scanned

Trees = tuple[Any, ...]


class StepBody(Protocol):
    """The part of a `GraphBody` that this module uses."""

    graph: Graph
    statements: list[Any]
    pending: dict[int, Any]
    numbers: dict[int, int]
    uses: dict[int, int]
    declared: dict[int, str]
    shared: set[int]

    def make_inner_body(self, graph: Graph) -> Self: ...

    def add_nodes(self) -> None: ...

    def number_tensor(self, value: Value) -> int: ...

    def take_operand(self, value: Value) -> Any: ...

    def name_tensor(self, value: Value) -> Ref: ...

    def take_tensor(self, value: Value) -> Any: ...

    def declare_shared(self, module: SharedModule, use: Node) -> None: ...


def make_scan(around: StepBody, node: CallNode) -> Scanned:
    """Make the loop, without the tensors that it scans."""
    scan, graph = node.scan, node.graph
    assert scan is not None
    # A `scan` in a text stacks all results along the first axis that it names.
    if len({*scan.stacked, scan.axes[0]}) > 1:
        raise UnsupportedByTarget(SpecUnsupported("a loop at run time with results along other axes"), node.span)
    starts = [around.take_operand(value) for value in node.inputs[: scan.states]]
    step = around.make_inner_body(graph)
    for inner, module in zip(graph.modules, node.modules, strict=True):
        _share_stage(around, step, inner, module, node)
    for value, outer in zip(graph.inputs[scan.own_count :], node.inputs[scan.own_count :], strict=True):
        step.numbers[id(value)] = around.name_tensor(outer).number
    states = [step.number_tensor(value) for value in graph.inputs[: scan.states]]
    _name_scanned(step, scan.states, scan.own_count)
    step.add_nodes()
    for value in graph.outputs[scan.states :]:  # a pending tree would be written after the states have their new values
        if id(value) in step.pending and any(_uses_number(step.pending[id(value)], state) for state in states):
            step.name_tensor(value)
    new = [_keep_state(step, step.name_tensor(value), value, state, states) for state, value in zip(states, graph.outputs, strict=False)]
    results = tuple(step.take_tensor(value) for value in graph.outputs[scan.states :])
    results = tuple(_name_result(step, result, value, states) for result, value in zip(results, graph.outputs[scan.states :], strict=True))
    statements, results, last = _reuse_state_numbers(step.statements, results, states, [ref.number for ref in new])
    if not results:  # a body needs a result; nothing reads it, so no backend computes it
        results = (Ref(next(n for n, v in zip(states, graph.inputs, strict=False) if v.type.rank >= scan.axes[0])),)
    axes = ListOf(tuple(Literal(axis, "axis") for axis in scan.axes)) if len(set(scan.axes)) > 1 else Literal(scan.axes[0], "axis")
    started = tuple(zip(states, starts, strict=True))
    return Scanned(started, axes, Literal(scan.reverse, "reverse", False), (*statements, *last), results)


def _share_stage(around: StepBody, step: StepBody, inner: SharedModule, outer: SharedModule, node: CallNode) -> None:
    """Let the step use a shared stage of the body around it, which declares it before the loop."""
    use = next((user for user in node.graph.nodes if user.shared is inner), None)
    if use is None:
        raise UnsupportedByTarget(SpecUnsupported("a loop at run time that passes a shared stage on"), node.span)
    around.declare_shared(outer, use)
    step.declared[id(inner)] = outer.label
    step.shared.add(id(inner))


def _keep_state(step: StepBody, ref: Ref, value: Value, state: int, states: Sequence[int]) -> Ref:
    """Return the new value of a state. If it is the old value of another state, it gets a name of its own, since that state changes
    too."""
    if ref.number == state or ref.number not in states:
        return ref
    number = step.number_tensor(Value(value.type, value.span, value.name))
    step.statements.append(Assign((number,), ref))
    return Ref(number)


def _name_result(step: StepBody, result: Any, value: Value, states: Sequence[int]) -> Any:
    """Name a result that is computed from old values of the states, before they get their new values."""
    if not any(_uses_number(result, state) for state in states):
        return result
    number = step.number_tensor(Value(value.type, value.span, value.name))
    step.statements.append(Assign((number,), result))
    return Ref(number)


def _name_scanned(step: StepBody, first: int, end: int) -> None:
    """Name the slices of the scanned tensors that a step gets."""
    slices = step.graph.inputs[first:end]
    if len(slices) == 1 and step.uses.get(id(slices[0])) == 1:
        step.pending[id(slices[0])] = Given()
    elif any(step.uses.get(id(value)) for value in slices):
        step.statements.append(Assign(tuple(step.number_tensor(v) if step.uses.get(id(v)) else None for v in slices), Given()))


def _reuse_state_numbers(
    statements: Sequence[Any], results: Trees, states: Sequence[int], new: Sequence[int]
) -> tuple[Trees, Trees, Trees]:
    """Give a state's own number to its new value, if nothing needs the old one afterwards. Return the statements, the results, and
    statements that assign the other states."""
    step, last = (tuple(statements), results), list[Any]()
    for state, value in zip(states, new, strict=True):
        position = next((k for k, statement in enumerate(step[0]) if isinstance(statement, Assign) and value in statement.numbers), None)
        if (
            position is None
            or value in states
            or new.count(value) > 1
            or _uses_number(step[0][position + 1 :], state)
            or _uses_number(step[1], state)
        ):
            if value != state:
                last.append(Assign((state,), Ref(value)))
        else:
            step = rewrite_downward(_assign_state(step, value, state), lambda part, v=value, s=state: Ref(s) if part == Ref(v) else None)  # type: ignore[misc]
    return step[0], step[1], tuple(last)


def _assign_state(step: Any, value: int, state: int) -> Any:
    def change(part: Any) -> Any:
        if isinstance(part, Assign) and value in part.numbers:
            return Assign(tuple(state if n == value else n for n in part.numbers), part.value)
        return None

    return rewrite_upward(step, change)


def _uses_number(tree: Any, number: int) -> bool:
    return has_part(tree, lambda part: part == Ref(number))
