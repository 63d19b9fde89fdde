"""Whether two programs compute the same, operator by operator."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import torch

import netc
from netc.compiler.dims import Facts
from netc.compiler.ir.flat_graph import FlatGraph, FlatNode
from netc.compiler.ir.graph import CallNode, OpNode, Program
from netc.compiler.ir.walk import collect_graphs
from netc.compiler.ops.kinds import SizesKind
from netc.compiler.ops.operator import Operator, strict_key
from netc.compiler.ops.parametric import Parametric
from netc.importing.run_targets import flatten_tensors
from netc.inputs.random_inputs import choose_varied_shapes, draw_array


def signature(program: Program) -> list[int]:
    """A number for each output: of the operators that compute it, with the keys of their parameters."""
    known: dict[int, Hashable] = {i: ("input", i, value.type) for i, value in enumerate(program.main.inputs)}
    flat = FlatGraph(program.main)
    for item in flat:
        assert isinstance(item, FlatNode), "loops at run time are compared by their results"
        node = item.node
        path = item.path if any(s.persistent for s in node.specs) or node.tie else ""
        tie = None if node.tie is None else (node.tie.name, node.tie.path, node.tie.target_name)
        key = hash((_effective(node), path, tie, node.frozen and bool(node.specs), tuple(known[i] for i in item.inputs)))
        for place, output in enumerate(item.outputs):
            known[output] = hash((key, place))
    return [hash(known[i]) for i in flat.output_keys()]


def has_scan(model: netc.Model) -> bool:
    """Whether there is a loop at run time."""
    return any(isinstance(node, CallNode) and node.scan is not None for graph in collect_graphs(model.program.main) for node in graph.nodes)


def same_results(model: netc.Model, other: netc.Model) -> bool:
    """Whether both compute the same numbers with the same weights."""
    generator = np.random.default_rng(0)
    one = model.module(seed=1).eval()
    two = other.module(one.state_dict()).eval()
    for _, shapes in choose_varied_shapes(model.program, 2):
        inputs = [torch.from_numpy(draw_array(t.dtype, shapes[name], generator)) for name, t in model.inputs.items()]
        with torch.no_grad():
            pairs = zip(flatten_tensors(one(*inputs)), flatten_tensors(two(*inputs)), strict=True)
            if not all(torch.equal(a, b) for a, b in pairs):
                return False
    return True


def _effective(node: OpNode) -> Hashable:
    """The operator without the arguments that have no effect on this use."""
    op = node.op
    idle = set(op.find_unused_arguments())
    if isinstance(op, Parametric):
        idle |= set(op.find_unused_initializers(op.bind_inputs(tuple(v.type for v in node.inputs), Facts.empty())))
    if node.tie is not None:
        idle.add("init")
    return type(op), tuple((name, strict_key(_simplify_sizes(op, name))) for name in sorted(op.args) if name not in idle)


def _simplify_sizes(op: Operator, name: str) -> Any:
    """The argument, where `stride=[2, 2, 2]` is the same as `stride=2`."""
    value = op.args[name]
    is_uniform = (
        name in op.signature and isinstance(op.signature[name].kind, SizesKind) and isinstance(value, tuple) and len(set(value)) == 1
    )
    return value[0] if is_uniform else value
