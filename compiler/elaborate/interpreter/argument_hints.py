"""Help for arguments that are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import near

from ...ir.graph import Value
from ...ops.base import Arg, Operator
from ...ops.initialisers import ALIASES, INIT, INITIALISERS
from ...ops.kinds import DTYPE, InvalidArgument, Kind, ListKind
from ..scopes.scope import BlockDef, Scope
from ..scopes.show import show_value
from ..scopes.values import OperatorRef, TensorTuple
from .parameters import extra_argument_hint, is_activation

_TORCH_TYPES = {"half": "float16", "float": "float32", "double": "float64", "short": "int16", "int": "int32", "long": "int64"}


def surplus_hint(cls: type[Operator], slots: Sequence[Arg[Any]], positional: tuple[ast.Expr, ...], scope: Scope) -> str:
    """For the first argument too many."""
    surplus = positional[len(slots)]
    return (
        _order_hint(cls, slots, positional)
        or _name_hint(cls, slots, positional)
        or misplaced_hint(cls, surplus, scope)
        or extra_argument_hint(surplus)
        or list_hint(cls.name, slots, positional)
    )


def _order_hint(cls: type[Operator], slots: Sequence[Arg[Any]], positional: tuple[ast.Expr, ...]) -> str:
    """For PyTorch's order, `conv 3 8 3x3`, for an activation before the sizes, and for `transpose 0 2 3 1`."""
    text = [e.span.text for e in positional]
    first = next((e for e in positional[: len(slots)] if isinstance(e, ast.Name) and is_activation(e.name)), None)
    if cls.takes_activation and first is not None:
        return f"an activation comes last: `{' '.join((cls.name, *(t for t in text if t != first.name), first.name))}`"
    numbers = all(isinstance(e, (ast.NumberLiteral, ast.Dims)) for e in positional)
    if numbers and slots and slots[0].alias.startswith("out_") and len(positional) == len(slots) + 1:
        return f"the size of the input is known from the input, and is not written: `{cls.name} {' '.join(text[1:])}`"
    if cls.name == "transpose" and sorted(text) == [str(i) for i in range(len(text))]:
        return f"`transpose` swaps two axes; to reorder all of them, write `permute [{', '.join(text)}]`"
    return ""


def _name_hint(cls: type[Operator], slots: Sequence[Arg[Any]], positional: tuple[ast.Expr, ...]) -> str:
    """For an argument whose name is written without `=`: `conv 8 3 stride 2`."""
    surplus = positional[len(slots)]
    if not isinstance(surplus, ast.Name) or surplus.name not in cls.signature:
        return ""
    value = next((e.span.text for e in positional[len(slots) + 1 :]), "...")
    return f"write `{surplus.name}={value}`"


def list_hint(owner: str, slots: Sequence[Arg[Any]], positional: tuple[ast.Expr, ...]) -> str:
    """For several numbers where one list was meant: `permute 0 2 1`."""
    if not slots or not isinstance(slots[-1].kind, ListKind):
        return ""
    before, items = positional[: len(slots) - 1], positional[len(slots) - 1 :]
    written = [*(e.span.text for e in before), f"[{', '.join(e.span.text.strip('()') for e in items)}]"]
    return f"write several values as a list: `{owner} {' '.join(written)}`"


def example_of(cls: type[Operator]) -> str:
    """A use of the operator in its own examples."""
    parts = (part.strip() for example in cls.examples for part in example.replace(";", "->").split("->"))
    return next((part for part in parts if part.split()[:1] == [cls.name]), "")


def misplaced_hint(cls: type[Operator], expr: ast.Expr, scope: Scope) -> str:
    """For an argument too many that is an activation or a tensor."""
    if not isinstance(expr, ast.Name):
        return ""
    if cls.takes_activation and is_activation(expr.name):
        return f"an activation comes last; with arguments, in parentheses: `({expr.name} ...)`"
    found = scope.find(expr.name)
    if cls.takes_activation and found is not None and isinstance(found[0].value, OperatorRef):
        return _no_activation(expr.name, found[0].value.operator)
    if cls.takes_activation and found is not None and isinstance(found[0].value, BlockDef):
        return _no_activation(expr.name, found[0].value.node.name.name)
    if found is not None and isinstance(found[0].value, (Value, TensorTuple)) and cls.arity()[1] != 1:
        return f"pass a tensor to a stage with an arrow: `(..., {expr.name}) -> {cls.name}`"
    return ""


def _no_activation(name: str, stage: str) -> str:
    meant = f"`{name}` is `{stage}` here, which" if stage != name else f"`{name}`"
    return f"{meant} is not an activation; write it as a stage, `-> {name}`"


def missing_brackets_hint(kind: Kind[Any], value: object) -> str:
    """For one value without its brackets: `reshape (-1)`."""
    if isinstance(value, tuple):
        return ""
    try:
        kind.convert((value,))
    except InvalidArgument:
        return ""
    return f"write `[{show_value(value)}]`"


def near_word(kind: Kind[Any], name: str) -> list[str]:
    """The words of the kind that may be meant: that of PyTorch's or Keras' name, or similar ones."""
    names = {DTYPE: _TORCH_TYPES, INIT: ALIASES}.get(kind, {})
    if name in names:
        return [names[name]]
    return near(name, INITIALISERS if kind is INIT else kind.words)
