"""Find stages that need more of a text than the token at their own position, and so cannot run with a cache or with padding.

In: a program of tokens `[N, T]`. Out: what is wrong, in words for users, empty if nothing is. Always: transformers has a mask of padding
and a cache for attention alone, and numbers positions by `position_ids` alone. In a step of decoding, T is 1.

For example, `cumsum axis=1` and `x / T` are refused; `dense`, a norm of the features, and `attention` are not.
"""

from __future__ import annotations

from collections.abc import Set

from ....analysis.sample_dependence import collect_size_symbols
from ....ir.graph import Graph, OpNode, Program
from ....ops.attention import Attention
from ....proofs import find_mixing_stage
from ....proofs.rules.attention import analyze_own_keys


def explain_mixed_positions(program: Program) -> str:
    """Explain which stage other than attention computes a position from others. `program` has the operators of the spec."""
    cause = find_mixing_stage(program, program.main.inputs[0].type.shape, {Attention: analyze_own_keys})
    if cause is None:
        return ""
    verb = "combines" if cause.has_rule else "may combine"
    why = "which only `attention` over [N, heads, T, features] can do with a cache and with padding"
    return f"`{cause.operator}` ({cause.span!r}) {verb} the positions of texts, {why}"


def explain_used_length(graph: Graph, symbols: Set[str], varying: Set[int]) -> str:
    """Explain which stage computes values from the length of the text, or from the number of each position. `graph` takes the positions
    already. `symbols` are the names in the length. `varying` are the ids of the inputs that depend on the tokens or on their positions."""
    known = set(varying)
    for node in graph.nodes:
        given = [id(v) in known for v in node.inputs]
        if isinstance(node, OpNode):
            if _uses_length(node, symbols, is_constant=not any(given)):
                return f"`{node.op.name}` ({node.span!r}) depends on the length of the text, which padding and a cache change"
            known |= {id(v) for v in node.outputs if any(given)}
            continue
        inner = {id(v) for v, is_varying in zip(node.graph.inputs, given, strict=True) if is_varying}
        if reason := explain_used_length(node.graph, symbols, inner):
            return reason
        known |= {id(v) for v in node.outputs if any(given)}
    return ""


def _uses_length(node: OpNode, symbols: Set[str], is_constant: bool) -> bool:
    """Whether values, and not only a shape, come from the length."""
    in_numbers = any(collect_size_symbols(number) & symbols for number in node.op.numbers)
    if is_constant:
        return in_numbers or any(collect_size_symbols(v.type.shape) & symbols for v in node.outputs)
    return in_numbers and node.op.pointwise
