"""Writes compile-time values as text: arguments, and the parameters and loop items in their place.

In: literals, parameters, items of loops. Out: text. Always: a value from the model's origin becomes a number, a word of the language, or a
text in quotes.

>>> print_literal(512**-0.5), print_literal(0.00001), print_literal((2, True))
('512 ** -0.5', '1e-5', '[2, true]')
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite, isqrt
from typing import Any

from netc.dsl.grammar import load_tables
from netc.dsl.precedence import NET

from ...dims import SymDim, format_dim
from ...ops import Operator
from ...ops.initializers import INITIALIZERS
from ...ops.operator import Init
from ...ops.stored_tables import TableArray
from ...types.tensor_types import DType
from .array_storage import StoredNames
from .block_families import BlockFamily
from .literal_columns import BlockParameter, SizeOfInput
from .operator_arguments import is_default, is_idle
from .spec_tree import Activation, Binary, FunctionCall, IfFirst, IndexName, Item, ListItem, ListOf, Literal, Prefix, StoredPath

_ONE_WORD = re.compile(r"\w[\w.]*(\[[^\]]*\])?|\d[\w.]*e-?\d+")
_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
LONG_NUMBER = 14
"""The number of digits from which a number says nothing to a reader."""
MOST_SQUARE = 1e6
COUNTERS = "ijklmn"
"""The names of the numbers of iterations, from the outermost loop, unless something in the body has that name."""


class ValuePrinter:
    """Writes the values of one body. `names` are its tensors' names by their numbers, `parameters` the block's parameters."""

    def __init__(self, names: Sequence[str], parameters: Sequence[str], stored: StoredNames) -> None:
        self.names, self.parameters, self.stored = names, parameters, stored
        self.binders: list[tuple[str, ...]] = []
        """The names of the items of the loops around, from the outermost."""
        self.counters: list[str] = []
        """The names of the iteration numbers of the loops around, from the outermost."""
        self.starts: list[int] = []

    def print_arguments(self, arguments: Sequence[tuple[str, Any]], callee: Any) -> list[str]:
        """Print the arguments that do not have their default value: by position as far as possible, then by name."""
        positional = _list_positional(callee)
        signature = Operator.registry[callee].signature if isinstance(callee, str) else {}
        words: list[str] = []
        position = 0
        for name, value in sorted(arguments, key=lambda item: positional.index(item[0]) if item[0] in positional else len(positional)):
            # A value that changes nothing is not written, even if it is not the default.
            if (isinstance(value, Literal) and is_default(value)) or is_idle(name, arguments, signature):
                continue
            text = self.print_argument(value, callee)
            # By position, a word that is also the name of a tensor would be that tensor: `sum = x -> sum [0]`, `scatter_reduce 0 sum`.
            by_position = position < len(positional) and positional[position] == name and text not in self.names
            words.append(text if by_position else f"{name}={text}")
            position = position + 1 if by_position else len(positional)
        return words

    # --- values -------------------------------------------------------------------------------------------------------

    def print_argument(self, value: Any, callee: Any = None) -> str:
        """Print a value as an argument, in brackets where the language needs them."""
        if isinstance(value, Literal) and value.name == "tie":
            return str(value.value) if _PATH.fullmatch(value.value) and value.value not in load_tables().keywords else f'"{value.value}"'
        if isinstance(value, Literal) and isinstance(value.value, str) and value.value not in _list_words(callee, value.name):
            return f'"{value.value}"'
        text = self.print_value(value)
        if isinstance(value, Literal) and isinstance(value.value, (Init, Activation)):
            return text
        return text if _ONE_WORD.fullmatch(text) or text[0] in '["' else f"({text})"

    def print_expression(self, tree: Any, least: int = NET.loosest) -> str:
        """Print an expression, in brackets if it binds less tightly than `least`."""
        text, strength = self.print_tree(tree)
        return text if strength >= least else f"({text})"

    def print_tree(self, tree: Any) -> tuple[str, int]:
        """Print arithmetic, and return how tightly its outermost operator binds."""
        match tree:
            case Binary(symbol, left, right):
                strength, of_left, of_right = NET.operand_strengths(symbol)
                return f"{self.print_expression(left, of_left)} {symbol} {self.print_expression(right, of_right)}", strength
            case Prefix("not", operand):
                return f"not {self.print_expression(operand, NET.binding_strength('not'))}", NET.binding_strength("not")
            case Prefix(symbol, operand):
                return f"{symbol}{self.print_expression(operand, NET.binding_strength('neg') + 1)}", NET.binding_strength("neg")
            case IndexName(name):
                return name, NET.atom
            case FunctionCall(function, arguments):
                return f"{function}({', '.join(map(self.print_expression, arguments))})", NET.atom
            case ListItem(values, places):
                return "".join(
                    [self.print_expression(values, NET.atom), *(f"[{self.print_expression(index)}]" for index in places)]
                ), NET.atom
        text = self.print_value(tree)
        return text, NET.strength_of_text(text)

    def print_value(self, value: Any) -> str:
        match value:
            case Literal(TableArray() as array):
                return f'"{self.stored.get_name(array)}"'
            case Literal(StoredPath(path)):
                return f'"{self.stored.get_path(path)}"'
            case Literal(Activation(operator, arguments)):
                text = " ".join([operator, *self.print_arguments(arguments, operator)])
                return f"({text})" if arguments else text
            case Literal(inner, _, _, axes):
                return print_literal(inner) if axes == 1 else "x".join([print_literal(inner)] * axes)
            case BlockParameter(number):
                return self.parameters[number]
            case Item(number, up):
                return self.binders[-1 - up][number]
            case IfFirst(first, others, up):
                i = self.counters[-1 - up]
                start = self.starts[-1 - up]
                # A condition is shorter than `true if i == 0 else false`.
                if isinstance(first, Literal) and type(first.value) is bool and isinstance(others, Literal) and type(others.value) is bool:
                    return f"{i} == {start}" if first.value else f"{i} > {start}"
                return f"{self.print_value(first)} if {i} == {start} else {self.print_value(others)}"
            case SizeOfInput(number, axis, rank):
                name = self.names[number]
                return f"{name}.features" if axis == rank - 1 else f"{name}.channels" if axis == 1 else f"{name}.shape[{axis}]"
            case Binary():
                return self.print_expression(value)
            case ListOf(items, joined):
                texts = [self.print_value(item) for item in items]
                if joined and len(texts) > 1 and all(text.isdecimal() for text in texts):
                    return "x".join(texts)
                return f"[{', '.join(texts)}]"
        raise TypeError(type(value).__name__)


def _list_positional(callee: Any) -> list[str]:
    """List the arguments that are written without their names, in order."""
    if isinstance(callee, BlockFamily):
        # More than three values in a row are hard to tell apart, so further ones have names.
        return [name for name in callee.parameters if name not in callee.defaults][:3]
    if isinstance(callee, str):
        return [name for name, declared in Operator.registry[callee].signature.items() if declared.positional]
    return []


def _list_words(callee: Any, name: str) -> Sequence[str]:
    """Return the words that an argument may be without quotes."""
    declared = Operator.registry[callee].signature.get(name) if isinstance(callee, str) else None
    return () if declared is None else declared.kind.words


def print_literal(value: Any) -> str:
    """Print a compile-time value."""
    match value:
        case bool():
            return "true" if value else "false"
        case SymDim():
            return format_dim(value)
        case float():
            return _print_float(value)
        case tuple():
            return f"[{', '.join(map(print_literal, value))}]"
        case Init():
            return _print_initializer(value)
        case int() | str() | DType():
            return str(value)
    raise TypeError(type(value).__name__)


def _print_initializer(init: Init) -> str:
    """Write an initializer without the arguments that equal their defaults."""
    declared = INITIALIZERS[init.kind]
    words: list[str] = []
    for position, (argument, value) in enumerate(zip(declared.arguments, init.values, strict=True)):
        if value != argument.default:
            words.append(
                print_literal(value)
                if position < declared.positional and len(words) == position
                else f"{argument.name}={print_literal(value)}"
            )
    return f"{init.kind}({', '.join(words)})" if words else init.kind


def _print_float(value: float) -> str:
    root = _print_root(abs(value)) if isfinite(value) else ""
    if root:
        return f"-({root})" if value < 0 else root
    # Python writes `1e-05` where a spec has `1e-5`.
    text = repr(value)  # also `inf`, `-inf` and `nan`
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if e else text


def _print_root(value: float) -> str:
    """Print the root of an integer, or its reciprocal, if the number is exactly that: the scale of attention, the bounds of weights. Empty
    if it is none, or if the number is short."""
    if len(repr(value)) < LONG_NUMBER:
        return ""
    for power, square in ((0.5, value * value), (-0.5, 1 / (value * value))):
        number = round(square) if square < MOST_SQUARE else 0
        if isqrt(number) ** 2 < number and float(number) ** power == value:
            return f"{number} ** {power}"
    return ""
