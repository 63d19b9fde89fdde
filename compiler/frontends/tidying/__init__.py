"""Rewrites an imported graph as a person would write it: one operator for several, and nothing without an effect.

`x * rsqrt(mean(x ** 2) + eps) * weight` becomes `rms_norm`, and a mask `j <= i` becomes `attention causal=true`.

In: a program. Out: the same program, changed in place. Always: keys, inputs and outputs stay as they are. Results change by rounding at
most, which the proof of the import checks against the original.
"""

from __future__ import annotations

from ...ir.graph import Program
from ...ir.walk import collect_graphs
from ..graph_view import GraphView
from .dead_code import count_operators, remove_dead_code
from .embedding_positions import add_position_bounds
from .fold_masks import simplify_masks
from .fold_rotary import fold_rotary
from .frozen_params import declare_frozen_params
from .iterations import extract_iterations
from .single_operator_modules import dissolve_calls
from .tables import TableFolder, merge_equal_tables
from .torch_patterns import PATTERNS
from .weights_as_params import turn_weights_into_params


def tidy_program(program: Program) -> None:
    """Rewrite each graph by the patterns, and remove dead code."""
    remove_dead_code(program.main)
    for graph in collect_graphs(program.main):
        view = GraphView(graph, program.facts)
        for pattern in PATTERNS:
            for node in list(graph.nodes):
                pattern(view, node)
    fold_rotary(program)
    for graph in collect_graphs(program.main):
        TableFolder(GraphView(graph, program.facts)).fold_tables()
    # Masks are recognized by their formulas, so all tables must be folded by now.
    simplify_masks(program)
    add_position_bounds(program)
    remove_dead_code(program.main)
    # Only now do some modules consist of one operator, such as a norm that a person wrote by hand.
    dissolve_calls(program.main)
    extract_iterations(program.main)
    # An iteration has a graph of its own by now, in which its table stays.
    for graph in collect_graphs(program.main):
        merge_equal_tables(graph, program.facts)
    turn_weights_into_params(program.main)
    declare_frozen_params(program.main)
    count_operators(program.main)
