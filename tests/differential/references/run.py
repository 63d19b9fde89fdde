"""Whole models by the references: what PyTorch makes of a typed graph when a person writes each of its operators.

In: a program, the weights by state-dict name, its input tensors and the sizes of its symbolic dimensions. Out: its results. Always:
nothing of netc's backends takes part; the graph says which operators there are, with which arguments, on which tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from netc.compiler.dims import SymDim, evaluate
from netc.compiler.ir.graph import FlatGraph, OpNode, Program, join
from netc.compiler.ir.types import DType
from netc.compiler.ops import Operator
from netc.compiler.ops.formula import BinaryFormula, CallFormula, Const, UnaryFormula
from netc.compiler.ops.mode import ByMode
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
    values = list(tensors)
    flat = FlatGraph(program.main)
    with torch.no_grad():
        for use in flat:
            node = use.node
            own = {spec.name: state[name] for spec in node.specs if (name := join(use.path, spec.name)) in state}
            call = Call(arguments(node.op, sizes) | KNOWN.get(node.op.name, _nothing)(node), len(node.outputs), own)
            values += results(reference_of(node), call, [values[key] for key in use.inputs])
    return [values[key] for key in flat.results()]


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
            return evaluate(value, sizes)
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
