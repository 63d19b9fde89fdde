"""The parameters of blocks, models and functions, and the arguments given for them.

`match_arguments` assigns the expressions to parameters, and `ParameterBinder` evaluates and binds them. Each integer becomes a symbol of
the block, so that two uses with other numbers can be one class in emitted code.

    >>> import netc
    >>> text = "block layer(width, hidden=4 * width) { dense hidden -> dense width }; input 3 -> layer 8"
    >>> netc.compile(text).program.main.nodes[0].arguments
    {'layer#0.width': 8, 'layer#0.hidden': 32, 'layer#0[0].1': 3}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record

from ...errors.argument_errors import ArgumentTwice, MissingArgument, TooManyArguments, UnknownArgument
from ...ir.traced_floats import trace_argument
from ...ops.operator import Operator
from ...types.traced_ints import Decided, Origin, has_origin, strip_formulas, substitute_values
from ..resource_limits import count_items
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import FnDef, Scope
from .argument_edits import Hint, label_hint, replace_arguments, split_off_stage
from .evaluator_protocol import EvaluatorPart


def literal_value(expr: ast.Expr | None) -> Any:
    """The value of a number, or of a list of integers, that is written as such; None for anything else."""
    match expr:
        case ast.NumberLiteral():
            return expr.value
        case ast.ListExpr(items=items) if items and all(isinstance(i, ast.NumberLiteral) and isinstance(i.value, int) for i in items):
            return tuple(i.value for i in items)  # type: ignore[attr-defined]
        case ast.UnpackedItem(value=ast.ListExpr(items=items), pattern=pattern, name=name) if len(items) == len(pattern.parts):
            return next((literal_value(item) for part, item in zip(pattern.parts, items, strict=True) if part is name), None)
    return None


UNTRACED = ""
"""The owner of parameters that get no symbols."""


_SYMBOL_WEIGHT = 8
"""The weight of each item of an argument in the count of items, since each integer in it becomes a symbol of the block."""


class BoundParameters(Record):
    """The parameters of a block at one of its uses: their values, the symbols of the integers among them, and what each of these is where
    the block is used. Symbols begin with `owner`; if it is `UNTRACED`, numbers stay what they are."""

    owner: str
    values: dict[str, Any]
    origins: dict[str, Origin]
    values_at_use: dict[str, Any]
    flags: dict[str, bool]
    """The defaults of those that are booleans."""
    decisions: Decided

    @classmethod
    def make_empty(cls, owner: str) -> Self:
        return cls(owner, {}, {}, {}, {}, {})

    def name_value(self, parameter: str, value: Any, default: ast.Expr | None = None) -> Any:
        """The value as symbols of the block's own, if it is a number or a list of integers; but 0.0 stays one, as what does nothing for
        it, such as a dropout, is left out."""
        symbol = f"{self.owner}.{parameter}"
        off = isinstance(value, float) and value == 0 and not has_origin(value)
        symbols = trace_argument(value, symbol) if self.owner and not off else value
        if symbols is value:
            return value
        literal = literal_value(default)
        items = [(f"{symbol}.{i}", i, v) for i, v in enumerate(value)] if isinstance(value, tuple) else [(symbol, None, value)]
        for inside, index, outside in items:
            self.origins[inside] = Origin(parameter, strip_formulas(outside), index, literal)
            self.values_at_use[inside] = substitute_values(outside, self.values_at_use)  # a default may be in terms of other parameters
        return symbols


class ModelParameters(BoundParameters):
    """The parameters of a model. One that is computed from others, as by the default `hidden=4 * width`, keeps its formula."""

    def name_value(self, parameter: str, value: Any, default: ast.Expr | None = None) -> Any:
        return value if has_origin(value) else super().name_value(parameter, value, default)


SECTION = "train"
"""The beginning of the symbols of a train section. No model has this name."""


class SectionParameters(BoundParameters):
    """The parameters of a train section and of the sections that it is derived from, which share one scope. A parameter keeps the formula
    of its argument. Of two parameters with one name and different values, the second one has no symbol, and neither have the parameters
    in `plain`, whose names the model has, too."""

    plain: frozenset[str] = frozenset()

    def name_value(self, parameter: str, value: Any, default: ast.Expr | None = None) -> Any:
        known = self.values_at_use.get(f"{SECTION}.{parameter}", value)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if has_origin(value) or parameter in self.plain or not is_number or known != value or type(known) is not type(value):
            return value
        return super().name_value(parameter, value, default)


class ParameterBinder(EvaluatorPart):
    def bind_parameters(
        self, owner: str, parameters: tuple[ast.ParameterDecl, ...], node: ast.Apply, inner: Scope, scope: Scope, bound: BoundParameters
    ) -> None:
        """Binds compile-time parameters in `inner`. Arguments are evaluated in `scope`, defaults in `inner`, parameter by parameter;
        `bound` names the integers."""
        arguments = match_arguments(owner, parameters, node)
        self._note_keywords(parameters, node)
        for parameter in parameters:
            name, written = parameter.name.name, arguments.get(parameter.name.name)
            expr = written or parameter.default
            if expr is None:
                raise Failure(MissingArgument(owner, name, ""), node.name_span, ((parameter.span, "declared here"),))
            seen_from = inner if written is None else scope
            # What an argument decides about the caller's numbers belongs to the caller's graph, the rest to the block's.
            value = self.session.decisions.collect_about(bound.values_at_use, bound.decisions, self.interpreter.evaluate, expr, seen_from)
            self.session.count_items(_SYMBOL_WEIGHT * count_items(value), expr.span)
            bound.values[name] = bound.name_value(name, value, parameter.default)
            if isinstance(parameter.default, ast.Boolean):
                bound.flags[name] = parameter.default.value
            binding = inner.bind_name(name, bound.values[name], (written or parameter).span, parameter.name.span)
            self.session.index.record_binding(parameter.name, binding)

    def _note_keywords(self, parameters: tuple[ast.ParameterDecl, ...], node: ast.Apply) -> None:
        declared = {p.name.name: p.name.span for p in parameters}
        for keyword in node.keywords:
            self.session.index.record_name(keyword.name_span, keyword.name, None, declared[keyword.name], "argument")


def match_arguments(
    owner: str, parameters: Sequence[ast.ParameterDecl], node: ast.Apply, advise: Callable[[ast.Apply, ast.Keyword], Hint] = label_hint
) -> dict[str, ast.Expr]:
    """The arguments given to a block or function, by the names of its parameters. `advise` has the help for unknown names."""
    if len(node.positional) > len(parameters):
        surplus = node.positional[len(parameters)]
        accepts = tuple(p.name.name for p in parameters)
        hint = _stage_hint(node, len(parameters)) or extra_argument_hint(surplus, node)
        raise surplus_argument(owner, len(parameters), surplus, hint, accepts)
    if node.activation is not None:
        raise surplus_argument(owner, len(parameters), node.activation, extra_argument_hint(node.activation, node))
    arguments: dict[str, ast.Expr] = {p.name.name: e for p, e in zip(parameters, node.positional, strict=False)}
    # A dict, since thousands of keywords may be looked up in it.
    names = dict.fromkeys(p.name.name for p in parameters)
    for keyword in node.keywords:
        if keyword.name not in names:
            hint = advise(node, keyword)
            problem = UnknownArgument(owner, keyword.name, tuple(find_similar_names(keyword.name, names)), tuple(names), hint.help)
            raise Failure(problem, keyword.name_span, edits=hint.edits)
        if keyword.name in arguments and arguments[keyword.name].span.start > keyword.span.start:
            raise AlreadyReported  # the parser has reported an argument in the wrong place
        if keyword.name in arguments:
            raise Failure(ArgumentTwice(owner, keyword.name), keyword.span, ((arguments[keyword.name].span, "first here"),))
        arguments[keyword.name] = keyword.value
    return arguments


def function_arguments(fn: FnDef, call: ast.Call) -> list[tuple[ast.ParameterDecl, ast.Expr | None, ast.Expr]]:
    """Each parameter of a function with its argument (None if its default is used) and the expression of its value.

    A default may use the parameters before it.
    """
    parameters, owner = fn.node.parameters, fn.node.name.name
    as_apply = ast.Apply(call.span, owner, call.function.span, call.arguments, call.keywords)
    arguments = match_arguments(owner, parameters, as_apply, lambda *_: Hint())
    result = []
    for parameter in parameters:
        expr = arguments.get(parameter.name.name)
        default = expr or parameter.default
        if default is None:
            raise Failure(MissingArgument(owner, parameter.name.name, ""), call.span, ((parameter.span, "declared here"),))
        result.append((parameter, expr, default))
    return result


def _stage_hint(node: ast.Apply, most: int) -> Hint:
    """The help for `weight_norm conv 4 3`: the surplus arguments belong to a stage that is an argument."""
    # The stage that the surplus arguments belong to is the last one that the block takes.
    last = node.positional[most - 1] if most else None
    if node.called or not isinstance(last, ast.Name) or last.name not in Operator.registry:
        return Hint()
    inside = (last, *node.positional[most:])
    written = f"({' '.join(e.span.text for e in inside)})"
    return Hint(
        f"a stage with arguments is an argument in parentheses: `{written}`", replace_arguments(last.span, inside[-1].span, written)
    )


CLAMP_BOUNDS = {"maximum": "min", "minimum": "max"}
"""The bound of `clamp` that is what these operators of tensors are with a number, as in NumPy's `maximum(x, 0)`."""


GATED_UNITS = ("swiglu", "geglu", "reglu", "glu_mlp")
"""Names of gated units, which other libraries have among their activations."""


def extra_argument_hint(expr: ast.Expr, node: ast.Apply) -> Hint:
    """The help for an argument too many that is really a stage, or a word of an argument that has a name, or a number that another
    operator takes."""
    if not isinstance(expr, ast.Name):
        bound = CLAMP_BOUNDS.get(node.name)
        return Hint(f"with a number, write `clamp {bound}={expr.span.text}`") if bound else Hint()
    signature = Operator.registry[node.name].signature if node.name in Operator.registry else {}
    takers = [arg.name for arg in signature.values() if not arg.positional and expr.name in arg.kind.words]
    # A word that several arguments take would be a guess.
    if len(takers) == 1:
        written = f"{takers[0]}={expr.name}"
        return Hint(f"write the name of the argument: `{written}`", (Edit(expr.span, written),))
    if expr.name in Operator.registry:
        return Hint(f"`{expr.name}` is a separate stage: write `-> {expr.name}`", split_off_stage(node, expr.span))
    if expr.name in GATED_UNITS:
        return Hint(f'`{expr.name}` is a block with weights, no activation: `use "std/mlp.net": gated_mlp`, and write `-> gated_mlp 32`')
    close = find_similar_names(expr.name, [name for name in Operator.registry if is_activation(name)])
    return Hint(did_you_mean(close), (Edit(expr.span, close[0], safe=False),) if close else ())


def surplus_argument(owner: str, max_arguments: int, expr: ast.Expr, hint: Hint, accepts: tuple[str, ...] = ()) -> Failure:
    """The failure for one argument too many."""
    return Failure(TooManyArguments(owner, max_arguments, hint.help, accepts=accepts), expr.span, edits=hint.edits)


def did_you_mean(names: Sequence[str]) -> str:
    """`did you mean ...?`, or nothing."""
    return "did you mean " + " or ".join(f"`{n}`" for n in names) + "?" if names else ""


def is_activation(name: str) -> bool:
    operator = Operator.registry.get(name)
    return operator is not None and operator.is_activation
