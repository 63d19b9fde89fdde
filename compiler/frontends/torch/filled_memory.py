"""Proves that memory with arbitrary contents, as `torch.empty` makes it, is written completely before anything reads it.

    outputs = torch.empty_like(inputs)
    outputs[:, self.first] = a             # buffers, such as [0, 2, 4]
    outputs[:, self.second] = b            # and [1, 3, 5]

In: the node that makes the memory, and the tensors whose elements are known: constants, and buffers of the state dict. Out: whether each
element is written. Always: the answer is no if an index is unknown, or a tensor is read before its last element is written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch
from torch.fx import Node

from .node_targets import is_operator, operator_name
from .views import is_in_place

_LARGEST = 2**24
"""Elements: larger memory is left to the structural check."""


def is_filled(memory: Node, find_values: Callable[[Node], torch.Tensor | None]) -> bool:
    """Return whether writes by index tensors fill the memory before its first reader."""
    shape = memory.meta["val"].shape
    # A symbolic axis cannot be indexed by known numbers, so one element stands for all of them.
    written = torch.zeros([size if isinstance(size, int) else 1 for size in shape], dtype=torch.bool)
    if written.numel() > _LARGEST:
        return False
    aliases = {memory}
    for node in memory.graph.nodes:
        if aliases.isdisjoint(node.all_input_nodes):
            continue
        if _is_index_write(node) and node.args[0] in aliases and node.args[2] not in aliases:
            if not _mark_written(written, node, find_values):
                return False
        elif not _is_whole_slice(node):
            break
        aliases.add(node)
    return bool(written.all())


def _is_whole_slice(node: Node) -> bool:
    """Return whether a node is the `x[:]` that `x[:, index] = y` begins with."""
    return is_operator(node) and operator_name(node) == "slice" and node.args[2:3] == (0,) and node.args[3:] == (sys.maxsize,)


def _is_index_write(node: Node) -> bool:
    return is_operator(node) and operator_name(node) == "index_put" and is_in_place(node)


def _mark_written(written: torch.Tensor, write: Node, find_values: Callable[[Node], torch.Tensor | None]) -> bool:
    """Mark the elements that a node writes. False if its indices are unknown, or select from a symbolic axis."""
    indices = write.args[1]
    assert isinstance(indices, list | tuple)
    shape = write.meta["val"].shape
    known: list[torch.Tensor] = []
    for axis, index in enumerate(indices):
        values = torch.arange(written.shape[axis]) if index is None else find_values(index) if isinstance(index, Node) else None
        if values is None or (index is not None and not isinstance(shape[axis], int)) or values.dtype != torch.int64 or values.dim() != 1:
            return False
        known.append(values)
    # Two index tensors select pairs, and not all combinations.
    if sum(index is not None for index in indices) != 1:
        return False
    written[torch.meshgrid(*known, indexing="ij")] = True
    return True
