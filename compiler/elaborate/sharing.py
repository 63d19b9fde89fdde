"""Shared stages: one set of parameters, whatever uses them."""

from __future__ import annotations

from typing import Any

from netc.dsl.source import Span

from ..errors.structure import SharedConflict
from ..ir.graph import CallNode, Graph, OpNode, SharedModule, join
from ..ir.types import show_shape
from .session import Session
from .values import Failure


def check_shared(module: SharedModule, specs: dict[str, Any], span: Span, session: Session) -> None:
    """Every use must have the parameters of the first."""
    span = session.uses[-1] if session.uses else span
    first = session.shared_specs.setdefault(id(module), (specs, span))
    for name in {**first[0], **specs}:
        one, other = first[0].get(name), specs.get(name)
        if one != other:
            problem = SharedConflict(module.label, name or "value", *_say(one, other))
            raise Failure(problem, span, ((first[1], "first used here"),))


def _say(*specs: Any) -> tuple[str, ...]:
    """The two, by what differs: shapes, or types too."""
    plain = len({s[1] for s in specs if s is not None}) < 2
    return tuple("absent" if s is None else show_shape(s[0]) + ("" if plain else f" {s[1]}") for s in specs)


def specs_within(graph: Graph) -> dict[str, Any]:
    """The shapes of all parameters inside a graph, by their names from there."""
    found: dict[str, Any] = {}
    stack: list[tuple[Graph, str]] = [(graph, "")]
    while stack:
        current, prefix = stack.pop()
        for node in current.nodes:
            path = join(prefix, node.label)
            if node.shared is not None and all(m is not node.shared for m in current.declares):
                continue
            if isinstance(node, OpNode):
                found.update({join(path, s.name): (s.shape, s.dtype) for s in node.specs})
            elif isinstance(node, CallNode):
                stack.append((node.graph, path))
    return found
