"""Mistakes that can be made in a file: what a slip of the hand would change.

In: the text of a Python file. Out: `Mutation`s, each a replacement of bytes. Always: what cannot change behaviour stays (docstrings,
annotations, assertions, `zip(strict=...)`, `raise NotImplementedError`), and so do strings.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple


class Mutation(NamedTuple):
    """`new` instead of the bytes from `start` to `end`. `statement`: those are a whole statement, otherwise an expression."""

    start: int
    end: int
    new: str
    what: str
    statement: bool


Change = tuple[ast.AST, str, str]
"""What is replaced, by which text, and what that is called."""

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
EMPTY = {"str": "''", "tuple": "()", "list": "[]", "dict": "{}", "set": "set()", "frozenset": "frozenset()", "int": "0", "bool": "False"}
"""What a function gives instead of its result, by the head of its annotation."""
INERT_KEYWORDS = {"strict", "encoding"}


def mutations(text: bytes) -> list[Mutation]:
    """All mistakes of the file, in the order of its text."""
    place = _Places(text)
    return sorted({place.mutation(*change) for change in _Finder().run(ast.parse(text))})


def entrances(text: bytes) -> list[Mutation]:
    """What each function of the file runs first, as changes of nothing."""
    place = _Places(text)
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [place.mutation(first, "", "entrance") for node in functions if (first := _first(node)) is not None]


def _first(function: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST | None:
    """The first statement after the docstring; of one that holds others, the expression that is evaluated first, if there is one."""
    match function.body[1:] if ast.get_docstring(function) is not None else function.body:
        case [ast.If(test=part) | ast.While(test=part) | ast.For(iter=part) | ast.Match(subject=part), *_]:
            return part
        case [ast.With(items=[first, *_]), *_]:
            return first.context_expr
        case statements:
            return next((s for s in statements if not hasattr(s, "body") and not isinstance(s, ast.Match)), None)


class _Places:
    """Where the nodes of a text are in it, in bytes."""

    def __init__(self, text: bytes) -> None:
        self.lines = list(accumulate(map(len, text.splitlines(keepends=True)), initial=0))

    def mutation(self, node: ast.AST, new: str, what: str) -> Mutation:
        assert isinstance(node, (ast.expr, ast.stmt))
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start, end = self.lines[node.lineno - 1] + node.col_offset, self.lines[node.end_lineno - 1] + node.end_col_offset
        statement = isinstance(node, ast.stmt)
        return Mutation(start, end, new if statement or isinstance(node, ast.Constant) else f"({new})", what, statement)


class _Finder(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: list[Change] = []
        self.empty: list[str] = []
        """What the functions around would give instead of their results, innermost last."""

    def run(self, tree: ast.AST) -> list[Change]:
        self.visit(tree)
        return self.found

    def change(self, node: ast.AST, new: str | ast.AST, what: str) -> None:
        self.found.append((node, new if isinstance(new, str) else ast.unparse(new), what))

    # --- what is passed over ---------------------------------------------------------------------------------------------

    def visit_Assert(self, node: ast.Assert) -> None: ...

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Python 3.11 does not know the positions inside."""

    def visit_match_case(self, node: ast.match_case) -> None:
        for part in (*([node.guard] if node.guard is not None else []), *node.body):
            self.visit(part)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        decorators = {ast.unparse(d) for d in node.decorator_list}
        if "overload" in decorators or "abstractmethod" in decorators:
            return
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(default)
        self.empty.append(EMPTY.get(ast.unparse(node.returns).partition("[")[0], "None") if node.returns is not None else "None")
        for part in node.body:
            self.visit(part)
        self.empty.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    # --- statements ------------------------------------------------------------------------------------------------------

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) != "TYPE_CHECKING":
            self._negate(node.test)
            self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        if not isinstance(node.test, ast.Constant):
            self._negate(node.test)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self.change(node, "pass", "call left out")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets):
            self.change(node, "pass", "assignment left out")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.change(node, "pass", "assignment left out")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        if node.exc is not None and "NotImplementedError" not in ast.unparse(node.exc):
            self.change(node, "pass", "exception left out")
            self.generic_visit(node)

    def visit_Continue(self, node: ast.Continue) -> None:
        self.change(node, "pass", "`continue` left out")

    def visit_Break(self, node: ast.Break) -> None:
        self.change(node, "pass", "`break` left out")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self.change(node, "pass", "early return left out")
            return
        instead = self.empty[-1] if self.empty else "None"
        if ast.unparse(node.value) != instead:
            self.change(node.value, instead, "result replaced")
        self.visit(node.value)

    # --- expressions -----------------------------------------------------------------------------------------------------

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._negate(test)
        self.visit(node.iter)
        for test in node.ifs:
            self.visit(test)

    def visit_Compare(self, node: ast.Compare) -> None:
        for index, op in enumerate(node.ops):
            for other in COMPARISONS[type(op)]:
                ops = [*node.ops[:index], other(), *node.ops[index + 1 :]]
                self.change(node, ast.Compare(node.left, ops, node.comparators), "other comparison")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        self.change(node, ast.BoolOp(other, node.values), "`and` for `or`, or the reverse")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, (ast.Not, ast.USub)):
            self.change(node, node.operand, "sign or `not` left out")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        other = ARITHMETIC.get(type(node.op))
        if other is not None and (self.empty or not isinstance(node.op, (ast.BitOr, ast.BitAnd))):
            self.change(node, ast.BinOp(node.left, other(), node.right), "other arithmetic operator")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.change(node, str(not node.value), "other constant")
        elif isinstance(node.value, int):
            self.change(node, str(node.value + 1), "other constant")
            if node.value:
                self.change(node, str(node.value - 1), "other constant")

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in NAMES and isinstance(node.ctx, ast.Load):
            self.change(node, NAMES[node.id], "other function")

    def visit_Call(self, node: ast.Call) -> None:
        for index, keyword in enumerate(node.keywords):
            if keyword.arg is not None and keyword.arg not in INERT_KEYWORDS:
                rest = [*node.keywords[:index], *node.keywords[index + 1 :]]
                self.change(node, ast.Call(node.func, node.args, rest), f"argument `{keyword.arg}` left out")
        self.visit(node.func)
        for part in (*node.args, *(k.value for k in node.keywords if k.arg not in INERT_KEYWORDS)):
            self.visit(part)

    def _negate(self, test: ast.expr) -> None:
        if not isinstance(test, ast.Compare):  # those change by themselves
            self.change(test, ast.UnaryOp(ast.Not(), test), "condition negated")


# --- changed texts -----------------------------------------------------------------------------------------------------------


def mutated(text: bytes, mutation: Mutation) -> bytes:
    """The file with the mistake."""
    return text[: mutation.start] + mutation.new.encode() + text[mutation.end :]


def probed(text: bytes, numbered: list[tuple[int, Mutation]]) -> bytes:
    """The file with a call of `__hit__(number)` wherever the code that a mistake concerns is run. Lines stay where they are."""
    # Sorted by place; there, what closes before what opens, and what is longer before what is within it.
    insertions: list[tuple[int, int, int, int, str]] = []
    for number, m in numbered:
        if m.statement:
            insertions.append((m.start, 1, -m.end, 0, f"__hit__({number}); "))
        else:
            insertions.append((m.start, 1, -m.end, 1, f"(__hit__({number}) or ("))
            insertions.append((m.end, 0, -m.start, 1, "))"))
    done = 0
    parts: list[bytes] = []
    for place, *_, new in sorted(insertions):
        parts += [text[done:place], new.encode()]
        done = place
    return b"".join([*parts, text[done:]])


def statement_of(text: bytes, mutation: Mutation) -> Iterator[str]:
    """The lines that change, as a diff."""
    first = text.rfind(b"\n", 0, mutation.start) + 1
    last = text.find(b"\n", mutation.end)
    last = len(text) if last < 0 else last
    yield from (f"-{line}" for line in text[first:last].decode().splitlines())
    changed = text[first : mutation.start] + mutation.new.encode() + text[mutation.end : last]
    yield from (f"+{line}" for line in changed.decode().splitlines())
