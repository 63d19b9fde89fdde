"""Notes on integers that need 64 bits, which JAX has only with an option.

>>> import netc
>>> list_wide_numbers(netc.compile("x = input 4 int64; x * 5000000000").program)
('`mul` has the number 5000000000, which does not fit into 32 bits: set `jax_enable_x64`',)
"""

from __future__ import annotations

from ...ir.graph import OpNode, Program
from ...ir.walk import collect_graphs


def list_wide_numbers(program: Program) -> tuple[str, ...]:
    """Return a sentence for each operator that has an integer beyond 32 bits as an argument."""
    nodes = (node for graph in collect_graphs(program.main) for node in graph.nodes if isinstance(node, OpNode))
    numbers = ((node.op.name, number) for node in nodes for number in node.op.args.values() if type(number) is int)
    wide = dict.fromkeys((name, number) for name, number in numbers if not -(2**31) <= number < 2**31)
    return tuple(f"`{name}` has the number {number}, which does not fit into 32 bits: set `jax_enable_x64`" for name, number in wide)
