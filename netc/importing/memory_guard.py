"""Refuses to run a model whose tensors do not fit into memory.

A file of 2 kB may join a tensor with itself 41 times. Importing it takes no memory, since only the shapes are computed. Running it for the
proof would take all memory of the machine, and might end other processes.

    >>> import netc
    >>> (node,) = netc.compile("x = input [T, 8]; x -> relu").program.main.nodes
    >>> _count_bytes(node, {"N": 1, "T": 1000})
    64000
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from netc.compiler.dims import evaluate_dim, free_symbols
from netc.compiler.frontends.imported_model import ImportFailed, Obstacle
from netc.compiler.ir.graph import Node, Program
from netc.compiler.ir.walk import collect_graphs
from netc.compiler.types.tensor_types import TensorType

_MEMORY_INFO = Path("/proc/meminfo")
_AVAILABLE = "MemAvailable:"


def require_memory(program: Program, sizes: Mapping[str, int]) -> None:
    """Raise `ImportFailed` if the inputs and results of a stage need more bytes than the machine has left.

    Args:
        program: The model.
        sizes: The sizes of its symbolic dimensions. Tensors that depend on others are not counted.
    """
    most = read_available_memory()
    if most is None:
        return
    for graph in collect_graphs(program.main):
        for node in graph.nodes:
            needed = _count_bytes(node, sizes)
            if needed > most:
                where = ", ".join(f"{name}={size}" for name, size in sizes.items())
                tensors = f"takes and makes tensors of {needed / 2**30:.3g} GiB{f' with {where}' if where else ''}"
                why = f"{tensors}, and {most / 2**30:.3g} GiB are left"
                help = "`--no-verify` imports it without a comparison"
                raise ImportFailed((Obstacle("the comparison", f"needs more memory than there is: a stage {why}", node.label or "", help),))


def read_available_memory() -> int | None:
    """Return the bytes that processes may still take, or all bytes of the machine if the system does not say. None if nothing is known."""
    try:
        for line in _MEMORY_INFO.read_text().splitlines():
            # This counts caches as available, because the system frees them on demand.
            if line.startswith(_AVAILABLE):
                return int(line.split()[1]) << 10
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):  # other systems have no such file, and Windows no sysconf
        return None


def _count_bytes(node: Node, sizes: Mapping[str, int]) -> int:
    # A tensor that a node reads twice is in memory once.
    tensors = {id(value): value for value in (*node.inputs, *node.outputs)}
    return sum(_count_tensor_bytes(value.type, sizes) for value in tensors.values())


def _count_tensor_bytes(type_: TensorType, sizes: Mapping[str, int]) -> int:
    total = type_.dtype.size
    for dim in type_.shape:
        total *= evaluate_dim(dim, dict(sizes)) if free_symbols(dim) <= sizes.keys() else 1
    return total
