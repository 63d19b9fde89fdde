"""Help for arguments that are wrong: too many, in another library's order, under another name, or of the wrong kind.

Each `_..._hint` recognizes one habit and returns an empty `Hint` if it is not the cause; `surplus_hint` asks them in turn, the most
specific first.

    >>> from netc.analysis import Choice, analyze
    >>> from netc.dsl.source import SourceFile
    >>> (error,) = analyze(SourceFile("<text>", "input 3x8x8 -> conv 3 16 3x3"), Choice()).diagnostics
    >>> print(error.help[0])
    the size of the input is known from the input, and is not written: `conv 16 3x3`
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import replace
from netc.dsl.source import Span

from ...dims import format_dim
from ...ir.graph_values import Value
from ...ops.initializers import ALIASES, INIT, INITIALIZERS
from ...ops.kinds import DTYPE, InvalidArgument, Kind, ListKind, NumberKind
from ...ops.operator import Arg, Operator
from ...types.tensor_types import TYPE_ALIASES
from ..scopes.compile_time_values import Flow, OperatorRef, TensorTuple, tensors_of
from ..scopes.scope import BlockDef, Scope
from ..scopes.value_text import format_value
from .argument_edits import Hint, move_activation_last, remove_arguments, replace_arguments, strip_brackets
from .block_arguments import extra_argument_hint, is_activation
from .tensor_arguments import pipeline_text, tensor_hint


def first_sizes(flow: Flow | None, axes: Sequence[int]) -> tuple[str, ...]:
    """The sizes along these axes, one of each tensor, which other libraries write first; empty texts where they are unknown."""
    values = tensors_of(flow) if flow is not None else None
    shapes = [value.type.shape for value in values or ()]
    return tuple(format_dim(shapes[i][axis]) if i < len(shapes) and len(shapes[i]) > 1 else "" for i, axis in enumerate(axes))


def surplus_hint(
    cls: type[Operator], slots: Sequence[Arg[Any]], node: ast.Apply, scope: Scope, sizes: tuple[str, ...], order: tuple[str, ...]
) -> Hint:
    """For the first argument too many. `order`: the arguments as another library takes them without names."""
    surplus = node.positional[len(slots)]
    return (
        _order_hint(cls, slots, node)
        or _sizes_hint(cls, slots, node, sizes)
        or _name_hint(cls, slots, node)
        or _position_hint(cls, slots, node, sizes, order)
        or _misplaced_hint(cls, node, len(slots), scope)
        or extra_argument_hint(surplus, node)
        or list_hint(cls.name, slots, node)
        or _by_name_hint(cls, slots, surplus)
    )


def _order_hint(cls: type[Operator], slots: Sequence[Arg[Any]], node: ast.Apply) -> Hint:
    """For an activation before the sizes, and for `transpose 0 2 3 1`."""
    positional, text = node.positional, [e.span.text for e in node.positional]
    first = next((e for e in positional[: len(slots)] if isinstance(e, ast.Name) and is_activation(e.name)), None)
    if cls.takes_activation and first is not None:
        written = " ".join((*(t for t in text if t != first.name), first.name))
        last = move_activation_last(node, positional[0].span, first.name) if first is positional[0] else ()
        return Hint(f"an activation comes last: `{cls.name} {written}`", last)
    if cls.name == "transpose" and sorted(text) == [str(i) for i in range(len(text))]:
        written = f"permute [{', '.join(text)}]"
        edits = () if node.called else replace_arguments(node.name_span, positional[-1].span, written)
        return Hint(f"`transpose` swaps two axes; to reorder all of them, write `{written}`", edits)
    return Hint()


_LITERALS = (ast.NumberLiteral, ast.Dims, ast.ListExpr)


def _position_hint(cls: type[Operator], slots: Sequence[Arg[Any]], node: ast.Apply, sizes: tuple[str, ...], order: tuple[str, ...]) -> Hint:
    """For PyTorch's order without names, `max_pool 2 2` and `conv 3 8 3 1 1`, where 3 is the size of the input."""
    positional, count = node.positional, len(slots)
    texts = [e.span.text for e in positional]
    # The first sizes are left out only if they are the sizes of the input: then the author wrote PyTorch's order.
    known = len(sizes) if sizes and tuple(t.strip("[]()") for t in texts[: len(sizes)]) == sizes and len(texts) > count + len(sizes) else 0
    names = order[count : len(texts) - known]
    if len(names) != len(texts) - known - count or not all(isinstance(e, _LITERALS) for e in positional):
        return Hint()
    written = [*texts[known : known + count], *(f"{name}={text}" for name, text in zip(names, texts[known + count :], strict=True))]
    # `conv 3 3`: nobody can tell which of two equal numbers is the size of the input.
    safe = known == 0 or texts[0] != texts[known]
    edits = replace_arguments(positional[0].span, positional[-1].span, (", " if node.called else " ").join(written), safe=safe)
    return Hint(f"write `{cls.name} {' '.join(written)}`", edits)


def _sizes_hint(cls: type[Operator], slots: Sequence[Arg[Any]], node: ast.Apply, sizes: tuple[str, ...]) -> Hint:
    """For PyTorch's order, `conv 3 8 3x3`: the sizes of the input are known. It is certain if these are the sizes of the input."""
    positional = node.positional
    literals = all(isinstance(e, _LITERALS) for e in positional)
    if not sizes or not literals or len(positional) != len(slots) + len(sizes):
        return Hint()
    first = positional[: len(sizes)]
    known = tuple(e.span.text.strip("[]()") for e in first) == sizes
    return replace(known_sizes_hint(cls, node, len(sizes)), edits=remove_arguments(node, first[0].span, first[-1].span, safe=known))


def known_sizes_hint(cls: type[Operator], node: ast.Apply, count: int) -> Hint:
    """That the first arguments, `count` sizes of inputs, are not written."""
    written = " ".join((cls.name, *(e.span.text for e in (*node.positional[count:], *node.keywords))))
    sizes_are = "the size of the input is known from the input, and is" if count == 1 else "the sizes of the inputs are known, and are"
    return Hint(f"{sizes_are} not written: `{written}`")


def relative_hint(cls: type[Operator], keyword: ast.Keyword) -> Hint:
    """For an argument that an operator of a similar name has: `attention heads=8`."""
    for other in Operator.registry.values():
        known = {name for arg in other.signature.values() for name in (arg.name, arg.alias)}
        if other is not cls and keyword.name in known and (cls.name in other.name or other.name in cls.name):
            return Hint(f"`{other.name}` has an argument `{keyword.name}`: see `netc ops {other.name}`")
    return Hint()


def _by_name_hint(cls: type[Operator], slots: Sequence[Arg[Any]], surplus: ast.Expr) -> Hint:
    """For an operator whose arguments all have names: `upsample 2`."""
    value: object
    match surplus:
        case ast.NumberLiteral():
            value = surplus.value
        case ast.ListExpr(items=items) if all(isinstance(item, ast.NumberLiteral) for item in items):
            value = tuple(item.value for item in items if isinstance(item, ast.NumberLiteral))
        case _:
            return Hint()
    # An operator with positional arguments has its first ones filled already, so a name would be a guess.
    names = [] if slots else [arg.name for arg in cls.signature.values() if _is_of_kind(arg.kind, value)]
    return Hint("write " + " or ".join(f"`{name}={surplus.span.text}`" for name in names)) if names else Hint()


def _name_hint(cls: type[Operator], slots: Sequence[Arg[Any]], node: ast.Apply) -> Hint:
    """For arguments whose names are written without `=`: `conv 8 3 stride 2`, `dense units 2`."""
    start = next((i for i, e in enumerate(node.positional) if isinstance(e, ast.Name) and e.name in cls.signature), len(slots))
    surplus = node.positional[min(start, len(slots)) :]
    names, values = surplus[::2], surplus[1::2]
    if not isinstance(names[0], ast.Name) or names[0].name not in cls.signature:
        return Hint()
    if not values:
        return Hint(f"write `{names[0].name}=...`")
    written = " ".join(f"{name.span.text}={value.span.text}" for name, value in zip(names, values, strict=False))
    named = len(names) == len(values) and all(isinstance(name, ast.Name) and name.name in cls.signature for name in names)
    separator = ", " if node.called else " "
    return Hint(
        f"write `{written}`", replace_arguments(surplus[0].span, surplus[-1].span, written.replace(" ", separator)) if named else ()
    )


def list_hint(owner: str, slots: Sequence[Arg[Any]], node: ast.Apply) -> Hint:
    """For several numbers where one list was meant: `permute 0 2 1`."""
    if not slots or not isinstance(slots[-1].kind, ListKind):
        return Hint()
    before, items = node.positional[: len(slots) - 1], node.positional[len(slots) - 1 :]
    listed = f"[{', '.join(strip_brackets(e.span.text) for e in items)}]"
    written = [*(e.span.text for e in before), listed]
    return Hint(f"write several values as a list: `{owner} {' '.join(written)}`", replace_arguments(items[0].span, items[-1].span, listed))


def example_of(cls: type[Operator]) -> str:
    """A use of the operator in its own examples."""
    parts = (part.strip() for example in cls.examples for part in example.replace(";", "->").split("->"))
    return next((part for part in parts if part.split()[:1] == [cls.name]), "")


def _misplaced_hint(cls: type[Operator], node: ast.Apply, index: int, scope: Scope) -> Hint:
    """For an argument too many that is an activation or a tensor."""
    expr, rest = node.positional[index], node.positional[index + 1 :]
    if isinstance(expr, ast.PipelineExpr):
        return tensor_hint(cls, None, expr) or Hint(f"pass the tensor with an arrow: `{pipeline_text(expr)} -> {cls.name}`")
    if not isinstance(expr, ast.Name):
        return Hint()
    if cls.takes_activation and is_activation(expr.name):
        written = " ".join(e.span.text for e in (*node.positional[:index], *node.keywords, expr))
        if not rest and node.called:
            return Hint(f"leave the parentheses out: `{cls.name} {written}`")
        if not rest:  # another one was last
            return Hint(f"a stage has one activation, and the next is a stage of its own: `{cls.name} {written} -> ...`")
        return Hint(f"an activation comes last; with arguments, in parentheses: `({expr.name} ...)`")
    binding_and_scope = scope.find_binding(expr.name)
    match binding_and_scope[0].value if binding_and_scope is not None else None:
        case OperatorRef(operator=stage) if cls.takes_activation:
            return Hint(_describe_non_activation(expr.name, stage))
        case BlockDef(node=block) if cls.takes_activation:
            return Hint(_describe_non_activation(expr.name, block.name.name))
        case Value() | TensorTuple() if cls.arity()[1] != 1:
            return Hint(f"pass a tensor to a stage with an arrow: `(..., {expr.name}) -> {cls.name}`")
        case _:
            return Hint()


def _describe_non_activation(name: str, stage: str) -> str:
    meant = f"`{name}` is `{stage}` here, which" if stage != name else f"`{name}`"
    return f"{meant} is not an activation; write it as a stage, `-> {name}`"


def intended_value_hint(kind: Kind[Any], value: object, span: Span) -> Hint:
    """For a value that would be of the kind if it were written in another way: in brackets, `reshape (-1)`, in fewer, `pad [[1, 0]]`, not
    in percent, `dropout 50`, or without quotes, `dense "2"`."""
    if isinstance(value, str) and value.isdecimal() and value.isascii() and _is_of_kind(kind, int(value)):
        return Hint(f"write it without quotes: `{value}`", replace_arguments(span, span, value))
    if _is_of_kind(kind, (value,)) and not isinstance(value, tuple):
        return Hint(f"write `[{format_value(value)}]`", replace_arguments(span, span, f"[{span.text.removeprefix('(').removesuffix(')')}]"))
    # An argument with the upper limit 1 is a share or a probability, which people also write in percent.
    share = isinstance(kind, NumberKind) and 1 in (kind.high, kind.below)
    match value:
        case (tuple() as inner,) if _is_of_kind(kind, inner):
            text = format_value(inner)
            return Hint(f"write `{text}`", replace_arguments(span, span, text))
        case int() | float() if share and value >= 2 and _is_of_kind(kind, value / 100):
            text = f"{value / 100:g}"
            return Hint(f"for {value:g} %, write `{text}`", replace_arguments(span, span, text, safe=False))
        case _:
            return Hint()


def _is_of_kind(kind: Kind[Any], value: object) -> bool:
    try:
        kind.convert_value(value)
    except InvalidArgument:
        return False
    return True


def similar_words(kind: Kind[Any], name: str) -> list[str]:
    """The words of the kind that may be meant: the one for a name of PyTorch or Keras, or similar ones."""
    names = {DTYPE: TYPE_ALIASES, INIT: ALIASES}.get(kind, {})
    # PyTorch and Keras have fixed names for types and initializers, which are better advice than similar spelling.
    meant = names.get(name, names.get(name.lower()))
    if meant is not None:
        return [meant]
    return find_similar_names(name, INITIALIZERS if kind is INIT else kind.words)
