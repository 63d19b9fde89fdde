"""Finds the assignments of Python source. The file is parsed and never run.

    >>> _targets_of_line("q, k, v = qkv.chunk(3)")
    ('q', 'k', 'v')

In: a line of a stack trace, and whether its file may be read. Out: the statement at that line with the names that it binds. Always: a file
that has changed since, or is not Python, has no statements. A line with several assignments has no targets.
"""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Iterator
from functools import lru_cache

from netc.dsl.record import Record

_FRAME = re.compile(r'File "([^"\n]+)", line (\d+), in ([^\n]+)\n(?: {4}([^\n]*))?')


class Statement(Record):
    """A statement by its first line. `targets` are the names that it binds, with an empty name for a target that is no variable.
    `parameters` are the parameters of its function that it reads before anything rebinds them, in the order of the text."""

    line: int
    targets: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()


class Frame(Record):
    """A function that was running, and the statement at which it was."""

    file: str
    function: str
    statement: Statement


@lru_cache(maxsize=20_000)
def parse_frames(trace: str, *, read: bool) -> tuple[Frame, ...]:
    """Parse the frames of a stack trace, the outermost first. Without `read`, no file is opened, and the quoted lines are the only
    source."""
    result: list[Frame] = []
    for file, line, function, text in _FRAME.findall(trace):
        statement = _find_statement(file, int(line), text) if read else None
        result.append(Frame(file, function, statement or Statement(int(line), _targets_of_line(text))))
    return tuple(result)


def _find_statement(file: str, line: int, text: str) -> Statement | None:
    """Return the statement at a line, or None if the file has changed there."""
    # Line numbers of a changed file would give names of other statements.
    if linecache.getline(file, line).strip() != text.strip():
        return None
    return _parse_statements(file).get(line)


@lru_cache(maxsize=200)
def _parse_statements(file: str) -> dict[int, Statement]:
    """Map each line to its innermost statement."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    result: dict[int, Statement] = {}
    for statement, passed in _walk_statements(tree, frozenset()):
        parsed = Statement(statement.lineno, _assigned_targets(statement), tuple(_read_parameters(statement, passed)))
        # A stack trace may name any line of a statement that spans several.
        for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1):
            result[line] = _merge_statements(result[line], parsed) if line in result and _is_simple(statement) else parsed
    return result


def _merge_statements(before: Statement, later: Statement) -> Statement:
    """Merge the statements of one line: `x = f(x); kept.append(x)` assigns to x, and `a = f(x); b = g(a)` has no single target."""
    if later.line != before.line:
        return later
    several = {targets for targets in (before.targets, later.targets) if targets}
    return Statement(later.line, several.pop() if len(several) == 1 else (), tuple(dict.fromkeys(before.parameters + later.parameters)))


def _walk_statements(tree: ast.AST, passed: frozenset[str]) -> Iterator[tuple[ast.stmt, frozenset[str]]]:
    """Yield all statements, outer ones first, with the parameters of their function that no earlier statement has rebound."""
    # After an assignment to it, a name no longer means the argument that was passed.
    unbound = passed
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.stmt):
            yield child, unbound
        yield from _walk_statements(child, _parameter_names(child) if isinstance(child, ast.FunctionDef) else unbound)
        unbound -= {node.id for node in ast.walk(child) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _parameter_names(function: ast.FunctionDef) -> frozenset[str]:
    arguments = function.args
    return frozenset(
        argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs) if argument.arg != "self"
    )


def _read_parameters(statement: ast.stmt, passed: frozenset[str]) -> Iterator[str]:
    """Yield the parameters that a statement reads. Of a compound statement only the head counts: its body consists of other statements."""
    parts = [statement] if _is_simple(statement) else [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.expr)]
    names = [node for part in parts for node in ast.walk(part) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    yield from dict.fromkeys(node.id for node in sorted(names, key=lambda node: (node.lineno, node.col_offset)) if node.id in passed)


def _is_simple(statement: ast.stmt) -> bool:
    return not hasattr(statement, "body")


def _targets_of_line(text: str) -> tuple[str, ...]:
    """Return the targets of a line that is a statement by itself."""
    try:
        body = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # One line of a longer statement does not parse by itself.
        return ()
    return _assigned_targets(body[0]) if len(body) == 1 else ()


def _assigned_targets(statement: ast.stmt) -> tuple[str, ...]:
    """Return the names that an assignment binds. For `a = b = x` this is `a`."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=items) | ast.List(elts=items), *_]):
            return tuple(item.id if isinstance(item, ast.Name) else "" for item in items)
        case ast.Assign(targets=[target, *_]) | ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return (target.id,) if isinstance(target, ast.Name) else ()
    return ()
