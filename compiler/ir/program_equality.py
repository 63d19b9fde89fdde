r"""Compare two programs: their inputs, outputs, operators and parameters, in order. How they are divided into blocks does not matter.

>>> import netc
>>> block = netc.compile("block head { dense 4 as fc -> relu }\ninput 3 -> head as h").program
>>> is_same_program(block, netc.compile("input 3 -> dense 4 as h.fc -> relu").program)
True
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import zip_longest

from .flat_graph import FlatGraph, FlatItem, FlatNode, FlatScan
from .graph import OpNode, Program


def is_same_program(program: Program, other: Program) -> bool:
    """Whether two programs have equal inputs and outputs, and the same operators with the same keys, one after the other."""
    if _interface_key(program) != _interface_key(other):
        return False
    # `FlatGraph` numbers values in the order of computation, so equal keys mean equal connections.
    flat, others = FlatGraph(program.main), FlatGraph(other.main)
    pairs = zip_longest(flat, others)
    return (
        all(a is not None and b is not None and _item_key(a) == _item_key(b) for a, b in pairs)
        and flat.output_keys() == others.output_keys()
    )


def _interface_key(program: Program) -> Hashable:
    main = program.main
    # By their normal form: the texts in the two files may differ in spaces.
    conditions = tuple(str(condition) for condition, _ in program.conditions)
    inputs = tuple((value.name, value.type) for value in main.inputs)
    modes = None if main.training_outputs is None else len(main.training_outputs)
    return inputs, tuple(main.output_names), tuple(value.type for value in main.outputs), modes, program.symbols, conditions


def _item_key(item: FlatItem) -> Hashable:
    match item:
        case FlatNode():
            # The path of an operator without parameters is not in the state dict, so it may differ.
            return "node", *_operator_key(item.node), item.path if item.node.specs or item.node.tie else "", item.inputs, item.outputs
        case FlatScan():
            return "scan", item.node.scan, item.inputs, item.step_inputs
    return "end", item.step_outputs, item.outputs


def _operator_key(node: OpNode) -> tuple[Hashable, ...]:
    tie = None if node.tie is None else (node.tie.name, node.tie.path, node.tie.target_name)
    return node.op.identity_key(), node.specs, tie, node.frozen, tuple(value.type for value in node.outputs)
