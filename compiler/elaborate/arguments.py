"""Arguments: what is written behind a stage meets what the operator, block or fn declares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import near
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..errors.names import ArgumentTwice, MissingArgument, TooManyArguments, UnknownArgument, WrongArgument
from ..ir.graph import Value
from ..ir.types import DTYPES
from ..ops.base import Arg, Operator, Required
from ..ops.kinds import DTYPE, FLAG, InvalidArgument, Kind, ListKind
from .evaluate import MISSPELT, evaluate
from .limits import check_number
from .partial import TrailingActivation, activation_named, is_activation
from .scope import Scope
from .session import Session
from .values import AlreadyReported, Failure, FnDef, TensorTuple, show_value


class BoundArguments(Record):
    """An operator with its arguments, the place of each one that was written, the activation behind it, and what it is tied to."""

    op: Operator
    spans: dict[str, Span]
    activation: TrailingActivation | None
    tie: ast.Keyword | None


class RawArguments(Record):
    """What is written behind an operator, converted; some arguments may be missing. `positional` are those without names."""

    args: dict[str, Any]
    spans: dict[str, Span]
    positional: tuple[ast.Expr, ...]
    activation: TrailingActivation | None
    tie: ast.Keyword | None


def bind_operator(cls: type[Operator], node: ast.Apply, scope: Scope, session: Session) -> BoundArguments:
    """Checks and converts the arguments of an operator. The first that is wrong is a `Failure`."""
    written = bind_written(cls, node, scope, session)
    missing = next((a for a in cls.signature.values() if a.name not in written.args and isinstance(a.default, Required)), None)
    if missing is not None:
        example = next(iter(_examples(cls)), "")
        raise Failure(MissingArgument(cls.name, missing.name, missing.kind.describe(), example), node.name_span)
    return BoundArguments(cls(**written.args), written.spans, written.activation, written.tie)


def bind_written(cls: type[Operator], node: ast.Apply, scope: Scope, session: Session) -> RawArguments:
    """Checks and converts the arguments that are there."""
    positional, activation = _activation(cls, node, scope, session)
    if node.activation is not None:
        activation = _trailing(cls, node.activation, scope, session)
    slots = [arg for arg in cls.signature.values() if arg.positional]
    if len(positional) > len(slots):
        surplus = positional[len(slots)]
        hint = _misplaced(cls, surplus, scope) or extra_argument_hint(surplus) or _list_hint(cls.name, slots, positional)
        problem = TooManyArguments(cls.name, len(slots), hint, accepts=tuple(cls.signature))
        raise Failure(problem, surplus.span)
    args: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    for arg, expr in zip(slots, positional, strict=False):
        args[arg.name] = _convert(cls.name, arg.name, arg.kind, expr, scope, session)
        spans[arg.name] = expr.span
    open_, tie = _keywords(cls, node.keywords, args, spans, scope, session)
    if cls.open_keywords is not None:
        args["sizes"] = tuple(open_)
    return RawArguments(args, spans, positional, activation, tie)


def _keywords(
    cls: type[Operator],
    keywords: Iterable[ast.Keyword],
    args: dict[str, Any],
    spans: dict[str, Span],
    scope: Scope,
    session: Session,
) -> tuple[list[tuple[str, Any]], ast.Keyword | None]:
    aliases = {alias: arg for arg in cls.signature.values() for alias in (arg.name, arg.alias) if alias}
    open_: list[tuple[str, Any]] = []
    tie = None
    for keyword in keywords:
        arg = aliases.get(keyword.name)
        if arg is None and keyword.name == "tie":
            if tie is not None:
                raise Failure(ArgumentTwice(cls.name, "tie"), keyword.span, ((tie.span, "first here"),))
            tie = keyword
        elif arg is None and cls.open_keywords is not None:
            open_.append((keyword.name, _convert(cls.name, keyword.name, cls.open_keywords, keyword.value, scope, session)))
            spans[keyword.name] = keyword.span
        elif arg is None:
            known = tuple(cls.signature)
            hint = f"the word alone does it, behind the other arguments: `{keyword.value.span.text}`"
            hint = hint if cls.takes_activation and activation_named(keyword.value, scope, session) else ""
            raise Failure(UnknownArgument(cls.name, keyword.name, tuple(near(keyword.name, list(aliases))), known, hint), keyword.name_span)
        elif arg.name in args and spans[arg.name].start > keyword.span.start:
            raise AlreadyReported  # the parser has told that it stands in the wrong place
        elif arg.name in args:
            raise Failure(ArgumentTwice(cls.name, keyword.name), keyword.span, ((spans[arg.name], "first here"),))
        else:
            args[arg.name] = _convert(cls.name, arg.name, arg.kind, keyword.value, scope, session)
            spans[arg.name] = keyword.value.span
    return open_, tie


def _list_hint(owner: str, slots: Sequence[Arg[Any]], positional: tuple[ast.Expr, ...]) -> str:
    """For several numbers where one list was meant: `permute 0 2 1`."""
    if not slots or not isinstance(slots[-1].kind, ListKind):
        return ""
    before, items = positional[: len(slots) - 1], positional[len(slots) - 1 :]
    written = [*(e.span.text for e in before), f"[{', '.join(e.span.text.strip('()') for e in items)}]"]
    return f"several values stand in a list: `{owner} {' '.join(written)}`"


def _examples(cls: type[Operator]) -> list[str]:
    """Uses of the operator in its own examples."""
    parts = [part.strip() for example in cls.examples for part in example.replace(";", "->").split("->")]
    return [part for part in parts if part.split()[:1] == [cls.name]]


def _activation(
    cls: type[Operator], node: ast.Apply, scope: Scope, session: Session
) -> tuple[tuple[ast.Expr, ...], TrailingActivation | None]:
    """Splits `2 sigmoid` into the arguments and the activation."""
    if not cls.takes_activation or not node.positional or node.called:
        return node.positional, None
    last = node.positional[-1]
    meant = activation_named(last, scope, session)
    return (node.positional[:-1], meant) if meant is not None else (node.positional, None)


def _trailing(cls: type[Operator], name: ast.Expr, scope: Scope, session: Session) -> TrailingActivation:
    """What stands behind the keywords without a name of its own, which can only be an activation."""
    meant = activation_named(name, scope, session)
    if meant is not None and cls.takes_activation:
        return meant
    slots = sum(arg.positional for arg in cls.signature.values())
    hint = extra_argument_hint(name) or "arguments without names stand before those with names"
    raise Failure(TooManyArguments(cls.name, slots, hint), name.span)


def _misplaced(cls: type[Operator], expr: ast.Expr, scope: Scope) -> str:
    """What to do with an argument too many that is an activation or a tensor."""
    if not isinstance(expr, ast.Name):
        return ""
    if cls.takes_activation and expr.name in Operator.registry and is_activation(expr.name):
        return f"an activation stands last; with arguments, in parentheses: `({expr.name} ...)`"
    found = scope.find(expr.name)
    if found is not None and isinstance(found[0].value, (Value, TensorTuple)) and cls.arity()[1] != 1:
        return f"a tensor comes to a stage by an arrow: `(..., {expr.name}) -> {cls.name}`"
    return ""


def extra_argument_hint(expr: ast.Expr) -> str:
    """What to do with an argument too many that is really a stage."""
    if not isinstance(expr, ast.Name):
        return ""
    if expr.name in Operator.registry:
        return f"`{expr.name}` is a stage of its own here: write `-> {expr.name}`"
    close = near(expr.name, [name for name in Operator.registry if is_activation(name)])
    return "did you mean " + " or ".join(f"`{n}`" for n in close) + "?" if close else ""


def _convert(owner: str, name: str, kind: Kind[Any], expr: ast.Expr, scope: Scope, session: Session) -> Any:
    """The value of an argument, as the operator holds it."""
    value = raw_value(owner, name, kind, expr, scope, session)
    try:
        converted = kind.convert(value)
        check_number(converted, expr.span)  # 1e300 is an integer too
        return converted
    except InvalidArgument:
        raise Failure(WrongArgument(owner, name, kind.describe(), show_value(value), _in_a_list(kind, value)), expr.span) from None


def raw_value(owner: str, name: str, kind: Kind[Any], expr: ast.Expr, scope: Scope, session: Session) -> Any:
    """The value of an argument as it is written. A bare word of the kind is that word."""
    word = _word(expr)
    if word in kind.words:
        return word
    if (
        isinstance(expr, ast.Name)
        and (kind.words or kind is FLAG)
        and expr.name not in MISSPELT
        and scope.find(expr.name) is None
        and expr.name not in session.dims
    ):
        close = near_type(expr.name) if kind is DTYPE else near(expr.name, list(kind.words))
        hint = "did you mean " + " or ".join(f"`{n}`" for n in close) + "?" if close else ""
        raise Failure(WrongArgument(owner, name, kind.describe(), f"`{expr.name}`", hint), expr.span)
    value = evaluate(expr, scope, session)
    check_number(value, expr.span)
    return value


def _in_a_list(kind: Kind[Any], value: object) -> str:
    """What to write for one value that lacks its brackets: `reshape (-1)`."""
    if isinstance(value, tuple):
        return ""
    try:
        kind.convert((value,))
    except InvalidArgument:
        return ""
    return f"write `[{show_value(value)}]`"


def _word(expr: ast.Expr) -> str:
    """A bare word, perhaps with a minus before it; empty for any other expression."""
    match expr:
        case ast.Name(name=name):
            return name
        case ast.Unary(op="-", operand=ast.Name(name=name)):
            return f"-{name}"
    return ""


_TORCH_TYPES = {"half": "float16", "float": "float32", "double": "float64", "short": "int16", "int": "int32", "long": "int64"}


def near_type(name: str) -> list[str]:
    """The element types that may be meant: near ones, or the one that PyTorch calls so."""
    return [_TORCH_TYPES[name]] if name in _TORCH_TYPES else near(name, list(DTYPES))


def flag(owner: str, keyword: ast.Keyword, scope: Scope, session: Session) -> bool:
    """The value of a keyword that must be true or false."""
    value: bool = _convert(owner, keyword.name, FLAG, keyword.value, scope, session)
    return value


# --- blocks and fns ----------------------------------------------------------------------------------------------------------


def bind_parameters(
    owner: str,
    parameters: tuple[ast.Parameter, ...],
    node: ast.Apply,
    inner: Scope,
    scope: Scope,
    session: Session,
) -> dict[str, Any]:
    """Binds a block's compile-time parameters in `inner`; the arguments are evaluated in `scope`, the defaults in `inner`."""
    given = check_given(owner, parameters, node)
    values: dict[str, Any] = {}
    for parameter in parameters:
        name = parameter.name.name
        if name in given:
            values[name] = evaluate(given[name], scope, session)
            inner.bind(name, values[name], given[name].span, parameter.name.span)
        elif parameter.default is not None:
            values[name] = evaluate(parameter.default, inner, session)
            inner.bind(name, values[name], parameter.span, parameter.name.span)
        else:
            raise Failure(MissingArgument(owner, name, ""), node.name_span, ((parameter.span, "declared here"),))
    return values


def check_given(owner: str, parameters: Sequence[ast.Parameter], node: ast.Apply) -> dict[str, ast.Expr]:
    """The arguments that are written behind a block, by the names of its parameters."""
    if len(node.positional) > len(parameters):
        surplus = node.positional[len(parameters)]
        accepts = tuple(p.name.name for p in parameters)
        raise Failure(TooManyArguments(owner, len(parameters), extra_argument_hint(surplus), accepts=accepts), surplus.span)
    if node.activation is not None:
        raise Failure(TooManyArguments(owner, len(parameters), extra_argument_hint(node.activation)), node.activation.span)
    given: dict[str, ast.Expr] = {p.name.name: e for p, e in zip(parameters, node.positional, strict=False)}
    names = [p.name.name for p in parameters]
    for keyword in node.keywords:
        if keyword.name not in names:
            raise Failure(UnknownArgument(owner, keyword.name, tuple(near(keyword.name, names)), tuple(names)), keyword.name_span)
        if keyword.name in given and given[keyword.name].span.start > keyword.span.start:
            raise AlreadyReported  # the parser has told that it stands in the wrong place
        if keyword.name in given:
            raise Failure(ArgumentTwice(owner, keyword.name), keyword.span, ((given[keyword.name].span, "first here"),))
        given[keyword.name] = keyword.value
    return given


def fn_arguments(fn: FnDef, call: ast.Call) -> list[tuple[ast.Parameter, ast.Expr | None, ast.Expr]]:
    """Each parameter of a fn with what the call gives it, or None and its default, which may look at the parameters before it."""
    parameters, owner = fn.node.parameters, fn.node.name.name
    called = ast.Apply(call.span, owner, call.function.span, call.arguments, call.keywords)
    given = check_given(owner, parameters, called)
    found = []
    for parameter in parameters:
        expr = given.get(parameter.name.name)
        default = expr or parameter.default
        if default is None:
            raise Failure(MissingArgument(owner, parameter.name.name, ""), call.span, ((parameter.span, "declared here"),))
        found.append((parameter, expr, default))
    return found
