"""The words of a train section's settings, and what only looks like a setting.

In: statements of a section, as they are written. Out: what is found in them. Always: nothing is evaluated.
"""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.source import Span

NAMED = ("optimizer", "schedule", "data", "validate")
"""What is followed by a name: an optimizer, a schedule, a format of data."""
REPEATED = ("group", "freeze", "keep", "draw")
SETTINGS = (
    "optimizer",
    "group",
    "schedule",
    "epochs",
    "steps",
    "batch",
    "clip",
    "ema",
    "freeze",
    "keep",
    "data",
    "validate",
    "draw",
    "seed",
)
"""All of them, in the order of the documentation."""


def arithmetic(head: ast.Tensor) -> tuple[str, Span] | None:
    """The setting that an expression begins with, and the part of it that is the argument."""
    left, op = head, ""
    while isinstance(left, ast.TensorBinary):
        op, left = left.op, left.left
    if not op or not isinstance(left, ast.Apply) or left.name not in SETTINGS:
        return None
    arguments = [a.span for a in (*left.positional, *(k.value for k in left.keywords)) if not (op == "-" and isinstance(a, ast.Name))]
    start = max((a.start for a in arguments), default=left.span.end)
    text = head.span.file.text[start : head.span.end]
    return left.name, Span(head.span.file, start + len(text) - len(text.lstrip()), head.span.end)
