"""List labels and the parameters of labeled stages, for completion.

>>> from .workspace import Workspace
>>> workspace = Workspace()
>>> workspace.open_text("/a.net", "input 3 -> dense 3 as first -> dense 3 tie=")
>>> list_labels(workspace.check_text("/a.net"), 43)
['first']
"""

from __future__ import annotations

from netc.compiler.ir.graph import OpNode
from netc.compiler.ir.walk import collect_graphs
from netc.dsl import ast
from netc.dsl.tree_walk import find_enclosing_nodes

from .checked_text import CheckedText


def list_labels(checked: CheckedText, offset: int) -> list[str]:
    """List the labels in the body that contains an offset, which `tie=` may name."""
    bodies = [node for node in find_enclosing_nodes(checked.file, offset) if isinstance(node, ast.Body)]
    start, end = (bodies[-1].span.start, bodies[-1].span.end) if bodies else (0, len(checked.source.text))
    inside = [token for token in checked.tokens if start <= token.start < end and token.type == "LABEL"]
    labels = [token.text.split(maxsplit=1)[1] for token in inside]
    return list(dict.fromkeys(label for label in labels if "{" not in label))


def list_stage_parameters(checked: CheckedText, label: str) -> tuple[str, ...]:
    """List the parameters of the stage with this label. If the text has errors, the version before its last change is used."""
    for version in (checked, checked.previous):
        program = version.view.program if version is not None else None
        if program is not None:
            nodes = [n for graph in collect_graphs(program.main) for n in graph.nodes if isinstance(n, OpNode) and n.label == label]
            names = tuple(dict.fromkeys(spec.name for node in nodes for spec in node.specs))
            if names:
                return names
    return ()
