"""Passes that rewrite the graph into the form of a Python module, before any code is made.

In: a checked program. Out: copies of its graphs that compute the same values: `rotary` of six layers becomes one computation of the angles
and six rotations. Always: the program itself and the keys of the state dict stay as they are, and a pass depends only on passes before it.
With NETC_DEBUG set, the result is verified, as every program is.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ....definitions import expand_operators
from ....ir.copy_graph import copy_graphs
from ....ir.graph import CallNode, Graph, Program
from ....ir.verify import verify_program
from ....ops.operator import Operator
from ..code.framework import Framework
from .differentiated_tensors import merge_gradients, require_gradients
from .hoisting import hoist_constants
from .lowered_operators import lower_operators
from .model_casts import insert_casts
from .recursion_levels import unify_level_symbols


def lower_program(program: Program, has_kernel: Callable[[type[Operator]], bool], framework: Framework) -> Graph:
    """Return the main graph, ready to be written. Operators without a kernel become calls of their definitions."""
    order = expand_operators(copy_graphs(program.main), program.facts, has_kernel)
    main = order[-1]
    # Before the operators are lowered: operators of two levels of one block must be equal to be hoisted as one.
    unify_level_symbols(order)
    lower_operators(order, program.facts)
    merge_gradients(order)
    require_gradients(order)
    hoist_constants(order, framework)
    # After hoisting, so that a table that all layers share is converted once.
    insert_casts(order)
    for graph in order:
        # The passes added and removed nodes; the sizes decide which classes are worth writing.
        graph.size = sum(node.graph.size if isinstance(node, CallNode) else 1 for node in graph.nodes)
    if os.environ.get("NETC_DEBUG"):
        verify_program(Program(main, program.facts, program.symbols, program.conditions, program.dims))
    return main
