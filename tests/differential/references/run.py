"""Whole models by the references: what PyTorch makes of a typed graph when a person writes each of its operators.

In: a program, the weights by state-dict name, its input tensors and the sizes of its symbolic dimensions. Out: its results. Always:
nothing of netc's backends takes part; the graph says which operators there are, with which arguments, on which tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from netc.compiler.dims import SymDim, evaluate_dim
from netc.compiler.ir.flat_graph import FlatGraph, FlatItem, FlatNode, FlatScan, FlatScanEnd
from netc.compiler.ir.graph import OpNode, Program
from netc.compiler.ir.walk import join_labels
from netc.compiler.ops import Operator
from netc.compiler.ops.formula import BinaryFormula, CallFormula, Const, UnaryFormula
from netc.compiler.ops.mode import ByMode
from netc.compiler.ops.parameter_of import ParameterOf
from netc.compiler.types.tensor_types import DType
from tests.differential.references import REFERENCES
from tests.differential.references.call import Call


def _nothing(node: OpNode) -> dict[str, Any]:
    return {}


def _ones(node: OpNode) -> dict[str, Any]:
    """The axes that are 1 whatever the sizes of the inputs are."""
    return {"axis": tuple(axis for axis, size in enumerate(node.inputs[0].type.shape) if size == 1)} if node.op.args["axis"] is None else {}


KNOWN: dict[str, Callable[[OpNode], dict[str, Any]]] = {
    "squeeze": _ones,
}
"""Additional arguments of a PyTorch call that would otherwise depend on sizes known only at run time: without axes, `torch.squeeze` takes
away a batch of 1 too, and a graph whose shapes are known beforehand cannot."""

State = Mapping[str, torch.Tensor]


def outputs(program: Program, state: State, tensors: Sequence[torch.Tensor], sizes: Mapping[str, int]) -> list[torch.Tensor]:
    """The model's results, in inference."""
    return evaluated(program, state, tensors, sizes)[0]


def evaluated(
    program: Program, state: State, tensors: Sequence[torch.Tensor], sizes: Mapping[str, int]
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The model's results, in inference, and all tensors of the graph. Of loops at run time, these are the tensors of the last step."""
    flat = FlatGraph(program.main)
    items = list(flat)
    # Only a gradient needs the graph that autograd keeps.
    keeps = any(isinstance(item, FlatNode) and item.node.op.name == "gradient" for item in items)
    values = {i: tensor.detach().requires_grad_(keeps and tensor.is_floating_point()) for i, tensor in enumerate(tensors)}
    with torch.set_grad_enabled(keeps):
        _run(items, values, state, sizes)
    return [values[key].detach() for key in flat.output_keys()], [value.detach() for value in values.values()]


def attached_outputs(program: Program, state: State, tensors: Sequence[torch.Tensor], sizes: Mapping[str, int]) -> list[torch.Tensor]:
    """The model's results with the graph that autograd keeps, for tensors that require gradients."""
    flat = FlatGraph(program.main)
    values = dict(enumerate(tensors))
    _run(list(flat), values, state, sizes)
    return [values[key] for key in flat.output_keys()]


def _run(items: Sequence[FlatItem], values: dict[int, torch.Tensor], state: State, sizes: Mapping[str, int]) -> None:
    """Adds to the `values` what the items make."""
    at = 0
    while at < len(items):
        item = items[at]
        if isinstance(item, FlatNode):
            node = item.node
            if isinstance(node.op, ParameterOf):
                stage = join_labels(item.owner, node.op.path) if node.shared is None else item.path
                values[item.outputs[0]] = state[join_labels(stage, node.op.parameter)]
                at += 1
                continue
            own = {spec.name: state[name] for spec in node.specs if (name := join_labels(item.path, spec.name)) in state}
            call = Call(arguments(node.op, sizes) | KNOWN.get(node.op.name, _nothing)(node), len(node.outputs), own)
            made = results(reference_of(node), call, [values[key] for key in item.inputs])
            values.update(zip(item.outputs, made, strict=True))
        elif isinstance(item, FlatScan):
            start, at = at + 1, _end(items, at)
            end = items[at]
            assert isinstance(end, FlatScanEnd)
            _loop(item, items[start:at], end, values, lambda body: _run(body, values, state, sizes))
        at += 1


def _end(items: Sequence[FlatItem], at: int) -> int:
    """The index of the end of the loop that begins at an index."""
    depth = 0
    while True:
        depth += isinstance(items[at], FlatScan) - isinstance(items[at], FlatScanEnd)
        if not depth:
            return at
        at += 1


def _loop(
    begun: FlatScan,
    body: Sequence[FlatItem],
    end: FlatScanEnd,
    values: dict[int, torch.Tensor],
    run: Callable[[Sequence[FlatItem]], None],
) -> None:
    scan = begun.node.scan
    assert scan is not None
    given = [values[key] for key in begun.inputs]
    states, scanned = given[: scan.states], given[scan.states :]
    found: list[list[torch.Tensor]] = []
    steps = range(scanned[0].shape[scan.axes[0]])
    for step in reversed(steps) if scan.reverse else steps:
        parts = [tensor.select(axis, step) for tensor, axis in zip(scanned, scan.axes, strict=True)]
        values.update(zip(begun.step_inputs, (*states, *parts), strict=True))
        run(body)
        made = [values[key] for key in end.step_outputs]
        states = made[: scan.states]
        found.append(made[scan.states :])
    found = found[::-1] if scan.reverse else found
    stacked = [torch.stack(list(parts), axis) for parts, axis in zip(zip(*found, strict=True), scan.stacked, strict=True)]
    values.update(zip(end.outputs, (*states, *stacked), strict=True))


def reference_of(node: OpNode) -> Callable[..., Any]:
    """The reference of a node's operator; of either of two values, that in evaluation."""
    return (lambda call, training, evaluation: evaluation) if isinstance(node.op, ByMode) else REFERENCES[node.op.name]


def results(reference: Callable[..., Any], call: Call, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Those that are wanted, the first of all that there are."""
    return flat_tensors(reference(call, *tensors))[: call.results]


def flat_tensors(found: Any) -> list[torch.Tensor]:
    """PyTorch nests results: `(output, (h, c))`."""
    if isinstance(found, torch.Tensor):
        return [found]
    return [tensor for part in found for tensor in flat_tensors(part)]


def arguments(op: Operator, sizes: Mapping[str, int] | None = None) -> dict[str, Any]:
    """The arguments as PyTorch takes them: integers for sizes, `torch.float32` for an element type."""
    return {name: resolved(value, sizes or {}) for name, value in op.args.items()}


def resolved(value: Any, sizes: Mapping[str, int]) -> Any:
    match value:
        case SymDim():
            return evaluate_dim(value, sizes)
        case DType(name):
            return getattr(torch, name)
        case tuple():
            return tuple(resolved(part, sizes) for part in value)
        case Const(number):
            return Const(resolved(number, sizes))
        case UnaryFormula(sign, operand):
            return UnaryFormula(sign, resolved(operand, sizes))
        case BinaryFormula(sign, left, right):
            return BinaryFormula(sign, resolved(left, sizes), resolved(right, sizes))
        case CallFormula(function, parts):
            return CallFormula(function, resolved(parts, sizes))
    return value
