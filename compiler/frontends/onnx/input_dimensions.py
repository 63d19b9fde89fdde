"""Names the symbolic dimensions of an ONNX model's inputs: `batch_size` becomes N, and `seq_len` becomes T.

In: the shapes of the inputs, whose sizes are numbers, names, texts such as `2*T`, -1, or missing. Out: a `Dim` for each. Always: a name
of the file is one symbol; symbols are upper case, `N` for the first axis.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count

from ...dims import Condition, Dim, OneOf, SymDim, WhereCondition, declare_dims, make_symbol, substitute_symbols, suggest_divisibility
from ...dims.polynomial import FloorQuotient, Quotient, Symbol, terms_of
from ...dims.where import Declared

_SYMBOL = re.compile(r"[A-Z][A-Z0-9_]*")
_BY_RANK = {2: ("N", "T"), 3: ("N", "T", "F"), 4: ("N", "C", "H", "W"), 5: ("N", "C", "D", "H", "W")}
_MEANINGS = (("batch", "N"), ("height", "H"), ("width", "W"), ("seq", "T"), ("time", "T"), ("length", "T"), ("past", "P"), ("chan", "C"))
_COMPARISONS: dict[type[ast.cmpop], str] = {ast.Eq: "==", ast.LtE: "<=", ast.NotEq: "!=", ast.GtE: ">=", ast.Lt: "<", ast.Gt: ">"}
_OTHERS = "TSLKMPQRUVXYZABDEFGHIJOW"


class NoDimension(Exception):
    """The text is no expression of dimensions."""


def parse_dimension(text: str, known: Mapping[str, Dim] | None = None) -> Dim:
    """Parse a dimension such as `2*T + 1`. Names are symbols, or keys of `known`.

    >>> str(parse_dimension("2*T + 1"))
    '2*T + 1'
    """
    try:
        # The syntax tree is walked, and nothing is evaluated as Python: the text comes from a file.
        return _evaluate_node(ast.parse(text.strip(), mode="eval").body, known)
    except (SyntaxError, ValueError, RecursionError, MemoryError, ZeroDivisionError):
        raise NoDimension(text) from None


def parse_condition(text: str) -> Condition | None:
    """Parse a condition that compares two dimensions, such as `H % 32 == 0`. None for other texts."""
    try:
        match ast.parse(text.strip(), mode="eval").body:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Call(func=ast.Name(id="min"), args=[a, b])]):
                return _make_min_condition(*(_evaluate_node(part, None) for part in (left, a, b)))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                return Condition(_COMPARISONS[type(op)], _evaluate_node(left, None), _evaluate_node(right, None))
    except (SyntaxError, ValueError, RecursionError, NoDimension, ZeroDivisionError):
        pass
    return None


def parse_stated_condition(text: str) -> WhereCondition | None:
    """Parse a condition of a `where`, such as `P in [0, 8]` or `H % 32 == 0`. None for other texts."""
    try:
        match ast.parse(text.strip(), mode="eval").body:
            case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.List(elts=items)]):
                values = tuple(_evaluate_node(item, None) for item in items)
                integers = tuple(value for value in values if isinstance(value, int))
                return OneOf(_evaluate_node(left, None), integers) if integers and len(integers) == len(values) else None
    except (SyntaxError, ValueError, RecursionError, MemoryError, NoDimension, ZeroDivisionError):
        return None
    return parse_condition(text)


def _make_min_condition(minimum: Dim, a: Dim, b: Dim) -> Condition | None:
    """Return the condition `a <= b` that `a == min(a, b)` states, or None."""
    if minimum not in (a, b):
        return None
    return Condition("<=", minimum, b if minimum == a else a)


def guess_conditions(*dims: Dim) -> list[str]:
    """List conditions that would make the divisions in these dimensions exact, the shortest first."""
    conditions: list[str] = []
    stack: list[Dim] = list(dims)
    while stack:
        dim = stack.pop()
        for atom in {atom for term in terms_of(dim) for atom in term}:
            stack += atom.parts()
            if isinstance(atom, FloorQuotient) and isinstance(atom.bottom, int) and len(atom.names) == 1:
                conditions += _list_exact_conditions(atom, atom.bottom)
    return sorted(dict.fromkeys(conditions), key=len)


def _list_exact_conditions(atom: FloorQuotient, bottom: int) -> list[str]:
    """List the conditions that make one division exact.

    If the symbol is a multiple, rounding up is exact as well as rounding down. So that condition comes first.
    """
    inside = [part for term in terms_of(atom.top) for part in term]
    match inside:
        case [Symbol(name=name)]:
            return [f"{name} % {bottom} == 0", suggest_divisibility(bottom, atom.top)]
        case [Quotient(name=name, step=int(step), rest=0)]:
            return [f"{name} % {bottom * step} == 0", suggest_divisibility(bottom, atom.top)]
    return [suggest_divisibility(bottom, atom.top)]


def _evaluate_node(node: ast.expr, known: Mapping[str, Dim] | None) -> Dim:
    match node:
        # Larger numbers would overflow the int64 of shapes.
        case ast.Constant(value=int(value)) if not isinstance(value, bool) and abs(value) < 2**62:
            return value
        case ast.Name(id=name):
            if known is None and _SYMBOL.fullmatch(name):
                return make_symbol(name)
            if known is not None and name in known:
                return known[name]
            raise NoDimension(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate_node(operand, known)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _evaluate_node(left, known), _evaluate_node(right, known)
            match op:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.FloorDiv():
                    return a // b
                case ast.Mod():
                    return a % b
                # `/` is accepted where the division is exact.
                case ast.Div() if a % b == 0:
                    return a // b
    raise NoDimension(ast.dump(node)[:60])


class InputAxis:
    """One axis of an input as the file has it: `size`, or else `text`, which may be empty. `position` is its number among `rank` axes."""

    __slots__ = ("position", "rank", "size", "text")

    def __init__(self, position: int, rank: int, size: int | None, text: str) -> None:
        self.position, self.rank, self.size, self.text = position, rank, size, text


class InputDimensions:
    """The symbols of a model. `fixed` are sizes by name, of the file or of netc."""

    def __init__(
        self, shapes: Mapping[str, Sequence[InputAxis]], fixed: Mapping[str, object], conditions: Sequence[WhereCondition]
    ) -> None:
        self.names: dict[str, str] = {}
        """The symbol of each name of the file."""
        self.symbols: list[str] = []
        self.renamed: list[tuple[str, str]] = []
        self._plain: dict[tuple[str, int], Dim] = {}
        # Names that are symbols already keep themselves, before other names can take them.
        for axis in (axis for shape in shapes.values() for axis in shape):
            if axis.size is None and axis.text and _SYMBOL.fullmatch(axis.text):
                self._get_symbol(axis.text, axis)
        for name, shape in shapes.items():
            for axis in shape:
                self._plain[name, axis.position] = self._to_dim(axis)
        self.used: set[str] = set()
        self.fixed = dict(self._find_fixed(fixed))
        """The symbols that are fixed to numbers."""
        self.declared: Declared = declare_dims(self.symbols, conditions, self.fixed)
        self.shapes = {
            name: [self._substitute_declared(self._plain[name, axis.position]) for axis in shape] for name, shape in shapes.items()
        }

    def _find_fixed(self, fixed: Mapping[str, object]) -> Iterator[tuple[str, int]]:
        for name, value in fixed.items():
            symbol = self.names.get(name, name if name in self.symbols else "")
            if symbol and isinstance(value, int) and not isinstance(value, bool):
                self.used.add(name)
                yield symbol, value

    def substitute_fixed(self, condition: WhereCondition) -> WhereCondition:
        """Replace the fixed symbols of a condition by their numbers."""
        if isinstance(condition, OneOf):
            return OneOf(substitute_symbols(condition.left, self.fixed), condition.values)
        return Condition(condition.op, substitute_symbols(condition.left, self.fixed), substitute_symbols(condition.right, self.fixed))

    def _substitute_declared(self, dim: Dim) -> Dim:
        return substitute_symbols(dim, self.declared.dims) if isinstance(dim, SymDim) else dim

    def _to_dim(self, axis: InputAxis) -> Dim:
        if axis.size is not None:
            return axis.size
        if axis.text in self.names:
            return make_symbol(self.names[axis.text])
        # A text that does not parse as arithmetic is a name like any other.
        if any(c in axis.text for c in "+-*/"):
            try:
                return parse_dimension(axis.text, {text: make_symbol(name) for text, name in self.names.items()})
            except NoDimension:
                pass
        return make_symbol(self._get_symbol(axis.text, axis))

    def _get_symbol(self, text: str, axis: InputAxis) -> str:
        """Return the symbol of a name, or a new symbol for an axis without a name."""
        if text in self.names:
            return self.names[text]
        # Nameless first axes are all the batch. Any other nameless axis is a size of its own.
        if not text and axis.position == 0 and "N" in self.symbols:
            return "N"
        name = self._choose_free(self._prefer_letters(text, axis))
        self.symbols.append(name)
        if text:
            self.names[text] = name
        if text and text != name:
            self.renamed.append((text, name))
        return name

    def _prefer_letters(self, text: str, axis: InputAxis) -> list[str]:
        if _SYMBOL.fullmatch(text):
            return [text]
        wanted = [letter for word, letter in _MEANINGS if word in text.lower()]
        if axis.position == 0:
            # The first axis is the batch, unless its name says something else.
            return [*wanted, "N"]
        by_rank = _BY_RANK.get(axis.rank, ())
        return [*wanted, *(letter for letter in by_rank[axis.position :][:1] if letter != "N")]

    def _choose_free(self, wanted: list[str]) -> str:
        letters = chain(wanted, _OTHERS, (f"S{n}" for n in count(1)))
        return next(letter for letter in letters if letter not in self.symbols)
