"""What PyTorch writes in another way than the spec is rewritten in the graph, before any code is made.

In: a checked program. Out: copies of its graphs that compute the same. Always: the program itself stays as it is; the keys of the state
dict stay; the passes depend on each other in this order only.
"""

from __future__ import annotations

from ....ir.graph import Graph, Program
from .conversions import convert
from .graphs import copied
from .hoisting import hoist
from .operators import expand


def lowered(program: Program) -> Graph:
    """The main graph, ready to be written."""
    order = copied(program.main)
    expand(order, program.facts)
    hoist(order)
    convert(order)
    return order[-1]
