"""The symbolic dimensions of a model: `input [N, T, 8]` declares `T`. (`N` is the batch, which every model has.)

>>> from netc.dsl.parser import parse_value
>>> from netc.dsl.source import SourceFile
>>> shape, _ = parse_value(SourceFile("<text>", "[T, 2 * WIDTH, 8]"))
>>> [name.name for name in names_in_shape(shape)]
['T', 'WIDTH']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from netc.dsl import ast


def dimension_names(
    inputs: Iterable[ast.InputDecl], statements: Iterable[ast.Statement], is_bound: Callable[[str], bool]
) -> list[ast.Name]:
    """Return each upper-case name in the shapes of inputs that nothing else binds: no `let` among the statements, and no definition around
    them (`is_bound`). A name that occurs twice is there twice."""
    lets = {s.name.name for s in statements if isinstance(s, ast.Let)}
    names = (name for node in inputs for name in names_in_shape(node.shape))
    # Upper case alone makes a dimension, so that a misspelled parameter in a shape is an unknown name and not a new dimension.
    return [n for n in names if n.name.isupper() and n.name not in lets and not is_bound(n.name)]


def inputs_of(statements: Iterable[ast.Statement]) -> Iterator[ast.InputDecl]:
    """The inputs of a model, in the order they are written."""
    stack: list[Any] = list(reversed([*statements]))
    while stack:
        node = stack.pop()
        match node:
            case ast.Apply():  # what most pipelines begin with
                continue
            case ast.InputDecl():
                yield node
            case ast.Assign(value=inner) | ast.Flow(pipeline=inner):
                stack.append(inner)
            case ast.Out(results=inner):
                stack += reversed(inner)
            case ast.Pipeline(head=head, stages=stages):
                # Only groups and branches among the stages can contain an input; an `input` after an arrow is an error of its own.
                stack += (*reversed([s for s in stages if isinstance(s, (ast.Group, ast.If))]), head)
            case ast.If(then=then, otherwise=otherwise):
                stack += (otherwise, then)
            case ast.Body(statements=inner):
                stack += reversed(inner)
            case ast.Group(members=members):
                stack += reversed(members)
            case ast.TensorBinary(left=left, right=right):
                stack += (right, left)
            case ast.TensorUnary(operand=inner):
                stack.append(inner)


def names_in_shape(shape: Any) -> Iterator[ast.Name]:
    """Every name in an expression that the expression does not bind itself."""
    stack = [shape]
    while stack:
        match stack.pop():
            case ast.Comprehension(item=item, clauses=clauses):
                bound = {name.name for clause in clauses if isinstance(clause, ast.ForClause) for name in clause.binders.names}
                parts = (item, *(clause.over if isinstance(clause, ast.ForClause) else clause for clause in clauses))
                yield from (name for part in parts for name in names_in_shape(part) if name.name not in bound)
            case ast.Name() as name:
                yield name
            case ast.Node() as node:
                stack += reversed([getattr(node, f) for f in node.__match_args__])
            case tuple() as nodes:
                stack += reversed(nodes)
