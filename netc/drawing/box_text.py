"""Format the text in boxes: operators with their arguments, types, and numbers that are short enough for a picture.

>>> format_decimal(25557032), format_decimal(9408)
('25.6 M', '9,408')
"""

from __future__ import annotations

import re

from netc.compiler.analysis.model_cost import StageCost
from netc.compiler.dims import Dim, format_dim
from netc.compiler.ops.formula import Formula
from netc.compiler.ops.operand import REVERSE
from netc.compiler.ops.operator import Init, Operator
from netc.compiler.types.tensor_types import DType, TensorType

from ..display.model_summary import Quotients

MAX_TYPE = 34
MAX_COUNT = 22
_UNITS = ("", " k", " M", " G", " T", " P", " E")
_HIDDEN = (Init, Formula)
"""Arguments that are left out, because they say nothing about the structure: initial values and formulas of tables."""


def format_operator(op: Operator) -> str:
    """Return an operator as a spec writes it, without arguments that have their defaults: `conv 64 7x7 stride=2`, `1 - in`."""
    first: list[str] = []
    named: list[str] = []
    for name, arg in op.signature.items():
        value = op.args[name]
        if isinstance(value, _HIDDEN) or value is None or value == arg.default:
            continue
        if arg.positional:
            first.append(_format_value(value))
        else:
            named.append(f"{name}={_format_value(value)}")
    if op.symbol and op.args.get(REVERSE):
        return f"{' '.join(first)} {op.symbol} in"
    return " ".join([op.symbol or op.name, *first, *named])


def _format_value(value: object) -> str:
    match value:
        # before int, because Python's bool is an int
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case tuple() if len(value) > 1 and all(isinstance(v, int) and not isinstance(v, bool) and v > 0 for v in value):
            return "x".join(map(str, value))
        case tuple():
            return f"[{', '.join(map(_format_value, value))}]"
        case DType():
            return value.name
        case str():
            return value if value.isidentifier() else f'"{value}"'
    return format_dim(value) if not isinstance(value, int) and isinstance(value, Dim) else str(value)


class SizeFormatter:
    """A formatter of dimensions and counts. Rounded quotients have short names, as in `netc summary`."""

    def __init__(self, quotients: Quotients) -> None:
        self.quotients = quotients

    def format_type(self, type: TensorType) -> str:
        """Return a type, shortened so that it fits next to a wire."""
        text = self.quotients.shorten(str(type)).replace("*", "·")
        return text if len(text) <= MAX_TYPE else text[: MAX_TYPE - 1] + "…"

    def format_count(self, value: Dim) -> str:
        """Return a number with a decimal unit, such as `25.6 M`, or the first term of a formula, such as `18.8 k·H2·W2 + …`."""
        if isinstance(value, int):
            return format_decimal(value)
        text = self.quotients.shorten(format_dim(value))
        first = _first_term(text) if len(text) > MAX_COUNT else text
        cut = len(first) < len(text)
        # not the digits of a name or of a fraction
        text = re.sub(r"(?<![\w.])\d{4,}", lambda m: format_decimal(int(m[0])).replace(" ", ""), first).replace("*", "·")
        # `H·H` as `H²`, but not `AH·H`
        text = re.sub(r"(?<!\w)(\w+)·\1(?!\w)", r"\1²", text)
        return (text[: MAX_COUNT - 1] + "…" if len(text) > MAX_COUNT else text) + (" + …" if cut else "")

    def format_costs(self, row: StageCost, times: int) -> str:
        """Return the parameters and FLOPs of `times` such stages, or nothing for a stage without parameters and matrix products, such as an
        activation."""
        parts = []
        if row.parameters:
            parts.append(f"{format_decimal(row.parameters * times)} parameters")
        if row.parameters or row.detail or row.multiply_adds != 0:
            parts += [f"{self.format_count(row.flops * times)} FLOPs"] if row.flops != 0 else []
        return ", ".join(parts)


def _first_term(text: str) -> str:
    """Return the text up to the first ` + ` or ` - ` outside of brackets."""
    depth = 0
    for index, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if not depth and text[index : index + 3] in (" + ", " - "):
            return text[:index]
    return text


def format_decimal(value: int) -> str:
    """Return a number with three digits and a unit, or all digits of a number below 10,000."""
    if value < 10_000:
        return f"{value:,}"
    amount, unit = float(value), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:  # three digits would round 999.5 to 1000
        amount /= 1000
        unit += 1
    return f"{amount:.3g}{_UNITS[unit]}"
