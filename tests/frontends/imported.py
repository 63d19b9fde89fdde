"""A PyTorch module against what netc imports of it: the same keys, the same numbers in PyTorch and in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from netc.compiler.frontends.imported_model import Imported
from netc.compiler.frontends.torch import from_module
from netc.compiler.ir.graph import Node, OpNode, Program
from netc.compiler.ir.walk import collect_graphs
from netc.model import Model


def imported(module: nn.Module, inputs: Any, dims: Mapping[str | int, Any] | None = None) -> Imported:
    """What is imported, with a label for each stage, as the backends need them."""
    found = from_module(module.eval(), inputs, dims)
    label(found.program)
    return found


def agree(module: nn.Module, *inputs: Any, dims: Mapping[str | int, Any] | None = None, onnx: bool = True, close: float = 1e-5) -> Imported:
    """Imports with the first inputs, and compares on all of them."""
    return compare(imported(module, inputs[0], dims), module, *inputs, onnx=onnx, close=close)


def compare(found: Imported, module: nn.Module, *inputs: Any, onnx: bool = True, close: float = 1e-5) -> Imported:
    """Compares on all of the inputs what was imported, whose stages have labels."""
    model = Model(found.program)
    made = model.module(found.weights).eval()
    session = model.session(found.weights) if onnx else None
    for one in inputs:
        args, kwargs = arguments(one)
        with torch.no_grad():
            wanted = tensors(module(*args, **kwargs))
            given = tensors((args, kwargs))
            same(tensors(made(*given)), wanted, close)
        if session is not None:
            results = session(*(tensor.numpy() for tensor in given))
            arrays = list(results.values()) if isinstance(results, dict) else [results]
            same([torch.from_numpy(np.asarray(array)) for array in arrays], wanted, 10 * close)
    return found


def same(found: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor], close: float) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, rtol=close, atol=close, equal_nan=True)


def arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(inputs, dict):
        return (), inputs
    return (inputs if isinstance(inputs, tuple) else (inputs,)), {}


def tensors(value: Any) -> list[torch.Tensor]:
    """All tensors in a result, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [tensor for inner in value.values() for tensor in tensors(inner)]
    if isinstance(value, list | tuple):
        return [tensor for inner in value for tensor in tensors(inner)]
    return []


def label(program: Program) -> None:
    """Gives each stage without a label one of its own: the way out to text does that in its own way."""
    for graph in collect_graphs(program.main):
        used = {node.label for node in graph.nodes}
        for node in graph.nodes:
            if node.label or node.shared is not None or _is_named(node):
                continue
            name = (node.op.name if isinstance(node, OpNode) else node.graph.name).lower()
            number = next(n for n in range(1, len(used) + 2) if f"{name}{n}" not in used)
            node.label = f"{name}{number}"
            used.add(node.label)


def _is_named(node: Node) -> bool:
    """Whether its parameters are directly below the name of the graph."""
    return isinstance(node, OpNode) and any(spec.persistent and spec.name for spec in node.specs)


def operators(program: Program) -> list[str]:
    """The names of all operators. A graph that is called several times counts once."""
    return [node.op.name for graph in collect_graphs(program.main) for node in graph.nodes if isinstance(node, OpNode)]
