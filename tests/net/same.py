"""Whether two programs compute the same, operator by operator."""

from __future__ import annotations

from collections.abc import Hashable

from netc.compiler.ir.flat import FlatGraph, FlatNode
from netc.compiler.ir.graph import Program


def signature(program: Program) -> list[int]:
    """A number for each output: of the operators that compute it, with the keys of their parameters."""
    known: dict[int, Hashable] = {i: ("input", i, value.type) for i, value in enumerate(program.main.inputs)}
    flat = FlatGraph(program.main)
    for item in flat:
        assert isinstance(item, FlatNode), "loops at run time are compared by their results"
        node = item.node
        path = item.path if any(s.persistent for s in node.specs) or node.tie else ""
        tie = None if node.tie is None else (node.tie.name, node.tie.path, node.tie.target_name)
        key = hash((node.op.identity(), path, tie, node.frozen and bool(node.specs), tuple(known[i] for i in item.inputs)))
        for place, output in enumerate(item.outputs):
            known[output] = hash((key, place))
    return [hash(known[i]) for i in flat.results()]
