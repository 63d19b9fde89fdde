"""The words of a train section's settings, and what only looks like a setting.

In: statements of a section, as they are written. Out: what is found in them. Always: nothing is evaluated.
"""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.source import Span

from ...ops import Operator

NAMED = ("optimizer", "schedule", "data", "validate")
"""What is followed by a name: an optimizer, a schedule, a format of data."""
OF_OPTIMIZERS = {"lr": "lr", "learning_rate": "lr", "weight_decay": "weight_decay", "momentum": "momentum", "betas": "betas"}
"""Words that are often taken for settings, with the argument of the optimizer that is meant."""
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


def mistaken(statement: ast.Statement) -> bool:
    """Whether a statement is meant as a setting and is another."""
    return assigned(statement) is not None or (isinstance(statement, ast.Flow) and arithmetic(statement.pipeline.head) is not None)


def assigned(statement: ast.Statement) -> tuple[str, str] | None:
    """The setting, or the argument of an optimizer, that is written as a tensor, `epochs = 3`, and what it is set to."""
    match statement:
        case ast.Assign(targets=(name,), unpack=False, value=ast.Pipeline(head=head, stages=())):
            return (name.name, head.span.text) if _is_set(name.name, head) else None
    return None


def _is_set(word: str, head: ast.Tensor) -> bool:
    """Whether what follows the `=` is no tensor: a number, or `adamw lr=1e-3` after a word that a name follows."""
    match head:
        case ast.Scalar():
            return word in SETTINGS or word in OF_OPTIMIZERS
        case ast.Apply(called=False):
            return word in NAMED and bool(head.positional or head.keywords) and head.name not in Operator.registry
    return False
