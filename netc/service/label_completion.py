"""Labels and the parameters of labelled stages, for completion. In: a checked text and an offset. Out: names."""

from __future__ import annotations

from netc.compiler.ir.graph import OpNode
from netc.compiler.ir.walk import collect_graphs
from netc.dsl import ast
from netc.dsl.tree_walk import find_enclosing_nodes

from .checked_text import CheckedText


def list_labels(checked: CheckedText, offset: int) -> list[str]:
    """The labels in the body that an offset is in, which `tie=` may name."""
    bodies = [node for node in find_enclosing_nodes(checked.file, offset) if isinstance(node, ast.Body)]
    start, end = (bodies[-1].span.start, bodies[-1].span.end) if bodies else (0, len(checked.source.text))
    inside = [token for token in checked.tokens if start <= token.start < end and token.type == "LABEL"]
    labels = [token.text.split(maxsplit=1)[1] for token in inside]
    return list(dict.fromkeys(label for label in labels if "{" not in label))


def list_stage_parameters(checked: CheckedText, label: str, offset: int) -> tuple[str, ...]:
    """The names of the parameters that the stage with this label has, as the compiler found them last."""
    for version in (checked, checked.previous):
        program = version.view.program if version is not None else None
        if program is not None:
            nodes = [n for graph in collect_graphs(program.main) for n in graph.nodes if isinstance(n, OpNode) and n.label == label]
            names = tuple(dict.fromkeys(spec.name for node in nodes for spec in node.specs))
            if names:
                return names
    return ()
